r"""From a worked solution to a program: GSM8K's program half without buying it.

Every equation of the solution (its annotations, and true equations in its plain text) becomes an
assignment, a number that equals an earlier result becomes that variable, and the result that is the
answer is printed. A program is kept only where it gives the answer.

>>> print(derive_program("48/2 = <<48/2=24>>24 in May.\n48+24 = <<48+24=72>>72", "72"))
x1 = 48 / 2
x2 = 48 + x1
print(x2)
"""

import re
from dataclasses import dataclass
from fractions import Fraction

from assay.problems.annotations import Annotation, annotations, equations, strip_annotations
from assay.problems.arithmetic import (
    Negation,
    Node,
    Number,
    Operation,
    agrees,
    parse,
    render,
    value_of,
)

__all__ = ["derive_program"]


@dataclass(frozen=True)
class _Step:
    """One assignment: the value of its variable, its right side, and the steps it uses."""

    value: Fraction
    text: str
    uses: frozenset[int]


def derive_program(solution: str, answer: str) -> str | None:
    """A Python program that follows the solution and prints the answer, or None.

    The printed variable is the last one whose value is the answer; what it does not depend on is
    dropped. None where no equation gives the answer (then the solution does not show how it
    comes about).
    """
    target = answer.replace(",", "").strip()
    steps: list[_Step] = []
    for node in _nodes(solution):
        step = _step(node, steps)
        if step is not None:
            steps.append(step)
    found = [i for i, step in enumerate(steps) if agrees(step.value, target)]
    return _program(steps, found[-1]) if found else None


def _nodes(solution: str) -> list[Node]:
    """The left sides of the solution's equations, in order."""
    nodes: list[Node] = []
    for line in solution.splitlines():
        # Plain-text equations first; an annotation at the same place takes precedence. By place:
        # the number that the annotation stands before, in the line without annotations.
        found = {
            equation.position: equation.node for equation in equations(strip_annotations(line))
        }
        removed = 0
        for mark in annotations(line):
            node = _true_operation(mark)
            if node is not None:
                found[mark.start - removed] = node
            removed += mark.end - mark.start
        nodes += [found[position] for position in sorted(found)]
    return nodes


def _true_operation(mark: Annotation) -> Node | None:
    """The expression of an annotation that computes something, and rightly."""
    node, result = parse(mark.expression), parse(mark.result)
    if node is None or result is None or isinstance(node, Number):
        return None
    value = value_of(node)
    return node if value is not None and value == value_of(result) else None


def _step(node: Node, earlier: list[_Step]) -> _Step | None:
    """The assignment of `node`, with earlier results as variables ({0}, {1}, … in its text)."""
    value = value_of(node)
    if value is None:
        return None
    uses: set[int] = set()

    def name(number: Number) -> str:
        if not number.fixed:
            for index in range(len(earlier) - 1, -1, -1):
                if earlier[index].value == number.value:
                    uses.add(index)
                    return f"{{{index}}}"
        return number.text

    text = render(_join_signs(node), number=name)
    return _Step(value, text, frozenset(uses))


def _join_signs(node: Node) -> Node:
    """-5 as one number, so that it can be an earlier result."""
    if isinstance(node, Negation) and isinstance(node.operand, Number):
        return Number(-node.operand.value, f"-{node.operand.text}")
    if isinstance(node, Negation):
        return Negation(_join_signs(node.operand))
    if isinstance(node, Operation):
        return Operation(node.sign, _join_signs(node.left), _join_signs(node.right))
    return node


def _program(steps: list[_Step], last: int) -> str:
    needed = {last}
    for index in range(last, -1, -1):
        if index in needed:
            needed |= steps[index].uses
    names = {index: f"x{number}" for number, index in enumerate(sorted(needed), start=1)}
    lines = []
    for index in sorted(needed):
        right = re.sub(r"\{(\d+)\}", lambda m: names[int(m[1])], steps[index].text)
        lines.append(f"{names[index]} = {right}")
    return "\n".join([*lines, f"print({names[last]})"])
