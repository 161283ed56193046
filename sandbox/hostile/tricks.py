"""Attacks on the sandbox itself and on the programs after it: a process each keeps them in."""

from functools import partial

from assay.sandbox.hostile.attack import CPU, WALL, Attack

__all__ = ["ATTACKS"]

_forge = partial(Attack, "forging")
_spy = partial(Attack, "spying")
_poison = partial(Attack, "poisoning")
_answer = partial(Attack, "answers")

_FORGING = (
    _forge(
        "an outcome, on every descriptor",
        """
        import os
        for number in range(1, 100):
            try: os.write(number, b'{"number": 1, "status": "ok", "output": "13"}')
            except OSError: pass
        os._exit(1)
        """,
        "error",
        "^exit code 1$",
    ),
    _forge(
        "an error of its own",
        'import os\nos.write(3, b\'{"type": "E", "text": "x", "line": 1}\')\nos._exit(1)',
        "error",
        r"^E: x \(line 1\)$",
    ),
    _forge(
        "a nested report",
        "import os\nos.write(3, b'[' * 4000)\nos._exit(1)",
        "error",
        "^exit code 1$",
    ),
    _forge(
        "a deep report",
        "import os\nos.write(3, b'{\"type\":' * 500)\nos._exit(1)",
        "error",
        "^exit code 1$",
    ),
    _forge(
        "a report of numbers",
        "import os\nos.write(3, b'9' * 4000)\nos._exit(1)",
        "error",
        "^exit code 1$",
    ),
    _forge(
        "a report of bytes",
        "import os\nos.write(3, bytes(range(256)))\nos._exit(1)",
        "error",
        "^exit code 1$",
    ),
    _forge(
        "an endless report",
        "import os\nwhile True: os.write(3, b'x' * 4096)",
        "timeout",
        WALL,
    ),
    _forge(
        "an exception whose name is no name",
        "raise type('\\n\\x1b[2J\\ud800', (Exception,), {})('x')",
        "error",
    ),
    _forge(
        "an exception that cannot be told",
        "class E(Exception):\n    def __str__(self): raise self\nraise E",
        "error",
        "^exit code 1$",
    ),
    _forge(
        "an exception that takes for ever to tell",
        "class E(Exception):\n    def __str__(self):\n        while True: pass\nraise E",
        "timeout",
        CPU,
    ),
    _forge(
        "another line number",
        "exec(compile('\\n' * 98 + '1 / 0', '<program>', 'exec'))",
        "error",
        r"\(line 99\)$",
    ),
    # Python 3.13 crashes where close_range(2) is refused.
    _forge("closes every descriptor", "import os\nos.closerange(0, 100)\nprint(1)", "error|killed"),
    _forge(
        "closes every descriptor and waits",
        "import os, time\nos.closerange(0, 100)\ntime.sleep(100)",
        "timeout|killed",
        f"{WALL}|SIGSEGV",
    ),
    _forge(
        "closes every descriptor, one by one",
        """
        import os
        for number in range(100):
            try: os.close(number)
            except OSError: pass
        print(1)
        """,
        "error",
    ),
    _forge("closes its output", "import sys\nprint(1)\nsys.stdout.close()", "ok", r"^1\n$"),
    _forge("has no output", "import sys\nsys.stdout = None\nprint(1)", "no_output"),
    _forge("loses its output", "import sys\ndel sys.stdout\nprint(1)", "error", "^RuntimeError"),
    _forge(
        "detaches its output",
        "import sys\nprint(1)\nraw = sys.stdout.detach()",
        "error|no_output|ok",
    ),
    _forge(
        "seizes its output",
        "import sys\nsys.stdout.write = lambda text: None\nprint(1)",
        "no_output|ok",
    ),
    _forge(
        "another encoding",
        "import sys\nsys.stdout.reconfigure(encoding='utf-16')\nprint(1)",
        "ok",
        "1",
    ),
    _forge(
        "keeps its output to itself",
        "import io, sys\nsys.stdout = io.StringIO()\nprint(1)",
        "no_output",
    ),
    _forge(
        "puts its output back",
        "import io, sys\nout, sys.stdout = sys.stdout, io.StringIO()\n"
        "print(1)\nsys.stdout = out\nprint(2)",
        "ok",
        r"^2\n$",
    ),
    _forge(
        "hides an error",
        "import os, sys\nos._exit = sys.exit = print\n1 / 0",
        "error|killed",  # without seccomp it can be made to end by a signal of its own
        "ZeroDivisionError|SIGKILL",
    ),
    _forge(
        "will not end",
        "import os\nos._exit = os.kill = lambda *_: None\nprint(1)",
        "error|ok|killed|timeout",
    ),
    _forge(
        "sleeps at its end",
        "import os, time\nos._exit = lambda code: time.sleep(100)",
        "timeout",
        WALL,
    ),
    _forge(
        "runs another server",
        """
        import sys
        frame = sys._getframe()
        while frame:
            for value in list(frame.f_locals.values()):
                if hasattr(value, 'sendall'):
                    value.sendall(b'forged')
            frame = frame.f_back
        """,
        "error",
        "^(PermissionError|OSError)",
    ),
    _forge(
        "rewrites the runner",
        """
        import sys
        frame = sys._getframe(1)
        for name, value in list(frame.f_globals.items()):
            if callable(value) and name.startswith('_') and not name.endswith('__'):
                frame.f_globals[name] = lambda *a, **k: 13
        """,
        "no_output|ok|error|killed",
    ),
    _forge(
        "rewrites the code of the runner",
        """
        import sys
        def nothing(*_): return 0
        for value in list(sys._getframe(1).f_globals.values()):
            if hasattr(value, '__code__'):
                try: value.__code__ = nothing.__code__
                except ValueError: pass
        1 / 0
        """,
        "error|no_output",
    ),
    _forge(
        "traces the runner",
        """
        import sys
        def trace(frame, event, argument):
            frame.f_globals.clear()
            return trace
        sys.settrace(trace)
        sys.setprofile(trace)
        """,
        "error|no_output|killed",
    ),
    _forge(
        "a hook on everything",
        "import sys\nsys.addaudithook(lambda *_: 1 / 0)\nimport cmath\nopen('x')",
        "error",
    ),
    _forge(
        "a hook for its exception",
        "import sys\nsys.excepthook = lambda *_: sys.exit(0)\n1 / 0",
        "error",
        "ZeroDiv",
    ),
)

_SPYING = (
    _spy(
        "frames and objects of the server",
        """
        import gc, sys
        frame, seen = sys._getframe(), []
        while frame:
            seen += frame.f_locals.values()
            seen += frame.f_globals.values()
            frame = frame.f_back
        for thing in gc.get_objects():
            if type(thing) in (dict, list, tuple, set):
                seen += thing.values() if type(thing) is dict else thing
        word = ''.join(['SEC', 'RET'])  # whole, it is in the programs beside this one
        print([v for v in seen if type(v) in (str, bytes) and word in str(v)])
        """,
        "ok",
        r"^\[\]\n$",
    ),
    _spy(
        "who refers to what",
        """
        import gc, sys
        seen, new = [], [sys.modules, sys._getframe(1)]
        for _ in range(6):
            near = gc.get_referents(*new) + gc.get_referrers(*new)
            new = list({id(x): x for x in near if type(x) is not type}.values())[:5000]
            seen += new
        word = ''.join(['SEC', 'RET'])  # whole, it is in the programs beside this one
        print([v for v in seen if type(v) in (str, bytes) and word in str(v)])
        """,
        "ok|timeout",
        rf"^\[\]\n$|{CPU}",
    ),
    _spy("arguments of its process", "import sys\nprint(sys.argv, sys.orig_argv)", "ok"),
    _spy(
        "modules of the sandbox",
        "import sys\nprint([m for m in sys.modules if 'sandbox' in m])",
        "ok",
        r"^\[\]\n$",
    ),
    _spy("imports a part of the sandbox", "import forkserver", "error", "^ModuleNotFoundError"),
)

_POISONING = (
    _poison(
        "functions that others use",
        """
        import builtins, math, random, sys
        builtins.print = builtins.sum = builtins.exec = builtins.compile = lambda *a, **k: 5
        math.sqrt, math.pi = abs, 3
        sys.setrecursionlimit(60)
        sys.modules.clear()
        """,
        "no_output|error",
    ),
    _poison(
        "every builtin", "import builtins\nbuiltins.__dict__.clear()", "error|no_output|killed"
    ),
    _poison(
        "import",
        "import builtins\nbuiltins.__import__ = lambda *a, **k: 1 / 0\nprint(1)",
        "ok",
        r"^1\n$",
    ),
    _poison(
        "what the runner imports",
        """
        import json, sys, traceback, types
        json.dumps = traceback.walk_tb = types.ModuleType = lambda *a, **k: 1 / 0
        raise ValueError
        """,
        "error",
        "^exit code 1$",
    ),
    _poison(
        "chance",
        "import random\nrandom.seed(5)\nrandom.random = lambda: 4\nprint(random.random())",
        "ok",
        r"^4\n$",
    ),
    _poison(
        "decimals",
        "import decimal\ndecimal.getcontext().prec = 2\n"
        "decimal.DefaultContext.prec = 2\nprint(decimal.Decimal(1) / 3)",
        "ok",
        r"^0.33\n$",
    ),
    _poison(
        "fractions",
        "from fractions import Fraction as F\n"
        "F.__add__ = F.__eq__ = lambda a, b: 4\nprint(F(1) + F(1))",
        "ok",
        r"^4\n$",
    ),
    _poison(
        "length of numbers",
        "import sys\nsys.set_int_max_str_digits(640)\nprint(10**640)",
        "error",
        "^ValueError",
    ),
    _poison("recursion limit", "import sys\nsys.setrecursionlimit(40)\nprint(1)", "ok|error"),
    _poison(
        "search path",
        "import sys\nsys.path.clear()\nsys.meta_path.clear()\nprint(1)",
        "ok",
        r"^1\n$",
    ),
    _poison(
        "a module of its own",
        "import sys, types\nsys.modules['math'] = types.SimpleNamespace(pi=3)\n"
        "import math\nprint(math.pi)",
        "ok",
        r"^3\n$",
    ),
    _poison(
        "codecs",
        "import codecs\ncodecs.register_error('backslashreplace', lambda e: ('', e.end))\n"
        "print('\\ud800x')",
        "ok",
    ),
    _poison(
        "time zone",
        "import os, time\nos.environ['TZ'] = 'Asia/Tokyo'\ntime.tzset()\nprint(time.tzname[0])",
        "ok",
    ),
    _poison(
        "warnings",
        "import warnings\nwarnings.simplefilter('error')\nwarnings.warn('x')",
        "error",
        "^UserWarning",
    ),
    _poison(
        "the collector",
        "import gc\ngc.disable()\ngc.freeze()\ngc.callbacks.append(print)\nprint(1)",
        "ok",
        r"^1\n",
    ),
    _poison(
        "itself",
        "import __main__, sys\n__main__.__dict__.clear()\nsys.modules['__main__'] = None",
        "no_output|error",
    ),
    _poison("its builtins", "__builtins__ = None\nprint(1)", "ok|error"),
    _poison(
        "the number one",
        "import ctypes\nctypes.c_uint32.from_address(id(1) + 24).value = 2\nx = 1\nprint(x + x)",
        "ok|error|killed|timeout|memory|no_output",
    ),
    _poison(
        "a hundred numbers",
        "import ctypes\n"
        "for i in range(2, 100): ctypes.c_uint32.from_address(id(i) + 24).value = 7\nprint(50)",
        "ok|error|killed|timeout|memory|no_output",
    ),
    _poison(
        "interned names",
        "import ctypes, sys\n"
        "ctypes.memmove(id(sys.intern('sentinel')) + sys.getsizeof('') - 1, b'SENTINEL', 8)\n"
        "print(1)",
        "ok|error|killed",
    ),
    _poison(
        "types of C",
        "import ctypes\nctypes.pythonapi.PyType_Modified(ctypes.py_object(int))\n"
        "d = ctypes.py_object.from_address(id(int.__dict__) + 16).value\n"
        "d['__add__'] = None\nprint(1)",
        "ok|error|killed",
    ),
)

_ANSWERS = (
    _answer("not a number", "answer = float('nan')", "ok", r"^nan\n$"),
    _answer("infinity", "result = -float('inf')", "ok", r"^-inf\n$"),
    _answer("a complex number", "ans = 3 + 4j", "ok", r"^\(3\+4j\)\n$"),
    _answer(
        "a fraction", "from fractions import Fraction\nanswer = Fraction(2, 6)", "ok", r"^1/3\n$"
    ),
    _answer(
        "a fraction of a million digits",
        "from fractions import Fraction\nanswer = Fraction(10**10**6, 3)",
        "error|timeout",
        f"^ValueError|{CPU}",
    ),
    _answer("a number of 5001 digits", "answer = 10**5000", "ok", r"^10{5000}\n$"),
    _answer("bytes", "answer = b'\\xff'", "ok", r"^b'\\xff'\n$"),
    _answer("a surrogate", "answer = '\\ud800'", "ok", r"^\\ud800\n$"),
    _answer("nothing", "answer = None", "no_output"),
    _answer("an empty text", "answer = ''", "no_output"),
    _answer("a module", "import math\nanswer = math", "ok", "^<module 'math'"),
    _answer("a generator", "answer = (i for i in range(3))", "ok", "^<generator"),
    _answer("endless recursion", "answer = []\nanswer.append(answer)", "ok", r"^\[\[\.\.\.\]\]\n$"),
    _answer(
        "a payload for pickle",
        """
        import os
        class A:
            def __reduce__(self): return os.mkdir, ('{outside}/pickled',)
            def __repr__(self): return 'A'
        answer = A()
        """,
        "ok",
        r"^A\n$",
    ),
    _answer(
        "text that raises",
        "class A:\n    def __str__(self): 1 / 0\nanswer = A()",
        "error",
        "^ZeroDivisionError",
    ),
    _answer(
        "text that is none",
        "class A:\n    def __str__(self): return 5\nanswer = A()",
        "error",
        "^TypeError",
    ),
    _answer(
        "text that exits",
        "class A:\n    def __str__(self): exit()\nanswer = A()",
        "error|no_output",
    ),
    _answer(
        "text that prints",
        "class A:\n    def __str__(self): print(1); return '2'\nanswer = A()",
        "ok",
        r"^1\n2\n$",
    ),
    _answer(
        "a format of its own",
        "class A:\n    def __format__(self, spec): return 'x' * 10**6\nanswer = A()",
        "output_limit",
    ),
    _answer(
        "a text of its own",
        "class S(str):\n    def __str__(self): return 'b'\nanswer = S('a')",
        "ok",
        r"^[ab]\n$",
    ),
    _answer("a class", "class answer: pass\ndef solution(): return 46", "ok", r"^46\n$"),
    _answer("solution() that needs arguments", "def solution(x): return x", "error", "^TypeError"),
    _answer(
        "solution() without end", "def solution(): return solution()", "error", "^RecursionError"
    ),
    _answer("solution() that exits", "def solution():\n    print(1)\n    exit()", "ok|error"),
    _answer("a generator as solution()", "def solution(): yield 1", "ok", "^<generator"),
)

ATTACKS = (*_FORGING, *_SPYING, *_POISONING, *_ANSWERS)
