"""Prompt forms, letter by letter, and the tokens of a real tokenizer."""

from __future__ import annotations

from typing import Any

import pytest

from assay.problems import Problem, PromptConfig, Prompter, prompts
from assay.problems.prompts import Shot, Shots
from assay.settings.errors import UserError

PROBLEM = Problem(id="1", question="What is 1 + 1? ")
CHOICE = Problem(id="2", question="Which?", options=("3", "4"))
HEAD = (
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request."
)


@pytest.mark.parametrize(
    ("config", "problem", "mode", "text"),
    [
        (
            PromptConfig(),
            PROBLEM,
            "cot",
            f"{HEAD}\n\n### Instruction:\nWhat is 1 + 1?\n\n### Response:",
        ),
        (
            PromptConfig(),
            PROBLEM,
            "pot",
            f"{HEAD}\n\n### Instruction:\nWhat is 1 + 1? Let's write a program.\n\n### Response:",
        ),
        (PromptConfig(form="plain"), PROBLEM, "cot", "Question: What is 1 + 1?\nAnswer:"),
        (
            PromptConfig(form="plain", pot_suffix=" Code!"),
            PROBLEM,
            "pot",
            "Question: What is 1 + 1? Code!\nAnswer:",
        ),
        (
            PromptConfig(form="template", template="\\boxed{} {question} ->"),
            PROBLEM,
            "cot",
            "\\boxed{} What is 1 + 1? ->",
        ),
        (
            PromptConfig(form="plain"),
            CHOICE,
            "pot",
            "Question: Which?\nAnswer Choices: (A) 3 (B) 4 Let's write a program.\nAnswer:",
        ),
    ],
)
def test_text(config: PromptConfig, problem: Problem, mode: Any, text: str) -> None:
    assert Prompter(config).text(problem, mode) == text


def test_choices_that_the_question_lists_stand_there_once() -> None:
    """As in NumGLUE; others than those listed are added."""
    question = "Which? Answer Choices: (A) 3 (B) 4"
    prompter = Prompter(PromptConfig(form="plain"))
    listed = Problem(id="1", question=question, options=("3", "4"))
    assert prompter.text(listed, "cot") == f"Question: {question}\nAnswer:"
    other = Problem(id="1", question=question, options=("3", "5"))
    assert prompter.text(other, "cot").count("Answer Choices:") == 2


@pytest.mark.parametrize("form", ["alpaca", "plain"])
@pytest.mark.parametrize(("mode", "text"), [("cot", "It is 2."), ("pot", "x = 2\nprint(x)")])
def test_candidate_text_inverts_response_text(form: str, mode: Any, text: str) -> None:
    prompter = Prompter(PromptConfig(form=form))
    assert prompter.candidate_text(mode, prompter.response_text(mode, text) + "\n") == text


def test_response_leads() -> None:
    plain, alpaca = Prompter(PromptConfig(form="plain")), Prompter(PromptConfig())
    assert plain.response_text("cot", "It is 2.") == " It is 2."
    assert plain.response_text("pot", "x = 2") == "\nx = 2"
    assert alpaca.response_text("pot", "x = 2") == "x = 2"
    assert alpaca.candidate_text("pot", "\n\n  x = 1\n  y = 2\n") == "  x = 1\n  y = 2"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (PromptConfig(form="alpacca"), "prompt.form=alpacca: expected one of alpaca"),
        (PromptConfig(form="template", template="no place"), r"contains \{question\}"),
        (PromptConfig(form="chat"), "needs the model's tokenizer"),
    ],
)
def test_bad_config(config: PromptConfig, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Prompter(config)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """A byte-level tokenizer that begins and ends texts, as some do, with a chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<s>": 0, "</s>": 1} | {letter: i + 2 for i, letter in enumerate(letters)}
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    made = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="</s>")
    made.chat_template = (
        "<s>{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}[assistant]{% endif %}"
    )
    return made


def test_ids(tokenizer: Any) -> None:
    prompter = Prompter(PromptConfig(form="plain"), tokenizer)
    ids = prompter.ids(PROBLEM, "cot")
    assert ids[0] == 0
    assert 1 not in ids  # nothing would follow an end token
    assert tokenizer.decode(ids[1:]) == "Question: What is 1 + 1?\nAnswer:"
    response = prompter.response_ids("cot", "It is 2.")
    assert response[-1] == 1
    assert tokenizer.decode(response[:-1]) == " It is 2."


def test_chat(tokenizer: Any) -> None:
    prompter = Prompter(PromptConfig(form="chat", system="Be brief."), tokenizer)
    text = "<s>[system]Be brief.[user]What is 1 + 1? Let's write a program.[assistant]"
    assert prompter.text(PROBLEM, "pot") == text
    ids = prompter.ids(PROBLEM, "pot")
    assert ids.count(0) == 1  # the template's own start token, not a second one
    assert tokenizer.decode(ids) == text
    assert prompter.response_text("cot", "2") == "2"


def test_missing_pieces(tokenizer: Any) -> None:
    with pytest.raises(UserError, match="without a tokenizer"):
        Prompter(PromptConfig()).ids(PROBLEM, "cot")

    class Bare:
        chat_template = None
        eos_token_id = None

    with pytest.raises(UserError, match="no chat template"):
        Prompter(PromptConfig(form="chat"), Bare())
    with pytest.raises(UserError, match="no end-of-sequence"):
        Prompter(PromptConfig(), Bare()).response_ids("cot", "2")


GEMMA = (
    "<s>{% if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate') }}{% endif %}"
    "[{{ m.role }}]{{ m.content | trim }}{% endfor %}"
    "{% if add_generation_prompt %}[model]{% endif %}"
)
# Refuses the role where it comes to it, by an error of its own making.
NO_ROLE = (
    "{% for m in messages %}{{ {'user': 'U:', 'assistant': 'A:'}[m.role] + m.content }}{% endfor %}"
)
SHOTS = Shots(1, {"cot": (Shot(Problem(id="9", question="1 + 2?"), "3"),), "pot": ()})


def test_a_template_that_refuses_the_system_role(tokenizer: Any, capsys: Any) -> None:
    tokenizer.chat_template = GEMMA
    prompter = Prompter(PromptConfig(form="chat", system="Be brief."), tokenizer)
    assert prompter.text(PROBLEM, "cot") == "<s>[user]Be brief.\n\nWhat is 1 + 1?[model]"
    # What a server is sent is the same chat.
    assert prompter.messages(PROBLEM, "cot") == [
        {"role": "user", "content": "Be brief.\n\nWhat is 1 + 1?"}
    ]
    tokenizer.chat_template = NO_ROLE
    prompter = Prompter(PromptConfig(form="chat", system="Be brief."), tokenizer, SHOTS)
    assert prompter.text(PROBLEM, "cot") == "U:Be brief.\n\n1 + 2?A:3U:What is 1 + 1?"
    err = capsys.readouterr().err
    assert err.count("takes no system message; the text stands before the first question") <= 1


def test_the_note_on_the_system_role_comes_once(
    tokenizer: Any, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(prompts, "_TOLD", set())
    tokenizer.chat_template = GEMMA
    for _ in range(3):
        Prompter(PromptConfig(form="chat", system="Be brief."), tokenizer)
    assert capsys.readouterr().err == (
        "prompt.system: this model's chat template takes no system message; "
        "the text stands before the first question\n"
    )
    Prompter(PromptConfig(form="chat"), tokenizer)  # nothing to tell without one
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{{ messages[0].content | shout }}", "No filter named 'shout'"),
        ("{% for m in messages %}{{ m.content }}", "Unexpected end of template"),
        ("{{ raise_exception('not a\nchat model') }}", "not a chat model"),
        ("{{ messages[0].content + 1 }}", "can only concatenate str"),
        ("{{ tools.first.name }}", "'tools' is undefined|has no attribute"),
        ("{{ messages[0].content is prime }}", "No test named 'prime'"),
        ("{{ 1 // 0 }}", "division"),
    ],
)
@pytest.mark.parametrize("system", ["", "Be brief."])
def test_a_template_that_cannot_be_used(
    template: str, told: str, system: str, tokenizer: Any
) -> None:
    tokenizer.chat_template = template
    with pytest.raises(UserError, match=told) as caught:
        Prompter(PromptConfig(form="chat", system=system), tokenizer)
    assert "prompt.form=chat: this model's chat template cannot be used" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_template_that_refuses_one_question(tokenizer: Any) -> None:
    tokenizer.chat_template = (
        "{% for m in messages %}{% if 'Which' in m.content %}"
        "{{ raise_exception('no choices') }}{% endif %}{{ m.content }}{% endfor %}"
    )
    prompter = Prompter(PromptConfig(form="chat"), tokenizer)
    assert prompter.text(PROBLEM, "cot") == "What is 1 + 1?"
    with pytest.raises(UserError, match=r"^2: the chat template does not take it \(no choices\)"):
        prompter.text(CHOICE, "cot")
