"""Assay solves mathematical problems by sampling many candidates, verifying them and voting.

What stands in `__all__` is the public API (docs/api.md); everything below `assay.…` is the house,
which may be rebuilt. Names are imported when they are first used, so that `import assay` is quick:

    import assay

    solver = assay.Solver(generator="embedded", n=32)
    solver.solve("Tom has 12 apples and buys 30 more. How many apples does he have?").answer
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assay.api import (
        Run,
        Sandbox,
        Solver,
        UserError,
        classes,
        equivalent,
        evaluate,
        extract,
        label,
        load_verifier,
    )

__all__ = [
    "Run",
    "Sandbox",
    "Solver",
    "UserError",
    "classes",
    "equivalent",
    "evaluate",
    "extract",
    "label",
    "load_verifier",
]


if not TYPE_CHECKING:  # a type checker would take any name for one of ours

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module 'assay' has no attribute {name!r}")
        from assay import api

        value = globals()[name] = getattr(api, name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
