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
from assay.pools.run import Part, Run
from assay.problems.problem import MODES
from assay.selection.curves import Floats, Mix, pass_at_k, ways
from assay.selection.evaluate import Evaluation
from assay.selection.intervals import bootstrap_weights, interval
from assay.selection.names import SCORED_RULES
from assay.storage.parquet import to_frame

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["candidate_costs", "costs", "equal_flops", "with_costs"]

# What is paid for every candidate; where it is scored, `_SCORED` too.
_GENERATED = ("tokens", "sampling_flops", "sampling_seconds", "grading_seconds")
_SCORED = ("scoring_flops", "scoring_seconds")
_KEY = ("problem_id", "origin", "mode", "sample")
_COUNTS = ("tokens", "prompt_tokens")
_VERIFIER_COUNTS = ("verifier_tokens", "verifier_prompt_tokens")


def with_costs(evaluation: Evaluation, run: Run) -> Evaluation:
    """The evaluation with columns `flops` and `seconds`, means per problem, in its frame.

    NaN where they cannot be known, with a note that says why.
    """
    candidates, notes = candidate_costs(run, evaluation.verifier)
    spent = costs(candidates, evaluation).set_index(["modes", "n", "verifier"])
    frame = evaluation.frame
    verified = frame["rule"].isin(SCORED_RULES) & (frame["n"] > 1)
    rows = spent.reindex(list(zip(frame["modes"], frame["n"], verified, strict=True)))
    frame = frame.assign(flops=rows["flops"].to_numpy(), seconds=rows["seconds"].to_numpy())
    return dataclasses.replace(evaluation, frame=frame, notes=(*evaluation.notes, *notes))


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
            spent = pool.expected(mix, n)
            generator = spent["sampling_flops"] + spent["prompt_flops"]
            verifier = spent["scoring_flops"] + spent["question_flops"]
            seconds = spent["sampling_seconds"] + spent["grading_seconds"]
            for scored in (False, True):
                rows.append(
                    {
                        "modes": mix,
                        "n": n,
                        "verifier": scored,
                        "tokens": spent["tokens"],
                        "generator_flops": generator,
                        "verifier_flops": verifier if scored else 0.0,
                        "flops": generator + (verifier if scored else 0.0),
                        "sampling_seconds": spent["sampling_seconds"],
                        "grading_seconds": spent["grading_seconds"],
                        "scoring_seconds": spent["scoring_seconds"] if scored else 0.0,
                        "seconds": seconds + (spent["scoring_seconds"] if scored else 0.0),
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
        modes = MODES if mix == "both" else (mix,)
        held = self.counts[:, [MODES.index(mode) for mode in modes]].sum(axis=1) > 0
        spent = dict.fromkeys((*self.means, "prompt_flops", "question_flops"), 0.0)
        for way in shares:
            # A problem with fewer candidates gives all it has.
            drawn = np.minimum(way, self.counts)
            for name, mean in self.means.items():
                spent[name] += _mean_cost(drawn, mean, held) / len(shares)
            asked = _mean_cost(drawn > 0, self.question, held)
            spent["question_flops"] += asked / len(shares)
            for count, prompt in self.origins:
                chance = pass_at_k(self.counts.astype(int), count.astype(int), drawn.astype(int))
                spent["prompt_flops"] += _mean_cost(chance, prompt, held) / len(shares)
        return spent


def _mean_cost(times: NDArray[Any], each: Floats, held: NDArray[np.bool_]) -> float:
    """Mean over the problems `held` of what is paid `times` times.

    What is not drawn may be unknown.
    """
    return float(np.where(times > 0, times * each, 0.0).sum(axis=1)[held].mean())


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


def candidate_costs(run: Run, verifier: str = "") -> tuple[pd.DataFrame, list[str]]:
    """What each graded candidate of a run cost, a row each, and notes on what is not known.

    Columns: problem_id, mode, origin ("" without a mixture), tokens, sampling_flops, prompt_flops
    (paid once for all samples), scoring_flops, question_flops (the same for the verifier),
    sampling_seconds, grading_seconds, scoring_seconds. NaN: not known, or not scored.
    """
    import pandas as pd

    scored = set(run.parts(f"scores/{verifier}")) if verifier else set()
    parts = run.parts("answers")
    frame = pd.concat(
        [_counted(run, part, verifier if part in scored else "") for part in parts],
        ignore_index=True,
    )
    for name in ("sampling_flops", "prompt_flops", "scoring_flops", "question_flops"):
        frame[name] = np.nan
    notes = []
    shapes = _shapes(run, "candidates", "generator")
    for origin in frame["origin"].unique():
        if origin not in shapes:
            what = f"generator of '{origin}'" if origin else "generator"
            notes.append(f"FLOPs left out: the shape of the {what} is not known")
            continue
        own = frame["origin"] == origin
        tokens, prompt = (frame.loc[own, name].to_numpy(np.float64) for name in _COUNTS)
        sampling = shapes[origin].sampling_flops(prompt, np.maximum(tokens, 1))
        frame.loc[own, "sampling_flops"] = sampling
        frame.loc[own, "prompt_flops"] = shapes[origin].prompt_flops(prompt)
    reader = _shapes(run, f"scores/{verifier}", "verifier").get("") if verifier else None
    if reader:
        tokens, prompt = (frame[name].to_numpy(np.float64) for name in _VERIFIER_COUNTS)
        frame["scoring_flops"] = reader.scoring_flops(prompt, tokens)
        frame["question_flops"] = reader.forward(0 * prompt, prompt)
    elif verifier and not notes:
        notes.append(f"FLOPs of scoring left out: the shape of verifier '{verifier}' is not known")
    if reader and frame["guessed"].any():
        notes.append(
            "FLOPs of scoring: the verifier's tokens were not recorded; the generator's are taken"
        )
    if frame[["sampling_seconds", "grading_seconds"]].isna().any(axis=None):
        notes.append("seconds left out: they were not measured for all candidates")
    return frame.drop(columns=["guessed", "prompt_tokens", *_VERIFIER_COUNTS]), notes


def _counted(run: Run, part: Part, verifier: str) -> pd.DataFrame:
    """A part's candidates with their tokens and their shares of the seconds.

    `guessed` marks those of which the verifier's tokens were not recorded.
    """
    table = run.read("candidates", part)
    names = [name for name in (*_KEY, *_COUNTS) if name in table.column_names]
    frame = to_frame(table.select(names))
    if "origin" not in frame:
        frame["origin"] = ""
    for name in _COUNTS:
        frame[name] = frame[name].astype(float).where(frame[name] >= 0)
    if verifier:
        scores = _verifier_counts(run, part, verifier)
        keys = [name for name in _KEY if name in scores]
        frame = frame.merge(scores, on=keys, how="left", validate="one_to_one")
        missing = frame[list(_VERIFIER_COUNTS)].isna().any(axis=1)
        frame["guessed"] = missing & frame["scored"]
        # What has no score was not read.
        frame.loc[~frame["scored"], "verifier_tokens"] = 0.0
        for name, others in zip(_VERIFIER_COUNTS, _COUNTS, strict=True):
            frame[name] = frame[name].fillna(frame[others])
        seconds = run.part_seconds(f"scores/{verifier}", part)
        frame["scoring_seconds"] = _divided(seconds, frame["verifier_tokens"])
    else:
        frame = frame.assign(guessed=False, scoring_seconds=np.nan)
        frame[list(_VERIFIER_COUNTS)] = np.nan
    frame["sampling_seconds"] = _divided(run.part_seconds("candidates", part), frame["tokens"])
    equally = frame["tokens"] * 0.0
    frame["grading_seconds"] = _divided(run.part_seconds("answers", part), equally)
    return frame.drop(columns=["sample", "scored"], errors="ignore")


def _verifier_counts(run: Run, part: Part, verifier: str) -> pd.DataFrame:
    """The verifier's tokens of each candidate and question; NaN where they were not recorded.

    `scored`: whether there is a score.
    """
    import pandas as pd
    import pyarrow.compute

    table = run.read(f"scores/{verifier}", part)
    found = to_frame(table.select([name for name in _KEY if name in table.column_names]))
    found["scored"] = np.isfinite(table["score"].to_numpy().astype(float))
    for name in _VERIFIER_COUNTS:
        there = name in table.column_names
        found[name] = table[name].to_numpy().astype(float) if there else np.nan
    if "values" in table.column_names:
        lengths = pyarrow.compute.list_value_length(table["values"]).to_numpy()
        found["verifier_tokens"] = found["verifier_tokens"].fillna(pd.Series(lengths, dtype=float))
    return found


def _divided(seconds: float, weights: pd.Series[Any]) -> Floats:
    """Seconds divided by weight, equally where weights are not known or all 0.

    A part that took no time was not made by a stage but came from elsewhere: NaN.
    """
    if not seconds > 0:
        return np.full(len(weights), np.nan)
    total = float(weights.sum(skipna=False))
    if not total > 0:
        return np.full(len(weights), seconds / len(weights))
    return seconds * weights.to_numpy(np.float64) / total


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
