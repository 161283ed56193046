"""Many programs for a long time: every result is right, and nothing is left or grows."""

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from assay.sandbox import Limits, Outcome, Sandbox
from assay.sandbox.check import descendants
from scripts.bench.programs import Made, mixed

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="looks at processes through /proc"
)

# What hostile programs end as, whoever is beside them; of those that end in several ways, all.
HOSTILE = {
    "import os\nos._exit(3)": "error",
    "import os\nos.abort()": "killed",
    "import os\nos.fork()": "error",
    "import os\nos.kill(os.getppid(), 9)": "error",
    "import os\nfor i in (0, 1, 2, 3): os.close(i)\nprint(1)": "error",
    "import ctypes\nctypes.string_at(0)": "killed",
    "import socket\nsocket.socket()": "error",
    "import sys\nsys.setrecursionlimit(60)\nprint(1)": "ok",
    "import builtins\nbuiltins.print = builtins.sum = None": "no_output",
    "import math\nmath.pi = 3\nprint(math.pi)": "ok",
    "import random\nrandom.random = lambda: 4\nprint(random.random())": "ok",
    "open('/etc/passwd').read()": "error",
    "print(open('/proc/self/environ').read())": "error|no_output",
    "raise MemoryError": "memory",
    "raise KeyboardInterrupt": "error",
    "raise SystemExit(3)": "error",
    "def f(): return f()\nf()": "error",
    "print('x' * 10**6)": "output_limit",
    "while True: print('x' * 1000)": "output_limit",
    "x = []\nfor _ in range(10**5): x = [x]": "no_output",
    "def f():\n    try: yield 1\n    finally: print('late')\ng = f()\nprint(next(g))": "ok",
    "import numpy\nnumpy.seterr(all='raise')\nnumpy.random.seed(7)\nprint(1)": "ok",
    "import sympy\nsympy.sqrt = sympy.solve = None\nprint(1)": "ok",
    "import sympy\nprint(sympy.sympify('x + 1'))": "ok",
    "import sympy\nprint(sympy.factorial((1, 2)))": "ok",
    "x = 'a' * 10**8\nprint(len(x))": "ok",
    "def f(:": "error",
    "\0": "error",
    "print('\\ud800')": "ok",
    "": "no_output",
}


def programs(count: int, seed: int, share_of_loops: float) -> list[Made]:
    """Mixed programs with hostile ones among them, all texts different, in random order."""
    draw = random.Random(seed)
    made = mixed(count * 9 // 10, seed, slow=False)
    loops = [row for row in mixed(count, seed) if row[1] in ("timeout", "memory")]
    made += draw.sample(loops, round(share_of_loops * len(loops)))
    while len(made) < count:
        program = draw.choice(list(HOSTILE))
        made.append((f"{program}\n# {len(made)}", HOSTILE[program], ""))
    draw.shuffle(made)
    return made


def is_right(made: Made, outcome: Outcome) -> bool:
    _, expected, output = made
    statuses = expected.split("|")
    if expected in ("timeout", "memory"):  # a hog may run out of time first
        statuses = ["timeout", "memory"]
    return outcome.status in statuses and output in ("", outcome.output)


def wrong(made: list[Made], outcomes: list[Outcome]) -> list[tuple[Made, Outcome]]:
    return [pair for pair in zip(made, outcomes, strict=True) if not is_right(*pair)]


def resident(pid: int) -> float:
    """Memory of a process that no other shares, in MiB."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE") / 2**20


def settled() -> list[int]:
    """The processes under this one, when no lane waits for more programs any longer."""
    looks: list[list[int]] = []
    while len(looks) < 300 and (len(looks) < 30 or looks[-30:] != looks[-1:] * 30):
        looks.append(sorted(descendants(os.getpid())))
        time.sleep(0.05)
    return looks[-1]


def open_descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


class Usage:
    """What this process and those under it use, between two calls of a sandbox."""

    def __init__(self) -> None:
        self.processes = settled()
        self.descriptors = sum(map(open_descriptors, self.processes))
        self.own_descriptors = open_descriptors(os.getpid())
        self.threads = threading.active_count()
        self.memory = {pid: resident(pid) for pid in self.processes}
        self.own_memory = resident(os.getpid())


def soak(made: list[Made], threads: int, workers: int) -> None:
    """Runs programs in two equal halves; the first is what there may be of growth."""
    before = Usage()
    with Sandbox(workers=workers, limits=Limits(cpu_seconds=0.5)) as sandbox:

        def run(part: list[Made]) -> list[tuple[Made, Outcome]]:
            found: list[tuple[Made, Outcome]] = []
            draw = random.Random(len(part))
            at = 0
            while at < len(part):  # in calls of all sizes
                some = part[at : at + draw.choice((1, 2, 10, 60, 300))]
                found += wrong(some, sandbox.run([program for program, _, _ in some]))
                at += len(some)
            return found

        def run_all(rows: list[Made]) -> list[tuple[Made, Outcome]]:
            with ThreadPoolExecutor(threads) as pool:
                parts = pool.map(run, [rows[i::threads] for i in range(threads)])
                return [row for part in parts for row in part]

        half = len(made) // 2
        assert run_all(made[:half]) == []
        first = Usage()
        assert run_all(made[half:]) == []
        second = Usage()
    assert second.processes == first.processes  # no server had to be replaced, and none was added
    assert second.descriptors == first.descriptors
    assert second.own_descriptors == first.own_descriptors
    assert second.threads == first.threads
    for pid, used in second.memory.items():
        assert used < first.memory[pid] + 3
    assert second.own_memory < first.own_memory + 20
    after = Usage()
    assert after.processes == before.processes
    assert after.own_descriptors == before.own_descriptors
    assert after.threads == before.threads


def test_a_short_soak() -> None:
    soak(programs(600, seed=1, share_of_loops=0.2), threads=4, workers=2)


@pytest.mark.full
@pytest.mark.slow
def test_a_soak() -> None:
    """10 000 valid and invalid programs, from eight threads."""
    soak(programs(10_000, seed=2, share_of_loops=0.5), threads=8, workers=3)


@pytest.fixture
def busy() -> Iterator[None]:
    """As many processes that never wait as there are processors."""
    command = [sys.executable, "-S", "-c", "while True: pass"]
    running = [subprocess.Popen(command) for _ in range(len(os.sched_getaffinity(0)))]
    yield
    for process in running:
        process.kill()
        process.wait()


@pytest.mark.full
@pytest.mark.parametrize("share", [True, False])
def test_nobody_is_lost_on_a_busy_machine(busy: None, share: bool) -> None:
    """500 well-behaved programs under the default limits, all processors being used by others."""
    made = [row for row in mixed(560, seed=3, slow=False) if row[1] == "ok"][:500]
    assert len(made) == 500
    with Sandbox(share=share) as sandbox:
        outcomes = sandbox.run([program for program, _, _ in made])
    assert wrong(made, outcomes) == []
