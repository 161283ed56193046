"""A rule with all that it takes to apply it: whose scores, how many voters, which weights.

    spec = RuleSpec("weighted", "ranker")
    spec.label(32)                      # "weighted vote by ranker"
    index = spec.choose(pool)           # of each problem the chosen candidate's column

The same object is evaluated on held-out problems (`selection/choosing.py`), written to disk, read
back, and applied to the candidates of a question that nobody has the answer to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.selection import rules
from assay.selection.names import RULE_LABELS, SCORED_RULES, rule_label
from assay.selection.pool import PoolArrays, orders
from assay.selection.subsets import MAJORITY, Vote
from assay.settings.errors import UserError

__all__ = ["RuleSpec"]


@dataclass(frozen=True)
class RuleSpec:
    """`name` is one of `RULE_LABELS`, `scorer` whose scores it needs ("": none).

    `k` counts the voters of the top-k votes (0: `rules.automatic_k`); `transform` makes scores into
    weights in the weighted ones (`rules.vote_weights`, with `temperature`).
    """

    name: str
    scorer: str = ""
    k: int = 0
    transform: str = "none"
    temperature: float = 1.0

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> RuleSpec:
        """The rule that `to_dict` wrote. Raises `UserError` where it is none."""
        try:
            spec = cls(
                str(found["name"]),
                str(found["scorer"]),
                int(found["k"]),
                str(found["transform"]),
                float(found["temperature"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"rule: expected name, scorer, k, transform, temperature ({error!r})"
            ) from error
        if spec.name not in RULE_LABELS:
            raise UserError(f"rule: {spec.name}: expected one of {', '.join(RULE_LABELS)}")
        if spec.transform not in rules.TRANSFORMS:
            raise UserError(f"rule: transform {spec.transform}: unknown")
        return spec

    def to_dict(self) -> dict[str, Any]:
        """The rule as JSON types."""
        return dict(vars(self))

    def label(self, n: int) -> str:
        """For people: `majority vote`, `top-5 vote by verifier`, of n candidates."""
        by = f" by {self.scorer}" if self.scorer else ""
        return f"{rule_label(self.name, n, self.k)}{by}"

    @property
    def vote(self) -> Vote | None:
        """The rule as a vote; `None` where it takes the candidate with the highest number."""
        return {
            "majority": MAJORITY,
            "weighted": Vote(self.transform, None, self.temperature),
            "top_k": Vote(k=self.k),
            "weighted_top_k": Vote(self.transform, self.k, self.temperature),
        }.get(self.name)

    def voters(self, n: int) -> int:
        """How many of n candidates vote at most."""
        vote = self.vote
        return 1 if vote is None else vote.voters(n)

    def numbers(self, pool: PoolArrays) -> NDArray[Any] | None:
        """What the rule goes by, shape (P, S): scores, or another number; `None`: votes alone.

        Raises `UserError` where the pool lacks it.
        """
        if self.name == "majority":
            return None
        found = pool.scores.get(self.scorer) if self.name in SCORED_RULES else None
        if self.name not in SCORED_RULES:
            found = orders(pool, None).get(self.name)
        if found is None:
            lacking = f"scores by '{self.scorer}'" if self.scorer else "what it goes by"
            raise UserError(f"rule {self.name}: the pool has no {lacking}")
        return found

    def choose(self, pool: PoolArrays, ties: NDArray[Any] | None = None) -> NDArray[np.intp]:
        """The column of each problem's chosen candidate, shape (P,); −1 where nobody answers.

        `ties` of shape (P, S) break ties (`rules.tie_draw`); without, by a draw of seed 0.
        """
        ties = rules.tie_draw(pool.classes.shape, seed=0) if ties is None else ties
        numbers, vote = self.numbers(pool), self.vote
        if vote is None or numbers is None:
            if numbers is None:
                return rules.majority(pool.classes, ties)
            return rules.best_of_n(pool.classes, numbers, ties)
        return vote(pool.classes, numbers, ties)
