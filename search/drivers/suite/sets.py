"""The nine evaluation sets of MAmmoTH (Yue et al. 2023, arXiv 2309.05653): what each asks for.

`assay evaluate-suite --show-sets` prints the table. What it says of references comes from the
conventions that the grader uses (`problems/answers/conventions.py`), not from a text beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from assay.problems.answers import CONVENTIONS
from assay.problems.prompts import PromptConfig

__all__ = ["SUITE", "SuiteSet", "sets_table"]


@dataclass(frozen=True)
class SuiteSet:
    """One set: its name in papers, its size there, and how it asks.

    `kind` is "open", "choice" (a letter is the reference) or "mixed" (some problems list choices in
    their text). `references` says what the references look like.
    """

    title: str
    problems: int
    kind: str
    references: str


SUITE: Mapping[str, SuiteSet] = MappingProxyType(
    {
        "gsm8k": SuiteSet("GSM8K", 1319, "open", "whole numbers"),
        "math": SuiteSet("MATH", 5000, "open", "LaTeX"),
        "aqua": SuiteSet("AQuA", 254, "choice", "letters A-E"),
        "numglue": SuiteSet("NumGLUE", 1042, "mixed", "numbers; A or B"),
        "svamp": SuiteSet("SVAMP", 1000, "open", "whole numbers"),
        "mathematics": SuiteSet("Mathematics", 1000, "open", "numbers, lists, -312*u"),
        "simuleq": SuiteSet("SimulEq", 514, "open", "one number"),
        "sat": SuiteSet("SAT", 220, "choice", "letters A-D"),
        "mmlu_mathematics": SuiteSet("MMLU-Math", 974, "choice", "letters A-D"),
    }
)

_PROMPTS = {
    "open": "Q",
    "choice": "Q + choices",
    "mixed": "Q (+ choices)",
}


_LEGEND = (
    "  prompt      Q is the question; choices on a line after it: Answer Choices: (A) … (B) …",
    f"              PoT: and {PromptConfig().pot_suffix.strip()!r}; the whole in prompt.form",
    r"  CoT answer  after the last ####, else in the last \boxed{}, else after 'the answer is';",
    "              with choices also a letter or an option's text at the end",
    "  PoT answer  the last line that the program printed; with choices a letter or an option's",
    "              text",
    "  hybrid      the PoT answer, where there is none the CoT answer; with choices the CoT answer",
    "  metric      accuracy: the answer equals the reference, exactly or in a way that 'also",
    "              right' shows; undecided counts as wrong",
)


def sets_table() -> str:
    """Every set with its size, prompt, references and grading, as lines of at most 110 columns."""
    head = f"  {'set':<17}{'paper':<12}{'problems':>8}  {'prompt':<15}{'references':<24}also right"
    rows = [head, "  " + "─" * 108]
    for name, one in SUITE.items():
        rows.append(
            f"  {name:<17}{one.title:<12}{one.problems:>8}  {_PROMPTS[one.kind]:<15}"
            f"{one.references:<24}{_also_right(name)}".rstrip()
        )
    return "\n".join([*rows, "", *_LEGEND])


def _also_right(name: str) -> str:
    """What a set's convention makes right that does not stand as the reference is written."""
    convention = CONVENTIONS[name]
    examples = []
    if convention.whole:
        examples.append("17.999998 for 18")
    if convention.rounded is not None:
        examples.append("22/13 for 1.69")
    if convention.one_of_two:
        examples.append("15 and 9 for 9")
    if convention.lists:
        examples.append("5, 3 for [3, 5]")
    if convention.options_in_question or SUITE[name].kind == "choice":
        examples.append("option's text")
    return "; ".join(examples)
