"""The command `assay fetch`: a model, or the small solver with all that it consists of.

    assay fetch small-solver
    assay fetch smollm2-135m-instruct

The folder appears when all of it is there.
"""

from __future__ import annotations

from pathlib import Path

from assay.generator import fetch
from assay.generator.fetch import FetchConfig
from assay.search.solving import small_solver

__all__ = ["FetchConfig", "run"]


def run(config: FetchConfig) -> None:
    """`assay fetch`."""
    if config.name != small_solver.NAME:
        fetch.run(config)
        return
    path = small_solver.install(Path(config.to or small_solver.HOME))
    print(f"small solver ready in {path}")
    if path == small_solver.HOME:
        print('  assay solve "QUESTION" goes by it from here on')
    else:
        print(f'  assay solve "QUESTION" generator={path / "generator"}')
