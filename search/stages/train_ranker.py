"""The command `train-ranker`: a ranker of candidates, and its out-of-fold scores in its pools.

assay train-ranker runs/ranker pools=[runs/held-out] verifiers=[verifier]
assay score runs/test ranker=runs/ranker
"""

from __future__ import annotations

from assay.pools.frame import scored_by
from assay.pools.run import Run
from assay.search.stages.score import ScoreRunConfig, score
from assay.verifier.ranker.card import ranker_tables
from assay.verifier.ranker.config import TrainRankerConfig, check_ranker, ranker_name
from assay.verifier.ranker.train import TrainedRanker, fit_ranker

__all__ = ["run", "train_ranker"]


def run(config: TrainRankerConfig) -> None:
    """`assay train-ranker`."""
    trained = train_ranker(config)
    print(ranker_tables(trained.ranker))
    about = trained.ranker.about
    print(
        f"\nlearned from {about['candidates']:,} candidates of {about['problems']:,} problems; "
        f"out-of-fold scores in scores/{ranker_name(config)} of {', '.join(config.pools)}"
    )
    unused = _unused(config)
    if unused:
        print(f"note: no verifier is read; all pools have scores by {', '.join(unused)}")
    print(f"ranker written to {trained.path}")


def train_ranker(config: TrainRankerConfig) -> TrainedRanker:
    """Trains a ranker, writes it, and writes its scores into the pools that it was trained on.

    Those scores are out of fold: each problem is scored by the model that has not seen it, so that
    rules can be chosen on the same problems. The same call again changes nothing, and goes on where
    it was killed. Raises `UserError` as `fit_ranker` and the stage `score` do.
    """
    check_ranker(config)
    trained = fit_ranker(config, [Run.open(path) for path in config.pools])
    for path in config.pools:
        score(ScoreRunConfig(run=path, ranker=str(trained.path), name=ranker_name(config)))
    return trained


def _unused(config: TrainRankerConfig) -> list[str]:
    """The verifiers that scored all pools, where none is read."""
    if config.verifiers:
        return []
    runs = [Run.open(path) for path in config.pools]
    shared = set.intersection(*({*scored_by(run)} for run in runs))
    return sorted(
        name for name in shared if all("ranker" not in run.key(f"scores/{name}") for run in runs)
    )
