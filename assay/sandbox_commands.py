"""The commands of the sandbox: its layers, programs from files, and its hostile suite.

    assay sandbox
    assay sandbox run programs/*.py limits.cpu_seconds=5
    assay sandbox run candidates.jsonl key=code output=outcomes.jsonl
    assay sandbox check

What programs printed is shown with its control characters escaped: a terminal obeys those.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.evaluation.terminal import printable
from assay.pools.progress import progress_bar
from assay.sandbox import STATUSES, Limits, Outcome, Sandbox, capabilities
from assay.sandbox.check import Verdict, check, unmet
from assay.sandbox.hostile import ATTACKS, Attack
from assay.sandbox.layers import LAYERS
from assay.settings.errors import UserError
from assay.storage.files import atomic_file
from assay.storage.jsonl import read_jsonl
from assay.storage.places import local_folder

__all__ = [
    "CheckConfig",
    "LayersConfig",
    "ProgramsConfig",
    "Source",
    "conclusion",
    "read_sources",
    "run_check",
    "run_layers",
    "run_programs",
]

WIDTH = 100
# More are counted and written to a file, not listed.
MOST_ROWS = 40


@dataclass
class LayersConfig:
    """What `assay sandbox` reads."""

    require: list[str] = field(default_factory=list)
    """layers that must be active, for example [seccomp,landlock]; else exit code 2"""
    json: bool = False
    """print the layers as JSON, {name: active}"""


@dataclass
class ProgramsConfig:
    """What `assay sandbox run` reads."""

    files: list[str] = field(default_factory=list)
    """FILE.py; FILE.jsonl, a program a line; or - for standard input"""
    key: str = "program"
    """in a JSONL file: the field that holds the program"""
    output: str = ""
    """JSONL file to write, an outcome a line; empty = only printed"""
    show: bool = False
    """print everything that each program printed"""
    limits: Limits = field(default_factory=Limits)
    """limits on each program"""
    require: list[str] = field(default_factory=list)
    """isolation layers without which no program is run, for example [seccomp,landlock]"""
    workers: int = 0
    """programs to run in parallel; 0 = one per core"""


@dataclass
class CheckConfig:
    """What `assay sandbox check` reads."""

    kinds: list[str] = field(default_factory=list)
    """only attacks of these kinds, for example [time,network]; empty = all"""
    require: list[str] = field(default_factory=list)
    """isolation layers without which nothing is run, for example [seccomp,landlock]"""


# The layers


def run_layers(config: LayersConfig) -> None:
    """`assay sandbox`: which layers of isolation hold here, and what that means."""
    if config.require:
        Sandbox(workers=1, require=tuple(config.require)).close()
    active = capabilities()
    if config.json:
        print(json.dumps(active))
        return
    rows = [(name, "yes" if on else "no", LAYERS.get(name, "")) for name, on in active.items()]
    print("\n".join(_table(("layer", "active", "what it does"), rows)))
    print(f"\n{conclusion(active)}")


def conclusion(active: Mapping[str, bool], attacks: Sequence[Attack] = ATTACKS) -> str:
    """One line: full isolation, or what is missing and what programs could do therefore."""
    missing = ", ".join(name for name, on in active.items() if not on)
    if not missing:
        return "full isolation: every layer is active"
    free = unmet(dict(active), attacks)
    if not free:
        return f"isolated: {missing} missing here, but the other layers forbid the same"
    kinds = ", ".join(dict.fromkeys(attack.kind for attack in free))
    return (
        f"not fully isolated: {missing} missing here, without which {len(free)} of the "
        f"{len(attacks)} attacks of `assay sandbox check` are not contained ({kinds})"
    )


# Programs from files


@dataclass(frozen=True)
class Source:
    """A program and where it stands: `line` from 1 in a JSONL file, else `None`.

    `identity` is the row's `id`, where it has one.
    """

    file: str
    line: int | None
    identity: Any
    program: str

    @property
    def name(self) -> str:
        """As it is shown."""
        return self.file if self.line is None else f"{self.file}:{self.line}"


def run_programs(config: ProgramsConfig) -> None:
    """`assay sandbox run`: runs programs from files, prints and writes their outcomes."""
    sources = read_sources(config.files, config.key)
    with contextlib.ExitStack() as stack:
        stream = None
        if config.output:
            # Opened first: that it cannot be written should be known before an hour of programs.
            _check_output(config)
            stream = stack.enter_context(atomic_file(Path(config.output)))
        pairs = list(zip(sources, outcomes_of(sources, config), strict=True))
        if stream is not None:
            stream.writelines(_record(*pair) for pair in pairs)
    print("\n".join(_shown(pairs) if config.show else _outcome_table(pairs)))
    print(f"\n{_total([outcome for _, outcome in pairs])}")
    if config.output:
        print(f"outcomes written to {config.output}")


def _check_output(config: ProgramsConfig) -> None:
    path = local_folder(config.output, "output")
    if path.is_dir():
        raise UserError(f"output={path}: expected a file, found a folder")
    above = next(parent for parent in path.absolute().parents if parent.exists())
    if not above.is_dir():
        raise UserError(f"output={path}: {above} is a file, not a folder")
    if path.exists() and any(f != "-" and path.samefile(f) for f in config.files):
        raise UserError(f"output={path}: would overwrite a file of programs")


def outcomes_of(sources: Sequence[Source], config: ProgramsConfig) -> list[Outcome]:
    """What running each gave, in order, with a bar."""
    outcomes: dict[int, Outcome] = {}
    with (
        Sandbox(config.workers or None, config.limits, tuple(config.require)) as sandbox,
        progress_bar(len(sources), "run", " programs") as progress,
    ):
        for index, outcome in sandbox.stream([source.program for source in sources]):
            outcomes[index] = outcome
            progress.update(1)
    return [outcomes[index] for index in range(len(sources))]


def read_sources(files: Sequence[str], key: str) -> list[Source]:
    """The programs in files, in order. Raises `UserError` naming the file and the line."""
    if not files:
        raise UserError("files: expected at least one of FILE.py, FILE.jsonl and -")
    if files.count("-") > 1:
        raise UserError("-: standard input can be read only once")
    sources = [source for file in files for source in _sources(file, key)]
    if not sources:
        raise UserError(f"{', '.join(files)}: no programs")
    return sources


def _sources(file: str, key: str) -> Iterator[Source]:
    if file == "-":
        yield Source("-", None, None, _decoded(sys.stdin.buffer.read(), "standard input"))
    elif Path(file).is_dir():
        raise UserError(f"{file}: expected files, found a folder; give {file.rstrip('/')}/*.py")
    elif file.endswith(".jsonl"):
        for number, row in read_jsonl(file):
            where = f"{file}, line {number}"
            if key not in row:
                held = ", ".join(row) or "(none)"
                raise UserError(f"{where}: no field {key!r}; found {held} (key= names it)")
            if not isinstance(row[key], str):
                raise UserError(f"{where}: expected a text in {key!r}, found {row[key]!r:.40}")
            yield Source(file, number, row.get("id"), row[key])
    else:
        try:
            data = Path(file).read_bytes()
        except OSError as error:
            raise UserError(f"{file}: cannot be read ({error.strerror})") from error
        yield Source(file, None, None, _decoded(data, file))


def _decoded(data: bytes, where: str) -> str:
    try:
        # A byte-order mark is none of the program's text.
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{where}: not UTF-8 text ({error.reason})") from error


def _record(source: Source, outcome: Outcome) -> str:
    row: dict[str, Any] = {"file": source.file}
    if source.line is not None:
        row["line"] = source.line
    if source.identity is not None:
        row["id"] = source.identity
    row |= {
        "outcome": outcome.status,
        "output": outcome.output,
        "message": outcome.message,
        "seconds": outcome.seconds,
    }
    # In ASCII, so that whatever a program printed can be written.
    return json.dumps(row) + "\n"


def _outcome_table(pairs: Sequence[tuple[Source, Outcome]]) -> list[str]:
    rows = [
        (_tail(source.name, 36), outcome.status, f"{outcome.seconds:.3f}", _told(outcome))
        for source, outcome in pairs[:MOST_ROWS]
    ]
    lines = _table(("program", "outcome", "seconds", "last line or message"), rows)
    if len(pairs) > MOST_ROWS:
        lines.append(f"  … and {len(pairs) - MOST_ROWS:,} more (output=FILE.jsonl keeps them all)")
    return lines


def _told(outcome: Outcome) -> str:
    """The last line that a program printed, or what went wrong."""
    if outcome.status != "ok":
        return outcome.message
    return next((line for line in reversed(outcome.output.split("\n")) if line.strip()), "")


def _shown(pairs: Sequence[tuple[Source, Outcome]]) -> Iterator[str]:
    for number, (source, outcome) in enumerate(pairs):
        if number:
            yield ""
        message = f"  {printable(outcome.message)}" if outcome.message else ""
        yield f"── {source.name}  {outcome.status}  {outcome.seconds:.3f} s{message}"
        yield from (f"   {printable(line)}".rstrip() for line in outcome.output.splitlines())


def _total(outcomes: Sequence[Outcome]) -> str:
    counts = Counter[str](outcome.status for outcome in outcomes)
    each = ", ".join(f"{counts[status]:,} {status}" for status in STATUSES if counts[status])
    seconds = sum(outcome.seconds for outcome in outcomes)
    noun = "program" if len(outcomes) == 1 else "programs"
    return f"{len(outcomes):,} {noun}: {each} · {seconds:.1f} s of CPU time"


# The hostile suite


def run_check(config: CheckConfig) -> int:
    """`assay sandbox check`; returns the exit code, 1 where an attack was not contained."""
    attacks = attacks_of(config.kinds)
    verdicts = []
    with progress_bar(len(attacks), "check", " attacks") as progress:
        for verdict in check(attacks, tuple(config.require)):
            verdicts.append(verdict)
            progress.update(len(verdicts) <= len(attacks))
    rows = [_verdict_row(verdict) for verdict in verdicts]
    print("\n".join(_table(("kind", "attack", "outcome", "contained"), rows)))
    escaped = [verdict for verdict in verdicts if not verdict.contained]
    wrong = [verdict for verdict in escaped if verdict.problem]
    if wrong:
        print("\nnot contained:")
        print("\n".join(line for verdict in wrong for line in _evidence(verdict)))
    print(f"\n{conclusion(capabilities())}")
    print(f"{len(verdicts) - len(escaped)} of {len(verdicts)} contained")
    return 1 if escaped else 0


def attacks_of(kinds: Sequence[str]) -> list[Attack]:
    """The attacks of these kinds; "plain" is all of "plain: …"."""
    known = dict.fromkeys(attack.kind for attack in ATTACKS)
    groups = {kind.partition(":")[0] for kind in known}
    for kind in kinds:
        if kind not in {*known, *groups}:
            raise UserError(f"kinds={kind}: expected some of {', '.join(known)}")
    return [
        attack
        for attack in ATTACKS
        if not kinds or attack.kind in kinds or attack.kind.partition(":")[0] in kinds
    ]


def _verdict_row(verdict: Verdict) -> tuple[str, str, str, str]:
    outcome = verdict.outcome.status if verdict.outcome else ""
    if verdict.missing:
        return verdict.kind, verdict.name, "not run", f"no (needs {verdict.missing})"
    return (
        verdict.kind,
        verdict.name,
        outcome,
        f"no ({verdict.problem})" if verdict.problem else "yes",
    )


def _evidence(verdict: Verdict) -> Iterator[str]:
    """All that the table has no room for."""
    yield f"  {verdict.kind}, {verdict.name}: {printable(verdict.problem)}"
    if verdict.outcome is not None:
        told = printable(_told(verdict.outcome))
        yield f"    {verdict.outcome.status}: {told[: WIDTH - 20]}"


# Tables for the terminal


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines at most `WIDTH` wide: columns as wide as they need, the last one cut."""
    cells = [tuple(head), *(tuple(printable(cell) for cell in row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head) - 1)]
    left = sum(widths) + 2 * len(widths) + 2
    lines = []
    for row in cells:
        last = row[-1]
        if len(last) > WIDTH - left:
            last = last[: max(1, WIDTH - left - 1)] + "…"
        padded = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)]
        lines.append(("  " + "  ".join([*padded, last])).rstrip())
    return [lines[0], "  " + "─" * (WIDTH - 2), *lines[1:]]


def _tail(text: str, width: int) -> str:
    """The end of a text, which of a path says more than its beginning."""
    return text if len(text) <= width else "…" + text[1 - width :]
