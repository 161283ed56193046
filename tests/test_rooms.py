"""The house: imports go one way only, no circle of files, and a room's door is light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Each room and what it may import, besides itself. In this order, each imports only rooms above it.
ALLOWED = {
    "settings": set(),
    "storage": {"settings"},
    "problems": {"settings", "storage"},
    "sandbox": set(),
    "selection": {"problems", "settings"},
    "pools": {"settings", "storage", "problems", "sandbox", "selection"},
    "generator": {"problems", "sandbox", "pools", "settings", "storage"},
    "verifier": {
        *("settings", "storage", "problems", "sandbox", "selection", "pools", "generator"),
    },
    "evaluation": {
        *("settings", "storage", "problems", "sandbox", "selection", "pools", "generator"),
    },
}
ALLOWED["search"] = {*ALLOWED}
ALLOWED["planning"] = {*ALLOWED}
HEAVY = ("torch", "transformers", "sympy", "matplotlib", "datasets", "reasoning_gym", "pandas")
FILES = {room: sorted((ROOT / room).rglob("*.py")) for room in ALLOWED}


def module_of(path: Path) -> str:
    parts = ("assay", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


MODULES = {module_of(path): path for files in FILES.values() for path in files}


def imported(path: Path) -> set[str]:
    """The modules of ours that a file imports anywhere in it, also inside of functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in MODULES else node.module)
    return {name for name in found if name.split(".")[0] == "assay"}


@pytest.mark.parametrize("room", ALLOWED)
def test_rooms_import_only_downward(room):
    assert FILES[room]
    allowed = ALLOWED[room] | {room}
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in FILES[room]
        for name in imported(path)
        if [*name.split("."), ""][1] not in allowed
    }
    assert not wrong


def test_nothing_is_imported_by_the_name_of_its_room_alone():
    everywhere = [
        path for folder in (*ALLOWED, "scripts", "tests") for path in (ROOT / folder).rglob("*.py")
    ]
    wrong = set()
    for path in everywhere:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            wrong |= {f"{path.relative_to(ROOT)}: {n}" for n in names if n.split(".")[0] in ALLOWED}
    assert not wrong


@pytest.mark.parametrize("room", [*(f"assay.{room}" for room in ALLOWED), "assay"])
def test_a_rooms_door_imports_nothing_heavy(room):
    code = f"import sys, {room}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "[]"
