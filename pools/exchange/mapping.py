"""From a row of somebody's file to a problem and its candidates: the field mapping of `import`.

A mapping names, for each of our fields, where theirs is (`configs/imports/*.yaml`):

    question: question | problem           # the first that the row has
    reference: doc.answer                  # a field inside a field
    solutions: choices.*.text              # of every item of a list (0: the first, -1: the last)
    labels: small.right + large.right      # side by side: one list
    modes: =pot                            # a text that is no field

Where `solutions` gives a list, each item is a candidate and the other fields of candidates are
lists beside it; where it gives one text, the row is one candidate, and rows of one problem make up
its candidates.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

from assay.problems.answers import convention_name, convention_of, extract, options_in
from assay.problems.formats import mapped_problem
from assay.problems.problem import MODES, Mode, Problem
from assay.problems.programs import program_text
from assay.sandbox import clean_program
from assay.settings.errors import UserError

__all__ = [
    "AGGREGATES",
    "Fields",
    "Imported",
    "Row",
    "UnmappedError",
    "Values",
    "convert",
    "look_up",
    "selected",
]

AGGREGATES = ("last", "min", "prod", "mean")
# The parts of a run hold whole numbers in 32 bits.
_LARGEST = 2**31 - 1
MISSING: Any = object()
# Of one problem or of one request as a whole, where there are several solutions.
_SHARED = ("modes", "origins", "stops", "prompt_tokens")
_COLUMNS = (
    *("modes", "samples", "origins", "tokens", "prompt_tokens", "token_ids", "logprobs", "stops"),
    *("answers", "labels", "scores", "values"),
)
_CODE_TAGS = re.compile(r"<llm-code>\n?(.*?)(?:</llm-code>|\Z)", re.DOTALL)
_OUTPUT_TAGS = re.compile(r"<llm-code-output>.*?(?:</llm-code-output>|\Z)", re.DOTALL)
_FENCED = re.compile(r"^[ \t]*```+[ \t]*(?:python|py)\b.*?(?:^[ \t]*```+|\Z)", re.DOTALL | re.M)


@dataclass
class Fields:
    """Where a file has what: paths, as the module's head explains them; empty = nowhere."""

    id: str = ""
    """of the problem; empty = made from the question's hash"""
    question: str = ""
    reference: str = ""
    """the reference answer"""
    reference_pattern: str = ""
    """regular expression: where it matches, its first group is the reference answer"""
    reference_solution: str = ""
    options: str = ""
    """of multiple choice: a list of texts, or letters with texts"""
    convention: str = ""
    """how reference answers are written, a path or for example =gsm8k (docs/answers.md)"""
    solutions: str = ""
    modes: str = ""
    """cot or pot; empty = pot where a solution is a fenced program and claims no answer outside"""
    samples: str = ""
    """the number within problem and mode; empty = counted"""
    origins: str = ""
    """which generator or setting a candidate is of"""
    tokens: str = ""
    """how many were generated, or a list with an item for each"""
    prompt_tokens: str = ""
    token_ids: str = ""
    """of the generator's tokenizer, without the end token"""
    logprobs: str = ""
    """of all generated tokens together, in nats, or a list with an item for each token"""
    stops: str = ""
    """why generation ended"""
    answers: str = ""
    """as they extracted them"""
    labels: str = ""
    """as they graded them: true, false, 1, 0 or null"""
    scores: str = ""
    """a number, a list with one for each step, or names with numbers"""
    values: str = ""
    """at places of the text: {values, starts, ends} of each token, or names with such"""
    steps: str = ""
    """what stands between two steps, for example "\\n\\n": where a solution has as many steps as
    scores, these are kept as values at its steps"""
    no_answer: list[str] = field(default_factory=list)
    """texts that stand for no answer, for example ["[invalid]"]"""
    only: dict[str, str] = field(default_factory=dict)
    """path: value of the rows to take; an empty value is that of the first row"""


class Values(NamedTuple):
    """Values at places of a candidate's text: from `starts[i]` to `ends[i]` it is `values[i]`."""

    values: list[float]
    starts: list[int]
    ends: list[int]


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


def look_up(expression: str, row: Mapping[str, Any]) -> Any:
    """What an expression finds in a row; `MISSING` where there is nothing.

    >>> row = {"a": [{"b": 1}, {"b": 2}], "c": None}
    >>> look_up("x | a.*.b", row), look_up("a.-1.b + =z", row), look_up("c", row)
    ([1, 2], [2, 'z'], None)
    """
    for alternative in expression.split(" | "):
        terms = [_term(term.strip(), row) for term in alternative.split(" + ")]
        if all(value is MISSING for value in terms):
            continue
        if len(terms) == 1:
            return terms[0]
        found: list[Any] = []
        for value in terms:
            found += value if isinstance(value, list) else [None if value is MISSING else value]
        return found
    return MISSING


def _term(term: str, row: Mapping[str, Any]) -> Any:
    if term.startswith("="):
        return term[1:]
    # A field's own name may hold a dot.
    return row[term] if term in row else _walk(row, term.split(".") if term else [""])


def _walk(value: Any, steps: Sequence[str]) -> Any:
    for place, step in enumerate(steps):
        if step == "*":
            if not isinstance(value, list):
                return MISSING
            found = [_walk(item, steps[place + 1 :]) for item in value]
            if found and all(item is MISSING for item in found):
                return MISSING
            return [None if item is MISSING else item for item in found]
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and re.fullmatch(r"-?\d+", step):
            if not -len(value) <= int(step) < len(value):
                return MISSING
            value = value[int(step)]
        else:
            return MISSING
    return value


def selected(row: Mapping[str, Any], only: Mapping[str, str]) -> bool:
    """Whether a row has the values asked for."""
    return all(str(look_up(path, row)) == value for path, value in only.items())


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
    texts = [_text(value, where) for value in ([solutions] if alone else solutions)]
    shared: list[str] = []

    def column(name: str) -> list[Any]:
        values, is_shared = _column(getattr(fields, name), row, len(texts), alone, name, where)
        if is_shared:
            shared.append(name)
        return values

    columns = {name: column(name) for name in _COLUMNS}
    candidates = []
    for i, theirs in enumerate(texts):
        mode, text = _mode(columns["modes"][i], theirs, problem.options, where)
        # Of a text that is written anew the places are not known.
        values = {} if text != theirs else _values(columns["values"][i], text, where)
        if fields.steps and text == theirs:
            values = {**_step_values(columns["scores"][i], text, fields.steps), **values}
        last = {n: _number(own.values, aggregate, "values", where) for n, own in values.items()}
        candidates.append(
            Imported(
                mode=mode,
                text=text,
                sample=_sample(columns["samples"][i], where),
                # As the names of parts can hold it.
                origin=re.sub(r"[^\w-]+", "-", _word(columns["origins"][i]), flags=re.ASCII),
                tokens=_tokens(columns["tokens"][i], "tokens", where),
                prompt_tokens=_tokens(columns["prompt_tokens"][i], "prompt_tokens", where),
                token_ids=_token_ids(columns["token_ids"][i], where),
                logprob=_number(columns["logprobs"][i], "sum", "logprobs", where),
                stop=_word(columns["stops"][i]),
                answer=_answer(columns["answers"][i], fields.no_answer),
                label=_label(columns["labels"][i], where),
                scores={**last, **_scores(columns["scores"][i], aggregate, where)},
                values=values,
            )
        )
    return Row(problem, candidates, alone, tuple(shared))


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
        found = re.search(pattern, text)
    except re.error as error:
        raise UserError(f"fields.reference_pattern: not a regular expression ({error})") from error
    if found is None:
        return text
    return (found.group(1) if found.re.groups else found.group(0)).strip()


def _text(value: Any, where: str) -> str:
    if value is None:  # a request that failed: a candidate without an answer
        return ""
    if not isinstance(value, str):
        raise UserError(f"{where}: expected texts in 'solutions', found {value!r:.60}")
    return value


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


def _sample(value: Any, where: str) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not 0 <= value < _LARGEST:
        raise UserError(
            f"{where}: expected numbers from 0 to {_LARGEST - 1} in 'samples', found {value!r:.60}"
        )
    return value


def _word(value: Any) -> str:
    return "" if value is None else str(value)


def _token_ids(value: Any, where: str) -> list[int]:
    ids = [] if value is None else value
    if not isinstance(ids, list) or not all(
        type(each) is int and -_LARGEST <= each <= _LARGEST for each in ids
    ):
        raise UserError(
            f"{where}: expected lists of integers of 32 bits in 'token_ids', found {value!r:.60}"
        )
    return ids


def _tokens(value: Any, name: str, where: str) -> int:
    if isinstance(value, list):
        return len(value)
    number = _number(value, "sum", name, where)
    if number > _LARGEST:
        raise UserError(f"{where}: expected at most {_LARGEST} in {name!r}, found {value!r:.60}")
    return -1 if math.isnan(number) or number < 0 else int(number)


def _answer(value: Any, no_answer: Sequence[str]) -> str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    text = str(value).strip()
    return None if not text or text in no_answer else text


def _label(value: Any, where: str) -> bool | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if value not in (0, 1):  # True and 1.0 are equal to 1
        raise UserError(f"{where}: expected true, false or null in 'labels', found {value!r:.60}")
    return bool(value)


def _scores(value: Any, aggregate: str, where: str) -> dict[str, float]:
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return {
            str(name): _number(each, aggregate, "scores", where) for name, each in value.items()
        }
    return {"": _number(value, aggregate, "scores", where)}


def _values(value: Any, text: str, where: str) -> dict[str, Values]:
    """Values at places of a text, by name; those that are null are none."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise UserError(
            f"{where}: expected {{values, starts, ends}} in 'values', found {value!r:.60}"
        )
    named = {"": value} if "values" in value else value
    found = {}
    for name, own in named.items():
        if own is None or (isinstance(own, Mapping) and own.get("values") is None):
            continue
        lists = [own.get(part) for part in Values._fields] if isinstance(own, Mapping) else []
        if not _are_values(lists, len(text)):
            raise UserError(
                f"{where}: expected lists of one length in 'values': values (numbers), starts and "
                f"ends (places in the text of {len(text)} characters), found {own!r:.60}"
            )
        found[str(name)] = Values(*cast(Any, lists))
    return found


def _are_values(lists: Sequence[Any], length: int) -> bool:
    """Whether these are values, starts and ends in a text of that length."""
    if not lists or not all(isinstance(each, list) for each in lists):
        return False
    if len({len(each) for each in lists}) != 1:
        return False
    for value, *places in zip(*lists, strict=True):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        if not all(type(place) is int for place in places):
            return False
        if not 0 <= places[0] <= places[1] <= length:
            return False
    return True


def _step_values(value: Any, text: str, separator: str) -> dict[str, Values]:
    """Step scores as values at the steps; none where a solution has another number of steps.

    >>> _step_values([0.5, 0.9], "1 + 1; = 2; ", "; ")
    {'': Values(values=[0.5, 0.9], starts=[0, 7], ends=[5, 10])}
    """
    starts, ends, place = [], [], 0
    for step in text.split(separator):
        if step.strip():
            starts.append(place)
            ends.append(place + len(step))
        place += len(step) + len(separator)
    named = value if isinstance(value, Mapping) else {"": value}
    return {
        str(name): Values(own, starts, ends)
        for name, own in named.items()
        if isinstance(own, list) and len(own) == len(starts) and None not in own
    }


def _number(value: Any, aggregate: str, name: str, where: str) -> float:
    """A number, or those of a list made one: NaN for null, for an empty list and for a null in it.

    >>> _number([0.9, 0.5], "prod", "scores", "f"), _number(3, "last", "scores", "f")
    (0.45, 3.0)
    """
    if value is None:
        return math.nan
    numbers = [math.nan if each is None else each for each in _listed(value)]
    if not all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in numbers):
        raise UserError(f"{where}: expected numbers in {name!r}, found {value!r:.60}")
    if not numbers:
        return math.nan
    try:
        floats = [float(each) for each in cast(list[float], numbers)]
    except OverflowError as error:
        raise UserError(f"{where}: expected numbers in {name!r}, found one above 1e308") from error
    if aggregate == "sum":
        return float(sum(floats))
    if aggregate == "prod":
        return float(math.prod(floats))
    if aggregate == "mean":
        return float(sum(floats) / len(floats))
    if aggregate == "min":
        # `min` would pass over a NaN that does not come first.
        return math.nan if any(map(math.isnan, floats)) else float(min(floats))
    return float(floats[-1])


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
