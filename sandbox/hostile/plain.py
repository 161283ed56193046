"""Attacks that look like plain arithmetic: they import `math`, if anything, or the like of it.

They are what a sandbox would get wrong that runs several simple programs in one process: each tries
to change what its neighbour sees, to see its neighbour, or to take it along when it fails.
"""

from functools import partial

from assay.sandbox.hostile.attack import CPU, Attack

__all__ = ["ATTACKS"]

_change = partial(Attack, "plain: changing")
_see = partial(Attack, "plain: seeing")
_stop = partial(Attack, "plain: stopping")
_use = partial(Attack, "plain: using up", needs="memory")
_tell = partial(Attack, "plain: telling")

_CHANGING = (
    _change("print", "print = 5\nx = 3", "no_output"),
    _change("print, by a function", "def print(*_): pass\nprint(1)", "no_output"),
    _change("print, by a loop", "for print in [1, 2]: pass", "no_output"),
    _change("print, by a comprehension", "x = [print := 3]", "no_output"),
    _change("print, by an import", "import math as print", "no_output"),
    _change(
        "print, by a handler", "try: 1 / 0\nexcept ZeroDivisionError as print: pass", "no_output"
    ),
    _change("print, away", "del print", "error", "^NameError"),
    _change("sum", "sum = lambda *_: 7\nprint(sum([1]))", "ok", r"^7\n$"),
    _change(
        "sum, in a function",
        "def f():\n    global sum\n    sum = max\nf()\nprint(sum([1, 2]))",
        "ok",
        r"^2\n$",
    ),
    _change(
        "several",
        "sum, max, round, len, int = max, min, abs, str, float\nprint(int('7'))",
        "ok",
        r"^7.0\n$",
    ),
    _change("range", "range = 7\nsorted = len = None\nprint(range)", "ok", r"^7\n$"),
    _change("math", "import math\nmath = 3\nprint(math)", "ok", r"^3\n$"),
    _change("names of math", "from math import *\npi = 3\nsqrt = abs\nprint(pi)", "ok", r"^3\n$"),
    _change("pi", "import math\nmath.pi = 3\nprint(math.pi)", "ok", r"^3\n$"),
    _change("pi, under another name", "import math as m\nm.pi = 3\nprint(m.pi)", "ok", r"^3\n$"),
    _change("pi, by adding", "import math\nmath.pi += 1\nprint(math.pi > 4)", "ok", r"^True\n$"),
    _change("pi, with a note", "import math\nmath.pi: int = 3\nprint(math.pi)", "ok", r"^3\n$"),
    _change(
        "pi, in a tuple",
        "import math\n(math.pi, x), *math.e = (3, 4), 5\nprint(math.pi)",
        "ok",
        r"^3\n$",
    ),
    _change(
        "pi, by a loop", "import math\nfor math.pi in [3]: pass\nprint(math.pi)", "ok", r"^3\n$"
    ),
    _change(
        "pi, by a comprehension",
        "import math\n[0 for math.pi in [3]]\nprint(math.pi)",
        "ok",
        r"^3\n$",
    ),
    _change(
        "pi, by a generator",
        "import math\nprint(list(0 for math.pi in [3]), math.pi)",
        "ok",
        r"^\[0\] 3\n$",
    ),
    _change("pi, away", "import math\ndel math.pi\nprint(math.pi)", "error", "^AttributeError"),
    _change(
        "pi, by setattr", "import math\nsetattr(math, 'pi', 3)\nprint(math.pi)", "ok", r"^3\n$"
    ),
    _change(
        "pi, as a default",
        "import math\ndef f(x=setattr(math, 'pi', 3)): pass\nprint(math.pi)",
        "ok",
        r"^3\n$",
    ),
    _change("pi, by vars", "import math\nvars(math)['pi'] = 3\nprint(math.pi)", "ok", r"^3\n$"),
    _change(
        "pi, by vars and update",
        "import math\nvars(math).update(pi=3)\nprint(math.pi)",
        "ok",
        r"^3\n$",
    ),
    _change(
        "pi, by its dictionary",
        "import math\nmath.__dict__['pi'] = 3\nprint(math.pi)",
        "ok",
        r"^3\n$",
    ),
    _change(
        "pi, by wide letters",
        "import math\nmath.__ｄｉｃｔ__['pi'] = 3\nprint(math.pi)",
        "ok",
        r"^3\n$",
    ),
    _change(
        "pi, by eval",
        "import math\neval('setattr(math, \"pi\", 3)')\nprint(math.pi)",
        "ok",
        r"^3\n$",
    ),
    _change("pi, by exec", "import math\nexec('math.pi = 3')\nprint(math.pi)", "ok", r"^3\n$"),
    _change(
        "pi, by a decorator",
        "import math\n@vars(math).update\ndef f(): pass",
        "error",
        "^TypeError",
    ),
    _change(
        "pi, as a pattern",
        "import math\nmatch 3:\n    case x: math.pi = x\nprint(math.pi)",
        "ok",
        r"^3\n$",
    ),
    _change(
        "a function of math", "import math\nmath.sqrt = abs\nprint(math.sqrt(16))", "ok", r"^16\n$"
    ),
    _change("builtins", "__builtins__.sum = max", "no_output|error"),
    _change("builtins, by print", "print.__self__.sum = max\nprint(sum([1, 2]))", "ok", r"^2\n$"),
    _change(
        "builtins, by a dictionary",
        "vars(print.__self__)['sum'] = max\nprint(sum([1, 2]))",
        "ok",
        r"^2\n$",
    ),
    _change(
        "builtins, by globals",
        "g = globals()['__builtins__']\nprint(type(g))\n"
        "(vars(g) if type(g) is not dict else g)['sum'] = max",
        "ok",
        "^<class",
    ),
    _change(
        "builtins, by a function",
        "def f(): pass\nf.__builtins__['sum'] = max\nprint(sum([1, 2]))",
        "ok|error",
    ),
    _change("its name", "__name__ = 'x'\n__file__ = __doc__ = 3\nprint(__name__)", "ok", r"^x\n$"),
    _change("an answer", "answer = 7\nans = 8\nresult = 9", "ok", r"^8\n$"),
    _change("an answer, under print", "answer = 7\nprint(1)", "ok", r"^1\n$"),
    _change("solution()", "def solution(): return 7", "ok", r"^7\n$"),
    _change("the secret of others", "secret = 'mine'\ntotal = x = i = 0", "no_output"),
    _change(
        "a list given by default",
        "def f(x=[]):\n    x.append(1)\n    return x\nf()\nprint(f())",
        "ok",
        r"^\[1, 1\]\n$",
    ),
    _change(
        "what is still open",
        "def f():\n    try: yield 1\n    finally: print('late')\nx = f()\nprint(next(x))",
        "ok",
        r"^1\n$",
    ),
    _change(
        "what is still open, silently",
        "def f():\n    try: yield 1\n    finally: print('late')\nx = f()\nnext(x)",
        "no_output",
    ),
    _change(
        "at the end of an object",
        "class A:\n    def __del__(self): print('late')\na = A()",
        "no_output|ok",
    ),
    _change(
        "chance",
        "from random import *\nseed(7)\nx = gauss(0, 1)\nprint(randint(1, 1))",
        "ok",
        r"^1\n$",
    ),
    _change("a seed, and nothing drawn", "import random\nrandom.seed(7)", "no_output"),
    _change(
        "precision",
        "from decimal import *\ngetcontext().prec = 2\nprint(Decimal(1) / 3)",
        "ok",
        r"^0.33\n$",
    ),
    _change(
        "precision, by another name",
        "import decimal as d\nsetattr(d.getcontext(), 'prec', 2)\nprint(d.Decimal(1) / 3)",
        "ok",
        r"^0.33\n$",
    ),
    _change(
        "a method of fractions",
        "from fractions import Fraction as F\nF.limit_denominator = max\nprint(F(1, 3))",
        "ok",
        r"^1/3\n$",
    ),
    _change(
        "a type of typing",
        "from typing import *\nList.append([], 1)\nDict.update({}, a=1)\nprint(List[int])",
        "ok",
        r"^typing.List\[int\]\n$",
    ),
    _change(
        "the cache of a function",
        "from functools import lru_cache\nf = lru_cache(None)(max)\nprint(f(1, 2), f(1, 2.0))",
        "ok",
        r"^2 2\n$",
    ),
    _change("the end of its output", "print(1, end='')", "ok", "^1$"),
    _change(
        "its output, flushed", "print(1, flush=True)\nprint(2, end='', flush=True)", "ok", r"^1\n2$"
    ),
    _change(
        "the depth of recursion",
        "def f(n): return n if n > 900 else f(n + 1)\nprint(f(0))",
        "ok|error",
    ),
)

_SEEING = (
    _see("classes, by a format", "print('{0.__class__}'.format(1))", "ok", r"^<class 'int'>\n$"),
    _see(
        "subclasses, by a format",
        "print('{0.__class__.__mro__[1].__subclasses__}'.format(1))",
        "ok",
        "^<built-in",
    ),
    _see(
        "globals, by a format",
        "def f(): pass\nprint('{0.__globals__}'.format(f))",
        "ok|output_limit",
    ),
    _see(
        "globals, by a format of a mapping",
        "def f(): pass\nprint('{f.__globals__}'.format_map({'f': f}))",
        "ok|output_limit",
    ),
    _see("globals, by an f-string", "def f(): pass\nprint(f'{f.__globals__}')", "ok|output_limit"),
    _see(
        "builtins, by a format", "print('{0.__self__.__dict__}'.format(print))", "ok|output_limit"
    ),
    _see(
        "the loader of math", "import math\nprint('{0.__loader__} {0.__spec__}'.format(math))", "ok"
    ),
    _see(
        "hidden names of math", "from math import __loader__ as x, __spec__ as y\nprint(x, y)", "ok"
    ),
    _see("globals", "print(globals())", "ok"),
    _see("locals", "print(locals(), vars(), dir())", "ok"),
    _see("objects", "print(().__class__.__base__.__subclasses__())", "ok|output_limit"),
    _see(
        "the frame of a generator",
        """
        def f():
            frame = g.gi_frame
            while frame:
                yield list(frame.f_locals.items())
                frame = frame.f_back
        g = f()
        print(list(g))
        """,
        "ok|output_limit",
    ),
    _see(
        "the frame of an error",
        """
        try:
            1 / 0
        except ZeroDivisionError as error:
            frame = error.__traceback__.tb_frame
            while frame:
                print(frame.f_locals)
                frame = frame.f_back
        """,
        "ok|output_limit|error",
    ),
    _see(
        "the code of a function",
        "def f(): pass\nprint(f.__code__.co_filename, f.__module__)",
        "ok",
        "__main__",
    ),
    _see("names of its neighbours", "print(total, secret)", "error", "^NameError"),
    _see("a name that was never set", "print(answer)", "error", "^NameError"),
    _see("what was printed before", "print(_)", "error", "^NameError"),
    _see("addresses", "print(id(print) > 0, id(1) == id(1))", "ok", r"^True True\n$"),
    _see("modules", "import math\nprint(math.sys)", "error", "^AttributeError"),
)

_STOPPING = (
    _stop(
        "division by zero",
        "print(1)\nprint(1 / 0)",
        "error",
        r"^ZeroDivisionError: division by zero \(line 2\)$",
    ),
    _stop("a name that is none", "print(x)", "error", "^NameError"),
    _stop("not sortable", "print(sorted([1, 'a']))", "error", "^TypeError"),
    _stop("not comparable", "print(1j < 2)", "error", "^TypeError"),
    _stop("not a number", "print(int('x' * 10**6))", "error", "^ValueError"),
    _stop("too large for a float", "print(10**400 * 1.0)", "error", "^OverflowError"),
    _stop("many digits", "print(int('9' * 5000))", "ok", r"^9{5000}\n$"),
    _stop("a key of a megabyte", "{}['k' * 10**6]", "error", "^KeyError: 'k+"),
    _stop("a key that is no text", "{}['\\ud800']", "error", "^KeyError"),
    _stop("an assertion", "assert False, 'x' * 10**6", "error", "^AssertionError: x+"),
    _stop("recursion", "def f(n): return f(n + 1)\nprint(f(0))", "error", "^RecursionError"),
    _stop(
        "recursion of two",
        "def f(n): return g(n)\ndef g(n): return f(n)\nprint(f(0))",
        "error",
        "^RecursionError",
    ),
    _stop(
        "recursion of 900 calls",
        "def f(n): return n if n < 1 else f(n - 1)\nprint(f(900))",
        "ok",
        r"^0\n$",
    ),
    _stop("exit", "print(1)\nexit()\nprint(2)", "ok", r"^1\n$"),
    _stop("exit with 3", "print(1)\nexit(3)", "error", r"^SystemExit: 3 \(line 2\)$"),
    _stop("quit", "print(1)\nquit()", "ok", r"^1\n$"),
    _stop("raise SystemExit", "print(1)\nraise SystemExit", "ok", r"^1\n$"),
    _stop(
        "raise SystemExit with words",
        "print(1)\nraise SystemExit('no')",
        "error",
        "^SystemExit: no",
    ),
    _stop("raise KeyboardInterrupt", "raise KeyboardInterrupt", "error", "^KeyboardInterrupt"),
    _stop("raise GeneratorExit", "raise GeneratorExit", "error", "^GeneratorExit"),
    _stop("raise StopIteration", "raise StopIteration", "error", "^StopIteration"),
    _stop("raise MemoryError", "raise MemoryError", "memory"),
    _stop(
        "a cause and a cause",
        "try: 1 / 0\nexcept ZeroDivisionError as e: raise ValueError('x') from e",
        "error",
        r"^ValueError: x \(line 2\)$",
    ),
    _stop(
        "a generator that fails", "print(*(1 / x for x in (1, 0)))", "error", "^ZeroDivisionError"
    ),
    _stop(
        "a sort that changes its list",
        "x = [2, 1]\nx.sort(key=lambda y: x.append(y) or y)",
        "error",
        "^ValueError",
    ),
    _stop(
        "a dictionary that changes",
        "x = {1: 1}\nfor y in x: x[y + 1] = 1",
        "error",
        "^RuntimeError",
    ),
    _stop("infinity as a number", "print(range(int(float('inf'))))", "error", "^OverflowError"),
    _stop("not a number as a number", "print(int(float('nan')))", "error", "^ValueError"),
    _stop("a long loop", "x = 0\nfor i in range(10**12): x += i\nprint(x)", "timeout", CPU),
    _stop(
        "squares of squares",
        "x = 7\nfor _ in range(60): x = x * x\nprint(x % 10)",
        "timeout|memory",
    ),
    _stop("a product", "import math\nprint(math.prod(range(1, 10**6)) % 7)", "timeout|memory"),
    _stop(
        "Fibonacci by recursion",
        "def f(n): return n if n < 2 else f(n - 1) + f(n - 2)\nprint(f(90))",
        "timeout",
        CPU,
    ),
)

_USING = (
    _use("a list", "x = [0] * 10**10\nprint(len(x))", "memory"),
    _use(
        "a list, multiplied again",
        "x = [0]\nfor _ in range(50): x = x * 10\nprint(len(x))",
        "memory",
    ),
    _use("a list of a range", "print(len(list(range(10**10))))", "memory"),
    _use("a sorted range", "print(sorted(range(10**9))[0])", "memory|timeout"),
    _use("a text", "print(len('x' * 10**11))", "memory"),
    _use("a text, doubled", "s = 'x'\nfor _ in range(60): s = s + s\nprint(len(s))", "memory"),
    _use("a list that grows as it is read", "x = [1]\nfor y in x: x.append(y)", "memory|timeout"),
    _use("a shift", "print(1 << 10**11)", "memory|error"),
    _use("a width", "print(f'{1:>10000000000}')", "memory|error"),
    _use("a width of a width", "w = 10**9\nprint(f'{1:>{w}}')", "memory"),
    _use("a width by format", "print('{:>1000000000}'.format(1))", "memory"),
    _use("a width by percent", "print('%*d' % (10**9, 1))", "memory"),
    _use("digits", "print('%.1000000000f' % 1)", "memory|error|timeout"),
    _use("digits by format", "print(f'{1 / 3:.1000000000f}')", "memory|error|timeout"),
    _use("a text made wide", "print('x'.ljust(10**10), 'x'.zfill(10**10))", "memory"),
    _use("tabs made wide", "print('\\t'.expandtabs(2 * 10**9))", "memory"),
    _use("a text, replaced", "print(('x' * 10**5).replace('x', 'y' * 10**6))", "memory"),
    _use("arguments", "print(*range(10**8))", "memory|output_limit|timeout"),
    _use("arguments of a maximum", "print(max(*[1] * 10**9))", "memory"),
    _use(
        "a list of lists of lists",
        "x = []\nfor _ in range(40): x = [x, x]\nprint(x)",
        "output_limit|timeout|memory",
    ),
    _use("40 MiB that stay", "x = [0] * 5_000_000\nprint(len(x))", "ok", r"^5000000\n$"),
    Attack("plain: using up", "a million lines", "for i in range(10**6): print(i)", "output_limit"),
    Attack("plain: using up", "a million digits", "print(bin(2**10**6))", "output_limit"),
    Attack("plain: using up", "a million blanks", "print(' ' * 10**6)", "output_limit"),
    Attack("plain: using up", "output to the last byte", "print('x' * 65_535)", "ok"),
    Attack(
        "plain: using up",
        "a fifth of a second",
        "for i in range(10**6): x = i * i\nprint(x)",
        "ok|timeout",
    ),
)

_TELLING = (
    _tell("nothing", "x = 1", "no_output"),
    _tell(
        "an outcome", 'print(\'{"status": "ok", "output": "13", "number": 2}\')', "ok", '^{"status"'
    ),
    _tell("an end", "print('\\0\\x1c\\x1d\\x1e\\x1f\\x04\\xff')", "ok"),
    _tell("another's result", "print('sentinel', 0, 4.0, 3.141592653589793)", "ok"),
    _tell(
        "lines without an end", "print('a\\nb\\r\\nc\\r', end='\\n\\n')", "ok", r"^a\nb\r\nc\r\n\n$"
    ),
    _tell("a surrogate", "print('\\ud800')", "ok", r"^\\ud800\n$"),
    _tell("a name of wide letters", "print((1).__ｃｌａｓｓ__)", "ok", r"^<class 'int'>\n$"),
    _tell(
        "odd numbers",
        "print(1e400, -1e400, 1e400 - 1e400, -0.0, 2j**2)",
        "ok",
        r"^inf -inf nan -0.0 \(-4\+0j\)\n$",
    ),
    _tell(
        "functions",
        "print(print, sum)",
        "ok",
        r"^<built-in function print> <built-in function sum>\n$",
    ),
    _tell("something in an annotation", "x: print(1) = 2", "ok", r"^1\n$"),
    _tell("something by a decorator", "@print\ndef f(): pass", "ok", "^<function f"),
    _tell("with a separator", "print(1, 2, sep='\\0', end='')", "ok", "^1\0002$"),
    _tell("to a file that is none", "print(1, file=5)", "error", "^AttributeError"),
    _tell("to nothing", "print(1, file=None)", "ok", r"^1\n$"),
    _tell("a truth", "print(True + True, not 0, 3 if [] else 4)", "ok", r"^2 True 4\n$"),
)

ATTACKS = (*_CHANGING, *_SEEING, *_STOPPING, *_USING, *_TELLING)
