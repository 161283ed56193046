"""What an evaluation is asked for: its configuration, its rules' names, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.problems.problem import MODES
from assay.selection import rules as selection
from assay.selection.curves import Mix
from assay.selection.free import FREE_SCORES
from assay.selection.names import (
    ALWAYS,
    MIX_LABELS,
    MODE_WORDS,
    RULE_LABELS,
    SCORED_RULES,
    count,
)
from assay.selection.pool import PoolArrays, orders
from assay.selection.scale import CALIBRATIONS
from assay.settings.errors import UserError

__all__ = [
    "EvaluateConfig",
    "applicable",
    "check_config",
    "grids",
    "numbers",
    "score_notes",
    "scores_of",
    "sizes_of",
    "voter_notes",
]

LISTED = 3  # problems named in a note


@dataclass
class EvaluateConfig:
    """How a pool is evaluated."""

    n: list[int] = field(default_factory=list)
    """numbers of candidates to evaluate at; empty = powers of two up to the pool's size"""
    rules: list[str] = field(default_factory=list)
    """shortest, logprob, best_of_n, weighted, top_k, weighted_top_k, hybrid, beside the single
    sample, the majority and pass@n; empty = all of these that the pool has the numbers for. By name
    only: the free scores min_logprob, self_certainty, token_confidence, lowest_confidence,
    bottom_confidence, tail_confidence, entropy, margin"""
    k: int | str = 0
    """candidates that vote in top-k; 0 = half the square root of n, at least 3; auto = chosen for
    each n on other problems, those of `tune` or by cross-fitting"""
    transform: str = "auto"
    """of the scores into weights of the weighted votes: auto (none of probabilities, sigmoid of
    log-odds, softmax of rewards, which lie below 0 or above 1) | none (negative ones count 0) |
    sigmoid | rank | softmax"""
    softmax_temperature: float | str = 1.0
    """temperature of the softmax transform; auto = chosen as k is"""
    calibration: str = "none"
    """what makes probabilities of scores for the Brier score and the calibration: none (rewards
    then have neither) | platt | isotonic, both cross-fitted over the problems"""
    draws: int = 200
    """random subsets of each problem's candidates at each n"""
    error: float = 0.0
    """wanted standard error of what is estimated over subsets: as many more are drawn, up to a
    hundred times draws; 0 = draws as they are"""
    bootstrap: int = 1000
    """bootstrap resamples of the problems for the 95 % intervals and the p-values, which are at
    least 2 / (this + 1)"""
    short: str = "use"
    """problems with fewer candidates than the others: use (all that they have) | refuse"""
    by: list[str] = field(default_factory=list)
    """break accuracy down by: difficulty (fifths by the generator's solve rate), origin"""
    seed: int = 0
    """seed of the subsets, the tie-breaks, the folds and the resamples"""
    verifier: str = ""
    """verifier whose scores to use; empty = the only one"""


BREAKDOWNS = ("difficulty", "origin")


def check_config(config: EvaluateConfig) -> None:
    """Raises `UserError` for the first key with a value that means nothing."""

    def refuse(key: str, value: object, expected: str) -> None:
        raise UserError(f"evaluate: {key}={value}, expected {expected}")

    if isinstance(config.k, str) and config.k != "auto":
        refuse("k", config.k, "a number or auto")
    heat = config.softmax_temperature
    if heat != "auto" and (isinstance(heat, str) or not 0 < heat < float("inf")):
        refuse("softmax_temperature", heat, "a number above 0 or auto")
    for name, least in (("k", 0), ("draws", 1), ("bootstrap", 1), ("error", 0)):
        value = getattr(config, name)
        if value != "auto" and not value >= least:
            refuse(name, value, f"at least {least}")
    for n in config.n:
        if n < 1:
            refuse("n", n, "at least 1")
    choices = {
        "transform": ([config.transform], ("auto", *selection.TRANSFORMS)),
        "calibration": ([config.calibration], tuple(CALIBRATIONS)),
        "short": ([config.short], ("use", "refuse")),
        "by": (config.by, BREAKDOWNS),
        "rules": (config.rules, tuple(RULE_LABELS)),
    }
    for key, (given, known) in choices.items():
        for value in given:
            if value not in known:
                refuse(key, value, f"one of {', '.join(known)}")


def scores_of(pool: PoolArrays, verifier: str) -> tuple[str, NDArray[np.float32] | None]:
    """The verifier's name and its scores, shape (P, S); "" and None where a pool has none.

    Of a verifier whose scores cannot be used (`PoolArrays.left_out`) there are none. Raises
    `UserError` for an unknown verifier, and for several without a choice.
    """
    known = ", ".join(f"'{name}'" for name in (*pool.scores, *pool.left_out)) or "none"
    if verifier and verifier not in {*pool.scores, *pool.left_out}:
        raise UserError(f"evaluate: no scores by verifier '{verifier}' (the pool has: {known})")
    if not pool.scores or verifier in pool.left_out:
        return "", None
    if not verifier and len(pool.scores) > 1:
        raise UserError(f"evaluate: choose one with verifier=… (the pool has scores by {known})")
    name = verifier or next(iter(pool.scores))
    return name, pool.scores[name]


def score_notes(pool: PoolArrays, verifier: str) -> list[str]:
    """What is missing of scores: verifiers that are left out, candidates that `verifier` lacks."""
    notes = [f"scores by {name} left out: {why}" for name, why in pool.left_out.items()]
    if verifier:
        without = pool.present & ~np.isfinite(pool.scores[verifier])
        of = {mode: int((without & pool.of_mode(mode)).sum()) for mode in pool.mode_names}
        told = ", ".join(f"{number:,} {MODE_WORDS[mode]}" for mode, number in of.items() if number)
        if told:
            total = int(pool.present.sum())
            notes.append(
                f"{int(without.sum()):,} of {count(total, 'candidate')} without a score by "
                f"{verifier} ({told}): left out of the rules that need scores"
            )
    return notes


def applicable(
    pool: PoolArrays, scores: NDArray[Any] | None, config: EvaluateConfig
) -> tuple[list[str], list[str]]:
    """The rules to evaluate, in the order of tables, and notes on those left out.

    Raises `UserError` for one that was asked for by name and that the pool has no numbers for.
    """
    answered = pool.present & (pool.classes >= 0)
    unknown = {
        rule: int((answered & ~np.isfinite(own)).sum()) for rule, own in orders(pool, None).items()
    }
    lacking = {
        rule: f"{count(unknown[rule], 'answer')} of {answered.sum():,} without "
        f"{_NUMBERS.get(rule, 'this score')}"
        for rule in unknown
        if unknown[rule]
    }
    lacking |= {
        rule: "not recorded (`assay sample … sampling.confidence=true` does it)"
        for rule in FREE_SCORES
        if rule not in pool.free
    }
    if scores is None:
        lacking |= dict.fromkeys(SCORED_RULES, _no_scores(pool, config.verifier))
    if len(pool.mode_names) < len(MODES):
        lacking["hybrid"] = "the pool has one mode"
    for rule in config.rules:
        if rule in lacking:
            raise UserError(f"evaluate: rules: {rule}: {lacking[rule]}")
    wanted = {*ALWAYS, *(config.rules or {*RULE_LABELS} - {*FREE_SCORES})}
    names = [rule for rule in RULE_LABELS if rule in wanted and rule not in lacking]
    # Where nothing is known of any answer there is no rule to miss.
    notes = [
        f"{RULE_LABELS[rule]} left out: {lacking[rule]}"
        for rule in unknown
        if 0 < unknown[rule] < answered.sum() and rule in wanted
    ]
    return names, notes


_NUMBERS = {"logprob": "a log-probability", "shortest": "a number of tokens"}


def _no_scores(pool: PoolArrays, verifier: str) -> str:
    """Why there are no scores to choose by."""
    left_out = {n: why for n, why in pool.left_out.items() if verifier in ("", n)}
    told = "; ".join(f"scores by '{name}': {why}" for name, why in left_out.items())
    return told or "the pool has no scores"


def sizes_of(pool: PoolArrays) -> dict[Mix, int]:
    """The candidates per problem of each mode, and of both: in equal shares where there are both.

    A problem with candidates of one mode alone gives as many to both; the size is that of most
    problems, the larger of equals.
    """
    sizes: dict[Mix, int] = {mode: pool.size(mode) for mode in pool.mode_names}
    if len(sizes) == len(MODES):
        holders = {mode: pool.of_mode(mode).any(axis=1) for mode in MODES}
        every = np.logical_and.reduce(list(holders.values()))
        votes = {2 * min(sizes.values()): int(every.sum())}
        for mode, held in holders.items():
            votes[sizes[mode]] = votes.get(sizes[mode], 0) + int((held & ~every).sum())
        sizes["both"] = max(votes, key=lambda size: (votes[size], size))
    return sizes


def grids(
    pool: PoolArrays, config: EvaluateConfig
) -> tuple[dict[Mix, int], dict[Mix, list[int]], list[str]]:
    """Sizes by modes, the n to estimate for each, and notes on modes and problems with too few.

    Raises `UserError` where no modes give the n wanted, or problems are short and refused.
    """
    sizes = sizes_of(pool)
    grid = {mix: _grid(config.n, size, sizes) for mix, size in sizes.items()}
    if not any(grid.values()):
        raise UserError(
            f"evaluate: n={min(config.n)} is more than the {max(sizes.values())} candidates per "
            "problem that the pool holds"
        )
    notes = []
    for mix, ns in grid.items():
        over = sorted({n for n in config.n if n not in ns})
        if over:
            where = f" at n = {numbers(over)}" if ns else ""
            notes.append(
                f"{MIX_LABELS[mix]}{where} left out: it has no more than "
                f"{count(sizes[mix], 'candidate')} per problem"
            )
    return (
        sizes,
        {mix: ns for mix, ns in grid.items() if ns},
        [*notes, *_lacking(pool), *_short(pool, sizes, config)],
    )


def _grid(wanted: list[int], size: int, sizes: Mapping[Mix, int]) -> list[int]:
    """The n to estimate up to `size`: those wanted, or the powers of two and every mode's size."""
    powers = [1 << exponent for exponent in range(size.bit_length())]
    return sorted({n for n in wanted or [*powers, *sizes.values()] if n <= size})


def _lacking(pool: PoolArrays) -> list[str]:
    """Notes on modes of which only some problems have candidates."""
    return [
        f"{MIX_LABELS[mode]}: over the {count(len(own), 'problem')} with such candidates, of "
        f"{len(pool.problem_ids):,}"
        for mode in pool.mode_names
        if len(own := np.flatnonzero(pool.of_mode(mode).any(axis=1))) < len(pool.problem_ids)
    ]


def voter_notes(
    config: EvaluateConfig, grid: Mapping[Mix, list[int]], names: list[str]
) -> list[str]:
    """A note where more voters were asked for than there are candidates."""
    if config.k == "auto" or not {"top_k", "weighted_top_k"} & set(names):
        return []
    fewer = sorted({n for ns in grid.values() for n in ns if 1 < n < int(config.k)})
    if not fewer:
        return []
    return [f"k={config.k} is more than n = {numbers(fewer)}: there all of them vote"]


def _short(pool: PoolArrays, sizes: Mapping[Mix, int], config: EvaluateConfig) -> list[str]:
    """Notes on problems with fewer candidates than most, the first of them named.

    Those without any of a mode are told by `_lacking`, but refused here too.
    """
    notes = []
    for mode in pool.mode_names:
        counts = pool.of_mode(mode).sum(axis=1)
        least = 0 if config.short == "refuse" else 1
        short = np.flatnonzero((counts >= least) & (counts < sizes[mode]))
        if not len(short):
            continue
        named = ", ".join(pool.problem_ids[p] for p in short[:LISTED])
        more = ", …" * (len(short) > LISTED)
        fewer = (
            f"{count(len(short), 'problem')} with fewer than {sizes[mode]} {MODE_WORDS[mode]} "
            f"candidates ({named}{more})"
        )
        if config.short == "refuse":
            raise UserError(f"evaluate: {fewer}; short=use takes all that they have")
        notes.append(f"{fewer}; all of theirs are used")
    return notes


def numbers(numbers: list[int]) -> str:
    """`3, 5, 9`; of many the first and the last."""
    few = numbers if len(numbers) <= 2 * LISTED else [*numbers[:LISTED], "…", numbers[-1]]
    return ", ".join(map(str, few))
