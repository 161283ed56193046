"""Inequalities as intervals, however they are joined; never "different" where not understood."""

import pytest

from assay.problems.answers import equivalent

SAME = [
    (r"x \ge 2 \text{ and } x < 5", "[2,5)"),
    (r"2 < x \text{ and } x < 5", "(2,5)"),
    (r"2 < x \text{ and } x \le 7", "(2,7]"),
    (r"x\ge2\text{and}x<5", "[2,5)"),
    (r"x \ge 2 \land x < 5", "[2,5)"),
    (r"x \ge 2 \wedge x < 5", "[2,5)"),
    ("x ≥ 2 ∧ x < 5", "[2,5)"),
    ("x >= 2 & x < 5", "[2,5)"),
    (r"x \ge 2\ \&\ x < 5", "[2,5)"),
    ("x >= 2 && x < 5", "[2,5)"),
    ("x > 2, x < 5", "2 < x < 5"),
    ("x < 5; x > 2", "(2,5)"),
    ("5 > x and 2 < x", "(2,5)"),
    ("(x > 2) and (x < 5)", "(2,5)"),
    ("x > 2 and x > 3", r"(3,\infty)"),
    (r"x < 5 \text{ and } x \ne 3", r"(-\infty,3)\cup(3,5)"),
    (r"x > 1 \text{ and } x < 2 \text{ or } x > 5", r"(1,2)\cup(5,\infty)"),
    (r"x < 1 \lor x > 2", r"(-\infty,1)\cup(2,\infty)"),
    (r"\{x \mid 2 < x < 5\}", "(2,5)"),
    (r"\{x \in \mathbb{R} : x > 2\}", r"(2,\infty)"),
    (r"-\pi < t \text{ and } t \le \pi", r"(-\pi,\pi]"),
    ("x > 3", r"(3,\infty)"),
    (r"x_1 > 3", r"(3,\infty)"),
]
DIFFERENT = [
    (r"x \ge 2 \text{ and } x < 5", "(2,5)"),
    (r"x \ge 2 \text{ and } x < 5", "[2,6)"),
    (r"x > 2 \land x < 5", "[2,5]"),
    ("x > 2, x < 5", "(2,6)"),
    ("x > 2 and x > 3", r"(2,\infty)"),
    ("x >= 2 & x < 5", "7"),
]
UNDECIDED = [
    ("x < 1, x > 3", r"(-\infty,1)\cup(3,\infty)"),
    ("x < 1, x > 3", "(1,3)"),
    ("x < 1 and x > 3", r"(-\infty,1)\cup(3,\infty)"),
    ("x > 2, x > 3", r"(3,\infty)"),
    ("x > 2, y < 5", "(2,5)"),
    ("x > 2 and y < 5", "(2,5)"),
    (r"x > 2 \text{ and } x \in \mathbb{Z}", r"(2,\infty)"),
    ("x > 2 and x is an integer", r"(2,\infty)"),
    ("x \\ge 2 and x \\le 2", "2"),
    (r"1 < x < y \text{ and } y < 3", "(1,3)"),
    ("x > 3", "y > 3"),
    ("2 < x and x < 5", "2 < t < 5"),
]


@pytest.mark.parametrize(("a", "b"), SAME)
def test_same(a: str, b: str) -> None:
    assert equivalent(a, b, mathematics=False) is True
    assert equivalent(b, a, mathematics=False) is True


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_different(a: str, b: str) -> None:
    assert equivalent(a, b, mathematics=False) is False
    assert equivalent(b, a, mathematics=False) is False


@pytest.mark.parametrize(("a", "b"), UNDECIDED)
def test_undecided(a: str, b: str) -> None:
    assert equivalent(a, b) is None
    assert equivalent(b, a) is None
