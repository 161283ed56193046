"""Answer classes: literal ones, agreement with the slow and obvious, invariants."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.problems.answers import classes, convention_of, equivalent, judge
from assay.problems.answers.canonical import canonical


def test_classes() -> None:
    answers = [
        *("18", None, "18.0", "1/3", "nan", "$18", "0.3333333333333333", "0.33", "x"),
        "17.999999999999996",
    ]
    assert classes(answers) == [0, -1, 0, 1, -1, 0, 1, 2, 3, 0]
    assert classes(["0.5", "C", "A", "12", "E"], ("12", "15", "1/2", "7")) == [0, 0, 1, 1, 2]
    assert classes([]) == []


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (["x+1", "1+x", "x", r"\sqrt{12}", r"2\sqrt3", "3.4641016151377544"], [0, 0, 1, 2, 2, 2]),
        (["3, -2", "-2 and 3", "(3, -2)", "{3, -2}"], [0, 0, 1, 0]),
        (["50%", "50", "0.5"], [0, 0, 1]),
        (["0.5", "50%", "1/2"], [0, 0, 0]),
        (["5 cm", "5 m", "5", "5 m"], [0, 1, 1, 1]),  # the bare one goes with the more
        (["{1,2}", "(1,2)", "[1,2]"], [0, 1, 2]),  # undecided is not merged
        # noisy decimals meet without an exact one
        (["0.30000000000000004", "0.3000000000000001", "0.2999999999999999"], [0, 0, 0]),
        ([r"\sum_{k=1}^{10} k", "55", r"\sum_{k=1}^{10} k + 1"], [0, 0, 1]),
    ],
)
def test_classes_of_kinds(answers: list[str], expected: list[int]) -> None:
    assert classes(answers) == expected


def test_noise_does_not_chain() -> None:
    """Two exact answers stay apart whatever lies between them."""
    result = classes(["10000000000", "10000000001", "10000000000.500000000"])
    assert result[0] != result[1]


def test_without_mathematics_nothing_is_asked() -> None:
    assert classes([r"\sum_{k=1}^{10} k", "55"], mathematics=False) == [0, 1]


def test_judge() -> None:
    judged = judge(["18.0", "17", None, "$18", "17 eggs", "10+John's age"], "18")
    assert judged.classes == [0, 1, -1, 0, 1, 2]
    assert judged.labels == [True, False, False, True, False, None]
    assert judged.reference_class == 0
    assert judge(["17", None], "18").reference_class == -1
    assert judge(["17", None], None).labels == [None, None]


def test_classes_do_not_know_the_reference() -> None:
    """2.33 is right by rounding, and still no vote for 7/3."""
    judged = judge(["7/3", "2.33", "7/3"], "2.33", convention=convention_of("numglue"))
    assert judged.classes == [0, 1, 0]
    assert judged.labels == [True, True, True]
    assert judged.reference_class == 0


def slow_classes(answers: list[str | None]) -> list[int]:
    """Slow and obvious: compare with every earlier class's first member."""
    firsts: list[str] = []
    result = []
    for answer in answers:
        if answer is None or canonical(answer) is None:
            result.append(-1)
            continue
        for index, first in enumerate(firsts):
            if equivalent(answer, first, mathematics=False):
                result.append(index)
                break
        else:
            result.append(len(firsts))
            firsts.append(answer)
    return result


# Without per cent beside 0.5, and without two units: these relations are not transitive.
_ANSWERS = st.sampled_from(
    [
        *("18", "18.0", "$18", "17.999999999999996", "1/3", "0.3333333333333333", "0.33", "x+1"),
        *("yes", "No", "no", "(1,2)", "[1,2]", "{2,1}", "1, 2", "50%", "50", "nan", "C", "1 + x"),
        *(r"\sqrt{3}", "1.7320508075688772", "sqrt(3)", "y = x + 1", "52_8", "3:1", "x>2"),
        *(r"(2, \infty)", r"1 \pm 1", "0, 2", "2x = 4", "x - 2 = 0", "1/2x", "x^2", "x^2.0"),
    ]
)


@given(st.lists(_ANSWERS | st.none(), max_size=14))
def test_classes_agree_with_equivalence(answers: list[str | None]) -> None:
    assert classes(answers, mathematics=False) == slow_classes(answers)


@given(st.lists(_ANSWERS | st.sampled_from(["0.5", "5 m", "5 cm", "5", "0.5%"]), max_size=14))
def test_the_order_of_candidates_changes_only_the_numbers(answers: list[str]) -> None:
    def partition(order: list[int]) -> set[frozenset[int]]:
        numbers = classes([answers[i] for i in order], mathematics=False)
        groups: dict[int, set[int]] = {}
        for i, number in zip(order, numbers, strict=True):
            groups.setdefault(number, set()).add(i)
        return {frozenset(group) for number, group in groups.items()}

    order = list(range(len(answers)))
    expected = partition(order)
    random.Random(0).shuffle(order)
    assert partition(order) == expected


@given(st.lists(st.text(max_size=12) | st.none(), max_size=8))
def test_classes_of_any_texts(answers: list[str | None]) -> None:
    numbers = classes(answers, mathematics=False)
    assert [n < 0 for n in numbers] == [a is None or canonical(a) is None for a in answers]
    first_seen = list(dict.fromkeys(n for n in numbers if n >= 0))
    assert first_seen == list(range(len(first_seen)))
