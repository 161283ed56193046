r"""Which programs may share a process: those that can leave nothing behind for the next one.

Most programs that models write are a few lines of arithmetic. A process of its own costs such a
program ten to thirty times what running it costs, so several may run in one, each with fresh
globals (see `lane`). The outcome must be the same as alone, hence this list of what a program may
contain. It is about what a program can *change*, not about what is dangerous: the walls are the
same for all. Everything that could reach an object which outlives the program is absent: stores to
attributes, names with underscores, classes, `with`, `finally` (a generator's would run in somebody
else's time), modules as values, functions that take code as text, and any name, attribute or
import that is not listed. What is absent here only costs the program a process of its own.

    is_plain(ast.parse("import math\nprint(math.sqrt(16))"))    # True
    is_plain(ast.parse("import math\nmath.pi = 3"))             # False
"""

import ast
import builtins
import importlib
import math
import string
from collections.abc import Callable
from typing import Any

__all__ = ["is_plain"]

# Kinds of syntax, and which of their parts hold more of it. A kind that is not here is not plain.
_PARTS: dict[type[ast.AST], tuple[str, ...]] = {
    ast.Module: ("body",),
    ast.FunctionDef: ("decorator_list", "args", "returns", "body"),
    ast.Lambda: ("args", "body"),
    ast.arguments: ("posonlyargs", "args", "vararg", "kwonlyargs", "kwarg", "defaults",
                    "kw_defaults"),
    ast.arg: ("annotation",),
    ast.Return: ("value",),
    ast.Delete: ("targets",),
    ast.Assign: ("targets", "value"),
    ast.AugAssign: ("target", "value"),
    ast.AnnAssign: ("target", "annotation", "value"),
    ast.For: ("target", "iter", "body", "orelse"),
    ast.While: ("test", "body", "orelse"),
    ast.If: ("test", "body", "orelse"),
    ast.Raise: ("exc", "cause"),
    ast.Try: ("body", "handlers", "orelse"),
    ast.ExceptHandler: ("body",),
    ast.Assert: ("test", "msg"),
    ast.Import: (),
    ast.ImportFrom: (),
    ast.Global: (),
    ast.Nonlocal: (),
    ast.Expr: ("value",),
    ast.Pass: (),
    ast.Break: (),
    ast.Continue: (),
    ast.BoolOp: ("values",),
    ast.NamedExpr: ("target", "value"),
    ast.BinOp: ("left", "right"),
    ast.UnaryOp: ("operand",),
    ast.IfExp: ("test", "body", "orelse"),
    ast.Dict: ("keys", "values"),
    ast.Set: ("elts",),
    ast.ListComp: ("elt", "generators"),
    ast.SetComp: ("elt", "generators"),
    ast.DictComp: ("key", "value", "generators"),
    ast.GeneratorExp: ("elt", "generators"),
    ast.comprehension: ("target", "iter", "ifs"),
    ast.Yield: ("value",),
    ast.YieldFrom: ("value",),
    ast.Compare: ("left", "comparators"),
    ast.Call: ("func", "args", "keywords"),
    ast.keyword: ("value",),
    ast.FormattedValue: ("value", "format_spec"),
    ast.JoinedStr: ("values",),
    ast.Constant: (),
    ast.Attribute: (),  # see `_unwind`
    ast.Subscript: ("value", "slice"),
    ast.Starred: ("value",),
    ast.Name: (),
    ast.List: ("elts",),
    ast.Tuple: ("elts",),
    ast.Slice: ("lower", "upper", "step"),
}  # fmt: skip


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Those of Python's own that neither take code as text nor reach what is not handed to them.
_BUILTINS = _words(
    """
        abs all any bin bool callable chr complex dict divmod enumerate filter float format
        frozenset hash hex int isinstance issubclass iter len list map max min next oct ord pow
        print range repr reversed round set slice sorted str sum tuple zip ArithmeticError
        AssertionError AttributeError Exception IndexError KeyError LookupError NameError
        NotImplementedError OverflowError StopIteration TypeError ValueError ZeroDivisionError
        __name__
        """
)
# What may be caught: not what the process itself is told by (memory, recursion, an early end).
_CAUGHT = _words(
    """
        ArithmeticError AssertionError AttributeError IndexError KeyError LookupError NameError
        OverflowError StopIteration TypeError ValueError ZeroDivisionError
        """
)
# By module: names whose values are functions without a memory, classes and constants. Never a
# module, a container or anything else that can be changed.
_MODULES: dict[str, frozenset[str]] = {
    "math": frozenset(name for name in dir(math) if not name.startswith("_")),
    "cmath": _words(
        """
        acos asin atan cos e exp isclose log log10 phase pi polar rect sin sqrt tan
        """
    ),
    "fractions": _words("Fraction"),
    "decimal": _words(
        """
        Decimal ROUND_CEILING ROUND_DOWN ROUND_FLOOR ROUND_HALF_DOWN ROUND_HALF_EVEN ROUND_HALF_UP
        ROUND_UP
        """
    ),
    "statistics": _words(
        """
        fmean geometric_mean harmonic_mean mean median median_high median_low mode multimode pstdev
        pvariance quantiles stdev variance
        """
    ),
    "itertools": _words(
        """
        accumulate chain combinations combinations_with_replacement compress count cycle dropwhile
        filterfalse groupby islice pairwise permutations product repeat starmap takewhile
        zip_longest
        """
    ),
    "collections": _words("Counter OrderedDict defaultdict deque"),
    "functools": _words("cache cmp_to_key lru_cache partial reduce"),
    "heapq": _words("heapify heappop heappush heapreplace nlargest nsmallest"),
    "bisect": _words("bisect bisect_left bisect_right insort insort_left insort_right"),
    "datetime": _words("date datetime time timedelta"),
    # Seeded anew for every program.
    "random": _words(
        """
        choice choices gauss randint random randrange sample seed shuffle uniform
        """
    ),
    "string": _words("ascii_letters ascii_lowercase ascii_uppercase digits"),
    "typing": _words("Any Callable Dict Iterable List Optional Sequence Set Tuple Union"),
    "numpy": _words(
        """
        abs absolute add all allclose any arange arccos arcsin arctan arctan2 argmax argmin argsort
        around array array_equal average bincount ceil clip column_stack concatenate convolve
        corrcoef cos count_nonzero cov cross cumprod cumsum deg2rad degrees diag diff divide dot e
        exp eye flip float64 floor full gcd histogram hstack hypot identity inf inner int32 int64
        interp isclose isnan lcm linspace log log10 log2 logspace matmul max maximum mean median
        meshgrid min minimum mod multiply nan newaxis nonzero ones outer percentile pi poly1d
        polyfit polyval power prod quantile rad2deg radians real repeat reshape roots round sign sin
        sort sqrt square stack std subtract sum tan tile trace transpose tril triu unique var vdot
        vstack where zeros
        """
    ),
    "numpy.linalg": _words(
        """
        det eig eigh eigvals inv lstsq matrix_power matrix_rank norm pinv qr solve svd
        """
    ),
    "sympy": _words(
        """
        Abs Add And Circle Complement Contains Derivative E Ellipse EmptySet Eq Equality Expr
        FiniteSet Float Ge Gt I Integer Integers Integral Intersection Interval Le Limit Line Line2D
        Lt Matrix Max Min Mod Mul N Naturals Naturals0 Ne Not Number Or Piecewise Plane Point
        Point2D Point3D Poly Polygon Pow Product Q Range Rational Rationals Ray RealNumber Reals
        RegularPolygon S Segment Sum Symbol Triangle Union acos acosh apart arg asin asinh atan
        atan2 atanh bell bernoulli binomial cancel catalan cbrt ceiling collect combsimp conjugate
        continued_fraction cos cosh cot csc degree denom det diag diff discriminant div
        divisor_count divisor_sigma divisors exp expand expand_log expand_trig euler eye factor
        factor_list factor_terms factorial factorial2 factorint ff fibonacci floor fraction gamma
        gcd gcdex groebner harmonic im integer_nthroot integrate invert is_primitive_root isprime
        lcm legendre_symbol limit linear_eq_to_matrix linsolve ln log logcombine lucas mobius
        mod_inverse multiplicity n_order nextprime nonlinsolve nroots nsimplify nsolve numer ones oo
        parallel_poly_from_expr perfect_power perimeter pi poly powdenest powsimp prem prevprime
        prime primefactors primepi primerange primitive_root prod product quo rad radsimp ratsimp
        rcollect re real_root reduce_inequalities rem residue resultant root roots rsolve sec
        separatevars series sign simplify sin sinh solve solve_linear_system solve_poly_inequality
        solve_rational_inequalities solve_univariate_inequality solveset sqf sqrt sqrtdenest
        subfactorial subsets summation symbols tan tanh terms_gcd together totient trigsimp true
        false zeros zeta zoo
        """
    ),
}  # fmt: skip
# Modules that are named by way of another.
_SUBMODULES = {("numpy", "linalg"): "numpy.linalg"}
# Attributes of values: methods of Python's own types, of fractions and dates, of arrays and of
# sympy's expressions, which either change nothing or only the value itself.
_ATTRIBUTES = _words(
    """
        add append appendleft as_integer_ratio bit_length capitalize clear copy count days
        difference difference_update discard elements endswith extend fromkeys get index insert
        intersection intersection_update is_integer isalnum isalpha isdecimal isdigit isdisjoint
        islower isnumeric isspace issubset issuperset isupper items join keys ljust lower lstrip
        most_common partition pop popitem popleft remove removeprefix removesuffix replace reverse
        rfind find rjust rotate rpartition rsplit rstrip setdefault sort split splitlines startswith
        strip subtract swapcase symmetric_difference title union update upper values zfill center
        conjugate denominator imag limit_denominator numerator quantize real to_integral_value day
        hour isoformat isoweekday microsecond minute month second seconds strftime strptime
        total_seconds weekday year all any argmax argmin argsort astype cumprod cumsum diagonal dot
        fill flatten item max mean min ndim nonzero prod ravel reshape round shape size std sum
        tolist trace transpose var T deriv coeffs adjugate all_coeffs all_roots apart area args
        as_coeff_Add as_coeff_Mul as_coefficients_dict as_expr as_numer_denom as_poly as_real_imag
        atoms base cancel centroid charpoly circumcenter circumcircle circumference coeff cofactor
        col col_join cols collect columnspace combsimp complement contains cross denom det
        diagonalize diff discriminant distance doit eigenvals eigenvects end equals equation evalf
        exp expand factor factor_list free_symbols func gcd gens has height incenter incircle inf
        inradius integrate intersect inv inverse is_complex is_even is_finite is_imaginary
        is_infinite is_negative is_nonnegative is_odd is_positive is_prime is_rational is_real
        is_square is_zero lcm leadterm length lhs limit midpoint minpoly n name norm nroots
        nsimplify nullspace numer p perimeter points poly powsimp primitive q radius radsimp rank
        rewrite rhs root roots row row_join rows rref series sides simplify slope solve sort_key
        start subs sup together trigsimp vertices width x xreplace y z Half ImaginaryUnit Infinity
        Integers Naturals Naturals0 NegativeInfinity NegativeOne One Pi Rationals Reals Zero
        EmptySet Complexes
        """
)


# Shadowing one of these by the program's own, perhaps only in a function, is not looked into.
_UNLISTED_BUILTINS = frozenset(dir(builtins)) - _BUILTINS


class _Names:
    """What a program imports, binds and looks up, collected on one walk over it."""

    def __init__(self) -> None:
        self.modules: dict[str, str] = {}  # the name that it goes by: the module
        self.imported: set[str] = set()
        self.stars: set[str] = set()
        self.stored: set[str] = set()
        self.loaded: set[str] = set()
        self.dotted: list[tuple[str, list[str]]] = []  # `a.b.c` as ("a", ["b", "c"])


def is_plain(tree: ast.Module) -> bool:
    """Whether the program can share a process. Takes some 0.1 ms for twenty lines."""
    names = _Names()
    pending: list[Any] = [tree]
    while pending:
        node = pending.pop()
        kind = type(node)
        parts = _PARTS.get(kind)
        if parts is None:
            return False
        check = _CHECKS.get(kind)
        if check is not None and not check(node, names):
            return False
        for part in parts:
            value = getattr(node, part)
            if type(value) is list:
                # A dictionary's keys hold None for `**other`.
                pending.extend([item for item in value if item is not None])
            elif value is not None:
                pending.append(value)
        if kind is ast.Attribute:
            base = _unwind(node, names)
            if base is None:
                return False
            if type(base) is not ast.Name:
                pending.append(base)
    return _dotted_are_known(names) and _names_are_known(names)


def _unwind(node: ast.Attribute, names: _Names) -> ast.expr | None:
    """What a chain of attributes starts from; None where the chain is not plain."""
    attributes: list[str] = []
    base: ast.expr = node
    while type(base) is ast.Attribute:
        attributes.append(base.attr)
        base = base.value
    if type(node.ctx) is not ast.Load:
        return None
    if type(base) is ast.Name:
        # Looked at when all imports are known: it may be a module, which is no value by itself.
        names.dotted.append((base.id, attributes[::-1]))
    elif not _ATTRIBUTES.issuperset(attributes) and not _is_safe_format(base, attributes):
        return None
    return base


def _is_safe_format(base: ast.expr, attributes: list[str]) -> bool:
    """Whether it is `"{} of {:.2f}".format`, without braces that look up attributes or items."""
    if attributes != ["format"] or type(base) is not ast.Constant or type(base.value) is not str:
        return False
    pending = [base.value]
    while pending:
        try:
            for _, field, specification, _ in string.Formatter().parse(pending.pop()):
                if field and not field.isidentifier() and not field.isdecimal():
                    return False
                if specification:
                    pending.append(specification)
        except ValueError:
            return False
    return True


def _dotted_are_known(names: _Names) -> bool:
    """Whether every chain of attributes is listed; the names that they start from are loaded."""
    for base, attributes in names.dotted:
        module = names.modules.get(base)
        if module is None:
            names.loaded.add(base)
        else:
            first, *attributes = attributes
            submodule = _SUBMODULES.get((module, first))
            if submodule is not None and attributes:
                module, (first, *attributes) = submodule, attributes
            if first not in _MODULES[module]:
                return False
        if not _ATTRIBUTES.issuperset(attributes):
            return False
    return True


def _names_are_known(names: _Names) -> bool:
    """Whether no name that is looked up can mean anything that is not listed."""
    for star in names.stars:
        # What a star brings in may take the place of what the program has bound.
        brought = names.loaded & _everything_in(star)
        if not brought <= _MODULES[star]:
            return False
        names.imported |= brought
    bound = names.stored | names.imported
    if names.modules.keys() & (bound | names.loaded):
        return False  # a module as a value, or a name with two meanings
    # Any other name that is neither bound nor a builtin raises NameError, which is fine.
    return not bound & _CAUGHT and not names.loaded & _UNLISTED_BUILTINS


def _everything_in(module: str) -> frozenset[str]:
    """The names that a star brings in."""
    found = _STARS.get(module)
    if found is None:
        loaded = importlib.import_module(module)
        public = getattr(loaded, "__all__", None)
        found = _STARS[module] = frozenset(dir(loaded) if public is None else public)
    return found


_STARS: dict[str, frozenset[str]] = {}


def _import(node: ast.Import, names: _Names) -> bool:
    for alias in node.names:
        if alias.name not in _MODULES:
            return False
        # `import numpy.linalg` binds numpy.
        module = alias.name if alias.asname else alias.name.partition(".")[0]
        name = alias.asname or module
        if name.startswith("_") or names.modules.setdefault(name, module) != module:
            return False
    return True


def _import_from(node: ast.ImportFrom, names: _Names) -> bool:
    module = node.module or ""
    if module not in _MODULES or node.level:
        return False
    for alias in node.names:
        if alias.name == "*":
            names.stars.add(module)
        elif alias.name not in _MODULES[module] or (alias.asname or "").startswith("_"):
            return False
        else:
            names.imported.add(alias.asname or alias.name)
    return True


def _name(node: ast.Name, names: _Names) -> bool:
    if node.id.startswith("__") and node.id != "__name__":
        return False
    (names.loaded if type(node.ctx) is ast.Load else names.stored).add(node.id)
    return True


def _function(node: ast.FunctionDef, names: _Names) -> bool:
    names.stored.add(node.name)
    return not node.name.startswith("__") and not getattr(node, "type_params", None)


def _argument(node: ast.arg, names: _Names) -> bool:
    names.stored.add(node.arg)
    return not node.arg.startswith("__")


def _try(node: ast.Try, names: _Names) -> bool:
    return not node.finalbody


def _handler(node: ast.ExceptHandler, names: _Names) -> bool:
    if node.name:
        names.stored.add(node.name)
    caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return all(isinstance(kind, ast.Name) and kind.id in _CAUGHT for kind in caught)


def _keyword(node: ast.keyword, names: _Names) -> bool:
    return node.arg != "file"


def _comprehension(node: ast.comprehension, names: _Names) -> bool:
    return not node.is_async


_CHECKS: dict[type[ast.AST], Callable[[Any, _Names], bool]] = {
    ast.Import: _import,
    ast.ImportFrom: _import_from,
    ast.Name: _name,
    ast.FunctionDef: _function,
    ast.arg: _argument,
    ast.Try: _try,
    ast.ExceptHandler: _handler,
    ast.keyword: _keyword,
    ast.comprehension: _comprehension,
}
