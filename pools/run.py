"""A run on disk: a folder of Parquet parts that can be killed, resumed, sharded and widened.

The key idea: a *part* is a fixed slice of the problems, one mode, and a slice of the samples. It is
written to a temporary file, flushed and renamed, so it exists whole or not at all. A stage turns
part i of its input into part i of its output and does only the parts that are missing. Resuming,
adding workers, adding machines (`shard=i/m`) and asking for more samples are then the same thing.

    runs/NAME/
      run.json                 each stage's key, resolved configuration and package versions
      revisions/               those of run.json, by which several commands may register at once
      problems.jsonl
      candidates/part-00000.cot.00000-00016.parquet …
      answers/part-00000.cot.00000-00016.parquet …
      scores/VERIFIER/part-00000.cot.00000-00016.parquet …
      report/

What changes a stage's result is its *key*. A run that was made under another key is refused and the
differing fields are named. Every part carries the hash of its key, a digest of its rows and the
digest of the part it was made from; one that is truncated, foreign or out of date is named and done
again, the others stay. Candidates of a mixture come from several *origins* (other temperatures,
other checkpoints), each with a key of its own; its name is in the names of its parts.

    run = Run.open_or_create("runs/demo", problems)
    run.register("candidates", key={...}, config={...})
    for part in run.missing("candidates", run.wanted_parts({"cot": 16}, problems_per_part=8)):
        run.write("candidates", part, table, seconds=1.5)
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assay.pools.footers import Footers
from assay.pools.record import change_record, create_record, read_record
from assay.problems.problem import Problem, problem_lines, read_problems
from assay.settings.errors import UserError
from assay.storage.files import atomic_file, create_file, differences
from assay.storage.parquet import read_table
from assay.storage.places import Place, file_sizes, place

if TYPE_CHECKING:
    import pyarrow

__all__ = ["ORIGIN", "Part", "Run", "Shard", "key_hash", "versions"]

ORIGIN = re.compile(r"[A-Za-z0-9_-]+")
"""What a member of a mixture may be called."""
_WHO = ("launcher", "ray", "shard", "slurm", "workers")
_PART = re.compile(
    rf"part-(\d{{5,}})(?:\.({ORIGIN.pattern}))?\.(cot|pot)\.(\d{{5,}})-(\d{{5,}})\.parquet"
)


@dataclass(frozen=True, order=True)
class Part:
    """Problems `index * problems_per_part …`, one mode, samples `first … end - 1` of each.

    `origin` is the member of a mixture that sampled them, empty without a mixture.
    """

    index: int
    mode: str
    first: int
    end: int
    origin: str = ""

    @property
    def filename(self) -> str:
        """`part-00003.pot.00016-00064.parquet`, `part-00003.hot.pot.00016-00064.parquet`."""
        kind = f"{self.origin}.{self.mode}" if self.origin else self.mode
        return f"part-{self.index:05d}.{kind}.{self.first:05d}-{self.end:05d}.parquet"

    @classmethod
    def parse(cls, filename: str) -> Part | None:
        """The part that a file's name stands for; `None` where it is not a part's name."""
        match = _PART.fullmatch(filename)
        if match is None:
            return None
        index, origin, mode, first, end = match.groups()
        return cls(int(index), mode, int(first), int(end), origin or "")


@dataclass(frozen=True)
class Shard:
    """`i/m`: of all parts, those of the problem slices i modulo m (i from 0)."""

    index: int = 0
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Reads `"0/4"`; raises `UserError` for anything else."""
        match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
        if match is None or not int(match[1]) < int(match[2]):
            raise UserError(f"shard={text}: expected i/m with 0 <= i < m, for example shard=0/4")
        return cls(int(match[1]), int(match[2]))

    def has(self, part: Part) -> bool:
        """Whether this shard does the part."""
        return part.index % self.count == self.index


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide results."""
    found = {"python": sys.version.split()[0]}
    for name in ("assay", "torch", "transformers", "tokenizers", "numpy", "sympy", "pyarrow"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def key_hash(key: Mapping[str, Any]) -> str:
    """Short hash of a stage's key."""
    text = json.dumps(key, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Run:
    """One run folder. Open it with `Run.open` or `Run.open_or_create`."""

    def __init__(self, path: Place, problems: Sequence[Problem], record: dict[str, Any]) -> None:
        """Use `open` or `open_or_create`: they check what is on disk."""
        self.path = path
        self.problems = list(problems)
        self.record = record
        self._footers = Footers(path)

    @classmethod
    def open(cls, path: str | Place, record: dict[str, Any] | None = None) -> Run:
        """Opens an existing run. Raises `UserError` where the folder is not a run.

        A worker gives the `record` of the command that it works for: what was registered since then
        is none of its settings.
        """
        path = place(path)
        if record is None:
            record = read_record(path)
        problems = read_problems(path / "problems.jsonl")
        if _problems_hash(problems) != record.get("problems"):
            raise UserError(
                f"{path / 'problems.jsonl'}: is not the file that this run was made with; "
                "restore it or start another run"
            )
        return cls(path, problems, record)

    @classmethod
    def open_or_create(cls, path: str | Place, problems: Sequence[Problem]) -> Run:
        """Opens the run at `path`, or makes it with these problems.

        Several may do so at once. Raises `UserError` where a run of other problems, or something
        that is no run, is there.
        """
        path = place(path)
        asked = _problems_hash(problems)
        if not (path / "run.json").exists():
            if not problems:
                raise UserError(f"{path}: a run needs at least one problem")
            if path.exists() and not path.is_dir():
                raise UserError(f"{path}: expected a folder for the run, found a file")
            _create_problems(path / "problems.jsonl", problems, asked)
            create_record(path, asked)
        run = cls.open(path)
        if run.record["problems"] != asked:
            raise UserError(
                f"{path}: holds a run of {len(run.problems)} other problems than the "
                f"{len(problems)} asked for; give another run="
            )
        return run

    # Stages and their keys

    def register(
        self,
        stage: str,
        key: Mapping[str, Any],
        config: Mapping[str, Any],
        origin: str = "",
        shape: Callable[[], Mapping[str, Any] | None] | None = None,
    ) -> None:
        """Declares that `stage` is about to run under `key`; writes key and configuration.

        Each `origin` of candidates has a key of its own. `shape` finds out that of the model at
        work (`ModelShape.to_dict`), which is no part of the key; it may take seconds, and is called
        only where none is registered under the same key. Raises `UserError` naming the differing
        fields where parts of another key are there.
        """
        entry = {"key": _plain(key), "config": _plain(config), "versions": versions()}

        def change(record: dict[str, Any]) -> bool:
            known = _entry(record["stages"], stage, origin)
            model_shape = None
            if known is not None and known["key"] == entry["key"]:
                model_shape = known.get("shape")
            elif known is not None and self.has_parts(stage, origin):
                raise UserError(
                    f"{self.path}: {_what(stage, origin)} were made with other settings "
                    f"({'; '.join(differences(known['key'], entry['key']))})"
                )
            if model_shape is None and shape is not None:
                model_shape = shape()
            new = entry if model_shape is None else {**entry, "shape": _plain(model_shape)}
            if known is not None and _told(known) == _told(new):
                return False
            _enter(record["stages"], stage, origin, new)
            return True

        self.record = change_record(self.path, change)

    def register_mixture(self, problems_per_part: int, config: Mapping[str, Any]) -> None:
        """Declares that candidates come from a mixture, whose members are then registered.

        Parts without an origin, sampled before or after, keep the key that they have.
        """
        known = read_record(self.path)["stages"].get("candidates")
        keep = known is not None and self.has_parts("candidates", "")
        key = known["key"] if keep else {"problems_per_part": problems_per_part}
        self.register("candidates", key, config)

    def key(self, stage: str) -> dict[str, Any]:
        """The key of a registered stage. Raises `UserError` where the stage has not run."""
        entry = _entry(self.record["stages"], stage, "")
        if entry is None:
            raise UserError(f"{self.path}: has no {stage} yet")
        return entry["key"]

    def origin_key(self, stage: str, origin: str) -> dict[str, Any] | None:
        """The key of one origin's candidates, or what was made of them; `None` before they are."""
        entry = _entry(self.record["stages"], stage, origin)
        return None if entry is None else dict(entry["key"])

    def shapes(self, stage: str) -> dict[str, Any]:
        """The shapes of a stage's models by origin, as registered; without those not known."""
        entry = self.record["stages"].get(stage, {})
        entries = {"": entry, **entry.get("members", {})}
        return {origin: each["shape"] for origin, each in entries.items() if "shape" in each}

    def verifiers(self) -> list[str]:
        """Names of the verifiers that scored this run."""
        prefix = "scores/"
        return [s[len(prefix) :] for s in self.record["stages"] if s.startswith(prefix)]

    # Parts

    def wanted_parts(
        self, samples: Mapping[str, int], problems_per_part: int, origin: str = ""
    ) -> list[Part]:
        """The candidate parts that the run must hold to have `samples` per problem and mode.

        Parts that are there already count; only what is missing beyond them is added, so widening
        from 16 to 64 samples adds parts of the samples 16 … 63.
        """
        slices = -(-len(self.problems) // problems_per_part)
        present = [part for part in self.parts("candidates") if part.origin == origin]
        wanted = []
        for index in range(slices):
            for mode, count in samples.items():
                covering = sorted(p for p in present if p.index == index and p.mode == mode)
                end = 0
                for part in covering:
                    if part.first == end:
                        wanted.append(part)
                        end = part.end
                if end < count:
                    wanted.append(Part(index, mode, end, count, origin))
        return wanted

    def parts(self, stage: str, among: Collection[Part] | None = None) -> list[Part]:
        """The valid parts of a stage (of those `among`); others are named on stderr and removed."""
        valid = []
        footers = self._footers.of(stage)
        sources = self._footers.of("candidates") if footers and stage != "candidates" else {}
        for name, footer in footers.items():
            part = Part.parse(name)
            if part is None or (among is not None and part not in among):
                continue
            trouble = self._trouble(stage, part, footer, sources.get(name))
            if trouble is None:
                valid.append(part)
            else:
                path = self.path / stage / name
                print(f"{path}: {trouble}; it will be recomputed", file=sys.stderr)
                path.unlink(missing_ok=True)
        return sorted(valid)

    def missing(self, stage: str, wanted: Iterable[Part], shard: Shard = Shard()) -> list[Part]:
        """The wanted parts of this shard that `stage` does not have yet."""
        present = set(self.parts(stage))
        return [p for p in wanted if p not in present and shard.has(p)]

    def has_parts(self, stage: str, origin: str | None = None) -> bool:
        """Whether there are files of a stage's parts, valid or not; of candidates, of an origin."""
        names = file_sizes(self.path / stage)
        parts = [part for part in map(Part.parse, names) if part is not None]
        if stage == "candidates" and origin is not None:
            parts = [part for part in parts if part.origin == origin]
        return bool(parts)

    def slice(self, part: Part, problems_per_part: int | None = None) -> list[Problem]:
        """The problems of a part."""
        size = problems_per_part or int(self.key("candidates")["problems_per_part"])
        return self.problems[part.index * size : (part.index + 1) * size]

    def _key_hash(self, stage: str, part: Part) -> str | None:
        """Hash of the key that a part must have; `None` for an origin that the run has not."""
        origin = part.origin if stage == "candidates" else ""
        entry = _entry(self.record["stages"], stage, origin)
        return None if entry is None else key_hash(entry["key"])

    def _trouble(
        self,
        stage: str,
        part: Part,
        footer: dict[str, Any] | None,
        source: dict[str, Any] | None,
    ) -> str | None:
        """Why a part of this footer cannot be used, or `None`. `source` is its candidates'."""
        if footer is None:
            return "is truncated or not Parquet"
        if footer.get("key") != self._key_hash(stage, part):
            return "was made with other settings"
        if stage != "candidates" and (
            source is None or footer.get("source") != source.get("digest")
        ):
            return "belongs to other candidates"
        return None

    def read(self, stage: str, part: Part, columns: Sequence[str] | None = None) -> pyarrow.Table:
        """A part's rows, or `columns` of them."""
        return read_table((self.path / stage / part.filename).read_bytes(), columns)

    def write(self, stage: str, part: Part, table: pyarrow.Table, seconds: float) -> None:
        """Writes a part whole: temporary file, flush, rename (in an object store, one put).

        Raises `UserError` where another command has registered other settings in the meantime.
        """
        import pyarrow.parquet

        self._refuse_other_settings(stage, part)
        metadata = {
            "key": self._key_hash(stage, part),
            "digest": _digest(table),
            "seconds": seconds,
        }
        if stage != "candidates":
            source = self._footers.one("candidates", part.filename)
            metadata["source"] = None if source is None else source["digest"]
        table = table.replace_schema_metadata({b"assay": json.dumps(metadata).encode()})
        with atomic_file(self.path / stage / part.filename, "wb") as stream:
            pyarrow.parquet.write_table(table, stream, compression="zstd")

    def _refuse_other_settings(self, stage: str, part: Part) -> None:
        origin = part.origin if stage == "candidates" else ""
        ours = _entry(self.record["stages"], stage, origin)
        now = _entry(read_record(self.path)["stages"], stage, origin)
        if ours is not None and now is not None and ours["key"] != now["key"]:
            lines = "; ".join(differences(now["key"], ours["key"]))
            raise UserError(
                f"{self.path}: another command does {_what(stage, origin)} with other settings "
                f"since this one began ({lines})"
            )

    def seconds(self, stage: str) -> float:
        """Seconds of work that a stage's parts took together, as measured by their workers."""
        footers = self._footers.of(stage)
        return sum(_seconds(footers.get(part.filename)) for part in self.parts(stage))

    def part_seconds(self, stage: str, part: Part) -> float:
        """Seconds that one part took, as measured by its worker; 0 where the part is not there."""
        return _seconds(self._footers.one(stage, part.filename))


def _entry(stages: Mapping[str, Any], stage: str, origin: str) -> dict[str, Any] | None:
    """What run.json holds of a stage, or of one origin of its candidates."""
    entry = stages.get(stage)
    if entry is None or not origin:
        return entry
    return entry.get("members", {}).get(origin)


def _seconds(footer: Mapping[str, Any] | None) -> float:
    return 0.0 if footer is None else float(footer["seconds"])


def _enter(stages: dict[str, Any], stage: str, origin: str, entry: dict[str, Any]) -> None:
    if origin:
        stages[stage].setdefault("members", {})[origin] = entry
        return
    members = stages.get(stage, {}).get("members")
    stages[stage] = entry | ({"members": members} if members else {})


def _what(stage: str, origin: str) -> str:
    return f"{stage} of {origin}" if origin else stage


def _create_problems(path: Place, problems: Sequence[Problem], asked: str) -> None:
    """Writes the problems of a new run; those of another command, in the same moment, stay."""
    try:
        create_file(path, "".join(problem_lines(problems)))
    except FileExistsError:
        if _problems_hash(read_problems(path)) != asked:
            raise UserError(
                f"{path}: holds problems other than the {len(problems)} asked for; give another "
                "run= or delete it"
            ) from None


def _told(entry: Mapping[str, Any]) -> list[Any]:
    """What of an entry is worth writing it anew: not who does the parts.

    Many shards start at once; they must not all write run.json.
    """
    config = {name: value for name, value in entry["config"].items() if name not in _WHO}
    return [entry["key"], config, entry.get("shape")]


def _plain(value: Any) -> Any:
    """The value as JSON gives it back, so that keys compare equal after a round trip."""
    return json.loads(json.dumps(value, ensure_ascii=False, default=str))


def _problems_hash(problems: Sequence[Problem]) -> str:
    text = "\n".join(json.dumps(p.to_dict(), ensure_ascii=False) for p in problems)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _digest(table: pyarrow.Table) -> str:
    """Digest of a table's rows; does not depend on how Parquet compresses them."""
    import pyarrow

    sink = pyarrow.BufferOutputStream()
    plain = table.replace_schema_metadata(None).combine_chunks()
    with pyarrow.ipc.new_stream(sink, plain.schema) as writer:
        writer.write_table(plain)
    return hashlib.sha256(sink.getvalue()).hexdigest()[:32]
