"""What two solutions must share to be the same calculation."""

import pytest

from assay.problems.calculations import calculation, miscalculates

ONE = "x1 = 12 + 30\nx2 = x1 - 9\nprint(x2)"


@pytest.mark.parametrize(
    "same",
    [
        "apples = 12 + 30\nleft = apples - 9\nprint(left)",
        "had = 12\nbought = 30\nx = had + bought  # in all\ny = x - 9\nprint(y)",
        "'''Apples.'''\ntotal: int = 12.0 + 30\nleft = total - 9\nprint(f'{left} apples', end='')",
        "a=12+30\n\n\nb=(a-9)\nprint('left:', b)",
    ],
)
def test_names_comments_and_texts_do_not_matter(same):
    assert calculation("pot", same) == calculation("pot", ONE)


@pytest.mark.parametrize(
    "other",
    [
        "x1 = 30 + 12\nx2 = x1 - 9\nprint(x2)",  # order counts
        "x1 = 12 - 9\nx2 = x1 + 30\nprint(x2)",
        "print(12 + 30 - 9)",  # one step, not two
        "x1 = 12 + 30\nx2 = x1 - 9\nprint(x1)",
        "x1 = 12 + 30\nx2 = x1 - 8\nprint(x2)",
        "x1 = 12.5 + 30\nx2 = x1 - 9\nprint(x2)",
    ],
)
def test_another_calculation(other):
    assert calculation("pot", other) != calculation("pot", ONE)


def test_names_that_change_stay():
    loop = "n = 0\nfor i in range(3):\n    n += i\nprint(n)"
    assert calculation("pot", loop) == ("v1 = 0\nfor v2 in range(3):\n    v1 += v2\nprint(v1)")
    # A parameter may have the name of a number outside.
    shadow = "x = 2\ndef f(x):\n    return x * x\nprint(f(3))"
    assert calculation("pot", shadow) == "v1 = 2\n\ndef v2(v1):\n    return v1 * v1\nprint(v2(3))"


def test_what_is_not_python_is_its_text():
    assert calculation("pot", "  if x print\n\n y ") == "if x print\ny"


def test_words_are_their_equations():
    annotated = "She has 48/2 = <<48/2=24>>24 clips.\nIn all 48 + 24 = <<48+24=72>>72."
    plain = "Half of it: 48 / 2 = 24.\nso 48+24=72 clips"
    assert calculation("cot", annotated) == "48/2=24\n48+24=72"
    assert calculation("cot", plain) == calculation("cot", annotated)
    assert calculation("cot", "24 + 48 = 72") != calculation("cot", "48 + 24 = 72")
    # Without an equation, the words.
    assert calculation("cot", "The  answer\nis Seven") == "the answer is seven"
    assert calculation("cot", "<<half=24>>24") == "half=24"


@pytest.mark.parametrize(
    ("text", "false"),
    [
        ("<<48/2=24>>24", False),
        ("<<48/2=24.0>>24", False),
        ("<<10/3=3.33>>", False),
        ("<<20/3=6.67>> and <<20/3=6.66>>", False),
        ("<<20/3=6.69>>", True),
        ("<<10/3=3>>", True),
        ("<<48/2=24>>24 <<24+1=26>>26", True),
        ("<<48*1/2=23>>", True),
        ("<<half=24>>", False),
        ("48 / 2 = 23", False),  # only annotations are checked
    ],
)
def test_false_annotations(text, false):
    assert miscalculates(text) is false
