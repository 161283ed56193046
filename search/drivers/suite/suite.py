"""`assay evaluate-suite`: MAmmoTH's nine evaluation sets, decoded as in the paper, beside its rows.

    assay evaluate-suite data=FOLDER generator=PATH_OR_HUB_ID
    assay evaluate-suite data=FOLDER generator=… verifier=PATH modes.cot=16 modes.pot=16
    assay evaluate-suite --show-sets

A driver over the stages: for each set a run with one greedy solution in words and one greedy
program of each problem, OUTPUT/SET (Yue et al. 2023, arXiv 2309.05653), and, where `modes` asks for
samples, a second run with those, OUTPUT/SET-votes. What is finished stays; any command that takes a
run takes these.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from assay.generator.engines import EngineConfig, SamplingParams
from assay.generator.models import ModelConfig, resolve
from assay.generator.shapes import known_model
from assay.pools.run import Run
from assay.problems.problem import MODES
from assay.problems.sets import ProblemsConfig, load_problems
from assay.problems.shots import FewShotConfig
from assay.sandbox import Limits
from assay.search.drivers.suite.published import PublishedRow, named, nearest
from assay.search.drivers.suite.results import SetResult, SuiteResult, set_result
from assay.search.drivers.suite.sets import SUITE, sets_table
from assay.search.drivers.suite.table import markdown, table
from assay.search.stages.grade import GradeConfig, grade
from assay.search.stages.sample import Engines, SampleConfig, sample
from assay.search.stages.score import Scorers, ScoreStageConfig, score, verifier_name
from assay.selection.names import count
from assay.selection.request import EvaluateConfig, check_config
from assay.settings.errors import UserError
from assay.storage.files import atomic_file, write_json
from assay.storage.places import local_folder
from assay.verifier.config import ScoreConfig

__all__ = ["SuiteConfig", "problems_of", "run", "suite"]


@dataclass
class SuiteConfig:
    """What `assay evaluate-suite` reads."""

    output: str = "runs/suite"
    """folder of the sets' runs, and of suite.md, suite.csv and suite.json"""
    data: str = ""
    """a folder that holds gsm8k.jsonl, math.jsonl, …, or a hub data set that has a configuration of
    each set's name with a split test; rows of id, question, answer, options"""
    sets: list[str] = field(default_factory=list)
    """sets to evaluate; empty = all nine (--show-sets lists them)"""
    problems: dict[str, ProblemsConfig] = field(default_factory=dict)
    """sets that lie elsewhere: name -> problems, as in assay sample"""
    limit: int = 0
    """number of problems to take from each set; 0 = all"""
    shuffle: bool = True
    """with a limit, take problems at random (the files are sorted by subject), not the first"""
    seed: int = 0
    """seed of that choice"""
    generator: ModelConfig = field(default_factory=lambda: ModelConfig(name=""))
    """a folder or hub id"""
    prompt: FewShotConfig = field(default_factory=lambda: FewShotConfig(form="auto"))
    """form auto: the one that the generator was made for, else its chat template, else alpaca"""
    modes: dict[str, int] = field(default_factory=dict)
    """samples of each problem that vote, by mode, for example {cot: 16, pot: 16}; empty = no votes,
    only the greedy decodings"""
    sampling: SamplingParams = field(default_factory=SamplingParams)
    """the temperature applies to the samples that vote"""
    engine: EngineConfig = field(default_factory=EngineConfig)
    limits: Limits = field(default_factory=Limits)
    """limits on each program"""
    verifier: ModelConfig = field(default_factory=lambda: ModelConfig(name=""))
    """a verifier's folder or hub id, for the samples that vote; empty = majority only"""
    scoring: ScoreConfig = field(default_factory=ScoreConfig)
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    problems_per_part: int = 0
    """problems per part, the unit of resuming; 0 = enough for about 512 samples"""
    workers: int = 0
    """local processes for sampling and scoring; 0 = one per core on a CPU, one on a GPU"""
    published: list[str] = field(default_factory=list)
    """models of the paper to stand beside ours, for example [MAmmoTH-13B, MAmmoTH-Coder-13B];
    empty = those nearest in size to the generator"""
    report: bool = False
    """also write each run's report page, which suite.md then links to"""
    show_sets: bool = False
    """only list the sets, how each is prompted and how answers are extracted"""
    json: bool = False
    """print everything as JSON instead of the tables"""
    csv: bool = False
    """print a row per set and decoding as CSV instead of the tables"""


def run(config: SuiteConfig) -> None:
    """`assay evaluate-suite`: prints the tables and writes suite.md, suite.csv and suite.json."""
    if config.show_sets:
        print(sets_table())
        return
    output = local_folder(config.output, "output")
    result = suite(config)
    content = result.to_dict()
    pages = _reports(config, result) if config.report else {}
    write_json(output / "suite.json", content)
    with atomic_file(output / "suite.md") as stream:
        stream.write(markdown(result, pages))
    csv = result.frame().to_csv(index=False)
    with atomic_file(output / "suite.csv") as stream:
        stream.write(csv)
    if config.json:
        print(json.dumps(content, indent=2, ensure_ascii=False))
    elif config.csv:
        print(csv, end="")
    else:
        print(table(result))
        print(f"\nwritten to {output / 'suite.md'}, suite.csv and suite.json")


def suite(config: SuiteConfig) -> SuiteResult:
    """Samples, grades and scores what is missing, and evaluates every set asked for.

    Raises `UserError` for a key that does not fit, and where a set's run was made with other
    settings.
    """
    names = _names(config)
    _check(config, names)
    greedy: dict[str, Run] = {}
    votes: dict[str, Run] = {}
    engines = Engines()
    for place, name in enumerate(names, start=1):
        start = time.monotonic()
        greedy[name] = _graded(config, name, engines, votes=False)
        if config.modes:
            votes[name] = _graded(config, name, engines, votes=True)
        size = count(len(greedy[name].problems), "problem")
        _say(f"[{place}/{len(names)}] {name}: {size}, {time.monotonic() - start:.0f} s")
    # Generator and verifier need not fit into memory together.
    engines.release()
    verifier = ""
    if config.verifier.name:
        scorers = Scorers()
        for name, opened in votes.items():
            scoring = _scoring(config, opened)
            verifier = verifier_name(scoring)
            votes[name] = score(scoring, scorers)
    results: list[SetResult] = [
        set_result(name, greedy[name], votes.get(name), config.evaluate, verifier) for name in names
    ]
    settings = config.evaluate
    return SuiteResult(
        _label(config.generator), results, settings.bootstrap, settings.seed, _beside(config)
    )


def _names(config: SuiteConfig) -> list[str]:
    """The sets asked for, in the paper's order."""
    for name in (*config.sets, *config.problems):
        if name not in SUITE:
            raise UserError(f"sets: {name}: expected some of {', '.join(SUITE)}")
    return [name for name in SUITE if name in (config.sets or SUITE)]


def _check(config: SuiteConfig, names: list[str]) -> None:
    if not config.generator.name:
        raise UserError("generator: expected a folder or hub id, generator=PATH_OR_HUB_ID")
    elsewhere = [name for name in names if name not in config.problems]
    if elsewhere and not config.data:
        raise UserError(
            f"data: expected a folder that holds {elsewhere[0]}.jsonl, or a hub data set; "
            f"or problems.{elsewhere[0]}=FILE.jsonl"
        )
    for mode, samples in config.modes.items():
        if mode not in MODES or samples < 1:
            raise UserError(f"modes.{mode}={samples}: expected cot or pot, and 1 or more samples")
    if config.modes and config.sampling.temperature == 0:
        raise UserError("sampling.temperature=0: samples that vote would all be the same")
    if config.verifier.name and not config.modes:
        raise UserError("verifier: it scores samples; ask for some, modes={cot: 16, pot: 16}")
    if config.evaluate.n or config.evaluate.verifier:
        raise UserError("evaluate.n, evaluate.verifier: all samples vote, by the verifier given")
    named(config.published)
    config.sampling.check()
    check_config(config.evaluate)
    # All are looked for before the first one is sampled for hours.
    for name in names:
        load_problems(problems_of(config, name))
    if config.verifier.name:
        resolve(config.verifier.name)


def problems_of(config: SuiteConfig, name: str) -> ProblemsConfig:
    """Where a set's problems are, and how many of them to take."""
    problems = config.problems.get(name)
    if problems is None:
        is_hub = config.data.count("/") == 1 and not Path(config.data).expanduser().exists()
        problems = ProblemsConfig(name="jsonl", path=config.data, split=name)
        if is_hub:
            problems = ProblemsConfig(name="hub", path=config.data, config=name, split="test")
    if config.limit:
        problems = dataclasses.replace(
            problems, limit=config.limit, shuffle=config.shuffle, seed=config.seed
        )
    return dataclasses.replace(problems, convention=problems.convention or name)


def _graded(config: SuiteConfig, name: str, engines: Engines, *, votes: bool) -> Run:
    """One run of a set, sampled and graded: the greedy candidates, or those that vote."""
    path = str(Path(config.output) / (f"{name}-votes" if votes else name))
    greedy = dataclasses.replace(config.sampling, temperature=0.0)
    sample(
        SampleConfig(
            run=path,
            problems=problems_of(config, name),
            generator=config.generator,
            prompt=config.prompt,
            modes=config.modes if votes else dict.fromkeys(MODES, 1),
            sampling=config.sampling if votes else greedy,
            engine=config.engine,
            problems_per_part=config.problems_per_part,
            workers=config.workers,
        ),
        engines,
    )
    return grade(GradeConfig(run=path, limits=config.limits))


def _beside(config: SuiteConfig) -> list[PublishedRow]:
    """The paper's rows asked for, else those of the models nearest in size to the generator."""
    if config.published:
        return named(config.published)
    try:
        return nearest(known_model(config.generator).size.total)
    except UserError:  # of a family whose shape is not known
        return nearest(None)


def _scoring(config: SuiteConfig, opened: Run) -> ScoreStageConfig:
    return ScoreStageConfig(
        run=str(opened.path),
        verifier=config.verifier,
        scoring=config.scoring,
        workers=config.workers,
    )


def _reports(config: SuiteConfig, result: SuiteResult) -> dict[str, str]:
    """Writes the report of each set's last run; its page by set, relative to the output."""
    from assay.evaluation.report.report import report_run

    pages = {}
    for one in result.sets:
        path = Path(one.runs.get("votes") or one.runs["greedy"])
        report_run(Run.open(path), config.evaluate, title=f"{result.label}: {path.name}")
        pages[one.name] = f"{path.name}/report/index.html"
    return pages


def _label(model: ModelConfig) -> str:
    """What a generator is called in tables: the last two names of its path."""
    parts = [part for part in re.split(r"[/\\]", model.name) if part not in ("", ".", "..")]
    return "/".join(parts[-2:])


def _say(line: str) -> None:
    """Progress goes to stderr: standard output may be read as JSON."""
    print(line, file=sys.stderr, flush=True)
