"""What is asked and what counts as right: problem sets, prompt forms, answers, the calculator."""

from problems.problem import (
    MODES,
    Mode,
    Problem,
    Solution,
    read_problems,
    write_problems,
)
from problems.prompts import PromptConfig, Prompter
from problems.sets import ProblemsConfig, load_problems
from settings.errors import UserError
from storage.jsonl import read_jsonl

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
