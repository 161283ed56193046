"""How fast a pool is evaluated: six rules at nine n, with intervals, against the obvious loop.

    python scripts/bench/curves.py                    # 1319 problems × 400 candidates in one mode
    python scripts/bench/curves.py --modes both       # 200 in words + 200 programs: three curves

The pool is drawn: every problem has a difficulty, wrong answers are spread over a long tail, and
the scores tell right from wrong with an AUC of about 0.8. The obvious loop draws a subset, counts
it in a dictionary, and starts again for each rule, n and draw; it is measured on a few problems and
draws and scaled up, which is said. Both run on one core; their ratio is of processor seconds, which
other programs on the machine change little.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from assay.selection.evaluate import evaluate
from assay.selection.pool import PoolArrays
from assay.selection.request import EvaluateConfig
from scripts.bench.machine import machine

NS = [1, 2, 4, 8, 16, 32, 64, 128, 400]
RULES = ["majority", "best_of_n", "weighted", "top_k", "weighted_top_k", "logprob"]


def make_pool(problems: int, candidates: int, modes: int, seed: int = 0) -> PoolArrays:
    """Arrays of a drawn pool; an eighth of the candidates has no answer."""
    rng = np.random.default_rng(seed)
    shape = (problems, candidates)
    skill = rng.beta(0.8, 0.8, (problems, 1))
    right = rng.random(shape) < skill
    wrong = np.minimum(rng.zipf(1.3, shape), 200).astype(np.int32)
    silent = rng.random(shape) < 0.125
    classes = np.where(silent, -1, np.where(right, 0, wrong)).astype(np.int32)
    labels = right & ~silent
    scores = 1 / (1 + np.exp(-rng.normal(1.2 * labels, 1.0)))
    tokens = rng.integers(50, 400, shape, dtype=np.int32)
    ids = [f"p{p:04d}" for p in range(problems)]
    return PoolArrays(
        problem_ids=ids,
        classes=classes,
        labels=labels,
        labelled=np.ones(shape, bool),
        scores={"v": scores.astype(np.float32)},
        modes=np.broadcast_to(np.arange(candidates) * modes // candidates, shape).astype(np.int8),
        tokens=tokens,
        logprobs=(-tokens * rng.gamma(2, 0.2, shape)).astype(np.float32),
        present=np.ones(shape, bool),
        origins=np.zeros(shape, np.int32),
        origin_names=[""],
    )


def loop(pool: PoolArrays, ns: list[int], draws: int) -> float:
    """Processor seconds of the obvious Python loop over subsets of a pool of one mode."""
    start = time.process_time()
    rng = random.Random(0)
    for p in range(len(pool.problem_ids)):
        classes, labels = pool.classes[p].tolist(), pool.labels[p].tolist()
        scores = pool.scores["v"][p].tolist()
        means = (pool.logprobs[p] / pool.tokens[p]).tolist()
        everyone = range(len(classes))
        for n in ns:
            k = min(n, max(3, round(n**0.5 / 2)))
            for rule in RULES:
                right = 0
                for _ in range(draws):
                    drawn = [c for c in rng.sample(everyone, n) if classes[c] >= 0]
                    if not drawn:
                        continue
                    if rule in ("best_of_n", "logprob"):
                        key = scores if rule == "best_of_n" else means
                        right += labels[max(drawn, key=lambda c, key=key: key[c])]
                        continue
                    if "top_k" in rule:
                        drawn = sorted(drawn, key=lambda c: -scores[c])[:k]
                    votes: Counter[int] = Counter()
                    for c in drawn:
                        votes[classes[c]] += scores[c] if "weighted" in rule else 1
                    won = max(votes, key=lambda answer: votes[answer])
                    right += any(labels[c] for c in drawn if classes[c] == won)
    return time.process_time() - start


def main() -> None:
    """Runs both and prints seconds, their ratio and the peak of memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", type=int, default=1319)
    parser.add_argument("--candidates", type=int, default=400)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--bootstrap", type=int, default=1000)
    parser.add_argument("--modes", choices=["one", "both"], default="one")
    parser.add_argument("--profile", action="store_true", help="where the time goes")
    arguments = parser.parse_args()
    print(machine())
    modes = 2 if arguments.modes == "both" else 1
    pool = make_pool(arguments.problems, arguments.candidates, modes)
    ns = [n for n in NS if n < arguments.candidates] + [arguments.candidates]
    config = EvaluateConfig(
        n=ns, draws=arguments.draws, bootstrap=arguments.bootstrap, rules=list(RULES)
    )
    start, processor = time.perf_counter(), time.process_time()
    if arguments.profile:
        import cProfile

        cProfile.runctx("evaluate(pool, config)", globals(), locals(), sort="cumtime")
    else:
        evaluate(pool, config)
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    curves = 3 if modes == 2 else 1
    print(
        f"evaluate: {arguments.problems} problems × {arguments.candidates} candidates, "
        f"{len(ns)} n, {len(RULES)} rules, {curves} curve(s), {arguments.draws} draws, "
        f"{arguments.bootstrap} resamples: {seconds:.1f} s ({processor:.1f} s of processor), "
        f"peak memory {peak:.2f} GiB"
    )
    if modes == 1:
        few, slice_draws = min(20, arguments.problems), min(10, arguments.draws)
        part = make_pool(few, arguments.candidates, 1)
        spent = loop(part, ns, slice_draws)
        scaled = spent * arguments.problems / few * arguments.draws / slice_draws
        print(
            f"obvious loop: {spent:.2f} s for {few} problems and {slice_draws} draws, scaled "
            f"to all: {scaled:.0f} s of processor, {scaled / processor:.0f} times as long, "
            "without intervals and what scores are worth"
        )


if __name__ == "__main__":
    main()
