"""What running a program gave, and the limits it ran under.

A program has one fate, and it is what the fork server saw from outside: the exit status, the
signal, the deadline, the number of bytes. A program can print whatever it likes, but not that.

    Outcome(status="error", output="", message="ZeroDivisionError: division by zero (line 3)",
            seconds=0.001)
"""

from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["STATUSES", "Limits", "Outcome", "SandboxError", "Status"]

Status = Literal["ok", "no_output", "error", "timeout", "memory", "output_limit", "killed"]
STATUSES: tuple[str, ...] = get_args(Status)


class SandboxError(RuntimeError):
    """The sandbox itself cannot work here or was used wrongly; never the fault of a program."""


@dataclass(frozen=True)
class Outcome:
    """The fate of one program.

    status:
        `ok` (ended well, printed something), `no_output` (ended well, printed nothing and left no
        answer in a variable or function), `error` (exception, syntax error or exit code),
        `timeout` (CPU or wall-clock limit), `memory`, `output_limit`, `killed` (by a signal).
    output:
        What it printed, at most `Limits.output_kb`, also where the status is not `ok`.
    message:
        One line saying what went wrong, `""` for `ok` and `no_output`.
    seconds:
        CPU seconds of the program's process.
    """

    status: Status
    output: str
    message: str
    seconds: float


@dataclass
class Limits:
    """What one program may use.

    cpu_seconds:
        CPU time. This is the limit that ends endless loops; unlike elapsed time it does not depend
        on what else the machine is doing, and so neither do outcomes.
    wall_seconds:
        Elapsed time, for programs that sleep; time spent waiting for a processor is not counted
        where the kernel tells it (Linux).
    memory_mb:
        Address space that the program may take on top of the interpreter's own, in MiB.
    output_kb:
        Output, in KiB.
    """

    cpu_seconds: float = 1.0
    wall_seconds: float = 20.0
    memory_mb: int = 512
    output_kb: int = 64

    def check(self) -> None:
        """Raises SandboxError where a limit makes no sense."""
        if self.cpu_seconds <= 0 or self.wall_seconds <= 0 or self.output_kb <= 0:
            raise SandboxError(f"sandbox limits must be positive: {self}")
        if self.memory_mb < 16:
            raise SandboxError(f"sandbox limit memory_mb: at least 16, not {self.memory_mb}")
