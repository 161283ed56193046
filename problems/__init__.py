"""What is asked and what counts as right: problem sets, prompt forms, answers, the calculator.

In: files of problems, texts of solutions, outputs of programs. Out: problems, prompts, answers and
whether they are the same. Never here: a model, or running a program (`assay.sandbox`).
"""

from assay.problems.problem import (
    MODES,
    Mode,
    Problem,
    Solution,
    read_problems,
    write_problems,
)
from assay.problems.prompts import PromptConfig, Prompter
from assay.problems.sets import ProblemsConfig, load_problems

__all__ = [
    "MODES",
    "Mode",
    "Problem",
    "ProblemsConfig",
    "PromptConfig",
    "Prompter",
    "Solution",
    "load_problems",
    "read_problems",
    "write_problems",
]
