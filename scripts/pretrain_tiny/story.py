"""A story of the corpus: a question, the steps that solve it, and the value of a step.

Story("Ann has 3 boxes of 4 pens. How many?", (Step("Ann has {} pens.", "3 * 4"),))
evaluate("3 * 4")          # Fraction(12, 1)
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Step:
    """One line of a solution. `text` holds one `{}` for the equation; `expr` is plain arithmetic,
    its amounts of money marked `$`; `unit` is a noun that may follow each operand of a sum.
    """

    text: str
    expr: str
    unit: str = ""


@dataclass(frozen=True)
class Story:
    """A question with its solution. The last step's result is the answer."""

    question: str
    steps: tuple[Step, ...]


def evaluate(expr: str, names: Mapping[str, Fraction] | None = None) -> Fraction:
    """The exact value of an arithmetic expression of numbers, names, `+ - * /` and parentheses.

    Raises ValueError for anything else, and ZeroDivisionError.
    """

    def walk(node: ast.expr) -> Fraction:
        match node:
            case ast.Constant(value=int() | float()):
                return Fraction(str(node.value))
            case ast.Name(id=name) if names and name in names:
                return names[name]
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return -walk(inner)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return walk(left) + walk(right)
            case ast.BinOp(left=left, op=ast.Sub(), right=right):
                return walk(left) - walk(right)
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return walk(left) * walk(right)
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return walk(left) / walk(right)
        raise ValueError(f"not plain arithmetic: {expr!r}")

    try:
        return walk(ast.parse(expr.strip(), mode="eval").body)
    except SyntaxError as error:
        raise ValueError(f"not plain arithmetic: {expr!r}") from error
