"""What OmegaConf and YAML say of a configuration that does not fit, as a line with the way out."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["told", "told_file", "told_word"]

_EXPECTED = {
    "Integer": "a whole number",
    "Float": "a number",
    "Boolean": "true or false",
    "String": "a text",
}
_CONVERTED = re.compile(r"Value '(.*)' of type '.*' could not be converted to (\w+)")
_NONE = re.compile(r"(Incompatible value 'None'|Non optional field)")
_WIDTH = 80


def told(error: Exception) -> str:
    """An error of OmegaConf: the key, what was expected, and how to write what was meant."""
    key = getattr(error, "full_key", None) or "configuration"
    reason = str(error).splitlines()[0]
    if found := _CONVERTED.search(reason):
        return f"{key}={_short(found[1])}: expected {_EXPECTED.get(found[2], found[2])}"
    if _NONE.search(reason):
        return f"{key}: expected a value, found none (null)"
    if "interpolation" in type(error).__name__.lower() or "interpolation" in reason.lower():
        return (
            f"{key}: ${{…}} stands for another key ({_short(reason)}); a text that holds it is "
            "written \\${…}"
        )
    if reason.startswith("Cannot convert"):
        return f"{key}: expected a text ({_short(reason)}); put it in quotes"
    return f"{key}: {reason}"


def told_word(word: str, error: Exception) -> str:
    """An error in a `key=value` word: its value is no YAML."""
    key, _, value = word.partition("=")
    if "${" in value and "interpolation" in str(error).lower():
        return f"{_short(word)}: ${{…}} stands for another key; a text that holds it is \\${{…}}"
    reason = getattr(error, "problem", None) or str(error).splitlines()[0]
    return (
        f"{_short(word)}: the value is not readable ({_short(str(reason))}); close brackets and "
        f"quotes, and quote the whole word for the shell: '{_short(key)}={{a: 1, b: 2}}'"
    )


def told_file(path: Path, error: Exception) -> str:
    """An error in a YAML file, with its line."""
    problem = getattr(error, "problem", None)
    mark = getattr(error, "problem_mark", None)
    if not problem or mark is None:
        return f"{path}: not readable YAML ({' '.join(str(error).split())})"
    line = f"line {mark.line + 1}, column {mark.column + 1}"
    return f"{path}: not readable YAML ({line}: {problem}{_way_out(problem)})"


def _way_out(problem: str) -> str:
    """What usually is meant where YAML stumbles so."""
    if "\\t" in problem or "tab" in problem:
        return "; indent by spaces, not by tabs"
    if "mapping values are not allowed" in problem:
        return "; a text with a colon needs quotes, and keys of one level the same indentation"
    if "expected ',' or" in problem or "expected <block end>" in problem:
        return "; a bracket may not be closed, or a line not be indented as its neighbours"
    return ""


def _short(text: str) -> str:
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"
