"""Namespaces: what they add where seccomp is missing, and which there are where the kernel refuses.

What a namespace forbids, seccomp and Landlock forbid as well, so that here the client is put under
a filter that refuses these two, as in a kernel without them, and everything it starts inherits it.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from assay.sandbox import capabilities, linux, namespaces
from assay.sandbox.probe import which_succeed

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["user_namespace", "network_namespace", "pid_namespace"]


def can_be_made() -> bool:
    linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNET | linux.CLONE_NEWPID)
    return True


pytestmark = pytest.mark.skipif(
    which_succeed([can_be_made]) != [True], reason="namespaces are not allowed here"
)

COUNT = """
import os
def descendants(pid):
    found = []
    for child in open(f"/proc/{pid}/task/{pid}/children").read().split():
        found += [child, *descendants(child)]
    return found
"""

WITHOUT_SECCOMP = """
import errno, json, os, platform, sys, tempfile
from assay.sandbox import Limits, Sandbox, linux, seccomp

PRCTL = {"x86_64": 157, "aarch64": 167}[platform.machine()]
refuse, set_seccomp = (0x06, 0, 0, 0x50000 | errno.EPERM), 22
code = [(0x20, 0, 0, 0), (0x15, 0, 1, 444), refuse]  # landlock_create_ruleset
code += [(0x15, 0, 3, PRCTL), (0x20, 0, 0, 16), (0x15, 0, 1, set_seccomp), refuse]
linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
seccomp.Filter([*code, (0x06, 0, 0, 0x7FFF0000)]).install()

port, name = sys.argv[1:]
with tempfile.TemporaryDirectory() as folder:
    with open(f"{folder}/mine", "w", opener=lambda *a: os.open(*a, 0o600)) as file:
        file.write("mine")
    programs = {
        "TCP": f"import socket as s\\ns.create_connection(('127.0.0.1', {port}), 2)",
        "UDP": "import socket as s\\n"
        f"s.socket(s.AF_INET, s.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {port}))",
        "local socket": f"import socket as s\\ns.socket(s.AF_UNIX).connect('\\\\0{name}')",
        "signal": f"import os\\nos.kill({os.getpid()}, 0)",
        "file": f"print(open('{folder}/mine').read())",
        "user": "import os\\nprint(os.getuid(), os.geteuid(), os.getgid(), os.getegid())",
        "privileges": "for line in open('/proc/self/status'):\\n"
        "    if line.startswith('Cap'): print(line.split()[1])",
        "daemon": \"\"\"
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(100)
    os._exit(0)
os.wait()
print("made")
\"\"\",
    }
    with Sandbox(workers=1, limits=Limits(wall_seconds=5), share=False) as sandbox:
        outcomes = sandbox.run(list(programs.values()))
        before = descendants(os.getpid())
    told = {n: o.output or o.message for n, o in zip(programs, outcomes)}
    after = descendants(os.getpid())
    told |= {"before": len(before), "after": len(after), "me": [os.getuid(), os.getgid()]}
    print(json.dumps(told))
    if after:
        os.kill(int(after[-1]), 9)
"""


def test_all_are_active_where_they_are_allowed() -> None:
    assert [name for name, on in capabilities().items() if on and name in NAMES] == NAMES


@pytest.fixture(scope="module", params=[None, 65534], ids=["as who we are", "as somebody else"])
def told(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What each program of the client without seccomp came to."""
    python, user = sys.executable, request.param
    if user is not None:
        if os.geteuid() != 0 or not os.stat(ROOT).st_mode & 0o5:
            pytest.skip("only root can become somebody else, where that one may read the package")
        python = next(filter(is_new, ("/usr/bin/python3", "/usr/local/bin/python3")), "")
        if not python:
            pytest.skip("no Python that another user may run")
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_UNIX) as local,
    ):
        port, name = listener.getsockname()[1], f"assay-{os.getpid()}"
        receiver.bind(("127.0.0.1", port))
        local.bind(f"\0{name}")
        local.listen()
        client = subprocess.run(
            [python, "-c", COUNT + WITHOUT_SECCOMP, str(port), name],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
    assert client.returncode == 0, client.stderr
    answer: dict[str, Any] = json.loads(client.stdout)
    return answer


def is_new(python: str) -> bool:
    test = "import sys; sys.exit(sys.version_info < (3, 10))"
    return os.path.exists(python) and subprocess.run([python, "-c", test]).returncode == 0


@pytest.mark.parametrize(
    ("attempt", "refusal"),
    [
        ("TCP", "Network is unreachable"),
        ("UDP", "Network is unreachable"),
        ("local socket", "Connection refused"),
        ("signal", "No such process"),
    ],
)
def test_nothing_outside_is_in_reach(told: dict[str, Any], attempt: str, refusal: str) -> None:
    assert refusal in told[attempt]


def test_files_belong_to_whom_they_belonged(told: dict[str, Any]) -> None:
    user, group = told["me"]
    assert told["user"] == f"{user} {user} {group} {group}\n"
    assert told["file"] == "mine\n"


def test_the_privileges_of_the_maker_are_given_up(told: dict[str, Any]) -> None:
    inheritable, permitted, effective = told["privileges"].split()[:3]
    assert (inheritable, permitted, effective) == ("0" * 16,) * 3


def test_what_a_program_leaves_behind_ends_with_the_sandbox(told: dict[str, Any]) -> None:
    if told["me"][0] != 0:
        pytest.skip("only root's programs can make processes without seccomp")
    assert told["daemon"] == "made\n"
    assert told["before"] == 4  # the one outside, the root, a server, and the daemon
    assert told["after"] == 0


AMONG_FEW = """
import json, sys
from assay.sandbox import Sandbox, capabilities, linux, namespaces

user, group = os.geteuid(), os.getegid()
linux.unshare(linux.CLONE_NEWUSER)
namespaces._keep_identity(user, group)
for kind in sys.argv[1:]:
    with open(f"/proc/sys/user/max_{kind}_namespaces", "w") as file:
        file.write("0")
with Sandbox(workers=1) as sandbox:
    (outcome,) = sandbox.run(["import os\\nprint(6 * 7)"])
    processes = len(descendants(os.getpid()))
missing = [name for name, on in capabilities().items() if not on]
print(json.dumps([missing, processes, outcome.output, len(descendants(os.getpid()))]))
"""


@pytest.mark.parametrize(
    ("none_of", "missing"),
    [
        ([], []),
        (["net"], ["network_namespace"]),
        (["pid"], ["pid_namespace"]),
        (["net", "pid"], ["network_namespace", "pid_namespace"]),
        # Without the first, only root can make the others.
        (["user"], NAMES[:1] if os.geteuid() == 0 else NAMES),
        (["user", "pid"], ["user_namespace", "pid_namespace"] if os.geteuid() == 0 else NAMES),
        (["user", "net", "pid"], NAMES),
    ],
)
def test_each_is_told_truthfully_and_no_other_is_lost(
    none_of: list[str], missing: list[str]
) -> None:
    """Inside a user namespace, where the number of each kind can be limited to none."""
    client = subprocess.run(
        [sys.executable, "-c", COUNT + AMONG_FEW, *none_of],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if client.returncode and "/proc/sys/user" in client.stderr:
        pytest.skip("the limits of namespaces cannot be changed here")
    processes = 2 if "pid_namespace" in missing else 3  # the root, a server, and the one outside
    assert client.stderr == ""  # nor any warning
    assert json.loads(client.stdout) == [missing, processes, "42\n", 0]


def attempt(names: list[str], readable: list[str]) -> list[str]:
    """`namespaces._try`, which must leave this process where it is."""
    here = [os.readlink(f"/proc/self/ns/{kind}") for kind in ("user", "net", "pid")]
    found = namespaces._try(names, readable)
    assert [os.readlink(f"/proc/self/ns/{kind}") for kind in ("user", "net", "pid")] == here
    return found


def test_a_user_namespace_without_capabilities_is_not_entered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As under AppArmor in Ubuntu: it can be made, but its users cannot be told."""

    def refuse(user: int, group: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    assert attempt(NAMES, [os.__file__]) == NAMES
    monkeypatch.setattr(namespaces, "_keep_identity", refuse)
    assert attempt(NAMES, [os.__file__]) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can do without a user namespace")
def test_root_does_without_a_user_namespace_that_is_of_no_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def names() -> bool:
        # Inside; the process outside passes the verdict on, as it ends with 1 for all but 0.
        return namespaces.enter(os.getppid())[0] == ["network_namespace", "pid_namespace"]

    assert which_succeed([names]) == [False]
    monkeypatch.setattr(namespaces, "_keep_identity", lambda user, group: 1 / 0)
    assert which_succeed([names]) == [True]


def test_namespaces_that_hide_python_are_not_entered() -> None:
    assert attempt(NAMES, [os.__file__, "/nowhere"]) == []


def test_a_namespace_that_does_not_hold_is_not_entered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespaces, "_cannot_reach_itself", lambda: False)
    assert attempt(NAMES, []) == ["user_namespace", "pid_namespace"]


def test_the_tests_of_a_namespace_tell_here_from_there() -> None:
    def there() -> bool:
        namespaces._unshare(NAMES)
        return namespaces._knows_nobody_else() and namespaces._cannot_reach_itself()

    if Path("/proc/self/uid_map").read_text().split()[2] == "1":
        pytest.skip("this is a user namespace of one user already")
    assert not namespaces._knows_nobody_else()
    assert not namespaces._cannot_reach_itself()
    assert which_succeed([there]) == [True]


# The process goes on inside, makes a child, and competes with it for a processor for a while. Then
# it tells its own number, the child's here and there, and how long the child had to wait.
NUMBERS = """
import os, time
from assay.sandbox import namespaces
from assay.sandbox.supervise import _number_in_proc, _starved_seconds
assert namespaces.enter(os.getppid())[1] == 0
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
child = os.fork()
end = time.monotonic() + 0.2
while time.monotonic() < end:
    pass
if child:
    time.sleep(0.2)
    print(os.getpid(), child, _number_in_proc(child), _starved_seconds(child), flush=True)
time.sleep(60)
"""

# The parent dies between the fork and the child's wish to die with it.
LATE = """
import os, time
from assay.sandbox import linux, namespaces
def late(*arguments, prctl=linux.prctl):
    if arguments[0] == linux.PR_SET_PDEATHSIG:
        print("late", flush=True)
        time.sleep(1)
    prctl(*arguments)
linux.prctl = late
namespaces.enter(os.getppid())
time.sleep(60)
"""


@pytest.fixture
def start() -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts a process that enters namespaces, and at the end kills the one outside."""
    started = []

    def start(code: str) -> "subprocess.Popen[str]":
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def only_child(pid: int) -> int:
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


def is_gone(pid: int) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)
    return False


def test_proc_knows_a_child_by_its_number_outside(
    start: Callable[[str], "subprocess.Popen[str]"],
) -> None:
    process = start(NUMBERS)
    assert process.stdout
    *told, starved = process.stdout.readline().split()
    first, inside, outside = map(int, told)
    root = only_child(process.pid)
    assert (first, outside) == (1, only_child(root))
    numbers = re.findall(r"^NSpid:(.*)$", Path(f"/proc/{outside}/status").read_text(), re.M)
    assert numbers[0].split()[-2:] == [str(outside), str(inside)]
    waited = int(Path(f"/proc/{outside}/schedstat").read_text().split()[1])
    assert 0.01 < float(starved) <= waited / 1e9
    os.kill(root, signal.SIGKILL)
    assert process.wait(timeout=60) == 1  # the process outside says that the one inside was killed
    assert is_gone(outside)


def test_a_child_that_missed_the_death_of_its_parent_ends(
    start: Callable[[str], "subprocess.Popen[str]"],
) -> None:
    process = start(LATE)
    assert process.stdout
    assert process.stdout.readline() == "late\n"
    child = only_child(process.pid)
    process.kill()
    assert is_gone(child)


def test_there_is_none_of_it_but_on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(linux, "unshare", None)
    assert namespaces.enter(4321) == ([], 4321)
