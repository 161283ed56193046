"""What a number of candidates costs: FLOPs of generator and verifier together, and seconds.

Both are expectations over the random subsets that accuracies are expected over, and exact: the cost
of a subset is a sum over its candidates, so its expectation is n times the mean over the pool, per
problem and mode. To this comes what is paid once: the generator's prompt, for each mode (and each
member of a mixture) that the subset holds, and the verifier's question for each mode. Only rules
that read scores pay for the verifier, and none does at n = 1, where there is nothing to choose.

- FLOPs are those of `generator/flops.py`, as if every candidate was sampled and read on its own
  behind a shared prompt. A verifier that reads equal texts once does less.
- Seconds are those of the workers that made the parts, added up: a part's seconds are divided among
  its candidates, sampling and scoring by their tokens, grading equally. They are of the machines,
  the batches and the number of samples of this run; labelling, a part of grading, is included.
- Nothing is counted for training.

    evaluation = with_costs(evaluate(pool), run)    # columns `flops` and `seconds` in its frame
    equal_flops(evaluation)                         # the verifier against more votes, same FLOPs
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assay.generator.flops import ModelShape, model_shape
from assay.generator.models import ModelConfig
from assay.pools.frame import load_frame
from assay.pools.run import Part, Run
from assay.problems.problem import MODES
from assay.selection.curves import Floats, Mix, pass_at_k, ways
from assay.selection.evaluate import Evaluation
from assay.selection.intervals import bootstrap_weights, interval
from assay.selection.names import SCORED_RULES

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["candidate_costs", "costs", "equal_flops", "with_costs"]

# What is paid for every candidate; where it is scored, `_SCORED` too.
_GENERATED = ("tokens", "sampling_flops", "sampling_seconds", "grading_seconds")
_SCORED = ("scoring_flops", "scoring_seconds")
_COUNTS = ("tokens", "prompt_tokens")
_VERIFIER_COUNTS = ("verifier_tokens", "verifier_prompt_tokens")


def with_costs(evaluation: Evaluation, run: Run, frame: pd.DataFrame | None = None) -> Evaluation:
    """The evaluation with columns `flops` and `seconds`, means per problem, in its frame.

    NaN where they cannot be known, with a note that says why. `frame` as for `candidate_costs`.
    """
    candidates, notes = candidate_costs(run, evaluation.verifier, frame)
    spent = costs(candidates, evaluation).set_index(["modes", "n", "verifier"])
    accuracy = evaluation.frame
    verified = accuracy["rule"].isin(SCORED_RULES) & (accuracy["n"] > 1)
    rows = spent.reindex(list(zip(accuracy["modes"], accuracy["n"], verified, strict=True)))
    accuracy = accuracy.assign(flops=rows["flops"].to_numpy(), seconds=rows["seconds"].to_numpy())
    return dataclasses.replace(evaluation, frame=accuracy, notes=(*evaluation.notes, *notes))


def costs(candidates: pd.DataFrame, evaluation: Evaluation) -> pd.DataFrame:
    """Expected costs per problem of n candidates: a row per modes, n and whether they are scored.

    `candidates` is as `candidate_costs` gives it. Columns: modes, n, verifier, tokens (generated),
    generator_flops, verifier_flops, flops, sampling_seconds, grading_seconds, scoring_seconds,
    seconds.
    """
    import pandas as pd

    pool = _Pool(candidates, evaluation.problem_ids)
    rows = []
    for mix in evaluation.mixes:
        for n in evaluation.ns(mix):
            found = pool.expected(mix, n)
            generator = found["sampling_flops"] + found["prompt_flops"]
            verifier = found["scoring_flops"] + found["question_flops"]
            seconds = found["sampling_seconds"] + found["grading_seconds"]
            for scored in (False, True):
                rows.append(
                    {
                        "modes": mix,
                        "n": n,
                        "verifier": scored,
                        "tokens": found["tokens"],
                        "generator_flops": generator,
                        "verifier_flops": verifier if scored else 0.0,
                        "flops": generator + (verifier if scored else 0.0),
                        "sampling_seconds": found["sampling_seconds"],
                        "grading_seconds": found["grading_seconds"],
                        "scoring_seconds": found["scoring_seconds"] if scored else 0.0,
                        "seconds": seconds + (found["scoring_seconds"] if scored else 0.0),
                    }
                )
    return pd.DataFrame(rows)


class _Pool:
    """Means over each problem's candidates; arrays of shape (problems, modes)."""

    def __init__(self, candidates: pd.DataFrame, problem_ids: Sequence[str]) -> None:
        import pandas as pd

        candidates = candidates[candidates["problem_id"].isin(problem_ids)]
        problem = pd.Index(problem_ids).get_indexer(pd.Index(candidates["problem_id"]))
        mode = pd.Index(list(MODES)).get_indexer(pd.Index(candidates["mode"]))
        self._cell = problem * len(MODES) + mode
        self._shape = len(problem_ids), len(MODES)
        self.counts = self._sums(np.ones(len(candidates)))
        self.means = {name: self._means(candidates[name]) for name in (*_GENERATED, *_SCORED)}
        # One question a mode, whatever sampled the candidates; one prompt for each origin.
        self.question = self._means(candidates["question_flops"])
        self.origins = []
        for origin in candidates["origin"].unique():
            own = (candidates["origin"] == origin).to_numpy()
            count = self._sums(own.astype(float))
            total = self._sums(np.where(own, candidates["prompt_flops"], 0.0))
            self.origins.append((count, total / np.maximum(count, 1)))

    def _sums(self, values: NDArray[Any]) -> Floats:
        size = self._shape[0] * self._shape[1]
        sums = np.bincount(self._cell, values, minlength=size)
        return np.asarray(sums, np.float64).reshape(self._shape)

    def _means(self, values: pd.Series[Any]) -> Floats:
        return self._sums(values.to_numpy(np.float64)) / np.maximum(self.counts, 1)

    def expected(self, mix: Mix, n: int) -> dict[str, float]:
        """The mean of each quantity of a subset of n, over problems with such candidates."""
        shares = ways(self.counts.astype(int), mix, n)
        own = MODES if mix == "both" else (mix,)
        there = self.counts[:, [MODES.index(mode) for mode in own]].sum(axis=1) > 0
        found = dict.fromkeys((*self.means, "prompt_flops", "question_flops"), 0.0)
        for way in shares:
            # A problem with fewer candidates gives all it has.
            drawn = np.minimum(way, self.counts)
            for name, mean in self.means.items():
                found[name] += _mean_cost(drawn, mean, there) / len(shares)
            asked = _mean_cost(drawn > 0, self.question, there)
            found["question_flops"] += asked / len(shares)
            for count, prompt in self.origins:
                chance = pass_at_k(self.counts.astype(int), count.astype(int), drawn.astype(int))
                found["prompt_flops"] += _mean_cost(chance, prompt, there) / len(shares)
        return found


def _mean_cost(times: NDArray[Any], each: Floats, there: NDArray[np.bool_]) -> float:
    """Mean over the problems that are `there` of what is paid `times` times.

    What is not drawn may be unknown.
    """
    return float(np.where(times > 0, times * each, 0.0).sum(axis=1)[there].mean())


def equal_flops(evaluation: Evaluation) -> pd.DataFrame:
    """Rules with a verifier against the majority vote that costs as many FLOPs.

    A row per rule, modes and n: `flops`, `majority_n` (how many candidates majority could have for
    them), and the `difference` in accuracy with its paired 95 % interval (`low`, `high`). Between
    the n at which majority was estimated, its accuracy on each problem and the logarithm of n are
    interpolated linearly in log FLOPs. Rows where the verifier's rule costs more than majority at
    its largest n are left out: nothing is extrapolated. FLOPs are means over the problems, the same
    in every resample.
    """
    import pandas as pd

    weights = bootstrap_weights(
        len(evaluation.problem_ids), evaluation.config.bootstrap, evaluation.config.seed
    )
    rows = []
    frame = evaluation.frame
    known = frame[frame["flops"] > 0] if "flops" in frame else frame[:0].assign(flops=0.0)
    for mix in evaluation.mixes:
        votes = known[(known["rule"] == "majority") & (known["modes"] == mix)]
        scored = known[known["rule"].isin(SCORED_RULES) & (known["modes"] == mix)]
        if len(votes) < 2:
            continue
        ns, points = votes["n"].to_numpy(), np.log(votes["flops"].to_numpy(np.float64))
        for rule, n, flops in zip(scored["rule"], scored["n"], scored["flops"], strict=True):
            place = np.log(flops)
            if n < 2 or not points[0] <= place <= points[-1]:
                continue
            above = min(int(np.searchsorted(points, place, side="right")), len(points) - 1)
            share = (place - points[above - 1]) / (points[above] - points[above - 1])
            low, high = (evaluation.per_problem["majority", mix, ns[i]] for i in (above - 1, above))
            gain = evaluation.per_problem[rule, mix, n] - ((1 - share) * low + share * high)
            found = interval(gain, weights)
            rows.append(
                {
                    "rule": rule,
                    "modes": mix,
                    "n": n,
                    "flops": flops,
                    "majority_n": float(ns[above - 1] ** (1 - share) * ns[above] ** share),
                    "difference": found.value,
                    "low": found.low,
                    "high": found.high,
                }
            )
    names = ["rule", "modes", "n", "flops", "majority_n", "difference", "low", "high"]
    return pd.DataFrame(rows, columns=pd.Index(names))


def candidate_costs(
    run: Run, verifier: str = "", frame: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, list[str]]:
    """What each graded candidate of a run cost, a row each, and notes on what is not known.

    `frame` is what `load_frame` gave of the run; it is read where it is not given.

    Columns: problem_id, mode, origin ("" without a mixture), tokens, sampling_flops, prompt_flops
    (paid once for all samples), scoring_flops, question_flops (the same for the verifier),
    sampling_seconds, grading_seconds, scoring_seconds. NaN: not known, or not scored.
    """
    counted = _counted(load_frame(run) if frame is None else frame, run, verifier)
    for name in ("sampling_flops", "prompt_flops", "scoring_flops", "question_flops"):
        counted[name] = np.nan
    notes = []
    shapes = _shapes(run, "candidates", "generator")
    for origin in counted["origin"].unique():
        if origin not in shapes:
            what = f"generator of '{origin}'" if origin else "generator"
            notes.append(f"FLOPs left out: the shape of the {what} is not known")
            continue
        rows = counted["origin"] == origin
        tokens, prompt = (counted.loc[rows, name].to_numpy(np.float64) for name in _COUNTS)
        sampling = shapes[origin].sampling_flops(prompt, np.maximum(tokens, 1))
        counted.loc[rows, "sampling_flops"] = sampling
        counted.loc[rows, "prompt_flops"] = shapes[origin].prompt_flops(prompt)
    reader = _shapes(run, f"scores/{verifier}", "verifier").get("") if verifier else None
    if reader:
        tokens, prompt = (counted[name].to_numpy(np.float64) for name in _VERIFIER_COUNTS)
        counted["scoring_flops"] = reader.scoring_flops(prompt, tokens)
        counted["question_flops"] = reader.forward(0 * prompt, prompt)
    elif verifier and not notes:
        notes.append(f"FLOPs of scoring left out: the shape of verifier '{verifier}' is not known")
    if reader and counted["guessed"].any():
        notes.append(
            "FLOPs of scoring: the verifier's tokens were not recorded; the generator's are taken"
        )
    if counted[["sampling_seconds", "grading_seconds"]].isna().any(axis=None):
        notes.append("seconds left out: they were not measured for all candidates")
    return counted.drop(columns=["guessed", "prompt_tokens", *_VERIFIER_COUNTS]), notes


def _counted(frame: pd.DataFrame, run: Run, verifier: str) -> pd.DataFrame:
    """The candidates of a frame with their tokens and their shares of their parts' seconds.

    `guessed` marks those of which the verifier's tokens were not recorded.
    """
    counted = frame[["problem_id", "origin", "mode", *_COUNTS]].copy()
    for name in _COUNTS:
        counted[name] = counted[name].astype(float).where(counted[name] >= 0)
    scored_parts = set(run.parts(f"scores/{verifier}")) if verifier else set()
    is_read = frame["part"].isin([part.filename for part in scored_parts])
    is_scored = is_read & frame[f"score:{verifier}"].notna() if scored_parts else is_read
    counted["guessed"] = False
    for name, of_generator in zip(_VERIFIER_COUNTS, _COUNTS, strict=True):
        recorded = frame[f"{name}:{verifier}"] if scored_parts else counted[of_generator]
        counted["guessed"] |= is_scored & recorded.isna()
        counted[name] = recorded.fillna(counted[of_generator]).where(is_read)
    # What has no score was not read.
    counted.loc[is_read & ~is_scored, "verifier_tokens"] = 0.0
    seconds = {name: np.full(len(frame), np.nan) for name in ("sampling", "grading", "scoring")}
    for filename, rows in frame.groupby("part", sort=False).indices.items():
        part = Part.parse(str(filename))
        assert part is not None
        tokens, verifier_tokens = (
            counted[name].to_numpy(np.float64)[rows] for name in ("tokens", "verifier_tokens")
        )
        seconds["sampling"][rows] = _divided(run.part_seconds("candidates", part), tokens)
        seconds["grading"][rows] = _divided(run.part_seconds("answers", part), 0 * tokens)
        if part in scored_parts:
            total = run.part_seconds(f"scores/{verifier}", part)
            seconds["scoring"][rows] = _divided(total, verifier_tokens)
    return counted.assign(**{f"{name}_seconds": values for name, values in seconds.items()})


def _divided(seconds: float, weights: Floats) -> Floats:
    """Seconds divided by weight, equally where weights are not known or all 0.

    A part that took no time was not made by a stage but came from elsewhere: NaN.
    """
    if not seconds > 0:
        return np.full(len(weights), np.nan)
    total = float(weights.sum())
    if not total > 0:
        return np.full(len(weights), seconds / len(weights))
    return seconds * weights / total


def _shapes(run: Run, stage: str, model: str) -> dict[str, ModelShape]:
    """The shapes of a stage's models by origin: as recorded, else where the model still is."""
    known = run.shapes(stage)
    if known:
        return {origin: ModelShape(**row) for origin, row in known.items()}
    config = run.record["stages"].get(stage, {}).get("config", {})
    node = config.get(model) or {}
    # A server's model is not that of the tokenizer that is taken where none is named.
    served = config.get("engine", {}).get("name") == "server" and node.get("name") == "embedded"
    if served or not node.get("name"):
        return {}
    found = model_shape(
        ModelConfig(name=node["name"], revision=node.get("revision", "")), cached=True
    )
    return {"": found} if found else {}
