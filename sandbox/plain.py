r"""Which programs may share a process: those that can leave nothing behind for the next one.

Most programs that models write are a few lines of arithmetic. A process of its own costs such a
program ten to thirty times what running it costs, so several may run in one, each with fresh
globals (see `lane`). The outcome must be the same as alone, hence this list of what a program may
contain. It is about what a program can *change*, not about what is dangerous: the walls are the
same for all. Everything that could reach an object which outlives the program is absent: stores to
attributes, names with underscores, classes, `with`, `finally` (a generator's would run in somebody
else's time), modules as values, functions that take code as text, and any name, attribute or
import that is not listed. Nor may it see what others have left where they are allowed to: memory
that nothing was written to, and which of two equal objects a cache gave it. What is absent here
only costs the program a process of its own.

What is not looked for: an order that comes from where objects happen to lie in memory, such as that
of a set of functions. It need not be the same twice alone either.

    is_plain(ast.parse("import math\nprint(math.sqrt(16))"))    # True
    is_plain(ast.parse("import math\nmath.pi = 3"))             # False
"""

import ast
import builtins
import functools
import math
import string
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["is_plain", "let_trouble_through"]

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
        frozenset hex int isinstance issubclass iter len list map max min next oct ord pow
        print range repr reversed round set slice sorted str sum tuple zip ArithmeticError
        AssertionError AttributeError EOFError Exception ImportError IndexError KeyError LookupError
        ModuleNotFoundError NameError NotImplementedError OverflowError RuntimeError StopIteration
        TypeError ValueError ZeroDivisionError __name__
        """
)
# What may be caught. Not what the process itself is told by: an early end, which none of these is,
# and memory and recursion, which `let_trouble_through` takes out of the last two.
_CAUGHT = _words(
    """
        ArithmeticError AssertionError AttributeError EOFError ImportError IndexError KeyError
        LookupError ModuleNotFoundError NameError NotImplementedError OverflowError StopIteration
        TypeError ValueError ZeroDivisionError Exception RuntimeError
        """
)
_NEVER_CAUGHT = ("MemoryError", "RecursionError")
# By module: names whose values are functions without a memory, classes and constants. Never a
# module, a container or anything else that can be changed. Those of sympy also under its parts.
_MODULES: dict[str, frozenset[str]] = {
    "math": frozenset(name for name in dir(math) if not name.startswith("_")),
    "cmath": _words(
        """
        acos acosh asin asinh atan atanh cos cosh e exp inf isclose isfinite isinf isnan log log10
        nan phase pi polar rect sin sinh sqrt tan tanh tau
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
        correlation covariance fmean geometric_mean harmonic_mean linear_regression mean median
        median_high median_low mode multimode pstdev pvariance quantiles stdev variance
        """
    ),
    "itertools": _words(
        """
        accumulate chain combinations combinations_with_replacement compress count cycle dropwhile
        filterfalse groupby islice pairwise permutations product repeat starmap takewhile tee
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
    "operator": _words(
        """
        add and_ eq floordiv ge gt itemgetter le lt mod mul ne neg or_ pow sub truediv xor
        """
    ),
    "re": _words(
        """
        IGNORECASE MULTILINE compile findall finditer fullmatch match search split sub
        """
    ),
    "string": _words(
        """
        ascii_letters ascii_lowercase ascii_uppercase digits printable punctuation
        """
    ),
    "typing": _words(
        """
        Any Callable Dict Iterable Iterator List Mapping Optional Sequence Set Tuple Union
        """
    ),
    "numpy": _words(
        """
        abs absolute add all allclose amax amin any append arange arccos arcsin arctan arctan2
        argmax argmin argsort argwhere around array array_equal average bincount bool_ cbrt ceil
        clip column_stack complex128 concatenate conj convolve corrcoef cos cosh count_nonzero cov
        cross cumprod cumsum deg2rad degrees delete diag diagonal diff digitize divide dot e equal
        exp expm1 eye fabs fix flatnonzero flip fliplr flipud float32 float64 floor floor_divide
        fmax fmin fmod full full_like gcd gradient greater greater_equal histogram hstack hypot
        identity imag inf inner insert int32 int64 interp intersect1d isclose isfinite isin isinf
        isnan kron lcm less less_equal linspace log log10 log1p log2 logical_and logical_not
        logical_or logical_xor logspace matmul max maximum mean median meshgrid min minimum mod
        multiply nan nan_to_num nanmax nanmean nanmin nanstd nansum negative newaxis nonzero
        not_equal ones ones_like outer percentile pi poly poly1d polyadd polyder polyfit polyint
        polymul polysub polyval power prod ptp quantile rad2deg radians ravel real repeat reshape
        rint roll roots rot90 round searchsorted setdiff1d sign sin sinh sort split sqrt square
        squeeze stack std subtract sum tan tanh tile trace transpose tril triu true_divide trunc
        union1d unique var vdot vstack where zeros zeros_like
        """
    ),
    "numpy.linalg": _words(
        """
        cholesky cond det eig eigh eigvals eigvalsh inv lstsq matrix_power matrix_rank norm pinv qr
        slogdet solve svd
        """
    ),
    "sympy": _words(
        """
        Abs And CRootOf Circle Complement Complexes ConditionSet Contains Derivative E Ellipse
        EmptySet Eq Equality EulerGamma Expr FiniteSet Float Ge GoldenRatio GreaterThan Gt Heaviside
        I Identity ImageSet ImmutableMatrix Integer Integers Integral Intersection Interval
        KroneckerDelta LC LM LT Lambda LambertW Le LessThan Limit Line Line2D Line3D Lt Matrix Max
        Min Mod N Naturals Naturals0 Ne Not Number Or Parabola Piecewise Plane Point Point2D Point3D
        Poly Polygon Pow Product ProductSet Q Range Rational Rationals Ray Ray3D RealNumber Reals
        RegularPolygon S Segment Segment2D Segment3D StrictGreaterThan StrictLessThan Subs Sum
        Symbol SymmetricDifference Triangle Tuple Unequality Union Xor acos acosh acot acoth acsc
        apart are_similar arg asec asech asin asinh atan atan2 atanh bell bernoulli beta binomial
        cancel catalan cbrt ceiling centroid collect combsimp conjugate content continued_fraction
        continued_fraction_convergents continued_fraction_periodic continued_fraction_reduce
        convex_hull cos cosh cot coth count_roots csc csch default_sort_key degree denom det diag
        diff discriminant div divisor_count divisor_sigma divisors egyptian_fraction erf euler exp
        expand expand_complex expand_func expand_log expand_mul expand_power_base expand_power_exp
        expand_trig eye factor factor_list factor_terms factorial factorial2 factorint factorrat
        false ff fibonacci floor fraction gamma gammasimp gcd gcdex groebner harmonic idiff im
        integer_nthroot integrate interpolate intersection invert is_decreasing is_increasing
        is_monotonic is_perfect is_primitive_root isprime jacobi_symbol latex lcm legendre_symbol
        limit linear_eq_to_matrix linsolve ln log logcombine lucas maximum minimal_polynomial
        minimum mobius mod_inverse monic multiplicity n_order nan nextprime nonlinsolve nroots
        nsimplify nthroot_mod numer ones oo ordered parallel_poly_from_expr partition perfect_power
        periodicity pi poly polygamma powdenest powsimp prem prevprime prime primefactors primepi
        primerange primitive_root primorial prod product proper_divisor_count proper_divisors quo
        rad radsimp ratsimp rcollect re real_root real_roots reduce_inequalities reduced_totient
        refine rem residue resultant root roots rsolve sec sech separatevars series sign simplify
        sin sinc singularities sinh solve solve_linear_system solve_poly_inequality
        solve_rational_inequalities solve_univariate_inequality solveset sqf sqf_list sqrt sqrt_mod
        sqrtdenest stationary_points subfactorial subsets summation symbols tan tanh terms_gcd
        together totient trigsimp true zeros zeta zoo
        """
    ),
}  # fmt: skip
_MODULES["sympy.abc"] = _words(" ".join(string.ascii_letters)) | _words(
    """
        alpha beta chi delta epsilon eta gamma iota kappa lamda mu nu omega omicron phi pi psi rho
        sigma tau theta upsilon xi zeta
        """
)
# Modules that are named by way of another.
_SUBMODULES = {("numpy", "linalg"): "numpy.linalg"}
# Attributes of values: methods of Python's own types, of fractions and dates, of arrays and of
# sympy's expressions, which change nothing but perhaps the value itself.
_ATTRIBUTES = _words(
    """
        Complexes EmptySet Half ImaginaryUnit Infinity Integers LC LM LT LUsolve Naturals Naturals0
        NegativeInfinity NegativeOne One Pi QRdecomposition Rationals Reals T TC Zero add adjugate
        all all_coeffs all_roots altitudes angle_between angles any apart apothem append appendleft
        applyfunc area argmax argmin args argsort as_base_exp as_coeff_Add as_coeff_Mul
        as_coefficients_dict as_content_primitive as_expr as_independent as_integer_ratio
        as_numer_denom as_ordered_factors as_ordered_terms as_poly as_powers_dict as_real_imag
        as_set astype atoms base bisectors bit_count bit_length boundary cancel capitalize casefold
        center centroid charpoly circumcenter circumcircle circumference circumradius clear clip
        closure coeff coeffs cofactor col col_del col_insert col_join col_swap collect cols
        columnspace combine combsimp complement conj conjugate contains content coordinates copy
        count count_ops count_roots cross cumprod cumsum date day days degree denominator deriv det
        diag diagonal diagonalize diff difference difference_update direction discard discriminant
        distance div doit dot eccentricity eigenvals eigenvects elements encloses_point end endswith
        equals equation eval evalf exp expand extend extendleft exterior_angle eye factor
        factor_list factors fill find findall finditer flatten foci free_symbols fromisoformat
        fromkeys fromordinal fullmatch gcd gens get group groups has height hour hradius hstack imag
        incenter incircle index inf inradius insert integrate interior interior_angle intersect
        intersection intersection_update inv inverse is_Add is_Float is_Integer is_Mul is_Number
        is_Pow is_Rational is_Symbol is_algebraic is_closed is_collinear is_commutative is_complex
        is_composite is_concyclic is_constant is_diagonalizable is_disjoint is_empty is_equilateral
        is_even is_finite is_imaginary is_infinite is_integer is_irrational is_irreducible
        is_isosceles is_monic is_nan is_negative is_nonnegative is_nonpositive is_nonzero is_number
        is_odd is_open is_parallel is_perpendicular is_polynomial is_positive is_prime is_rational
        is_real is_right is_similar is_square is_subset is_superset is_symmetric is_tangent is_zero
        isalnum isalpha isdecimal isdigit isdisjoint islower isnumeric isocalendar isoformat
        isoweekday isspace issubset issuperset isupper item items join jordan_form keys lcm leadterm
        left left_open length lhs limit limit_denominator ljust ln log10 lower lstrip major
        maketrans match max mean measure medians microsecond midpoint min minor minute monic monoms
        month most_common move_to_end n name ndim nonzero norm normalize nroots nsimplify nth
        nullspace numerator ones orthocenter p p1 p2 parallel_line partition perimeter
        perpendicular_bisector perpendicular_line perpendicular_segment points poly pop popitem
        popleft powsimp primitive prod projection q quantize quo radius radsimp rank ravel real
        real_roots reflect rem remove removeO removeprefix removesuffix repeat replace reshape
        reverse rewrite rfind rhs right right_open rjust root roots rotate round row row_del
        row_insert row_join row_swap rows rpartition rref rsplit rstrip scale search second seconds
        series setdefault shape sides simplify singular_values size slope solve sort sort_key span
        split splitlines sqrt squeeze start startswith std strftime strip strptime subs subtract sum
        sup swapaxes swapcase symmetric_difference tangent_lines terms time title to_integral_value
        together tolist toordinal total total_degree total_seconds trace translate transpose
        trigsimp union update upper values var vertices vradius vstack weekday x xreplace y year z
        zeros zfill
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
        self.suspends = self.catches_all = False


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
    if names.suspends and names.catches_all:
        return False  # it would catch the end of a generator, in somebody else's time
    return _dotted_are_known(names) and _names_are_known(names)


def let_trouble_through(tree: ast.Module) -> None:
    """Makes `except Exception:` of a plain program catch neither MemoryError nor RecursionError.

    Both depend on what is left of the process. Nor does a bare `except:` catch what ends the lane;
    nothing else than an Exception can reach one in a plain program.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Try):
            for handler in node.handlers:
                if handler.type is None:
                    handler.type = ast.Name("Exception", ast.Load())
            never: list[ast.expr] = [ast.Name(name, ast.Load()) for name in _NEVER_CAUGHT]
            passing = ast.ExceptHandler(ast.Tuple(never, ast.Load()), None, [ast.Raise()])
            node.handlers.insert(0, passing)
            ast.fix_missing_locations(node)


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
            if not _is_known(module, first):
                return False
        if not _ATTRIBUTES.issuperset(attributes):
            return False
    return True


def _names_are_known(names: _Names) -> bool:
    """Whether no name that is looked up can mean anything that is not listed."""
    for star in names.stars:
        # What a star brings in may take the place of what the program has bound or imported:
        # numpy has a `random` of its own.
        everything = _everything_in(star)
        brought = names.loaded & everything
        if not brought <= _listed(star) or names.modules.keys() & everything:
            return False
        names.imported |= brought
    bound = names.stored | names.imported
    if names.modules.keys() & (bound | names.loaded):
        return False  # a module as a value, or a name with two meanings
    # Any other name that is neither bound nor a builtin raises NameError, which is fine.
    return bound.isdisjoint(_KEPT) and not names.loaded & _UNLISTED_BUILTINS


_KEPT = _CAUGHT.union(_NEVER_CAUGHT)


@functools.cache
def _listed(module: str) -> frozenset[str]:
    """The names that may be had from a module; none of one that would have to be loaded first."""
    loaded, whole = sys.modules.get(module), sys.modules.get("sympy")
    if loaded is None:
        return frozenset()
    if module in _MODULES:
        return _MODULES[module]
    if module.startswith("sympy."):
        names = _MODULES["sympy"]
        return frozenset(n for n in names if getattr(loaded, n, 0) is getattr(whole, n, 1))
    return frozenset()


def _is_known(module: str, name: str) -> bool:
    """Whether to take a name from a module gives something that is listed, or an error."""
    if name in _listed(module):
        return True
    # What is not there may in a package be a module that is loaded when it is asked for.
    loaded = sys.modules[module]
    return not hasattr(loaded, name) and not hasattr(loaded, "__path__")


@functools.cache
def _everything_in(module: str) -> frozenset[str]:
    """The names that a star brings in."""
    loaded = sys.modules[module]
    public = getattr(loaded, "__all__", None)
    return frozenset(dir(loaded) if public is None else public)


def _import(node: ast.Import, names: _Names) -> bool:
    for alias in node.names:
        if alias.name not in _MODULES or not _listed(alias.name):
            return False
        # `import numpy.linalg` binds numpy.
        module = alias.name if alias.asname else alias.name.partition(".")[0]
        name = alias.asname or module
        if name.startswith("_") or names.modules.setdefault(name, module) != module:
            return False
    return True


def _import_from(node: ast.ImportFrom, names: _Names) -> bool:
    module = node.module or ""
    if node.level or not _listed(module):
        return False
    for alias in node.names:
        if alias.name == "*":
            names.stars.add(module)
        elif not _is_known(module, alias.name) or (alias.asname or "").startswith("_"):
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
    # A bare `except` that is not the last is a syntax error, and must stay one.
    return not node.finalbody and all(handler.type for handler in node.handlers[:-1])


def _handler(node: ast.ExceptHandler, names: _Names) -> bool:
    if node.name:
        names.stored.add(node.name)
        if node.name.startswith("__"):
            return False
    if node.type is None:
        names.catches_all = True
        return True
    caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return all(isinstance(kind, ast.Name) and kind.id in _CAUGHT for kind in caught)


def _suspension(node: ast.Yield | ast.YieldFrom, names: _Names) -> bool:
    names.suspends = True
    return True


def _compare(node: ast.Compare, names: _Names) -> bool:
    """`is` only with a constant: else it may tell whether a cache was empty."""
    sides = [node.left, *node.comparators]
    return not any(
        isinstance(operation, (ast.Is, ast.IsNot))
        and not isinstance(sides[i], ast.Constant)
        and not isinstance(sides[i + 1], ast.Constant)
        for i, operation in enumerate(node.ops)
    )


def _keyword(node: ast.keyword, names: _Names) -> bool:
    # numpy does not write where `where` says no, and what was in memory before comes to light.
    # `**` could hold it.
    return node.arg not in (None, "where", "file")


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
    ast.Compare: _compare,
    ast.Yield: _suspension,
    ast.YieldFrom: _suspension,
    ast.comprehension: _comprehension,
}
