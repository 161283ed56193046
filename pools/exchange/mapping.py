"""From a row of somebody's file to a problem and its candidates: the field mapping of `import`.

    row = convert(json.loads(line), Fields(question="q", solutions="samples"), "a.jsonl, line 1")
    row.problem, row.candidates

Where `solutions` gives a list, each item is a candidate and the other fields of candidates are
lists beside it; where it gives one text, the row is one candidate, and rows of one problem make up
its candidates.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.pools.exchange.cells import (
    Values,
    answer_of,
    free_of,
    label_of,
    number_of,
    sample_of,
    scores_of,
    step_values,
    text_of,
    token_ids_of,
    tokens_of,
    values_of,
    word_of,
)
from assay.pools.exchange.fields import MISSING, Fields, look_up
from assay.problems.answers import convention_name, convention_of, extract, options_in
from assay.problems.formats import mapped_problem
from assay.problems.problem import MODES, Mode, Problem
from assay.problems.programs import program_text
from assay.sandbox import clean_program
from assay.settings.errors import UserError

__all__ = ["Imported", "Row", "UnmappedError", "convert"]

# Of one problem or of one request as a whole, where there are several solutions.
_SHARED = ("modes", "origins", "stops", "prompt_tokens")
_COLUMNS = (
    *("modes", "samples", "origins", "tokens", "prompt_tokens", "token_ids", "logprobs", "stops"),
    *("free", "answers", "labels", "scores", "values"),
)
_CODE_TAGS = re.compile(r"<llm-code>\n?(.*?)(?:</llm-code>|\Z)", re.DOTALL)
_OUTPUT_TAGS = re.compile(r"<llm-code-output>.*?(?:</llm-code-output>|\Z)", re.DOTALL)
_FENCED = re.compile(r"^[ \t]*```+[ \t]*(?:python|py)\b.*?(?:^[ \t]*```+|\Z)", re.DOTALL | re.M)


@dataclass(frozen=True)
class Imported:
    """A candidate as the file has it; `None`, −1 and NaN are unknown, `sample` None is not told.

    `answer` and `label` are theirs; `scores` and `values` by the name of what gave them ("" where
    unnamed). What has values has a score.
    """

    mode: Mode
    text: str
    sample: int | None
    origin: str
    tokens: int
    prompt_tokens: int
    token_ids: list[int]
    logprob: float
    stop: str
    free: dict[str, float]
    answer: str | None
    label: bool | None
    scores: dict[str, float]
    values: dict[str, Values]


@dataclass(frozen=True)
class Row:
    """One row: its problem, and its candidates; `alone` where it is one candidate by itself.

    `shared` names the fields left out because one value stood for several solutions.
    """

    problem: Problem
    candidates: list[Imported]
    alone: bool
    shared: tuple[str, ...] = ()


class UnmappedError(UserError):
    """The mapping finds no question or no solutions in a row."""


def convert(row: Mapping[str, Any], fields: Fields, where: str, aggregate: str = "last") -> Row:
    """A row as its problem and candidates; `aggregate` makes one score of a list of step scores.

    Raises `UnmappedError` where the mapping finds no question or no solutions, `UserError` for
    values of the wrong type or number; both begin with `where`.
    """
    question, solutions = (look_up(getattr(fields, n), row) for n in ("question", "solutions"))
    for name, value in (("question", question), ("solutions", solutions)):
        if value is MISSING or value is None or (value and _only_nulls(value)):
            expression = getattr(fields, name)
            raise UnmappedError(
                f"{where}: no field {expression!r} for {name!r}; "
                f"found {', '.join(sorted(map(str, row))) or '(none)'}"
            )
    problem = _problem(row, fields, where)
    alone = not isinstance(solutions, list)
    texts = [text_of(value, where) for value in ([solutions] if alone else solutions)]
    shared: list[str] = []

    def column(name: str) -> list[Any]:
        values, is_shared = _column(getattr(fields, name), row, len(texts), alone, name, where)
        if is_shared:
            shared.append(name)
        return values

    columns = {name: column(name) for name in _COLUMNS}
    candidates = [
        _candidate(
            text, {n: values[i] for n, values in columns.items()}, fields, problem, aggregate, where
        )
        for i, text in enumerate(texts)
    ]
    return Row(problem, candidates, alone, tuple(shared))


def _candidate(
    theirs: str,
    cells: Mapping[str, Any],
    fields: Fields,
    problem: Problem,
    aggregate: str,
    where: str,
) -> Imported:
    """The candidate of one solution, from what stands beside it by the names of `_COLUMNS`."""
    mode, text = _mode(cells["modes"], theirs, problem.options, where)
    # Of a text that is written anew the places are not known.
    values = {} if text != theirs else values_of(cells["values"], text, where)
    if fields.steps and text == theirs:
        values = {**step_values(cells["scores"], text, fields.steps), **values}
    last = {n: number_of(each.values, aggregate, "values", where) for n, each in values.items()}
    return Imported(
        mode=mode,
        text=text,
        sample=sample_of(cells["samples"], where),
        # As the names of parts can hold it.
        origin=re.sub(r"[^\w-]+", "-", word_of(cells["origins"]), flags=re.ASCII),
        tokens=tokens_of(cells["tokens"], "tokens", where),
        prompt_tokens=tokens_of(cells["prompt_tokens"], "prompt_tokens", where),
        token_ids=token_ids_of(cells["token_ids"], where),
        logprob=number_of(cells["logprobs"], "sum", "logprobs", where),
        stop=word_of(cells["stops"]),
        free=free_of(cells["free"], where),
        answer=answer_of(cells["answers"], fields.no_answer),
        label=label_of(cells["labels"], where),
        scores={**last, **scores_of(cells["scores"], aggregate, where)},
        values=values,
    )


def _only_nulls(value: Any) -> bool:
    return isinstance(value, list) and all(item is None for item in value)


def _problem(row: Mapping[str, Any], fields: Fields, where: str) -> Problem:
    """The problem of a row, read as the set `jsonl` reads one."""
    ours: dict[str, Any] = {"question": look_up(fields.question, row)}
    for name, expression in (
        ("answer", fields.reference),
        ("options", fields.options),
        ("convention", fields.convention),
        ("id", fields.id),
    ):
        value = look_up(expression, row)
        if value is not MISSING:
            ours[name] = value
    worked = look_up(fields.reference_solution, row)
    if isinstance(worked, list):
        ours["solutions"] = worked
    elif worked is not MISSING and worked:
        ours["solutions"] = [{"mode": "cot", "text": str(worked)}]
    if fields.reference_pattern and isinstance(ours.get("answer"), str):
        ours["answer"] = _inner(fields.reference_pattern, ours["answer"])
    problem = mapped_problem(ours, _made_id(ours), where, {})
    # A convention that came along stands, an empty one too; else the id may suggest one.
    name = problem.convention if "convention" in ours else convention_name(problem.id)
    options = problem.options
    if not options and convention_of(name).options_in_question:
        options = options_in(problem.question)
    return dataclasses.replace(problem, options=options, convention=name)


def _made_id(ours: Mapping[str, Any]) -> str:
    identity = [ours.get(name) for name in ("question", "options", "answer")]
    text = json.dumps(identity, ensure_ascii=False, default=str)
    return "q-" + hashlib.sha256(text.encode()).hexdigest()[:12]


def _inner(pattern: str, text: str) -> str:
    try:
        match = re.search(pattern, text)
    except re.error as error:
        raise UserError(f"fields.reference_pattern: not a regular expression ({error})") from error
    if match is None:
        return text
    return (match.group(1) if match.re.groups else match.group(0)).strip()


def _column(
    expression: str, row: Mapping[str, Any], count: int, alone: bool, name: str, where: str
) -> tuple[list[Any], bool]:
    """A value for each solution; and whether there was one for all that says nothing of each."""
    value = look_up(expression, row)
    if value is MISSING or value is None:
        return [None] * count, False
    if alone:
        return [value], False
    if not isinstance(value, list):
        if count == 1 or name in _SHARED:
            return [value] * count, False
        return [None] * count, True
    if len(value) != count:
        raise UserError(
            f"{where}: {count} solutions, but {len(value)} values in {expression!r} for {name!r}"
        )
    return value, False


def _mode(value: Any, text: str, options: Sequence[str], where: str) -> tuple[Mode, str]:
    """The mode of a solution, and its text with the code tags of others as Markdown fences."""
    if value is not None and value not in MODES:
        raise UserError(f"{where}: expected one of {', '.join(MODES)} in 'modes', found {value!r}")
    fenced = text
    if "<llm-code>" in text:
        fenced = _CODE_TAGS.sub(r"```python\n\1\n```\n", _OUTPUT_TAGS.sub("", text))
    if value is not None:
        return value, fenced if value == "pot" else text
    said = program_text(fenced)  # a program in a thought is none
    prose = _FENCED.sub("", said)
    is_program = prose != said and clean_program(said).strip() != ""
    if is_program and extract(prose, options).answer is None:
        return "pot", fenced
    return "cot", text
