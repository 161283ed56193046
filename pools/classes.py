"""Answer classes that hold over a whole run, in files that are written once and by many.

A part is graded by itself, perhaps on another machine than its neighbours: numbers that it gave to
its classes would mean nothing beside those of another part. So a part counts on from the parts of
its slice of problems that were graded before it: an answer equivalent to one of theirs gets that
class's number, a new one the next. What it followed stands in its footer (`after`), as a hash over
the digests of those parts in their order, and makes a chain:

    a slice's parts            cot 0–16      pot 0–16      cot 16–64
    follow                     nothing       cot 0–16      both

Widening a run adds links at the end, no file is written again, and whoever reads the parts (pandas,
DuckDB) reads classes of the problem at any moment. Only where two workers graded parts of one slice
at the same time, or a run is older than this, do parts not follow each other: `assay grade` ends by
numbering those anew (`link`), and `load_frame` joins them in memory where it has not.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.pools.rows import Graded
from assay.pools.run import Part, Run, Shard
from assay.problems.answers import classes

__all__ = ["AFTER", "Chain", "chains", "follow", "link", "numbered_after"]

AFTER = "after"
STAGE = "answers"
# Others may grade the same slice meanwhile; each pass leaves fewer parts that do not follow.
_PASSES = 10
_WHOLE = Shard()


@dataclass(frozen=True)
class Chain:
    """The graded parts of one slice of problems.

    `parts` follow each other, in this order; `state` is what one that comes next is written with.
    The classes of the parts in `loose` were numbered apart.
    """

    parts: tuple[Part, ...] = ()
    state: str = ""
    loose: tuple[Part, ...] = ()

    def then(self, part: Part, digest: str) -> Chain:
        """The chain with one more part, of this digest of its rows."""
        state = hashlib.sha256(f"{self.state} {digest}".encode()).hexdigest()[:16]
        loose = tuple(other for other in self.loose if other != part)
        return Chain((*self.parts, part), state, loose)


def chains(footers: Mapping[Part, Mapping[str, Any]]) -> dict[int, Chain]:
    """The chain of each slice, from the footers of its graded parts.

    Of two parts that both follow the same ones, the first in their order is in the chain. A part
    without `after` is of a run from before there were chains, and can only be the first.
    """
    slices: dict[int, dict[Part, Mapping[str, Any]]] = defaultdict(dict)
    for part, footer in footers.items():
        slices[part.index][part] = footer
    return {index: _chain(own) for index, own in slices.items()}


def _chain(footers: Mapping[Part, Mapping[str, Any]]) -> Chain:
    chain = Chain(loose=tuple(sorted(footers)))
    while True:
        following = [part for part in chain.loose if footers[part].get(AFTER, "") == chain.state]
        if not following:
            return chain
        chain = chain.then(following[0], footers[following[0]]["digest"])


def follow(
    run: Run, part: Part, rows: Sequence[str], graded: Sequence[Graded]
) -> tuple[list[Graded], str]:
    """A part's grades with classes that follow those of its slice, and the state they follow.

    `rows` holds the id of each candidate's problem.
    """
    others = [other for other in run.slice_parts(STAGE, part.index) if other != part]
    footers = {other: run.footer(STAGE, other) for other in others}
    chain = _chain({other: footer for other, footer in footers.items() if footer is not None})
    numbers = _numbers(
        run, chain, rows, [g.answer_class for g in graded], [g.answer for g in graded]
    )
    renumbered = [
        dataclasses.replace(each, answer_class=number)
        for each, number in zip(graded, numbers, strict=True)
    ]
    return renumbered, chain.state


def link(run: Run, shard: Shard = _WHOLE) -> int:
    """Numbers the loose parts of this shard's slices anew; returns how many it wrote."""
    written = 0
    for _ in range(_PASSES):
        loose = [
            chain
            for chain in chains(run.footers(STAGE)).values()
            if chain.loose and shard.has(chain.loose[0])
        ]
        if not loose:
            break
        for chain in loose:
            for part in chain.loose:
                chain = chain.then(part, _renumber(run, part, chain))
                written += 1
    return written


def _renumber(run: Run, part: Part, chain: Chain) -> str:
    """Writes a graded part with classes that follow the chain; returns its new digest."""
    import pyarrow as pa

    table = run.read(STAGE, part)
    columns = [table[name].to_pylist() for name in ("problem_id", "answer_class", "answer")]
    numbers = pa.array(_numbers(run, chain, *columns), table.schema.field("answer_class").type)
    place = table.schema.get_field_index("answer_class")
    table = table.set_column(place, "answer_class", numbers)
    return run.write(STAGE, part, table, run.part_seconds(STAGE, part), {AFTER: chain.state})


def _numbers(
    run: Run,
    chain: Chain,
    rows: Sequence[str],
    numbers: Sequence[int],
    answers: Sequence[str | None],
) -> list[int]:
    """The classes of a part's candidates, following the chain."""
    before = _heads(run, chain.parts)
    places = defaultdict(list)
    for place, problem_id in enumerate(rows):
        places[problem_id].append(place)
    options = {problem.id: problem.options for problem in run.problems if problem.id in places}
    found = [-1] * len(numbers)
    for problem_id, own in places.items():
        followed = numbered_after(
            before.get(problem_id, {}),
            [numbers[place] for place in own],
            [answers[place] for place in own],
            options[problem_id],
        )
        for place, number in zip(own, followed, strict=True):
            found[place] = number
    return found


def _heads(run: Run, parts: Sequence[Part]) -> dict[str, dict[int, str | None]]:
    """Of each problem its classes in these parts: number -> an answer of the class."""
    heads: dict[str, dict[int, str | None]] = defaultdict(dict)
    names = ["problem_id", "answer_class", "answer"]
    for part in parts:
        table = run.read(STAGE, part, names)
        for row in zip(*(table[name].to_pylist() for name in names), strict=True):
            problem_id, number, answer = row
            if number >= 0:
                heads[problem_id].setdefault(number, answer)
    return heads


def numbered_after(
    before: Mapping[int, str | None],
    numbers: Sequence[int],
    answers: Sequence[str | None],
    options: Sequence[str] = (),
) -> list[int]:
    """The classes of one problem's candidates in a part, counted on from those `before`.

    `before`: number of a class -> one of its answers. `numbers` are the classes within the part
    (−1: no answer), one answer of each is compared; an answer that is equivalent to classes which
    were told apart before joins the first of them.

    >>> numbered_after({0: "18", 1: "20"}, [0, 1, -1, 0], ["20.0", "7", None, "20"])
    [1, 2, -1, 1]
    """
    heads: dict[int, str | None] = {}
    for number, answer in zip(numbers, answers, strict=True):
        if number >= 0:
            heads.setdefault(number, answer)
    known = sorted(before)
    if known:
        joined = classes([*(before[number] for number in known), *heads.values()], options)
    else:
        joined = list(range(len(heads)))
    names: dict[int, int] = {}
    for number, group in zip(known, joined, strict=False):
        names.setdefault(group, number)
    following = known[-1] + 1 if known else 0
    named = {-1: -1}
    for own, group in zip(heads, joined[len(known) :], strict=True):
        if group not in names:
            names[group], following = following, following + 1
        named[own] = names[group]
    return [named[number] for number in numbers]
