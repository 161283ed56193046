r"""Running programs that nobody trusts.

A program is run in a process forked from a clean interpreter that has imported what programs use,
behind limits, a list of allowed system calls and a list of readable folders. Its outcome is what
was seen from outside: it cannot forge, hide or hang it. Programs that can leave nothing behind, as
most do, run several to a process; every other one has its own.

In: texts of programs and limits. Out: outcomes, in order. Never here: which text of a candidate is
its program, or what its output claims (`assay.problems`).

    with Sandbox() as sandbox:
        sandbox.run(["print(6 * 7)", "1 / 0"])
    # [Outcome(status="ok", output="42\n", message="", seconds=0.001),
    #  Outcome("error", "", "ZeroDivisionError: division by zero (line 1)", 0.001)]

How it works, from the outside in: `client` (queue, workers, order), `servers` (the client's hold on
the other processes), then in those `boot`, `namespaces`, `forkserver`, `supervise` (one child
watched), `lanes` (several programs in one), `isolation` (with `seccomp`, `landlock`, `linux`), and
in the child `child` or `lane`, which run programs (`plain` says which may share a process).
"""

from assay.sandbox.cleaning import clean_program
from assay.sandbox.client import Sandbox, capabilities
from assay.sandbox.outcome import STATUSES, Limits, Outcome, SandboxError, Status

__all__ = [
    "STATUSES",
    "Limits",
    "Outcome",
    "Sandbox",
    "SandboxError",
    "Status",
    "capabilities",
    "clean_program",
]
