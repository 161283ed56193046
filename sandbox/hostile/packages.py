"""Attacks by way of numpy and sympy, which run on a fork server that has imported both."""

from functools import partial

from assay.sandbox.hostile.attack import CPU, DENIED, Attack

__all__ = ["ATTACKS"]

_numpy = partial(Attack, "numpy")
_sympy = partial(Attack, "sympy")

_NUMPY = (
    _numpy(
        "memory at once", "import numpy\nnumpy.ones((20_000, 20_000))", "memory", needs="memory"
    ),
    _numpy(
        "memory bit by bit",
        "import numpy\nx = []\nwhile True: x.append(numpy.ones(10**5))",
        "memory",
        needs="memory",
    ),
    _numpy(
        "memory by a product",
        "import numpy\nx = numpy.ones(10**5)\nprint(numpy.outer(x, x))",
        "memory",
        needs="memory",
    ),
    _numpy(
        "a loop in C",
        "import numpy as np\nx = np.ones((700, 700))\nfor _ in range(10**6): x = x @ x",
        "timeout",
        CPU,
    ),
    _numpy(
        "much output",
        "import numpy as np\nnp.set_printoptions(threshold=10**9)\nprint(np.arange(20_000))",
        "output_limit",
    ),
    _numpy(
        "reads a file",
        "import numpy\nprint(numpy.fromfile('/etc/passwd', 'u1'))",
        "error",
        DENIED,
        "landlock",
    ),
    _numpy(
        "writes a file",
        "import numpy\nnumpy.save('{outside}/x', numpy.ones(3))",
        "error",
        DENIED,
        "seccomp|landlock",
    ),
    _numpy(
        "maps a file",
        "import numpy\nnumpy.memmap('{outside}/victim', mode='r+')",
        "error",
        DENIED,
        "seccomp|landlock",
    ),
    _numpy(
        "a payload of pickle",
        "import io, numpy, pickle\n"
        'numpy.load(io.BytesIO(b"cos\\nmkdir\\n(V{outside}/x\\ntR."), allow_pickle=True)',
        "error",
        needs="seccomp|landlock",
    ),
    _numpy(
        "a crash",
        "import numpy as np\nnp.lib.stride_tricks.as_strided(np.ones(1), (10**9,)).sum()",
        "killed",
        "SIGSEGV",
    ),
    _numpy("not a number", "import numpy as np\nanswer = np.float64('nan')", "ok", r"^nan\n$"),
    _numpy(
        "numbers as an answer",
        "import numpy as np\nanswer = np.array([1, 2])",
        "ok",
        r"^\[1 2\]\n$",
    ),
    _numpy(
        "chance",
        "import numpy as np\nnp.random.seed(7)\n"
        "np.random.rand = lambda *_: 4\nprint(np.random.rand())",
        "ok",
        r"^4\n$",
    ),
    _numpy(
        "how numbers are printed",
        "import numpy as np\nnp.set_printoptions(precision=1)\n"
        "np.seterr(all='raise')\nprint(np.array([1 / 3]))",
        "ok",
        r"^\[0.3\]\n$",
    ),
    _numpy(
        "functions that others use",
        "import numpy as np\nnp.sum = np.array = np.sqrt = lambda *_: 5\nprint(np.sum([1]))",
        "ok",
        r"^5\n$",
    ),
    _numpy(
        "what a function gave",
        "import numpy as np\n"
        "for x in (np.ones(3), np.eye(2), np.zeros(2), np.arange(3), np.linspace(0, 1, 5)):\n"
        "    x.fill(7)\nprint(np.ones(3) is np.ones(3))",
        "ok",
        r"^False\n$",
    ),
    _numpy(
        "numpy itself",
        "import numpy, sys\ndel sys.modules['numpy']\nimport numpy",
        "ok|no_output|error|timeout",
    ),
)

_SYMPY = (
    _sympy(
        "factors of a large number",
        "import sympy\nprint(sympy.factorint(2**277 - 1, use_ecm=False))",
        "timeout",
        CPU,
    ),
    _sympy("primes without end", "import sympy\nprint(sympy.prime(10**9))", "timeout|memory"),
    _sympy(
        "an integral that never returns",
        "from sympy import *\nx = symbols('x')\n"
        "print(integrate(sin(x)**x * exp(x**3) / log(x + sin(x)), x))",
        "timeout",
        CPU,
    ),
    _sympy("a power tower", "from sympy import *\nprint(Integer(9)**(9**9))", "timeout|memory"),
    _sympy(
        "digits without end", "from sympy import *\nprint(N(pi, 10**7))", "timeout|memory|error"
    ),
    _sympy(
        "text that is run",
        'import sympy\nsympy.sympify(\'__import__("os").mkdir("{outside}/x")\')',
        "error",
        needs="seccomp|landlock",
    ),
    _sympy(
        "an expression as an answer",
        "from sympy import *\nanswer = sqrt(8)",
        "ok",
        r"^2\*sqrt\(2\)\n$",
    ),
    _sympy(
        "infinities",
        "from sympy import *\nprint(oo, -oo, zoo, nan, I)",
        "ok",
        r"^oo -oo zoo nan I\n$",
    ),
    _sympy("a set as an answer", "from sympy import *\nanswer = S.Reals", "ok", r"^Reals\n$"),
    _sympy(
        "functions that others use",
        "import sympy\nsympy.sqrt = lambda x: 5\n"
        "sympy.Integer.__add__ = lambda a, b: 6\nprint(sympy.Integer(1) + 1)",
        "ok",
        r"^6\n$",
    ),
    _sympy(
        "precision",
        "import mpmath\nmpmath.mp.dps = 3\nprint(mpmath.mpf(1) / 3)",
        "ok",
        r"^0.333\n$",
    ),
    _sympy(
        "what a function gave",
        """
        from sympy import *
        x = symbols('x')
        given = [factorint(360), divisors(36), roots(x**2 - 4), Poly(x**2 - 4, x).all_coeffs()]
        given += [solve(x**2 - 4), (x + 1).free_symbols, Matrix([[2, 0], [0, 3]]).eigenvals()]
        for thing in given: thing.clear()
        print(len(given), factorint(360))
        """,
        "ok",
        r"^7 {2: 3, 3: 2, 5: 1}\n$",
    ),
    _sympy(
        "a matrix that a function gave",
        "from sympy import *\neye(2)[0, 0] = zeros(2)[0, 0] = 7\nprint(eye(2), zeros(2)[0, 0])",
        "ok",
        r"^Matrix\(\[\[1, 0\], \[0, 1\]\]\) 0\n$",
    ),
    _sympy(
        "its cache, by equal numbers",
        "from sympy import factorial\nprint(factorial((1, 2)))",
        "ok",
        r"^factorial\(\(1, 2\)\)\n$",
    ),
    _sympy(
        "its cache",
        "from sympy.core.cache import clear_cache\nclear_cache()\nprint(1)",
        "ok",
        r"^1\n$",
    ),
    _sympy("its singletons", "from sympy import S\nS.Half.p = 3\nprint(S.Half)", "ok|error"),
)

ATTACKS = (*_NUMPY, *_SYMPY)
