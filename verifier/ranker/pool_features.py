"""How a candidate stands among the candidates of its problem, as numbers.

    features = candidate_features(frame, ["v"])
    features.join(pool_features(frame, features))

They depend on which candidates are there and on how many: a share of votes among 4 is something
else than one among 64. A ranker that reads them is trained on random subsets of the size that it
will be used at, and its scores hold for the pool that they were computed of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["POOL_FEATURES", "pool_features"]

POOL_FEATURES = (
    *("vote_share", "vote_rank", "answers", "other_mode_share"),
    *("rank_within", "score_share", "score_rank"),
)
"""The names; of the last three there is one for each score, as in `score_share:v`."""
Floats = NDArray[np.float64]


def pool_features(frame: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """The features within pools, float64, in the rows of `frame`; NaN: unknown.

    `frame` has `problem_id` (candidates with the same one are a pool), `mode` and `answer_class`;
    `features` are `candidate_features` of it. Of each candidate:

    - `vote_share`: the share of the pool's answers that are its own, `vote_rank`: how many answers
      have more votes, `answers`: how many different ones there are;
    - `other_mode_share`: the share of the other mode's answers that are its own;
    - `rank_within:NAME`: its rank by a score (`logprob_per_token` and every verifier's) among the
      candidates of its mode, 0 the lowest to 1 the highest, ties halfway;
    - `score_share:v`: its answer's share of the verifier's scores of all answers (below 0: as 0),
      `score_rank:v`: how many answers have more.

    Those about answers are NaN for a candidate without one.
    """
    import pandas as pd

    pools, _ = pd.factorize(frame["problem_id"])
    classes = frame["answer_class"].to_numpy(np.int64)
    program = (frame["mode"] == "pot").to_numpy()
    votes = _Votes(pools, classes)
    ones, words = np.ones(len(frame)), (~program).astype(np.float64)
    found: dict[str, Any] = {
        "vote_share": votes.share(ones),
        "vote_rank": votes.rank(ones),
        "answers": votes.counts(),
        "other_mode_share": np.where(program, votes.share(words), votes.share(1.0 - words)),
    }
    modes = [pd.Series(pools), pd.Series(program)]
    scored = [name for name in map(str, features) if name.startswith("score:")]
    for name in ("logprob_per_token", *scored):
        by = features[name].reset_index(drop=True).groupby(modes)
        last = by.transform("count").to_numpy(np.float64) - 1
        place = by.rank().to_numpy(np.float64) - 1
        found[f"rank_within:{name.removeprefix('score:')}"] = np.where(
            last > 0, place / np.maximum(last, 1), np.where(np.isnan(place), np.nan, 0.5)
        )
    for name in scored:
        weights = np.clip(np.nan_to_num(features[name].to_numpy(np.float64)), 0, None)
        verifier = name.removeprefix("score:")
        found[f"score_share:{verifier}"] = votes.share(weights)
        found[f"score_rank:{verifier}"] = votes.rank(weights)
    return pd.DataFrame(found, index=frame.index)


class _Votes:
    """The answers of pools and what they get; arrays have one entry a candidate."""

    def __init__(self, pools: NDArray[np.int64], classes: NDArray[np.int64]) -> None:
        self.pools, self.answered = pools, classes >= 0
        pairs = np.stack([pools, classes], axis=1)[self.answered]
        answers, own = np.unique(pairs, axis=0, return_inverse=True)
        self.pool_of = answers[:, 0]
        self.own = np.full(len(pools), -1)
        self.own[self.answered] = own.ravel()

    def share(self, weights: Floats) -> Floats:
        """The share of its pool's weight that each candidate's answer has; NaN: no weight at all"""
        total, pool = self._totals(weights), np.zeros(1 + int(self.pools.max(initial=0)))
        np.add.at(pool, self.pool_of, total)
        with np.errstate(invalid="ignore", divide="ignore"):
            return self._of_candidates(total / pool[self.pool_of])

    def rank(self, weights: Floats) -> Floats:
        """How many answers of its pool have more weight than each candidate's own."""
        total = self._totals(weights)
        order = np.lexsort((-total, self.pool_of))
        pool, sorted_total = self.pool_of[order], total[order]
        place = np.arange(len(order))
        new_pool = np.r_[True, pool[1:] != pool[:-1]]
        new = new_pool | np.r_[True, sorted_total[1:] != sorted_total[:-1]]
        first = np.maximum.accumulate(np.where(new, place, 0))
        start = np.maximum.accumulate(np.where(new_pool, place, 0))
        above = np.empty(len(order))
        above[order] = first - start
        return self._of_candidates(above)

    def counts(self) -> Floats:
        """How many different answers each candidate's pool has."""
        counts = np.bincount(self.pool_of, minlength=1 + int(self.pools.max(initial=0)))
        return counts[self.pools].astype(np.float64)

    def _totals(self, weights: Floats) -> Floats:
        """The weight of each answer."""
        own = self.own[self.answered]
        # Rounded, so that equal sums are equal in whatever order they were added.
        summed = np.bincount(own, weights[self.answered], minlength=len(self.pool_of))
        return np.round(summed, 9)

    def _of_candidates(self, values: Floats) -> Floats:
        found = np.full(len(self.own), np.nan)
        found[self.answered] = values[self.own[self.answered]]
        return found
