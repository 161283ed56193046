r"""Numbers: repeating decimals, Indian grouping, many digits, infinity; the names beside them."""

import math
import time

import pytest

from assay.problems.answers import classes, equivalent, extract_output, label

SAME = [
    ("0.(3)", "1/3"),
    ("0.1(6)", "1/6"),
    ("2.(5)", "23/9"),
    ("-1.(6)", "-5/3"),
    ("0.(142857)", "1/7"),
    ("0.(9)", "1"),
    ("33.(3)%", r"\frac{100}{3}\%"),
    ("0.(3) m", "1/3"),
    ("x = 0.(3)", "1/3"),
    (r"0.\overline{3}", "1/3"),
    (r"0.\overline 3", "1/3"),
    (r"0.\bar{3}", "1/3"),
    (r"0.1\overline{6}", "1/6"),
    (r"0.\dot{3}", "1/3"),
    (r"0.1\dot 6", "1/6"),
    (r"0.\dot{1}4285\dot{7}", "1/7"),
    (r"0.\dot{1}\dot{2}", "4/33"),
    ("0.(3)", "0.3333333333333333"),
    ("3(4)", "12"),
    ("1,00,000", "100000"),
    ("12,34,567", "1234567"),
    ("1,00,000.50", "100000.5"),
    ("10,00,00,000", "100000000"),
    ("₹1,00,000", "100000"),
    ("-1,00,000 rupees", "-100000"),
    ("1,00,000, 2,00,000", "100000, 200000"),
    (r"\infty", "oo"),
    ("∞", r"+\infty"),
    (r"-\infty", "-oo"),
    ("infinity", r"\infty"),
    (r"x = \infty", "oo"),
    ("x = 3", "3"),
    ("AB = 5", "|AB| = 5"),
    (r"\angle A = 30", "A = 30"),
    ("total = 5", "sum = 5"),
    ("y = 2x + 3", "2x + 3"),
    ("f(x) = x^2", "x^2"),
    (r"x = (1, 2)", "(1,2)"),
    (r"\theta = 30", "30"),
]
DIFFERENT = [
    ("0.(3)", "0"),
    ("2.(5)", "10"),
    ("0.(3)", "0.(4)"),
    ("0.(3)", "0.33"),
    (r"0.\dot{3}", "3"),
    ("0.1(6)", "0.16"),
    ("1,00,000", "1000000"),
    ("1,00,000", "1,000"),
    (r"\infty", r"-\infty"),
    (r"\infty", "5"),
    ("x = 3", "y = 4"),
    ("x = 2, y = 3", "x = 3, y = 2"),
    ("x = 3", "4"),
]
UNDECIDED = [
    ("0.(3) + 1", "4/3"),
    ("12,34,567", r"\{12, 34, 567\}"),
    ("1,234", r"\{1, 234\}"),
    ("x = 3", "y = 3"),
    ("x=3", "y=3.0"),
    ("AB = 5", "CD = 5"),
    ("P(A) = 1/2", "P(B) = 1/2"),
    (r"x = \sqrt{2}", r"y = \sqrt{2}"),
    ("f(x) = x^2", "g(x) = x^2"),
    (r"x \in [1,2]", r"y \in [1,2]"),
    (r"\alpha = 30", r"\beta = 30"),
    ("x = 2, y = 3", "a = 2, b = 3"),
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


def test_names_never_merge_in_a_vote() -> None:
    assert classes(["x = 3", "3", "y = 3", "3.0", "x = 3.0"]) == [0, 0, 1, 0, 0]
    assert classes([r"y = \sqrt{2}", r"x = \sqrt{2}", r"x=\sqrt2", "2"]) == [0, 1, 1, 2]
    assert classes(["x > 3", "(3, oo)", "y > 3"]) == [0, 0, 1]


def digits(number: int) -> str:
    """A number in decimal, without Python's limit on how many digits."""
    text = ""
    while number:
        number, rest = divmod(number, 10**1000)
        text = f"{rest:01000d}" + text
    return text.lstrip("0")


def test_numbers_of_many_digits_are_numbers() -> None:
    power = digits(2**20000)
    assert len(power) == 6021
    assert (power[:10], power[-10:]) == ("3980276840", "3406309376")
    assert label(power, power) is True
    assert label(power, "2^{20000}") is True
    assert label(power, f"+{power}.0") is True
    assert label(power, f"{2**20000:#x}") is not True
    assert label(power[:-1] + "7", power) is False
    assert label(power[:-1], power) is False
    assert label("-" + power, power) is False
    assert label(power, "5") is False
    assert label(digits(math.factorial(700)), "700!") is True
    assert label(digits(3**500), "3^{500}") is True
    assert label("0." + "3" * 1500, "1/3") is True
    assert extract_output(power + "\n").answer == power
    assert classes([power, power[:-1] + "7", power, power + ".0"]) == [0, 1, 0, 0]


def test_members_of_many_digits() -> None:
    assert equivalent(r"2^{20000}\sqrt{2}, x", r"x, 2^{20000}\sqrt{2}") is True
    assert equivalent(r"\{2^{20000}, 1\}", r"\{1, 2^{20000}\}") is True
    assert equivalent("52_8", digits(10**5000)) is False
    assert equivalent(r"10^{5000} y = x", r"x = 10^{5000} y") is True


def test_output_of_only_digits_is_quick() -> None:
    begin = time.thread_time()
    output = "7" * 60_000
    claimed = extract_output(output).answer
    assert label(claimed, output) is True
    assert label(claimed, output[:-1] + "8") is False
    assert classes([claimed, output + "0"]) == [0, 1]
    assert time.thread_time() - begin < 1.0
