"""Sources that cannot be read, and values that cannot be written."""

from functools import partial

from assay.sandbox.hostile.attack import Attack

__all__ = ["ATTACKS"]

_source = partial(Attack, "sources")
_print = partial(Attack, "printing")

# Too deep for the parser or the compiler: every version of Python says so in another way.
_TOO_DEEP = "error|memory|killed|timeout"

_SOURCES = (
    _source("nothing", "", "no_output"),
    _source("blanks", " \n\t\n", "no_output"),
    _source("a comment", "# 42", "no_output"),
    _source("NUL", "print(1)\0", "error", "null bytes"),
    _source("not closed", "x = 1\nprint(x", "error", r"^SyntaxError: .* \(line 2\)$"),
    _source("a text not closed", "print('x", "error", "^SyntaxError"),
    _source("a block of text not closed", "print(1)\n'''", "error", "^SyntaxError"),
    _source("a backslash at the end", "print(1)\\", "error", "^SyntaxError"),
    _source("Python 2", "print 1", "error", "^SyntaxError"),
    _source("words", "The answer is 42.", "error", "^SyntaxError"),
    _source("tabs and blanks", "if True:\n\tx = 1\n        y = 2", "error", "^TabError"),
    _source("tabs", "for i in range(2):\n\tprint(i)", "ok", r"^0\n1\n$"),
    _source("form feeds", "\fprint(1)\n\f\nprint(2)", "ok", r"^1\n2\n$"),
    _source("vertical tabs", "\vprint(1)", "error", "^SyntaxError"),
    _source("line ends of Windows", "if True:\r\n    print(1)\r\n", "ok", r"^1\n$"),
    _source("line ends of old Macs", "x = 1\rprint(x)\r", "ok", r"^1\n$"),
    _source("byte order mark", "\ufeffprint(1)", "ok", r"^1\n$"),
    _source("a surrogate", "print('\ud800')", "error", "surrogates not allowed"),
    _source("a codec that is none", "# -*- coding: nonsense -*-\nprint(1)", "ok|error"),
    _source("a codec that encrypts", "# -*- coding: rot13 -*-\nprint(1)", "ok|error"),
    _source("UTF-7", "# coding: utf-7\n+AHAAcgBpAG4AdAAoADEAKQ-", "error", "^SyntaxError"),
    _source("wide letters", "ｐｒｉｎｔ(１ + 1)", "error|ok"),
    _source("wide names", "ｐｒｉｎｔ(1)", "ok", r"^1\n$"),
    _source("invisible letters", "x\u200b = 1", "error", "^SyntaxError"),
    _source("text that runs backwards", "x = 1  # \u202e }\nprint(x)", "ok", r"^1\n$"),
    _source("separators of lines", "print(len('\u2028\u2029\x85'))", "ok", r"^3\n$"),
    _source("a number of 5000 digits", "x = " + "9" * 5000, "no_output"),
    _source("return outside", "return 1", "error", "^SyntaxError"),
    _source("await outside", "await x", "error", "^SyntaxError"),
    _source("brackets 150 deep", "print(" + "(" * 150 + "1" + ")" * 150 + ")", "ok|error"),
    _source("brackets 5000 deep", "(" * 5000 + ")" * 5000, _TOO_DEEP),
    _source("lists 100 000 deep", "x = " + "[" * 100_000, _TOO_DEEP),
    _source("signs 100 000 deep", "x = " + "-" * 100_000 + "1", _TOO_DEEP),
    _source("not 100 000 deep", "x = " + "not " * 100_000 + "1", _TOO_DEEP),
    _source("powers 30 000 deep", "x = " + "1**" * 30_000 + "1", _TOO_DEEP),
    _source("attributes 100 000 deep", "x = a" + ".a" * 100_000, _TOO_DEEP),
    _source("calls 30 000 deep", "x = f" + "()" * 30_000, _TOO_DEEP),
    _source("lambdas 10 000 deep", "x = " + "lambda: " * 10_000 + "1", _TOO_DEEP),
    _source("conditions 30 000 deep", "x = " + "1 if 0 else " * 30_000 + "1", _TOO_DEEP),
    _source(
        "elif 30 000 times",
        "x = 1\nif x == 0: pass\n" + "elif x == 2: pass\n" * 30_000,
        "no_output|error|memory|killed|timeout",
    ),
    _source(
        "blocks 200 deep",
        "".join(" " * i + "if 1:\n" for i in range(200)) + " " * 200 + "x",
        "error",
    ),
    _source(
        "functions 60 deep",
        "".join(" " * i + "def f():\n" for i in range(60)) + " " * 60 + "pass",
        "no_output|error",
    ),
    _source(
        "formats in formats", "print(f'{1:{2:{3:{4}}}}')", "error", "^(SyntaxError|ValueError)"
    ),
    _source(
        "a sum of 3000 terms", "print(" + "+".join(["1"] * 3000) + ")", "ok|error|memory|killed"
    ),
    _source("a sum of a million terms", "print(" + "+".join(["1"] * 10**6) + ")", _TOO_DEEP),
    _source("a list of 100 000 numbers", f"print(sum([{'1,' * 100_000}]))", "ok|timeout|memory"),
    _source("a million statements", "x = 1\n" * 10**6, "no_output|timeout|memory"),
    _source(
        "10 MB of text", "print(len('" + "x" * 10**7 + "'))", "ok|memory|timeout", "^10000000\n|of"
    ),
    _source("10 MB of comment", "#" + "x" * 10**7 + "\nprint(1)", "ok|memory|timeout"),
    _source("10 MB of line ends", "\n" * 10**7 + "print(1)", "ok|memory|timeout"),
    _source(
        "100 000 names", "\n".join(f"x{i} = 1" for i in range(100_000)), "no_output|timeout|memory"
    ),
    _source("a fence and 5000 blanks", "```" + " " * 5000 + "!\nprint(1)", "error", "^SyntaxError"),
    _source("fences only", "```\n" * 10_000, "no_output"),
    _source("a fence that is not closed", "```python\nprint(1)", "ok", r"^1\n$"),
)

_PRINTING = (
    _print("surrogates", "print('\\ud800' + chr(0xdfff))", "ok", r"^\\ud800\\udfff\n$"),
    _print(
        "bytes that are no text", "import os\nos.write(1, b'\\xff\\x00\\n')", "ok", "^\ufffd\0\n$"
    ),
    _print("half a letter", "import os\nos.write(1, b'\\xe2\\x82')", "ok", "^\ufffd$"),
    _print("NUL", "print('\\0')", "ok", "^\0\n$"),
    _print("a number of 5001 digits", "print(10**5000)", "ok", r"^10{5000}\n$"),
    _print("a number of too many digits", "print(10**70_000)", "output_limit|timeout"),
    _print("a number that takes for ever to write", "print(str(10**10**9)[:3])", "timeout|memory"),
    _print(
        "odd numbers", "print(float('nan'), -float('inf'), 1j, -0.0)", "ok", r"^nan -inf 1j -0.0\n$"
    ),
    _print("every letter there is", "print(''.join(map(chr, range(0x3000, 0x4000))))", "ok"),
    _print(
        "a list that holds itself", "x = []\nx.append(x)\nprint(x)", "ok", r"^\[\[\.\.\.\]\]\n$"
    ),
    _print(
        "to nobody",
        "print(1, file=open('/dev/full', 'w'))",
        "error",
        needs="seccomp|landlock",
    ),
    _print("to a number", "print(1, file=3)", "error", "^AttributeError"),
    _print("before an error", "print(1)\n1 / 0", "error", "^ZeroDivisionError"),
    _print("before a limit", "print(1, flush=True)\nwhile True: pass", "timeout"),
    _print(
        "an outcome", 'print(\'{"number": 1, "status": "ok", "output": "13"}\')', "ok", '^{"number"'
    ),
    _print("separators", "print('\\x1c\\x1d\\x1e\\x1f\\x04', end='\\0\\0')", "ok"),
)

ATTACKS = (*_SOURCES, *_PRINTING)
