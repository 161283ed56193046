r"""Prompt forms: how a question is put to a model, and how its solution follows.

Four forms: `alpaca` (MAmmoTH's, Yue et al. 2023, arXiv 2309.05653), `chat` (the model's own
template), `plain` (two short lines, for small models) and `template` (a text of the user's). Words
and programs differ by a suffix of the question, MAmmoTH's " Let's write a program.". Prompt and
response are tokenised apart, so that a sampled response and a reference solution have the same
tokens after the same prompt. Worked examples (`problems/shots.py`) stand before the question in the
same form; as earlier turns in a chat.

    >>> prompter = Prompter(PromptConfig(form="plain"))
    >>> prompter.text(Problem(id="1", question="What is 1 + 1?"), "pot")
    "Question: What is 1 + 1? Let's write a program.\nAnswer:"
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from assay.problems.answers import options_in
from assay.problems.problem import Mode, Problem
from assay.settings.errors import UserError

__all__ = [
    "FORMS",
    "PromptConfig",
    "Prompter",
    "Shot",
    "Shots",
    "prompt_key",
    "same_question",
    "with_options",
]

FORMS = ("alpaca", "chat", "plain", "template")

_TOLD: set[str] = set()

_ALPACA_HEAD = (
    "Below is an instruction that describes a task. "
    "Write a response that appropriately completes the request.\n\n"
)
_ALPACA = "### Instruction:\n{question}\n\n### Response:"
_PLAIN = "Question: {question}\nAnswer:"
# What stands between prompt and solution. It belongs to the response, because a prompt that ends
# in white space makes most tokenisers split the first word differently.
_PLAIN_LEADS: dict[Mode, str] = {"cot": " ", "pot": "\n"}


@dataclass
class PromptConfig:
    """How questions are put (an OmegaConf schema)."""

    form: str = "alpaca"
    """how a question is put to the model: alpaca (MAmmoTH's: "### Instruction:", the question,
    "### Response:") | chat (the model's own chat template) | plain ("Question: …", "Answer:", for
    small models) | template (the text in prompt.template) | auto (where a command allows it: as the
    generator was trained, else chat where it has a template, else alpaca)"""
    template: str = ""
    """of form=template: the whole prompt, with {question} where the question goes"""
    system: str = ""
    """of form=chat: the system message; empty = the template's own"""
    pot_suffix: str = " Let's write a program."
    """appended to the question when a program is asked for"""
    cot_suffix: str = ""
    """appended to the question when words are asked for, for example that the answer shall stand in
    \\boxed{}"""


def prompt_key(config: PromptConfig) -> dict[str, Any]:
    """A prompt form for the keys of stages and trainings; older ones know no `cot_suffix`."""
    key = {field.name: getattr(config, field.name) for field in fields(PromptConfig)}
    if not config.cot_suffix:
        del key["cot_suffix"]
    return key


@dataclass(frozen=True)
class Shot:
    """A worked example: a problem and one solution of it."""

    problem: Problem
    text: str


@dataclass(frozen=True)
class Shots:
    """Worked examples by mode: `count` of them stand before a question, the rest are spare."""

    count: int
    by_mode: Mapping[Mode, tuple[Shot, ...]]

    def before(self, problem: Problem, mode: Mode) -> list[Shot]:
        """The first `count` examples that are not the problem itself, by its id or question."""
        others = [
            shot
            for shot in self.by_mode[mode]
            if shot.problem.id != problem.id and not same_question(shot.problem, problem)
        ]
        return others[: self.count]

    def digest(self) -> str:
        """Short hash of the examples, for the keys of stages."""
        rows = {
            mode: [(shot.problem.to_dict(), shot.text) for shot in shots]
            for mode, shots in sorted(self.by_mode.items())
        }
        text = json.dumps([self.count, rows], ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class Prompter:
    """Turns problems into prompts and solutions into responses, for one model.

    `tokenizer` is a Hugging Face tokenizer; without one, only the text methods of the forms other
    than `chat` work. `shots` stand before every question. Where a chat template refuses a system
    message (Gemma's does), its text stands before the first question instead, and a line on stderr
    says so. Raises `UserError` for an unknown form, a template without `{question}`, and a chat
    form whose tokenizer has no chat template or one that cannot be used.
    """

    def __init__(
        self, config: PromptConfig, tokenizer: Any = None, shots: Shots | None = None
    ) -> None:
        if config.form not in FORMS:
            raise UserError(f"prompt.form={config.form}: expected one of {', '.join(FORMS)}")
        if config.form == "template" and "{question}" not in config.template:
            raise UserError("prompt.template: expected a text that contains {question}")
        if config.form == "chat":
            if tokenizer is None:
                raise UserError("prompt.form=chat: needs the model's tokenizer")
            if not getattr(tokenizer, "chat_template", None):
                raise UserError(
                    "prompt.form=chat: this model's tokenizer has no chat template; "
                    "use alpaca, plain or template"
                )
        self.config = config
        self.tokenizer = tokenizer
        self.shots = shots
        self._has_system = config.form == "chat" and bool(config.system)
        if config.form == "chat":
            self._try_template()

    def _try_template(self) -> None:
        """Renders a short chat, so that what the template refuses is known before all else."""
        system = [{"role": "system", "content": "Be short."}] if self._has_system else []
        chat = [{"role": "user", "content": "What is 1 + 1?"}]
        if self.shots is not None and self.shots.count:
            chat += [{"role": "assistant", "content": "2"}, chat[0]]
        if self._refusal([*system, *chat]) is None:
            return
        refusal = self._refusal(chat)
        if refusal is not None:
            raise UserError(
                f"prompt.form=chat: this model's chat template cannot be used ({refusal}); "
                "use alpaca, plain or template"
            )
        self._has_system = False
        _tell_once(
            "prompt.system: this model's chat template takes no system message; "
            "the text stands before the first question"
        )

    def _refusal(self, chat: list[dict[str, str]]) -> str | None:
        """Why the template does not take a chat, `None` where it does."""
        try:
            self._rendered(chat)
        except Exception as error:  # a template is code: it may raise anything
            return _line_of(error)
        return None

    def _rendered(self, chat: list[dict[str, str]]) -> str:
        return str(
            self._tokenizer().apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        )

    def text(self, problem: Problem, mode: Mode) -> str:
        """The prompt, up to where the response begins."""
        if self.config.form == "chat":
            try:
                return self._rendered(self.messages(problem, mode))
            except Exception as error:  # a template is code: it may raise anything
                raise UserError(
                    f"{problem.id}: the chat template does not take it ({_line_of(error)})"
                ) from error
        head = _ALPACA_HEAD if self.config.form == "alpaca" else ""
        before = [
            self._block(shot.problem, mode) + self._shot_lead(mode) + shot.text
            for shot in self._before(problem, mode)
        ]
        return head + "\n\n".join([*before, self._block(problem, mode)])

    def messages(self, problem: Problem, mode: Mode) -> list[dict[str, str]]:
        """The prompt as a chat; in a form other than `chat`, its text is the user's message."""
        if self.config.form != "chat":
            return [{"role": "user", "content": self.text(problem, mode)}]
        messages = []
        if self._has_system:
            messages.append({"role": "system", "content": self.config.system})
        for shot in self._before(problem, mode):
            messages.append({"role": "user", "content": self._question(shot.problem, mode)})
            messages.append({"role": "assistant", "content": shot.text})
        messages.append({"role": "user", "content": self._question(problem, mode)})
        if self.config.system and not self._has_system:
            messages[0]["content"] = f"{self.config.system}\n\n{messages[0]['content']}"
        return messages

    @property
    def stop(self) -> list[str]:
        """Texts with which a model that was given examples begins a question of its own.

        What stands before the question in the form; nothing without examples, in a chat, where the
        end of a turn stops it, and for a template that begins with the question.
        """
        if self.shots is None or self.config.form == "chat":
            return []
        before = self._form().partition("{question}")[0].strip()
        return ["\n" + before.splitlines()[0]] if before else []

    def ids(self, problem: Problem, mode: Mode) -> list[int]:
        """The prompt's token ids, with the special tokens that the model expects at its start.

        A chat template writes its special tokens itself; the other forms get the tokenizer's.
        """
        text = self.text(problem, mode)
        own_specials = self.config.form == "chat"
        ids = list(self._tokenizer()(text, add_special_tokens=not own_specials)["input_ids"])
        # Some tokenizers close every text with the end token; after it nothing would be answered.
        if not own_specials and ids and ids[-1] == self._tokenizer().eos_token_id:
            ids.pop()
        return ids

    def response_text(self, mode: Mode, text: str) -> str:
        """What follows the prompt where `text` is the solution."""
        return self._lead(mode) + text

    def response_ids(self, mode: Mode, text: str) -> list[int]:
        """The response's token ids, tokenised apart from the prompt, closed by the end token."""
        tokenizer = self._tokenizer()
        if tokenizer.eos_token_id is None:
            raise UserError("this model's tokenizer has no end-of-sequence token (eos_token)")
        response = self.response_text(mode, text)
        ids = list(tokenizer(response, add_special_tokens=False)["input_ids"])
        return [*ids, tokenizer.eos_token_id]

    def candidate_text(self, mode: Mode, completion: str) -> str:
        """The solution in a sampled completion: inverse of `response_text`.

        Trailing white space goes; a program keeps the indentation of its first line.
        """
        text = completion.removeprefix(self._lead(mode)).rstrip()
        return text.lstrip("\r\n") if mode == "pot" else text.lstrip()

    def _form(self) -> str:
        forms = {"alpaca": _ALPACA, "plain": _PLAIN, "template": self.config.template}
        return forms[self.config.form]

    def _block(self, problem: Problem, mode: Mode) -> str:
        # replace, not format: templates may hold other braces (LaTeX, JSON).
        return self._form().replace("{question}", self._question(problem, mode))

    def _before(self, problem: Problem, mode: Mode) -> list[Shot]:
        return [] if self.shots is None else self.shots.before(problem, mode)

    def _shot_lead(self, mode: Mode) -> str:
        """What stands between prompt and solution in an example."""
        if self.config.form == "alpaca":
            return "\n"
        # A template that ends in white space has said what it wants there.
        return "" if self._form()[-1:].isspace() else _PLAIN_LEADS[mode]

    def _question(self, problem: Problem, mode: Mode) -> str:
        question = with_options(problem.question.strip(), problem.options)
        return question + (self.config.pot_suffix if mode == "pot" else self.config.cot_suffix)

    def _lead(self, mode: Mode) -> str:
        return _PLAIN_LEADS[mode] if self.config.form == "plain" else ""

    def _tokenizer(self) -> Any:
        if self.tokenizer is None:
            raise UserError("token ids were asked of a prompter that was made without a tokenizer")
        return self.tokenizer


def _line_of(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _tell_once(line: str) -> None:
    """A line on stderr, once in a process, however many prompters are made."""
    if line not in _TOLD:
        _TOLD.add(line)
        print(line, file=sys.stderr, flush=True)


def same_question(one: Problem, other: Problem) -> bool:
    """Whether two problems ask the same, white space aside."""
    return one.question.split() == other.question.split()


def with_options(question: str, options: Sequence[str]) -> str:
    r"""The question with its choices as MAmmoTH writes them, once.

    >>> with_options("2 + 2?", ("3", "4"))
    '2 + 2?\nAnswer Choices: (A) 3 (B) 4'
    """
    if not options or options_in(question) == tuple(options):
        return question
    choices = " ".join(f"({chr(ord('A') + i)}) {option}" for i, option in enumerate(options))
    return f"{question}\nAnswer Choices: {choices}"
