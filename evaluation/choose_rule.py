"""`assay choose-rule`: which rule to use, by held-out problems, and how sure its answers are.

    assay choose-rule runs/held output=runs/choice.json
    assay choose-rule runs/held n=16 rules=[majority,weighted] scorers=[ranker]

What it writes is what `assay solve` goes by (`evaluation/choice.py`). The run must be of problems
that neither the generator nor what scores was trained on, sampled as it will be in use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from assay.evaluation.choice import (
    FILE,
    Choice,
    UsedScorer,
    choice_of,
    conditions_of,
    modes_of,
    write_choice,
)
from assay.evaluation.of_run import open_run, unfinished
from assay.evaluation.terminal import SIGNED, WIDE, interval_cell, table_footer
from assay.pools.frame import load_frame
from assay.pools.run import Run
from assay.selection.choosing import ChooseConfig, choose_rule
from assay.selection.confidence import LEVELS, fit_confidence
from assay.selection.curves import Mix
from assay.selection.names import MODE_WORDS, count
from assay.selection.pool import PoolArrays
from assay.selection.request import sizes_of
from assay.settings.errors import UserError
from assay.settings.schema import fields_of
from assay.storage.places import place

__all__ = ["ChooseRuleConfig", "choice_table", "choose_for_run", "run"]

LABELS = 34  # the column of rules' names


@dataclass
class ChooseRuleConfig(ChooseConfig):
    """What `assay choose-rule` reads."""

    run: str = ""
    """a graded run of held-out problems, scored by what may be used"""
    output: str = ""
    """file to write; empty = choice.json beside the run's folder, where `assay solve` looks for it
    if the generator lies there too"""
    modes: str = ""
    """cot | pot | both: what the candidates are of; empty = both where the run has both"""
    json: bool = False
    """print the record instead of the table"""


def run(config: ChooseRuleConfig) -> None:
    """`assay choose-rule`: prints the table and writes the record."""
    opened = open_run(config.run)
    if not config.output and not isinstance(opened.path, Path):
        raise UserError(f"output: expected a file; the run is at {opened.path}")
    output = place(config.output or str(Path(str(opened.path)).parent / FILE))
    choice = choose_for_run(opened, fields_of(ChooseConfig, config), config.modes)
    write_choice(output, choice)
    if config.json:
        print(output.read_text(encoding="utf-8"), end="")
        return
    print(choice_table(choice))
    print(f"\nchoice written to {output}")


def choose_for_run(opened: Run, config: ChooseConfig, modes: str = "") -> Choice:
    """Chooses by a graded run. Raises `UserError` as `choose_rule` does, and for a mixture."""
    if opened.record["stages"].get("candidates", {}).get("members"):
        raise UserError(f"{opened.path}: is a mixture, which `assay solve` cannot sample from")
    left_out = {**unfinished(opened), **_of_other_pools(opened, config.n)}
    pool = PoolArrays.from_frame(load_frame(opened), left_out)
    if not pool.labelled.any():
        raise UserError(f"{opened.path}: no candidate has a label; a rule is chosen by labels")
    mix = _mix(pool, modes, opened)
    try:
        chosen = choose_rule(pool, config, mix)
    except UserError as error:
        raise UserError(f"{opened.path}: {error}") from error
    held = pool.take(chosen.rows)
    fitted = {
        spec: fit_confidence(held, spec, mix, chosen.n, chosen.weights, config.seed)
        for spec in chosen.table
    }
    candidates = opened.record["stages"]["candidates"]
    return choice_of(
        chosen,
        fitted,
        conditions_of(opened.key("candidates"), chosen.n, modes_of(mix)),
        {
            "run": opened.path.name,
            "problems": len(held.problem_ids),
            "hash": opened.record["problems"],
            "candidates": int(sizes_of(held)[mix]),
            "set": (candidates["config"].get("problems") or {}).get("name", ""),
        },
        _scorers(opened, {spec.scorer for spec in chosen.table} - {""}),
        asdict(config),
    )


def _of_other_pools(opened: Run, n: int) -> dict[str, str]:
    """The rankers whose scores depend on how many candidates there are, where those are not n."""
    found = {}
    held = {part.mode: part.end for part in opened.parts("answers")}
    for name in opened.verifiers():
        about = opened.record["stages"][f"scores/{name}"]["config"].get("about") or {}
        size = int(about.get("pool_size", 0))
        if size and not (sum(held.values()) == (n or sum(held.values())) == size):
            found[name] = f"they hold for pools of {size} candidates, which n and the run must be"
    return found


def _mix(pool: PoolArrays, modes: str, opened: Run) -> Mix:
    known: dict[str, Mix] = {"cot": "cot", "pot": "pot", "both": "both"}
    if modes and modes not in known:
        raise UserError(f"modes={modes}: expected cot, pot or both")
    there = sizes_of(pool)
    if modes and modes not in there:
        raise UserError(f"modes={modes}: {opened.path} has {' and '.join(there)} alone")
    return known[modes] if modes else list(there)[-1]


def _scorers(opened: Run, names: set[str]) -> dict[str, UsedScorer]:
    """Whose scores these are, from what the run's stages were registered with."""
    stages = opened.record["stages"]
    configs = {name: stages[f"scores/{name}"]["config"] for name in opened.verifiers()}
    return {
        name: UsedScorer(
            _path(config),
            opened.key(f"scores/{name}"),
            {read: _path(configs[own]) for read, own in config.get("reads", {}).items()},
        )
        for name, config in configs.items()
        if name in names
    }


def _path(config: Mapping[str, Any]) -> str:
    """The verifier's or ranker's folder; empty where it is not known (imported scores)."""
    for key in ("ranker", "verifier"):
        named = config.get(key) or ""
        path = named.get("name", "") if isinstance(named, Mapping) else named
        if path:
            return str(path)
    return ""


def choice_table(choice: Choice) -> str:
    """Every rule's accuracy and difference to the majority, the choice, and its confidence."""
    ruler = "  " + "─" * (LABELS + WIDE + SIGNED)
    halves = " + ".join(MODE_WORDS[mode] for mode in choice.modes)
    problems = count(int(choice.held_out["problems"]), "held-out problem")
    lines = [
        f"  {problems} · {count(choice.n, 'candidate')} each ({halves})",
        "  accuracy in % [95 % interval over problems]",
        "",
        f"  {'':<{LABELS}}{' accuracy':<{WIDE}} − majority",
        ruler,
    ]
    for rated in choice.rules:
        mark = "▸" if rated.spec == choice.chosen.spec else " "
        label = f"{mark}{rated.spec.label(choice.n)}"
        first = rated is choice.majority
        lead = "" if first else interval_cell(rated.difference, "+")
        lines.append(f" {label:<{LABELS + 1}}{interval_cell(rated.accuracy)}{lead}".rstrip())
    lines += [ruler, *_chosen_lines(choice), "", *_confidence_lines(choice)]
    return "\n".join([*lines, *table_footer(None, _notes(choice))])


def _chosen_lines(choice: Choice) -> list[str]:
    best = choice.chosen
    lead = interval_cell(best.difference, "+")
    if best.spec == choice.majority.spec:
        return [f"  chosen: {best.spec.label(choice.n)}"]
    cells = f"{interval_cell(best.accuracy)}{lead}".rstrip()
    return [
        f"  chosen: {best.spec.label(choice.n)}",
        f"  {'by cross-fitting':<{LABELS}}{cells}",
    ]


def _confidence_lines(choice: Choice) -> list[str]:
    """What the chosen rule's confidence is worth, and what abstaining gains."""
    told = choice.chosen.calibration
    brier, error = told.brier, told.error
    levels = "".join(f"{100 * level:>6.0f} %" for level in LEVELS)
    rows = {
        "answered, in %": [100 * share for share, _ in told.covered],
        "right of these, in %": [100 * right for _, right in told.covered],
    }
    return [
        "  confidence that an answer is right (by cross-fitting)",
        f"  {f'Brier score (constant: {told.base:.3f})':<{LABELS}}{_small(brier)}",
        f"  {'calibration error':<{LABELS}}{_small(error)}",
        f"  {'min_confidence':<{LABELS - 6}}{levels}",
        *(
            f"  {label:<{LABELS - 6}}"
            + "".join("       –" if x != x else f"{x:>8.1f}" for x in row)
            for label, row in rows.items()
        ),
    ]


def _small(found: Any) -> str:
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def _notes(choice: Choice) -> list[str]:
    if choice.chosen.spec == choice.majority.spec:
        return ["no other rule is ahead by more than chance"]
    return []
