"""Solving until a rule has decided: who is asked again, and what was decided by."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from assay import command_line
from assay.generator.engines import Completion
from assay.pools.rows import Graded
from assay.problems.problem import Problem
from assay.search.solving import solver as solve
from assay.search.solving.decide import Member
from assay.search.solving.rounds import members_until
from assay.selection.until import UntilConfig
from tests.search.characters import Characters


class Written:
    """An engine: `sure` is always 2, `open` has 2 and 3 in turns, `late` is 2 from the fifth on."""

    tokenizer = Characters()

    def __init__(self):
        self.asked = []

    def sample(self, requests, params):
        for i, request in reversed(list(enumerate(requests))):
            name, _ = request.key.split("/")
            self.asked.append((name, request.first, request.count))
            for sample in range(request.first, request.first + request.count):
                late = 2 if sample >= 4 else 10 + sample
                answer = {"sure": 2, "open": 2 + sample % 2, "late": late}[name]
                yield Completion(i, sample, f"#### {answer}", [7], -1.0, "eos")


@pytest.fixture
def engine(monkeypatch):
    made = Written()
    monkeypatch.setattr(solve, "make_engine", lambda config, model: made)
    return made


@pytest.fixture
def words(tmp_path):
    path = tmp_path / "problems.jsonl"
    rows = [{"id": name, "question": "1 + 1?", "answer": "2"} for name in ("sure", "open", "late")]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    output = f"output={tmp_path / 'answers.jsonl'}"
    return ["solve", f"problems={path}", output, "prompt.form=plain", "generator=x", "modes=[cot]"]


def test_who_is_decided_is_not_asked_again(engine, words, tmp_path, capsys):
    words += ["n=12", "until={rule: beta, threshold: 0.95, round: 4}"]
    assert command_line.main(words) == 0
    rounds = {name: [f for own, f, _ in engine.asked if own == name] for name, _, _ in engine.asked}
    # Four that agree are 1 − 1/32; four against one each 1 − 0.19: the fourth round never comes.
    assert rounds == {"sure": [0], "open": [0, 4, 8], "late": [0, 4, 8]}
    assert {count for _, _, count in engine.asked} == {4}
    rows = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert [(row["id"], row["n"]) for row in rows] == [("sure", 4), ("open", 12), ("late", 12)]
    # Classes count over all rounds: eight of twelve have the answer of the last two rounds.
    assert (rows[2]["answer"], rows[2]["votes"]) == ("2", round(8 / 12, 4))
    assert "9.3 candidates per problem, at most 12" in capsys.readouterr().out


def test_scores_decide_where_there_are_some():
    """The best score is enough for one problem in the first round, for the other never."""

    def member(sample, score):
        graded = Graded("", "", "", 0.0, "2", "phrase", 0, None)
        candidate = SimpleNamespace(sample=sample, mode="cot")
        return Member(candidate, graded, score)

    asked = []

    def more(problems, counts, first):
        asked.append(([p.id for p in problems], counts, first))
        return {
            p.id: [member(first + i, 0.9 if p.id == "a" else np.nan) for i in range(counts["cot"])]
            for p in problems
        }

    problems = [Problem(id=name, question="?") for name in "ab"]
    found = members_until(UntilConfig("best", 0.8, 2, 5), problems, ["cot"], more)
    assert asked == [
        (["a", "b"], {"cot": 2}, 0),
        (["b"], {"cot": 2}, 2),
        (["b"], {"cot": 1}, 4),
    ]
    assert [len(found[name]) for name in "ab"] == [2, 5]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["until={rule: best, threshold: 0.9}"], "score and best only where a verifier scores"),
        (["until={rule: beta}", "rule=hybrid"], "until: not with rule=hybrid"),
        (["until={rule: beta, round: 64}"], "until.round=64: expected at most 32"),
    ],
)
def test_what_is_refused(engine, words, more, told, capsys):
    assert command_line.main([*words, *more]) == 2
    assert told in capsys.readouterr().err
