"""How each set writes its reference answers: one table, and the few rules that it switches on.

A convention changes labels only, never classes: votes must not know the reference. Where a set is
not in the table, answers are compared as they stand.

    label("2.3333333", "2.33", convention=CONVENTIONS["numglue"])
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

from assay.problems.answers.canonical import canonical
from assay.problems.answers.comparison import same
from assay.problems.answers.forms import Assigned, Canonical, Group, Number
from assay.settings.errors import UserError

__all__ = ["CONVENTIONS", "GENERAL", "Convention", "convention_name", "convention_of"]


@dataclass(frozen=True)
class Convention:
    """How a set writes its reference answers; every rule off: as they stand.

    `ids` is how the ids of the set's problems begin. `whole`: whole numbers; an answer of 6 or more
    decimals within 1e-5 of one is that one (programs that compute in single precision).
    `rounded`: references of at least so many decimals may be rounded; an answer of more precision
    is right where it rounds to the reference. `one_of_two`: where two numbers are asked for, the
    reference holds one of them; an answer of two numbers is right where one is the reference.
    `lists`: brackets say nothing, and spaces separate: "7 1 -1" is a list in this order, "[3, 5]"
    one in any order. `options_in_question`: the choices stand in the question's text.
    """

    ids: str = ""
    whole: bool = False
    rounded: int | None = None
    one_of_two: bool = False
    lists: bool = False
    options_in_question: bool = False


GENERAL = Convention()

CONVENTIONS: Mapping[str, Convention] = MappingProxyType(
    {
        # Whole numbers throughout.
        "gsm8k": Convention("gsm8k-", whole=True),
        "gsm_symbolic": Convention("gsm_symbolic-", whole=True),
        "svamp": Convention("svamp-", whole=True),
        # LaTeX as it stands.
        "math": Convention("math-"),
        # A letter; the problem's options give what the letters stand for.
        "aqua": Convention("aqua-"),
        "sat": Convention("sat-"),
        "mmlu_mathematics": Convention("mmlu-math-"),
        # 1.69 for 22/13, 2.333333333 for 7/3; A or B with the choices in the question.
        "numglue": Convention("numglue-", rounded=2, options_in_question=True),
        # 583.3333; one number also where two are asked.
        "simuleq": Convention("simuleq-", rounded=2, one_of_two=True),
        # Polynomials (-312*u), [3, 5] for prime factors, 7 1 -1 for sorting.
        "mathematics": Convention("mathematics-", lists=True),
    }
)


def convention_name(problem_id: str) -> str:
    """The convention that a problem's id suggests, "" for none: sets keep the name in their ids.

    >>> convention_name("simuleq-007"), convention_name("mine-1")
    ('simuleq', '')
    """
    for name, convention in CONVENTIONS.items():
        if problem_id.startswith(convention.ids):
            return name
    return ""


def convention_of(name: str) -> Convention:
    """The convention of that name (`Problem.convention`); "" and "general" compare as it stands.

    Raises `UserError` where there is none.

    >>> convention_of("simuleq").one_of_two
    True
    """
    if name in ("", "general"):
        return GENERAL
    if name not in CONVENTIONS:
        known = ", ".join(["general", *CONVENTIONS])
        raise UserError(f"convention {name!r}: expected one of {known}")
    return CONVENTIONS[name]


def by_convention(answer: str, reference: str, convention: Convention) -> bool | None:
    """True where the set's way of writing makes an answer right that does not stand as written.

    None where no rule applies; what is compared as it stands decides then.
    """
    said, wanted = map(_without_name, (canonical(answer), canonical(reference)))
    if said is None or wanted is None:
        return None
    if convention.lists:
        verdict = _same_list(answer, reference)
        if verdict is not None:
            return verdict
    if not isinstance(wanted, Number):
        return None
    if isinstance(said, Number):
        if convention.whole and _is_whole(said, wanted):
            return True
        if convention.rounded is not None and _rounds_to(said, reference, convention.rounded):
            return True
    if convention.one_of_two and isinstance(said, Group) and len(said.items) == 2:
        return True if any(_is_wanted(item, wanted) for item in said.items) else None
    return None


def _without_name(form: Canonical | None) -> Canonical | None:
    return form.form if isinstance(form, Assigned) else form


def _is_wanted(item: Canonical, wanted: Number) -> bool:
    form = _without_name(item)  # x = 15, y = 9
    return isinstance(form, Number) and same(form, wanted) is True


_SINGLE = Fraction(1, 10**5)


def _is_whole(said: Number, wanted: Number) -> bool:
    """17.999998 for 18: at least 6 decimals, of which the value itself has kept the count."""
    written = (said.value * 10**5).denominator != 1
    decimal = (said.value * 10**20).denominator == 1
    near = abs(said.value - wanted.value) <= _SINGLE
    return written and decimal and near and wanted.value.denominator == 1


_DECIMALS = re.compile(r"-?\d*\.(\d+)")


def _rounds_to(said: Number, reference: str, least: int) -> bool:
    """Whether an answer of more precision rounds to a reference decimal, a half either way."""
    found = _DECIMALS.fullmatch(reference)
    if found is None or len(found[1]) < least:
        return False
    unit = Fraction(1, 10 ** len(found[1]))
    more = (said.value / unit).denominator != 1
    return more and abs(said.value - Fraction(reference)) <= unit / 2


_SPACED = re.compile(r"-?\d+(?:\.\d+|/\d+)?(?:\s+-?\d+(?:\.\d+|/\d+)?)+")


def _same_list(answer: str, reference: str) -> bool | None:
    """Lists of numbers, by the reference: with spaces in order, in brackets in any order."""
    in_order = _SPACED.fullmatch(reference.strip()) is not None
    wanted, said = _listed(reference), _listed(answer)
    if wanted is None or said is None or (len(wanted) < 2 and not in_order):
        return None
    if len(wanted) != len(said):
        return False
    if not in_order:
        return sorted(wanted) == sorted(said)
    return wanted == said


_OPENING = "([{"


def _listed(text: str) -> list[Fraction] | None:
    stripped = text.strip()
    if _SPACED.fullmatch(stripped):
        return [Fraction(part) for part in stripped.split()]
    # The brackets say nothing, but an unordered group would have lost its order.
    inside = stripped[1:-1] if stripped[:1] in _OPENING and stripped[-1:] in ")]}" else stripped
    forms = [
        _without_name(canonical(part))
        for part in re.split(r",|\band\b|<|>", inside)
        if part.strip()
    ]
    if not all(isinstance(form, Number) for form in forms):
        return None
    return [form.value for form in forms if isinstance(form, Number)]
