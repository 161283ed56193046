"""Progress on stderr: a bar where that is a terminal, else (the log of a job) a line a minute.

A bar for parts, and one for the steps of a training:

    with progress_bar(len(problems), "export", " problems") as bar:
        for problem in problems:
            ...
            bar.update()

    with TrainingBar(total=steps, description="train verifier") as bar:
        bar.add({"value": 0.21, "lm": 1.4})
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from tqdm import tqdm

__all__ = ["LOG_SECONDS", "Bar", "TrainingBar", "progress_bar"]


LOG_SECONDS = 60.0
"""Time between two lines of progress where stderr is no terminal; shorter jobs print nothing."""

# Losses shown are means over this many steps: those of single steps jump about.
_RECENT = 20


def progress_bar(
    total: int,
    description: str,
    unit: str = " candidates",
    *,
    initial: int = 0,
    shown: bool = True,
) -> Any:
    """A tqdm bar on a terminal, a line every `LOG_SECONDS` elsewhere; none unless `shown`.

    `initial` is how much was done before, which the time left does not count as speed.
    """
    common: dict[str, Any] = {"total": total, "desc": description, "unit": unit, "initial": initial}
    if not shown:
        return tqdm(**common, disable=True)
    if sys.stderr.isatty():
        return tqdm(**common, dynamic_ncols=True, smoothing=0.1)
    return tqdm(
        **common,
        file=_Log(),
        bar_format="{desc}: {n_fmt}/{total_fmt}{unit} [{elapsed}<{remaining}{postfix}]",
        delay=LOG_SECONDS,
        mininterval=LOG_SECONDS,
        maxinterval=LOG_SECONDS,
    )


class _Log:
    """What a bar writes to so that stderr gets lines."""

    def write(self, text: str) -> None:
        if line := text.strip():
            print(line, file=sys.stderr)

    def flush(self) -> None:
        sys.stderr.flush()


class TrainingBar:
    """The progress of a training: steps done, mean losses of the last steps, time left.

    Of several processes, the one that reports passes `shown=True` and the others `shown=False`.
    """

    def __init__(self, total: int, description: str, *, done: int = 0, shown: bool = True) -> None:
        self._bar = progress_bar(total, description, " steps", initial=done, shown=shown)
        self._recent: deque[Mapping[str, float]] = deque(maxlen=_RECENT)
        self._description = description
        self._done = done

    def add(self, losses: Mapping[str, float], step: int | None = None) -> None:
        """One more step is done, or `step` of them in all; `losses` are those of this step."""
        self._recent.append(losses)
        means = {name: sum(each[name] for each in self._recent) for name in losses}
        shown = (f"{name} {mean / len(self._recent):.4f}" for name, mean in means.items())
        self._bar.set_postfix_str(", ".join(shown), refresh=False)
        steps = 1 if step is None else step - self._done
        self._done += steps
        self._bar.update(steps)

    def note(self, text: str) -> None:
        """Shows `text` beside the description from now on: what a validation found, say."""
        self._bar.set_description_str(f"{self._description} ({text})", refresh=False)

    def write(self, line: str) -> None:
        """Prints a line of its own on stderr, above the bar."""
        self._bar.write(line, file=sys.stderr)

    def close(self) -> None:
        """Leaves the finished bar on the screen; in a log, a last line if there was any."""
        self._bar.close()

    def __enter__(self) -> TrainingBar:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Bar:
    """The bar of a stage: candidates done, and tokens per second where tokens are reported."""

    def __init__(self, total: int, description: str) -> None:
        self._bar = progress_bar(total, description)
        self._tokens = 0
        self._start = time.monotonic()

    def add(self, candidates: int, tokens: int) -> None:
        self._tokens += tokens
        if self._tokens:
            rate = self._tokens / max(1e-9, time.monotonic() - self._start)
            self._bar.set_postfix_str(f"{rate:.0f} tok/s", refresh=False)
        self._bar.update(candidates)

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
