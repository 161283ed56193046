"""Few-shot prompts, letter by letter; where the examples come from, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from assay.problems import Problem, ProblemsConfig, Prompter, Solution
from assay.problems.shots import FewShotConfig, choose_shots
from assay.settings.errors import UserError

ONE = Problem("a", "What is 1 + 1?", "2", solutions=(Solution("cot", "1+1 = <<1+1=2>>2\n#### 2"),))
TWO = Problem("b", "Which?", "B", ("3", "4"), (Solution("cot", "B"), Solution("pot", "print('B')")))
ASKED = Problem("c", "What is 5 + 5?")
HEAD = (
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request."
)


@pytest.fixture
def file(tmp_path):
    def write(*problems):
        path = tmp_path / "shots.jsonl"
        path.write_text("".join(json.dumps(p.to_dict()) + "\n" for p in problems))
        return ProblemsConfig(name="jsonl", path=str(path))

    return write


def prompter(source, form, shots=1, tokenizer=None, **more):
    config = FewShotConfig(form=form, shots=shots, shots_from=source, **more)
    found = choose_shots(config, ProblemsConfig(name=""), ["cot", "pot"])
    return Prompter(config, tokenizer, found)


@pytest.mark.parametrize(
    ("form", "mode", "text", "stop"),
    [
        (
            "plain",
            "cot",
            "Question: What is 1 + 1?\nAnswer: 1+1 = 2\n#### 2\n\n"
            "Question: What is 5 + 5?\nAnswer:",
            ["\nQuestion:"],
        ),
        (
            "plain",
            "pot",
            "Question: What is 1 + 1? Let's write a program.\nAnswer:\nx1 = 1 + 1\nprint(x1)\n\n"
            "Question: What is 5 + 5? Let's write a program.\nAnswer:",
            ["\nQuestion:"],
        ),
        (
            "alpaca",
            "cot",
            f"{HEAD}\n\n### Instruction:\nWhat is 1 + 1?\n\n### Response:\n1+1 = 2\n#### 2\n\n"
            "### Instruction:\nWhat is 5 + 5?\n\n### Response:",
            ["\n### Instruction:"],
        ),
        (
            "template",
            "cot",
            "Q> What is 1 + 1?\nA>1+1 = 2\n#### 2\n\nQ> What is 5 + 5?\nA>",
            ["\nQ>"],
        ),
    ],
)
def test_text(file, form, mode, text, stop):
    template = "Q> {question}\nA>" if form == "template" else ""
    made = prompter(file(ONE), form, template=template)
    if form == "template":
        text = text.replace("A>1", "A> 1")  # the lead of words, where the template has none
    assert made.text(ASKED, mode) == text
    assert made.stop == stop


def test_a_template_that_ends_in_white_space_and_begins_with_the_question(file):
    made = prompter(file(ONE), "template", template="{question}\n")
    text = "What is 1 + 1?\n1+1 = 2\n#### 2\n\nWhat is 5 + 5?\n"
    assert (made.text(ASKED, "cot"), made.stop) == (text, [])


def test_options_and_programs_as_they_stand(file):
    made = prompter(file(TWO), "plain")
    assert made.text(ASKED, "pot") == (
        "Question: Which?\nAnswer Choices: (A) 3 (B) 4 Let's write a program.\nAnswer:\n"
        "print('B')\n\nQuestion: What is 5 + 5? Let's write a program.\nAnswer:"
    )


def test_a_chat_has_them_as_earlier_turns(file):
    class Template:
        chat_template = "yes"

        def apply_chat_template(self, messages, **_: Any):
            return "".join(f"[{m['role']}]{m['content']}" for m in messages)

    made = prompter(file(ONE), "chat", tokenizer=Template(), system="Be brief.")
    assert made.messages(ASKED, "pot") == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is 1 + 1? Let's write a program."},
        {"role": "assistant", "content": "x1 = 1 + 1\nprint(x1)"},
        {"role": "user", "content": "What is 5 + 5? Let's write a program."},
    ]
    assert made.text(ASKED, "cot").startswith("[system]Be brief.[user]What is 1 + 1?[assistant]")
    assert made.stop == []


def test_annotations_are_kept_on_request(file):
    made = prompter(file(ONE), "plain", shots_annotations="keep")
    assert "1+1 = <<1+1=2>>2" in made.text(ASKED, "cot")


MANY = [
    Problem(f"p{i}", f"What is {i} + 1?", str(i + 1), (), (Solution("cot", f"{i} + 1 = {i + 1}"),))
    for i in range(6)
]


def test_no_problem_is_an_example_of_itself(file):
    made = prompter(file(*MANY), "plain", shots=4)
    drawn = [shot.problem.id for shot in made.shots.before(ASKED, "cot")]
    assert len(set(drawn)) == 4
    for problem in MANY:
        again = Problem("elsewhere", f"  {problem.question}\n")
        for asked in (problem, again):
            text = made.text(asked, "cot")
            assert text.count(problem.question) == 1
            assert text.count("Question: ") == 5
    spare = made.shots.before(Problem(drawn[0], "What is it?"), "cot")
    assert [shot.problem.id for shot in spare][:3] == drawn[1:]


def test_the_draw_is_the_seeds(file):
    source = file(*MANY)

    def drawn(seed):
        shots = prompter(source, "plain", 2, shots_seed=seed).shots.by_mode["cot"]
        return [shot.problem.id for shot in shots]

    assert drawn(0) == drawn(0)
    assert len({tuple(drawn(seed)) for seed in range(4)}) > 1


def test_an_edited_file_has_another_digest(file):
    first = prompter(file(ONE), "plain").shots.digest()
    assert first == prompter(file(ONE), "alpaca").shots.digest()
    edited = Problem("a", ONE.question, "2", (), (Solution("cot", "1+1 = <<1+1=2>>2.\n#### 2"),))
    assert first != prompter(file(edited), "plain").shots.digest()


def test_the_training_split_by_default():
    config = FewShotConfig(form="plain", shots=2)
    asked = ProblemsConfig(name="gsm_symbolic", split="test", limit=3, offset=5)
    found = choose_shots(config, asked, ["cot"])
    assert found is not None
    assert all(s.problem.id.startswith("gsm_symbolic-train-") for s in found.by_mode["cot"])
    assert set(found.by_mode) == {"cot"}
    assert choose_shots(FewShotConfig(), asked, ["cot"]) is None


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"shots": -1}, "prompt.shots=-1: expected 0 or more"),
        ({"shots": 3}, "prompt.shots=3: jsonl .*shots.jsonl has 2 problems with a cot solution"),
        ({"shots": 1, "shots_annotations": "no"}, "shots_annotations=no: expected keep or strip"),
    ],
)
def test_bad_settings(file, config, message):
    source = file(ONE, TWO)
    with pytest.raises(UserError, match=message):
        choose_shots(FewShotConfig(shots_from=source, **config), ProblemsConfig(name=""), ["cot"])


def test_a_path_without_a_name():
    config = FewShotConfig(shots=1, shots_from=ProblemsConfig(name="", path="data/gsm8k"))
    with pytest.raises(UserError, match=r"prompt.shots_from.name: expected"):
        choose_shots(config, ProblemsConfig(name="gsm_symbolic"), ["cot"])


def test_no_training_split(file):
    for asked in (ProblemsConfig(name=""), file(ONE)):
        with pytest.raises(UserError, match=r"prompt.shots_from: expected .* no training split"):
            choose_shots(FewShotConfig(shots=1), asked, ["cot"])
