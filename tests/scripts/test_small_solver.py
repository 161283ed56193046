"""The small solver's data: every program gives the answer, wordings are many, order is kept."""

import json
import random
import re
import subprocess
import sys
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest

from assay.problems.contamination import words_of
from assay.problems.problem import Problem, Solution, read_problems
from assay.sandbox import Sandbox
from scripts.small_solver import corpus, families, grammar, wordings
from scripts.small_solver.story import Steps, Story, evaluate, program, result

FOLDER = Path(__file__).parents[2] / "scripts" / "small_solver"
ALL = sorted({family.__name__: family for fs in families.LEVELS.values() for family in fs}.items())


def stories(family, count, seed=5):
    """Stories of one family; those that it gives up are drawn again."""
    rng = random.Random(seed)
    found = []
    while len(found) < count:
        try:
            story = family(rng)
            result(story)
        except ValueError:
            continue
        found.append(story)
    return found


def printed(sources):
    """What Python itself prints for each program."""
    both = "\n".join(sources)
    done = subprocess.run([sys.executable, "-c", both], capture_output=True, text=True, check=True)
    return [float(line) for line in done.stdout.split()]


@pytest.mark.parametrize("named", [False, True])
def test_python_prints_the_recorded_answer_of_every_family(named):
    drawn = [story for _, family in ALL for story in stories(family, 25)]
    values = printed([program(story, named) for story in drawn])
    assert len(values) == len(drawn)
    for story, value in zip(drawn, values, strict=True):
        assert value == pytest.approx(float(result(story)), abs=1e-9), story


@pytest.mark.parametrize(("name", "family"), ALL, ids=[name for name, _ in ALL])
def test_a_familys_questions_are_whole_and_various(name, family):
    drawn = [story.question for story in stories(family, 60)]
    for question in drawn:
        assert not re.search(r"[\[\]{}|]|%[a-z]|&|  |None| ,|\.\.| \.", question), question
        assert question[0].isupper() or question[0].isdigit(), question
        assert question[-1] in "?.", question
        # Every number that is said in digits belongs to the text, none is a fraction's repr.
        assert "Fraction" not in question
    shapes = {re.sub(r"[\d.,]*\d|\b[A-Z][a-z]+\b", "#", question) for question in drawn}
    assert len(shapes) >= 15, (name, len(shapes))


def test_the_question_holds_the_programs_numbers():
    """Numbers of a program are told, in digits or words, but for those that everybody knows."""
    known = {2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 25, 60, 100, 1000, 1, 0}
    words = {word: str(i) for i, word in enumerate(grammar._NUMERALS)}
    missing = 0
    rng = random.Random(9)
    for _ in range(1500):
        _, story = families.draw(rng, rng.choice([1, 2, 3]))
        text = " ".join(words.get(w, w) for w in re.findall(r"[\w.]+", story.question.lower()))
        told = {float(x) for x in re.findall(r"\d+(?:\.\d+)?", text.replace(",", ""))}
        used = {float(x) for s in story.steps for x in re.findall(r"(?<![a-z_])[\d.]+", s.expr)}
        missing += bool(used - told - known)
    # Discounts ("85 / 100" for 15 % off), and thousands written with a comma.
    assert missing < 60


def test_the_sandbox_and_the_grader_agree():
    rng = random.Random(3)
    drawn = [families.draw(rng, level)[1] for level in (1, 2, 3) for _ in range(8)]
    with Sandbox(workers=1) as sandbox:
        outcomes = sandbox.run([program(story, False) for story in drawn])
    for story, outcome in zip(drawn, outcomes, strict=True):
        assert outcome.status == "ok", outcome
        assert Fraction(outcome.output.strip()) == pytest.approx(result(story), abs=1e-9)


def test_questions_as_they_came_out():
    """Some questions, each read by a person, with answers worked out by hand."""
    steps = Steps()
    cost = steps.add("cost", "3 * 4")
    steps.add("cost", f"{cost} + 2")
    story = Story("Three pens for $4 each and a cap for $2: how much?", steps.done())
    assert result(story) == 14
    assert program(story, True) == "cost = 3 * 4\ncost_2 = cost + 2\nprint(cost_2)"
    assert program(story, False) == "x1 = 3 * 4\nx2 = x1 + 2\nprint(x2)"


@pytest.mark.parametrize(
    ("expr", "value"),
    [
        ("50 % 8", 2),
        ("-(-28 // 4)", 7),
        ("-(-30 // 4)", 8),
        ("7 / 2", Fraction(7, 2)),
        ("2.5*4", 10),
    ],
)
def test_expressions_by_hand(expr, value):
    assert evaluate(expr) == value


@pytest.mark.parametrize("expr", ["a + 1", "2 ** 9", "f(1)", "1 +", "'a'"])
def test_other_expressions_are_refused(expr):
    with pytest.raises(ValueError, match="not plain arithmetic"):
        evaluate(expr)


@pytest.mark.parametrize(
    ("verb", "tense", "plural", "form"),
    [
        ("buy", "past", False, "bought"),
        ("carry", "past", True, "carried"),
        ("shop", "past", False, "shopped"),
        ("bake", "past", False, "baked"),
        ("wash", "present", False, "washes"),
        ("carry", "present", False, "carries"),
        ("buy", "present", False, "buys"),
        ("have", "present", True, "have"),
        ("be", "present", False, "is"),
        ("be", "past", True, "were"),
        ("do", "present", False, "does"),
    ],
)
def test_verbs(verb, tense, plural, form):
    assert grammar.inflect(verb, tense, plural) == form


@pytest.mark.parametrize(
    ("raw", "tidied"),
    [
        ("he  has a apple .", "He has an apple."),
        ("a 8 dollar pen. it is here", "An 8 dollar pen. It is here"),
        ("school is from 8 a.m. to 2 p.m. how long?", "School is from 8 a.m. to 2 p.m. how long?"),
        ("may i go?", "May I go?"),
        ("a uniform and a umbrella", "A uniform and an umbrella"),
    ],
)
def test_texts_are_tidied(raw, tidied):
    assert grammar.tidy(raw) == tidied


def test_a_pattern_by_hand():
    rng, pattern = random.Random(0), "[{p} %{verb}|then {p} %have] [[big|red]|] {t}."
    said = {
        grammar.say(rng, pattern, tense="past", p="Ann", verb="sell", t="cups") for _ in range(99)
    }
    starts = ("Ann sold", "Then Ann had")
    assert said == {f"{s}{a} cups." for s in starts for a in (" big", " red", "")}


def test_every_wording_is_used_and_none_comes_twice():
    code = "".join(path.read_text("utf-8") for path in FOLDER.glob("*.py"))
    assert [
        name for name in wordings.WORDINGS if f'{name}"' not in code and f"{name}'" not in code
    ] == []
    with pytest.raises(ValueError, match="wording a: comes twice"):
        wordings.parse("== a\nx\n\n== a\ny\n")
    assert wordings.parse("== a\nx\ny [b|]\n+\nz\n") == {"a": "[x|y [b|]] [z]"}


def gsm8k(count):
    """Made-up problems in place of GSM8K's."""
    return [
        Problem(f"g{i}", f"Real question {i} about {i} things?", str(i),
                solutions=(Solution("pot", f"print({i})"),), source="gsm8k")
        for i in range(count)
    ]  # fmt: skip


def test_the_order_is_a_curriculum_and_is_the_same_again():
    built = list(corpus.build(60_000, 1, gsm8k(2000), set()))
    assert built == list(corpus.build(60_000, 1, gsm8k(2000), set()))
    kinds = [p.source.split("/")[0] for p in built]
    assert set(kinds[:15]) == {"1", "2"}
    late = Counter(kinds[len(kinds) // 2 :])
    assert set(late) == {"1", "2", "3", "gsm8k"}
    assert [p for p in built if p.source == "gsm8k"] == gsm8k(2000)[: kinds.count("gsm8k")]
    for problem in built:
        assert [s.mode for s in problem.solutions] == ["pot"]


def test_shares_are_shares():
    for at in (0.0, 0.05, 0.1, 0.15, 1.0):
        assert sum(corpus.shares(at).values()) == pytest.approx(1)
        assert min(corpus.shares(at).values()) >= 0
    assert corpus.shares(0.02)["gsm8k"] == 0
    assert corpus.shares(0.9)["gsm8k"] == pytest.approx(0.5)


def test_no_question_comes_twice_and_barred_ones_never():
    built = list(corpus.build(40_000, 2, [], set()))
    keys = [" ".join(words_of(p.question)) for p in built]
    assert len(set(keys)) == len(keys)
    barred = set(keys[::2])
    again = list(corpus.build(40_000, 2, [], barred))
    assert not barred & {" ".join(words_of(p.question)) for p in again}


def test_the_plain_questions_are_fifty_and_not_trained_on():
    plain = read_problems(str(FOLDER / "questions.jsonl"))
    keys = {" ".join(words_of(p.question)) for p in plain}
    assert len(plain) == len(keys) == 50
    assert all(re.fullmatch(r"\d+", p.answer) for p in plain)
    built = corpus.build(100_000, 20261129, [], set())
    assert not keys & {" ".join(words_of(p.question)) for p in built}


def test_the_last_problems_of_gsm8k_are_held_out(tmp_path, monkeypatch):
    rows = [
        {"question": f"Tim has {i} cups and {i} mugs. How many?",
         "answer": f"He has {i}+{i}=<<{i}+{i}={2 * i}>>{2 * i}.\n#### {2 * i}"}
        for i in range(3, 23)
    ]  # fmt: skip
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setattr(corpus, "HELD_OUT", 5)
    found = corpus.gsm8k_programs(str(tmp_path))
    assert {p.question for p in found} == {row["question"] for row in rows[:15]}
    assert found[0].solutions[0].text.startswith("x1 = ")
    assert [p.solutions[0].mode for p in found] == ["pot"] * 15
