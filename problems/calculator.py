"""The calculator: safe evaluation, `<<48/2=24>>` annotations, programs derived from solutions.

One place to import from; the parts are `arithmetic` (parser, exact values), `annotations` (finding,
stripping, adding, completing) and `derivation` (solution to program).
"""

from assay.problems.annotations import (
    Annotation,
    annotate,
    annotations,
    continue_with,
    strip_annotations,
)
from assay.problems.arithmetic import evaluate, format_number
from assay.problems.derivation import derive_program

__all__ = [
    "Annotation",
    "annotate",
    "annotations",
    "continue_with",
    "derive_program",
    "evaluate",
    "format_number",
    "strip_annotations",
]
