"""Stopping rules on a run's pool: their frontier, what they save, and who stops when.

    found = replay_run(Run.open("runs/demo"), AdaptConfig(), frame)
    found.frame                     # a row per rule and threshold
    found.savings                   # a row per rule: at the accuracy of all candidates

The arithmetic is in `assay.selection` (`stopping`, `decisions`, `adaptive`, `savings`); here is
what candidates cost, and the tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.evaluation.adapt_request import (
    AdaptConfig,
    check_adapt,
    size_to_replay,
    thresholds_to_replay,
)
from assay.evaluation.costs import candidate_costs
from assay.evaluation.of_run import unfinished
from assay.pools.frame import score_scales
from assay.pools.progress import progress_bar
from assay.pools.run import Run
from assay.selection.adaptive import Costs, Outcome, Replay, ReplayPlan, replay_rules
from assay.selection.curves import Floats, has
from assay.selection.groups import FIFTHS, fifths, mean_in_group
from assay.selection.intervals import bootstrap_weights, interval, paired
from assay.selection.pool import PoolArrays, arranged
from assay.selection.request import scores_of
from assay.selection.savings import FIXED, Savings, at_equal_samples, savings
from assay.selection.stopping import RULES
from assay.selection.tuning import FOLDS, fold_of
from assay.settings.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Adaptive", "replay_pool", "replay_run", "tidy_replays"]

COST_NAMES = ("tokens", "flops")


@dataclass(frozen=True)
class Adaptive:
    """What a replay found.

    `frame` has a row per rule and threshold, and for the rule `fixed` per number of candidates:
    chooses (the selection rule), accuracy, low, high; difference to all candidates with
    difference_low, difference_high, p; samples, samples_low, samples_high, median, p90; rounds;
    tokens and flops (means per problem, NaN where unknown); saved (share of samples, low, high);
    gain, gain_low, gain_high (accuracy minus that of a fixed number that costs as many samples).
    `savings` has a row per rule, its threshold chosen by cross-fitting: the same columns, with
    threshold, threshold_low and threshold_high for what folds use. `difficulty` has a row per rule
    (so chosen) and fifth of the problems: samples with interval.
    """

    replay: Replay
    config: AdaptConfig
    verifier: str
    problems: int
    frame: pd.DataFrame
    savings: pd.DataFrame
    difficulty: pd.DataFrame
    notes: tuple[str, ...] = ()

    @property
    def rules(self) -> list[str]:
        """The rules replayed, in the order of tables."""
        return list(self.replay.plan.thresholds)

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON types (unknown numbers are null)."""
        plan = self.replay.plan
        tables = {
            "frontier": self.frame,
            "savings": self.savings,
            "difficulty": self.difficulty,
        }
        return {
            "problems": self.problems,
            "verifier": self.verifier or None,
            "modes": plan.mix,
            "most": plan.most,
            "round": plan.round_size,
            "draws": plan.draws,
            **{
                name: table.astype(object).where(table.notna(), None).to_dict("records")
                for name, table in tables.items()
            },
            "notes": list(self.notes),
        }


def replay_run(
    run: Run, config: AdaptConfig, frame: pd.DataFrame, *, progress: bool = False
) -> Adaptive:
    """Replays stopping rules on a run's pool; `frame` is what `load_frame` gave of it.

    `progress` shows a bar. Raises `UserError` as `replay_pool`.
    """
    pool = PoolArrays.from_frame(frame, unfinished(run), score_scales(run))
    verifier = scores_of(pool, config.verifier)[0]
    spent, notes = candidate_costs(run, verifier, frame)
    columns = ("tokens", "sampling_flops", "prompt_flops", "scoring_flops", "question_flops")
    names = {f"cost:{name}": spent[name].to_numpy() for name in columns}
    costs = arranged(frame.assign(**names), list(names))
    tokens, sampling, prompt, scoring, question = (costs[name] for name in names)
    return replay_pool(
        pool,
        config,
        {"tokens": Costs(tokens), "flops": Costs(sampling, prompt, scoring, question)},
        [note for note in notes if note.startswith("FLOPs")],
        progress=progress,
    )


def replay_pool(
    pool: PoolArrays,
    config: AdaptConfig,
    costs: Mapping[str, Costs] | None = None,
    notes: Sequence[str] = (),
    *,
    progress: bool = False,
) -> Adaptive:
    """Replays stopping rules on a pool, with what candidates cost by name.

    Raises `UserError` for a configuration that means nothing, a rule asked for by name whose scores
    are missing or not between 0 and 1, and a pool without labels.
    """
    check_adapt(config)
    if not pool.labelled.any():
        raise UserError("adapt: no candidate has a label; the problems need reference answers")
    mix, most = size_to_replay(pool, config)
    verifier, scores = scores_of(pool, config.verifier)
    thresholds, left_out = thresholds_to_replay(pool, scores, config, most)
    if not any(RULES[rule].scored for rule in thresholds):
        verifier, scores = "", None
    held = np.broadcast_to(has(pool, mix)[:, None], pool.present.shape) & pool.present
    known = {
        name: own
        for name, own in (costs or {}).items()
        if not np.isnan(own.each[held]).any() and not np.isnan(own.once + 0 * own.each)[held].any()
    }
    plan = ReplayPlan(thresholds, mix, most, config.round, config.draws, config.seed, known)
    with progress_bar(int(has(pool, mix).sum()), "replay", shown=progress) as bar:
        replay = replay_rules(pool, plan, scores, bar.update)
    weights = bootstrap_weights(len(pool.problem_ids), config.bootstrap, config.seed)
    chosen = _chosen(replay, config)
    return Adaptive(
        replay,
        config,
        verifier,
        int(has(pool, mix).sum()),
        _frame(replay, weights),
        _savings_frame(replay, chosen, weights),
        _difficulty(pool, replay, chosen, weights, config.seed),
        (*left_out, *notes),
    )


def _chosen(replay: Replay, config: AdaptConfig) -> dict[tuple[str, str], Savings]:
    """What each rule does at its cross-fitted thresholds, by rule and how it chooses."""
    problems = len(replay.fixed_samples[0])
    folds = fold_of(problems, config.seed) if problems >= 2 * FOLDS else np.zeros(problems, int)
    margin = config.margin / 100
    found = {}
    for chooses in replay.plan.chooses:
        found[FIXED, chooses] = savings(replay, FIXED, folds, margin, chooses)
        for rule in replay.plan.thresholds:
            if RULES[rule].chooses == chooses:
                found[rule, chooses] = savings(replay, rule, folds, margin)
    return found


def _frame(replay: Replay, weights: Floats) -> pd.DataFrame:
    import pandas as pd

    plan = replay.plan
    rows = []
    for chooses in plan.chooses:
        scored = chooses != "majority"
        ns = sorted({*(1 << i for i in range(plan.most.bit_length())), plan.most})
        for n in (n for n in ns if n <= plan.most):
            samples = replay.fixed_samples[n - 1]
            spent = {name: replay.fixed_costs[name, scored][n - 1] for name in plan.costs}
            fixed = Outcome(
                replay.fixed[chooses][n - 1], samples, np.ones(1), spent, np.zeros(1, np.int64)
            )
            rows.append(_row(replay, FIXED, chooses, float(n), fixed, weights))
    for (rule, threshold), outcome in replay.outcomes.items():
        rows.append(_row(replay, rule, RULES[rule].chooses, threshold, outcome, weights))
    return pd.DataFrame(rows)


def _row(
    replay: Replay,
    rule: str,
    chooses: str,
    threshold: float,
    found: Outcome | Savings,
    weights: Floats,
) -> dict[str, Any]:
    """A row of `Adaptive.frame`."""
    accuracy = interval(found.accuracy, weights)
    difference = paired(found.accuracy, replay.fixed[chooses][-1], weights)
    samples, all_samples = interval(found.samples, weights), replay.fixed_samples[-1]
    low, high = _saved_interval(found.samples, all_samples, weights)
    gain = paired(found.accuracy, at_equal_samples(replay, chooses, samples.value), weights)
    quantiles = {"median": np.nan, "p90": np.nan}
    if isinstance(found, Outcome):
        if rule == FIXED:
            quantiles = {
                name: float(np.nanquantile(found.samples, share, method="inverted_cdf"))
                for name, share in (("median", 0.5), ("p90", 0.9))
            }
        else:
            quantiles = {"median": found.quantile(0.5), "p90": found.quantile(0.9)}
    return {
        "rule": rule,
        "threshold": threshold,
        "chooses": chooses,
        "accuracy": accuracy.value,
        "low": accuracy.low,
        "high": accuracy.high,
        "difference": difference.value,
        "difference_low": difference.low,
        "difference_high": difference.high,
        "p": difference.p,
        "samples": samples.value,
        "samples_low": samples.low,
        "samples_high": samples.high,
        **quantiles,
        "rounds": float(np.nanmean(found.rounds)),
        **{
            name: _mean(found.costs[name]) if name in found.costs else np.nan for name in COST_NAMES
        },
        "saved": 1 - samples.value / float(np.nanmean(all_samples)),
        "saved_low": low,
        "saved_high": high,
        "gain": gain.value,
        "gain_low": gain.low,
        "gain_high": gain.high,
    }


def _mean(costs: Floats) -> float:
    """The mean over the problems of which it is known; NaN where it is of none."""
    return np.nan if np.isnan(costs).all() else float(np.nanmean(costs))


def _saved_interval(samples: Floats, whole: Floats, weights: Floats) -> tuple[float, float]:
    """The 95 % interval of the share saved: a ratio of sums in each resample of the problems."""
    held = ~np.isnan(whole)
    below = weights @ np.where(held, whole, 0.0)
    above = weights @ np.where(held, samples, 0.0)
    low, high = np.quantile(1 - above[below > 0] / below[below > 0], [0.025, 0.975])
    return float(low), float(high)


def _savings_frame(
    replay: Replay, chosen: Mapping[tuple[str, str], Savings], weights: Floats
) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for (rule, chooses), found in chosen.items():
        thresholds = sorted(found.chosen)
        typical = max(thresholds, key=thresholds.count)
        row = _row(replay, rule, chooses, typical, found, weights)
        for name in ("median", "p90"):
            del row[name]
        row |= {f"{name}_saved": np.nan for name in COST_NAMES}
        for name in replay.plan.costs:
            whole = replay.fixed_costs[name, chooses != "majority"][-1]
            row[f"{name}_saved"] = 1 - row[name] / _mean(whole)
        rows.append({**row, "threshold_low": thresholds[0], "threshold_high": thresholds[-1]})
    return pd.DataFrame(rows)


def _difficulty(
    pool: PoolArrays,
    replay: Replay,
    chosen: Mapping[tuple[str, str], Savings],
    weights: Floats,
    seed: int,
) -> pd.DataFrame:
    """Mean samples in each fifth of the problems, by the share of right candidates in the pool."""
    import pandas as pd

    names = ["rule", "chooses", "group", "samples", "low", "high"]
    held = ~np.isnan(replay.fixed_samples[-1])
    rows = []
    if held.sum() >= len(FIFTHS):
        rate = pool.labels.sum(axis=1) / np.maximum(pool.present.sum(axis=1), 1)
        fifth = np.full(len(held), -1)
        fifth[held] = fifths(rate[held], seed)
        for (rule, chooses), found in chosen.items():
            for group, label in enumerate(FIFTHS):
                members = (fifth == group).astype(np.float64)
                sums = np.where(members > 0, found.samples, 0.0)
                mean = mean_in_group(sums, members, weights)
                rows.append((rule, chooses, label, mean.value, mean.low, mean.high))
    return pd.DataFrame(rows, columns=pd.Index(names))


def tidy_replays(found: Mapping[str, Adaptive]) -> dict[str, pd.DataFrame]:
    """The tables of replays by run, as files have them; of several with a column `run`.

    `stopping` (a row per rule and threshold), `stopping_savings`, `stopping_difficulty`.
    """
    import pandas as pd

    tables = {}
    for name, attribute in (
        ("stopping", "frame"),
        ("stopping_savings", "savings"),
        ("stopping_difficulty", "difficulty"),
    ):
        frames = [getattr(each, attribute) for each in found.values()]
        if len(found) > 1:
            frames = [
                frame.assign(run=run)[["run", *frame.columns]]
                for run, frame in zip(found, frames, strict=True)
            ]
        tables[name] = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
    return tables
