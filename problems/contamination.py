"""Contamination: questions of evaluation sets that occur among training problems.

Two questions overlap where they share n words in a row, after letter case, punctuation and spacing
are taken away; a question of an evaluation set that is shorter than n words must be the whole of
the other. n = 13 is the usual choice (Brown et al. 2020, arXiv 2005.14165, appendix C). The n-grams
of the evaluation sets are held in one dictionary and those of the training questions looked up in
it, so the work grows with the sum of the sizes, not with their product.

    overlaps = find_overlaps(problems, {"gsm8k": test}, n=13)
    told_overlaps(overlaps, problems, {"gsm8k": test}, n=13)
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.problems.problem import Problem
from assay.settings.errors import UserError

__all__ = ["Overlap", "find_overlaps", "told_overlaps", "without_overlaps", "words_of"]

_WORD = re.compile(r"[^\W_]+")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
# Choices that a training set writes into its questions; evaluation sets hold them apart.
_CHOICES = re.compile(r"\s*Answer Choices:.*\Z", re.DOTALL)
_EXAMPLES = 3


@dataclass(frozen=True)
class Overlap:
    """A training problem and a problem of an evaluation set, with the words that they share."""

    problem: Problem
    set: str
    other: Problem
    shared: str

    def to_dict(self) -> dict[str, Any]:
        """The overlap as JSON types."""
        return {
            "id": self.problem.id,
            "source": self.problem.source,
            "set": self.set,
            "other": self.other.id,
            "shared": self.shared,
            "question": self.problem.question,
            "other_question": self.other.question,
        }


def words_of(question: str) -> list[str]:
    r"""The question's words and numbers, without case, punctuation and answer choices.

    >>> words_of("Janet’s $1,200 is \\frac{1}{2} of what?\nAnswer Choices: (A) 1 (B) 2")
    ['janet', 's', '1200', 'is', 'frac', '1', '2', 'of', 'what']
    """
    text = unicodedata.normalize("NFKC", _CHOICES.sub("", question)).casefold()
    return _WORD.findall(_THOUSANDS.sub("", text))


def find_overlaps(
    problems: Sequence[Problem], sets: Mapping[str, Sequence[Problem]], n: int = 13
) -> list[Overlap]:
    """All overlaps, in the order of `problems`, then of `sets`; a pair comes once.

    Raises `UserError` where n is below 1.
    """
    if n < 1:
        raise UserError(f"n={n}: expected 1 or more")
    others = [(name, other) for name, items in sets.items() for other in items]
    index: dict[str, list[int]] = {}
    whole: dict[str, list[int]] = {}
    for number, (_, other) in enumerate(others):
        words = words_of(other.question)
        if 0 < len(words) < n:
            whole.setdefault(" ".join(words), []).append(number)
        for gram in dict.fromkeys(_ngrams(words, n)):
            index.setdefault(gram, []).append(number)
    # Training sets hold many solutions of one question, each as a row.
    known: dict[str, dict[int, str]] = {}
    overlaps = []
    for problem in problems:
        found = known.get(problem.question)
        if found is None:
            found = known[problem.question] = _found(words_of(problem.question), index, whole, n)
        overlaps += [Overlap(problem, *others[i], found[i]) for i in sorted(found)]
    return overlaps


def _ngrams(words: Sequence[str], n: int) -> Iterator[str]:
    return (" ".join(words[i : i + n]) for i in range(len(words) - n + 1))


def _found(
    words: Sequence[str], index: Mapping[str, list[int]], whole: Mapping[str, list[int]], n: int
) -> dict[int, str]:
    """Numbers of the evaluation problems that share words, and the first words shared."""
    found: dict[int, str] = {}
    if len(words) < n:
        text = " ".join(words)
        return dict.fromkeys(whole.get(text, ()), text)
    for gram in _ngrams(words, n):
        for number in index.get(gram, ()):
            found.setdefault(number, gram)
    return found


def without_overlaps(problems: Sequence[Problem], overlaps: Sequence[Overlap]) -> list[Problem]:
    """The problems that have none."""
    dropped = {overlap.problem.id for overlap in overlaps}
    return [problem for problem in problems if problem.id not in dropped]


def told_overlaps(
    overlaps: Sequence[Overlap],
    problems: Sequence[Problem],
    sets: Mapping[str, Sequence[Problem]],
    n: int,
) -> str:
    """Counts by set and by source, and a few examples, as lines of text."""
    total = sum(map(len, sets.values()))
    lines = [f"contamination: {len(problems):,} problems against {total:,} ({n} words in a row)"]
    width = max([len("in all"), *map(len, sets)])
    lines.append(f"  {'':<{width}}  problems   found   training problems")
    for name, items in [*sets.items(), ("in all", [])]:
        own = [o for o in overlaps if name in (o.set, "in all")]
        found = len({(o.set, o.other.id) for o in own})
        training = len({o.problem.id for o in own})
        size = len(items) or total
        lines.append(f"  {name:<{width}}  {size:>8,}  {found:>6,}   {training:>17,}")
    by_source = Counter((o.problem.source, o.set) for o in overlaps if o.problem.source)
    if by_source:
        lines.append("  overlaps by source")
        wide = max(len(source) for source, _ in by_source)
        for source in sorted({source for source, _ in by_source}):
            parts = [f"{name} {by_source[source, name]:,}" for name in sets]
            parts = [part for part in parts if not part.endswith(" 0")]
            lines.append(f"    {source:<{wide}}  {', '.join(parts)}")
    for overlap in _examples(overlaps):
        where = f"{overlap.problem.id} and {overlap.set}: {overlap.other.id}"
        lines.append(f"  for example {where}\n    “{overlap.shared}”")
    return "\n".join(lines) + "\n"


def _examples(overlaps: Sequence[Overlap]) -> list[Overlap]:
    """The first overlap of each set, at most three."""
    first: dict[str, Overlap] = {}
    for overlap in overlaps:
        first.setdefault(overlap.set, overlap)
    return list(first.values())[:_EXAMPLES]
