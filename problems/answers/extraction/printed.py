r"""The value that a program printed: its last line, or the lines that its last value covers.

What a value means is read by `canonical`; here it is only found, and freed of what would make
program output read otherwise than the same text in words: a list that a program prints is unordered
as `solve` gives it, and numbers side by side are several.

>>> last_value("rows:\n[[1 2]\n [3 4]]\n"), as_written("[3, -2]"), as_written("3.0 -2.0")
('[[1 2] [3 4]]', '3, -2', '3.0, -2.0')
"""

from __future__ import annotations

import re

from assay.problems.answers.brackets import is_one_bracket
from assay.problems.answers.python_forms import is_spaced
from assay.problems.answers.tidying import MAX_LENGTH

__all__ = ["as_written", "is_no_answer", "last_value"]

# Lines of a value at most: a matrix of more is no answer.
_MAX_LINES = 64
_NOTHING = re.compile(r"[-+]?(?:none|null|nan|inf|zoo|n/a|)", re.IGNORECASE)
_APART = re.compile(r"[\s,()\[\]]+")
_SPACED = re.compile(r"-?\d+(?:\.\d*)?(?: +-?\d+(?:\.\d*)?)+")
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_DICT = re.compile(r"\{([A-Za-z]\w*: [^{}:,]+(?:, [A-Za-z]\w*: [^{}:,]+)*)\}")
_EQ = re.compile(r"Eq\(([^(),]+), ([^,]+)\)")


def last_value(output: str) -> str:
    """The last line that is not empty, with those before it where it closes what they opened."""
    lines = output.rstrip().split("\n")
    value = lines[-1].strip()
    if len(value) > MAX_LENGTH or _surplus(value) <= 0:
        return value
    whole = value
    for line in reversed(lines[-_MAX_LINES:-1]):
        whole = f"{line.strip()} {whole}"
        if len(whole) > MAX_LENGTH:
            break
        if _surplus(whole) <= 0:
            return whole
    return value


def _surplus(text: str) -> int:
    """How many more brackets close than open."""
    return sum(map(text.count, ")]}")) - sum(map(text.count, "([{"))


def is_no_answer(value: str) -> bool:
    """Whether a program prints this where it found nothing: None, nan, inf, [None]."""
    return len(value) <= MAX_LENGTH and all(map(_NOTHING.fullmatch, _APART.split(value)))


def as_written(value: str) -> str:
    """A printed value as people write what it means."""
    if len(value) > MAX_LENGTH:
        return value
    # [0, 1) is no list: it stays an interval.
    is_list = value.startswith("[") and value.endswith("]") and is_one_bracket(value)
    flat = is_list and "[" not in value[1:]
    if flat and not is_spaced(value[1:-1].strip()):
        value = _QUOTED.sub(r"\1\2", value[1:-1].strip())
    named = _DICT.fullmatch(value)
    value = named[1].replace(": ", " = ") if named else value
    if _SPACED.fullmatch(value):
        return ", ".join(value.split())
    return _EQ.sub(r"\1 = \2", value)
