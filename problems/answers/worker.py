"""The process that asks math-verify; `assay.problems.answers.mathematics` starts it and kills it.

It reads pairs of LaTeX texts, one JSON list a line, and writes after each a line for each step:
"first" and "second" once these are parsed, then "true", "false", "null" (undecided) or "full" (out
of memory: undecided, and it ends). It sets no alarm: whoever started it watches the clock.

math-verify alone is not believed. "Same" has to hold in both directions and, where both sides can
be evaluated, at random points too; "different" needs a proof: a point, a solution or an element
that only one side has. Everything else is undecided.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from functools import lru_cache
from itertools import pairwise
from typing import Any, TextIO

__all__ = ["main"]

# Address space in bytes: sympy needs about 200 MB.
_MEMORY = 1 << 30
_POINTS = 3
_DIGITS = 40
# Relative: what agrees so far at random points is the same there, what differs more is not.
_SAME = 1e-25
_SAME_WITH_FLOATS = 1e-9
_DIFFERENT = 1e-6


def main() -> None:
    """Answers pairs until its standard input ends."""
    reply = _own_output()
    begin = json.loads(sys.stdin.readline())
    sys.path[:] = begin["path"]
    sys.setrecursionlimit(2000)
    logging.disable(logging.CRITICAL)
    import math_verify  # noqa: F401

    _limit()
    _write(reply, "ready")
    for line in iter(sys.stdin.readline, ""):
        _limit_time(begin["seconds"])
        first, second = json.loads(line)
        try:
            verdict = _verdict(first, second, reply)
        except MemoryError:
            _write(reply, "full")
            return  # a new process starts with a clean heap
        except Exception:  # whatever a library of this size raises on such texts
            verdict = None
        _write(reply, json.dumps(verdict))


def _own_output() -> TextIO:
    """The channel for replies; what libraries print goes nowhere."""
    reply = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    return reply


def _write(reply: TextIO, line: str) -> None:
    reply.write(line + "\n")
    reply.flush()


def _limit() -> None:
    """No large memory, no files, no processes. What a system does not know is left out."""
    try:
        import resource
    except ImportError:
        return
    for name, value in (("AS", _MEMORY), ("FSIZE", 0), ("CORE", 0), ("NPROC", 0)):
        kind = getattr(resource, f"RLIMIT_{name}", None)
        try:
            if kind is not None:
                resource.setrlimit(kind, (value, value))
        except (OSError, ValueError):
            continue


def _limit_time(seconds: float) -> None:
    """Ends this process some time after the deadline, should nobody be left to kill it."""
    try:
        import resource

        limit = int(time.process_time() + seconds) + 2
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    except (ImportError, OSError, ValueError):
        pass


# ---- Verdicts ----


def _verdict(first: str, second: str, reply: TextIO) -> bool | None:
    a = _parsed(first)
    _write(reply, "first")
    b = _parsed(second)
    _write(reply, "second")
    if a is None or b is None:
        return None
    from math_verify import verify

    asked = [
        verify([x], [y], timeout_seconds=None, raise_on_error=True) for x, y in ((a, b), (b, a))
    ]
    if all(asked):
        return True if _confirmed(a, b) else None
    if not any(asked):
        return False if _refuted(a, b) else None
    return None


@lru_cache(maxsize=512)
def _parsed(text: str) -> Any:
    """The sympy object, None where math-verify does not understand the text."""
    from latex2sympy2_extended import NormalizationConfig
    from math_verify import LatexExtractionConfig, parse

    # Nothing is dropped: a unit that goes without a word makes 3 pm of 3.
    plain = NormalizationConfig(
        basic_latex=True, units=False, malformed_operators=True, boxed="none"
    )
    found = parse(
        f"${text}$",
        [LatexExtractionConfig(normalization_config=plain)],
        fallback_mode="no_fallback",
        extraction_mode="first_match",
        parsing_timeout=None,
        raise_on_error=True,
    )
    return found[0] if len(found) == 1 and not isinstance(found[0], str) else None


def _confirmed(a: Any, b: Any) -> bool:
    """False where two expressions that were called the same differ at a random point."""
    gap = _largest_gap(a, b)
    has_floats = any(_atoms(x) for x in (a, b))
    return gap is None or gap < (_SAME_WITH_FLOATS if has_floats else _SAME)


def _atoms(x: Any) -> Any:
    from sympy import Float

    return x.atoms(Float) if hasattr(x, "atoms") else ()


def _largest_gap(a: Any, b: Any) -> float | None:
    """The largest relative difference at random points; None where there are no values."""
    from sympy import Expr

    if not (isinstance(a, Expr) and isinstance(b, Expr)):
        return None
    symbols = sorted(a.free_symbols | b.free_symbols, key=str)
    gaps = []
    for point in range(_POINTS if symbols else 1):
        at = _point(symbols, point)
        x, y = (e.subs(at).doit().evalf(_DIGITS) for e in (a, b))
        if not (x.is_number and y.is_number and x.is_finite and y.is_finite):
            return None
        size = max(abs(x), abs(y))
        gaps.append(float(abs(x - y) / size) if size else 0.0)
    return max(gaps)


def _point(symbols: list[Any], point: int) -> dict[Any, Any]:
    from sympy import Rational

    return {
        symbol: Rational(1009 + 613 * place + 389 * point, 677 + 97 * point)
        for place, symbol in enumerate(symbols)
    }


def _refuted(a: Any, b: Any) -> bool:
    """Whether there is a proof that the two differ."""
    from sympy import Eq, Set

    if isinstance(a, Eq) and isinstance(b, Eq):
        return _has_other_solution(a, b) or _has_other_solution(b, a)
    if isinstance(a, Set) and isinstance(b, Set):
        return _has_other_element(a, b)
    gap = _largest_gap(a, b)
    return gap is not None and gap > _DIFFERENT


def _has_other_solution(a: Any, b: Any) -> bool:
    """Whether some solution of the equation a does not solve b."""
    from sympy import Poly

    left, right = a.lhs - a.rhs, b.lhs - b.rhs
    symbols = sorted(left.free_symbols | right.free_symbols, key=str)
    for symbol in sorted(left.free_symbols, key=str):
        others = _point([s for s in symbols if s != symbol], 0)
        numerator = left.subs(others).together().as_numer_denom()[0]
        if numerator.free_symbols != {symbol} or not numerator.is_polynomial(symbol):
            continue
        for root in Poly(numerator, symbol).nroots(n=_DIGITS, maxsteps=200):
            at = {**others, symbol: root}
            rest = right.subs(at).evalf(_DIGITS)
            size = sum(abs(term.subs(at).evalf(15)) for term in right.as_ordered_terms())
            if rest.is_number and rest.is_finite and abs(rest) > _DIFFERENT * size:
                return True
    return False


def _has_other_element(a: Any, b: Any) -> bool:
    """Whether an end, a member, or a number between or beyond the ends is in one set only."""
    ends = sorted({float(e) for s in (a, b) for e in _ends(s) if e.is_real and e.is_finite})
    middles = [(x + y) / 2 for x, y in pairwise(ends)]
    beyond = [ends[0] - 1, ends[-1] + 1] if ends else [0.0]
    exact = [e for s in (a, b) for e in _ends(s) if e.is_real and e.is_finite]
    from sympy import Rational

    for number in (*exact, *(Rational(m) for m in (*middles, *beyond))):
        inside = [s.contains(number) for s in (a, b)]
        if all(i in (True, False) for i in map(bool, inside)) and bool(inside[0]) != bool(
            inside[1]
        ):
            return True
    return False


def _ends(s: Any) -> list[Any]:
    from sympy import FiniteSet, Interval, Union

    if isinstance(s, Interval):
        return [s.start, s.end]
    if isinstance(s, FiniteSet):
        return list(s.args)
    if isinstance(s, Union):
        return [end for part in s.args for end in _ends(part)]
    raise TypeError("a set without known ends")


if __name__ == "__main__":
    main()
