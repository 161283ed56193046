"""Scores that hold for whole pools alone: those of rankers that read how a candidate stands.

Such a score (`assay train-ranker features=pool`) was computed among all candidates of a problem; in
a random subset of n of them it would tell of the others what a real pool of n does not know. So a
curve over n cannot be made of it: rules are shown for all the candidates together and nowhere else.

    settings, notes = for_whole_pools(run, pool, settings, ["p"])
    evaluate(pool, settings)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from assay.pools.run import Run
from assay.selection.pool import PoolArrays
from assay.selection.request import EvaluateConfig, sizes_of
from assay.settings.errors import UserError

__all__ = ["about_ranker", "for_whole_pools"]


def about_ranker(run: Run, name: str) -> dict[str, Any]:
    """What a run's record tells of the ranker behind scores; empty where it is a verifier.

    `importance`: rows of a feature's (or group's) name, number of features, drop and error;
    `pool_size`: 0, or the number of candidates of a problem that it was trained for.
    """
    entry = run.record["stages"].get(f"scores/{name}", {})
    return entry.get("config", {}).get("about") or {}


def for_whole_pools(
    run: Run, pool: PoolArrays, config: EvaluateConfig, names: Sequence[str]
) -> tuple[EvaluateConfig, tuple[str, ...]]:
    """The configuration at the n that scores by `names` hold at, and notes that say so.

    As it is where none of them is bound to whole pools. Raises `UserError` for another n that was
    asked for, and where the modes' shares differ, so that no rule is given the whole pool.
    """
    names = names if any(names) else list(pool.scores)
    bound = [name for name in names if about_ranker(run, name).get("pool_size")]
    if not bound:
        return config, ()
    told = f"scores by {bound[0]} read how a candidate stands among all of its problem"
    counts, times = np.unique(pool.present.sum(axis=1), return_counts=True)
    whole, most = int(counts[times.argmax()]), max(sizes_of(pool).values())
    if whole != most:
        raise UserError(
            f"{run.path}: {told}, but rules take modes in equal shares and get {most} of "
            f"{whole}; choose another with verifier=…"
        )
    other = [n for n in config.n if n != whole]
    if other:
        raise UserError(f"n={other[0]}: {told}, at n = {whole}; other n: another with verifier=…")
    trained = about_ranker(run, bound[0])["pool_size"]
    notes = [f"{told}: shown at n = {whole} alone"]
    if trained != whole:
        notes.append(f"{bound[0]} was trained for {trained} candidates of a problem, not {whole}")
    return dataclasses.replace(config, n=[whole]), tuple(notes)
