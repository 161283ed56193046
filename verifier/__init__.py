"""The model that scores candidates: its training data, network, training and scoring.

In: problems with labelled candidates, or with candidates to score. Out: verifiers, a score for each
candidate, a value at each token. Never here: choosing by scores (`assay.selection`).

A verifier is a language model with one reserved token, whose logit at a solution's tokens, scaled
by a learned gain and shifted by a learned bias, predicts that the solution is right (Cobbe et al.
2021, arXiv 2110.14168). `train.train_verifier` makes one, `model.load_verifier` opens one,
`score.score` uses it.
"""

from assay.verifier.config import ScoreConfig, TrainVerifierConfig, VerifierModelConfig
from assay.verifier.data import LabelledCandidate, VerifierProblem

__all__ = [
    "LabelledCandidate",
    "ScoreConfig",
    "TrainVerifierConfig",
    "VerifierModelConfig",
    "VerifierProblem",
]
