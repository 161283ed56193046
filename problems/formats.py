"""From raw rows to problems: the formats of GSM8K, MATH and MathInstruct, others by a mapping."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from assay.problems.answers.extraction.boxes import boxes_standing
from assay.problems.calculator import derive_program
from assay.problems.mathinstruct import source_of
from assay.problems.problem import Problem, Solution
from assay.problems.rows import Row
from assay.settings.errors import UserError

__all__ = ["gsm8k_problem", "mapped_problem", "math_problem", "mathinstruct_problem"]

_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")

# The request for a program that ends MathInstruct's PoT instructions; ours is added by the prompt.
_PROGRAM_REQUEST = re.compile(
    r"\s*(?:Let's write a (?:Python )?program(?: to solve it)?"
    r"|Let's program in Python in the response"
    r"|Please write a program to solve it)[.!]?\s*$",
    re.IGNORECASE,
)

_MAPPED_FIELDS = ("id", "question", "answer", "options", "solution", "answer_pattern")


def gsm8k_problem(row: Row, identity: str, where: str) -> Problem:
    """A row of GSM8K (Cobbe et al. 2021): `answer` is the worked solution, ending in `#### N`.

    The annotations of the worked solution are kept; a program is derived where it can be
    (METHOD: every `<<expression=value>>` an assignment). An `answer` without `####` is taken as the
    bare answer, and then the row's own id is kept.
    """
    question, answer = _text(row, "question", where), _text(row, "answer", where)
    worked, mark, final = answer.rpartition("####")
    if not mark:
        return Problem(id=str(row.get("id", identity)), question=question, answer=_number(answer))
    final = _number(final)
    if not final:
        raise UserError(f"{where}: expected a number after '####' in 'answer'")
    solutions = [Solution("cot", answer)]
    program = derive_program(worked, final)
    if program is not None:
        solutions.append(Solution("pot", program))
    return Problem(id=identity, question=question, answer=final, solutions=tuple(solutions))


def math_problem(row: Row, identity: str, where: str) -> Problem:
    r"""A row of MATH (Hendrycks et al. 2021, arXiv 2103.03874): `problem` and worked `solution`.

    The reference answer is what stands in the solution's `\boxed{}`, or `answer` where a copy of
    the set has it (MATH-500 does). `question` may stand for `problem`, and a row's own id is kept.
    """
    question = _text(row, "problem" if "problem" in row else "question", where)
    worked = row.get("solution")
    answer = _scalar(row.get("answer"), "answer", where)
    if answer is None and isinstance(worked, str):
        answer = ", ".join(boxes_standing(worked).contents) or None
    own = row.get("id", row.get("unique_id"))
    return Problem(
        id=identity if own is None else str(own),
        question=question,
        answer=answer,
        solutions=(Solution("cot", worked),) if isinstance(worked, str) and worked.strip() else (),
        convention="math",
    )


def mathinstruct_problem(row: Row, identity: str, where: str) -> Problem:
    """A row of MathInstruct (Yue et al. 2023): its one solution, the mode told by `source`.

    It has no separate answer. The request that ends a PoT instruction ("Let's write a program.")
    is removed, as the prompt adds its own.
    """
    source, question = _text(row, "source", where), _text(row, "instruction", where)
    output, name = _text(row, "output", where), source_of(source)
    if name.startswith("PoT/"):
        bare = _PROGRAM_REQUEST.sub("", question) or question
        return Problem(identity, bare, solutions=(Solution("pot", output),), source=name)
    if name.startswith("CoT/"):
        return Problem(identity, question, solutions=(Solution("cot", output),), source=name)
    raise UserError(f"{where}: expected /CoT/ or /PoT/ in 'source', found {source!r}")


def mapped_problem(row: Row, identity: str, where: str, fields: Mapping[str, str]) -> Problem:
    """A row of any set, by `fields`: our field (id, question, answer, options, solution) -> theirs.

    Fields that are not mapped are looked for under our own names; only the question must be there,
    and whatever is mapped. Options are a list of texts, or a mapping of letters to texts.
    `answer_pattern` is a regular expression: the answer is its first group in their answer.
    """
    unknown = sorted(set(fields) - set(_MAPPED_FIELDS))
    if unknown:
        raise UserError(
            f"problems.fields.{unknown[0]}: expected one of {', '.join(_MAPPED_FIELDS)}"
        )
    values = {ours: _mapped(row, ours, fields, where) for ours in _MAPPED_FIELDS[:-1]}
    answer = _scalar(values["answer"], "answer", where)
    if answer is not None and fields.get("answer_pattern"):
        answer = _search(fields["answer_pattern"], answer, where)
    record = {
        "id": identity if values["id"] is None else str(values["id"]),
        "question": values["question"],
        "answer": answer,
        "options": _options(values["options"], where),
        "solutions": row.get("solutions") if values["solution"] is None else None,
        "convention": row.get("convention"),
    }
    if values["solution"] is not None:
        record["solutions"] = [{"mode": "cot", "text": str(values["solution"])}]
    return Problem.from_dict(record, where)


def _text(row: Row, name: str, where: str) -> str:
    value = row.get(name)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{where}: expected a text in {name!r}; found the fields {_names(row)}")
    return value


def _names(row: Row) -> str:
    return ", ".join(sorted(map(str, row))) or "(none)"


def _number(text: str) -> str:
    return _THOUSANDS.sub("", text.strip())


def _mapped(row: Row, ours: str, fields: Mapping[str, str], where: str) -> Any:
    theirs = fields.get(ours, ours)
    if theirs in row:
        return row[theirs]
    if ours in fields or ours == "question":
        raise UserError(
            f"{where}: no field {theirs!r} for {ours!r}; found {_names(row)} "
            f"(problems.fields.{ours} names it)"
        )
    return None


def _scalar(value: Any, name: str, where: str) -> str | None:
    if value is None:
        return None
    # Some sets wrap the one answer in a list.
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise UserError(f"{where}: expected a text or a number in {name!r}, found {value!r:.60}")
    return str(value)


def _search(pattern: str, text: str, where: str) -> str:
    try:
        found = re.search(pattern, text)
    except re.error as error:
        raise UserError(
            f"problems.fields.answer_pattern: not a regular expression ({error})"
        ) from error
    if found is None:
        raise UserError(f"{where}: problems.fields.answer_pattern matches nothing in the answer")
    return (found.group(1) if found.re.groups else found.group(0)).strip()


def _options(value: Any, where: str) -> list[str]:
    """Options from a list of texts, a mapping of letters to texts, or ARC's {"text": [...]}."""
    if value is None:
        return []
    if isinstance(value, Mapping):
        value = value.get("text") or [value[letter] for letter in sorted(value)]
    if not isinstance(value, (list, tuple)) or not all(
        isinstance(option, (str, int, float)) for option in value
    ):
        raise UserError(f"{where}: expected a list of texts in 'options'")
    return [str(option) for option in value]
