r"""Answers against math-verify: how often right, how fast, how votes are split. Both in one run.

    python scripts/bench/answers.py                 # needs ../shared/data or $ASSAY_SHARED_DATA
    python scripts/bench/answers.py --pairs 2000    # more pairs for math-verify's side (minutes)

math-verify is used as its documentation says: `verify(parse(gold), parse(answer))`, each text in
dollar signs, in the main thread, with its own time limits. Our caches are emptied before each
measurement. What is right is known by construction (`rewrites`), not from either side.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import math
import os
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]

from rewrites import WRAPPINGS, rewrites  # noqa: E402

from assay.problems.answers import CONVENTIONS, classes, equivalent, extract, label  # noqa: E402
from assay.problems.answers.canonical import canonical  # noqa: E402
from assay.problems.answers.choices import options_in  # noqa: E402
from scripts.bench.machine import machine  # noqa: E402

SETS = (
    *("gsm8k", "math", "aqua", "numglue", "svamp", "mathematics", "simuleq", "sat"),
    "mmlu_mathematics",
)
MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")

Pair = tuple[str, str]


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=os.environ.get("ASSAY_SHARED_DATA"))
    parser.add_argument("--pairs", type=int, default=400, help="pairs for math-verify's side")
    parser.add_argument("--votes", type=int, default=8, help="problems whose votes are split")
    parser.add_argument("--answers", type=int, default=256, help="answers of each such problem")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    data = Path(arguments.data or ROOT.parent / "shared" / "data")
    if not (data / "eval").is_dir():
        raise SystemExit(f"{data}: no data there; set ASSAY_SHARED_DATA")
    logging.disable(logging.WARNING)
    print(machine())
    draw = random.Random(arguments.seed)
    print_labels(data)
    print_sets(data)
    print_confusable(data, 5 * arguments.pairs, draw)
    print_speed(data, arguments.pairs, draw)
    print_classes(data, arguments.votes, arguments.answers, draw)


def rows(data: Path, name: str) -> Iterator[dict[str, Any]]:
    """The problems of an evaluation set."""
    with open(data / "eval" / f"{name}.jsonl", encoding="utf-8", newline="\n") as lines:
        for line in lines:
            yield json.loads(line)


# ---- How often right ----


def print_labels(data: Path) -> None:
    """Agreement with the released labels of 5276 model solutions."""
    path = data / "gsm8k_model_solutions" / "example_model_solutions.jsonl"
    counts: Counter[str] = Counter()
    with open(path, encoding="utf-8", newline="\n") as lines:
        for line in lines:
            row = json.loads(line)
            reference = extract(row["ground_truth"]).answer
            for model in MODELS:
                verdict = label(
                    extract(row[model]["solution"]).answer,
                    reference,
                    convention=CONVENTIONS["gsm8k"],
                )
                agrees = verdict is row[model]["is_correct"]
                counts["agree" if agrees else "undecided" if verdict is None else "DISAGREE"] += 1
    print(f"labelled solutions of GSM8K: {dict(counts)}\n")


def print_sets(data: Path) -> None:
    """Rewritten and changed references of every set, by set and by kind."""
    by_set: dict[str, Counter[str]] = defaultdict(Counter)
    by_kind: dict[tuple[bool, str], Counter[str]] = defaultdict(Counter)
    exact: dict[str, list[bool]] = defaultdict(list)
    for name in (*SETS, "math500"):
        convention = CONVENTIONS["math" if name == "math500" else name]
        for row in rows(data, name):
            options = tuple(row.get("options", ()))
            if convention.options_in_question:
                options = options_in(row["question"])
            decided = []
            for made in rewrites(row["answer"], options, lists=convention.lists):
                given = (made.text, row["answer"], options)
                verdict = label(*given, convention=convention, mathematics=False)
                decided.append(verdict is not None)
                if verdict is None:
                    verdict = label(*given, convention=convention)
                right = verdict is made.equal
                result = "right" if right else "undecided" if verdict is None else "wrong"
                if name != "math500":
                    by_set[name][result] += 1
                    by_kind[made.equal, made.kind][result] += 1
            exact[name].append(all(decided))
    print(f"{'set':30}   pairs     right  undecided  wrong  references all exact")
    for name in (*SETS, "math500"):
        share = f"{100 * sum(exact[name]) / len(exact[name]):.1f} % of {len(exact[name])}"
        print(line(name, by_set[name]) + f"  {share}" if name in by_set else f"{name:68}{share}")
    print(line("all", sum(by_set.values(), Counter())))
    for equal, title in ((True, "written otherwise"), (False, "changed")):
        print(f"\n{title:30}   pairs     right  undecided  wrong")
        for (is_equal, kind), counts in sorted(by_kind.items()):
            if is_equal is equal:
                print(line(kind, counts))
    print()


def line(name: str, counts: Counter[str]) -> str:
    """A row of a table of verdicts."""
    total = sum(counts.values())
    share = 100 * counts["right"] / total
    return f"{name:30} {total:7} {share:8.3f}% {counts['undecided']:10} {counts['wrong']:6}"


def print_confusable(data: Path, count: int, draw: random.Random) -> None:
    """References of MATH made of the same digits: where the two sides disagree.

    The one check here that does not rest on rewrites of our own making.
    """
    by_digits: dict[str, list[str]] = defaultdict(list)
    for reference in sorted({row["answer"] for row in rows(data, "math")}):
        by_digits["".join(sorted(filter(str.isdigit, reference)))].append(reference)
    pairs = [
        pair
        for alike in by_digits.values()
        if len(alike) < 40
        for pair in itertools.combinations(alike, 2)
    ]
    said: Counter[tuple[bool | None, bool]] = Counter()
    apart = []
    for a, b in draw.sample(pairs, min(count, len(pairs))):
        verdicts = (equivalent(a, b, mathematics=False), theirs(a, b))
        said[verdicts] += 1
        if verdicts[0] is not None and verdicts[0] is not verdicts[1]:
            apart.append((*verdicts, a, b))
    agree = said[True, True] + said[False, False]
    undecided = said[None, True] + said[None, False]
    print(f"{count} pairs of MATH references with the same digits, exact path against math-verify:")
    print(f"{agree} agree, {undecided} undecided, {len(apart)} disagree (ours, math-verify, pair):")
    for case in apart:
        print("   ", *case)
    print()


# ---- How fast ----


def theirs(a: str, b: str) -> bool:
    """math-verify on two texts."""
    from math_verify import parse, verify

    return bool(verify(parse(f"${a}$"), parse(f"${b}$")))


def print_speed(data: Path, count: int, draw: random.Random) -> None:
    """Pairs a second, and how many verdicts are right."""
    theirs("1", "1")  # imports
    math500 = [row["answer"] for row in rows(data, "math500")]
    whole, fractional = numbers(count, draw), fractions(count, draw)
    decimals = [(f"{a}.25", f"{b}.25") for a, b in numbers(count, draw)]
    noise = [(str(n), repr(math.nextafter(n, math.inf))) for n in range(3, count + 3)]
    kinds = {
        "whole numbers": [(a, b, a == b) for a, b in whole],
        "decimals": [(a, b, a == b) for a, b in decimals],
        "float noise": [(a, b, True) for a, b in noise],
        "fractions": [(a, b, same_fraction(a, b)) for a, b in fractional],
        "MATH-500, candidates": candidates(math500, count, draw),
    }
    print("pairs a second        ours  math-verify   ratio   wrong: ours  math-verify  undecided")
    for name, pairs in kinds.items():
        truth = [is_equal for _, _, is_equal in pairs]
        texts = [(a, b) for a, b, _ in pairs]
        canonical.cache_clear()
        ours_rate, ours_said = timed(equivalent, texts)
        their_rate, they_said = timed(theirs, texts)
        wrong = sum(v is not None and v is not t for v, t in zip(ours_said, truth, strict=True))
        theirs_wrong = sum(bool(v) is not t for v, t in zip(they_said, truth, strict=True))
        print(
            f"{name:20} {ours_rate:7.0f} {their_rate:12.1f} {ours_rate / their_rate:7.0f} "
            f"{wrong:12} {theirs_wrong:12} {ours_said.count(None):10}"
        )
    print()


def timed(
    compare: Callable[[str, str], bool | None], pairs: Sequence[Pair]
) -> tuple[float, list[bool | None]]:
    """Pairs a second by the clock, and the verdicts."""
    begin = time.perf_counter()
    said = [compare(*pair) for pair in pairs]
    return len(pairs) / (time.perf_counter() - begin), said


def numbers(count: int, draw: random.Random) -> list[Pair]:
    """Whole numbers, half of them with themselves, no two pairs alike."""
    values = draw.sample(range(100_000), count)
    return [(str(v), str(v + draw.choice((0, 1)))) for v in values]


def fractions(count: int, draw: random.Random) -> list[Pair]:
    """LaTeX fractions against plain ones, half of them equal."""
    made = []
    for bottom in draw.sample(range(2, 50_000), count):
        top, more = draw.randint(1, 999), draw.choice((0, 1))
        made.append((rf"\frac{{{top}}}{{{bottom}}}", f"{top + more}/{bottom}"))
    return made


def same_fraction(a: str, b: str) -> bool:
    """Of two texts that `fractions` made."""
    return a.removeprefix(r"\frac{").rstrip("}").replace("}{", "/") == b


def candidates(
    references: Sequence[str], count: int, draw: random.Random
) -> list[tuple[str, str, bool]]:
    """References against what candidates may answer: rewritten, changed, and other references."""
    made = [
        (reference, rewrite.text, rewrite.equal)
        for reference in references
        for rewrite in rewrites(reference)
        if rewrite.kind not in WRAPPINGS
    ]
    return draw.sample(made, min(count, len(made)))


# ---- Votes ----


def print_classes(data: Path, problems: int, count: int, draw: random.Random) -> None:
    """The answers of a problem: classes against greedy pairwise math-verify."""
    print(f"{count:3} answers   ours, ms  math-verify, ms   ratio", end="")
    print("   equal pairs split: ours  math-verify")
    for name, source in (("GSM8K-like", "gsm8k"), ("MATH-like", "math500")):
        references = [row["answer"] for row in rows(data, source)]
        ours_time = their_time = 0.0
        pairs = ours_split = their_split = 0
        for reference in draw.sample(references, problems):
            answers, truth = ballot(reference, references, count, draw)
            canonical.cache_clear()
            begin = time.perf_counter()
            ours = classes(answers)
            between = time.perf_counter()
            greedy = greedy_classes(answers)
            ours_time += between - begin
            their_time += time.perf_counter() - between
            pairs += equal_pairs(truth)
            ours_split += equal_pairs(truth) - equal_pairs(list(zip(truth, ours, strict=True)))
            their_split += equal_pairs(truth) - equal_pairs(list(zip(truth, greedy, strict=True)))
        print(
            f"{name:12} {1000 * ours_time / problems:9.2f} {1000 * their_time / problems:16.0f} "
            f"{their_time / ours_time:7.0f} {100 * ours_split / pairs:23.2f}% "
            f"{100 * their_split / pairs:11.2f}%"
        )


def ballot(
    reference: str, references: Sequence[str], count: int, draw: random.Random
) -> tuple[list[str], list[int]]:
    """`count` answers, and which of 16 values each means; half of them the reference, anyhow."""
    others = sorted({other for other in references if other != reference})
    values = [reference, *draw.sample(others, 15)]
    forms = [
        [made.text for made in rewrites(value) if made.equal and made.kind not in WRAPPINGS]
        for value in values
    ]
    truth = [0 if draw.random() < 0.5 else draw.randrange(1, 16) for _ in range(count)]
    return [draw.choice(forms[value]) for value in truth], truth


def greedy_classes(answers: Sequence[str]) -> list[int]:
    """Each answer joins the first class whose first member math-verify calls the same."""
    from math_verify import parse, verify

    parsed: dict[str, Any] = {}
    known: dict[Pair, bool] = {}
    firsts: list[str] = []
    numbers = []
    for answer in answers:
        if answer not in parsed:
            parsed[answer] = parse(f"${answer}$")
        for number, first in enumerate(firsts):
            if (first, answer) not in known:
                known[first, answer] = bool(verify(parsed[first], parsed[answer]))
            if known[first, answer]:
                numbers.append(number)
                break
        else:
            numbers.append(len(firsts))
            firsts.append(answer)
    return numbers


def equal_pairs(keys: Sequence[object]) -> int:
    """How many pairs have the same key."""
    return sum(count * (count - 1) // 2 for count in Counter(keys).values())


if __name__ == "__main__":
    main()
