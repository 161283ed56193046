"""How fast stopping rules are replayed on a pool, against the obvious loop over answers.

    python scripts/bench/adaptive.py                       # 1319 problems × 400, one by one
    python scripts/bench/adaptive.py --round 8 --dirichlet # with the Dirichlet rule, in rounds of 8

The pool is that of `scripts/bench/curves.py`. All rules at all their thresholds (20 where they are
confidences) over 200 random orders. The obvious loop takes one order and one threshold of the Beta
rule at a time and counts answers in a dictionary; it is measured on a few problems and orders and
scaled up to all rules' thresholds, which is said. Both run on one core; the ratio is of processor
seconds.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from scipy.special import betainc

from assay.selection.adaptive import Costs, ReplayPlan, replay_rules
from assay.selection.pool import PoolArrays
from assay.selection.stopping import CONFIDENCES, RULES
from scripts.bench.curves import make_pool
from scripts.bench.machine import machine

FAST = ("certain", "beta", "window", "doubling", "score", "best")


def loop(pool: PoolArrays, orders: int) -> float:
    """Processor seconds of the obvious loop for the Beta rule at one threshold."""
    start = time.process_time()
    rng = random.Random(0)
    for p in range(len(pool.problem_ids)):
        classes, labels = pool.classes[p].tolist(), pool.labels[p].tolist()
        for _ in range(orders):
            order = rng.sample(range(len(classes)), len(classes))
            votes: Counter[int] = Counter()
            right = 0
            for candidate in order:
                if classes[candidate] >= 0:
                    votes[classes[candidate]] += 1
                top = votes.most_common(2)
                first = top[0][1] if top else 0
                second = top[1][1] if len(top) > 1 else 0
                if first and betainc(second + 1, first + 1, 0.5) >= 0.95:
                    break
            if votes:
                won = max(votes, key=lambda answer: votes[answer])
                right += any(labels[c] for c in order if classes[c] == won)
    return time.process_time() - start


def main() -> None:
    """Runs both and prints seconds, their ratio and the peak of memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", type=int, default=1319)
    parser.add_argument("--candidates", type=int, default=400)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--round", type=int, default=1)
    parser.add_argument("--dirichlet", action="store_true")
    arguments = parser.parse_args()
    print(machine())
    pool = make_pool(arguments.problems, arguments.candidates, 1)
    names = (*FAST, "dirichlet") if arguments.dirichlet else FAST
    ladders = {rule: list(RULES[rule].thresholds) for rule in names}
    ladders["best"] = np.linspace(0.5, 0.99, len(CONFIDENCES)).tolist()
    plan = ReplayPlan(
        ladders,
        "cot",
        arguments.candidates,
        min(arguments.round, arguments.candidates),
        arguments.draws,
        costs={"tokens": Costs(pool.tokens.astype(np.float64))},
    )
    start, processor = time.perf_counter(), time.process_time()
    replay_rules(pool, plan, pool.scores["v"])
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    thresholds = sum(map(len, ladders.values()))
    print(
        f"replay: {arguments.problems} problems × {arguments.candidates} candidates, "
        f"{len(names)} rules with {thresholds} thresholds, {arguments.draws} orders, rounds of "
        f"{plan.round_size}: {seconds:.1f} s ({processor:.1f} s of processor; limit: "
        f"{300 if arguments.dirichlet else 60} s), peak memory {peak:.2f} GiB"
    )
    few, some = min(20, arguments.problems), min(5, arguments.draws)
    spent = loop(make_pool(few, arguments.candidates, 1), some)
    scaled = spent * arguments.problems / few * arguments.draws / some * thresholds
    print(
        f"obvious loop: {spent:.2f} s for {few} problems, {some} orders and one threshold, scaled "
        f"to all: {scaled:.0f} s of processor, {scaled / processor:.0f} times as long"
    )


if __name__ == "__main__":
    main()
