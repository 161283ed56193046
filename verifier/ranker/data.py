"""What a ranker learns from: the labelled candidates of graded runs, as rows of features.

    data = training_data(config, [Run.open("runs/held-out")])
    data.features, data.labels, data.questions

Only problems that none of the verifiers was trained on will do: on those that it was, a verifier
looks better than it is, and a ranker would learn to trust it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assay.pools.frame import load_frame, scored_by
from assay.pools.run import Run
from assay.problems.problem import question_hash
from assay.settings.errors import UserError
from assay.verifier.ranker.config import TrainRankerConfig
from assay.verifier.ranker.features import candidate_features
from assay.verifier.ranker.model_file import ReadVerifier
from assay.verifier.ranker.pool_features import pool_features
from assay.verifier.training_problems import FILE as PROBLEMS_FILE
from assay.verifier.training_problems import read_training_problems

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RankerData", "read_verifiers", "trained_on", "training_data"]


@dataclass(frozen=True)
class RankerData:
    """Labelled candidates, a row each (with `features=pool` one for each subset that it is in).

    `features` is a frame of float64; `labels` whether they are right; `questions` the hash of their
    question, `pools` the number of the pool that they were drawn of, `programs` whether they are
    programs, all of shape (rows,). `pool_size` is that of the subsets, or 0.
    """

    features: pd.DataFrame
    labels: NDArray[np.bool_]
    questions: NDArray[np.str_]
    pools: NDArray[np.int64]
    programs: NDArray[np.bool_]
    verifiers: tuple[ReadVerifier, ...]
    pool_size: int


def training_data(config: TrainRankerConfig, runs: Sequence[Run]) -> RankerData:
    """The labelled candidates of the runs, as a ranker reads them.

    Raises `UserError` where a verifier has not scored a run, where one was trained on problems of
    it (unless they are dropped), and where there are too few labelled candidates.
    """
    import pandas as pd

    verifiers = _same_verifiers(config, runs)
    frames, features = [], []
    for number, run in enumerate(runs):
        frame = load_frame(run, texts=True)
        hashes = {problem.id: question_hash(problem.question) for problem in run.problems}
        frame["question"] = frame["problem_id"].map(hashes)
        frame = frame[~frame["question"].isin(_seen(config, run))].reset_index(drop=True)
        if frame.empty:
            continue
        features.append(candidate_features(frame, config.verifiers))
        columns = ["question", "mode", "answer_class", "label"]
        frames.append(frame[columns].assign(problem_id=f"{number}/" + frame["problem_id"]))
    if not frames:
        raise UserError("train-ranker: no problems are left to learn from")
    frame = pd.concat(frames, ignore_index=True)
    table = pd.concat(features, ignore_index=True)
    size = 0
    if config.features == "pool":
        size = config.n or int(frame.groupby("problem_id").size().mode().max())
        rows, pools = _subsets(frame, size, config.draws, config.seed)
        frame = frame.iloc[rows].assign(problem_id=pools).reset_index(drop=True)
        table = table.iloc[rows].reset_index(drop=True)
        table = table.join(pool_features(frame, table))
    known = frame["label"].notna().to_numpy()
    frame, table = frame[known], table[known].reset_index(drop=True)
    # What no candidate has is no feature: a run that lacks it too is as good.
    table = table.dropna(axis="columns", how="all")
    return RankerData(
        features=table,
        labels=frame["label"].to_numpy(bool),
        questions=frame["question"].to_numpy(str),
        pools=pd.factorize(frame["problem_id"])[0].astype(np.int64),
        programs=(frame["mode"] == "pot").to_numpy(),
        verifiers=verifiers,
        pool_size=size,
    )


def _subsets(
    frame: pd.DataFrame, size: int, draws: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of random subsets of each problem's candidates, and the number of the subset of each.

    A subset holds `size` candidates, in equal shares of the modes that the problem has; all of a
    mode where there are fewer.
    """
    rng = np.random.default_rng([seed, 2])
    mode = frame["mode"].to_numpy()
    rows: list[NDArray[np.int64]] = []
    for own in frame.groupby("problem_id", sort=False).indices.values():
        groups = [own[mode[own] == name] for name in np.unique(mode[own])]
        share = -(-size // len(groups))
        most = max(len(group) for group in groups)
        # All that there is is the same subset every time.
        for _ in range(draws if share < most else 1):
            drawn = [rng.choice(g, min(share, len(g)), replace=False) for g in groups]
            rows.append(np.sort(np.concatenate(drawn)))
    numbers = np.repeat(np.arange(len(rows)), [len(own) for own in rows])
    return np.concatenate(rows), numbers


def read_verifiers(run: Run, wanted: Sequence[ReadVerifier]) -> dict[str, str]:
    """The names that these verifiers' scores have in a run, by the names that a ranker has.

    Scores of the same name are looked at first, then all: a verifier is known by its key. Raises
    `UserError` where a verifier has not scored the run, or not the whole of it.
    """
    found = {}
    for verifier in wanted:
        keys = {name: _key(run, name) for name in sorted(run.verifiers())}
        same = [name for name, key in keys.items() if key == dict(verifier.key)]
        if not same:
            known = ", ".join(keys) or "none"
            raise UserError(
                f"{run.path}: no scores by the verifier {verifier.name!r} that the ranker reads "
                f"(the run has: {known}); `assay score {run.path} verifier=… "
                f"name={verifier.name}` makes them"
            )
        found[verifier.name] = verifier.name if verifier.name in same else same[0]
    _check_whole(run, list(found.values()))
    return found


def _check_whole(run: Run, names: Sequence[str]) -> None:
    """Raises `UserError` for a verifier that has not scored every graded part."""
    graded = run.parts("answers") if "answers" in run.record["stages"] else []
    for name in names:
        done = len(run.parts(f"scores/{name}", graded))
        if done < len(graded):
            raise UserError(
                f"{run.path}: {name} has scored {done} of {len(graded)} parts; finish its "
                "`assay score` first"
            )


def _key(run: Run, name: str) -> dict[str, Any]:
    """What of the key of a verifier's scores says which verifier it is and how it scored."""
    key = run.key(f"scores/{name}")
    return {field: key[field] for field in ("verifier", "ranker", "aggregate") if field in key}


def _same_verifiers(config: TrainRankerConfig, runs: Sequence[Run]) -> tuple[ReadVerifier, ...]:
    """The verifiers, which must be the same in all runs."""
    found = []
    for name in config.verifiers:
        keys = []
        for run in runs:
            if name not in scored_by(run):
                known = ", ".join(scored_by(run)) or "none"
                raise UserError(f"{run.path}: no scores by {name!r} (the run has: {known})")
            keys.append(_key(run, name))
        for run, key in zip(runs, keys, strict=True):
            if "ranker" in key:
                raise UserError(f"verifiers: {name} is a ranker; expected verifiers")
            if key != keys[0]:
                raise UserError(
                    f"{run.path}: the scores {name} are not by the verifier, or not made as, those "
                    f"of {runs[0].path}"
                )
        found.append(ReadVerifier(name, keys[0]))
    for run in runs:
        _check_whole(run, config.verifiers)
    return tuple(found)


def trained_on(run: Run, verifier: str) -> set[str] | None:
    """Hashes of the questions that a verifier of the run was trained on; `None`: not known."""
    config: Mapping[str, Any] = run.record["stages"][f"scores/{verifier}"].get("config", {})
    folder = (config.get("verifier") or {}).get("name")
    return read_training_problems(Path(folder)) if folder else None


def _seen(config: TrainRankerConfig, run: Run) -> set[str]:
    """Hashes of the run's questions to leave out, because a verifier was trained on them."""
    asked = {question_hash(problem.question) for problem in run.problems}
    left_out: set[str] = set()
    for verifier in config.verifiers:
        known = trained_on(run, verifier)
        if known is None:
            print(
                f"note: {verifier} does not say which problems it was trained on (no "
                f"{PROBLEMS_FILE} in its folder): make sure that those of {run.path} are others",
                file=sys.stderr,
            )
            continue
        shared = asked & known
        if shared and config.seen == "refuse":
            raise UserError(
                f"{run.path}: {verifier} was trained on {len(shared)} of its {len(asked)} "
                "problems, where its scores look better than they are; give held-out problems, or "
                "seen=drop to leave those out"
            )
        left_out |= shared
    if left_out:
        print(
            f"note: {run.path}: {len(left_out)} problems left out that a verifier was trained on",
            file=sys.stderr,
        )
    return left_out
