"""Sampling until a stopping rule has decided: what is asked for, and which problems go on.

    until = resolved(UntilConfig(rule="beta", round=8), most=64, modes=2)
    decided(until, classes)              # classes of shape (P, n), in the order of sampling

Decisions are those of a replay over the same candidates (`selection/decisions.py`).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.selection.decisions import Seen, stops
from assay.selection.stopping import CERTAIN, RULES, checkpoints
from assay.settings.errors import UserError

__all__ = ["UntilConfig", "decided", "resolved", "rounds_of", "told"]


@dataclass
class UntilConfig:
    """When a problem has enough samples."""

    rule: str = ""
    """certain | beta | dirichlet | crp | window | doubling, and where a verifier scores at once
    score | best (docs/adaptive.md); empty = every problem gets the same number"""
    threshold: float = 0.0
    """the rule's threshold; 0 = its usual one"""
    round: int = 8
    """samples of each problem between two looks, shared equally among the modes"""
    most: int = 0
    """samples at which every problem stops, all modes together; 0 = as many as modes say"""


def resolved(until: UntilConfig, most: int, modes: int, *, scored: bool = False) -> UntilConfig:
    """The configuration with its defaults filled in; `most` where it does not say.

    `scored`: rules that need scores may be asked for. Raises `UserError` for one that means
    nothing, and where rounds cannot be shared equally among the modes.
    """

    def refuse(key: str, value: object, expected: str) -> None:
        raise UserError(f"until.{key}={value}: expected {expected}")

    known = [name for name, rule in RULES.items() if scored or not rule.scored]
    if until.rule not in known:
        more = "" if scored else " (score and best only where a verifier scores)"
        refuse("rule", until.rule, f"one of {', '.join(known)}{more}")
    rule = RULES[until.rule]
    found = dataclasses.replace(
        until, threshold=until.threshold or rule.usual or 0.0, most=until.most or most
    )
    if until.rule == "window" and not (found.threshold >= 2 and found.threshold % 1 == 0):
        refuse("threshold", found.threshold, "the size of a window: a whole number of 2 or more")
    if until.rule == "best" and not until.threshold:
        refuse("threshold", 0, "the score that is enough; assay adapt shows what each saves")
    if until.rule not in ("window", "best", CERTAIN) and not 0 < found.threshold <= 1:
        refuse("threshold", found.threshold, "a number above 0 and up to 1")
    for key in ("round", "most"):
        value = getattr(found, key)
        if value < 1 or value % modes:
            refuse(key, value, f"a multiple of {modes}, the number of modes")
    if found.round > found.most:
        refuse("round", found.round, f"at most {found.most}, the samples at which all stop")
    return found


def rounds_of(until: UntilConfig) -> list[tuple[int, int]]:
    """From which to which sample each round goes, all modes together.

    >>> rounds_of(UntilConfig("beta", 0.95, 8, 20)), rounds_of(UntilConfig("doubling", 0.75, 8, 32))
    ([(0, 8), (8, 16), (16, 20)], [(0, 8), (8, 16), (16, 32)])
    """
    points = checkpoints(until.rule, until.most, until.round)
    return list(zip([0, *points[:-1]], points, strict=True))


def decided(
    until: UntilConfig,
    classes: NDArray[np.integer[Any]],
    scores: NDArray[np.floating[Any]] | None = None,
) -> NDArray[np.bool_]:
    """Which problems ask for no more, shape (P,).

    `classes`, shape (P, n), are all of their answer classes so far (−1: none) in the order of
    sampling, both modes in turns; `scores` alike, where the rule needs them.
    """
    own = None if scores is None else scores.T
    seen = Seen(classes.T, np.zeros(classes.T.shape, bool), own, until.most, until.round)
    return np.asarray(stops(until.rule, [until.threshold], seen).ends[0] > 0)


def told(until: UntilConfig) -> str:
    """The rule for people: `beta 0.95 in rounds of 8, at most 64`."""
    at = "" if until.rule == CERTAIN else f" {until.threshold:g}"
    return f"{RULES[until.rule].label}{at} in rounds of {until.round}, at most {until.most}"
