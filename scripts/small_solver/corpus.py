r"""Writes the training data of the small solver: one file, in the order in which it is learnt.

    python -m scripts.small_solver.corpus --out runs/small_solver/data --gsm8k data/gsm8k \
        --evaluation data/eval

The order is a curriculum: generated questions of a step or two first; then longer ones and GSM8K's
derived programs come in by degrees (`shares`). Nothing is written twice, no question equals one of
an evaluation set, and none shares 13 words in a row with one (`assay check-contamination` on the
result says so again). The last `HELD_OUT` problems of GSM8K's training set are left out, for
choices and for the ranker; GSM-Symbolic is not used (README.md says why).
"""

from __future__ import annotations

import argparse
import json
import random
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.problems.contamination import find_overlaps, words_of
from assay.problems.problem import Problem, Solution, read_problems, write_problems
from assay.problems.sets import ProblemsConfig, load_problems
from assay.storage.files import write_json
from scripts.small_solver.families import draw
from scripts.small_solver.story import program, result

__all__ = ["HELD_OUT", "build", "gsm8k_programs", "shares"]

HELD_OUT = 400
"""of GSM8K's training problems, the last ones: never trained on"""
# Tokens of an example on average, by kind, and of the instruction round it: enough to mix by.
_CHARACTERS_A_TOKEN, _AROUND = 3.0, 20
Kind = int | str


def shares(at: float) -> dict[Kind, float]:
    """Shares of the kinds (a family's level, or GSM8K) among the tokens at a point of the training.

    Short questions, nearly alone, for the first fiftieth: their loss falls from 1.5 to 0.2 in
    26 000 tokens. From 15 % on half of it is GSM8K.
    """
    rise = min(1.0, max(0.0, (at - 0.02) / 0.13))
    gsm8k, long, middle = 0.50 * rise, 0.14 * rise, 0.05 + 0.11 * rise
    return {1: 1 - gsm8k - long - middle, 2: middle, 3: long, "gsm8k": gsm8k}


def gsm8k_programs(path: str) -> list[Problem]:
    """GSM8K's training problems that have a derived program, with it alone; short ones first.

    Roughly so: in eighths by the program's length, each of them as it stands in the file.
    """
    found = []
    problems = load_problems(ProblemsConfig(name="gsm8k", path=path, split="train"))
    for problem in problems[:-HELD_OUT]:
        programs = [s for s in problem.solutions if s.mode == "pot"]
        if programs:
            found.append(
                Problem(
                    problem.id,
                    problem.question,
                    problem.answer,
                    solutions=(programs[0],),
                    source="gsm8k",
                )
            )
    lengths = sorted(_size(problem) for problem in found)
    return sorted(found, key=lambda p: 8 * bisect_left(lengths, _size(p)) // len(lengths))


def _size(problem: Problem) -> int:
    """Tokens of the problem as an example, roughly."""
    text = problem.question + problem.solutions[0].text
    return _AROUND + round(len(text) / _CHARACTERS_A_TOKEN)


@dataclass
class _Generated:
    """Endless problems of the families: no question twice, none that is barred."""

    rng: random.Random
    named: float
    barred: set[str]
    count: int = 0

    def next(self, level: int) -> Problem:
        """A problem of the level."""
        while True:
            family, story = draw(self.rng, level)
            key = " ".join(words_of(story.question))
            if key not in self.barred:
                break
        self.barred.add(key)
        self.count += 1
        value = result(story)
        answer = str(value.numerator) if value.denominator == 1 else f"{float(value):.2f}"
        text = program(story, named=self.rng.random() < self.named)
        return Problem(
            f"family-{self.count}",
            story.question,
            answer,
            solutions=(Solution("pot", text),),
            source=f"{level}/{family}",
        )


def build(
    tokens: int, seed: int, gsm8k: Sequence[Problem], barred: set[str], named: float = 0.0
) -> Iterator[Problem]:
    """The training problems in order, about `tokens` tokens of them.

    `barred` are questions, as `words_of` joins them, that must not come; `named` is the share of
    generated programs whose variables have names instead of numbers.
    """
    rng = random.Random(seed)
    families = _Generated(random.Random(seed + 1), named, set(barred))
    real = iter(gsm8k)
    owed: dict[Kind, float] = defaultdict(float)
    done = 0
    while done < tokens:
        now = shares(done / tokens)
        kind = max((k for k in now if now[k]), key=lambda k: owed[k] + rng.random())
        problem = next(real, None) if kind == "gsm8k" else None
        if problem is None:
            problem = families.next(kind if isinstance(kind, int) else 3)
        size = _size(problem)
        for k, share in now.items():
            owed[k] += share * size
        owed[kind] -= size
        done += size
        yield problem


def _evaluation_sets(folder: Path) -> dict[str, list[Problem]]:
    return {path.stem: read_problems(str(path)) for path in sorted(folder.glob("*.jsonl"))}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", required=True, help="folder of train.jsonl and data.json")
    parser.add_argument("--gsm8k", required=True, help="folder of GSM8K's train.jsonl")
    parser.add_argument("--evaluation", required=True, help="folder of evaluation sets")
    parser.add_argument("--tokens", type=int, default=1_500_000)
    parser.add_argument("--seed", type=int, default=20261129)
    parser.add_argument("--named", type=float, default=0.0)
    args = parser.parse_args()
    sets = _evaluation_sets(Path(args.evaluation))
    sets["plain questions"] = read_problems(str(Path(__file__).with_name("questions.jsonl")))
    barred = {" ".join(words_of(p.question)) for items in sets.values() for p in items}
    problems = list(build(args.tokens, args.seed, gsm8k_programs(args.gsm8k), barred, args.named))
    overlaps = find_overlaps(problems, sets)
    dropped = {overlap.problem.id for overlap in overlaps}
    kept = [p for p in problems if p.id not in dropped]
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    write_problems(out / "train.jsonl", kept)
    counts = Counter(p.source for p in kept)
    about = {
        **{k: v for k, v in vars(args).items() if k in ("tokens", "seed", "named")},
        "problems": len(kept),
        "left_out_for_overlaps": sorted(
            {f"{o.problem.id}: {o.set} {o.other.id}" for o in overlaps}
        ),
        "by_source": dict(sorted(counts.items())),
    }
    write_json(out / "data.json", about)
    print(json.dumps({k: v for k, v in about.items() if k != "by_source"}, indent=1))


if __name__ == "__main__":
    main()
