"""A story: a question, and the program that answers it.

A step of a program is an arithmetic expression of numbers, earlier results and the variables'
names. Families build stories with `Steps`, which hands out names as results come:

    steps = Steps()
    cost = steps.add("cost", f"3 * {price}")
    steps.add("change", f"20 - {cost}")
    Story(question, steps.done())
"""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["Family", "Steps", "Story", "evaluate", "program", "result"]

_OPERATORS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.FloorDiv: lambda a, b: Fraction(a // b),
    ast.Mod: lambda a, b: a % b,
}


@dataclass(frozen=True)
class Step:
    """An assignment: a name that says what the value means, and an expression."""

    name: str
    expr: str


@dataclass(frozen=True)
class Story:
    """A question with the steps to its answer; the last step's value is the answer."""

    question: str
    steps: tuple[Step, ...]


Family = Callable[[random.Random], Story]


class Steps:
    """Collects steps and keeps their names apart. `value` tells what an expression comes to."""

    def __init__(self) -> None:
        self._steps: list[Step] = []
        self._values: dict[str, Fraction] = {}

    def add(self, name: str, expr: str) -> str:
        """Appends a step; returns the name by which later expressions may use it."""
        count, unique = 2, name
        while unique in self._values:
            unique, count = f"{name}_{count}", count + 1
        self._values[unique] = evaluate(expr, self._values)
        self._steps.append(Step(unique, expr))
        return unique

    def value(self, expr: str) -> Fraction:
        """What an expression of names and numbers comes to."""
        return evaluate(expr, self._values)

    def done(self) -> tuple[Step, ...]:
        """All steps."""
        return tuple(self._steps)


def evaluate(expr: str, names: Mapping[str, Fraction] | None = None) -> Fraction:
    """The exact value of an expression of numbers, names, + - * / // % and parentheses.

    Raises `ValueError` for anything else, and `ZeroDivisionError`.
    """
    known = names or {}

    def walk(node: ast.expr) -> Fraction:
        match node:
            case ast.Constant(value=int() | float()):
                return Fraction(str(node.value))
            case ast.Name(id=name) if name in known:
                return known[name]
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return -walk(inner)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](walk(left), walk(right))
        raise ValueError(f"not plain arithmetic: {expr!r}")

    try:
        return walk(ast.parse(expr.strip(), mode="eval").body)
    except SyntaxError as error:
        raise ValueError(f"not plain arithmetic: {expr!r}") from error


def result(story: Story) -> Fraction:
    """The story's answer. Raises `ValueError` where a step is below zero or does not end."""
    values: dict[str, Fraction] = {}
    for step in story.steps:
        values[step.name] = value = evaluate(step.expr, values)
        if value < 0 or value > 10_000_000:
            raise ValueError(f"{step.expr} = {value}: out of range")
    if (value * 100).denominator != 1:
        raise ValueError(f"{value}: more than two decimals")
    return value


def program(story: Story, named: bool) -> str:
    """The program: variables by their meaning (`named`), or x1, x2, … as derived programs have."""
    names = {step.name: f"x{i}" for i, step in enumerate(story.steps, start=1)}

    def spell(text: str) -> str:
        if named:
            return text
        return re.sub(r"[a-z_][a-z_0-9]*", lambda m: names[m[0]], text)

    lines = [f"{spell(step.name)} = {spell(step.expr)}" for step in story.steps]
    return "\n".join([*lines, f"print({spell(story.steps[-1].name)})"])
