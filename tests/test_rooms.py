"""The house: imports go one way only, and a room's door is light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = {
    "problems": set(),
    "sandbox": set(),
    "generator": {"problems", "sandbox"},
    "verifier": {"problems", "sandbox", "generator"},
    "search": {"problems", "sandbox", "generator", "verifier"},
}
HEAVY = ("torch", "transformers", "sympy", "matplotlib", "datasets", "reasoning_gym", "pandas")


def imported_rooms(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found & {*ALLOWED, "assay"}


@pytest.mark.parametrize("room", ALLOWED)
def test_rooms_import_only_downward(room):
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    wrong = {
        f"{path.relative_to(ROOT)} imports {', '.join(sorted(extra))}"
        for path in files
        if (extra := imported_rooms(path) - ALLOWED[room] - {room})
    }
    assert not wrong


@pytest.mark.parametrize("room", [*ALLOWED, "assay"])
def test_a_rooms_door_imports_nothing_heavy(room):
    code = f"import sys, {room}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "[]"
