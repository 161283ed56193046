"""The house: imports go down the list of rooms and never in a circle, and doors are light.

CONTRIBUTING.md has the same list in words. What is imported inside of functions counts as well, and
what is imported for type checkers alone.
"""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Each room and what it may import, besides itself: only rooms above it.
ALLOWED: dict[str, set[str]] = {
    "settings": set(),
    "storage": {"settings"},
    "problems": {"settings", "storage"},
    "sandbox": set(),
    "selection": {"settings", "problems"},
    "pools": {"settings", "storage", "problems", "sandbox", "selection"},
    "generator": {"settings", "storage", "problems", "sandbox", "pools"},
    "verifier": {
        *("settings", "storage", "problems", "sandbox", "selection", "pools", "generator"),
    },
    "evaluation": {
        *("settings", "storage", "problems", "sandbox", "selection", "pools", "generator"),
    },
}
ALLOWED["search"] = {*ALLOWED}
ALLOWED["planning"] = {*ALLOWED}
HEAVY = (
    *("torch", "transformers", "sympy", "matplotlib", "datasets", "reasoning_gym", "pandas"),
    *("pyarrow", "scipy", "sklearn", "omegaconf", "fsspec", "httpx2"),
)
# These import by name what is no module of ours, or what a command's name stands for.
IMPORTS_BY_NAME = {"assay/command_line.py", "sandbox/preload.py"}


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    """`assay.selection.rules` for selection/rules.py."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(parts if parts[0] == "assay" else ("assay", *parts))
    return name.removesuffix(".__init__")


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


FILES = {room: sorted((ROOT / room).rglob("*.py")) for room in ALLOWED}
# assay/ holds links to the rooms, too.
LIBRARY = [*(path for files in FILES.values() for path in files), *(ROOT / "assay").glob("*.py")]
MODULES = {name_of(path) for path in LIBRARY}
EVERYWHERE = [*LIBRARY, *(path for top in ("scripts", "tests") for path in (ROOT / top).rglob("*"))]
EVERYWHERE = [path for path in EVERYWHERE if path.suffix == ".py"]


def named(tree: ast.AST, modules: set[str] = MODULES) -> Iterator[str]:
    """What import statements name: of `from a.b import c` `a.b.c` where that is of `modules`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            for alias in node.names:
                inner = f"{module}.{alias.name}"
                yield inner if inner in modules else module


def ours(path: Path) -> set[str]:
    return {name for name in named(tree_of(path)) if name in MODULES}


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """One circle of each knot of modules that import each other."""
    graph, found = {**graph}, []
    while True:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            circle = error.args[1]
            found.append(circle)
            # Its first step is taken out, to see whether there is another.
            graph[circle[1]] = graph[circle[1]] - {circle[0]}
            continue
        return found


@pytest.mark.parametrize("room", ALLOWED)
def test_rooms_import_only_rooms_above_them(room):
    assert FILES[room]
    allowed = {f"assay.{name}" for name in (*ALLOWED[room], room)}
    wrong = {
        f"{shown(path)} imports {name}"
        for path in FILES[room]
        for name in named(tree_of(path))
        if name.split(".")[0] == "assay" and ".".join(name.split(".")[:2]) not in allowed
    }
    assert not wrong


def test_the_list_of_rooms_is_whole():
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages - {"tests"} == {*ALLOWED, "assay"}
    for room, above in ALLOWED.items():
        assert above <= {*ALLOWED} - {room}
    assert not circles(ALLOWED)
    for page in ("README.md", "CONTRIBUTING.md"):
        table = re.findall(r"^\| `(\w+)/` \|", (ROOT / page).read_text(encoding="utf-8"), re.M)
        assert [name for name in table if name in ALLOWED] == [*ALLOWED]
    for room in ALLOWED:
        docstring = ast.get_docstring(tree_of(ROOT / room / "__init__.py")) or ""
        assert all(f"{word}: " in docstring for word in ("In", "Out", "Never here")), room


def test_no_files_import_each_other_in_a_circle():
    graph = {name_of(path): ours(path) for path in LIBRARY}
    assert not [" → ".join(reversed(circle)) for circle in circles(graph)]


def test_no_scripts_import_each_other_in_a_circle():
    paths = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for path in (ROOT / "scripts").rglob("*.py")
    }
    graph = {}
    for name, path in paths.items():
        imported = {*named(tree_of(path), {*paths})}
        # By their name alone, too, from files of the same folder.
        beside = {f"{name.rpartition('.')[0]}.{other}" for other in imported}
        graph[name] = (imported | beside) & {*paths}
    assert not [" → ".join(reversed(circle)) for circle in circles(graph)]
    assert "scripts.gpu.campaign_stages" in graph["scripts.gpu.campaign"]
    assert "scripts.pretrain_tiny.story" in graph["scripts.pretrain_tiny.corpus"]


def test_circles_are_found():
    straight = {"a": {"b", "c"}, "b": {"c"}, "c": set()}
    assert circles(straight) == []
    assert len(circles({**straight, "c": {"a"}})) > 0
    assert circles({"a": {"b"}, "b": {"a"}}) in ([["a", "b", "a"]], [["b", "a", "b"]])


def test_nothing_is_imported_by_the_name_of_its_room_alone():
    # Code in strings, too, as tests give it to other processes.
    code = re.compile(
        rf"(?:^|[;\n])\s*(?:import|from)\s+(?:\w+, )*(?:{'|'.join(ALLOWED)})(?:[.;,\s]|$)"
    )
    wrong = set()
    for path in EVERYWHERE:
        tree = tree_of(path)
        # A relative import begins with a dot.
        found = [name for name in named(tree) if name.split(".")[0] in {*ALLOWED, ""}]
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found += code.findall(node.value)
        wrong |= {f"{shown(path)}: {name}" for name in found}
    assert not wrong


def test_modules_are_imported_by_statements():
    """A command's module is named in assay/commands.py; everywhere else an import says what."""
    modules = {name for name in MODULES if name.count(".") > 1}
    wrong = set()
    for path in set(LIBRARY) - {ROOT / "assay" / "commands.py"}:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func).split(".")[-1]
                if called in ("import_module", "__import__") and shown(path) not in IMPORTS_BY_NAME:
                    wrong.add(f"{shown(path)}:{node.lineno} {ast.unparse(node)}")
            elif isinstance(node, ast.Constant) and node.value in modules:
                wrong.add(f"{shown(path)}:{node.lineno} {node.value}")
    assert not wrong


@pytest.mark.parametrize("room", ["assay", *(f"assay.{room}" for room in ALLOWED)])
def test_a_rooms_door_imports_nothing_heavy(room):
    code = f"import json, sys, {room}; print(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert json.loads(done.stdout) == []


def test_code_in_strings_imports_what_there_is():
    """Such code, which tests and docs give to other processes, is seen by no linter."""
    statement = re.compile(r"\b(?:from|import) (assay(?:\.\w+)+)(?: import (\w+))?")
    texts = {path: path.read_text(encoding="utf-8") for path in EVERYWHERE}
    texts |= {path: path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md")}
    wrong = {
        f"{shown(path)}: {found[0]}"
        for path, text in texts.items()
        for found in statement.finditer(text)
        if not is_there(found[1], found[2])
    }
    assert not wrong


def is_there(module: str, name: str | None) -> bool:
    if module not in MODULES or name is None:
        return module in MODULES
    path = ROOT.joinpath(*module.split(".")[1:])
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if module.count(".") == 1 and not path.is_file():
        path = ROOT / "assay" / path.name
    inside = re.search(rf"\b{name}\b", path.read_text(encoding="utf-8"))
    return f"{module}.{name}" in MODULES or inside is not None
