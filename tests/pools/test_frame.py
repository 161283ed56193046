"""Answer classes that were formed apart, as classes over all of a problem's candidates."""

import itertools

import pytest

from assay.pools.frame import joined_classes
from assay.problems.answers import classes


@pytest.mark.parametrize(
    ("groups", "numbers", "answers", "options", "expected"),
    [
        ("aabb", [0, 1, 0, 1], ["1/2", "2", "2.0", "0.5"], (), [0, 1, 1, 0]),
        # Nobody's answer stays nobody's, whatever stands beside it.
        ("abab", [-1, -1, 0, 0], [None, None, "7", "7.0"], (), [-1, -1, 0, 0]),
        # Members of a class follow their head, even where their own answer would be hard to read.
        ("aab", [0, 0, 0], ["5", "five or so", "5"], (), [0, 0, 0]),
        # The same number means another class in another group.
        ("abc", [3, 3, 3], ["1", "2", "3"], (), [0, 1, 2]),
        # What was undecided within a group stays apart there.
        ("aab", [0, 1, 0], ["x", "y", "y"], (), [0, 1, 1]),
        # Letters of a choice and the texts behind them.
        ("ab", [0, 0], ["A", "12"], ("12", "15"), [0, 0]),
        # One group keeps its numbers.
        ("aaa", [3, 1, -1], ["5", "6", None], (), [3, 1, -1]),
        ("", [], [], (), []),
    ],
)
def test_classes_over_groups(groups, numbers, answers, options, expected):
    assert joined_classes(list(groups), numbers, answers, options) == expected


def test_however_candidates_are_divided_their_classes_are_those_of_all():
    answers = ["1/2", "0.5", None, "2", "50%", "2.0"]
    whole = classes(answers)
    for division in itertools.product("ab", repeat=len(answers)):
        numbers = [0] * len(answers)
        for group in "ab":
            members = [i for i, name in enumerate(division) if name == group]
            for i, number in zip(members, classes([answers[i] for i in members]), strict=True):
                numbers[i] = number
        joined = joined_classes(list(division), numbers, answers, ())
        pairs = itertools.combinations(range(len(answers)), 2)
        assert all((joined[i] == joined[j]) == (whole[i] == whole[j]) for i, j in pairs)
