r"""What surrounds an answer is taken off: white space, $…$, \boxed, \text, **, a final stop.

>>> tidy(r" **$\boxed{\text{18 dollars}}$.**")
'18 dollars'
"""

from __future__ import annotations

import re

__all__ = ["MAX_LENGTH", "tidy", "words"]

# Stands for \$ while $ still means mathematics.
_CURRENCY = "＄"
# Longer texts are no answers, and are left as they are.
MAX_LENGTH = 2000

_CHARACTERS = str.maketrans(
    {
        **{"−": "-", "–": "-", "﹣": "-", "－": "-", "＋": "+", "，": ",", "．": ".", "％": "%"},
        **dict.fromkeys("\n\t\r\u00a0\u2007\u2009\u200a\u202f\u3000", " "),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff", ""),
        **{"π": r"\pi ", "∞": r"\infty ", "½": " 1/2", "¼": " 1/4", "¾": " 3/4"},
        **{"≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "∪": r"\cup ", "∈": r"\in ", "±": r"\pm "},
        **{"²": "^2", "³": "^3", "⁴": "^4"},
    }
)
_WRAPPERS = (
    *(("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"), ("__", "__")),
    *(("`", "`"), ('"', '"'), ("'", "'"), ("“", "”"), ("‘", "’")),
)
_TEXT = r"text|textbf|textit|mathbf|mathrm|mathit|mathsf|mbox|textrm|textnormal|operatorname"
_BOX = r"boxed|fbox|framebox"
_COMMAND_WRAPPER = re.compile(rf"\\(?:{_BOX}|{_TEXT})\s*\{{([^{{}}]*)\}}")
_OUTER_BOX = re.compile(rf"\\(?:{_BOX})\s*\{{(.*)\}}", re.DOTALL)
# Braces inside of braces: \boxed{\frac{1}{2}}, \boxed{\sqrt{\frac{1}{2}}}.
_INNER = r"(?:[^{}]|\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\})*"
_INNER_BOX = re.compile(rf"\\(?:{_BOX})\s*\{{({_INNER})\}}")
# A scalar as repr writes it: np.float64(2.5), Decimal('2.50'), Integer(3), np.True_.
_PYTHON_SCALAR = re.compile(
    r"(?<![\w.])(?:(?:np|numpy|sympy|decimal|mpmath)\.)?"
    r"(?:(?:float|int|uint|complex|bool|longdouble|mpf)\d*_?|Float|Integer|Decimal)"
    r"\(\s*['\"]?([-+\w.]+)['\"]?(?:,\s*(?:precision|prec|dps)?=?\d+)?\s*\)"
)
_PYTHON_BOOLEAN = re.compile(r"\b(?:np|numpy)\.(True|False)_")
_PYTHON_FRACTION = re.compile(r"(?:Fraction|Rational)\((-?\d+), ?(-?\d+)\)")
# "\\ " ends a row of a matrix: its second backslash begins no command.
_LATEX: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\(?:left|right|[bB]igg?[lr]?)(?![a-zA-Z])\.?", ""),
        (r"(?<!\\)\\!", ""),
        (r"\{,\}|(?<=\d)(?<!\\)\\,(?=\d{3})", ","),
        (r"(?<!\\)\\[,;: ]|\\q?quad(?![a-z])|~", " "),
        (r"(?<!\\)\\\$", _CURRENCY),
        (r"(?<!\\)\\([%{}#])", r"\1"),
        (r"\\[dtc]frac", r"\\frac"),
        (r"\\[dt]binom", r"\\binom"),
        (r"\\(?:leq?|leqslant)(?![a-z])", r"\\le"),
        (r"\\(?:geq?|geqslant)(?![a-z])", r"\\ge"),
        (r"\\neq?(?![a-z])", r"\\ne"),
        (r"\\(?:display|text|script)style(?![a-z])|\\limits(?![a-z])", ""),
        (r"\\lbrace", "{"),
        (r"\\rbrace", "}"),
        (r"\\lbrack", "["),
        (r"\\rbrack", "]"),
        (r"\\(?:lvert|rvert|vert|mid)(?![a-z])", "|"),
        (r"\\langle", "("),
        (r"\\rangle", ")"),
        (r"\\(?:rm|bf|it|mathrm|mathbf|mathit)(?![a-z])(?!\s*\{)", ""),
        (r"\^\s*(?:\\circ(?![a-z])|\{\s*\\circ\s*\})|\\degree(?![a-z])", "°"),
    )
)
_ESCAPED = re.compile(r"\\|\{,\}")


def tidy(answer: str) -> str:
    r"""An answer without what surrounds it.

    >>> tidy(r"$10{,}000\text{ m}$"), tidy(r"\left(\dfrac12,\ 3\right)."), tidy("np.float64(2.5)")
    ('10,000 m', '(\\frac12, 3)', '2.5')
    """
    text = answer.translate(_CHARACTERS).strip()
    if len(text) > MAX_LENGTH:
        return text
    if _ESCAPED.search(text):
        for pattern, replacement in _LATEX:
            text = pattern.sub(replacement, text)
    before = None
    while before != text:
        before = text
        # Not "0.333...", which says more than 0.333.
        text = text.strip()
        text = text if text.endswith("..") else text.rstrip(".,;:").rstrip()
        for left, right in _WRAPPERS:
            inside = text[len(left) : -len(right)]
            if text.startswith(left) and text.endswith(right) and inside and left not in inside:
                text = inside
                break
        if text.count("**") == 1 and (text.startswith("**") or text.endswith("**")):
            text = text.removeprefix("**").removesuffix("**")
        box = _OUTER_BOX.fullmatch(text)
        if box and _balanced(box[1]):
            text = box[1]
        elif box:  # several
            text = _INNER_BOX.sub(r"\1", text)
        text = _COMMAND_WRAPPER.sub(_unwrapped, text) if "\\" in text else text
    if text.count("$") > 1:  # $a$ and $b$
        text = text.replace("$", "")
    text = text.replace(_CURRENCY, "$")
    if "(" in text:
        text = _PYTHON_FRACTION.sub(r"\1/\2", _PYTHON_SCALAR.sub(r"\1", text))
    return _PYTHON_BOOLEAN.sub(r"\1", text) if "_" in text else text


def words(text: str) -> frozenset[str]:
    """The set of the words of a text."""
    return frozenset(text.split())


def _unwrapped(found: re.Match[str]) -> str:
    r"""The content of \text{…}, kept apart from what it touches: 3x\text{cm} is no xcm."""
    content, start = found[1], found.start()
    touches = start > 0 and (found.string[start - 1].isalnum() or found.string[start - 1] == "}")
    content = f" {content}" if touches and content[:1].isalpha() else content
    # 2\text{and}x; but the d of \mathrm{d}x is no word
    runs_on = found.string[found.end() : found.end() + 1].isalnum() and content[-2:].isalpha()
    return f"{content} " if runs_on and len(content) > 1 else content


def _balanced(text: str) -> bool:
    depth = 0
    for character in text:
        depth += (character == "{") - (character == "}")
        if depth < 0:
            return False
    return depth == 0
