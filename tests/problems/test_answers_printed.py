"""What programs print: arrays, matrices, sets, intervals, dictionaries of Python, numpy, sympy."""

import time

import pytest

from assay.problems.answers import classes, equivalent, extract_output, label

PAIR = "3, -1"
MATRIX = r"\begin{pmatrix}1&2\\3&4\end{pmatrix}"

# output, reference, label
OUTPUTS = {
    "array": ("[ 3. -1.]", PAIR, True),
    "array is no difference": ("[ 3. -1.]", "2", False),
    "array, other members": ("[ 3. -1.]", "3, 1", False),
    "halves": ("[ 1.5 -0.5]", "1.5, -0.5", True),
    "whole": ("[1. 2.]", "1, 2", True),
    "whole numbers": ("[ 3 -1]", PAIR, True),
    "powers of ten": ("[1.5e-05 2.0e+00]", "0.000015, 2", True),
    "complex": ("[-0.+1.j  0.-1.j]", "i, -i", True),
    "padded complex": ("[1. +0.j 2.5+1.j]", "1, 2.5 + i", True),
    "over two lines": ("[ 1  2  3\n  4  5]", "1, 2, 3, 4, 5", True),
    "named": ("x = [ 3. -1.]", PAIR, True),
    "repr of an array": ("array([ 3., -1.])", PAIR, True),
    "its type": ("array([3, -1], dtype=int32)", PAIR, True),
    "scalars": ("[np.float64(3.0), np.int64(-1)]", PAIR, True),
    "scalars, wrong": ("[np.float64(3.0), np.int64(-1)]", "3, 1", False),
    "half-open": ("[0,1)", "[0,1)", True),
    "half-open, other end": ("[0,1)", "(0,1]", False),
    "half-open, not closed": ("[0, 1)", "[0, 1]", False),
    "half-open to infinity": (r"[6,\infty)", r"[6,\infty)", True),
    "one scalar": ("np.float64(2.5)", "5/2", True),
    "tuple of scalars": ("(np.float64(3.0), np.float64(-1.0))", "(3, -1)", True),
    "fractions": ("[Fraction(3, 1), Fraction(-1, 2)]", "3, -1/2", True),
    "decimals": ("[Decimal('1.50'), Decimal('2')]", "1.5, 2", True),
    "bool of numpy": ("np.True_", "True", True),
    "array in an array": ("[[ 3. -1.]]", "(3, -1)", None),
    "thirds, rounded by numpy": ("[0.33333333 0.66666667]", r"\frac13, \frac23", None),
    "roots, rounded by numpy": ("[-1.41421356  1.41421356]", r"\pm\sqrt{2}", None),
    "rounded, wrong": ("[0.33333333 0.66666667]", "1/4, 2/3", False),
    "matrix": ("[[1 2]\n [3 4]]", MATRIX, True),
    "matrix of floats": ("[[1. 2.]\n [3. 4.]]", MATRIX, True),
    "matrix after words": ("the inverse:\n[[1 2]\n [3 4]]\n", MATRIX, True),
    "matrix, wrong": ("[[1 2]\n [4 3]]", MATRIX, False),
    "list of lists": ("[[1, 2], [3, 4]]", MATRIX, True),
    "repr of a matrix": ("array([[1, 2],\n       [3, 4]])", MATRIX, True),
    "sympy": ("Matrix([[1, 2], [3, 4]])", MATRIX, True),
    "sympy, repr": ("Matrix([\n[1, 2],\n[3, 4]])", MATRIX, True),
    "column": ("Matrix([[3], [-1]])", r"\begin{pmatrix}3\\-1\end{pmatrix}", True),
    "column of numpy": ("[[ 3.]\n [-1.]]", r"\begin{pmatrix}3\\-1\end{pmatrix}", True),
    "column, wrong": ("[[ 3.]\n [ 1.]]", r"\begin{pmatrix}3\\-1\end{pmatrix}", False),
    "row and column": ("Matrix([[3, -1]])", r"\begin{pmatrix}3\\-1\end{pmatrix}", None),
    "one cell": ("[[5]]", "5", True),
    "pairs or a matrix": ("[[1, 2], [3, 4]]", "(1,2), (3,4)", None),
    "pairs": ("[(1, 2), (3, 4)]", "(1,2), (3,4)", True),
    "objects": ("[1/2 sqrt(2)]", r"\frac{\sqrt{2}}{2}", None),
    "objects, with a sign": ("[x -1]", "x - 1", None),
    "objects, a product": ("[2 sqrt(2)]", r"2\sqrt{2}", None),
    "shortened": ("[0 1 2 ... 7 8 9]", "45", None),
    "list": ("[3, -1]", PAIR, True),
    "set": ("{3, -1}", PAIR, True),
    "frozen set": ("frozenset({3, -1})", PAIR, True),
    "values": ("dict_values([3, -1])", PAIR, True),
    "finite set": ("FiniteSet(3, -1)", PAIR, True),
    "set of intervals": ("Union({1}, Interval(2, 3))", "[2, 3]", None),
    "And": ("(x > 2) & (x < 5)", "(2, 5)", True),
    "And, called": ("And(x >= 2, x < 5)", "[2, 5)", True),
    "And, wrong": ("(x > 2) & (x < 5)", "(2, 6)", False),
    "Or": ("(x > 5) | (x < 2)", r"(-\infty, 2) \cup (5, \infty)", True),
    "Or of And": (
        "((-oo < x) & (x < -2)) | ((2 < x) & (x < oo))",
        r"(-\infty,-2) \cup (2,\infty)",
        True,
    ),
    "Ne": ("(x > 2) & Ne(x, 3)", r"(2,3) \cup (3,\infty)", True),
    "interval": ("Interval(2, 5)", "[2, 5]", True),
    "open": ("Interval.open(2, 5)", "(2, 5)", True),
    "half open": ("Interval.Ropen(2, 5)", "[2, 5)", True),
    "half open, wrong": ("Interval.Ropen(2, 5)", "(2, 5]", False),
    "without end": ("Interval(-oo, 3)", r"(-\infty, 3]", True),
    "all": ("Interval(-oo, oo)", r"(-\infty, \infty)", True),
    "union": ("Union(Interval.open(-oo, 1), Interval(2, oo))", r"x < 1 \text{ or } x \ge 2", True),
    "Eq": ("Eq(x, 3)", "3", True),
    "solved": ("{x: 3}", "3", True),
    "solved for another": ("{x: 3}", "y = 3", None),
    "dictionary": ("{x: 2, y: 1}", "x = 2, y = 1", True),
    "dictionary, wrong": ("{x: 2, y: 1}", "x = 1, y = 2", False),
    "dictionary, one asked for": ("{x: 2, y: 1}", "2", None),
    "dictionary of neither": ("{x: 2, y: 1}", "3", False),
    "pair of a dictionary": ("{x: 2, y: 1}", "(2, 1)", None),
    "dictionary of strings": ("{'x': 2, 'y': 1}", "x = 2, y = 1", True),
    "powers of primes": ("{2: 2, 3: 1}", "12", None),
    "roots with multiplicity": ("{1: 2, -3: 1}", "1, -3", None),
    "solutions": ("[{x: -1, y: -1}, {x: 1, y: 1}]", "(-1,-1), (1,1)", None),
    "solutions of one unknown": ("[{x: 3}, {x: -1}]", PAIR, True),
    "counter": ("Counter({'a': 2, 'b': 1})", "2", None),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_label_of_output(name: str) -> None:
    output, reference, expected = OUTPUTS[name]
    claimed = extract_output(output).answer
    assert claimed is not None
    assert label(claimed, reference, mathematics=False) is expected
    assert equivalent(reference, claimed, mathematics=False) is expected


@pytest.mark.parametrize(
    "output",
    ["[nan nan]", "[None, None]", "(nan, nan)", "nan", "-inf", "inf", "None", "zoo", "[]", "set()"],
)
def test_nothing_found_is_no_answer(output: str) -> None:
    assert extract_output(output).answer is None


def test_solutions_that_belong_together_are_not_mixed() -> None:
    first = extract_output("[{x: -1, y: -1}, {x: 1, y: 1}]").answer
    other = extract_output("[{x: -1, y: 1}, {x: 1, y: -1}]").answer
    again = extract_output("[{x: 1, y: 1}, {x: -1, y: -1}]").answer
    assert classes([first, other, again, first]) == [0, 1, 0, 0]


def test_brackets_come_off_only_in_pairs() -> None:
    assert equivalent("(2) + (3)", "5") is True
    assert equivalent("np.float64(2.0) + np.float64(3.0)", "5") is True
    assert equivalent("(x > 2) & (x < 5)", "x > 2) & (x < 5") is not True
    assert equivalent("FiniteSet((1, 2), (3, 4))", "(1, 2), (3, 4)") is True


@pytest.mark.parametrize(
    "output",
    [
        *("[" * 60_000, "]" * 60_000, "[1 " * 20_000, "1, " * 20_000, "1,111" * 12_000),
        *("\n]" * 30_000, "[1\n" * 20_000 + "]", "7" * 60_000, "x = " + "7" * 60_000),
        *("(x < 1) & " * 190, "[[1 2] " * 280, "1 or " * 390, "{a: 1, " * 280, "5 a-" * 480),
    ],
)
def test_hostile_output_is_quick(output: str) -> None:
    begin = time.thread_time()
    claimed = extract_output(output).answer
    for reference in ("5", "(1, 2)", "x < 1", MATRIX):
        assert label(claimed, reference, mathematics=False) is not True
    first, again, five = classes([claimed, claimed, "5"], mathematics=False)
    assert first == again != five
    assert time.thread_time() - begin < 1.0
