r"""Answers: what a candidate claims, whether two claims are the same, and which vote together.

Numbers are compared as exact fractions, expressions by their values at a few points, everything
else as normalised text; what is left goes to math-verify, in processes of its own. A false "equal"
is label noise for the verifier and a false "different" splits a vote, so what is not understood is
undecided (None) rather than guessed.

>>> extract("So she makes 9 * 2 = <<9*2=18>>18 dollars.\n#### 18")
Extracted(answer='18', source='hash')
>>> equivalent("$18", "17.999999999999996"), equivalent("12345", "12346")
(True, False)
>>> classes(["1/2", None, "0.5", "50"])
[0, -1, 0, 1]
"""

from assay.problems.answers.choices import options_in
from assay.problems.answers.conventions import (
    CONVENTIONS,
    Convention,
    convention_name,
    convention_of,
)
from assay.problems.answers.equivalence import equivalent, is_answer, label
from assay.problems.answers.extraction.extract import Extracted, extract, extract_output
from assay.problems.answers.extraction.thoughts import Reply, may_think, without_thoughts
from assay.problems.answers.grouping import Judged, classes, judge

__all__ = [
    "CONVENTIONS",
    "Convention",
    "Extracted",
    "Judged",
    "Reply",
    "classes",
    "convention_name",
    "convention_of",
    "equivalent",
    "extract",
    "extract_output",
    "is_answer",
    "judge",
    "label",
    "may_think",
    "options_in",
    "without_thoughts",
]
