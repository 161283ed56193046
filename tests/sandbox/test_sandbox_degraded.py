"""Where the kernel refuses a layer, the rest holds, and the user is told once.

A client is put under a filter of its own that refuses what a strict or old container would, and
everything it starts inherits that.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import capabilities

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(
    not capabilities()["seccomp"], reason="emulates a container by seccomp"
)

CLIENT = """
import errno, os, platform
from sandbox import Limits, Sandbox, SandboxError, capabilities, linux, seccomp

LANDLOCK = {444, 445, 446}
PRCTL, PIDFD_OPEN = {"x86_64": (157, 434), "aarch64": (167, 434)}[platform.machine()]
refused = {"landlock": LANDLOCK, "old": LANDLOCK | {PIDFD_OPEN}, "seccomp": LANDLOCK}[MODE]
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
        timeout=60,
    )
    assert client.returncode == 0, client.stderr
    return client.stdout.splitlines(), client.stderr.splitlines()


@pytest.mark.parametrize("mode", ["landlock", "old"])
def test_without_landlock(mode: str, tmp_path: Path) -> None:
    said, warned = run(mode, tmp_path)
    assert said == [
        "missing: landlock",
        "refused: the sandbox requires 'landlock', which is not available here",
        "ok timeout memory error timeout output_limit error",
    ]
    assert warned == ["the sandbox works here without: landlock"]
    assert list(tmp_path.iterdir()) == []


def test_without_seccomp(tmp_path: Path) -> None:
    said, warned = run("seccomp", tmp_path)
    assert said == [
        "missing: seccomp landlock",
        "refused: the sandbox requires 'seccomp', which is not available here",
        "refused: the sandbox requires 'landlock', which is not available here",
        # What a program writes to a file still fails, but it can make an empty one.
        "ok timeout memory error timeout output_limit no_output",
    ]
    assert warned == ["the sandbox works here without: seccomp, landlock"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_as_an_unprivileged_user() -> None:
    program = (
        "import os, sys\nos.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "from sandbox import *\nprint(capabilities())\n"
        "with Sandbox(workers=1, require=('seccomp',)) as s:\n"
        "    print(*[o.status for o in s.run(['print(1)', 'import os\\nos.fork()'])])\n"
    )
    # An interpreter and a copy of the package that everybody may read.
    python = next((p for p in ("/usr/bin/python3", "/usr/local/bin/python3") if _is_new(p)), None)
    if python is None or not os.stat(ROOT).st_mode & 0o5:
        pytest.skip("no Python that another user may run")
    client = subprocess.run(
        [python, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert client.returncode == 0, client.stderr
    active, statuses = client.stdout.splitlines()
    assert "False" not in active
    assert statuses == "ok error"


def _is_new(python: str) -> bool:
    test = "import sys; sys.exit(sys.version_info < (3, 10))"
    return os.path.exists(python) and subprocess.run([python, "-c", test]).returncode == 0
