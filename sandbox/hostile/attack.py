"""What an attack is: a program, its right outcome, and the layer of isolation that it runs into."""

import textwrap
from dataclasses import dataclass

__all__ = ["CPU", "DENIED", "WALL", "Attack"]

# Patterns that many attacks share.
CPU = "of CPU time$"
WALL = r"^more than [\d.]+ s$"
# Refused by seccomp or Landlock, or hidden by a namespace.
DENIED = r"^(PermissionError|FileNotFoundError|ProcessLookupError|OSError: \[Errno 1\])"


@dataclass(frozen=True)
class Attack:
    """A hostile program and how it has to end.

    kind, name:
        Together they are unique.
    program:
        Its text. One that starts with a newline is a block, whose indentation is removed. In it
        `{outside}` stands for a folder that it must not read or change, which holds `victim` and
        `notes.py`, and `{port}` for a port of this machine on which somebody listens.
    expected:
        The statuses that are right, separated by `|`. Several where the machine, its load or the
        version of Python decides which limit is reached first.
    pattern:
        A regular expression for the output where the status is `ok`, else for the message.
    needs:
        The layer without which it would do harm, or several separated by `|` of which one is
        enough; empty where a process of its own and its deadline contain it. Where the layer is
        missing the attack must not be run.
    """

    kind: str
    name: str
    program: str
    expected: str
    pattern: str = ""
    needs: str = ""

    def source(self, places: dict[str, str]) -> str:
        """The program to run, `places` put in for the names in braces."""
        text = self.program
        if text.startswith("\n"):
            text = textwrap.dedent(text).strip("\n") + "\n"
        for name, value in places.items():
            text = text.replace("{" + name + "}", value)
        return text

    def missing(self, active: dict[str, bool]) -> str:
        """The layer that it needs and that is not active; empty where there is none."""
        names = self.needs.split("|") if self.needs else []
        return "" if not names or any(active.get(name) for name in names) else " or ".join(names)
