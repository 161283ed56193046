"""What is asked and what counts as right: problem sets, prompt forms, answers, the calculator."""

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
from assay.settings.errors import UserError
from assay.storage.jsonl import read_jsonl

__all__ = [
    "MODES",
    "Mode",
    "Problem",
    "ProblemsConfig",
    "PromptConfig",
    "Prompter",
    "Solution",
    "UserError",
    "load_problems",
    "read_jsonl",
    "read_problems",
    "write_problems",
]
