"""An asynchronous producer behind a plain iterator.

The event loop runs in a thread of its own, so that the iterator works where another loop is running
already (a notebook) and the network goes on while the consumer is busy.

    async def produce(emit):
        emit(await answer())

    for item in iterate(produce):
        print(item)
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

__all__ = ["iterate"]

T = TypeVar("T")


def iterate(produce: Callable[[Callable[[T], None]], Awaitable[None]]) -> Iterator[T]:
    """Yields what `produce` hands to its argument, and raises what it raises.

    Closing the iterator, or an exception at the consumer (Ctrl-C), cancels `produce` and waits for
    its thread to end.
    """
    # (item, None, False) for each item; at the end (None, what was raised, True).
    out: queue.SimpleQueue[tuple[Any, BaseException | None, bool]] = queue.SimpleQueue()
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = Future()

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        started.set_result((asyncio.get_running_loop(), task))
        await produce(lambda item: out.put((item, None, False)))

    def work() -> None:
        error: BaseException | None = None
        try:
            asyncio.run(main())
        except BaseException as raised:
            error = raised
        out.put((None, error, True))

    thread = threading.Thread(target=work, name="assay-background", daemon=True)
    thread.start()
    over = False
    try:
        while True:
            item, error, over = out.get()
            if error is not None:
                raise error
            if over:
                return
            yield item
    finally:
        if not over:
            loop, task = started.result()
            # The loop may have closed just now.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(task.cancel)
        thread.join()
