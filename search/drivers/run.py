"""The whole loop, as one configuration describes it: `assay run CONFIG.yaml`, `assay quickstart`.

    compare training and test questions
    fine-tune the generator            OUTPUT/generator
    sample and grade, for training     OUTPUT/train          (a run)
    train the verifier                 OUTPUT/verifier
    sample, grade and score held-out   OUTPUT/held           (a run; only with held.limit)
    train the ranker on them           OUTPUT/ranker
    choose the rule by them            OUTPUT/choice.json
    sample, grade and score each test  OUTPUT/TEST           (a run each)
    evaluate and report                OUTPUT/TEST/report

Every step is what its own command runs, on the same folders: what is there is kept, so a
loop that was interrupted goes on where it was, and any step can be repeated or changed by hand.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from assay.evaluation.choice import FILE as CHOICE
from assay.evaluation.choice import Choice, write_choice
from assay.evaluation.choose_rule import choice_table, choose_for_run
from assay.evaluation.report import report
from assay.generator.models import ModelConfig
from assay.generator.train import train_generator
from assay.pools.frame import frame_line, load_frame, stage_seconds
from assay.pools.run import Run
from assay.problems.contamination import find_overlaps, told_overlaps
from assay.problems.problem import Problem
from assay.problems.sets import load_problems
from assay.search.drivers.config import LoopConfig, Split, check_loop, held_split, split_of
from assay.search.solving.show import show_one
from assay.search.stages.contamination import evaluation_sets
from assay.search.stages.grade import GradeConfig, grade
from assay.search.stages.sample import SampleConfig, prompt_of, sample
from assay.search.stages.score import ScoreRunConfig, score
from assay.search.stages.train import training_pool
from assay.search.stages.train_ranker import train_ranker
from assay.settings.errors import UserError
from assay.storage.places import local_folder
from assay.verifier.config import TrainVerifierConfig
from assay.verifier.train import train_verifier

__all__ = [
    "LoopConfig",
    "Split",
    "Splits",
    "check_leaks",
    "fine_tune",
    "grade_split",
    "run",
    "sample_split",
    "split_of",
    "verifier_training",
]


def run(config: LoopConfig) -> None:
    """Runs the whole loop, or what is left of it, and prints its table."""
    check_loop(config)
    output = local_folder(config.output, "output")
    splits = Splits(config)
    dropped = check_leaks(config, splits)
    steps = _Steps(_step_count(config))

    generator = steps.do("fine-tune the generator", lambda: fine_tune(config, dropped, splits))
    steps.do("sample for the verifier", lambda: sample_split(config, "train", generator, splits))
    pool = steps.do("run programs and grade", lambda: grade_split(config, "train"))
    verifier, tokens = _verifier(config, pool, generator, dropped, steps)
    runs, sampled = {"train": pool}, {"train": tokens}

    def scored(name: str) -> Run:
        steps.do(f"{name}: sample", partial(sample_split, config, name, generator, splits))
        steps.do(f"{name}: run programs and grade", partial(grade_split, config, name))
        return steps.do(f"{name}: score", partial(_score, config, name, verifier))

    ranker, choice = None, None
    if config.held.limit:
        runs["held"] = scored("held")
        sampled["held"] = _tokens(runs["held"])
        if config.train_ranker:
            ranker = steps.do("train the ranker", partial(_ranker, config, verifier, runs["held"]))
        choice = steps.do("choose the rule", partial(_choose, config))
    for name in config.tests:
        runs[name] = scored(name)
        if ranker:
            runs[name] = steps.do(f"{name}: rank", partial(_rank, config, name, ranker))
    _report(config, output, runs, sampled, choice)
    needed = "" if choice else f" verifier={verifier}"
    print(f'\nsolve:  assay solve generator={generator}{needed} "QUESTION"')


def _tokens(run: Run) -> int:
    """The tokens of a run's candidates."""
    parts = run.parts("candidates")
    return sum(
        sum(run.read("candidates", part, ["tokens"])["tokens"].to_pylist()) for part in parts
    )


def _step_count(config: LoopConfig) -> int:
    ranks = bool(config.held.limit and config.train_ranker)
    held = 4 + ranks if config.held.limit else 0
    return 4 + held + (3 + ranks) * len(config.tests)


def _ranker(config: LoopConfig, verifier: Path, held: Run) -> Path | None:
    """Trains the ranker on the held-out problems, whose scores by it are out of fold.

    `None` where too few of them have right candidates, or wrong ones, for cross-fitting.
    """
    frame = load_frame(held)
    for name, label in (("right", True), ("wrong", False)):
        there = frame.loc[frame["label"].eq(label).fillna(False), "problem_id"].nunique()
        if there < 2 * config.ranker.folds:
            print(f"      no ranker: {there} problems have {name} candidates", flush=True)
            return None
    output = Path(config.output)
    training = dataclasses.replace(
        config.ranker,
        output=str(output / "ranker"),
        pools=[*config.ranker.pools, str(output / "held")],
        verifiers=config.ranker.verifiers or [verifier.name],
        name="ranker",
    )
    return Path(train_ranker(training).path)


def _choose(config: LoopConfig) -> Choice:
    """Chooses the rule by the held-out problems; the record lies beside the models."""
    output = Path(config.output)
    choice = choose_for_run(Run.open(str(output / "held")), config.choose)
    write_choice(output / CHOICE, choice)
    print(choice_table(choice))
    return choice


def _rank(config: LoopConfig, name: str, ranker: Path) -> Run:
    run = str(Path(config.output) / name)
    return score(ScoreRunConfig(run=run, ranker=str(ranker), name="ranker", workers=config.workers))


def _report(
    config: LoopConfig,
    output: Path,
    runs: Mapping[str, Run],
    sampled: dict[str, int],
    choice: Choice | None,
) -> None:
    """Reports every test, what all steps cost, and how one problem is solved.

    `runs` are the pool of the verifier, "train", the held-out one, and the tests; `sampled` the
    tokens of those that are no tests.
    """
    tests = {name: run for name, run in runs.items() if name in config.tests}
    example = ""
    for name, test in tests.items():
        print(f"\n{name}: {len(test.problems)} problems of {config.problems.name}\n")
        frame = load_frame(test, texts=True)
        print(report.report_run(test, config.evaluate, f"{output.name}: {name}", frame))
        sampled[name] = int(frame["tokens"].sum())
        if config.show and not example:
            solved = show_one(test, config.evaluate, frame, choice)
            example = f"\nOne problem of {name}, solved:\n\n{solved}"
    print()
    print(_costs(output, runs, sampled))
    if example:
        print(example)
    for test in tests.values():
        print(f"\nreport: {test.path / 'report' / 'index.html'}", end="")


class Splits:
    """The problems of a loop's splits: each is loaded once, however many steps take it."""

    def __init__(self, config: LoopConfig) -> None:
        self._config = config
        self._loaded: list[tuple[Split, list[Problem]]] = []

    def problems(self, split: Split) -> list[Problem]:
        """The problems of a split. Raises as `load_problems` does."""
        for known, problems in self._loaded:
            if known == split:
                return problems
        problems = load_problems(split_of(self._config, split))
        self._loaded.append((split, problems))
        return problems

    def validation(self) -> list[Problem]:
        """The held-out problems; none without a limit."""
        validation = self._config.validation
        return self.problems(validation) if validation.limit else []


class _Steps:
    """Numbers the steps and prints how long each took."""

    def __init__(self, count: int) -> None:
        self.count, self.number = count, 0

    def do(self, name: str, work: Callable[[], Any]) -> Any:
        self.number += 1
        label = f"[{self.number}/{self.count}] {name}"
        print(f"{label} …", flush=True)
        start = time.monotonic()
        value = work()
        print(f"{label}: {time.monotonic() - start:.0f} s", flush=True)
        return value


def check_leaks(config: LoopConfig, splits: Splits | None = None) -> frozenset[str]:
    """Reports which test and held-out questions occur in training; returns those to leave out.

    `splits` keeps the problems for the steps that come after. There are none to leave out without
    `contamination.drop`. Raises `UserError` where a test holds a question that is trained on too,
    and where leaving out would leave nothing.
    """
    check = config.contamination
    splits = splits or Splits(config)
    train, pool = splits.problems(config.train), splits.problems(config.pool)
    trained = list({p.question: p for p in [*train, *pool, *splits.validation()]}.values())
    sets = {f"tests.{name}": splits.problems(split) for name, split in config.tests.items()}
    held = held_split(config)
    if held is not None:
        _refuse_shared({p.question for p in splits.problems(held)}, sets, "held-out")
        sets = {"held": splits.problems(held), **sets}
    if not check.drop:
        _refuse_shared({p.question for p in trained}, sets, "training", _DROP)
    if check.against:
        sets |= evaluation_sets(check.against, "contamination.against")
    overlaps = find_overlaps(trained, sets, check.n)
    print(told_overlaps(overlaps, trained, sets, check.n), end="", flush=True)
    if not check.drop:
        return frozenset()
    # Questions without any word overlap with nothing, but may be the same.
    same = {p.question for p in trained} & {p.question for items in sets.values() for p in items}
    dropped = frozenset(same.union(overlap.problem.question for overlap in overlaps))
    print(f"  left out of training: {len(dropped):,} problems", flush=True)
    for name, problems in {"train": train, "pool": pool}.items():
        if not _without(problems, dropped):
            raise UserError(f"contamination.drop: every problem of {name} overlaps; none is left")
    return dropped


_DROP = "; contamination.drop=true leaves such ones out of training"


def _refuse_shared(
    others: set[str], tests: Mapping[str, Sequence[Problem]], kind: str, hint: str = ""
) -> None:
    for name, problems in tests.items():
        for problem in problems:
            if problem.question in others:
                raise UserError(f"{name}: {problem.id} is among the {kind} problems{hint}")


def _without(problems: list[Problem], dropped: frozenset[str]) -> list[Problem]:
    return [problem for problem in problems if problem.question not in dropped]


def fine_tune(
    config: LoopConfig, dropped: frozenset[str] = frozenset(), splits: Splits | None = None
) -> Path:
    """Fine-tunes the generator, without the questions `dropped`; returns its folder."""
    splits = splits or Splits(config)
    validation = _without(splits.validation(), dropped)
    training = dataclasses.replace(config.generator, output=str(Path(config.output) / "generator"))
    problems = _without(splits.problems(config.train), dropped)
    return train_generator(training, problems, validation)


def sample_split(
    config: LoopConfig, name: str, generator: Path, splits: Splits | None = None
) -> Run:
    """Samples the candidates of "train", "held" or a test set, into OUTPUT/NAME."""
    split, modes, mixture = config.pool, config.pool_modes, config.pool_mixture
    held = held_split(config)
    if name == "held" and held is not None:
        split, modes, mixture = held, config.held_modes or config.modes, {}
    elif name != "train":
        split, modes, mixture = config.tests[name], config.modes, config.mixture
    return sample(
        SampleConfig(
            run=str(Path(config.output) / name),
            problems=split_of(config, split),
            generator=dataclasses.replace(config.generator.model, name=str(generator), revision=""),
            modes=modes,
            sampling=config.sampling,
            engine=config.engine,
            mixture=mixture,
            problems_per_part=config.problems_per_part,
            workers=config.workers,
        ),
        problems=splits.problems(split) if splits else None,
    )


def grade_split(config: LoopConfig, name: str) -> Run:
    """Grades the candidates of OUTPUT/NAME."""
    return grade(GradeConfig(run=str(Path(config.output) / name), limits=config.limits))


def _verifier(
    config: LoopConfig, pool: Run, generator: Path, dropped: frozenset[str], steps: _Steps
) -> tuple[Path, int]:
    """Trains the verifier; returns its folder and how many tokens were sampled for its training."""
    frame = load_frame(pool, texts=True)
    print(frame_line(frame))
    tokens = int(frame["tokens"].sum())
    data = training_pool([pool], config.generator.rationales.annotations, frames=[frame])
    del frame  # training takes hours, and candidates much memory
    # The pool stays whole: what is dropped decides what is learned from, not what is sampled.
    kept = [item for item in data if item.problem.question not in dropped]
    training = verifier_training(config, generator, Path(config.output) / "verifier")
    return steps.do("train the verifier", lambda: train_verifier(training, kept)), tokens


def verifier_training(config: LoopConfig, generator: Path, output: Path) -> TrainVerifierConfig:
    """The verifier's training, started from `generator` unless the configuration names a base."""
    model = config.verifier.model
    if not model.base.name:
        base = dataclasses.replace(model.base, name=str(generator))
        model = dataclasses.replace(model, base=base)
    prompt = prompt_of(model.base, config.verifier.prompt)
    return dataclasses.replace(config.verifier, model=model, prompt=prompt, output=str(output))


def _score(config: LoopConfig, name: str, verifier: Path) -> Run:
    model = ModelConfig(name=str(verifier), device=config.generator.model.device)
    return score(
        ScoreRunConfig(
            run=str(Path(config.output) / name),
            verifier=model,
            scoring=config.scoring,
            workers=config.workers,
        )
    )


def _costs(output: Path, runs: Mapping[str, Run], sampled: Mapping[str, int]) -> str:
    """What each step of a loop cost: seconds of work over all workers, tokens.

    `sampled` are the tokens of each run's candidates.
    """
    rows: list[tuple[str, float, int]] = []
    for name in ("generator", "verifier"):
        record = _record(output / name)
        rows.append((f"train the {name}", record.get("seconds", 0.0), record.get("tokens", 0)))
    for name, run in runs.items():
        for stage, seconds in stage_seconds(run).items():
            rows.append((f"{name}: {stage}", seconds, sampled[name] if stage == "sample" else 0))
    width = max(len(row[0]) for row in rows)
    lines = [f"  {'cost':<{width}}   worker seconds       tokens   tok/s"]
    for label, seconds, tokens in rows:
        left = f"  {label:<{width}}   {seconds:>14.1f}"
        if tokens:
            left += f"   {tokens:>10,}   {tokens / max(1e-9, seconds):>5.0f}"
        lines.append(left)
    return "\n".join(lines)


def _record(path: Path) -> dict[str, Any]:
    return dict(json.loads((path / "assay.json").read_text(encoding="utf-8")))
