"""Pools whose problems have candidates of one mode each: every column over those that have it."""

import itertools
import json

import numpy as np
import pandas as pd
import pytest

from assay.evaluation.costs import costs
from assay.evaluation.report.sections.accuracy import accuracy_tables, facts
from assay.evaluation.report.sections.differences import run_differences
from assay.evaluation.report.sections.groups import difficulty
from assay.evaluation.report.tidy import tidy_tables
from assay.evaluation.table import table
from assay.selection.curves import has, pass_at, tokens_at, ways
from assay.selection.evaluate import evaluate
from assay.selection.pool import PoolArrays
from assay.selection.request import EvaluateConfig, sizes_of
from assay.settings.errors import UserError

NAMES = ["problem_id", "mode", "sample", "answer_class", "label", "tokens", "score:v"]


def rows_of(problem, mode, labels, tokens=10, score=0.5):
    return [
        (problem, mode, sample, int(not right), bool(right), tokens, score)
        for sample, right in enumerate(labels)
    ]


def pool_of(*rows):
    return PoolArrays.from_frame(pd.DataFrame(itertools.chain(*rows), columns=NAMES))


# Ten problems: eight with two solutions in words (half right), two with two programs (all right).
EIGHT_AND_TWO = [
    *(rows_of(f"c{i}", "cot", [1, 0], 10) for i in range(8)),
    *(rows_of(f"p{i}", "pot", [1, 1], 30) for i in range(2)),
]


@pytest.fixture(scope="module")
def evaluation():
    return evaluate(pool_of(*EIGHT_AND_TWO), EvaluateConfig(draws=50, bootstrap=50))


def test_columns_are_over_the_problems_that_have_the_mode(evaluation):
    assert evaluation.sizes == {"cot": 2, "pot": 2, "both": 2}
    for n, rule in ((1, "single"), (2, "pass")):
        assert evaluation.at(rule, "pot", n).value == 1.0  # not 2 of 10
    assert evaluation.at("single", "cot", 1).value == 0.5  # not 0.4
    assert evaluation.at("single", "both", 1).value == pytest.approx(0.6)  # not 0.3
    assert evaluation.at("pass", "both", 2).value == 1.0
    assert [evaluation.problems(mix) for mix in ("cot", "pot", "both")] == [8, 2, 10]
    rows = evaluation.frame.query("rule == 'pass' and n == 2").set_index("modes")
    assert rows["problems"].to_dict() == {"cot": 8, "pot": 2, "both": 10}
    assert rows["tokens"].to_dict() == {"cot": 20, "pot": 60, "both": 28}
    assert evaluation.notes[:2] == (
        "CoT only: over the 8 problems with such candidates, of 10",
        "PoT only: over the 2 problems with such candidates, of 10",
    )


def test_the_number_stands_beside_the_column(evaluation):
    lines = table(evaluation, bold=False).splitlines()
    assert lines[0] == "  10 problems · 2 candidates each"  # of both not half and half
    assert lines[3].split() == ["CoT", "only", "(8)", "PoT", "only", "(2)", "both"]
    (shown,) = accuracy_tables([("r", evaluation)])
    assert shown["columns"] == ["CoT only (8)", "PoT only (2)", "both"]
    assert facts(evaluation, {})[1] == "2 CoT (8) + 2 PoT (2) candidates each"
    assert evaluation.to_dict()["problems_by_modes"] == {"cot": 8, "pot": 2, "both": 10}
    json.dumps(evaluation.to_dict(), allow_nan=False)
    problems = tidy_tables({"r": evaluation})["problems"]
    counts = problems.query("rule == 'pass' and n == 2")["modes"].value_counts()
    assert counts.to_dict() == {"both": 10, "cot": 8, "pot": 2}
    assert problems["accuracy"].notna().all()


def test_intervals_are_over_those_problems(evaluation):
    found = evaluation.at("single", "cot", 1)
    assert (found.low, found.high) == (0.5, 0.5)  # all eight are alike
    row = evaluation.differences.query("modes == 'pot' and rule == 'weighted' and n == 2")
    assert row[["difference", "low", "high"]].to_numpy().tolist() == [[0.0, 0.0, 0.0]]


SIBLINGS = {
    # counts of (CoT, PoT) candidates of each problem -> sizes of cot, pot, both
    "one each, one mode each": ([(1, 0)] * 5 + [(0, 1)] * 2, {"cot": 1, "pot": 1, "both": 1}),
    "a few with both": ([(4, 0)] * 5 + [(4, 4)] * 2, {"cot": 4, "pot": 4, "both": 4}),
    "most with both": ([(4, 0)] * 2 + [(4, 4)] * 5, {"cot": 4, "pot": 4, "both": 8}),
    "as many of each": ([(4, 0)] * 3 + [(4, 4)] * 3, {"cot": 4, "pot": 4, "both": 8}),
    "all with both": ([(4, 2)] * 3, {"cot": 4, "pot": 2, "both": 4}),
    "different sizes": ([(8, 0)] * 3 + [(0, 2)] * 2, {"cot": 8, "pot": 2, "both": 8}),
    "one mode": ([(3, 0)] * 3, {"cot": 3}),
}


def counted_pool(counts):
    return pool_of(
        *(
            rows_of(f"q{i}", mode, [j % 2 for j in range(count)])
            for i, own in enumerate(counts)
            for mode, count in zip(("cot", "pot"), own, strict=True)
        )
    )


@pytest.mark.parametrize(("counts", "sizes"), SIBLINGS.values(), ids=SIBLINGS)
def test_sizes(counts, sizes):
    pool = counted_pool(counts)
    assert sizes_of(pool) == sizes
    found = evaluate(pool, EvaluateConfig(draws=5, bootstrap=5))
    for mix in sizes:
        there = [bool(c if mix == "cot" else p if mix == "pot" else c + p) for c, p in counts]
        assert has(pool, mix).tolist() == there
        assert found.problems(mix) == sum(there)
        for (_, modes, _), values in found.per_problem.items():
            if modes == mix:
                np.testing.assert_array_equal(~np.isnan(values), there)


def test_ways_to_share_out():
    counts = np.array([[4, 4], [4, 0], [0, 4]])
    assert [way.tolist() for way in ways(counts, "both", 3)] == [
        [[1, 2], [3, 0], [0, 3]],
        [[2, 1], [3, 0], [0, 3]],
    ]
    assert [way.tolist() for way in ways(counts, "pot", 2)] == [[[0, 2], [0, 2], [0, 2]]]


def test_both_is_as_each_mode_alone():
    """What a problem with one mode gives to both is what it gives to that mode."""
    pool = counted_pool([(4, 0), (4, 0), (0, 3), (4, 4)])
    for n in (1, 2, 3):
        for at in (pass_at, tokens_at):
            both, cot, pot = (at(pool, mix, n) for mix in ("both", "cot", "pot"))
            np.testing.assert_allclose(both[:2], cot[:2])
            np.testing.assert_allclose(both[2], pot[2])


def test_costs_are_over_those_problems(evaluation):
    numbers = ("sampling_flops", "prompt_flops", "scoring_flops", "question_flops")
    numbers += ("sampling_seconds", "grading_seconds", "scoring_seconds")
    frame = pd.DataFrame(itertools.chain(*EIGHT_AND_TWO), columns=NAMES).assign(origin="")
    frame = frame.assign(**dict.fromkeys(numbers, 1.0))
    spent = costs(frame, evaluation).query("not verifier and n == 2").set_index("modes")
    assert spent["tokens"].to_dict() == {"cot": 20, "pot": 60, "both": 28}
    assert spent["generator_flops"].to_dict() == {"cot": 3, "pot": 3, "both": 3}


def test_breakdowns_and_runs_side_by_side(evaluation):
    pool = pool_of(
        *(rows_of(f"c{i}", "cot", [i % 3 > 0, i % 2]) for i in range(12)),
        *(rows_of(f"p{i}", "pot", [1, 0, 1, 1]) for i in range(2)),
    )
    config = EvaluateConfig(by=["difficulty"], draws=5, bootstrap=5)
    found = evaluate(pool, config)
    programs = found.groups.query("modes == 'pot' and rule == 'pass' and n == 1")
    assert programs["problems"].sum() == 2
    for each in difficulty(found):
        assert {len(line) for one in each["series"] for line in one["value"]} == {5}
    other = evaluate(pool_of(*EIGHT_AND_TWO[2:]), EvaluateConfig(draws=5, bootstrap=5))
    shared = {row["problems"] for row in run_differences(other, evaluation, "cot")}
    assert shared == {6}
    assert run_differences(evaluate(pool_of(*EIGHT_AND_TWO[:8])), evaluation, "pot") == []


def test_a_mode_of_few_problems_is_tuned_on_the_others():
    pool = pool_of(
        *(rows_of(f"c{i:02d}", "cot", [1, 0, 1]) for i in range(20)),
        *(rows_of(f"p{i}", "pot", [1, 0, 1]) for i in range(1)),
    )
    found = evaluate(pool, EvaluateConfig(k="auto", draws=5, bootstrap=5))
    assert found.problems("pot") == 1
    # Its own fold has no other problem with programs to choose by, and takes the first: one voter.
    plan = found.votes["top_k", "pot", 3]
    assert {vote.k for vote in plan.votes} <= {1, 2, 3}
    assert found.at("pass", "pot", 3).value == 1.0


@pytest.mark.parametrize(
    ("n", "k", "notes"),
    [
        ([1, 2, 9], 0, ["at n = 9 left out: it has no more than 4"] * 2),
        ([2, 6], 0, ["CoT only at n = 6 left out", "PoT only at n = 6 left out"]),
        ([8], 0, ["CoT only left out: it has no", "PoT only left out: it has no"]),
        ([4, 8], 5, ["at n = 8 left out", "k=5 is more than n = 4: there all of them vote"]),
        ([1, 2, 4], 3, ["k=3 is more than n = 2: there all of them vote"]),
        ([1, 2], 2, []),
        ([], 6, ["k=6 is more than n = 2, 4: there all of them vote"]),
        ([4, *range(10, 20)], 0, ["CoT only at n = 10, 11, 12, …, 19 left out"]),
    ],
)
def test_what_is_asked_beyond_the_pool_is_told(n, k, notes):
    pool = counted_pool([(4, 4)] * 3)
    found = evaluate(pool, EvaluateConfig(n=n, k=k, draws=5, bootstrap=5))
    for note in notes:
        assert any(note in told for told in found.notes), note
    if not notes:
        assert not any("left out" in told or "more than" in told for told in found.notes)


def test_more_voters_are_told_only_where_they_vote():
    pool = counted_pool([(4, 4)] * 3)
    found = evaluate(pool, EvaluateConfig(n=[2], k=9, rules=["weighted"], draws=5, bootstrap=5))
    assert not any("k=9" in told for told in found.notes)


def test_short_refuses_a_problem_without_a_mode():
    with pytest.raises(UserError, match="1 problem with fewer than 4 PoT candidates"):
        evaluate(counted_pool([(4, 4), (4, 0), (4, 4)]), EvaluateConfig(short="refuse"))
