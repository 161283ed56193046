"""Where the kernel refuses a layer, the rest holds, and the user is told once.

A client is put under a filter of its own that refuses what a strict or old container would, and
everything it starts inherits that.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from assay.sandbox import capabilities
from assay.sandbox.layers import LAYERS, worth_a_warning

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(
    not capabilities()["seccomp"], reason="emulates a container by seccomp"
)

CLIENT = """
import errno, os, platform
from assay.sandbox import Limits, Sandbox, SandboxError, capabilities, linux, seccomp

LANDLOCK = {444, 445, 446}
PRCTL, UNSHARE = {"x86_64": (157, 272), "aarch64": (167, 97)}[platform.machine()]
PIDFD_OPEN = 434
refused = {UNSHARE} | {
    "container": set(),
    "landlock": LANDLOCK,
    "old": LANDLOCK | {PIDFD_OPEN},
    "seccomp": LANDLOCK,
}[MODE]
code = [(0x20, 0, 0, 0)]
for number in sorted(refused):
    code += [(0x15, 0, 1, number), (0x06, 0, 0, 0x50000 | errno.ENOSYS)]
if MODE == "seccomp":  # prctl(PR_SET_SECCOMP)
    code += [(0x15, 0, 3, PRCTL), (0x20, 0, 0, 16), (0x15, 0, 1, 22)]
    code += [(0x06, 0, 0, 0x50000 | errno.EPERM)]
code += [(0x06, 0, 0, 0x7FFF0000)]
linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
seccomp.Filter(code).install()

missing = [name for name, on in capabilities().items() if not on]
print("missing:", *missing)
for name in missing:
    try:
        Sandbox(workers=1, require=[name])
    except SandboxError as error:
        print("refused:", str(error).partition(":")[0])
Sandbox(workers=1).close()
with Sandbox(workers=1, limits=Limits(cpu_seconds=0.2, wall_seconds=0.5)) as sandbox:
    programs = ["print(1)", "while True: pass", "x = [0] * 10**10", "1 / 0"]
    programs += ["import time\\ntime.sleep(9)", "print('x' * 10**6)", f"open('{FOLDER}/x', 'w')"]
    print(*[outcome.status for outcome in sandbox.run(programs)])
"""


def run(mode: str, folder: Path) -> tuple[list[str], list[str]]:
    """What a client prints, and what it says on the error stream."""
    client = subprocess.run(
        [sys.executable, "-c", f"MODE, FOLDER = {mode!r}, {str(folder)!r}\n{CLIENT}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert client.returncode == 0, client.stderr
    return client.stdout.splitlines(), client.stderr.splitlines()


NAMESPACES = ("user_namespace", "network_namespace", "pid_namespace")


def refusals(*layers: str) -> list[str]:
    """What is said of the layers that are missing, and of each when it is required."""
    return [
        " ".join(("missing:", *layers)),
        *(f"refused: the sandbox requires {x!r}, which is not available here" for x in layers),
    ]


def test_without_namespaces_nobody_is_warned(tmp_path: Path) -> None:
    said, warned = run("container", tmp_path)
    assert said == [
        *refusals(*NAMESPACES),
        "ok timeout memory error timeout output_limit error",
    ]
    assert warned == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", ["landlock", "old"])
def test_without_landlock(mode: str, tmp_path: Path) -> None:
    said, warned = run(mode, tmp_path)
    assert said == [
        *refusals("landlock", *NAMESPACES),
        "ok timeout memory error timeout output_limit error",
    ]
    assert warned == ["the sandbox works here without: landlock"]
    assert list(tmp_path.iterdir()) == []


def test_without_seccomp(tmp_path: Path) -> None:
    said, warned = run("seccomp", tmp_path)
    assert said == [
        *refusals("seccomp", "landlock", *NAMESPACES),
        # What a program writes to a file still fails, but it can make an empty one.
        "ok timeout memory error timeout output_limit no_output",
    ]
    layers = ", ".join(("seccomp", "landlock", *NAMESPACES))
    assert warned == [f"the sandbox works here without: {layers}"]


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ((), ()),
        (("pid_namespace",), ()),
        (("landlock", "pid_namespace"), ("landlock",)),
        (("memory", "seccomp", "user_namespace"), ("memory", "seccomp", "user_namespace")),
    ],
)
def test_what_is_worth_a_warning(missing: tuple[str, ...], told: tuple[str, ...]) -> None:
    assert worth_a_warning({name: name not in missing for name in LAYERS}) == told


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_as_an_unprivileged_user() -> None:
    program = (
        "import os, sys\nos.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "from assay.sandbox import *\n"
        "print(*[name for name, on in capabilities().items() if not on])\n"
        "with Sandbox(workers=1, require=('seccomp',)) as s:\n"
        "    print(*[o.status for o in s.run(['print(1)', 'import os\\nos.fork()'])])\n"
    )
    # An interpreter and a copy of the package that everybody may read.
    python = next((p for p in ("/usr/bin/python3", "/usr/local/bin/python3") if _is_new(p)), None)
    if python is None or not os.stat(ROOT).st_mode & 0o5:
        pytest.skip("no Python that another user may run")
    client = subprocess.run(
        [python, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert client.returncode == 0, client.stderr
    missing, statuses = client.stdout.splitlines()
    assert set(missing.split()) <= set(NAMESPACES)  # which are for the system to allow
    assert statuses == "ok error"


def _is_new(python: str) -> bool:
    test = "import sys; sys.exit(sys.version_info < (3, 10))"
    return os.path.exists(python) and subprocess.run([python, "-c", test]).returncode == 0
