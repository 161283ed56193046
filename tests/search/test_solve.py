"""Solving: several problems at once, and MAmmoTH's hybrid decoding."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace

import pandas as pd
import pytest

from assay import command_line
from assay.generator.engines import Completion
from assay.pools.rows import Candidate, Graded
from assay.problems.problem import Problem
from assay.search.solving import solver as solve
from assay.search.solving.decide import Member, choose
from assay.search.solving.show import show, show_one
from assay.search.solving.summary import hybrid_lines, notes
from assay.selection.request import EvaluateConfig
from assay.selection.rule_spec import RuleSpec
from tests.search.characters import Characters

PROGRAMS = {
    "runs": "print(1 + 1)",
    "fails": "print(1 / 0)",
    "silent": "x = 2",
    "hopeless": "import",
    "wrong": "print(3)",
}
WORDS = {"fails": "It is 2.\n#### 2", "silent": "#### 5", "hopeless": "no idea", "choice": "(B)"}


class Written:
    """An engine that answers from `PROGRAMS` and `WORDS`, last request first."""

    tokenizer = Characters()

    def __init__(self):
        self.calls = []

    def sample(self, requests, params):
        self.calls.append([request.key for request in requests])
        self.temperature = params.temperature
        for i, request in reversed(list(enumerate(requests))):
            name, mode = request.key.split("/")
            for sample in range(request.count):
                text = {"pot": PROGRAMS, "cot": WORDS}[mode].get(name, "#### 2")
                yield Completion(i, sample, text, [7], -1.0, "eos")


@pytest.fixture
def engine(monkeypatch):
    made = Written()
    monkeypatch.setattr(solve, "make_engine", lambda config, model: made)
    return made


@pytest.fixture
def problems(tmp_path):
    path = tmp_path / "problems.jsonl"
    rows = [{"id": name, "question": "1 + 1?", "answer": "2"} for name in PROGRAMS]
    rows.insert(1, {"id": "choice", "question": "1 + 1?", "answer": "B", "options": ["1", "2"]})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_hybrid(engine, problems, tmp_path, capsys):
    output = tmp_path / "answers.jsonl"
    words = [f"problems={problems}", f"output={output}", "prompt.form=plain", "generator=x"]
    assert command_line.main(["solve", *words, "rule=hybrid"]) == 0
    # Programs of the open-ended ones, all at once; then words where they gave no answer.
    assert engine.calls == [
        ["runs/pot", "fails/pot", "silent/pot", "hopeless/pot", "wrong/pot"],
        ["choice/cot", "fails/cot", "silent/cot", "hopeless/cot"],
    ]
    assert engine.temperature == 0
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert [(r["id"], r["answer"], r["mode"], r["fell_back"], r["n"]) for r in rows] == [
        ("runs", "2", "pot", False, 1),
        ("choice", "B", "cot", False, 1),
        ("fails", "2", "cot", True, 2),
        ("silent", "5", "cot", True, 2),
        ("hopeless", None, "cot", True, 2),
        ("wrong", "3", "pot", False, 1),
    ]
    assert capsys.readouterr().out.splitlines()[:-1] == [
        "runs  2  PoT  right",
        "choice  B  CoT, multiple choice  right",
        "fails  2  CoT, fallen back  right",
        "silent  5  CoT, fallen back  wrong",
        "hopeless  (no answer)  CoT, fallen back  wrong",
        "wrong  3  PoT  wrong",
        "3 of 6 right (50.0 %)",
        "  PoT: 1 of 2 right (50.0 %)",
        "  CoT, fallen back: 1 of 3 right (33.3 %)",
        "  CoT, multiple choice: 1 of 1 right (100.0 %)",
        "  fall-back rate: 60.0 %, 3 of 5",
    ]


def test_hybrid_of_multiple_choice_alone(engine, problems, capsys):
    problems.write_text(problems.read_text().splitlines(keepends=True)[1])
    words = [f"problems={problems}", "prompt.form=plain", "generator=x", "rule=hybrid"]
    assert command_line.main(["solve", *words]) == 0
    assert engine.calls == [["choice/cot"]]
    assert capsys.readouterr().out.splitlines()[1:] == [
        "1 of 1 right (100.0 %)",
        "  CoT, multiple choice: 1 of 1 right (100.0 %)",
    ]


def test_hybrid_of_one_question(engine, capsys):
    words = ["solve", "1 + 1?", "rule=hybrid", "prompt.form=plain", "generator=x"]
    assert command_line.main(words) == 0
    assert "answer: 2   (CoT, fallen back, by hybrid decoding)" in capsys.readouterr().out


def members_of(*scored):
    """Members with these (answer, score), one class an answer."""
    answers = list(dict.fromkeys(answer for answer, _ in scored if answer))
    return [
        Member(
            Candidate("p", "cot", i, answer or "?", [1], 1, 1, -1.0, "eos"),
            Graded("", "", "", 0.0, answer, "phrase", number, None),
            score,
        )
        for i, (answer, score) in enumerate(scored)
        for number in [answers.index(answer) if answer else -1]
    ]


NAN = float("nan")


@pytest.mark.parametrize(
    ("scored", "rule", "answer", "chosen_by"),
    [
        ([("7", NAN), ("7", NAN), ("8", 0.1)], "top_k", "8", "top_k"),
        ([("7", NAN), ("7", NAN), ("8", 0.1)], "majority", "7", "majority"),
        ([("7", NAN), ("8", 0.1), ("9", 0.2)], "best_of_n", "9", "best_of_n"),
        ([("7", 0.4), ("7", NAN), ("8", 0.5)], "weighted", "8", "weighted"),
        ([("7", NAN), ("8", NAN), ("7", NAN)], "best_of_n", "7", "majority"),
        ([("7", NAN), ("7", NAN), ("8", NAN), (None, 0.9)], "top_k", "7", "majority"),
        ([("8", NAN), ("7", 0.1)], "majority", "7", "majority"),
        ([(None, 0.9), (None, NAN)], "top_k", None, "top_k"),
    ],
)
def test_members_without_a_score(scored, rule, answer, chosen_by):
    scorer = "" if rule == "majority" else "v"
    solved = choose(Problem("p", "?"), members_of(*scored), RuleSpec(rule, scorer, 5))
    assert (solved.answer, solved.rule) == (answer, chosen_by)
    text = show(solved)
    assert "nan" not in text
    if answer:
        name = {"top_k": "top-3 vote by v", "best_of_n": "best-of-n by v"}
        name["weighted"] = "weighted vote by v"
        assert f", by {name.get(chosen_by, 'majority vote')})" in text


def row_of(n=4, unscored=None, rule="top_k"):
    return {"right": None, "abstained": False, "n": n, "unscored": unscored, "rule": rule}


@pytest.mark.parametrize(
    ("rows", "rule", "k", "expected"),
    [
        ([row_of()], "top_k", 0, []),
        ([row_of()], "top_k", 4, []),
        ([row_of()], "top_k", 5, ["k=5 is more than the 4 candidates: all of them vote"]),
        ([row_of(1)], "top_k", 5, ["k=5 is more than the 1 candidate: all of them vote"]),
        ([row_of(rule="majority")], "majority", 5, []),
        (
            [row_of(unscored=1), row_of(unscored=0)],
            "top_k",
            0,
            [
                "1 of 8 candidates without a score (longer, with the question, than the verifier "
                "reads): left out of the rules that need scores"
            ],
        ),
        (
            [row_of(2, 2, "majority")],
            "top_k",
            0,
            [
                "2 of 2 candidates without a score (longer, with the question, than the verifier "
                "reads): left out of the rules that need scores",
                "1 problem without a scored answer: there the majority vote chose",
            ],
        ),
    ],
)
def test_notes(rows, rule, k, expected):
    assert notes(rows, RuleSpec(rule, k=k)) == expected


def test_hybrid_lines_without_references_or_programs():
    row = {"mode": "cot", "fell_back": False, "right": None}
    assert hybrid_lines([row]) == []
    assert hybrid_lines([row | {"mode": "pot"}]) == ["  fall-back rate: 0.0 %, 0 of 1"]


def member(mode, sample, answer_class):
    return Member(
        Candidate("p", mode, sample, "", [], 1, 1, 0.0, "eos"),
        Graded("", "", "", 0.0, str(answer_class), "", answer_class, None),
        float("nan"),
    )


@pytest.mark.parametrize(
    ("members", "chosen"),
    [
        ([("cot", 0, 1), ("pot", 0, 2)], 1),
        ([("cot", 0, 1), ("pot", 0, -1)], 0),
        ([("pot", 0, -1), ("cot", 0, 0)], 1),
        ([("pot", 0, -1), ("cot", 0, -1)], None),
    ],
)
def test_hybrid_chooses_the_program_that_answers(members, chosen):
    made = [member(*each) for each in members]
    solved = choose(Problem("p", "?"), made, RuleSpec("hybrid"))
    assert solved.chosen is (None if chosen is None else made[chosen])


def test_the_candidate_shown_is_the_best_of_those_with_the_answer():
    long = "1234567890123"
    made = [
        dataclasses.replace(member("cot", i, number), score=score)
        for i, (number, score) in enumerate([(1, 0.3), (1, 0.4), (2, 0.9)])
    ]
    made[2] = dataclasses.replace(made[2], graded=dataclasses.replace(made[2].graded, answer=long))
    lines = show(choose(Problem("p", "?"), made, RuleSpec("majority"))).splitlines()
    assert [line.split()[:3] for line in lines[3:5]] == [
        ["▸1", "2", "█" * 20],
        ["12345678901…", "1", "█" * 10],
    ]
    assert lines[8] == "  the best-scored of the candidates with it:"
    assert lines[9] == "  ── cot 1  answer 1  score 0.40"


def test_several_problems_are_sampled_at_once_and_answered_in_order(
    engine, problems, monkeypatch, capsys
):
    monkeypatch.setattr(solve, "batch_samples", lambda engine: 10)
    words = ["solve", f"problems={problems}", "prompt.form=plain", "generator=x", "verifier=none"]
    assert command_line.main([*words, "n=4"]) == 0
    # Ten samples are those of two problems.
    names = ["runs", "choice", "fails", "silent", "hopeless", "wrong"]
    assert engine.calls == [
        [f"{name}/{mode}" for mode in ("cot", "pot") for name in names[i : i + 2]]
        for i in (0, 2, 4)
    ]
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:6]] == names
    assert lines[2] == "fails  2  100 % of the votes  right"


@pytest.mark.parametrize(
    ("label", "said"), [(True, "right"), (False, "wrong"), (pd.NA, "undecided")]
)
def test_a_run_tells_what_the_grader_said_of_its_answer(label, said):
    """Nothing is graded anew, and what was undecided is not called wrong."""
    row = {f.name: "" for cls in (Candidate, Graded) for f in dataclasses.fields(cls)}
    row |= {"problem_id": "p", "mode": "cot", "sample": 0, "answer": "7", "answer_class": 0}
    row |= {"tokens": 1, "logprob": -1.0}
    del row["free"]  # whose names are columns of their own
    frame = pd.DataFrame([row | {"label": label}]).astype({"label": "boolean"})
    run = SimpleNamespace(problems=[Problem("p", "?", "9")], verifiers=list)
    run.parts = lambda *_: []
    run.record = {"stages": {}}
    assert f"reference: 9, {said}" in show_one(run, EvaluateConfig(), frame)


def test_without_any_answer_an_answer_is_wrong_where_there_is_a_reference():
    graded = Graded("", "", "", 0.0, None, "", -1, False)
    candidate = Candidate("p", "cot", 0, "?", [1], 1, 1, -1.0, "eos")
    solved = choose(Problem("p", "?", "9"), [Member(candidate, graded, NAN)], RuleSpec("majority"))
    assert (solved.answer, solved.right) == (None, False)
