r"""Several plain programs in one forked child, one after the other, each with fresh globals.

The walls are those of any other program, so what happens here cannot hurt the machine. What has to
be shown is that each outcome is the one that the program would have had alone. Two things see to
it: `plain` admits only programs that can leave nothing behind, and an audit hook, which nothing can
remove, ends the lane at any act that such a program cannot have meant (code made from text, as by
sympy reading a string; anything of ctypes, gc, sys). Whatever is not an ordinary end or an ordinary
exception of the program's own is not judged here at all: the program is reported as one to be run
alone, and the fork server sees to that.

The first programs come with the fork, more of them over a socket, as long as the lane lives. The
child writes records to its report pipe, each a line of JSON, numbered from the first program on:

    {"index": 3, "status": "ok", "output": "42\n", "error": null, "seconds": 0.0003}
    {"index": 4, "status": "alone"}
    {"index": 5, "status": "left"}
"""

import ast
import builtins
import gc
import io
import json
import os
import random
import signal
import sys
import time
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from assay.sandbox import child
from assay.sandbox.plain import is_plain, let_trouble_through

__all__ = ["ALONE", "LATER", "LEFT", "MOST", "as_request", "run"]

# What is said of a program where it is no outcome: it must run alone; the lane has ended before it,
# by itself; it has been given back.
ALONE, LEFT, LATER = "alone", "left", "later"
# Programs of one request at most: a worker that takes more leaves too little for the others.
MOST = 128
_LONGEST_SOURCE = 20_000
# CPU seconds, so that the limit on the whole process is never what ends a program.
_LONGEST_LIFE = 1.0
# Calls deep that a program may go less than alone; who needs them runs alone.
_DEPTH_MARGIN = 30
# Bytes that a program alone can print before any leaves its process: what `io` buffers, at least.
_BUFFER = 8000
# What a lane does by itself: importing, and looking for what is to be imported. The last is how
# sympy keeps its primes.
_HARMLESS = frozenset(
    ("import", "open", "marshal.loads", "os.listdir", "os.scandir", "builtins.id", "array.__new__")
)


class _TroubleError(BaseException):
    """Something happened that a lane does not judge; no plain program can catch it."""


# Descriptors: 0, 1 and 2 are /dev/null.
_REPORT, _REQUESTS = 3, 4


def as_request(programs: Sequence[str]) -> bytes:
    """Programs as `run` reads them from its socket."""
    return json.dumps(programs).encode() + b"\n"


def run(
    programs: Sequence[str],
    report: int,
    requests: int,
    output_limit: int,
    enter: Callable[[int], None],
) -> NoReturn:
    """Runs programs in this process, then those of every request that comes, and ends the process.

    `report` is the writing end of a pipe, `requests` a socket on which more may come, and where
    each request that is done is acknowledged by a byte. Neither has one of the numbers that they
    move to. `enter` puts the walls up and closes every descriptor from the number that it is given.
    """
    code = 1
    try:
        os.setsid()
        os.dup2(report, _REPORT)
        os.dup2(requests, _REQUESTS)
        gc.enable()
        enter(_REQUESTS + 1)
        os.write(_REPORT, child.ENTERED + b"\n")
        watch = _Watch()
        _guard_sympy(watch)
        sys.addaudithook(watch.hook)
        sys.setrecursionlimit(sys.getrecursionlimit() - _DEPTH_MARGIN)
        for index, program in enumerate(_with_those_that_come(programs)):
            _write({"index": index, **_one(program, watch, output_limit)})
            if watch.seen or time.thread_time() > _LONGEST_LIFE:  # the rest is for another child
                _write({"index": index + 1, "status": LEFT})
                break
        code = 0
    finally:
        os._exit(code)
        os.kill(os.getpid(), signal.SIGKILL)


class _Watch:
    """What is seen of a program while it runs: the audit hook, and what it led to."""

    def __init__(self) -> None:
        self.program: types.CodeType | None = None  # while it runs
        self.seen = ""

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.program is None or event in _HARMLESS:
            return
        if event == "exec":
            code = arguments[0]
            if code is self.program or os.path.isabs(code.co_filename):
                return  # the program itself, or a module that is being imported
        if event == "compile" and isinstance(arguments[1], str) and os.path.isabs(arguments[1]):
            return
        self.end(event)

    def end(self, reason: str) -> NoReturn:
        """Ends the program, and the lane after it."""
        self.program = None
        self.seen = reason
        raise _TroubleError(reason)


class _Output(io.StringIO):
    """What a program has printed, as long as none of it would have left a process of its own.

    From then on it could be seen even of a program that comes to no end, and a lane tells nothing
    of such a program.
    """

    def __init__(self, watch: _Watch, room: int) -> None:
        super().__init__()
        self._watch = watch
        self._room = room  # in bytes

    def write(self, text: str) -> int:
        self._room -= len(text) if text.isascii() else 6 * len(text)  # at most, as \ud800
        if self._room < 0:
            self._watch.end("much output")
        return super().write(text)

    def flush(self) -> None:
        self._watch.end("flushed output")

    def bytes(self) -> bytes:
        return self.getvalue().encode("utf-8", "backslashreplace")

    def has_printed(self) -> bool:
        data = self.bytes()
        if data and not data.strip():
            self._watch.end("flushed blanks")  # to find out that they are
        return bool(data)


def _guard_sympy(watch: _Watch) -> None:
    """Its cache takes (1, 2) for (1.0, 2.0), which are equal: no function of it may get a tuple."""
    module: Any = sys.modules.get("sympy.core.function")
    for kind in (module.Function, module.Application) if module else ():
        kind.__new__ = staticmethod(_without_tuples(kind.__new__, watch))


def _without_tuples(make: Callable[..., Any], watch: _Watch) -> Callable[..., Any]:
    def guarded(cls: type, *arguments: Any, **options: Any) -> Any:
        for argument in arguments:
            if isinstance(argument, (tuple, frozenset, range)):
                watch.end("a tuple for sympy")
        return make(cls, *arguments, **options)

    return guarded


def _one(program: str, watch: _Watch, output_limit: int) -> dict[str, Any]:
    """The record of one program, without its index."""
    # Not process_time, which counts in ticks for a process with a limit on it; there is one thread.
    started = time.thread_time()
    out = sys.stdout = _Output(watch, min(output_limit, _BUFFER))
    namespace: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins}
    error = ""
    try:
        code = _compiled(program)
        if code is None:
            return {"status": ALONE}
        _begin_anew()
        watch.program = code
        exec(code, namespace)
        if not out.has_printed():
            child.print_answer(namespace, out, out.has_printed)
    except (MemoryError, RecursionError) as raised:
        watch.seen = type(raised).__name__  # there may be little left for the next one
        return {"status": ALONE}
    except Exception as raised:
        watch.program = None
        error = child.describe(raised).decode()
    except BaseException:
        watch.seen = watch.seen or "trouble"
        return {"status": ALONE}
    finally:
        watch.program = None
        namespace.clear()
    data = out.bytes()
    if watch.seen or b" at 0x" in data or " at 0x" in error:  # addresses of this process
        return {"status": ALONE}
    return {
        "status": "error" if error else "ok" if data.strip() else "no_output",
        "output": data.decode(),
        "error": error,
        "seconds": time.thread_time() - started,
    }


def _begin_anew() -> None:
    """What every program finds as it is at the start of a process."""
    random.seed(0)
    if sympy_random := sys.modules.get("sympy.core.random"):
        sympy_random.seed(0)
    # Factors that sympy has found before come first. It has such a memory since 1.14.
    found: Any = getattr(sys.modules.get("sympy.ntheory.factor_"), "factor_cache", None)
    if found is not None:
        found.cache_clear()
    # To these List[1] is List[True].
    for forget in typing._cleanups:  # type: ignore[attr-defined]
        forget()


def _compiled(program: str) -> types.CodeType | None:
    """The program's code, or None where it must not share a process. Raises SyntaxError."""
    if len(program) > _LONGEST_SOURCE:
        return None
    tree = ast.parse(program, child.PROGRAM)
    if not is_plain(tree):
        return None
    if "except" in program:
        let_trouble_through(tree)
    return compile(tree, child.PROGRAM, "exec", dont_inherit=True)


def _write(record: dict[str, Any]) -> None:
    data = json.dumps(record).encode() + b"\n"
    while data:
        data = data[os.write(_REPORT, data) :]


def _with_those_that_come(programs: Sequence[str]) -> Iterator[str]:
    """The programs, then those of one request after the other, as each is wanted."""
    while programs:
        yield from programs
        programs = _next_request()


def _next_request() -> list[str]:
    """The programs of the next request; none where there will be no more."""
    os.write(_REQUESTS, b".")
    data = b""
    while not data.endswith(b"\n"):
        part = os.read(_REQUESTS, 65536)
        if not part:
            return []
        data += part
    programs: list[str] = json.loads(data)
    return programs
