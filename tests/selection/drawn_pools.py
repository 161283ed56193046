"""Pools whose truth is known: drawn problems, of each a chance of being right and a scorer."""

import numpy as np

from assay.selection.pool import PoolArrays


def drawn_pool(problems, seed, *, samples=32, strength=1.0, scorers=("v",), skill=(1.2, 1.5)):
    """Half CoT, half PoT; a score is the label times `strength` plus noise, on the logit scale."""
    random = np.random.default_rng(seed)
    shape = (problems, samples)
    labels = random.random(shape) < random.beta(*skill, size=problems)[:, None]
    classes = np.where(labels, 0, random.integers(1, 6, size=shape)).astype(np.int32)
    signs = strength * (2 * labels - 1)
    scores = {name: 1 / (1 + np.exp(-signs - random.normal(size=shape))) for name in scorers}
    return PoolArrays(
        problem_ids=[f"p{number}" for number in range(problems)],
        classes=classes,
        labels=labels,
        labelled=np.ones(shape, bool),
        scores={name: own.astype(np.float32) for name, own in scores.items()},
        modes=np.broadcast_to(np.arange(samples) >= samples // 2, shape).astype(np.int8),
        tokens=np.full(shape, 10, np.int32),
        logprobs=random.normal(-5, 1, size=shape).astype(np.float32),
        present=np.ones(shape, bool),
        origins=np.zeros(shape, np.int32),
        origin_names=[""],
    )
