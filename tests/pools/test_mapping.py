"""The paths of a field mapping, and what a row becomes."""

import math

import pytest

from assay.pools.exchange.fields import MISSING, Fields, look_up
from assay.pools.exchange.mapping import UnmappedError, convert
from assay.settings.errors import UserError

ROW = {
    "a": 1,
    "b": {"c": [10, 20, 30]},
    "list": [{"x": 1, "y": {"z": 2}}, {"x": 3}],
    "deep": [[{"t": -1}, {"t": -2}], []],
    "with.dot": "dotted",
    "null": None,
    "empty": [],
}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a", 1),
        ("b.c", [10, 20, 30]),
        ("b.c.0", 10),
        ("b.c.-1", 30),
        ("b.c.3", MISSING),
        ("b.d", MISSING),
        ("a.x", MISSING),
        ("list.*.x", [1, 3]),
        ("list.*.y.z", [2, None]),
        ("list.*.w", MISSING),
        ("deep.*.*.t", [[-1, -2], []]),
        ("b.*", MISSING),
        ("with.dot", "dotted"),
        ("null", None),
        ("empty.*", []),
        ("x | a", 1),
        ("a | b", 1),
        ("null | a", None),
        ("a + b.c", [1, 10, 20, 30]),
        ("a + x", [1, None]),
        ("x + y", MISSING),
        ("x + y | a", 1),
        ("=cot", "cot"),
        ("=a + =b", ["a", "b"]),
        ("", MISSING),
    ],
)
def test_paths(expression, expected):
    found = look_up(expression, ROW)
    assert found is MISSING if expected is MISSING else found == expected


def converted(row, **fields):
    return convert(row, Fields(**{"question": "q", "solutions": "s"} | fields), "f, line 1")


def test_one_text_is_one_candidate_and_its_lists_are_its_own():
    row = {"q": "1 + 1?", "s": "#### 2", "steps": [0.5, 0.25], "lp": [-1.0, -0.5], "ids": [1, 2, 3]}
    found = converted(row, scores="steps", logprobs="lp", tokens="ids")
    (candidate,) = found.candidates
    assert found.alone
    assert candidate.scores == {"": 0.25}
    assert (candidate.tokens, candidate.logprob) == (3, -1.5)


def test_one_value_for_several_solutions():
    row = {"q": "1 + 1?", "s": ["#### 2", "#### 3"], "mode": "cot", "good": True, "model": "a/b c"}
    found = converted(row, modes="mode", labels="good", origins="model")
    assert [c.mode for c in found.candidates] == ["cot", "cot"]
    assert [c.origin for c in found.candidates] == ["a-b-c", "a-b-c"]
    # Whose label it is is not known.
    assert [c.label for c in found.candidates] == [None, None]
    assert found.shared == ("labels",)


def test_the_problem_is_read_like_one_of_a_problem_set():
    row = {
        "q": "Which?",
        "s": ["(B)"],
        "gold": ["B"],
        "choices": {"A": "one", "B": "two"},
        "work": "It is two.",
    }
    found = converted(row, reference="gold", options="choices", reference_solution="work")
    assert found.problem.answer == "B"
    assert found.problem.options == ("one", "two")
    assert [(s.mode, s.text) for s in found.problem.solutions] == [("cot", "It is two.")]


@pytest.mark.parametrize(
    ("reference", "expected"),
    [("1 + 1 = 2\n#### 2", "2"), ("2", "2"), (2, "2"), ("#### 1,000 ", "1,000")],
)
def test_the_pattern_finds_the_reference_where_it_matches(reference, expected):
    row = {"q": "?", "s": [""], "r": reference}
    found = converted(row, reference="r", reference_pattern=r"####\s*(.+?)\s*$")
    assert found.problem.answer == expected


def test_conventions_come_from_the_row_or_the_id():
    row = {"q": "?", "s": [""], "id": "gsm8k-test-00001", "how": ""}
    assert converted(row, id="id").problem.convention == "gsm8k"
    assert converted(row, id="id", convention="=math").problem.convention == "math"
    assert converted(row, id="id", convention="how").problem.convention == ""
    with pytest.raises(UserError, match="convention 'mth': expected one of"):
        converted(row, convention="=mth")


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, True), (False, False), (1, True), (0.0, False), (None, None), (math.nan, None)],
)
def test_labels(value, expected):
    row = {"q": "?", "s": ["x"], "l": [value]}
    assert converted(row, labels="l").candidates[0].label is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("2", "2"), (2, "2"), ("", None), (" ", None), (None, None), ("[invalid]", None), (0, "0")],
)
def test_answers(value, expected):
    row = {"q": "?", "s": ["x"], "a": [value]}
    found = converted(row, answers="a", no_answer=["[invalid]"])
    assert found.candidates[0].answer == expected


def test_scores_by_several():
    row = {"q": "?", "s": ["x", "y"], "v": [{"a": 0.5, "b": [0.25, 1.0]}, {"a": None}]}
    first, second = converted(row, scores="v").candidates
    assert first.scores == {"a": 0.5, "b": 1.0}
    assert list(second.scores) == ["a"]
    assert math.isnan(second.scores["a"])


def test_a_failed_request_is_a_candidate_without_an_answer():
    assert [c.text for c in converted({"q": "?", "s": ["x", None]}).candidates] == ["x", ""]
    with pytest.raises(UnmappedError, match="f, line 1: no field 's' for 'solutions'; found q, s"):
        converted({"q": "?", "s": [None, None]})


@pytest.mark.parametrize("aggregate", ["min", "product", "mean", "last"])
def test_a_missing_step_score_makes_the_score_unknown(aggregate):
    row = {"q": "?", "s": ["x"], "v": [[0.5, None]]}
    (candidate,) = convert(
        row, Fields(question="q", solutions="s", scores="v"), "f", aggregate
    ).candidates
    assert math.isnan(candidate.scores[""])
