"""The stage `sample`: a generator writes candidates for every problem of a run.

    assay sample run=runs/demo problems=my.jsonl generator=PATH_OR_HUB_ID modes.cot=16 modes.pot=16

Each sample's random numbers derive from (seed, problem id, mode, sample index): the same pool comes
out whatever the order of the parts, the number of workers or of machines, and however often it was
interrupted; a run can be widened at any time by asking for more samples.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generator.engines import Engine, EngineConfig, Request, SamplingParams, make_engine
from generator.models import ModelConfig, fingerprint, load_tokenizer, resolve
from problems.errors import UserError
from problems.problem import MODES, Problem
from problems.prompts import PromptConfig, Prompter
from problems.sets import ProblemsConfig, load_problems
from search.runs import Part, Run, Shard
from search.settings import as_dict
from search.work import Do, Report, cores, do_parts

if TYPE_CHECKING:
    import pyarrow

__all__ = ["Candidate", "SampleConfig", "prompt_of", "run", "sample", "sample_candidates"]


@dataclass
class SampleConfig:
    """What `assay sample` reads."""

    run: str = ""
    """the run's folder"""
    problems: ProblemsConfig = field(default_factory=ProblemsConfig)
    generator: ModelConfig = field(default_factory=ModelConfig)
    prompt: PromptConfig = field(default_factory=lambda: PromptConfig(form="auto"))
    """form auto: the one that the generator was made for, else its chat template, else alpaca"""
    modes: dict[str, int] = field(default_factory=lambda: {"cot": 8, "pot": 8})
    """samples per problem in each mode; asking for more later adds to the run"""
    sampling: SamplingParams = field(default_factory=SamplingParams)
    engine: EngineConfig = field(default_factory=EngineConfig)
    problems_per_part: int = 0
    """problems in one part, the unit of resuming and of sharding; 0 = as the run was begun, at
    first so many that a part has about 512 samples"""
    workers: int = 0
    """local processes; 0 = one a core on a CPU, one on a GPU"""
    shard: str = "0/1"
    """i/m: do the parts i modulo m, so that m machines share a run"""


@dataclass(frozen=True)
class Candidate:
    """One sampled solution. `tokens` counts what was generated, the end token included."""

    problem_id: str
    mode: str
    sample: int
    text: str
    token_ids: list[int]
    tokens: int
    prompt_tokens: int
    logprob: float
    stop: str


def run(config: SampleConfig) -> None:
    """`assay sample`."""
    done = sample(config)
    print(f"{len(done.parts('candidates'))} parts of candidates in {done.path / 'candidates'}")


def sample(config: SampleConfig) -> Run:
    """Brings the run up to the samples asked for; what is there stays.

    Raises `UserError` where the run was made with other settings, naming them.
    """
    config = dataclasses.replace(config, prompt=prompt_of(config.generator, config.prompt))
    _check(config)
    problems = load_problems(config.problems)
    opened = Run.open_or_create(config.run, problems)
    config = dataclasses.replace(config, problems_per_part=part_size(config, opened))
    opened.register("candidates", sampling_key(config), as_dict(config))
    planned = opened.plan(config.modes, config.problems_per_part)
    missing = opened.missing("candidates", planned, Shard.parse(config.shard))
    size = config.problems_per_part
    total = sum(len(opened.slice(part, size)) * (part.end - part.first) for part in missing)
    # Where servers do the work, one process asks them all.
    own_workers = 1 if config.engine.name == "server" else 0
    do_parts(
        missing,
        open_worker,
        (config,),
        workers=workers_for(config.workers or own_workers, config.generator.device),
        total=total,
        description="sample",
    )
    return opened


def _check(config: SampleConfig) -> None:
    if not config.run:
        raise UserError("run: expected the folder of the run, for example run=runs/demo")
    for mode, count in config.modes.items():
        if mode not in MODES:
            raise UserError(f"modes.{mode}: expected one of {', '.join(MODES)}")
        if count < 0:
            raise UserError(f"modes.{mode}={count}: expected a number of samples, 0 or more")
    if config.problems_per_part < 0:
        raise UserError(f"problems_per_part={config.problems_per_part}: expected 0 (auto) or more")


def part_size(config: SampleConfig, opened: Run) -> int:
    """Problems in one part: as asked, as the run was begun, or enough for about 512 samples.

    An engine's batch runs empty at the end of each part, so small parts are slow; large ones lose
    more to a kill. Servers get eight samples for each of the requests that they may have at once.
    """
    if config.problems_per_part:
        return config.problems_per_part
    if "candidates" in opened.record["stages"]:
        return int(opened.key("candidates")["problems_per_part"])
    samples = 512
    if config.engine.name == "server":
        server = config.engine.server
        samples = max(samples, 8 * server.in_flight * len(server.urls))
    return max(1, round(samples / max(1, *config.modes.values())))


def prompt_of(generator: ModelConfig, prompt: PromptConfig) -> PromptConfig:
    """The prompt form to use: as configured; for `auto` the one the generator was made for."""
    if prompt.form != "auto":
        return prompt
    record = Path(resolve(generator.name)) / "assay.json"
    if record.is_file():
        try:
            return PromptConfig(**json.loads(record.read_text(encoding="utf-8"))["prompt"])
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{record}: expected the record of a generator ({error})") from error
    tokenizer = load_tokenizer(generator)
    form = "chat" if getattr(tokenizer, "chat_template", None) else "alpaca"
    return dataclasses.replace(prompt, form=form)


def sampling_key(config: SampleConfig) -> dict[str, Any]:
    """Everything that changes samples. The number of samples does not: it only adds parts."""
    key = {
        "generator": fingerprint(config.generator),
        "prompt": as_dict(config.prompt),
        "sampling": as_dict(config.sampling),
        "engine": config.engine.name,
        "dtype": config.generator.dtype,
        "problems_per_part": config.problems_per_part,
    }
    if config.engine.quantize != "none":
        key["quantize"] = config.engine.quantize
    if config.engine.name == "server":
        # Which machines serve the model, and how many, may change from one start to the next.
        from generator.engines.connection import model_name

        server = config.engine.server
        key["server"] = {
            "model": model_name(server),
            "api": server.api,
            "extra": server.extra,
        }
    return key


def workers_for(workers: int, device: str) -> int:
    """The number of local processes: as asked, else one on an accelerator and one a core on CPU."""
    if workers:
        return workers
    if device == "auto":
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
    return cores() if device == "cpu" else 1


def open_worker(config: SampleConfig) -> Do:
    """Loads the generator; returns what samples one part."""
    opened = Run.open(config.run)
    engine = make_engine(config.engine, config.generator)
    prompter = Prompter(config.prompt, engine.tokenizer)

    def do(part: Part, report: Report) -> None:
        start = time.perf_counter()
        problems = opened.slice(part, config.problems_per_part)
        candidates = []
        counts = {part.mode: part.end - part.first}
        for candidate in sample_candidates(
            engine, prompter, problems, counts, config.sampling, first=part.first
        ):
            candidates.append(candidate)
            report(1, candidate.tokens)
        order = {problem.id: i for i, problem in enumerate(problems)}
        candidates.sort(key=lambda c: (order[c.problem_id], c.sample))
        table = candidates_table(candidates)
        opened.write("candidates", part, table, time.perf_counter() - start)

    return do


def sample_candidates(
    engine: Engine,
    prompter: Prompter,
    problems: Sequence[Problem],
    modes: Mapping[str, int],
    params: SamplingParams,
    first: int = 0,
) -> Iterator[Candidate]:
    """Yields each problem's candidates as they finish: `modes[mode]` samples from index `first`."""
    asked = [(p, mode) for mode in MODES for p in problems if modes.get(mode, 0) > 0]
    requests = [
        Request(
            prompt_ids=prompter.ids(problem, mode),
            count=modes[mode],
            key=f"{problem.id}/{mode}",
            first=first,
            calculator=params.calculator and mode == "cot",
            messages=prompter.messages(problem, mode),
        )
        for problem, mode in asked
    ]
    for completion in engine.sample(requests, params):
        problem, mode = asked[completion.request]
        yield Candidate(
            problem_id=problem.id,
            mode=mode,
            sample=completion.sample,
            text=prompter.candidate_text(mode, completion.text),
            token_ids=completion.token_ids,
            tokens=len(completion.token_ids) + (completion.stop == "eos"),
            prompt_tokens=len(requests[completion.request].prompt_ids),
            logprob=completion.logprob,
            stop=completion.stop,
        )


def candidates_table(candidates: Sequence[Candidate]) -> pyarrow.Table:
    """The rows of a candidates part."""
    import pyarrow as pa

    schema = pa.schema(
        [
            ("problem_id", pa.string()),
            ("mode", pa.string()),
            ("sample", pa.int32()),
            ("text", pa.string()),
            ("token_ids", pa.list_(pa.int32())),
            ("tokens", pa.int32()),
            ("prompt_tokens", pa.int32()),
            ("logprob", pa.float32()),
            ("stop", pa.string()),
        ]
    )
    rows = [{name: getattr(c, name) for name in schema.names} for c in candidates]
    return pa.Table.from_pylist(rows, schema=schema)
