"""Programs that share a process have the outcomes that they have alone, whatever is beside them."""

import contextlib
import json
import os
import random
import re
import signal
import socket
import sys
import threading
import time
import typing
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from assay.problems.arithmetic import parse, value_of
from assay.problems.calculator import derive_program
from assay.sandbox import Limits, Outcome, Sandbox, SandboxError, capabilities, child, lane, lanes
from assay.sandbox.check import descendants, unmet
from assay.sandbox.hostile import ATTACKS
from assay.sandbox.lane import ALONE, LATER, LEFT
from assay.sandbox.servers import Server
from assay.sandbox.supervise import AbandonedError
from scripts.bench.programs import mixed

LIMITS = Limits(cpu_seconds=0.5)
ADDRESS = re.compile("0x[0-9a-f]+")


@dataclass
class Told:
    """What the fork servers told of each program: that it must run alone, or later, or where."""

    of: dict[str, list[str]] = field(default_factory=dict)
    sharing: bool = False  # whether the request that is being run is one for a lane

    def counts(self) -> Counter[str]:
        return Counter(word for words in self.of.values() for word in words)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    seen = Told()
    run = Server.run

    def spy(self: Server, programs: Sequence[str], alone: bool) -> Iterator[Any]:
        seen.sharing = not alone
        for some in run(self, programs, alone):
            for index, what in some:
                word = what if isinstance(what, str) else "by itself" if alone else "in a lane"
                seen.of.setdefault(programs[index], []).append(word)
            yield some

    monkeypatch.setattr(Server, "run", spy)
    return seen


@pytest.fixture(scope="module")
def sharing() -> Iterator[Sandbox]:
    with Sandbox(workers=1, limits=LIMITS) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def alone() -> Iterator[Sandbox]:
    with Sandbox(workers=2, limits=LIMITS, share=False) as sandbox:
        yield sandbox


def comparable(outcome: Outcome) -> tuple[str, ...]:
    """All but the time, and addresses, which two processes do not share."""
    texts = (ADDRESS.sub("0x", text) for text in (outcome.output, outcome.message))
    return outcome.status, *texts


def differences(programs: Sequence[str], one: Sequence[Outcome], two: Sequence[Outcome]) -> list:
    """Where two runs of the same programs differ; a memory hog may run out of time first."""
    hog = {"memory", "timeout"}
    return [
        (program, a, b)
        for program, a, b in zip(programs, one, two, strict=True)
        if comparable(a) != comparable(b) and {a.status, b.status} != hog
    ]


# The same outcomes as alone.


def assert_the_same_in_any_order(
    sandbox: Sandbox, programs: list[str], expected: list[Outcome]
) -> None:
    for seed in range(2):
        order = random.Random(seed).sample(range(len(programs)), len(programs))
        shuffled = [programs[i] for i in order]
        found = sandbox.run(shuffled)
        assert differences(shuffled, found, [expected[i] for i in order]) == []


def test_mixed_programs_in_any_order(sharing: Sandbox, alone: Sandbox, told: Told) -> None:
    made = mixed(200, seed=11, slow=False) + mixed(100, seed=12)
    programs = [program for program, _, _ in made]
    expected = alone.run(programs)
    for (_, status, output), outcome in zip(made, expected, strict=True):
        assert status == outcome.status or {status, outcome.status} == {"memory", "timeout"}
        assert output in ("", outcome.output)
    told.of.clear()
    assert_the_same_in_any_order(sharing, programs, expected)
    assert told.counts()["in a lane"] > 0.95 * 2 * len(programs)


def test_hostile_programs_in_any_order(sharing: Sandbox, alone: Sandbox, told: Told) -> None:
    """Those that look plain, with the well-behaved between them."""
    kinds = ("plain", "answers", "numpy", "sympy", "sources", "printing")
    missing = unmet(capabilities())
    attacks = [
        attack.source({"outside": "/nowhere", "port": "1"})
        for attack in ATTACKS
        if attack.kind.partition(":")[0] in kinds
        and attack.expected in ("ok", "error", "no_output", "output_limit")
        and attack not in missing
    ]
    programs = attacks + [program for program, _, _ in mixed(200, seed=13, slow=False)]
    expected = alone.run(programs)
    told.of.clear()
    assert_the_same_in_any_order(sharing, programs, expected)
    assert sum("in a lane" in told.of.get(attack, []) for attack in attacks) > 50


NUMPY = "import numpy as np\n"
SYMPY = "from sympy import *\nx = symbols('x')\n"
TYPES = "from typing import *\n"
RANDOM = "import random\nfrom numpy import *\n"
GIVEN = (
    "given = [divisors(12), roots(x**2 - 4), solve(x**2 - 4), Poly(x - 2).all_roots()]\n"
    "given += [factorint(12), (x + 1).free_symbols]\n"
)
# Pairs: what the second must give even where the first has run in the same process before.
NEIGHBOURS = {
    "a cache of types": (
        TYPES + "print(List[1], Dict[1, 2], Optional[1], Tuple[1, 2])",
        TYPES + "print(List[True], Dict[1.0, 2.0], Optional[True], Tuple[1.0, 2])",
        "typing.List[True] typing.Dict[1.0, 2.0] typing.Optional[True] typing.Tuple[1.0, 2]\n",
    ),
    "a cache of sympy's": (
        SYMPY + "print(factorial((1, 2)), sin((1, (2, 3))))",
        SYMPY + "print(factorial((1.0, 2)))",
        "factorial((1.0, 2))\n",
    ),
    "a cache of sympy's, in a sum": (
        SYMPY + "print(Add((1, 2)), Mul((1, 2)))",
        SYMPY + "print(Add((1.0, 2)), Mul((True, 2)))",
        "(1.0, 2) (True, 2)\n",
    ),
    "a cache of sympy's, with precision": (
        SYMPY + "print(sqrt(Float('0.5', 50)), Float(3, 40) + x, N(pi, 40), Float(2, 40) * pi)",
        SYMPY + "print(sqrt(0.5), 3.0 + x, N(pi), 2.0 * pi)",
        "0.707106781186548 x + 3.0 3.14159265358979 2.0*pi\n",
    ),
    "a cache of sympy's, with assumptions": (
        SYMPY + "x = symbols('x', positive=True)\nprint(sqrt(x**2), Abs(x), solve(x**2 - 4))",
        SYMPY + "print(sqrt(x**2), Abs(x), solve(x**2 - 4))",
        "sqrt(x**2) Abs(x) [-2, 2]\n",
    ),
    "what sympy's functions gave": (
        SYMPY + GIVEN + "for thing in given: thing.clear()\nprint(given)",
        SYMPY + GIVEN + "print(given)",
        "[[1, 2, 3, 4, 6, 12], {-2: 1, 2: 1}, [-2, 2], [2], {2: 2, 3: 1}, {x}]\n",
    ),
    "roots that were looked at more closely": (
        SYMPY + "print([r.evalf(30) for r in Poly(x**3 - x - 1, x).all_roots()])",
        SYMPY + "a, b, c = Poly(x**3 - x - 1, x).all_roots()\nprint(a.evalf(), b.n(5))",
        "1.32471795724475 -0.66236 - 0.56228*I\n",
    ),
    "factors that were found before": (
        SYMPY + "print(factorint(1000033 * 1000037))",
        SYMPY + "print(factorint(1000033 * 1000037), factorint(1000003 * 1000033))",
        "{1000033: 1, 1000037: 1} {1000003: 1, 1000033: 1}\n",
    ),
    "primes that were found before": (
        SYMPY + "print(len(list(primerange(10**5))), primepi(10**5))",
        SYMPY + "print(list(primerange(7, 20)), prime(10), nextprime(10**5), primepi(100))",
        "[7, 11, 13, 17, 19] 29 100003 25\n",
    ),
    "chance": (
        "import random\nrandom.seed(3)\nrandom.gauss(0, 1)\nrandom.shuffle([1, 2])",
        "import random\nprint(random.random(), random.gauss(0, 1), random.randint(1, 9))",
        "0.8444218515250481 0.05219198828260849 5\n",
    ),
    "numpy's chance under another name": (
        RANDOM + "random.seed(3)\nprint(random.random())",
        RANDOM + "print(random.random())",
        "0.5488135039273248\n",
    ),
    "names": (
        "sum = max = answer = print\nsecret = 5\ndef solution(): return 7",
        "try: print(sum([1, 2]), max(3, 4), secret)\nexcept NameError as e: print(e)",
        "name 'secret' is not defined\n",
    ),
    "a generator that was never finished": (
        "def f():\n    try: yield 1\n    except: print('late')\ng = f()\nnext(g)",
        "print(1)",
        "1\n",
    ),
    "a generator in a circle": (
        "def f():\n    kept = []\n    def g():\n        yield kept\n        print('late')\n"
        "    kept.append(g())\n    next(kept[0])\nf()",
        "x = [[] for _ in range(3000)]\nprint(len(x))",
        "3000\n",
    ),
    "an error in the middle of sympy": (
        SYMPY + "def f(e): raise ValueError(1)\nsimplify(sin(x)**2 + x, measure=f)",
        SYMPY + "print(simplify(sin(x)**2 + cos(x)**2), N(pi, 5), x + x)",
        "1 3.1416 2*x\n",
    ),
    "an array's memory": (
        NUMPY + "for n in range(1, 200): x = np.full(n, 7.0)",
        NUMPY + "x = np.ones(3)\nprint(np.zeros(3), np.sqrt(x), np.add(x, x), np.full(2, 1))",
        "[0. 0. 0.] [1. 1. 1.] [2. 2. 2.] [1 1]\n",
    ),
    "the depth of recursion": (
        "def f(n): return 0 if n == 0 else f(n - 1)\nprint(f(10**5))",
        "def f(n): return 0 if n == 0 else f(n - 1)\nprint(f(900))",
        "0\n",
    ),
    "output with blanks only": ("print()", "print(' ')\ndef solution(): return 3", " \n3\n"),
}


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_neighbours(name: str, sharing: Sandbox, alone: Sandbox) -> None:
    first, second, output = NEIGHBOURS[name]
    programs = [first, second, second + "\n# again"]
    outcomes = sharing.run(programs)
    if name != "a cache of types" or sys.version_info >= (3, 11):  # before, it is an error
        assert [outcome.output for outcome in outcomes[1:]] == [output, output]
    assert differences(programs, outcomes, alone.run(programs)) == []
    assert differences(programs[::-1], sharing.run(programs[::-1]), outcomes[::-1]) == []


# Equal values that print differently; sympy keeps what its functions gave for one of them.
EQUALS = (
    *(("2", "2.0"), ("1", "True"), ("0", "False"), ("0.0", "-0.0"), ("S.true", "True")),
    *(("Float(2, 30)", "2.0"), ("Integer(3)", "3.0"), ("S.Half", "0.5"), ("x*2", "x*2.0")),
    *(("(1, 2)", "(1.0, 2)"), ("np.float64(2)", "2.0"), ("np.int64(2)", "2"), ("1 + 0j", "1")),
)
FUNCTIONS = (
    ("sqrt", "sin", "factorial", "Abs", "floor"),
    ("sign", "exp", "log", "Max", "simplify"),
    ("Rational", "Integer", "Pow", "solve", "N"),
    ("expand", "gcd", "binomial", "Eq", "nsimplify"),
)


def test_equal_numbers_are_not_taken_for_each_other(sharing: Sandbox, alone: Sandbox) -> None:
    calls = ("{f}({a})", "{f}(x, {a})", "{f}({a}, 3)")
    line = "try: print(repr({call}))\nexcept Exception as error: print(error)"
    programs = []
    for functions in FUNCTIONS:
        # All first ones before all second ones: in one program two equal ones would meet alone.
        for side in (0, 1):
            for pair in EQUALS:
                told = [call.format(f=f, a=pair[side]) for f in functions for call in calls]
                lines = [line.format(call=call) for call in told]
                programs.append(SYMPY + NUMPY + "\n".join(lines) + f"\n# {side} {pair}")
    assert differences(programs, sharing.run(programs), alone.run(programs)) == []


TEXTS = {
    "print(solve('x**2-1'))": "[-1, 1]\n",
    "print(sympify('1 + x**2'), sympify(3))": "x**2 + 1 3\n",
    "print(nsimplify(0.1), nsimplify('0.25'), nsimplify(0.5, rational=True))": "1/10 1/4 1/2\n",
    "print(S('2*y') + 1, S(1) / 2, Integer('12'))": "2*y + 1 1/2 12\n",
    "print(Point('1/2', 1), simplify('x + x'))": "Point2D(1/2, 1) 2*x\n",
    "print(nsolve(x**2 - 2, 1), lambdify(x, x**2)(3))": "1.41421356237310 9\n",
    "print(Matrix(['1', 'a']), diff('x**3'))": "Matrix([[1], [a]]) 3*x**2\n",
    "print(solve('x**2 - y', 'x'), limit('sin(x)/x', 'x', 0))": "[-sqrt(y), sqrt(y)] 1\n",
}


@pytest.mark.parametrize("program", TEXTS)
def test_sympy_reading_a_text(program: str, sharing: Sandbox, told: Told) -> None:
    """Code made from text ends a lane; the program and its neighbours end up right."""
    asked = [*(f"{SYMPY}print(expand((x + {i})**2))" for i in (1, 2)), SYMPY + program]
    asked += [f"{SYMPY}print(expand((x + {i})**2))" for i in (3, 4)]
    outcomes = sharing.run(asked)
    assert outcomes[2].output == TEXTS[program]
    squares = [f"x**2 + {2 * i}*x + {i * i}\n" for i in (1, 2, 3, 4)]
    assert [outcome.output for outcome in [*outcomes[:2], *outcomes[3:]]] == squares
    assert told.of[SYMPY + program][-1] == "by itself"


def test_numbers_from_text_need_no_code(sharing: Sandbox, told: Told) -> None:
    program = SYMPY + "print(Rational('1/3') + Rational('0.25'), Float('1.5'), Integer('12'))"
    outcomes = sharing.run([program, SYMPY + "print(x)"])
    assert [outcome.output for outcome in outcomes] == ["7/12 1.50000000000000 12\n", "x\n"]
    assert told.counts() == {"in a lane": 2}


# Limits, and what is beside those who reach them.

STUBBORN = {
    "an endless loop": ("x = 1\nwhile True: x += 1", "timeout"),
    "a loop in C": ("print(sum(range(10**11)))", "timeout"),
    "much memory at once": ("x = [0] * 10**10", "memory"),
    "memory bit by bit": ("x = []\nwhile True: x.append('a' * 10**6)", "memory|timeout"),
    "recursion": ("def f(n): return f(n + 1)\nf(0)", "error"),
    "recursion that is caught": (
        "def f(n): return f(n + 1)\ntry: f(0)\nexcept Exception as e: print(len(str(e)) > 9)",
        "ok",
    ),
    "memory that is caught": ("try: x = [0] * 10**10\nexcept: print('caught')", "ok"),
    "output without end": ("while True: print('x' * 100)", "output_limit"),
    "output to the limit": ("print('x' * 65_535)", "ok"),
    "more output than is buffered": ("for i in range(3000): print(i)", "ok"),
    "output with a loop": ("for i in range(9000): print(i)\nwhile i: i += 1", "timeout"),
    "output in wide letters, with a loop": ("print('é' * 5000)\nwhile True: pass", "timeout"),
    "output at once, with a loop": ("print(1, flush=True)\nwhile True: pass", "timeout"),
    "blanks, with a loop": ("print()\ndef solution():\n    while True: pass", "timeout"),
    "a deep thing to take apart": ("x = []\nfor _ in range(10**5): x = map(abs, x)", "no_output"),
    "an error of two lines": ("raise ValueError('a\\nb')", "error"),
    "an error with an address": ("def f(): pass\nraise ValueError(f)", "error"),
    "an address": ("def f(): pass\nprint(f, (i for i in []))", "ok"),
    "not a program": ("def f(:", "error"),
    "not a program, to the compiler": ("def f(a, a): pass", "error"),
    "an early end": ("print(1)\nexit()", "ok"),
    "no text": ("print('\\ud800')", "ok"),
    "a zero byte in it": ("print('\0')", "error"),
}


def test_stubborn_programs_and_those_beside_them(
    sharing: Sandbox, alone: Sandbox, told: Told
) -> None:
    programs, statuses = [], []
    for i, (program, status) in enumerate(STUBBORN.values()):
        programs += [f"print({i})", program, f"x = [{i}] * 3\nprint(sum(x))"]
        statuses += ["ok", status, "ok"]
    outcomes = sharing.run(programs)
    beside = [told.of[program][-1] == "in a lane" for program in programs[::3] + programs[2::3]]
    assert beside.count(True) > 0.8 * len(beside)
    for outcome, status in zip(outcomes, statuses, strict=True):
        assert outcome.status in status.split("|")
    assert [outcome.output for outcome in outcomes[::3]] == [f"{i}\n" for i in range(len(STUBBORN))]
    assert [outcome.output for outcome in outcomes[2::3]] == [
        f"{3 * i}\n" for i in range(len(STUBBORN))
    ]
    assert differences(programs, outcomes, alone.run(programs)) == []


def test_recursion_ends_at_the_same_depth(sharing: Sandbox, alone: Sandbox) -> None:
    """What a lane itself takes of the stack must not be seen."""
    depths = range(930, 1000)
    programs = [f"def f(n): return 0 if n == 0 else f(n - 1)\nprint(f({n}))" for n in depths]
    programs += [f"x = []\nfor _ in range({n}): x = [x]\nprint(len(str(x)))" for n in depths]
    outcomes = sharing.run(programs)
    assert {outcome.status for outcome in outcomes} == {"ok", "error"}
    assert differences(programs, outcomes, alone.run(programs)) == []


def test_a_slow_program_does_not_hold_up_the_others(told: Told) -> None:
    slow = "x = 0\nfor i in range(10**8): x += i\nprint(x)"
    quick = [f"print({i})" for i in range(60)]
    limits = Limits(cpu_seconds=1.5)
    with Sandbox(workers=2, limits=limits) as sandbox:
        sandbox.run(["print('warm')", "print('up')"])
        found = list(sandbox.stream([quick[0], slow, *quick[1:]]))
    order = [index for index, _ in found]
    assert order[-1] == 1
    outcomes = dict(found)
    assert outcomes[1].status == "timeout"
    assert [outcomes[i + (i > 0)].output for i in range(60)] == [f"{i}\n" for i in range(60)]
    assert LATER in told.counts()


def test_a_program_that_is_slow_by_its_own_is_no_timeout(told: Told) -> None:
    """Several, one after the other in one process; together they take more than the limit."""
    programs = [f"x = {i}\nfor k in range(500_000): x += k\nprint(x)" for i in range(20)]
    total = sum(range(500_000))
    with Sandbox(workers=1, limits=LIMITS) as sandbox:
        outcomes = sandbox.run(programs)
    assert [outcome.output for outcome in outcomes] == [f"{total + i}\n" for i in range(20)]
    assert sum(outcome.seconds for outcome in outcomes) > LIMITS.cpu_seconds
    assert told.counts()["in a lane"] == 20


# Real programs.


def worked(folder: Path) -> Iterator[tuple[str, str]]:
    """Solutions of GSM8K by people and by models, each with the answer that it comes to."""
    for path in (folder / "gsm8k/test.jsonl", folder / "gsm8k/train.jsonl"):
        for line in path.read_text(encoding="utf-8").split("\n"):
            if line:
                solution, _, answer = json.loads(line)["answer"].rpartition("\n#### ")
                yield solution, answer
    path = folder / "gsm8k_model_solutions/example_model_solutions.jsonl"
    for line in path.read_text(encoding="utf-8").split("\n") if path.exists() else ():
        for found in json.loads(line).values() if line else ():
            if isinstance(found, dict):
                solution, _, answer = found["solution"].rpartition("\nA: ")
                yield solution, answer


def real_programs(folder: Path, share: float) -> dict[str, str]:
    """Of a share of all: programs from solutions and equations, and what each must print."""
    draw = random.Random(0)
    found = {}
    for solution, answer in worked(folder):
        if draw.random() < share and (program := derive_program(solution, answer)):
            found[program] = answer.replace(",", "").strip()
    path = folder / "eval/svamp.jsonl"
    for line in path.read_text(encoding="utf-8").split("\n") if path.exists() else ():
        if line and draw.random() < share:
            equation = json.loads(line)["equation"]
            node = parse(equation)
            assert node is not None
            found[f"answer = {equation}"] = str(value_of(node))
    return found


def wrong_answers(expected: dict[str, str], outcomes: Sequence[Outcome]) -> list[Any]:
    return [
        (program, answer, outcome)
        for (program, answer), outcome in zip(expected.items(), outcomes, strict=True)
        if outcome.status != "ok" or abs(float(outcome.output) - float(Fraction(answer))) > 1e-6
    ]


def test_some_real_programs(
    shared_data: Path, sharing: Sandbox, alone: Sandbox, told: Told
) -> None:
    expected = real_programs(shared_data, share=0.1)
    assert len(expected) > 700
    programs = list(expected)
    outcomes = sharing.run(programs)
    assert wrong_answers(expected, outcomes) == []
    assert told.counts() == {"in a lane": len(programs)}
    assert differences(programs[::4], outcomes[::4], alone.run(programs[::4])) == []


@pytest.mark.full
@pytest.mark.slow
def test_all_real_programs(shared_data: Path) -> None:
    expected = real_programs(shared_data, share=1)
    with Sandbox() as sharing, Sandbox(share=False) as alone:
        outcomes = sharing.run(list(expected))
        assert wrong_answers(expected, outcomes) == []
        some = list(expected)[::4]
        assert differences(some, outcomes[::4], alone.run(some)) == []


# A lane that is killed, or whose child does not say what it should.


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes through /proc")
def test_a_lane_that_is_killed_loses_nothing(told: Told) -> None:
    def kill_lanes() -> None:
        while not done.wait(0.02):
            for pid in set(descendants(os.getpid())) - servers:
                if told.sharing:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                        killed.append(pid)

    programs = [f"x = {i}\nfor k in range(40_000): x += 1\nprint(x)" for i in range(300)]
    killed: list[int] = []
    done = threading.Event()
    with Sandbox(workers=1) as sandbox:
        sandbox.run(["print(1)"])  # one by itself starts no lane
        servers = set(descendants(os.getpid()))
        killer = threading.Thread(target=kill_lanes)
        killer.start()
        outcomes = sandbox.run(programs)
        done.set()
        killer.join()
    wrong = [o for i, o in enumerate(outcomes) if (o.status, o.output) != ("ok", f"{i + 40_000}\n")]
    # One that ran alone by the time when it was hit was itself killed, and says so.
    assert {outcome.message for outcome in wrong} <= {"signal 9 (SIGKILL)"}
    assert len(wrong) <= max(2, len(killed) // 2)
    assert len(killed) >= 3
    assert told.counts()[ALONE] >= 3


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes through /proc")
def test_a_lane_outlives_a_request_but_not_idleness() -> None:
    with Sandbox(workers=1) as sandbox:
        sandbox.run(["print(1)"])
        server = set(descendants(os.getpid()))
        lanes_seen = set()
        for first in range(0, 40, 10):
            programs = [
                f"import random\nprint({i}, random.random())" for i in range(first, first + 10)
            ]
            draw = random.Random(0).random()
            assert [o.output for o in sandbox.run(programs)] == [
                f"{i} {draw}\n" for i in range(first, first + 10)
            ]
            lanes_seen |= set(descendants(os.getpid())) - server
        assert len(lanes_seen) == 1
        deadline = time.monotonic() + 20
        while set(descendants(os.getpid())) != server:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert [o.output for o in sandbox.run(["print(1)", "print(2)"])] == ["1\n", "2\n"]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes through /proc")
def test_an_idle_lane_that_is_killed_loses_nothing() -> None:
    with Sandbox(workers=1) as sandbox:
        sandbox.run(["print(1)"])
        server = set(descendants(os.getpid()))
        for turn in range(5):
            programs = [f"print({turn} + {i})" for i in range(10)]
            assert [o.output for o in sandbox.run(programs)] == [f"{turn + i}\n" for i in range(10)]
            for pid in set(descendants(os.getpid())) - server:
                os.kill(pid, signal.SIGKILL)


def test_a_request_of_any_size_reaches_a_lane_whole(told: Told) -> None:
    """Those that do not fit into a socket come with a new process."""
    with Sandbox(workers=1) as sandbox:
        for size in (0, 100, 1000, 15_000, 10, 15_000):
            programs = [f"# {'x' * size}\nprint({size} + {i})" for i in range(200)]
            assert [o.output for o in sandbox.run(programs)] == [
                f"{size + i}\n" for i in range(200)
            ]
    assert told.counts()[ALONE] == 0


class Stand:
    """Stands in for a supervisor; its children write what they are told to, and end or stay."""

    limits = Limits(cpu_seconds=0.5, output_kb=1)
    patience_seconds = 20.0

    def __init__(self, written: Sequence[bytes], ends: bool = True, delay: float = 0.0) -> None:
        self._written = iter(written)
        self._ends, self._delay = ends, delay
        self.pids: list[int] = []

    def fork(self, body: Callable[..., Any]) -> int:
        """The report pipe is the last cell of what `body` has to do; nothing else of it is used."""
        (report,) = (
            cell.cell_contents
            for name, cell in zip(body.__code__.co_freevars, body.__closure__ or (), strict=True)
            if name == "report_end"
        )
        written = next(self._written, None)
        if written is None:
            raise OSError(11, "Resource temporarily unavailable")
        pid = os.fork()
        if pid == 0:
            try:
                time.sleep(self._delay)
                while written:
                    written = written[os.write(report, written) :]
                if not self._ends:
                    time.sleep(60)
            finally:
                os._exit(0)
        self.pids.append(pid)
        return pid

    def error_message(self, report: str) -> str:
        return report

    def cpu_message(self) -> str:
        return "too long"


@pytest.fixture
def client() -> Iterator[socket.socket]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield theirs


def record(number: int, status: Any = "ok", **changes: Any) -> bytes:
    told = {"index": number, "status": status, "output": f"{number}\n", "error": ""}
    told["seconds"] = 0.0
    return json.dumps({**told, **changes}).encode() + b"\n"


def supervised(
    written: Sequence[bytes], count: int, client: socket.socket, **options: Any
) -> tuple[list[str], Stand]:
    """What becomes of `count` programs, in order, where their children write this."""
    stand = Stand(written, **options)
    found: list[str] = []
    run = lanes.Lanes(stand)  # type: ignore[arg-type]
    for messages in run.run(["x"] * count, client):
        for message in messages:
            if "fault" in message:
                found.append(message["fault"])
                continue
            assert message["index"] == len(found)
            status = message["status"]
            found.append(message["output"].strip() if status == "ok" else status)
    run.end()
    for pid in stand.pids:
        with pytest.raises(ChildProcessError):  # it is reaped
            os.waitpid(pid, os.WNOHANG)
    return found, stand


UP = child.ENTERED + b"\n"
ALL = "alone alone alone"
FAULT = "cannot start a process: Resource temporarily unavailable"


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ([UP + record(0) + record(1) + record(2)], "0 1 2"),
        # It ends, or is killed, in the middle of one: that one runs alone, the rest in another.
        ([UP + record(0), UP + record(0)], "0 alone 0"),
        ([UP + record(0) + record(1)[:-1], UP + record(0)], "0 alone 0"),
        ([UP + record(0) + record(1)[:30], UP + record(0)], "0 alone 0"),
        ([b"", b"", b""], ALL),
        # The walls did not come up.
        ([record(0) + record(1), UP + record(0) + record(1)], "alone 0 1"),
        ([UP + UP + record(0), UP + record(0) + record(1)], "alone 0 1"),
        # It leaves by itself.
        ([UP + record(0) + record(1, LEFT), UP + record(0) + record(1)], "0 0 1"),
        ([UP + record(0, ALONE) + record(1, LEFT), UP + record(0) + record(1)], "alone 0 1"),
        # It may not do so before the first.
        ([UP + record(0, LEFT), UP + record(0) + record(1)], "alone 0 1"),
        # Another's result, or the same twice.
        ([UP + record(1), UP + record(0) + record(1)], "alone 0 1"),
        ([UP + record(0) + record(0), UP + record(0)], "0 alone 0"),
        ([UP + record(0) + record(2), UP + record(0)], "0 alone 0"),
        # What is no record.
        ([UP + b"nonsense\n" + record(0), UP + record(0) + record(1)], "alone 0 1"),
        ([UP + b"\n", UP + b"\xff\xfe\n", UP + b"[]\n"], ALL),
        ([UP + b"[" * 10**5 + b"\n", UP + b"1" * 10**4 + b"\n", UP + b"null\n"], ALL),
        ([UP + record(0, "killed"), UP + record(0, "timeout"), UP + record(0, "")], ALL),
        ([UP + record(0, output=1), UP + record(0, error=None), UP + b"{}\n"], ALL),
        ([UP + record(0, seconds=0), UP + record(0, seconds="0.0"), UP], ALL),
        ([UP + record(0, status=["ok"]), UP + record(0, index="0"), UP], ALL),
        # More than there can be.
        ([UP + b"x" * 10**6, UP + b"x" * 10**6 + b"\n", UP], ALL),
        ([UP + record(0) + record(1) + record(2) + record(3)], "0 1 2"),
        # No more processes.
        ([], FAULT),
        ([UP + record(0)], f"0 alone {FAULT}"),
    ],
)
def test_what_a_child_may_say(written: list[bytes], found: str, client: socket.socket) -> None:
    assert " ".join(supervised(written, 3, client)[0]) == found


def test_whatever_a_child_says_each_program_has_one_fate(client: socket.socket) -> None:
    draw = random.Random(0)
    for _ in range(60):
        count = draw.randint(1, 6)
        parts = [UP, UP, *map(record, range(count)), record(1, LEFT), record(1, ALONE), b"?\n"]
        written = [
            UP * draw.randint(0, 1) + b"".join(draw.choices(parts, k=draw.randint(0, 6)))
            for _ in range(count)
        ]
        found, _ = supervised(written, count, client)
        assert len(found) == count
        assert set(found) <= {*map(str, range(count)), ALONE, LATER}


def test_a_child_that_says_nothing_is_ended(client: socket.socket, monkeypatch: Any) -> None:
    """However it spends the time: of CPU time here nothing is seen."""
    monkeypatch.setattr(Stand, "patience_seconds", 0.5)
    found, stand = supervised([UP + record(0), UP + record(0)], 3, client, ends=False)
    assert found == ["0", ALONE, "0"]
    assert len(stand.pids) == 2


def test_a_server_that_was_held_up_blames_nobody(client: socket.socket, monkeypatch: Any) -> None:
    """When it comes to look at the clock, all have ended, and none of them took too long."""
    looks = []

    def clock(pid: int) -> float:
        looks.append(pid)
        if len(looks) == 1:
            return 0.0
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        return 0.6

    monkeypatch.setattr(lanes, "cpu_seconds", clock)
    assert supervised([UP + record(0) + record(1)], 2, client, delay=0.25)[0] == ["0", "1"]


def test_a_client_that_goes_takes_the_lane_along(client: socket.socket) -> None:
    stand = Stand([UP], ends=False)
    timer = threading.Timer(0.05, client.shutdown, [socket.SHUT_RDWR])
    timer.start()
    with pytest.raises(AbandonedError):
        list(lanes.Lanes(stand).run(["x", "y"], client))  # type: ignore[arg-type]
    timer.join()
    with pytest.raises(ChildProcessError):
        os.waitpid(stand.pids[0], os.WNOHANG)


def test_too_few_processes_are_an_error_of_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(self: Server, programs: Sequence[str], alone: bool) -> Iterator[Any]:
        raise SandboxError("the sandbox cannot start a process: Resource temporarily unavailable")
        yield

    with Sandbox(workers=1) as sandbox:
        monkeypatch.setattr(Server, "run", run)
        with pytest.raises(SandboxError, match="cannot start a process"):
            sandbox.run(["print(1)", "print(2)"])
        monkeypatch.undo()
        assert [o.output for o in sandbox.run(["print(1)", "print(2)"])] == ["1\n", "2\n"]


# What a lane relies on.


def test_the_caches_of_typing_can_be_emptied() -> None:
    """By a list that is only typing's business; a version without it must be thought about."""
    assert len(typing._cleanups) > 5  # type: ignore[attr-defined]
    if sys.version_info < (3, 11):
        return  # and nothing but types in them, which are equal to nothing else
    kept: Any = typing.Optional
    assert repr(kept[1]) == "typing.Optional[1]"
    lane._begin_anew()
    assert repr(kept[True]) == "typing.Optional[True]"


def test_a_process_of_its_own_keeps_as_much_output_as_a_lane_takes(alone: Sandbox) -> None:
    programs = [f"print('x' * {lane._BUFFER}, end='')\nwhile True: pass"]
    programs += [f"for i in range({lane._BUFFER // 50}): print('x' * 49)\nwhile True: pass"]
    for outcome in alone.run(programs):
        assert (outcome.status, outcome.output) == ("timeout", "")
