"""Scores that cost nothing: what the generator's own probabilities say of a candidate.

An engine makes them while it samples (`sampling.confidence`, `generator/engines/confidence.py` says
how). They are columns of a run's candidates, rules of `assay evaluate` by the same names ("the
candidate with the best …"), and features for whoever combines scores.

    >>> frame = {"logprob": [], "entropy": [], "self_certainty": []}
    >>> recorded(frame)
    ['self_certainty', 'entropy']
"""

from __future__ import annotations

from collections.abc import Container

__all__ = ["FREE_SCORES", "recorded"]

FREE_SCORES = {
    "min_logprob": 1,
    "self_certainty": 1,
    "token_confidence": 1,
    "lowest_confidence": 1,
    "bottom_confidence": 1,
    "tail_confidence": 1,
    "entropy": -1,
    "margin": 1,
}
"""The names, and the sign of each: 1 where a higher number is better, -1 where a lower one is."""


def recorded(columns: Container[str]) -> list[str]:
    """The free scores among the columns of a frame or a table, in the order of `FREE_SCORES`."""
    return [name for name in FREE_SCORES if name in columns]
