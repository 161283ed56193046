"""Which programs may share a process: literal cases, and that nothing of one is overlooked."""

import ast
import builtins
import copy
import importlib
import itertools
import sys
import types
from collections import deque
from collections.abc import Iterator

import numpy
import pytest
import sympy

from assay.sandbox import plain
from assay.sandbox.hostile import ATTACKS
from assay.sandbox.lane import _compiled
from assay.sandbox.plain import is_plain, let_trouble_through
from scripts.bench.programs import mixed

# As in a fork server: a program whose module has still to be loaded is not plain.
LOADED = {name: importlib.import_module(name) for name in plain._MODULES}

# Programs that leave nothing behind, and what each of them is here for.
PLAIN = {
    "": "nothing",
    "x = 3\ny = x * 2 + 1\nprint(y)": "arithmetic",
    "import math\nprint(math.sqrt(16), math.pi)": "a module and its names",
    "import math as m\nprint(m.floor(2.5))": "another name for it",
    "from math import sqrt as root, pi\nprint(root(2), pi)": "names of a module",
    "from math import *\nprint(sqrt(2))": "all names of a module",
    "def f():\n    import math\n    return math.pi\nprint(f())": "an import in a function",
    "from math import sec\nprint(sec(1))": "a name that the module does not have: an error",
    "import math\nprint(math.sec(1))": "the same by its module",
    "def solution():\n    return 7\nprint(solution())": "a function",
    "if __name__ == '__main__':\n    print(1)": "what a script ends with",
    "def f(a, b=2, *c, d, e=5, **g): return a\nprint(f(1, d=4))": "all kinds of arguments",
    "f = lambda x: x + 1\nprint(f(1))": "a function without a name",
    "x: int = 3\ndef f(a: int, b: list[int]) -> float: return a\nprint(f(x, []))": "notes",
    "from typing import List, Optional\ndef f(a: List[int]) -> Optional[int]: return a": "types",
    "@lru_cache(None)\ndef f(n): return n\n\nfrom functools import lru_cache\nprint(f(1))": "cache",
    "def f():\n    global x\n    x = 2\nf()\nprint(x)": "a global name",
    "def f():\n    x = 1\n    def g():\n        nonlocal x\n        x = 2\n": "an outer one",
    "print = 5": "a name of Python's own, in the program's own names",
    "del print": "the same",
    "x = [1, 2]\nx[0] = 3\ndel x[1]\nx += [4]\nx.append(5)\nprint(x[1:])": "its own list",
    "d = {'a': 1}\nd['b'] = 2\nfor k, v in d.items(): print(k, v)\nprint({**d})": "dictionary",
    "while True:\n    break\nelse:\n    pass": "a loop",
    "print([x for x in range(9) if x % 2], {x: x for x in 'ab'}, {x for x in 'ab'})": "displays",
    "print(sum(x * x for x in range(9)), (y := 3), not y, -y, y if y else 0)": "expressions",
    "a, *b = 1, 2, 3\nprint(*b, sep=', ', end='')": "stars",
    "def f():\n    x = yield 1\n    yield from [2, 3]\nprint(list(f()))": "a generator",
    "try:\n    x = 1 / 0\nexcept ZeroDivisionError as error:\n    print(error)": "an error",
    "try:\n    x = int('a')\nexcept (ValueError, TypeError):\n    pass\nelse:\n    pass": "two",
    "try:\n    x = int('a')\nexcept Exception as e:\n    print(e)": "any error",
    "try:\n    x = int('a')\nexcept:\n    print(1)": "anything",
    "raise ValueError('x') from None": "an error of its own",
    "assert 1 + 1 == 2, 'no'": "an assertion",
    "x = 3\nprint(f'{x:.2f} {x!r} {x:>{x}}', 'a%d' % x)": "texts",
    "print('{} of {:.2f}, {a:>{b}}'.format(1, 2, a=3, b=4))": "a format",
    "x = None\nprint(x is None, x is not True, 3 if x is None else 4)": "is, with a constant",
    "print(undefined)": "a name that is none: an error",
    "1 / 0": "an error",
    "import numpy as np\nprint(np.array([1, 2]).sum(), np.linalg.norm([3, 4]))": "numpy",
    "from numpy.linalg import det\nimport numpy.linalg as la\nprint(la.inv([[1]]))": "its part",
    "import numpy\nx = numpy.zeros(3)\nx[0] = 1\nx[1:] += 2\nprint(x, numpy.where(x > 1))": "array",
    "from sympy import *\nx = symbols('x')\nprint(solve(x**2 - 4, x), S.Half.p)": "sympy",
    "import sympy as sp\nx, y = sp.symbols('x y')\nprint(sp.solve([sp.Eq(x, y)], [x, y]))": "sympy",
    "from sympy.geometry import Point, Triangle\nfrom sympy.solvers import solve": "its parts",
    "from sympy.abc import x, theta\nprint(x + theta)": "its symbols",
    "from datetime import datetime, timedelta\nprint(datetime(2024, 1, 1).weekday())": "dates",
    "import datetime\nprint((datetime.date(2024, 3, 1) - datetime.date(2024, 2, 1)).days)": "dates",
    "from fractions import Fraction\nprint(Fraction(1, 3).numerator)": "fractions",
    "from decimal import Decimal, ROUND_HALF_UP\nprint(Decimal('1.5').quantize(1))": "digits",
    "from itertools import permutations, combinations\nprint(list(permutations('abc')))": "ways",
    "from collections import Counter, defaultdict\nprint(Counter('aab').most_common(1))": "tally",
    "import statistics\nprint(statistics.mean([1, 2]), statistics.stdev([1, 2]))": "statistics",
    "import random\nrandom.seed(1)\nprint(random.randint(1, 6))": "chance",
    "import re\nprint(re.findall(r'[0-9]+', 'a1b22'), re.match('a', 'ab').group())": "patterns",
    "from operator import mul\nfrom functools import reduce\nprint(reduce(mul, [1]))": "operators",
    "import heapq, bisect, string, cmath\nprint(string.digits, cmath.sqrt(-1))": "more modules",
    "def f(): pass\nf.x": "an attribute that nobody has is not stored",
    "input = 3": "the name is only bound",
}

# Programs that are not plain, and why not.
NOT_PLAIN = {
    "import math\nmath.pi = 3": "stores to an attribute",
    "import math\nmath.pi += 1": "stores to an attribute",
    "import math\ndel math.pi": "deletes an attribute",
    "import math\nfor math.pi in [3]: pass": "stores to an attribute",
    "import math\n[0 for math.pi in [3]]": "stores to an attribute",
    "import math\n(math.pi, x), *math.e = (3, 4), 5": "stores to an attribute",
    "import math\nmath.pi: int = 3": "stores to an attribute",
    "def f(): pass\nf.x = 3": "stores to an attribute, if only to its own",
    "import math\nm = math": "a module as a value",
    "import math\nprint([math])": "a module as a value",
    "import math\nf(math)": "a module as a value",
    "import math\n(lambda: math)().pi": "a module as a value",
    "import math\n(m := math)": "a module as a value",
    "import math\nmath = 3": "one name for a module and for a value",
    "import math\ndef f(math): return math.pi": "one name for a module and for a value",
    "import math\nfor math in []: pass": "one name for a module and for a value",
    "import math\ntry: 1 / 0\nexcept ZeroDivisionError as math: pass": "one name, two meanings",
    "import math\ndef math(): pass": "one name for a module and for a value",
    "import math\ndel math": "one name for a module and for a value",
    "import math as m, cmath as m": "one name for two modules",
    "import math as sqrt\nfrom math import sqrt": "one name for a module and for a value",
    "import random\nfrom numpy import *\nrandom.seed(1)": "numpy's random takes its place",
    "import datetime\nfrom datetime import *\ndatetime.date(1, 1, 1)": "the class, or the module",
    "import numpy as np\nprint(np.linalg)": "a module as a value",
    "from numpy import linalg": "a module as a value",
    "from numpy import *\nlinalg.norm([1])": "a module, by a star",
    "import os": "a module that is not listed",
    "import os.path as math": "a module that is not listed",
    "import sys\nsys.setrecursionlimit(10)": "a module that is not listed",
    "from os import path": "a module that is not listed",
    "from os import *": "a module that is not listed",
    "from . import math": "a relative import",
    "import collections.abc": "a module that is not listed",
    "import mpmath\nmpmath.mp.dps = 50": "a module that is not listed",
    "import sympy.geometry": "it binds sympy, and geometry in it",
    "from sympy.core.cache import clear_cache": "a name that is not listed",
    "from sympy.solvers import solvers": "a module as a value",
    "from sympy import sieve": "primes that can be forgotten",
    "from sympy import *\nsieve.extend(10)": "the same, by a star",
    "from sympy import init_printing": "changes how everything is printed",
    "import sympy\nsympy.init_printing()": "changes how everything is printed",
    "from sympy import evaluate": "changes how everything is computed",
    "from sympy import igcd": "its cache takes 2.0 for 2",
    "from sympy import Add\nprint(Add((1, 2)))": "its cache takes (1.0, 2) for (1, 2)",
    "from sympy import S\n(S.Pi + 1).func((1, 2))": "Add by way of a sum",
    "from sympy import nsolve\nnsolve(1, 2, 3)": "it makes code from text: never of use in a lane",
    "from random import Random": "can be a generator that is shared",
    "import random\nrandom._inst": "an underscore",
    "from decimal import getcontext": "the context is shared",
    "import decimal\ndecimal.getcontext().prec = 3": "the context is shared",
    "import numpy as np\nnp.random.seed(1)": "numpy's chance is not begun anew",
    "import numpy as np\nnp.set_printoptions(precision=2)": "changes how arrays are printed",
    "import numpy as np\nnp.seterr(all='raise')": "changes how arrays are computed",
    "import numpy as np\nprint(np.empty(3))": "shows memory that others have used",
    "import numpy as np\nx = np.ones(3)\nprint(np.sqrt(x, where=x > 1))": "shows it too",
    "import numpy as np\nx = np.ones(3)\nprint(np.sqrt(x, **{'where': x > 1}))": "may show it",
    "from functools import partial\nimport numpy as np\npartial(np.sqrt, where=[0])": "shows it",
    "from functools import wraps": "sets attributes of what it is given",
    "from operator import attrgetter": "attributes by text",
    "from collections import namedtuple": "makes code from text",
    "from typing import NamedTuple": "makes classes",
    "from itertools import *\nfrom os import *": "one of two stars",
    "exec('x = 1')": "code from text",
    "eval('1')": "code from text",
    "compile('1', '', 'eval')": "code from text",
    "__import__('os')": "an underscore",
    "x = eval": "code from text, later",
    "open('/etc/passwd')": "a name that is not listed",
    "input()": "a name that is not listed",
    "exit()": "ends the process",
    "raise SystemExit": "ends the process",
    "raise KeyboardInterrupt": "ends the process",
    "raise MemoryError": "says something of the process",
    "setattr(f, 'x', 1)": "stores to an attribute, by text",
    "getattr(f, 'x')": "an attribute by text",
    "vars()": "the names as a dictionary",
    "globals()": "the names as a dictionary",
    "locals()": "the names as a dictionary",
    "type('A', (), {})": "makes a class",
    "object()": "a name that is not listed",
    "print(id(1))": "tells an address",
    "print(hash(print))": "tells an address",
    "class A: pass": "a class can have an end of its own",
    "with f(): pass": "what `with` ends may end in somebody else's time",
    "try: pass\nfinally: print(1)": "so may `finally`",
    "async def f(): pass": "not looked into",
    "async def f():\n    async for x in y: pass": "not looked into",
    "async def f():\n    return [x async for x in y]": "not looked into",
    "async def f(): await g()": "not looked into",
    "match 3:\n    case x: pass": "not looked into",
    "().__class__": "an underscore",
    "print.__self__": "an underscore",
    "def f(): pass\nf.__globals__": "an underscore",
    "import math\nmath.__dict__": "an underscore",
    "import math\nmath.__ｄｉｃｔ__": "the same in wide letters",
    "from math import __dict__": "an underscore",
    "from math import pi as __builtins__": "an underscore",
    "import math as __builtins__": "an underscore",
    "__builtins__": "an underscore",
    "__builtins__ = {}": "an underscore",
    "def __build_class__(): pass": "an underscore",
    "def f(__builtins__): pass": "an underscore",
    "try: 1 / 0\nexcept ZeroDivisionError as __builtins__: pass": "an underscore",
    "f.gi_frame": "an attribute that is not listed",
    "e.tb_frame": "an attribute that is not listed",
    "e.with_traceback(None)": "an attribute that is not listed",
    "f().mro()": "an attribute that is not listed",
    "x.tofile('a')": "an attribute that is not listed",
    "'{0.__class__}'.format(1)": "attributes by text",
    "'{0[a]}'.format({})": "items by text",
    "'{:{0.x}}'.format(1)": "attributes by text, inside",
    "'{'.format()": "a format that is none",
    "x = '{}'\nx.format(1)": "a format that is not seen",
    "str.format('{}', 1)": "a format that is not seen",
    "'{}'.format_map({})": "a name that is not listed",
    "f'{x.__class__}'": "an underscore in a text",
    "f'{1:{x.__class__}}'": "an underscore in a text, inside",
    "print(1, file=x)": "to something else",
    "print(1, **x)": "perhaps to something else",
    "def f(x=y.__class__): pass": "in a default",
    "def f(*, x=y.__class__): pass": "in a default",
    "def f(x: y.__class__): pass": "in a note",
    "def f(*x: y.__class__): pass": "in a note",
    "def f(**x: y.__class__): pass": "in a note",
    "def f() -> y.__class__: pass": "in a note",
    "x: y.__class__ = 3": "in a note",
    "@y.__class__\ndef f(): pass": "in a decorator",
    "lambda x=y.__class__: 1": "in a default",
    "x[y.__class__]": "in an index",
    "x[1:y.__class__]": "in a slice",
    "try: pass\nexcept KeyError: y.__class__": "in a handler",
    "try: pass\nexcept f(): pass": "a kind of error that is not seen",
    "try: pass\nexcept BaseException: pass": "catches what ends the lane",
    "try: pass\nexcept MemoryError: pass": "what is left differs",
    "try: pass\nexcept RecursionError: pass": "what is left differs",
    "try: pass\nexcept (ValueError, RecursionError): pass": "what is left differs",
    "try: pass\nexcept (ValueError, (KeyError,)): pass": "a kind of error that is not seen",
    "try: pass\nexcept:\n    pass\nexcept ValueError: pass": "no Python, and must stay so",
    "def f():\n    try: yield 1\n    except: print('late')": "catches its end, whenever that is",
    "ValueError = KeyError\ntry: pass\nexcept ValueError: pass": "one name, two meanings",
    "MemoryError = KeyError\ntry: pass\nexcept Exception: pass": "what passes through, with two",
    "def f(RecursionError): pass": "the same",
    "a = b = []\nprint(a is b)": "`is` may tell whether a cache was empty",
    "print(1 < 2 is x)\nprint(y is not x)": "the same",
    "y.__class__ if x else 1": "in a condition",
    "print(*y.__class__)": "in a star",
    "{**y.__class__}": "in a display",
    "assert x, y.__class__": "in a message",
    "raise x from y.__class__": "in a cause",
    "def f():\n    yield from y.__class__": "in a generator",
}


@pytest.mark.parametrize("program", PLAIN, ids=list(PLAIN.values()))
def test_a_plain_program(program: str) -> None:
    assert is_plain(ast.parse(program))


@pytest.mark.parametrize("program", NOT_PLAIN, ids=list(NOT_PLAIN.values()))
def test_a_program_that_is_not_plain(program: str) -> None:
    assert not is_plain(ast.parse(program))


def test_an_except_with_a_star_is_not_plain() -> None:
    try:
        tree = ast.parse("try: pass\nexcept* ValueError: pass")
    except SyntaxError:
        pytest.skip("no such thing before Python 3.11")
    assert not is_plain(tree)


@pytest.mark.parametrize("program", ["def f[T](): pass", "type X = int", "x = t'{y}'"])
def test_newer_syntax_is_not_plain(program: str) -> None:
    try:
        tree = ast.parse(program)
    except SyntaxError:
        pytest.skip("no such thing in this version of Python")
    assert not is_plain(tree)


def test_what_models_write_is_plain() -> None:
    made = mixed(600, seed=5, slow=False)
    programs = [program for program, _, _ in made if "if x > 3\n" not in program]  # no Python
    assert len(programs) > 550
    assert [program for program in programs if not is_plain(ast.parse(program))] == []


# Every place of a program is looked at.

HARM = ast.parse("harm.__class__", mode="eval").body


def expressions(tree: ast.AST) -> Iterator[tuple[ast.AST, str, int | None]]:
    """Every place in a tree that holds an expression which is evaluated."""
    for node in ast.walk(tree):
        for name, value in ast.iter_fields(node):
            if (type(node), name) in (
                (ast.ExceptHandler, "type"),  # only a few names may stand there
                (ast.JoinedStr, "values"),  # no expressions
                (ast.FormattedValue, "format_spec"),
            ):
                continue
            if isinstance(value, ast.expr) and not isinstance(
                getattr(value, "ctx", None), (ast.Store, ast.Del)
            ):
                yield node, name, None
            elif isinstance(value, list):
                for i, item in enumerate(value):
                    if isinstance(item, ast.expr) and name != "targets":
                        yield node, name, i


def with_harm(program: str) -> Iterator[ast.Module]:
    """The program with one expression in it replaced by one that is not plain."""
    count = sum(1 for _ in expressions(ast.parse(program)))
    for at in range(count):
        tree = ast.parse(program)
        node, name, i = next(itertools.islice(expressions(tree), at, None))
        if i is None:
            setattr(node, name, copy.deepcopy(HARM))
        else:
            getattr(node, name)[i] = copy.deepcopy(HARM)
        yield tree


def test_harm_is_found_wherever_it_is() -> None:
    tried = 0
    for program in PLAIN:
        for tree in with_harm(program):
            tried += 1
            assert not is_plain(tree), ast.dump(tree)
    assert tried > 450


def test_harm_is_found_in_every_statement() -> None:
    """An import of a module that is not listed, in the place of each statement in turn."""
    tried = 0
    for program in PLAIN:
        bodies = len([n for n in ast.walk(ast.parse(program)) if getattr(n, "body", None)])
        for at in range(bodies):
            tree = ast.parse(program)
            node = [n for n in ast.walk(tree) if getattr(n, "body", None)][at]
            for name in ("body", "orelse", "finalbody", "handlers"):
                held = getattr(node, name, None)
                if isinstance(held, list) and held and name != "handlers":
                    new = copy.deepcopy(tree)
                    place = [n for n in ast.walk(new) if getattr(n, "body", None)][at]
                    getattr(place, name)[0] = ast.Import([ast.alias("os", None)])
                    tried += 1
                    assert not is_plain(new), ast.dump(new)
    assert tried > 80


# Parts of each kind of syntax that hold no expression and no statement, or that a check of their
# own looks at. A version of Python that adds one must be thought about.
OTHER_PARTS = {
    ast.Module: {"type_ignores"},
    ast.FunctionDef: {"name", "type_comment", "type_params"},
    ast.arg: {"arg", "type_comment"},
    ast.Assign: {"type_comment"},
    ast.AugAssign: {"op"},
    ast.AnnAssign: {"simple"},
    ast.For: {"type_comment"},
    ast.Try: {"finalbody"},
    ast.ExceptHandler: {"type", "name"},
    ast.Import: {"names"},
    ast.ImportFrom: {"module", "names", "level"},
    ast.Global: {"names"},
    ast.Nonlocal: {"names"},
    ast.BoolOp: {"op"},
    ast.BinOp: {"op"},
    ast.UnaryOp: {"op"},
    ast.comprehension: {"is_async"},
    ast.Compare: {"ops"},
    ast.keyword: {"arg"},
    ast.FormattedValue: {"conversion"},
    ast.Constant: {"value", "kind"},
    ast.Attribute: {"value", "attr", "ctx"},
    ast.Subscript: {"ctx"},
    ast.Starred: {"ctx"},
    ast.Name: {"id", "ctx"},
    ast.List: {"ctx"},
    ast.Tuple: {"ctx"},
}


def test_every_part_of_the_syntax_is_known() -> None:
    for kind, parts in plain._PARTS.items():
        assert set(parts) <= set(kind._fields), kind
        assert set(kind._fields) - set(parts) <= OTHER_PARTS.get(kind, set()), kind


# What the listed names are.

LISTED = [(module, name) for module, names in plain._MODULES.items() for name in sorted(names)]
CONSTANTS = (type(None), bool, int, float, complex, str, bytes)
# By module and name: why a value that is of no ordinary kind may be listed.
ODD = {
    ("sympy", "S"): "it holds sympy's constants, and nothing can be stored to it",
    ("sympy", "Q"): "it holds sympy's predicates, and nothing can be stored to it",
    ("sympy", "latex"): "a function in an object of its own",
}
CHANGEABLE = (list, dict, set, bytearray, deque, numpy.ndarray, types.ModuleType, sympy.MatrixBase)


def values() -> Iterator[tuple[str, str, object]]:
    for module, name in LISTED:
        yield module, name, getattr(LOADED[module], name)


@pytest.mark.parametrize("module", plain._MODULES)
def test_listed_names_exist(module: str) -> None:
    """A name that is none would be an error, and nobody would notice that it is not listed."""
    names = sorted(plain._MODULES[module])
    assert [name for name in names if not hasattr(LOADED[module], name)] == []


def test_listed_values_cannot_be_changed() -> None:
    for module, name, value in values():
        assert not isinstance(value, CHANGEABLE), (module, name)
        if callable(value) or (module, name) in ODD:
            # An untyped cache takes 2.0 for 2.
            kept = getattr(value, "cache_parameters", None)
            assert kept is None or kept()["typed"], (module, name)
        elif module == "typing":
            assert type(value).__module__ == "typing"
        elif module.startswith("sympy"):
            assert isinstance(value, sympy.Basic), (module, name)
            hash(value)  # nothing that can be changed has one
        else:
            assert isinstance(value, CONSTANTS), (module, name)


def test_listed_attributes_of_listed_values_cannot_be_changed() -> None:
    """Nor those of their attributes: whatever a chain of names leads to from what is shared."""
    tried = 0
    seen: set[int] = set()
    pending = [(f"{module}.{name}", value, 0) for module, name, value in values()]
    while pending:
        path, value, depth = pending.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        for name in sorted(plain._ATTRIBUTES):
            try:
                found = getattr(value, name)
            except Exception:
                continue
            tried += 1
            # What is made anew at each look may be changed.
            if isinstance(found, CHANGEABLE):
                assert getattr(value, name) is not found, f"{path}.{name}"
            elif depth < 1 and not callable(found):
                pending.append((f"{path}.{name}", found, depth + 1))
    assert tried > 4500


def test_listed_attributes_have_no_underscore() -> None:
    assert [name for name in plain._ATTRIBUTES if name.startswith("_")] == []
    assert [(m, n) for m, n in LISTED if n.startswith("_")] == []


def test_listed_builtins_exist() -> None:
    assert plain._BUILTINS - {"__name__"} <= set(dir(builtins))
    assert plain._CAUGHT <= plain._BUILTINS


def test_what_may_be_caught_says_nothing_of_the_process() -> None:
    for name in plain._CAUGHT - {"Exception", "RuntimeError"}:
        assert not issubclass(RecursionError, getattr(builtins, name))
        assert not issubclass(MemoryError, getattr(builtins, name))
        assert issubclass(getattr(builtins, name), Exception)


def test_a_module_that_is_not_loaded_is_not_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be loaded in every lane again."""
    for name in ("sympy.abc", "cmath"):
        assert is_plain(ast.parse(f"from {name} import pi"))
        monkeypatch.delitem(sys.modules, name)
        plain._listed.cache_clear()
        assert not is_plain(ast.parse(f"from {name} import pi"))
        assert not is_plain(ast.parse(f"from {name} import *"))
    assert not is_plain(ast.parse("import cmath"))
    plain._listed.cache_clear()


# What passes through `except Exception`.

CATCH = """
def f():
    try:
        raise {}('x')
    {}
        return 'caught'
try:
    result = f()
except ZeroDivisionError:
    pass
"""


@pytest.mark.parametrize(
    "handler",
    [
        "except Exception:",
        "except:",
        "except Exception as e:",
        "except (ValueError, Exception):",
        "except RuntimeError:",
    ],
)
def test_trouble_passes_through(handler: str) -> None:
    class Trouble(BaseException):
        pass

    def run(kind: type[BaseException]) -> object:
        tree = ast.parse(CATCH.format("kind", handler))
        assert is_plain(tree)
        let_trouble_through(tree)
        names: dict[str, object] = {"kind": kind}
        exec(compile(tree, "<program>", "exec"), names)
        return names.get("result")

    caught = (RuntimeError, NotImplementedError)
    if "Runtime" not in handler:
        caught += (ValueError, ArithmeticError, StopIteration, LookupError)  # type: ignore[assignment]
    for kind in caught:
        assert run(kind) == "caught"
    for kind in (MemoryError, RecursionError, Trouble):
        with pytest.raises(kind):
            run(kind)


def test_lines_stay_where_they_are() -> None:
    program = "x = 1\ntry:\n    y = 2\nexcept:\n    pass\ntry:\n    z\nexcept KeyError: pass\n1 / 0"
    tree = ast.parse(program)
    before = [getattr(node, "lineno", None) for node in ast.walk(tree)]
    code = _compiled(program)
    assert code is not None
    with pytest.raises(NameError) as caught:
        exec(code, {})
    assert caught.traceback[-1].lineno == 6
    assert before == [getattr(node, "lineno", None) for node in ast.walk(tree)]


def test_most_hostile_programs_are_not_plain() -> None:
    """And those that are differ from well-behaved ones in what they do only to themselves."""
    plain_ones = []
    for attack in ATTACKS:
        if attack.kind.partition(":")[0] in ("plain", "answers", "sources", "printing"):
            continue  # made to look plain
        try:
            tree = ast.parse(attack.source({"outside": "/nowhere", "port": "1"}))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        if is_plain(tree):
            plain_ones.append(f"{attack.kind}: {attack.name}")
    kinds = {name.partition(":")[0] for name in plain_ones}
    assert kinds <= {"time", "memory", "output", "crash", "numpy", "sympy", "poisoning"}, plain_ones
