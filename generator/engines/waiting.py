"""The samples that an engine has not begun yet, and the groups in which they shall start.

What is put back begins anew, and becomes what it would have been:

    waiting = Waiting(requests, limits)
    for samples in waiting.take(free=64):
        …  # all of one prompt, or few each of several
    waiting.put_back(samples)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from assay.generator.engines.interface import Request

__all__ = ["Sample", "Waiting"]

# Up to this many samples of one prompt are put together with those of others: reading a copy of the
# prompt's keys for each costs less than one more pass through Python and small matrix products.
_SMALL = 4
# Prompts computed together, in tokens: bounds what their activations take.
_PROMPT_TOKENS = 16384


@dataclass
class Sample:
    """A sample in the making. `forced`: its next tokens, where the calculator has written them."""

    request: int
    index: int
    limit: int
    key: str
    calculator: bool
    forced: list[int] = field(default_factory=list)


class Waiting:
    """The samples that have not begun, in order.

    `together`: samples of any number of prompts start as one group, however many each has. A GPU
    wants few large operations: it pays to read a copy of the prompt's keys for each sample.
    """

    def __init__(
        self, requests: Sequence[Request], limits: Sequence[int], together: bool = False
    ) -> None:
        self._requests, self._limits, self._together = requests, limits, together
        self._queue = deque(
            (name, request.first, request.first + request.count)
            for name, request in enumerate(requests)
            if request.count > 0
        )

    def __bool__(self) -> bool:
        return bool(self._queue)

    def take(self, free: int) -> list[list[Sample]]:
        """Up to `free` samples, in the groups that shall start together."""
        if self._together:
            return self._taken_together(free)
        going_on: list[list[Sample]] = []
        groups: list[list[Sample]] = []
        few: list[Sample] = []
        while free and self._queue:
            name, first, end = self._queue.popleft()
            request = self._requests[name]
            until = min(end, first + free)
            if until < end:
                self._queue.appendleft((name, until, end))
            samples = [self._sample(name, index) for index in range(first, until)]
            free -= len(samples)
            if first > request.first:
                going_on.append(samples)
            elif request.count > _SMALL or until < end:
                groups.append(samples)
            elif (len(few) + len(samples)) * len(request.prompt_ids) > _PROMPT_TOKENS:
                groups.insert(0, samples)
            else:
                few += samples
        # A prompt that samples are left of is the one computed last, before and after.
        return [group for group in [*going_on, few, *groups] if group]

    def _taken_together(self, free: int) -> list[list[Sample]]:
        groups: list[list[Sample]] = []
        prompts = longest = 0
        while free and self._queue:
            name, first, end = self._queue.popleft()
            until = min(end, first + free)
            if until < end:
                self._queue.appendleft((name, until, end))
            free -= until - first
            prompts, longest = prompts + 1, max(longest, len(self._requests[name].prompt_ids))
            if not groups or prompts * longest > _PROMPT_TOKENS:
                groups.append([])
                prompts, longest = 1, len(self._requests[name].prompt_ids)
            groups[-1] += [self._sample(name, index) for index in range(first, until)]
        return groups

    def put_back(self, samples: Sequence[Sample]) -> None:
        """They begin anew, before the others, and become what they would have been."""
        for name, index in sorted(((s.request, s.index) for s in samples), reverse=True):
            end = index + 1
            if self._queue and self._queue[0][:2] == (name, end):
                end = self._queue.popleft()[2]
            self._queue.appendleft((name, index, end))

    def _sample(self, name: int, index: int) -> Sample:
        limit, request = self._limits[name], self._requests[name]
        return Sample(name, index, limit, request.key, request.calculator)
