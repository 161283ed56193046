"""What can be set of a ranker (an OmegaConf schema).

TrainRankerConfig(output="runs/ranker", pools=["runs/held-out"], verifiers=["v"])
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from assay.settings.errors import UserError
from assay.verifier.config import check_choice

__all__ = ["TrainRankerConfig", "check_ranker", "ranker_name"]

MODELS = ("trees", "logistic")
FEATURES = ("candidate", "pool")
CALIBRATIONS = ("sigmoid", "isotonic")
SEEN = ("refuse", "drop")


@dataclass
class TrainRankerConfig:
    """What `assay train-ranker` reads."""

    output: str = ""
    """folder to write"""
    pools: list[str] = field(default_factory=list)
    """graded runs to learn from; of problems that the verifiers were not trained on"""
    verifiers: list[str] = field(default_factory=list)
    """verifiers whose scores to read, by their names in the pools; empty = free scores alone"""
    name: str = ""
    """what the ranker's scores are called in the runs; empty = the output folder's name"""
    features: str = "candidate"
    """candidate (what is known of a candidate by itself) | pool (also how it stands among the
    candidates of its problem: then a score holds for that pool and its size alone)"""
    n: int = 0
    """features=pool: the number of candidates of a problem that it will be used at; 0 = those that
    the pools hold"""
    draws: int = 4
    """features=pool: random subsets of n candidates of each problem to learn from"""
    model: str = "trees"
    """trees (histogram gradient boosting) | logistic (logistic regression)"""
    rounds: int = 400
    """trees to grow at most; so many are kept as predict best out of fold"""
    leaves: int = 8
    """leaves of a tree"""
    learning_rate: float = 0.05
    """of the trees"""
    monotone: bool = True
    """let trees never lower a candidate for a higher score of a verifier, log-probability or share
    of the votes: with few problems that keeps them from learning noise"""
    min_leaf: int = 20
    """candidates in a leaf, at least"""
    l2: float = 1.0
    """L2 penalty: of the trees' leaves, or of the logistic regression's weights (1 / C)"""
    calibration: str = "sigmoid"
    """of the probability: sigmoid | isotonic. Candidates are ranked by the score, which is always
    the sigmoid's: isotonic regression makes ties"""
    folds: int = 5
    """parts of the problems for cross-fitting: a problem is scored by a model that has not seen it
    """
    seen: str = "refuse"
    """problems of the pools that a verifier was trained on: refuse | drop"""
    importance: int = 3
    """times that each feature is shuffled to see what it is worth; 0 = not"""
    seed: int = 0
    """seed of the folds, the subsets and the shuffling"""


def check_ranker(config: TrainRankerConfig) -> None:
    """Raises `UserError` naming the key that does not fit."""
    if not config.output:
        raise UserError("output: expected the folder to write, for example runs/ranker")
    if not config.pools:
        raise UserError("pools: expected at least one graded run, for example pools=[runs/train]")
    check_choice("model", config.model, MODELS)
    check_choice("features", config.features, FEATURES)
    check_choice("calibration", config.calibration, CALIBRATIONS)
    check_choice("seen", config.seen, SEEN)
    least = {"folds": 2, "rounds": 1, "leaves": 2, "min_leaf": 1, "draws": 1, "importance": 0}
    for name, number in least.items():
        if getattr(config, name) < number:
            raise UserError(f"{name}={getattr(config, name)}: expected {number} or more")
    if not config.learning_rate > 0:
        raise UserError(f"learning_rate={config.learning_rate}: expected a number above 0")
    # A penalty of 0 has no 1 / C.
    if config.l2 < 0 or (config.model == "logistic" and config.l2 == 0):
        raise UserError(f"l2={config.l2}: expected a number above 0")
    if config.n < 0 or config.n == 1:
        raise UserError(f"n={config.n}: expected 2 or more, or 0 for the pools' own")
    if config.n and config.features != "pool":
        raise UserError(f"n={config.n}: belongs to features=pool")
    if ranker_name(config) in config.verifiers:
        raise UserError(
            f"name: a ranker named {ranker_name(config)} would take its verifier's place; "
            "give another name="
        )


def ranker_name(config: TrainRankerConfig) -> str:
    """What the ranker's scores are called in the runs."""
    return re.sub(r"[^\w.-]+", "-", config.name or Path(config.output).resolve().name)
