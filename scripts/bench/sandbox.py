r"""The sandbox beside what others do, on the same mixed programs, in one run.

    python scripts/bench/sandbox.py [programs=2000] [repeats=3] [slow=true] [forks=300]

Designs: an interpreter per program (on a slice, scaled); a pool of processes that `exec`s programs
in its workers under an alarm, the usual design and no protection; this sandbox with a process for
every program; and this sandbox as it is. All have as many workers as there are processors, and what
a start-up costs is not counted. First without the programs that run into a limit, then
(`slow=true`) with them: 1 % endless loops and 1 % memory hogs. The limit is 2 seconds for all, and
in a last row the sandbox's default, 1 second of CPU time, in which no importing has to be done.

Printed: programs per second (the median of the repeats), the ratio to the pool's, CPU milliseconds
per program over all processes involved, and how many outcomes were wrong or lost. Then the floor
(what a bare fork and exit of the same fork servers costs, `forks` times) and what one child
holds of memory.
"""

import contextlib
import gc
import io
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# In the place of this folder, where `sandbox` would be this file.
sys.path[0] = str(Path(__file__).resolve().parents[2])

from assay.sandbox import Limits, Sandbox  # noqa: E402
from assay.sandbox.check import descendants  # noqa: E402
from assay.sandbox.preload import preload  # noqa: E402
from scripts.bench.machine import machine  # noqa: E402
from scripts.bench.programs import Made, mixed  # noqa: E402

LIMIT = 2.0  # seconds
Result = tuple[str, str]  # status and output
Run = Callable[[list[str]], list[Result]]
WARM = ["import sympy, numpy\nx = sympy.symbols('x')\nprint(sympy.solve(x**2 - 4, x))"]


# An interpreter per program


def interpreter_each(programs: list[str]) -> list[Result]:
    """`python -c PROGRAM`, as many at a time as there are processors."""

    def one(program: str) -> Result:
        try:
            printing = f"{program}\nif 'ans' in globals(): print(ans)"
            done = subprocess.run(
                [sys.executable, "-c", printing], capture_output=True, text=True, timeout=LIMIT + 8
            )
        except subprocess.TimeoutExpired:
            return "timeout", ""
        return ("ok" if done.returncode == 0 else "error"), done.stdout

    with ThreadPoolExecutor(processors()) as threads:
        return list(threads.map(one, programs))


# A pool that executes programs in its workers


class Late(BaseException):
    pass


def begin_worker() -> None:
    import numpy  # noqa: F401
    import sympy  # noqa: F401

    def late(number: int, frame: object) -> None:
        raise Late

    signal.signal(signal.SIGALRM, late)


def in_worker(program: str) -> Result:
    out = io.StringIO()
    namespace: dict[str, object] = {"__name__": "__main__"}
    try:
        signal.setitimer(signal.ITIMER_REAL, LIMIT)
        with contextlib.redirect_stdout(out):
            exec(compile(program, "<program>", "exec"), namespace)
        status = "ok"
    except Late:
        status = "timeout"
    except MemoryError:
        status = "memory"
    except BaseException:
        status = "error"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    text = out.getvalue()
    if not text and "ans" in namespace:
        text = f"{namespace['ans']}\n"
    return status, text


# Measuring


def processors() -> int:
    return len(os.sched_getaffinity(0))


def cpu_seconds() -> float:
    """CPU time of this process and all that came of it, reaped or running."""
    ticks = 0
    for pid in (os.getpid(), *descendants(os.getpid())):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def wrong(made: Sequence[Made], results: Sequence[Result]) -> int:
    """Outcomes that are not the known ones; a memory hog may also run into the time limit."""
    count = 0
    for (_, status, output), (status_found, printed) in zip(made, results, strict=True):
        if status in ("timeout", "memory"):
            count += status_found not in ("timeout", "memory")
        else:
            count += status_found != status or (bool(output) and printed != output)
    return count


class Figures:
    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.cpu: list[float] = []
        self.wrong = 0

    def add(self, run: Run, made: Sequence[Made]) -> None:
        before, started = cpu_seconds(), time.perf_counter()
        results = run([program for program, _, _ in made])
        self.seconds.append(time.perf_counter() - started)
        self.cpu.append(cpu_seconds() - before)
        self.wrong += wrong(made, results)


def compare(count: int, repeats: int, slow: bool) -> None:
    print(f"\n{count} programs, {'with' if slow else 'without'} those that run into a limit")
    sandboxes = {
        "Assay, a process for each program": (False, LIMIT),
        "Assay": (True, LIMIT),
    }
    if slow:
        sandboxes["Assay, its default limit"] = (True, Limits().cpu_seconds)
    figures = {name: Figures() for name in ("interpreter each", "exec in a pool", *sandboxes)}
    sliced = mixed(count, 0, slow=False)[:40]
    figures["interpreter each"].add(interpreter_each, sliced)
    for seed in range(repeats):  # another set of programs each time, the same for all
        made = mixed(count, seed, slow)
        context = multiprocessing.get_context("spawn")
        with context.Pool(processors(), begin_worker) as pool:
            pool.map(in_worker, WARM * 8, chunksize=1)
            figures["exec in a pool"].add(lambda p, m=pool.map: m(in_worker, p, 1), made)
        for name, (share, seconds) in sandboxes.items():
            with Sandbox(limits=Limits(cpu_seconds=seconds), share=share) as sandbox:
                sandbox.run([f"{WARM[0]}\n# {i}" for i in range(8)])
                run = sandbox.run
                figures[name].add(lambda p, run=run: [(o.status, o.output) for o in run(p)], made)
    rates = {}
    for name, found in figures.items():
        number = len(sliced) if name == "interpreter each" else len(made)
        rates[name] = number / statistics.median(found.seconds)
    print(f"{'':36}{'programs/s':>11}{'of the pool':>13}{'CPU ms each':>13}{'wrong':>7}")
    for name, found in figures.items():
        number = len(sliced) if name == "interpreter each" else len(made)
        cpu = 1000 * statistics.median(found.cpu) / number
        ratio = rates[name] / rates["exec in a pool"]
        note = f"  (of {number} programs without slow ones)" if number == len(sliced) else ""
        print(f"{name:36}{rates[name]:11.1f}{ratio:13.3f}{cpu:13.2f}{found.wrong:7}{note}")
    ratio = rates["Assay"] / rates["interpreter each"]
    print(f"Assay beside an interpreter each: {ratio:.0f} times")


def floor(forks: int) -> None:
    """What forking a process like a fork server, its exit and its reaping cost, one at a time."""
    print("\nthe floor, one processor: fork, exit and reap of a process with nothing to do")
    for tier in ("light", "full"):
        pid = os.fork()
        if pid == 0:
            preload(tier)  # type: ignore[arg-type]
            gc.collect()
            gc.disable()
            gc.freeze()
            times = []
            for _ in range(forks):
                started = time.perf_counter()
                child = os.fork()
                if child == 0:
                    os._exit(0)
                os.waitpid(child, 0)
                times.append(time.perf_counter() - started)
            print(f"  {tier:6}{1000 * statistics.median(times):6.2f} ms", flush=True)
            os._exit(0)
        os.waitpid(pid, 0)
    with Sandbox(workers=1, share=False) as sandbox:
        for name, start in (("light", ""), ("full", "import numpy, sympy\n")):
            sandbox.run([start + "print(0)"])
            programs = [f"{start}print({i})" for i in range(forks)]
            started = time.perf_counter()
            sandbox.run(programs)
            each = 1000 * (time.perf_counter() - started) / len(programs)
            print(f"  {name:6}{each:6.2f} ms a program that prints one number, in its own process")


def memory() -> None:
    """Memory of one child in the middle of a program, as the kernel counts it."""
    print("\nmemory of one child, MiB")
    for name, start in (("light", ""), ("full", "from sympy import *\nsolve(Symbol('x')**2-3)\n")):
        with Sandbox(workers=1) as sandbox:
            sandbox.run([start + "print(0)"])
            before = set(os.listdir("/proc"))
            with ThreadPoolExecutor(1) as thread:
                running = thread.submit(sandbox.run, [start + "import time\ntime.sleep(1)"])
                time.sleep(0.6)
                rolled = ""
                for entry in sorted(set(os.listdir("/proc")) - before):
                    with contextlib.suppress(OSError):
                        rolled = rolled or Path(f"/proc/{entry}/smaps_rollup").read_text()
                running.result()
        sizes = dict(line.split(":") for line in rolled.splitlines()[1:])
        mib = {key: int(sizes[key].split()[0]) / 1024 for key in ("Pss", "Private_Dirty")}
        print(f"  {name:6}{mib['Pss']:6.1f} (its share), {mib['Private_Dirty']:.1f} its own")


def main() -> None:
    given = dict(word.split("=") for word in sys.argv[1:])
    count, repeats = int(given.pop("programs", 2000)), int(given.pop("repeats", 3))
    forks = int(given.pop("forks", 300))
    with_slow = given.pop("slow", "true") == "true"
    if given:
        sys.exit(f"unknown: {', '.join(given)}; known: programs, repeats, slow, forks")
    print(machine())
    compare(count, repeats, slow=False)
    if with_slow:
        compare(count, repeats, slow=True)
    floor(forks)
    memory()


if __name__ == "__main__":
    main()
