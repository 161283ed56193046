"""What is taken of graded pools to be learnt, on pools of a few literal candidates."""

import dataclasses
import math
from types import SimpleNamespace

import pandas as pd
import pytest

from assay.generator import rejection
from assay.generator.rejection import RejectionConfig, mixed, take
from assay.problems.problem import Problem, Solution
from assay.settings.errors import UserError

ONE = Problem("one", "2 + 3?", "5", solutions=(Solution("pot", "x1 = 2 + 3\nprint(x1)"),))
TWO = Problem("two", "Half of 8?", "4")
A, B, C, D = (f"print({text})" for text in ("2 + 3", "3 + 2", "1 + 4", "9 - 4"))


@pytest.fixture
def run_of(monkeypatch):
    monkeypatch.setattr(rejection, "load_frame", lambda run, *, texts: run.frame)
    monkeypatch.setattr(rejection, "scored_by", lambda run: run.scores)

    def make(*rows, problems=(ONE, TWO), path="runs/x", split="train", scores=()):
        """Rows of (problem, mode, text, label) and more: stop, score."""
        table = [(*row, *("eos", math.nan)[len(row) - 4 :]) for row in rows]
        columns = ["problem_id", "mode", "text", "label", "stop", "score:v"]
        frame = pd.DataFrame(table, columns=columns).astype({"label": "boolean"})
        config = {"problems": {"split": split}}
        return SimpleNamespace(
            path=path,
            problems=list(problems),
            frame=frame.assign(origin=""),
            record={"stages": {"candidates": {"config": config}}},
            scores=list(scores),
        )

    return make


def texts(sampled):
    return {p.question: [(s.mode, s.text) for s in p.solutions] for p in sampled.problems}


def test_right_distinct_new_ones_are_taken(run_of):
    run = run_of(
        ("one", "pot", "a = 2\nb = 3\nprint(a + b)", True),
        ("one", "pot", A, True),
        ("one", "pot", "print('sum', 2 + 3)  # again", True),
        ("one", "pot", B, False),
        ("one", "pot", C, None),
        ("one", "pot", "x = 2 + 3\nprint(x)", True),  # what the reference computes
        ("one", "cot", "2 + 3 = <<2+3=5>>5", True),
        ("one", "cot", "That is 2+3 = 5.", True),
        ("one", "cot", "<<2*3=5>>5", True),
        ("one", "cot", "3 + 2 = 5", True, "length"),
        ("two", "pot", "```python\nprint(8 / 2)\n```", True),
        ("two", "pot", "print(7)", False),
    )
    sampled = take([run], RejectionConfig(easy=1), [ONE])
    found = texts(sampled)
    assert [mode for mode, _ in found["2 + 3?"]] == ["cot", "pot"]
    assert found["2 + 3?"][0][1] in ("2 + 3 = <<2+3=5>>5", "That is 2+3 = 5.")
    assert found["Half of 8?"] == [("pot", "print(8 / 2)")]
    assert sampled.record == {
        "pools": ["runs/x"],
        "config": dataclasses.asdict(RejectionConfig(easy=1)),
        "candidates": 11,
        "pool_problems": 2,
        "problems": 2,
        "modes": {
            "cot": {"right": 4, "distinct": 1, "taken": 1, "problems": 1},
            "pot": {"right": 5, "distinct": 2, "taken": 2, "problems": 2},
        },
        "dropped": {"cut off": 1, "miscalculated": 1, "repeated": 3, "known": 1},
    }
    assert sampled.summary == (
        "rejection sampling: 11 candidates of 2 problems in 1 pool; "
        "3 solutions of 2 problems taken\n"
        "  mode     right  distinct     taken  problems\n"
        "  cot          4         1         1         1\n"
        "  pot          5         2         2         2\n"
        "  left out: 1 reached the token limit; 1 have a false calculator annotation; "
        "3 repeat a calculation; 1 are what a reference solution computes\n"
    )
    # Where no reference is learnt, its calculation is taken from the pool.
    alone = take([run], RejectionConfig(easy=1, references=0), [ONE])
    assert len(texts(alone)["2 + 3?"]) == 3


def test_at_most_so_many_of_a_problem_drawn_by_the_seed(run_of):
    run = run_of(*[("one", "pot", text, True) for text in (A, B, C, D)])
    chosen = {
        seed: tuple(
            text
            for _, text in texts(take([run], RejectionConfig(per_problem=2, easy=1, seed=seed)))[
                "2 + 3?"
            ]
        )
        for seed in range(40)
    }
    # All pairs come, each in the order of the pool.
    pairs = {(x, y) for i, x in enumerate((A, B, C, D)) for y in (A, B, C, D)[i + 1 :]}
    assert set(chosen.values()) == pairs
    config = RejectionConfig(per_problem=2, easy=1, seed=7)
    assert texts(take([run], config))["2 + 3?"] == [("pot", text) for text in chosen[7]]
    # What is drawn of a problem does not depend on others.
    other = run_of(*[("two", "pot", t, True) for t in (B, C)], path="runs/y")
    assert texts(take([other, run], config))["2 + 3?"] == [("pot", text) for text in chosen[7]]


def test_an_easy_problem_gives_one(run_of):
    rows = [("one", "pot", text, True) for text in (A, B, C)]
    run = run_of(*rows, ("two", "pot", A, True), ("two", "pot", B, True), ("two", "pot", C, False))
    sampled = take([run], RejectionConfig(easy=0.9))
    assert {q: len(s) for q, s in texts(sampled).items()} == {"2 + 3?": 1, "Half of 8?": 2}
    assert sampled.record["dropped"] == {"easy": 2}
    # 2 of 3 right are easy as well where more than 60 % are.
    more = take([run], RejectionConfig(easy=0.6, easy_per_problem=2))
    assert {q: len(s) for q, s in texts(more).items()} == {"2 + 3?": 2, "Half of 8?": 2}


def test_pools_of_several_rounds_are_one(run_of):
    same = dataclasses.replace(ONE, id="other id")
    first = run_of(("one", "pot", A, True), ("one", "pot", B, False), problems=[ONE])
    second = run_of(("other id", "pot", A, True), ("other id", "pot", C, True), problems=[same])
    sampled = take([first, second], RejectionConfig())
    assert len(sampled.problems) == 1
    assert sampled.record["modes"]["pot"] == {
        "right": 3,
        "distinct": 2,
        "taken": 2,
        "problems": 1,
    }


def test_what_a_verifier_likes(run_of):
    run = run_of(
        ("one", "pot", A, True, "eos", 0.2),
        ("one", "pot", "print(2 + 3) # better", True, "eos", 0.9),
        ("one", "pot", B, True, "eos", 0.6),
        ("one", "pot", C, True, "eos", 0.7),
        ("one", "pot", D, True, "eos", math.nan),
        scores=["v"],
    )

    def taken(**keys):
        sampled = take([run], RejectionConfig(easy=1, verifier="v", **keys))
        return [text for _, text in texts(sampled)["2 + 3?"]], sampled.record["dropped"]

    best = "print(2 + 3) # better".rstrip()
    # The best of those with one calculation; without a score none.
    assert taken() == ([best, B, C], {"unscored": 1, "repeated": 1})
    assert taken(per_problem=2) == (
        [best, C],
        {"unscored": 1, "repeated": 1, "beyond the limit": 1},
    )
    assert taken(min_score=0.65) == ([best, C], {"unscored": 1, "low score": 2})
    assert taken(top=0.5) == ([best, C], {"unscored": 1, "low score": 2})
    assert taken(top=0.01) == ([best], {"unscored": 1, "low score": 3})
    with pytest.raises(UserError, match="runs/x has no scores of 'w'; found v"):
        take([run], RejectionConfig(verifier="w"))
    with pytest.raises(UserError, match=r"no candidate to learn from .*4 are scored too low"):
        take([run], RejectionConfig(verifier="v", min_score=2.0))


def test_references_by_weight(run_of):
    run = run_of(("one", "pot", B, True), ("two", "pot", C, True))
    three = Problem("three", "7?", "7", solutions=(Solution("pot", "print(7)"),))

    def asked(barred=(), **keys):
        sampled = take([run], RejectionConfig(easy=1, **keys), [three, ONE])
        return [p.solutions[0].text for p in mixed([three, ONE], sampled, barred)]

    one, seven = ONE.solutions[0].text, "print(7)"
    # Sampled solutions stand after their references, those without one at the end.
    assert asked() == [seven, one, B, C]
    assert asked(references=2) == [seven, seven, one, one, B, C]
    assert asked(references=0) == [B, C]
    assert asked(barred=[TWO]) == [seven, one, B]
    halves = [asked(references=0.5, seed=seed) for seed in range(200)]
    assert abs(sum(seven in half for half in halves) - 100) < 30
    assert asked(references=1.5, seed=3) == asked(references=1.5, seed=3)


def test_pools_of_test_problems_are_refused(run_of):
    run = run_of(("one", "pot", B, True), split="test")
    with pytest.raises(
        UserError, match=r"runs/x holds problems of the split test.*splits=\[test\]"
    ):
        take([run], RejectionConfig())
    assert take([run], RejectionConfig(splits=["train", "test"])).problems
    # An imported pool does not say.
    run.record["stages"]["candidates"] = {"config": {"files": ["x.jsonl"]}}
    assert take([run], RejectionConfig()).problems


def test_only_questions_that_are_allowed(run_of):
    run = run_of(("one", "pot", B, True), ("two", "pot", C, True))
    assert list(texts(take([run], RejectionConfig(), among={"Half of 8?"}))) == ["Half of 8?"]


def test_members_of_mixtures(run_of):
    run = run_of(("one", "pot", B, True), ("one", "pot", C, True))
    run.frame["origin"] = ["hot", "cool"]
    sampled = take([run], RejectionConfig(origins=["cool"]))
    assert texts(sampled)["2 + 3?"] == [("pot", C)]
    with pytest.raises(UserError, match=r"rejection.origins: no candidates of 'cold'; found cool"):
        take([run], RejectionConfig(origins=["cold"]))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"per_problem": 0}, "rejection.per_problem=0: expected 1 or more"),
        ({"easy_per_problem": 0}, "rejection.easy_per_problem=0: expected 1 or more"),
        ({"easy": 90}, "rejection.easy=90: expected 0 to 1"),
        ({"top": 0, "verifier": "v"}, "rejection.top=0: expected a share above 0"),
        ({"references": -1}, "rejection.references=-1: expected 0 or more"),
        ({"min_score": 0.5}, "rejection.verifier: expected a verifier's name"),
    ],
)
def test_keys_out_of_range(keys, message):
    with pytest.raises(UserError, match=message):
        RejectionConfig(**keys).check()


def test_nothing_right(run_of):
    with pytest.raises(UserError, match=r"runs/x: no candidate to learn from \(none is right\)"):
        take([run_of(("one", "pot", B, False))], RejectionConfig())
