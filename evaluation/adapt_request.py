"""What a replay of stopping rules is asked for: its configuration, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from assay.selection.curves import Mix
from assay.selection.names import MIX_LABELS, count
from assay.selection.pool import PoolArrays
from assay.selection.request import sizes_of
from assay.selection.rules import eligible
from assay.selection.stopping import CERTAIN, RULES
from assay.settings.errors import UserError

__all__ = ["AdaptConfig", "check_adapt", "size_to_replay", "thresholds_to_replay"]

# States (orders × rounds) up to which the Dirichlet rule is replayed without being asked for.
DIRICHLET_STATES = 20_000_000


@dataclass
class AdaptConfig:
    """How stopping rules are replayed on a pool."""

    rules: list[str] = field(default_factory=list)
    """certain (always), beta, dirichlet, crp, window, doubling, score, best; empty = all but crp
    that the pool has the numbers for"""
    thresholds: list[float] = field(default_factory=list)
    """thresholds of the rules asked for, instead of those that are tried: confidences of beta,
    dirichlet and crp, shares of doubling and score, sizes of window, scores of best"""
    modes: str = ""
    """cot, pot or both; empty = the last that the pool has"""
    most: int = 0
    """candidates at which every rule stops; 0 = as many as the pool has"""
    round: int = 1
    """candidates that are asked for together, between two looks; with both modes even, or 1"""
    margin: float = 0.1
    """points of accuracy that may be missing where a threshold is chosen (by cross-fitting)"""
    draws: int = 200
    """random orders of each problem's candidates"""
    bootstrap: int = 1000
    """bootstrap resamples of the problems for the 95 % intervals"""
    seed: int = 0
    """seed of the orders, the folds and the resamples"""
    verifier: str = ""
    """verifier whose scores to use; empty = the only one"""


def check_adapt(config: AdaptConfig) -> None:
    def refuse(key: str, value: object, expected: str) -> None:
        raise UserError(f"adapt: {key}={value}: expected {expected}")

    for rule in config.rules:
        if rule not in RULES:
            refuse("rules", rule, f"one of {', '.join(RULES)}")
    if config.modes not in ("", *MIX_LABELS):
        refuse("modes", config.modes, f"one of {', '.join(MIX_LABELS)}")
    for key, least in (("most", 0), ("round", 1), ("draws", 1), ("bootstrap", 1), ("margin", 0)):
        if not getattr(config, key) >= least:
            refuse(key, getattr(config, key), f"at least {least}")
    if config.thresholds and not set(config.rules) - {CERTAIN}:
        refuse("thresholds", config.thresholds, "the rules that they are of too, as rules=[beta]")
    for rule in config.rules if config.thresholds else ():
        for value in config.thresholds:
            if rule == "window" and not (value >= 2 and float(value).is_integer()):
                refuse("thresholds", value, "sizes of windows: whole numbers of 2 or more")
            if rule not in ("window", "best", CERTAIN) and not 0 < value <= 1:
                refuse("thresholds", value, f"numbers above 0 and up to 1 for the rule {rule}")


def size_to_replay(pool: PoolArrays, config: AdaptConfig) -> tuple[Mix, int]:
    """The modes and the most candidates that are replayed."""
    sizes = sizes_of(pool)
    mix: Mix = [*sizes][-1]
    for known in sizes:
        if config.modes == known:
            mix = known
    if config.modes and config.modes != mix:
        raise UserError(f"adapt: modes={config.modes}: the pool has {', '.join(sizes)}")
    most = config.most or sizes[mix]
    if most > sizes[mix]:
        raise UserError(
            f"adapt: most={most}: the pool has {count(sizes[mix], 'candidate')} per problem"
        )
    if most < 2:
        raise UserError("adapt: the pool has one candidate per problem: there is nothing to stop")
    if config.round > most:
        raise UserError(f"adapt: round={config.round}: expected at most {most}, all candidates")
    if mix == "both" and config.round > 1 and config.round % 2:
        raise UserError(
            f"adapt: round={config.round}: expected an even number, half CoT and half PoT, or 1"
        )
    return mix, most


def thresholds_to_replay(
    pool: PoolArrays, scores: Any, config: AdaptConfig, most: int
) -> tuple[dict[str, list[float]], list[str]]:
    """The rules to replay with their thresholds, and notes on those left out."""
    asked = [rule for rule in RULES if rule in config.rules or rule == CERTAIN]
    if not config.rules:
        asked = [rule for rule in RULES if rule != "crp"]
    found: dict[str, list[float]] = {}
    notes = []
    for rule in asked:
        why = _unusable(rule, pool, scores, config, most)
        if why and rule in config.rules:
            raise UserError(f"adapt: rules: {rule}: {why}")
        if why:
            # Where there is no verifier, nobody misses its rules.
            if scores is not None or not RULES[rule].scored:
                notes.append(f"{RULES[rule].label} left out: {why}")
            continue
        found[rule] = _ladder(rule, pool, scores, config, most)
    return {rule: values for rule, values in found.items() if values}, notes


def _unusable(rule: str, pool: PoolArrays, scores: Any, config: AdaptConfig, most: int) -> str:
    """Why a rule cannot be replayed here, or not without being asked for; else empty."""
    if rule == "dirichlet" and not config.rules:
        states = len(pool.problem_ids) * config.draws * (most // config.round)
        if states > DIRICHLET_STATES:
            return "it takes minutes here; rules=[dirichlet] round=8 replays it"
    if not RULES[rule].scored:
        return ""
    if scores is None:
        why = [f"scores by {name}: {reason}" for name, reason in pool.left_out.items()]
        return "; ".join(why) or "the pool has no scores"
    held = scores[eligible(pool.classes, scores)]
    if not len(held):
        return "no candidate has an answer and a score"
    if rule == "score" and not (held.min() >= 0 and held.max() <= 1):
        return (
            f"it needs scores between 0 and 1, and these go from {held.min():.3g} to "
            f"{held.max():.3g}"
        )
    return ""


def _ladder(
    rule: str, pool: PoolArrays, scores: Any, config: AdaptConfig, most: int
) -> list[float]:
    """The thresholds to replay, ascending."""
    if rule == CERTAIN:
        return list(RULES[rule].thresholds)
    values = config.thresholds or list(RULES[rule].thresholds)
    if rule == "best" and not config.thresholds:
        held = scores[eligible(pool.classes, scores)]
        values = np.quantile(held, np.linspace(0.5, 0.995, 20)).round(6).tolist()
    if RULES[rule].whole and not config.thresholds:
        values = [value for value in values if value <= most]
    return sorted({float(value) for value in values})
