"""Processes and descriptors: replaced when they die, and none left when they should be gone."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from assay.sandbox import Limits, Sandbox, capabilities
from assay.sandbox.servers import Root

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="looks at processes through /proc"
)
ROOT = Path(__file__).resolve().parents[2]
HAS_PID_NAMESPACE = capabilities()["pid_namespace"]
# The root, and where it is process 1 of a PID namespace, the process that stands outside.
A_ROOT = 2 if HAS_PID_NAMESPACE else 1


def descendants(pid: int) -> set[int]:
    """Process numbers of the children, and of theirs."""
    found: set[int] = set()
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
        for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in map(int, tasks.read_text().split()):
                found |= {child} | descendants(child)
    return found


def are_gone(pids: set[int]) -> bool:
    """Whether all of these are, or become within seconds, dead (a zombie is)."""

    def lives(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False

    return eventually(lambda: not any(lives(pid) for pid in pids))


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


def server_pids(sandbox: Sandbox) -> set[int]:
    """As numbered here: a server's own number is that in its PID namespace."""
    found = set()
    for worker in sandbox._pool._workers:
        for tier, server in list(worker._servers.items()):
            if process := sandbox._pool.roots[tier]._process:
                ours = descendants(process.pid)
                found |= {pid for pid in ours if number_inside(pid) == server.pid}
    return found


def number_inside(pid: int) -> int | None:
    """The number of a process in the PID namespace that it is in."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("NSpid:"):
                return int(line.split()[-1])
    return None


def root_pid(sandbox: Sandbox) -> int:
    """The process that servers are forked from: the client's child, or that one's only child."""
    process = sandbox._pool.roots["light"]._process
    assert process
    if not HAS_PID_NAMESPACE:
        return process.pid
    (root,) = (pid for pid in descendants(process.pid) if number_inside(pid) == 1)
    return root


def kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def test_closing_leaves_no_process_and_no_descriptor() -> None:
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    before = descendants(os.getpid())
    for imports in ("import numpy", "", ""):
        with Sandbox(workers=2) as sandbox:
            sandbox.run([f"print({i})" for i in range(4)] + [f"{imports}\nprint(5)"])
            ours = descendants(os.getpid()) - before
            # A root and a server of each kind.
            assert len(ours) >= (2 * A_ROOT + 2 if imports else A_ROOT + 1)
        assert are_gone(ours)
    assert descendants(os.getpid()) == before
    assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/fd")) == descriptors


def test_closing_does_not_wait_for_a_running_program() -> None:
    before = descendants(os.getpid())
    # In the process of the program before it, so that there is no other beside.
    with Sandbox(workers=1, limits=Limits(cpu_seconds=60, wall_seconds=60)) as sandbox:
        stream = sandbox.stream(["print(1)", "while True: pass"])
        next(stream)
        assert eventually(lambda: len(descendants(os.getpid()) - before) == A_ROOT + 2)
        ours = descendants(os.getpid()) - before  # and a server and a program
        start = time.monotonic()
    assert time.monotonic() - start < 20
    assert are_gone(ours)


def test_forgetting_a_sandbox_closes_it() -> None:
    sandbox = Sandbox(workers=1)
    sandbox.run(["print(1)"])
    ours = server_pids(sandbox)
    del sandbox
    assert are_gone(ours)


def test_descriptors_of_a_server_do_not_pile_up() -> None:
    with Sandbox(workers=1) as sandbox:
        sandbox.run(["print(1)"])
        (server,) = server_pids(sandbox)
        before = len(os.listdir(f"/proc/{server}/fd"))
        programs = [f"print({i})" for i in range(30)] + ["import os\nos._exit(0)", "1 / 0", "x = ["]
        sandbox.run(programs)
        assert eventually(lambda: descendants(server) == set())  # no lane that waits any more
        assert len(os.listdir(f"/proc/{server}/fd")) == before


def test_killed_servers_lose_and_swap_nothing() -> None:
    """Each time that some more programs have ended, however long that took."""
    killed: list[int] = []
    outcomes = {}
    with Sandbox(workers=2) as sandbox:
        # Each in a process of its own, because of the import.
        programs = [f"import os\nprint({i} * {i})" for i in range(400)]
        for i, outcome in sandbox.stream(programs):
            assert i not in outcomes
            outcomes[i] = outcome
            if len(outcomes) % 30 == 15:
                killed.extend(pid for pid in server_pids(sandbox) if kill(pid))
    assert len(killed) >= 13
    assert sorted(outcomes) == list(range(400))
    wrong = [o for i, o in outcomes.items() if o.output != f"{i * i}\n"]
    # A program whose server was killed twice is given up, with a status that says so.
    assert {o.status for o in wrong} <= {"killed"}
    assert len(wrong) <= 2


@pytest.mark.parametrize("outside", [False, True])
def test_a_killed_root_takes_all_along_and_is_replaced(outside: bool) -> None:
    """Also where it is the process outside its PID namespace that is killed."""
    before = descendants(os.getpid())
    with Sandbox(workers=1) as sandbox:
        sandbox.run(["print(1)"])
        process = sandbox._pool.roots["light"]._process
        assert process
        ours = descendants(os.getpid()) - before
        assert len(ours) == A_ROOT + 1  # and a server
        assert kill(process.pid if outside else root_pid(sandbox))
        assert are_gone(ours)
        assert [o.output for o in sandbox.run(["print(2)", "print(3)"])] == ["2\n", "3\n"]
        assert not descendants(os.getpid()) & ours
    assert descendants(os.getpid()) == before


def test_a_root_killed_under_a_program_takes_it_along() -> None:
    before = descendants(os.getpid())
    with Sandbox(workers=1) as sandbox:
        sandbox.run(["print(1)"])
        done = threading.Event()
        killed: set[int] = set()

        def kill_when_it_sleeps() -> None:
            while not done.wait(0.01):
                ours = descendants(os.getpid()) - before
                if len(ours) == A_ROOT + 2:  # and a server and the program
                    killed.update(ours)
                    kill(root_pid(sandbox))
                    assert are_gone(ours)

        killer = threading.Thread(target=kill_when_it_sleeps)
        killer.start()
        (outcome,) = sandbox.run(["import time\ntime.sleep(50)"])
        done.set()
        killer.join()
        assert outcome.status == "killed"
        assert len(killed) >= 2 * (A_ROOT + 2)  # it was tried twice, at least
        assert sandbox.run(["print(2)"])[0].output == "2\n"
    assert descendants(os.getpid()) == before


def test_a_server_is_killed_by_its_number_inside() -> None:
    before = descendants(os.getpid())
    with contextlib.closing(Root("light", Limits())) as root:
        servers = [root.open() for _ in range(3)]
        all_of_them = descendants(os.getpid()) - before
        assert len(all_of_them) == A_ROOT + 3
        one = {pid for pid in all_of_them if number_inside(pid) == servers[1].pid}
        assert len(one) == 1
        os.kill(*one, signal.SIGSTOP)  # so that it cannot end by itself
        root.kill(servers[1])
        assert are_gone(one)
        assert eventually(lambda: descendants(os.getpid()) - before == all_of_them - one)
        for server in servers:
            server.close()
    assert descendants(os.getpid()) == before


def test_a_program_that_takes_its_server_along_is_tried_twice() -> None:
    with Sandbox(workers=1, limits=Limits(wall_seconds=60)) as sandbox:
        sandbox.run(["print(1)"])
        done = threading.Event()

        def kill_when_it_sleeps() -> None:
            while not done.wait(0.01):
                for pid in server_pids(sandbox):
                    if descendants(pid):
                        kill(pid)

        killer = threading.Thread(target=kill_when_it_sleeps)
        killer.start()
        outcome = sandbox.run(["import time\ntime.sleep(50)"])[0]
        done.set()
        killer.join()
        after = sandbox.run(["print(2)"])[0]
    assert (outcome.status, outcome.message) == ("killed", "the fork server died while it ran")
    assert after.output == "2\n"


# A client of its own, which says when its programs run and then waits for them.
CLIENT = """
import os, sys, threading, time
from assay.sandbox import Sandbox
sandbox = Sandbox(workers=2)
sandbox.run(["print(1)", "import numpy"])
{extra}
print("ready", flush=True)
sandbox.run([f"x = {{i}}\\nimport time\\ntime.sleep(15)\\nwhile True: pass" for i in range(4)])
"""


@pytest.mark.parametrize(
    ("number", "extra"),
    [
        (signal.SIGKILL, ""),
        (signal.SIGINT, ""),
        # A process forked by the client keeps copies of its sockets.
        (signal.SIGKILL, "if os.fork() == 0:\n    time.sleep(8)\n    os._exit(0)"),
        # The thread that started the sandbox is not the one that lives on.
        (signal.SIGKILL, "threading.Thread(target=Sandbox).start()"),
    ],
)
def test_the_death_of_the_client_leaves_no_process(number: signal.Signals, extra: str) -> None:
    client = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CLIENT).format(extra=extra)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    assert client.stdout
    assert client.stderr
    assert client.stdout.readline() == b"ready\n"

    def running() -> bool:
        return len(descendants(client.pid)) >= 2 * (A_ROOT + 2)  # and a server and a program each

    assert eventually(running)
    ours = {p for p in descendants(client.pid) if b"boot.py" in command_line(p)}
    client.send_signal(number)
    client.wait(timeout=60)
    assert are_gone(ours)
    if number == signal.SIGINT:
        assert b"KeyboardInterrupt" in client.stderr.read()
    client.stdout.close()
    client.stderr.close()


def command_line(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def test_starting_is_quick() -> None:
    """Against a bare interpreter, because the machine may be busy."""
    sandboxes, interpreters = [], []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-S", "-c", ""], check=True)
        interpreters.append(time.perf_counter() - start)
        start = time.perf_counter()
        with Sandbox(workers=2) as sandbox:
            sandboxes.append(time.perf_counter() - start)
            assert sandbox.run(["print(1)"])[0].status == "ok"
    assert min(sandboxes) < 30 * min(interpreters)  # some 6 times
