r"""What a solution computes, whatever its words: two of one calculation are the same reasoning.

A program is its syntax tree without comments, texts and the names that it chose; solutions in words
are the list of their equations (the "distinct equation lists" of Yuan et al. 2023, arXiv
2308.01825, section 3.3). As there, order counts: 3 + 4 and 4 + 3 are two calculations.

    >>> calculation("pot", "x = 3 + 4\nprint(x)") == calculation("pot", "all = 3 + 4\nprint(all)")
    True
    >>> calculation("cot", "She has 3 + 4 = <<3+4=7>>7.") == calculation("cot", "That is 3+4=7.")
    True
"""

import ast
from collections import Counter
from fractions import Fraction

from assay.problems.annotations import annotations, equations, strip_annotations
from assay.problems.arithmetic import agrees, format_number, parse, render, value_of
from assay.problems.problem import Mode

__all__ = ["calculation", "miscalculates"]


def calculation(mode: Mode, text: str) -> str:
    """The calculation as text, equal for solutions that compute the same in the same steps.

    A program that is not Python, and words without an equation, are their own text without spacing
    (of words also without letter case).
    """
    if mode == "pot":
        return _of_program(text)
    found = [equation for line in text.splitlines() for equation in _of_line(line)]
    return "\n".join(found) or " ".join(text.casefold().split())


def miscalculates(text: str) -> bool:
    """Whether an annotation of the calculator in a solution in words has a false result.

    >>> [miscalculates(text) for text in ("<<48/2=24>>24", "<<48/2=23>>23", "<<half=24>>24")]
    [False, True, False]
    """
    for mark in annotations(text):
        node, result = parse(mark.expression), parse(mark.result)
        value = None if node is None else value_of(node)
        if value is None or result is None:
            continue
        stated = value_of(result)
        if stated is None or stated == value or agrees(value, mark.result):
            continue
        # 10 / 3 = 3.33 is rounded, not false.
        if not _rounded(stated, mark.result, value):
            return True
    return False


def _rounded(stated: Fraction, written: str, value: Fraction) -> bool:
    """Whether a result with decimals is what `value` is cut or rounded to."""
    places = len(written.strip().partition(".")[2])
    return places > 0 and abs(stated - value) < Fraction(1, 10**places)


def _of_line(line: str) -> list[str]:
    """The equations of a line of words, in order, as expression=value."""
    marks = annotations(line)
    if not marks:
        return [
            f"{render(equation.node, compact=True)}={format_number(equation.value)}"
            for equation in equations(strip_annotations(line))
        ]
    found = []
    for mark in marks:
        node = parse(mark.expression)
        left = mark.expression.replace(" ", "") if node is None else render(node, compact=True)
        result = parse(mark.result)
        value = None if result is None else value_of(result)
        found.append(f"{left}={mark.result.strip() if value is None else format_number(value)}")
    return found


def _of_program(text: str) -> str:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "\n".join(line.strip() for line in text.splitlines() if line.strip())
    _substitute(tree)
    tree = ast.fix_missing_locations(_Bare(_chosen_names(tree)).visit(tree))
    return ast.unparse(tree)


def _substitute(tree: ast.Module) -> None:
    """Puts numbers in the place of names that are given one, once, and drops those assignments.

    Programs that name their numbers first (apples = 12) then compute what others do at once.
    """
    stored = Counter(
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    )
    scoped = any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda)
        for node in ast.walk(tree)
    )
    if scoped:
        # A parameter may bear the name of a number outside.
        return
    numbers: dict[str, ast.expr] = {}
    kept: list[ast.stmt] = []
    for statement in tree.body:
        target = _number_of(statement)
        if target is not None and stored[target[0]] == 1:
            numbers[target[0]] = target[1]
        else:
            kept.append(statement)
    tree.body = kept
    _Substituted(numbers).visit(tree)


def _number_of(statement: ast.stmt) -> tuple[str, ast.expr] | None:
    """Name and number of `name = number`."""
    if isinstance(statement, ast.AnnAssign):
        targets, value = [statement.target], statement.value
    elif isinstance(statement, ast.Assign):
        targets, value = statement.targets, statement.value  # type: ignore[assignment]
    else:
        return None
    inner = value.operand if isinstance(value, ast.UnaryOp) else value
    is_number = isinstance(inner, ast.Constant) and type(inner.value) in (int, float)
    if len(targets) != 1 or not isinstance(targets[0], ast.Name) or not is_number:
        return None
    assert value is not None
    return targets[0].id, value


class _Substituted(ast.NodeTransformer):
    def __init__(self, numbers: dict[str, ast.expr]) -> None:
        self._numbers = numbers

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if isinstance(node.ctx, ast.Load):
            return self._numbers.get(node.id, node)
        return node


def _chosen_names(tree: ast.AST) -> dict[str, str]:
    """The names that a program chose itself -> v1, v2, … in the order of the text."""
    found: list[tuple[int, int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.append((node.lineno, node.col_offset, node.id))
        elif isinstance(node, ast.arg):
            found.append((node.lineno, node.col_offset, node.arg))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.append((node.lineno, node.col_offset, node.name))
    names = dict.fromkeys(name for _, _, name in sorted(found))
    return {name: f"v{number}" for number, name in enumerate(names, start=1)}


class _Bare(ast.NodeTransformer):
    """Drops docstrings, type hints and texts that are printed; renames; writes 2.0 as 2."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Name(self._names.get(node.id, node.id), node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(self._names.get(node.arg, node.arg))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        node.name, node.returns = self._names.get(node.name, node.name), None
        self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt | None:
        if node.value is None:
            return None
        return self.visit(ast.Assign([node.target], node.value, lineno=node.lineno))  # type: ignore[no-any-return]

    def visit_Expr(self, node: ast.Expr) -> ast.stmt | None:
        if isinstance(node.value, ast.Constant):
            return None
        self.generic_visit(node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if isinstance(node.func, ast.Name) and node.func.id == "print":
            node.args = [part for argument in node.args for part in _printed(argument)]
            node.keywords = []
        self.generic_visit(node)
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        whole = isinstance(node.value, float) and node.value.is_integer()
        return ast.Constant(int(node.value)) if whole else node  # type: ignore[arg-type]


def _printed(argument: ast.expr) -> list[ast.expr]:
    """The values among what is printed."""
    if isinstance(argument, ast.JoinedStr):
        return [part.value for part in argument.values if isinstance(part, ast.FormattedValue)]
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        return []
    return [argument]
