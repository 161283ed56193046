r"""The problem sets of the chain: a pool to learn from, held-out ones, tests.

    python -m scripts.small_solver.sets --out runs/small_solver/chain/sets --gsm8k data/gsm8k \
        --evaluation data/eval --data runs/small_solver/data/train.jsonl --pool 1000 --held 400 \
        --tests 100

`pool` is drawn from what the generator was trained on, half of it GSM8K's problems; `held` is of
problems that it has not seen: GSM8K's last 400 training problems and new ones of the families, half
and half. `plain`, `svamp` and `gsm8k` are the tests, with the first of a shuffled order, so that a
larger set holds the smaller one. What shares 13 words in a row with a test is left out of the
others.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
from collections.abc import Sequence
from pathlib import Path

from assay.problems.contamination import find_overlaps, words_of
from assay.problems.problem import Problem, read_problems, write_problems
from assay.problems.sets import ProblemsConfig, load_problems
from scripts.small_solver.corpus import HELD_OUT, build

__all__ = ["held_problems", "pool_problems", "write_sets"]

QUESTIONS = Path(__file__).with_name("questions.jsonl")
SEED = 17


def pool_problems(data: Sequence[Problem], count: int) -> list[Problem]:
    """`count` of the training problems, half of them GSM8K's, in a random order."""
    rng = random.Random(SEED)
    real = [problem for problem in data if problem.source == "gsm8k"]
    made = [problem for problem in data if problem.source != "gsm8k"]
    half = min(len(real), (count + 1) // 2)
    chosen = rng.sample(real, half) + rng.sample(made, min(len(made), count - half))
    rng.shuffle(chosen)
    return chosen


def held_problems(gsm8k: str, data: Sequence[Problem], count: int) -> list[Problem]:
    """Problems that were not trained on: GSM8K's last ones, as many new ones of families."""
    rng = random.Random(SEED + 1)
    real = load_problems(ProblemsConfig(name="gsm8k", path=gsm8k, split="train"))[-HELD_OUT:]
    real = rng.sample(real, min(len(real), (count + 1) // 2))
    barred = {" ".join(words_of(problem.question)) for problem in data}
    # More tokens than are needed, by another seed than the training's.
    made = [
        problem
        for problem in build(60 * 4 * count + 20_000, SEED, [], barred)
        if problem.source != "gsm8k"
    ]
    made = rng.sample(made, count - len(real))
    chosen = [*real, *(dataclasses.replace(p, id=f"held-{p.id}") for p in made)]
    rng.shuffle(chosen)
    return chosen


def write_sets(args: argparse.Namespace) -> dict[str, int]:
    """Writes the sets, pool and held-out problems without what tests hold; returns sizes."""
    args.out.mkdir(parents=True, exist_ok=True)
    data = read_problems(str(args.data))
    tests = {
        "plain": read_problems(str(QUESTIONS)),
        "svamp": read_problems(str(args.evaluation / "svamp.jsonl")),
        "gsm8k": load_problems(ProblemsConfig(name="gsm8k", path=str(args.gsm8k), split="test")),
    }
    sets = {
        "pool": pool_problems(data, args.pool),
        "held": held_problems(str(args.gsm8k), data, args.held),
    }
    for name, problems in sets.items():
        found = find_overlaps(problems, tests)
        barred = {overlap.problem.id for overlap in found}
        sets[name] = [problem for problem in problems if problem.id not in barred]
    for name, problems in tests.items():
        order = random.Random(SEED).sample(problems, len(problems))
        sets[name] = problems if name == "plain" else order[: args.tests or None]
    for name, problems in sets.items():
        write_problems(args.out / f"{name}.jsonl", problems)
    return {name: len(problems) for name, problems in sets.items()}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--gsm8k", type=Path, required=True, help="folder of GSM8K")
    parser.add_argument("--evaluation", type=Path, required=True, help="folder of evaluation sets")
    parser.add_argument("--data", type=Path, required=True, help="the training file")
    parser.add_argument("--pool", type=int, default=1000, help="problems to learn from")
    parser.add_argument("--held", type=int, default=400, help="held-out problems")
    parser.add_argument("--tests", type=int, default=100, help="of SVAMP and GSM8K; 0 = all")
    for name, size in write_sets(parser.parse_args()).items():
        print(f"{size:>6}  {name}")


if __name__ == "__main__":
    main()
