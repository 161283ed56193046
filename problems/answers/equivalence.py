r"""Whether two answers are the same, and a candidate's label.

What the exact comparison (`comparison`) does not decide, and looks like mathematics, goes to
math-verify (`mathematics`), in processes of its own and with a deadline.
"""

from __future__ import annotations

from collections.abc import Sequence

from assay.problems.answers.canonical import canonical
from assay.problems.answers.choices import option_letter, same_choice
from assay.problems.answers.comparison import same
from assay.problems.answers.conventions import GENERAL, Convention, by_convention
from assay.problems.answers.extraction.boxes import split_boxes
from assay.problems.answers.forms import Assigned, Canonical, Equation, Group, Text
from assay.problems.answers.mathematics import decide, worth_asking
from assay.problems.answers.tidying import tidy

__all__ = ["equivalent", "is_answer", "is_open", "label", "settle"]


def equivalent(
    a: str, b: str, options: Sequence[str] = (), *, mathematics: bool = True
) -> bool | None:
    """Whether two answers are the same; None where that is undecided. Symmetric.

    With `options` (multiple choice), a letter and the text of its option are the same answer.
    What is no answer (empty, nan, …) equals nothing. Without `mathematics`, math-verify is not
    asked.
    """
    if options:
        return same_choice(a, b, tuple(options))
    first, second = canonical(a), canonical(b)
    if first is None or second is None:
        return False
    verdict = same(first, second)
    if verdict is None and mathematics and is_open(first, second):
        return settle(a, b)
    return verdict


def label(
    answer: str | None,
    reference: str | None,
    options: Sequence[str] = (),
    *,
    convention: Convention = GENERAL,
    mathematics: bool = True,
) -> bool | None:
    """A candidate's label: whether its answer is the reference.

    False without an answer; None (no label) where equivalence is undecided or the reference is no
    answer (`is_answer`). `convention` is how the reference's set writes its answers
    (`conventions`). An answer of several boxes is not false where the reference is one of them, or
    several: the others may be steps on the way.
    """
    if reference is None or not is_answer(reference, options):
        return None
    if answer is None:
        return False
    if not options and convention is not GENERAL:
        verdict = by_convention(answer, reference, convention)
        if verdict is not None:
            return verdict
    verdict = equivalent(answer, reference, options, mathematics=mathematics)
    boxes = split_boxes(answer) if verdict is False else ()
    if boxes and _is_among(boxes, reference, options, convention):
        return None
    return verdict


def _is_among(
    boxes: Sequence[str], reference: str, options: Sequence[str], convention: Convention
) -> bool:
    """Whether the reference, or each of its members, may be one of these boxes."""
    for box in boxes:
        # What only mathematics could tell apart may be the same.
        verdict = label(box, reference, options, convention=convention, mathematics=False)
        if verdict is not False:
            return True
    wanted = canonical(reference)
    if not isinstance(wanted, Group):
        return False
    forms = [canonical(box) for box in boxes]
    return all(
        any(form is not None and same(form, item) is not False for form in forms)
        for item in wanted.items
    )


def is_answer(reference: str | None, options: Sequence[str] = ()) -> bool:
    r"""Whether a reference says anything that a candidate could be right about.

    Not so None, NaN, N/A, null and nothing at all, which tables hold where a value is missing;
    `\text{None}` is an answer, and so is an option that says None.

    >>> is_answer("NaN"), is_answer(""), is_answer("True"), is_answer(r"\text{None}")
    (False, False, True, True)
    """
    if reference is None:
        return False
    return canonical(reference) is not None or (
        bool(options) and option_letter(reference, tuple(options)) is not None
    )


def is_open(a: Canonical, b: Canonical) -> bool:
    """Whether two forms are undecided for want of mathematics, not of a convention.

    50% against 0.5%, 5 cm against 5 m, {1,2} against (1,2) are questions that no computation
    answers; nor is what has two readings (1/2x) put to a machine that knows only one of them.
    """
    return any(map(_is_unsolved, (a, b))) and not any(map(_is_closed, (a, b)))


def _is_unsolved(form: Canonical) -> bool:
    if isinstance(form, Assigned):
        return _is_unsolved(form.form)
    if isinstance(form, Group):
        return any(map(_is_unsolved, form.items))
    return isinstance(form, Equation) or (isinstance(form, Text) and not form.words)


def _is_closed(form: Canonical) -> bool:
    if isinstance(form, Assigned):
        return _is_closed(form.form)
    if isinstance(form, Group):
        return any(map(_is_closed, form.items))
    return isinstance(form, Text) and (form.words or form.ambiguous)


def settle(a: str, b: str) -> bool | None:
    """What math-verify says of two answers that the exact comparison left open."""
    first, second = tidy(a), tidy(b)
    return decide(first, second) if worth_asking(first, second) else None
