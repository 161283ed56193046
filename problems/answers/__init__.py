r"""Answers: what a candidate claims, whether two claims are the same, and which vote together.

Numbers are compared as exact fractions; words and mathematics that is not a number, as normalised
text. A false "equal" is label noise for the verifier and a false "different" splits a vote, so
what is not understood is undecided (None) rather than guessed.

>>> extract("So she makes 9 * 2 = <<9*2=18>>18 dollars.\n#### 18")
Extracted(answer='18', source='hash')
>>> equivalent("$18", "17.999999999999996"), equivalent("12345", "12346")
(True, False)
>>> classes(["1/2", None, "0.5", "50"])
[0, -1, 0, 1]
"""

from problems.answers.equivalence import classes, equivalent, label
from problems.answers.extraction import Extracted, extract, extract_output

__all__ = [
    "Extracted",
    "classes",
    "equivalent",
    "extract",
    "extract_output",
    "label",
]
