"""What a fork server imports before it forks, so that no program has to wait for it.

There are two kinds. The light one has the standard modules that programs use, starts in some 40 ms
and forks in half a millisecond. The full one adds numpy and sympy, which take a second to import
and make a fork several times dearer, so it is started only when a program needs it.
"""

import contextlib
import importlib
import re
import sys
import time
from typing import Literal

__all__ = ["Tier", "preload", "tier_of"]

Tier = Literal["light", "full"]

_LIGHT = (
    *("bisect", "cmath", "collections", "copy", "datetime", "decimal", "fractions", "functools"),
    *("heapq", "itertools", "json", "math", "numbers", "operator", "random", "re", "statistics"),
    *("string", "typing", "_strptime"),
)
_FULL = ["numpy", "numpy.linalg", "sympy", "sympy.abc", "mpmath"]
_NEEDS_FULL = re.compile(r"\b(?:sympy|numpy|mpmath|scipy|pandas|networkx|matplotlib)\b")

# Much of sympy is imported, cached and registered at first use: after these calls the mean sympy
# program costs a seventh of what it costs after `import sympy` alone.
_WARM_SYMPY = """
from sympy import *
x, y, z, n = symbols("x y z n")
a, b = symbols("a b", positive=True, integer=True)
solve(x**2 - 5*x + 6, x)
solve(Eq(2*x + 3, 7), x)
solve([Eq(x + y, 10), Eq(x - y, 2)], [x, y])
solve([x + y + z - 6, x - y, z - 3], (x, y, z))
solve(x**3 - 2*x + 1, x)
solve(x**2 - y, x)
solve(x*(x + 1)/2 - 55, x, dict=True)
solve(sqrt(x + 1) - 3, x)
solve(2**x - 8, x)
solve(Abs(x - 1) - 3, x)
solve([x**2 + y**2 - 25, x - y - 1], [x, y])
solveset(x**2 - 4, x, domain=S.Reals)
solveset(sin(x), x, Interval(0, pi))
linsolve([x + y - 3, x - y - 1], x, y)
nsolve(cos(x) - x, 1)
solve_univariate_inequality(x**2 - 4 < 0, x, relational=False)
reduce_inequalities([2*x + 1 > 3], x)
Poly(x**3 - 1, x).all_coeffs()
roots(x**3 - 6*x**2 + 11*x - 6)
simplify((x**2 - 1)/(x - 1))
simplify(sin(x)**2 + cos(x)**2)
expand((x + y)**4); factor(x**3 - y**3); cancel((x**2 - 1)/(x + 1)); apart(1/(x*(x + 1)))
together(1/x + 1/y); collect(x*y + x, x); trigsimp(2*sin(x)*cos(x)); radsimp(1/(1 + sqrt(2)))
nsimplify(0.125); Rational(3, 7) + Rational("0.25"); N(pi, 20); sqrt(50); (sqrt(2) + 1).evalf()
diff(x**3*sin(x), x); integrate(x**2*exp(x), x); integrate(1/(x**2 + 1), (x, 0, 1))
limit(sin(x)/x, x, 0); limit((1 + 1/n)**n, n, oo); series(exp(x), x, 0, 4)
summation(n**2, (n, 1, 10)); Sum(1/n**2, (n, 1, oo)).doit(); product(n, (n, 1, 5))
factorint(360); divisors(36); isprime(97); nextprime(100); primerange(1, 20); gcd(12, 18)
lcm(4, 6); totient(10); mod_inverse(3, 11); binomial(5, 2); factorial(10); fibonacci(10)
Matrix([[1, 2], [3, 4]]).inv(); Matrix([[2, 0], [0, 3]]).eigenvals(); Matrix([[1, 2], [3, 4]]).det()
Point(0, 0).distance(Point(3, 4)); Triangle(Point(0, 0), Point(4, 0), Point(0, 3)).area
Circle(Point(0, 0), 2).area; floor(Rational(7, 2)); ceiling(2.5); Piecewise((1, x > 0), (0, True))
for k in range(1, 13): solve(Eq(k*x + 7, 9*k), x); solve([Eq(k*a + b, 5*k), Eq(a - b, 1)], [a, b])
for k in range(1, 13): solve([Eq(2*x + k*y, 3), Eq(x - y, k)], (x, y)); solve(x**2 - k*x - 20, x)
for k in range(1, 7): u = symbols("u", real=True); solve(u**2 + k*u - 12, u); diff(k*x**k + x, x)
for k in range(1, 7): simplify(integrate(k*x**2 + x, (x, 0, k)) + k); expand((x + k)*(x - 1))
lambdify(x, x**2)(3); sympify("x + 1"); str(latex(x**2/2)); FiniteSet(1, 2) | Interval(0, 1)
I**2; (2 + 3*I)*(1 - I); re(2 + I); Abs(3 + 4*I); log(8, 2); exp(1).evalf(); cos(pi/3); atan(1)
"""
_WARM_NUMPY = """
import numpy as np
np.array([1, 2, 3]).mean(); np.linalg.solve([[2.0, 1.0], [1.0, 3.0]], [1.0, 2.0])
np.roots([1, -3, 2]); np.linspace(0, 1, 5).sum(); np.random.seed(0); np.random.rand(2)
np.linalg.inv([[1.0, 2.0], [3.0, 4.0]]); np.linalg.det([[1.0, 2.0], [3.0, 4.0]]); str(np.arange(3))
"""


def tier_of(program: str) -> Tier:
    """Which fork server should run a program. A wrong guess costs time, never the answer."""
    return "full" if _NEEDS_FULL.search(program) else "light"


def preload(tier: Tier) -> None:
    """Imports and warms up; what is not installed is left out, and programs see it missing."""
    time.localtime()  # reads the time zone, which lies out of a program's reach
    for name in _LIGHT:
        importlib.import_module(name)
    if tier == "light":
        return
    for name in _FULL:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    _warm(_WARM_NUMPY)
    _warm(_WARM_SYMPY)
    _fix_chance()


def _warm(calls: str) -> None:
    """Line by line, because another version of sympy may lack one of the names."""
    namespace: dict[str, object] = {}
    for line in calls.strip().split("\n"):
        with contextlib.suppress(Exception):
            exec(line, namespace)


def _fix_chance() -> None:
    """Every program starts from the same state of numpy's and sympy's random generators.

    Both survive a fork as they are. `random` does not: Python reseeds it in every child, and so the
    child seeds it itself.
    """
    if numpy := sys.modules.get("numpy"):
        draw = numpy.random.default_rng
        numpy.random.seed(0)
        numpy.random.default_rng = lambda seed=0: draw(0 if seed is None else seed)
    if sympy_random := sys.modules.get("sympy.core.random"):
        sympy_random.seed(0)
