"""What rules and modes are called, and which rules need scores."""

from __future__ import annotations

from assay.selection.curves import Mix
from assay.selection.subsets import Vote

__all__ = [
    "ALWAYS",
    "MIX_LABELS",
    "MODE_WORDS",
    "ON_REQUEST",
    "RULE_LABELS",
    "SCORED_RULES",
    "count",
    "rule_label",
]

RULE_LABELS = {
    "single": "single sample",
    "hybrid": "hybrid, PoT else CoT",
    "shortest": "shortest",
    "logprob": "log-probability",
    "min_logprob": "lowest log-prob.",
    "self_certainty": "self-certainty",
    "token_confidence": "token confidence",
    "lowest_confidence": "lowest-group conf.",
    "bottom_confidence": "lowest-tenth conf.",
    "tail_confidence": "tail confidence",
    "entropy": "entropy",
    "margin": "margin",
    "majority": "majority vote",
    "best_of_n": "best-of-n",
    "weighted": "weighted vote",
    "top_k": "top-k vote",
    "weighted_top_k": "weighted top-k vote",
    "pass": "pass@n (ceiling)",
}

SCORED_RULES = ("best_of_n", "weighted", "top_k", "weighted_top_k")

ALWAYS = ("single", "majority", "pass")  # what the others are compared with

# Kept out of curves and figures unless they were asked for by name: six lines are enough to read.
ON_REQUEST = ("shortest", "weighted_top_k")

MIX_LABELS: dict[Mix, str] = {"cot": "CoT only", "pot": "PoT only", "both": "both"}

MODE_WORDS = {"cot": "CoT", "pot": "PoT"}


def rule_label(rule: str, n: int | None = None, k: int | str = 0) -> str:
    """The rule's name for people: `top-k vote`, or at a known n `top-3 vote`.

    With `k` "auto" it has no one number of voters, and keeps its letter.
    """
    if n is not None and k != "auto" and rule in ("top_k", "weighted_top_k"):
        return RULE_LABELS[rule].replace("top-k", f"top-{Vote(k=int(k)).voters(n)}")
    if n is not None and rule == "pass":
        return f"pass@{n} (ceiling)"
    return RULE_LABELS[rule]


def count(number: int, noun: str) -> str:
    """`1 problem`, `1,319 problems`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
