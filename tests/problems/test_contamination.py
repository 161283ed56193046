"""Contamination: literal overlaps, and a slow comparison of all pairs beside the index."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.problems.contamination import (
    Overlap,
    find_overlaps,
    told_overlaps,
    without_overlaps,
    words_of,
)
from assay.problems.problem import Problem
from assay.settings.errors import UserError

LONG = "a train leaves the station at noon and travels at 60 miles per hour toward town"


def named(questions, prefix="p", source=""):
    return [Problem(f"{prefix}{i}", q, source=source) for i, q in enumerate(questions)]


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("What is 1,000 + 2?", "what is 1000 2"),
        ("Solve $x_1^2 = \\frac{3}{4}$.", "solve x 1 2 frac 3 4"),
        ("Pick.\nAnswer Choices: (A) 1 (B) 2", "pick"),
        ("ＦＵＬＬ Straße", "full strasse"),
        ("1,23 and 1,2345", "1 23 and 1 2345"),
    ],
)
def test_words(question, words):
    assert words_of(question) == words.split()


def test_thirteen_words_in_a_row():
    words = LONG.split()
    twelve = [*words[:12], "then", *words[12:]]
    problems = named([LONG.upper() + "!", " ".join(twelve), " ".join(words[4:])])
    sets = {"test": named(["Suppose that " + LONG + ", fast."], "t")}
    overlaps = find_overlaps(problems, sets, 13)
    assert [(o.problem.id, o.other.id, o.shared) for o in overlaps] == [
        ("p0", "t0", " ".join(words[:13])),
    ]
    assert len(find_overlaps(problems, sets, 12)) == 3


def test_short_questions_must_be_equal():
    problems = named(["What is 3 + 4?", "So, what is 3 + 4?", "what is 3+4\nAnswer Choices: (A) 7"])
    overlaps = find_overlaps(problems, {"test": named(["What is 3 + 4?"], "t")})
    assert [o.problem.id for o in overlaps] == ["p0", "p2"]
    assert overlaps[0].shared == "what is 3 4"


def test_what_is_told_and_dropped():
    problems = [
        *named([LONG, "And " + LONG], source="CoT/a"),
        *named([LONG, "Else?"], "q", source="PoT/b"),
    ]
    sets = {"one": named([LONG, "Other?"], "t"), "two": named(["Else?"], "u")}
    overlaps = find_overlaps(problems, sets)
    assert told_overlaps(overlaps, problems, sets, 13) == (
        "contamination: 4 problems against 3 (13 words in a row)\n"
        "          problems   found   training problems\n"
        "  one            2       1                   3\n"
        "  two            1       1                   1\n"
        "  in all         3       2                   4\n"
        "  overlaps by source\n"
        "    CoT/a  one 2\n"
        "    PoT/b  one 1, two 1\n"
        "  for example p0 and one: t0\n"
        "    “a train leaves the station at noon and travels at 60 miles per”\n"
        "  for example q1 and two: u0\n"
        "    “else”\n"
    )
    assert without_overlaps(problems, overlaps) == []
    assert without_overlaps(problems, overlaps[:2]) == problems[2:]


def test_no_words_at_all():
    assert find_overlaps(named(["?"]), {"test": named(["!"], "t")}) == []


def test_n_below_one():
    with pytest.raises(UserError, match="n=0: expected 1 or more"):
        find_overlaps([], {}, 0)


def slow_overlaps(problems, sets, n):
    found = []
    for problem in problems:
        mine = words_of(problem.question)
        for name, others in sets.items():
            for other in others:
                theirs = words_of(other.question)
                shared = [
                    " ".join(mine[i : i + n])
                    for i in range(len(mine) - n + 1)
                    for j in range(len(theirs) - n + 1)
                    if mine[i : i + n] == theirs[j : j + n]
                ]
                if theirs == mine and 0 < len(theirs) < n:
                    shared = [" ".join(mine)]
                if shared:
                    found.append(Overlap(problem, name, other, shared[0]))
    return found


TEXTS = st.lists(
    st.lists(st.sampled_from(["a", "B", "c.", "12", "-"]), max_size=9).map(" ".join), max_size=6
)


@given(TEXTS, TEXTS, TEXTS, st.integers(1, 5))
def test_against_all_pairs(texts, one, two, n):
    problems = named(texts)
    sets = {"one": named(one, "t"), "two": named(two, "t")}
    assert find_overlaps(problems, sets, n) == slow_overlaps(problems, sets, n)


def test_gsm8k_train_against_its_test_set(shared_data):
    from assay.problems.sets import ProblemsConfig, load_problems

    train = load_problems(ProblemsConfig(name="gsm8k", path=str(shared_data / "gsm8k")))
    test = load_problems(ProblemsConfig(path=str(shared_data / "eval" / "gsm8k.jsonl")))
    overlaps = find_overlaps(train, {"gsm8k": test})
    assert len({o.other.id for o in overlaps}) == 3
    assert len({o.problem.id for o in overlaps}) == 4
