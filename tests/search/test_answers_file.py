"""What `assay solve` writes of a file of problems: kept as it comes, gone on with, never mixed."""

import json

import pytest

from assay import command_line
from assay.generator.engines import Completion
from assay.problems.problem import Problem
from assay.search.solving import solver
from assay.search.solving.answers_file import AnswersFile
from assay.settings.errors import UserError
from tests.search.characters import Characters


class Counting:
    """An engine that answers 2, until it is stopped."""

    tokenizer = Characters()

    def __init__(self):
        self.asked, self.left = [], 10**9

    def sample(self, requests, params):
        for i, request in enumerate(requests):
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            self.asked.append(request.key)
            for sample in range(request.count):
                yield Completion(
                    i, sample, f"So it is {2 + sample % 2}. #### {2}", [7], -1.0, "eos"
                )


@pytest.fixture
def engine(monkeypatch):
    made = Counting()
    monkeypatch.setattr(solver, "make_engine", lambda config, model: made)
    monkeypatch.setattr(solver, "batch_samples", lambda engine: 4)  # one problem at a time
    return made


@pytest.fixture
def words(tmp_path):
    file = tmp_path / "questions.jsonl"
    rows = [{"id": f"q{i}", "question": f"{i} + 1?", "answer": "2"} for i in range(5)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    more = ["generator=x", "prompt.form=plain", "n=4", "modes=cot"]
    return ["solve", str(file), f"output={tmp_path / 'answers.jsonl'}", *more]


def rows_of(tmp_path):
    return [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]


def test_answers_are_kept_as_they_come(engine, words, tmp_path, capsys):
    engine.left = 3
    assert command_line.main(words) == 130
    assert [row["id"] for row in rows_of(tmp_path)] == ["q0", "q1", "q2"]
    engine.left = 10**9
    # A kill in the middle of a line.
    with open(tmp_path / "answers.jsonl", "a") as stream:
        stream.write('{"id": "q3", "quest')
    capsys.readouterr()
    assert command_line.main(words) == 0
    assert engine.asked == [f"q{i}/cot" for i in range(5)]
    assert [row["id"] for row in rows_of(tmp_path)] == [f"q{i}" for i in range(5)]
    out = capsys.readouterr().out
    assert out.startswith(f"{tmp_path / 'answers.jsonl'}: 3 answered before, 2 left\n")
    assert command_line.main(words) == 0
    assert len(engine.asked) == 5


def test_what_a_line_holds(engine, words, tmp_path):
    assert command_line.main([*words, "candidates=true"]) == 0
    first = rows_of(tmp_path)[0]
    assert (first["id"], first["answer"], first["right"], first["tokens"]) == ("q0", "2", True, 8)
    assert first["solution"] == "So it is 2. #### 2"
    assert first["answers"] == [{"answer": "2", "votes": 4}]
    assert [each["answer"] for each in first["candidates"]] == ["2"] * 4
    assert first["candidates"][0] == {
        "mode": "cot",
        "text": "So it is 2. #### 2",
        "answer": "2",
        "score": None,
        "logprob": -1.0,
        "tokens": 2,  # with the one that ends it
    }


def test_other_settings_are_never_mixed(engine, words, tmp_path, capsys):
    assert command_line.main(words) == 0
    before = (tmp_path / "answers.jsonl").read_bytes()
    for other in ("n=8", "sampling.temperature=1.0", "sampling.seed=1", "rule=shortest"):
        assert command_line.main([*words, other]) == 2
        told = capsys.readouterr().err
        assert "answers.jsonl, line 1: answered by other settings; choose another file" in told
    assert (tmp_path / "answers.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("my notes", "answers.jsonl: holds something else"),
        ("my notes\n", "line 1: not JSON"),
        ('{"id": "a", "question": "b"}\n', "line 1: no answer of `assay solve`"),
        ("[1]\n", "line 1: no answer of `assay solve`"),
    ],
)
def test_what_is_there_is_not_lost(content, told, tmp_path):
    file = tmp_path / "answers.jsonl"
    file.write_text(content)
    with pytest.raises(UserError, match=told):
        AnswersFile(str(file), "s")
    assert file.read_text() == content


def test_the_same_id_with_another_question_is_another_problem(tmp_path):
    answers = AnswersFile(str(tmp_path / "a.jsonl"), "s")
    answers.append({"id": "a", "question": "1 + 1?", "answer": "2"})
    again = AnswersFile(str(tmp_path / "a.jsonl"), "s")
    assert Problem("a", "1 + 1?") in again
    assert Problem("a", "1 + 2?") not in again
