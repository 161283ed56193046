"""The suite on the real sets: an engine that knows the answers is right, whichever form it takes.

This checks prompts, extraction, conventions and the sandbox's output per set, on real references.
"""

from __future__ import annotations

import json
import re

import pytest

from assay import command_line
from assay.generator.engines import Completion
from assay.pools.run import Run
from assay.problems.sets import load_problems
from assay.search.drivers.suite.sets import SUITE
from assay.search.drivers.suite.suite import SuiteConfig, problems_of
from assay.search.stages import engines
from tests.search.characters import Characters

# A text that two options share names neither.
SHARED = {"aqua": ["117", "124", "126", "193"], "mmlu_mathematics": ["113"]}
CHOICE = [name for name, one in SUITE.items() if one.kind != "open"]


class Knowing:
    """An engine that gives each problem's answer: the letter or the option's text of a choice."""

    tokenizer = Characters()

    def __init__(self, problems, form):
        self.answers = {problem.id: said(problem, form) for problem in problems}
        self.choices = {problem.id for problem in problems if problem.options}
        self.prompts = {}

    def sample(self, requests, params):
        assert params.temperature == 0
        for i, request in enumerate(requests):
            problem_id, _, mode = request.key.rpartition("/")
            self.prompts[problem_id, mode] = "".join(map(chr, request.prompt_ids))
            answer = self.answers[problem_id]
            text = f"print({answer!r})"
            if mode == "cot" and problem_id in self.choices:
                text = f"We try all of them.\nThe answer is {answer}."
            elif mode == "cot":
                text = f"We add. So it is $\\boxed{{{answer}}}$."
            yield Completion(i, 0, text, [7], -1.0, "eos")


def said(problem, form):
    if problem.options and form == "option":
        return problem.options[ord(problem.answer) - ord("A")]
    return problem.answer


def evaluated(shared_data, tmp_path, monkeypatch, capsys, name, form):
    """The set's JSON, the ids of problems that were wrong by mode, and the engine."""
    data = str(shared_data / "eval")
    problems = load_problems(problems_of(SuiteConfig(data=data), name))
    engine = Knowing(problems, form)
    monkeypatch.setattr(engines, "make_engine", lambda config, model: engine)
    words = [f"data={data}", f"sets={name}", f"output={tmp_path}", "workers=1"]
    words += ["generator=embedded", "prompt.form=alpaca", "--json"]
    assert command_line.main(["evaluate-suite", *words]) == 0
    (found,) = json.loads(capsys.readouterr().out)["sets"]
    run = Run.open(tmp_path / name)
    wrong = {"cot": [], "pot": []}
    for part in run.parts("answers"):
        for row in run.read("answers", part).to_pylist():
            if row["label"] is not True:
                wrong[row["mode"]].append(row["problem_id"])
    return found, {mode: sorted(ids) for mode, ids in wrong.items()}, engine


@pytest.fixture
def given(shared_data, tmp_path, monkeypatch, capsys):
    return shared_data, tmp_path, monkeypatch, capsys


@pytest.mark.parametrize("name", SUITE)
def test_right_answers_score_100(given, name):
    found, wrong, engine = evaluated(*given, name, "letter")
    assert found["problems"] == SUITE[name].problems
    assert found["accuracy"]["cot"] == pytest.approx({"accuracy": 1, "low": 1, "high": 1})
    printed = sorted(i for i, answer in engine.answers.items() if unprintable(name, answer))
    assert len(printed) == (9 if name == "math" else 0)
    assert wrong == {"cot": [], "pot": printed}
    assert found["accuracy"]["pot"]["accuracy"] == pytest.approx(
        1 - len(printed) / found["problems"]
    )
    # Choices stand in the prompt once, a program is asked for at its end.
    for (problem_id, mode), prompt in engine.prompts.items():
        assert prompt.count("Answer Choices: (A)") == (problem_id in engine.choices)
        assert prompt.endswith(
            "Let's write a program.\n\n### Response:" if mode == "pot" else "\n\n### Response:"
        )


def unprintable(name, answer):
    """MATH's nine closed intervals: a list that a program prints is unordered."""
    interval = re.fullmatch(r"\[[^\[\]]+,[^\[\]]+\]", answer)
    return name == "math" and interval is not None


@pytest.mark.parametrize("name", CHOICE)
def test_right_options_score_100(given, name):
    found, wrong, _ = evaluated(*given, name, "option")
    shared = [next(i for i in wrong["cot"] if i.endswith(n)) for n in SHARED.get(name, [])]
    assert wrong == {"cot": shared, "pot": shared}
    assert found["problems"] == SUITE[name].problems
    right = 1 - len(shared) / found["problems"]
    assert found["accuracy"]["hybrid"]["accuracy"] == pytest.approx(right)


@pytest.mark.slow
def test_the_embedded_model_on_every_set(shared_data, tmp_path, capsys):
    words = [f"data={shared_data / 'eval'}", "generator=embedded", "prompt.form=plain", "limit=2"]
    words += [f"output={tmp_path}", "workers=1", "sampling.max_new_tokens=40"]
    assert command_line.main(["evaluate-suite", *words]) == 0
    told = capsys.readouterr()
    lines = told.out.splitlines()
    # Paths may be of any length.
    assert max(len(line) for line in lines if str(tmp_path) not in line) <= 110
    assert [line.split()[0] for line in lines[4:13]] == [one.title for one in SUITE.values()]
    assert told.err.count(": 2 problems, ") == 9
    # Finished sets are skipped.
    assert command_line.main(["evaluate-suite", *words]) == 0
    assert capsys.readouterr().out == told.out
