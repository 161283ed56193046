"""The stage `sample`: a generator writes candidates for every problem of a run.

    assay sample run=runs/demo problems=my.jsonl generator=PATH_OR_HUB_ID modes.cot=16 modes.pot=16

Each sample's random numbers derive from (seed, problem id, mode, sample index), in a mixture also
from its origin: the same pool comes out whatever the order of the parts, the number of workers or
of machines, and however often it was interrupted; a run can be widened at any time by asking for
more samples, and by further members of a mixture (`search/stages/mixture.py`).
"""

from __future__ import annotations

import dataclasses
import gc
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from assay.generator.candidates import asked_modes, sample_candidates
from assay.generator.engines import Engine, EngineConfig, SamplingParams, make_engine
from assay.generator.engines.factory import identity
from assay.generator.flops import model_shape
from assay.generator.models import ModelConfig, fingerprint
from assay.pools.rows import candidates_table
from assay.pools.run import Part, Run, Shard
from assay.problems.problem import Problem
from assay.problems.prompts import PromptConfig, Prompter, Shots
from assay.problems.sets import ProblemsConfig, load_problems
from assay.problems.shots import FewShotConfig, choose_shots
from assay.search.launch.config import StageConfig
from assay.search.launch.devices import gpu_shares, workers_for
from assay.search.launch.launchers import Launched, launch
from assay.search.launch.work import Do, Report, Work
from assay.search.stages.mixture import Origin, origins_of, prompt_of
from assay.settings.errors import UserError
from assay.settings.schema import as_dict, fields_of

__all__ = ["Engines", "SampleConfig", "prompt_of", "run", "sample"]


@dataclass
class SampleConfig(StageConfig):
    """What `assay sample` reads."""

    problems: ProblemsConfig = field(default_factory=ProblemsConfig)
    generator: ModelConfig = field(default_factory=ModelConfig)
    prompt: FewShotConfig = field(default_factory=lambda: FewShotConfig(form="auto"))
    """form auto: the one that the generator was made for, else its chat template, else alpaca"""
    modes: dict[str, int] = field(default_factory=lambda: {"cot": 8, "pot": 8})
    """samples per problem in each mode; asking for more later adds to the run"""
    sampling: SamplingParams = field(default_factory=SamplingParams)
    engine: EngineConfig = field(default_factory=EngineConfig)
    mixture: dict[str, Any] = field(default_factory=dict)
    """several origins in one pool: name -> its own settings of generator, prompt, modes, sampling
    and engine, for example '{cool: {}, hot: {sampling: {temperature: 1.0}}}'"""
    problems_per_part: int = 0
    """problems per part, the unit of resuming and of sharding; 0 = the number that the run was
    begun with; for a new run, enough for about 512 samples per part"""
    workers: int = 0
    """number of local processes; 0 = one per core on a CPU, one on a GPU"""


def run(config: SampleConfig) -> str | None:
    """`assay sample`; returns the id of the Slurm job that does it, if one does."""
    launched = _launch(config)
    if launched.awaited:
        opened = launched.run
        count = len(opened.parts("candidates"))
        print(f"{count} parts of candidates in {opened.path / 'candidates'}")
    return launched.job


class Engines:
    """Keeps the engine used last, so that consecutive users of one model load it once.

    A process that it is sent to starts without an engine.
    """

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._loaded: tuple[ModelConfig, EngineConfig] | None = None

    def get(self, origin: Origin) -> Engine:
        """The engine of an origin, loaded unless it is the one used last."""
        if self._engine is None or self._loaded != _model(origin):
            self.release()
            self._engine = make_engine(origin.engine, origin.generator)
            self._loaded = _model(origin)
        return self._engine

    def release(self) -> None:
        """Drops the engine, so that two models need not fit into memory."""
        self._engine = None
        gc.collect()

    def __reduce__(self) -> tuple[type[Engines], tuple[()]]:
        return Engines, ()


def sample(
    config: SampleConfig,
    engines: Engines | None = None,
    problems: Sequence[Problem] | None = None,
) -> Run:
    """Adds the samples that the run lacks; existing ones are kept.

    With Slurm it returns once the job is submitted. `engines` keeps the engine from one call to the
    next, where this process itself samples; `problems` are those that `config.problems` describes,
    which are loaded where they are not given. Raises `UserError` where the run was made with other
    settings, naming them.
    """
    return _launch(config, engines, problems).run


def _launch(
    config: SampleConfig,
    engines: Engines | None = None,
    problems: Sequence[Problem] | None = None,
) -> Launched:
    return launch("sample", config, partial(_remaining, config, engines, problems))


def _remaining(
    config: SampleConfig, engines: Engines | None, problems: Sequence[Problem] | None
) -> tuple[Run, list[Work]]:
    """Makes or opens the run, registers the stage and says what of it is left to do."""
    _check(config)
    origins = origins_of(fields_of(Origin, config), config.mixture)
    problems = load_problems(config.problems) if problems is None else problems
    shots = {
        name: choose_shots(origin.prompt, config.problems, asked_modes(origin.modes))
        for name, origin in origins.items()
    }
    opened = Run.open_or_create(config.run, problems)
    origins = {name: _with_confidence(origin, opened, name) for name, origin in origins.items()}
    size = part_size(config, origins, opened)
    _register(opened, dataclasses.replace(config, problems_per_part=size), origins, shots)
    asked = [
        part
        for name in _by_model(origins)
        for part in opened.wanted_parts(origins[name].modes, size, name)
    ]
    missing = opened.missing("candidates", asked, Shard.parse(config.shard))
    sampled = list(origins.values())
    workers, devices, gpus = _hardware(config.workers, sampled) if missing else (1, [], 0)
    work = Work(
        missing,
        open_worker,
        (config.run, opened.record, size, origins, shots, engines or Engines()),
        total=sum(len(opened.slice(part, size)) * (part.end - part.first) for part in missing),
        description="sample",
        workers=workers,
        devices=devices,
        gpus=gpus,
    )
    return opened, [work]


def _hardware(workers: int, origins: Sequence[Origin]) -> tuple[int, list[str], int]:
    """Local processes, the GPUs that each of them sees, and the GPUs that one of them takes."""
    gpus = max(origin.engine.gpus for origin in origins)
    shared = all(origin.engine.gpus and origin.generator.device == "auto" for origin in origins)
    devices = gpu_shares("auto", gpus) if shared else []
    counts = [
        # Of such an engine one process keeps a CPU busy, whatever its number of cores.
        max(1, len(devices))
        if origin.engine.one_process
        else workers_for(0, origin.generator.device, gpus)
        for origin in origins
    ]
    return workers or min(counts), devices, gpus


def _shape(origin: Origin) -> dict[str, Any] | None:
    """The generator's shape as `Run.register` takes it; `None` where it is not known."""
    # Servers do not tell their model's shape; the tokenizer's model has it, where one was named.
    if origin.engine.name == "server" and origin.generator.name == "embedded":
        return None
    shape = model_shape(origin.generator)
    return shape.to_dict() if shape else None


def _check(config: SampleConfig) -> None:
    if not config.run:
        raise UserError("run: expected the folder of the run, for example run=runs/demo")
    if config.problems_per_part < 0:
        raise UserError(f"problems_per_part={config.problems_per_part}: expected 0 (auto) or more")


def _with_confidence(origin: Origin, opened: Run, name: str) -> Origin:
    """The origin with `sampling.confidence` decided: as asked, as begun, or as its engine has it.

    Runs of versions without it were begun without it.
    """
    if origin.sampling.confidence is not None:
        return origin
    begun = opened.origin_key("candidates", name)
    recorded = (
        origin.engine.records_confidence
        if begun is None
        else bool(begun.get("sampling", {}).get("confidence"))
    )
    sampling = dataclasses.replace(origin.sampling, confidence=recorded)
    return dataclasses.replace(origin, sampling=sampling)


def _by_model(origins: Mapping[str, Origin]) -> list[str]:
    """The names of the origins, those of one model together: a worker then loads it once."""
    models = [_model(origin) for origin in origins.values()]
    return sorted(origins, key=lambda name: models.index(_model(origins[name])))


def _model(origin: Origin) -> tuple[ModelConfig, EngineConfig]:
    return origin.generator, origin.engine


def _register(
    opened: Run,
    config: SampleConfig,
    origins: Mapping[str, Origin],
    shots: Mapping[str, Shots | None],
) -> None:
    if config.mixture:
        opened.register_mixture(config.problems_per_part, as_dict(config))
    # All are checked before the first one is sampled for hours.
    for name, origin in origins.items():
        key = sampling_key(origin, shots[name], config.problems_per_part)
        settings = (
            origin
            if name
            else dataclasses.replace(config, prompt=origin.prompt, sampling=origin.sampling)
        )
        opened.register("candidates", key, as_dict(settings), name, partial(_shape, origin))


def part_size(config: SampleConfig, origins: Mapping[str, Origin], opened: Run) -> int:
    """Problems in one part: as asked, as the run was begun, or enough for `batch_samples`.

    An engine's batch runs empty at the end of each part, so small parts are slow; large ones lose
    more to a kill. Raises `UserError` where the run has parts of another size.
    """
    if "candidates" in opened.record["stages"]:
        begun = int(opened.key("candidates")["problems_per_part"])
        if config.problems_per_part in (0, begun):
            return begun
        if opened.has_parts("candidates"):
            raise UserError(
                f"{opened.path}: candidates were made with other settings (problems_per_part: "
                f"{begun} there, {config.problems_per_part} asked for)"
            )
    if config.problems_per_part:
        return config.problems_per_part
    most = max(1, *(count for origin in origins.values() for count in origin.modes.values()))
    return max(1, round(max(batch_samples(o.engine) for o in origins.values()) / most))


def batch_samples(engine: EngineConfig) -> int:
    """Samples to give an engine at once, many times what it writes at the same time."""
    return max(512, 8 * engine.at_once)


def sampling_key(config: Origin, shots: Shots | None, problems_per_part: int) -> dict[str, Any]:
    """Everything that changes samples. The number of samples does not: it only adds parts."""
    return {
        "generator": fingerprint(config.generator),
        "prompt": _prompt_key(config.prompt, shots),
        "sampling": config.sampling.key(),
        **identity(config.engine),
        "dtype": config.generator.dtype,
        "problems_per_part": problems_per_part,
    }


def _prompt_key(prompt: FewShotConfig, shots: Shots | None) -> dict[str, Any]:
    """The prompt form and, where there are any, the examples: by content, wherever they lie."""
    key = as_dict(fields_of(PromptConfig, prompt))
    if shots is not None:
        key |= {
            "shots": prompt.shots,
            "shots_seed": prompt.shots_seed,
            "shots_annotations": prompt.shots_annotations,
            "shots_digest": shots.digest(),
        }
    return key


def open_worker(
    path: str,
    record: dict[str, Any],
    size: int,
    origins: Mapping[str, Origin],
    shots: Mapping[str, Shots | None],
    engines: Engines,
) -> Do:
    """Returns what samples one part; a generator is loaded when the first of its parts comes."""
    opened = Run.open(path, record)

    def do(part: Part, report: Report) -> None:
        origin = origins[part.origin]
        engine = engines.get(origin)
        start = time.perf_counter()
        prompter = Prompter(origin.prompt, engine.tokenizer, shots[part.origin])
        problems = opened.slice(part, size)
        candidates = []
        counts = {part.mode: part.end - part.first}
        for candidate in sample_candidates(
            engine, prompter, problems, counts, origin.sampling, part.first, part.origin
        ):
            candidates.append(candidate)
            report(1, candidate.tokens)
        order = {problem.id: i for i, problem in enumerate(problems)}
        candidates.sort(key=lambda c: (order[c.problem_id], c.sample))
        table = candidates_table(candidates)
        opened.write("candidates", part, table, time.perf_counter() - start)

    return do
