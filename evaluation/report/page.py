"""Runs as one HTML page: opens from disk, asks nothing of the network.

    run = PageRun("test", evaluation, settings, problems)
    write_page(Path("report/index.html"), "GSM8K", [run])

Tables stand in the HTML; curves and the list of problems are drawn by a small script. A problem's
candidates are deflated (`evaluation/report/problem.py`) and read when the problem is opened: from a
block in the page, where all is small, else from a folder beside it. There each block is a script
that registers itself, because a page opened from disk may load scripts but not fetch files.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from assay.evaluation.report.axes import AXES
from assay.evaluation.report.problem import choosing_rules, describe, pack
from assay.evaluation.report.sections import (
    accuracy,
    curves,
    differences,
    groups,
    run_settings,
    scores,
)
from assay.selection.evaluate import Evaluation
from assay.selection.names import RULE_LABELS
from assay.storage.files import atomic_file
from assay.storage.places import Place

__all__ = ["Page", "PageRun", "write_page"]

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = ("base.js", "charts.js", "curves.js", "findings.js", "problems.js")
SINGLE = 5_000_000  # bytes of candidates up to which they stand in the page itself
BLOCK = 300_000  # bytes of candidates that are loaded together


@dataclass(frozen=True)
class PageRun:
    """One run on the page.

    `settings` are shown as given, one group for each key that holds a mapping; `seconds` is the
    time spent, by stage. `problems` (read once) have `id`, `question`, `answer` (or None) and
    `candidates`, each with `mode`, `sample`, `text`, `answer` (or None), `answer_class` (−1: none),
    `label` (or None), and where known `outcome`, `output`, `message` (of a program), `origin`,
    `score` (by the evaluation's verifier), and `values` with `starts` and `ends`: the value at each
    token and the token's place in `text`. Nulls of pandas are understood. `importance` are rows of
    a ranker's features (`name`, `features`, `drop`, `error`), where one made the scores.
    """

    name: str
    evaluation: Evaluation
    settings: Mapping[str, Any]
    problems: Iterable[Mapping[str, Any]]
    seconds: Mapping[str, float] = field(default_factory=dict)
    importance: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Page:
    """What was written: the page, and the folder of its data (`None`: all is in the page)."""

    path: Place
    data: Path | None
    bytes: int
    data_bytes: int

    def __str__(self) -> str:
        size = f"{self.path} ({_size(self.bytes)}"
        if self.data is None:
            return f"{size}, one file)"
        return f"{size}, and {_size(self.data_bytes)} beside it in {self.data.name}/)"


def write_page(
    path: Path | str,
    title: str,
    runs: Sequence[PageRun],
    *,
    candidates: int = 0,
    single: bool | None = None,
) -> Page:
    """Writes the page to `path`, whole or not at all.

    `candidates` is how many of each problem it shows (0 = all; votes and choices are of all).
    `single` puts everything into the one file; by default where it stays below 5 MB. Otherwise the
    candidates lie in `data-HASH/` beside the page; data of an earlier page is removed.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    lists = [_describe(run, candidates) for run in runs]
    blocks = {
        f"{number}-{index}": _script_json(packed)
        for number, each in enumerate(lists)
        for index, packed in enumerate(each.blocks)
    }
    size = sum(map(len, blocks.values()))
    if single is None:
        single = size <= SINGLE
    folder = None if single or not blocks else _write_blocks(target.parent, blocks)
    data = {"folder": folder.name if folder else "", **_data(runs, lists)}
    page = _render(title, runs, data, {} if folder else blocks)
    # Sampled text may hold half a surrogate pair, which UTF-8 cannot.
    encoded = page.encode("utf-8", errors="replace")
    with atomic_file(target, "wb") as stream:
        stream.write(encoded)
    for old in target.parent.glob("data-*"):
        if old != folder and old.is_dir() and re.fullmatch(r"data-[0-9a-f]{12}", old.name):
            shutil.rmtree(old)
    return Page(target, folder, len(encoded), size if folder else 0)


@dataclass(frozen=True)
class _List:
    """A run's list of problems, and their packed details in blocks that are loaded together."""

    lines: list[dict[str, Any]]
    blocks: list[list[str]]


def _describe(run: PageRun, candidates: int) -> _List:
    found = _List([], [])
    room = 0
    for problem in run.problems:
        line, detail = describe(problem, run.evaluation, candidates)
        packed = pack(detail)
        if len(packed) > room:
            found.blocks.append([])
            room = BLOCK
        room -= len(packed)
        found.blocks[-1].append(packed)
        found.lines.append(line)
    return found


def _data(runs: Sequence[PageRun], lists: Sequence[_List]) -> dict[str, Any]:
    """What the script reads at once: curves, and a line for each problem."""
    index: dict[str, int] = {}
    problems: list[list[Any]] = []
    told = []
    for run, each in zip(runs, lists, strict=True):
        for line in each.lines:
            if line["id"] not in index:
                index[line["id"]] = len(problems)
                problems.append([line["id"], line["question"], line["answer"]])
        rules = choosing_rules(run.evaluation)
        starts = np.cumsum([0, *map(len, each.blocks)])[:-1].tolist()
        told.append(
            {
                "name": run.name,
                "rules": rules,
                "onRequest": [
                    rule for rule in run.evaluation.rules if rule not in run.evaluation.drawn
                ],
                "panels": curves.panels(run.evaluation),
                "difficulty": groups.difficulty(run.evaluation),
                "calibration": scores.calibration(run.evaluation),
                "over": scores.over_optimisation(run.evaluation),
                "places": [index[line["id"]] for line in each.lines],
                "starts": starts,
                "share": [line["share"] for line in each.lines],
                "agreed": [line["agreed"] for line in each.lines],
                "right": {
                    rule: "".join(_MARKS[line["right"][rule]] for line in each.lines)
                    for rule in rules
                },
            }
        )
    halves = all(run.evaluation.shares_modes for run in runs)
    return {
        "labels": RULE_LABELS,
        "axes": AXES,
        "halves": halves,
        "runs": told,
        "problems": problems,
    }


_MARKS = {True: "1", False: "0", None: "?"}


def _write_blocks(parent: Path, blocks: Mapping[str, str]) -> Path:
    """A folder of scripts, one a block, named by their content; it is there whole or not at all."""
    scripts = {
        f"problems-{key}.js": f"assayBlock({json.dumps(key)},{text});\n"
        for key, text in blocks.items()
    }
    digest = hashlib.sha256()
    for name, text in scripts.items():
        digest.update(f"{name}\n{text}".encode())
    folder = parent / f"data-{digest.hexdigest()[:12]}"
    if folder.is_dir() and {file.name for file in folder.iterdir()} == set(scripts):
        return folder
    with tempfile.TemporaryDirectory(prefix=".data-", dir=parent) as made:
        inside = Path(made) / folder.name
        inside.mkdir()
        for name, text in scripts.items():
            (inside / name).write_text(text, encoding="ascii")
        shutil.rmtree(folder, ignore_errors=True)
        inside.replace(folder)
    return folder


def _render(
    title: str, runs: Sequence[PageRun], data: Mapping[str, Any], blocks: Mapping[str, str]
) -> str:
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pairs = [(run.name, run.evaluation) for run in runs]
    resamples = runs[0].evaluation.config.bootstrap
    script = "\n".join((TEMPLATES / name).read_text(encoding="utf-8") for name in SCRIPTS)
    return environment.get_template("page.html.jinja").render(
        title=title,
        runs=[
            {
                "name": run.name,
                "facts": accuracy.facts(run.evaluation, run.seconds),
                "notes": run.evaluation.notes,
                "settings": run_settings.settings_groups(run.settings),
            }
            for run in runs
        ],
        tables=accuracy.accuracy_tables(pairs),
        shares_modes=all(each.shares_modes for _, each in pairs),
        meanings=accuracy.rule_meanings(pairs),
        curve_tables=curves.curve_tables(pairs),
        to_majority=differences.forest(differences.differences_to_majority(pairs), resamples),
        equal_flops=differences.forest(differences.at_equal_flops(pairs), resamples),
        difference_tables=differences.difference_tables(pairs),
        between_runs=differences.forest(differences.between_runs(pairs), resamples),
        difficulty_tables=groups.group_tables(pairs, "difficulty"),
        origin_tables=groups.group_tables(pairs, "origin"),
        quality=scores.quality_table(pairs),
        over=scores.over_rows(pairs),
        importance=[
            {"name": run.name, "rows": scores.importance_rows(run.importance)}
            for run in runs
            if run.importance
        ],
        differing=run_settings.differing_settings([run.settings for run in runs]),
        folder=data["folder"],
        data=Markup(_script_json(data)),
        blocks=[(key, Markup(text)) for key, text in blocks.items()],
        has_problems=bool(data["problems"]),
        style=Markup((TEMPLATES / "page.css").read_text(encoding="utf-8")),
        script=Markup(f'"use strict";\n(() => {{\n{script}}})();\n'),
    )


def _script_json(value: Any) -> str:
    """JSON that can stand in a <script> block: no text in it can end the block."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
