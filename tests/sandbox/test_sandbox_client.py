"""The queue in front of the fork servers: order, duplicates, threads, limits and refusals."""

import concurrent.futures
import multiprocessing
import queue
import random
import subprocess
import sys
import threading
import time

import pytest

from assay.sandbox import Limits, Sandbox, SandboxError, capabilities


def test_order_is_kept_and_duplicates_run_once() -> None:
    numbers = [random.Random(0).randrange(40) for _ in range(200)]
    with Sandbox(workers=2) as sandbox:
        outcomes = sandbox.run([f"import os\nprint({n}, os.getpid())" for n in numbers])
    assert [int(outcome.output.split()[0]) for outcome in outcomes] == numbers
    # One process a program: as many as there are different programs.
    assert len({outcome.output.split()[1] for outcome in outcomes}) == len(set(numbers))


def test_duplicates_are_found_behind_fences() -> None:
    program = "import os\nprint(os.getpid())\n"
    with Sandbox(workers=1) as sandbox:
        plain, fenced = sandbox.run([program, f"```python\n{program}```"])
    assert plain == fenced


def test_stream_gives_outcomes_as_they_finish() -> None:
    sleeper = "import time\ntime.sleep(1)\nprint('late')"
    with Sandbox(workers=2) as sandbox:
        order = list(sandbox.stream([sleeper, "print(1)", "print(2)", "print(1)"]))
    assert {index for index, _ in order[:3]} == {1, 2, 3}
    assert order[3][0] == 0
    assert [dict(order)[i].output for i in range(4)] == ["late\n", "1\n", "2\n", "1\n"]


def test_nothing_to_run() -> None:
    with Sandbox(workers=1) as sandbox:
        assert sandbox.run([]) == []


def test_one_string_is_a_mistake() -> None:
    with Sandbox(workers=1) as sandbox, pytest.raises(TypeError, match="one string"):
        sandbox.run("print(1)")


def test_a_stream_given_up_leaves_its_programs_unrun() -> None:
    with Sandbox(workers=1) as sandbox:
        stream = sandbox.stream(
            ["print(1)", *(f"import time\ntime.sleep({9 + i})" for i in range(9))]
        )
        assert next(stream)[1].output == "1\n"
        stream.close()
        before = time.monotonic()
    assert time.monotonic() - before < 8


def test_several_threads_share_a_sandbox() -> None:
    def ask(thread: int) -> bool:
        programs = [f"print({thread} * 1000 + {i})" for i in range(25)]
        outputs = [outcome.output for outcome in sandbox.run(programs)]
        return outputs == [f"{thread * 1000 + i}\n" for i in range(25)]

    with Sandbox(workers=2) as sandbox, concurrent.futures.ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(8)))


def test_a_short_call_does_not_wait_for_the_long_one_before_it() -> None:
    loops = [f"x = {i}\nwhile True: pass" for i in range(2)]
    done: queue.SimpleQueue[str] = queue.SimpleQueue()
    with Sandbox(workers=2, limits=Limits(cpu_seconds=1.0)) as sandbox:
        long = threading.Thread(target=lambda: (sandbox.run(loops[:1]), done.put("long")))
        long.start()
        time.sleep(0.1)
        assert sandbox.run(["print(1)"])[0].output == "1\n"
        done.put("short")
        long.join()
    assert [done.get(), done.get()] == ["short", "long"]


def test_a_large_program_and_a_large_output() -> None:
    numbers = ", ".join(str(i) for i in range(60_000))
    with Sandbox(workers=1, limits=Limits(output_kb=1024)) as sandbox:
        long, escaped = sandbox.run([f"print(sum([{numbers}]))", "print('\\0' * 10**6)"])
    assert long.output == "1799970000\n"
    assert escaped.output == "\0" * 10**6 + "\n"


@pytest.mark.parametrize(
    "limits",
    [Limits(cpu_seconds=0), Limits(wall_seconds=-1), Limits(memory_mb=1), Limits(output_kb=0)],
)
def test_senseless_limits_are_refused(limits: Limits) -> None:
    with pytest.raises(SandboxError, match="sandbox limit"):
        Sandbox(limits=limits)


def test_no_workers_are_refused() -> None:
    with pytest.raises(SandboxError, match="at least 1"):
        Sandbox(workers=0)


def test_required_layers() -> None:
    active = capabilities()
    assert set(active) == {
        *("rlimits", "memory", "no_new_privs", "unprivileged", "seccomp", "landlock"),
        *("user_namespace", "network_namespace", "pid_namespace"),
    }
    Sandbox(workers=1, require=[name for name in active if active[name]]).close()
    with pytest.raises(SandboxError, match="'moat', which is none of its layers"):
        Sandbox(workers=1, require=["moat"])


def test_a_closed_sandbox_says_so() -> None:
    sandbox = Sandbox(workers=1)
    sandbox.close()
    sandbox.close()
    with pytest.raises(SandboxError, match="closed"):
        sandbox.run(["print(1)"])


def test_closing_wakes_those_who_wait() -> None:
    errors: queue.SimpleQueue[str] = queue.SimpleQueue()

    def ask() -> None:
        try:
            sandbox.run([f"import time\ntime.sleep({30 + i})" for i in range(5)])
        except SandboxError as error:
            errors.put(str(error))

    with Sandbox(workers=2) as sandbox:
        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
    for thread in threads:
        thread.join(timeout=25)
    assert [errors.get_nowait(), errors.get_nowait()] == ["the sandbox was closed"] * 2


@pytest.mark.skipif(sys.platform != "linux", reason="forks in the way Linux allows")
def test_a_forked_process_may_not_use_it_and_does_not_harm_it() -> None:
    def misuse() -> None:
        with pytest.raises(SandboxError, match="forked process"):
            sandbox.run(["print(1)"])
        sandbox.close()

    with Sandbox(workers=1) as sandbox:
        assert sandbox.run(["print(1)"])[0].output == "1\n"
        process = multiprocessing.get_context("fork").Process(target=misuse)
        process.start()
        process.join(timeout=60)
        assert process.exitcode == 0
        assert sandbox.run(["print(2)"])[0].output == "2\n"


def test_a_busy_machine_times_nobody_out() -> None:
    """Four busy loops compete for the processors; the wall limit is the one that must not bite."""
    work = "total = 0\nfor i in range(300_000): total += i * {}\nprint(total % 1000)"
    busy = [subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) for _ in range(4)]
    try:
        with Sandbox(workers=4, limits=Limits(cpu_seconds=0.5, wall_seconds=0.5)) as sandbox:
            outcomes = sandbox.run([work.format(i) for i in range(20)])
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert [outcome.status for outcome in outcomes] == ["ok"] * 20


def test_a_program_that_is_too_long_is_not_run() -> None:
    with Sandbox(workers=1) as sandbox:
        outcomes = sandbox.run(["#" * 20_000_001, "print(1)", "#" * 1_000_000 + "\nprint(2)"])
    assert [(o.status, o.output) for o in outcomes] == [("error", ""), ("ok", "1\n"), ("ok", "2\n")]
    assert "20,000,000 characters" in outcomes[0].message


def test_progress_changes_no_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    with Sandbox(workers=1) as sandbox:
        outcomes = sandbox.run(["print(1)", "print(1)", "1 / 0"], progress=True)
    assert [o.status for o in outcomes] == ["ok", "ok", "error"]
    assert "3/3" in capsys.readouterr().err
