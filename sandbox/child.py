"""What happens in the forked child: the walls go up, then the program runs as `__main__`.

Nothing here decides a program's fate. The fork server sees how the process ends and reads two
pipes: descriptor 1, which is the output and nothing else, and descriptor 3, on which this module
first writes one byte ("the walls are up") and, if the program raised, what it raised. A program can
write to both; all it can forge is its own output and its own error message.
"""

import builtins
import contextlib
import gc
import io
import json
import os
import random
import signal
import sys
import traceback
import types
from collections.abc import Callable
from typing import Any, NoReturn

__all__ = ["ENTERED", "MEMORY_ERROR", "PROGRAM", "describe", "prepare", "print_answer", "run"]

ENTERED = b"+"
MEMORY_ERROR = b'{"memory": true}'
PROGRAM = "<program>"
_REPORT = 3
_ANSWER_NAMES = ("ans", "answer", "result")
_ANSWER_FUNCTIONS = ("solution", "solver")


class _Output(io.FileIO):
    """Descriptor 1, which remembers whether anything but blanks was ever written to it."""

    printed = False

    def seekable(self) -> bool:
        return False  # it is /dev/null when it is made, and a pipe when it is used

    def write(self, data: Any) -> int:
        if not self.printed:
            self.printed = bool(bytes(data).strip())
        return super().write(data)


def prepare() -> None:
    """In the fork server, before the first fork: all that need not be done in every child."""
    global _raw, _stdout, _ballast
    # Python refuses to write or read whole numbers of more than 4300 digits, so that a server is
    # not kept busy; here time and output are limited, and 2000! is an honest number. Every child
    # has this from the fork on, alone or in a lane; Python before 3.10.7 knows no such limit.
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(0)
    _raw = _Output(1, "w", closefd=False)
    # Surrogates and the like become escapes; printing must not depend on the locale.
    _stdout = io.TextIOWrapper(
        io.BufferedWriter(_raw), encoding="utf-8", errors="backslashreplace", newline="\n"
    )
    # Given back when a program has run out of memory, so that there is enough left to say so.
    _ballast = bytearray(1024 * 1024)
    sys.argv[:] = [PROGRAM]
    sys.dont_write_bytecode = True


_raw: _Output
_stdout: io.TextIOWrapper
_ballast: bytearray


def run(program: str, stdout: int, report: int, enter: Callable[[int], None]) -> NoReturn:
    """Runs a program in this process and ends the process.

    `stdout` and `report` are the writing ends of the two pipes; `enter` puts the walls up and
    closes every descriptor from the number that it is given.
    """
    code = 1
    try:
        os.setsid()
        # 0 and 2 are /dev/null already. Four pipe ends were opened after these, so that neither
        # number given here is as low as the ones they move to.
        os.dup2(stdout, 1)
        os.dup2(report, _REPORT)
        gc.enable()
        enter(_REPORT + 1)
        os.write(_REPORT, ENTERED)
        code = _run(program)
    except BaseException as error:
        os.write(_REPORT, str(error).encode(errors="replace")[:1000])
    finally:
        # Without atexit and without flushing anything inherited; and whatever a program has put in
        # the place of os._exit, this process does not go on as a fork server.
        os._exit(code)
        os.kill(os.getpid(), signal.SIGKILL)


def _run(program: str) -> int:
    global _ballast
    random.seed(0)
    sys.stdout = sys.__stdout__ = _stdout  # type: ignore[misc]
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    try:
        _execute(program, main.__dict__)
        return 0
    except MemoryError:
        del _ballast
        os.write(_REPORT, MEMORY_ERROR)
    except BaseException as error:
        os.write(_REPORT, describe(error))
    with contextlib.suppress(BaseException):
        _flush()
    return 1


def _execute(program: str, namespace: dict[str, Any]) -> None:
    namespace["__builtins__"] = builtins
    try:
        exec(compile(program, PROGRAM, "exec", dont_inherit=True), namespace)
    except SystemExit as stop:
        if stop.code not in (None, 0):
            raise
    _flush()
    if not _raw.printed:
        print_answer(namespace, _stdout, _has_printed)
        _flush()


def print_answer(
    namespace: dict[str, Any], out: io.TextIOBase, has_printed: Callable[[], bool]
) -> None:
    """A program that printed nothing may have left its answer in a variable or a function."""
    for name in _ANSWER_NAMES:
        value = namespace.get(name)
        if value is not None and not callable(value):
            out.write(f"{value}\n")
            return
    for name in _ANSWER_FUNCTIONS:
        function = namespace.get(name)
        if isinstance(function, types.FunctionType):
            value = function()
            if value is not None and not has_printed():
                out.write(f"{value}\n")
            return


def _flush() -> None:
    if not _stdout.closed:
        _stdout.flush()


def _has_printed() -> bool:
    _flush()
    return _raw.printed


def describe(error: BaseException) -> bytes:
    """The error as JSON: its type, its message on one line, and the program's line."""
    line = None
    if isinstance(error, SyntaxError) and error.filename == PROGRAM:
        text, line = str(error.msg), error.lineno
    else:
        text = str(error)
        for frame, number in traceback.walk_tb(error.__traceback__):
            if frame.f_code.co_filename == PROGRAM:
                line = number
    text = " ".join(text[:500].split())
    kind = type(error).__name__[:100]  # a longer report would not fit into the pipe
    return json.dumps({"type": kind, "text": text, "line": line}).encode()
