"""How well-behaved programs run: as __main__, with one fate each, the same every time."""

from collections.abc import Iterator

import pytest

from assay.sandbox import Limits, Outcome, Sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(workers=1, limits=Limits(cpu_seconds=5.0)) as sandbox:
        yield sandbox


# name: (program, output)
OUTPUTS = {
    "arithmetic": ("x1 = 48 / 2\nx2 = 48 + x1\nprint(x2)", "72.0\n"),
    "star import": ("from math import *\nprint(sqrt(16) + floor(pi))", "7.0\n"),
    "functions see globals": (
        "rate = 3\ndef cost(n): return n * rate\ndef total(): return cost(4) + 1\nprint(total())",
        "13\n",
    ),
    "recursion": ("def f(n): return 1 if n < 2 else n * f(n - 1)\nprint(f(9))", "362880\n"),
    "comprehension in a function": (
        "k = 2\ndef f(): return [i * k for i in range(3)]\nprint(f())",
        "[0, 2, 4]\n",
    ),
    "main guard": ("def main(): print('x')\nif __name__ == '__main__':\n    main()", "x\n"),
    "module of main": ("import __main__\nx = 5\nprint(__main__.x)", "5\n"),
    "dataclass": (
        "from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int\nprint(A(3))",
        "A(x=3)\n",
    ),
    "annotations": ("from __future__ import annotations\nx: int = 4\nprint(x)", "4\n"),
    "several lines": ("print(1)\nprint(2, end='')", "1\n2"),
    "exit after printing": ("import sys\nprint(18)\nsys.exit()", "18\n"),
    "exit with 0": ("print(18)\nexit(0)", "18\n"),
    "stderr is not output": ("import sys\nprint('no', file=sys.stderr)\nprint('yes')", "yes\n"),
    "the answer in ans": ("ans = 3 * 4", "12\n"),
    "in answer": ("answer = '5 apples'", "5 apples\n"),
    "in result": ("result = 1 / 4", "0.25\n"),
    "printing wins": ("ans = 1\nprint(2)", "2\n"),
    "blanks are no printing": ("print()\nans = 1", "\n1\n"),
    "in solution()": ("def solution():\n    return 42", "42\n"),
    "in solver()": ("def solver():\n    return 43", "43\n"),
    "printed by solution()": ("def solution():\n    print(44)\n    return 45", "44\n"),
    "a result that is a function": ("def result(): pass\ndef solution(): return 46", "46\n"),
    "fenced": ("Here:\n```python\nprint(47)\n```", "47\n"),
    "exact fractions": ("from fractions import Fraction as F\nprint(F(1, 3) + F(1, 6))", "1/2\n"),
    "unicode": ("print('π ≈ 3')", "π ≈ 3\n"),
    "numpy": (
        "import numpy as np\nprint(np.linalg.solve([[2, 0], [0, 4]], [2, 2]))",
        "[1.  0.5]\n",
    ),
    "sympy": ("from sympy import *\nx = symbols('x')\nprint(solve(x**2 - 4, x))", "[-2, 2]\n"),
    "sympy of Reals": (
        "from sympy import *\nprint(solveset(Symbol('x')**2 - 2, domain=S.Reals))",
        "{-sqrt(2), sqrt(2)}\n",
    ),
    "an import that was not foreseen": (
        "import colorsys\nprint(colorsys.rgb_to_hsv(0, 0, 1)[2])",
        "1\n",
    ),
}


# Numbers of more than 4300 digits, which Python by itself neither writes nor reads; the digits were
# counted and added with `10**n` and `divmod`.
MANY_DIGITS = {
    "import math\nprint(len(str(math.factorial(2000))))": "5736\n",
    "import math\nprint(sum(int(d) for d in str(math.factorial(2000))))": "23382\n",
    "print(len(f'{2**20000}'))": "6021\n",
    "print(len('%d' % 2**20000))": "6021\n",
    "print(sum(map(int, str(int('1' * 5000)))))": "5000\n",
    "print(int('9' * 4301) % 97)": "39\n",
    "from sympy import factorial\nprint(len(str(factorial(2000))))": "5736\n",
    "import math\nans = len(str(math.factorial(2000)))": "5736\n",
    "from decimal import Decimal\nprint(len(str(int(Decimal(10) ** 4400))))": "4401\n",
    "from fractions import Fraction\nprint(len(str(Fraction(10**4400, 3))))": "4403\n",
    "print(10**4400)": "1" + 4400 * "0" + "\n",
    # With `finally` a program has a process of its own; most of those above share one.
    "try:\n    print(len(str(7**6000)))\nfinally:\n    pass": "5071\n",
}


def test_numbers_of_many_digits(sandbox: Sandbox) -> None:
    outcomes = sandbox.run(list(MANY_DIGITS))
    assert [(o.status, o.output, o.message) for o in outcomes] == [
        ("ok", output, "") for output in MANY_DIGITS.values()
    ]


@pytest.mark.parametrize("name", OUTPUTS)
def test_output(sandbox: Sandbox, name: str) -> None:
    program, output = OUTPUTS[name]
    (outcome,) = sandbox.run([program])
    assert (outcome.status, outcome.output, outcome.message) == ("ok", output, "")
    assert 0 < outcome.seconds < 5


# program: (status, output, message)
FATES = {
    "x = 1": ("no_output", "", ""),
    "": ("no_output", "", ""),
    "ans = None": ("no_output", "", ""),
    "def solution(): pass": ("no_output", "", ""),
    "a = 1\nb = 0\nprint(a / b)": ("error", "", "ZeroDivisionError: division by zero (line 3)"),
    "def f():\n    g()\ndef g():\n    {}['k']\nf()": ("error", "", "KeyError: 'k' (line 4)"),
    "import math\nmath.sqrt(-1)": ("error", "", "ValueError: math domain error (line 2)"),
    "print(7)\nraise ValueError": ("error", "7\n", "ValueError (line 2)"),
    "raise ValueError('two\\nlines')": ("error", "", "ValueError: two lines (line 1)"),
    "def solution(): return 1 / 0": ("error", "", "ZeroDivisionError: division by zero (line 1)"),
    "import sys\nsys.exit(3)": ("error", "", "SystemExit: 3 (line 2)"),
    "import sys\nsys.exit('no')": ("error", "", "SystemExit: no (line 2)"),
    "raise KeyboardInterrupt": ("error", "", "KeyboardInterrupt (line 1)"),
    "import wire": ("error", "", "ModuleNotFoundError: No module named 'wire' (line 1)"),
}


@pytest.mark.parametrize("program", FATES)
def test_fate(sandbox: Sandbox, program: str) -> None:
    (outcome,) = sandbox.run([program])
    assert (outcome.status, outcome.output, outcome.message) == FATES[program]


def test_syntax_error_names_its_line(sandbox: Sandbox) -> None:
    (outcome,) = sandbox.run(["x = 1\nif x\n    print(x)"])
    assert outcome.status == "error"
    assert outcome.message.startswith("SyntaxError: ")
    assert outcome.message.endswith(" (line 2)")


@pytest.mark.parametrize(
    "program",
    [
        "import random\nprint(random.random(), random.Random(3).random())",
        "import numpy as np\nprint(np.random.rand(2), np.random.default_rng().random())",
        "print({str(i) for i in range(20)}, hash('x'))",
        "import time\nprint(time.localtime().tm_zone)",
    ],
)
def test_chance_and_hashes_are_the_same_every_time(sandbox: Sandbox, program: str) -> None:
    first = sandbox.run([program])[0]
    assert first.status == "ok", first
    with Sandbox(workers=1) as other:
        again = other.run([program + "\n\n", program])
    assert [outcome.output for outcome in again] == [first.output] * 2


def test_wall_time_is_for_sleepers_and_cpu_time_for_loops() -> None:
    with Sandbox(workers=1, limits=Limits(cpu_seconds=0.2, wall_seconds=0.6)) as sandbox:
        loop, sleep = sandbox.run(["while True: pass", "import time\ntime.sleep(9)"])
    assert (loop.status, loop.message) == ("timeout", "more than 0.2 s of CPU time")
    assert 0.2 <= loop.seconds < 1  # the clock is looked at from outside, when there is time
    assert (sleep.status, sleep.message) == ("timeout", "more than 0.6 s")
    assert sleep.seconds < 0.2


def test_outcomes_are_values() -> None:
    assert Outcome("ok", "1\n", "", 0.5) == Outcome("ok", "1\n", "", 0.5)
