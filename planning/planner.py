"""From configurations to estimates: which stages there are, and how much each has to do.

    planner = Planner(Choices(machine_of("8xH100-80G")))
    stages = planner.loop(LoopConfig(…))
    planner.notes          # what was taken for granted on the way

Numbers of problems and lengths are those of `planning/workload.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from assay.generator.engines import SamplingParams
from assay.generator.models import ModelConfig
from assay.generator.shapes import KnownModel, known_model
from assay.planning.basis import Choices, total_modes
from assay.planning.estimate import StageEstimate, grading_estimate
from assay.planning.inference import Sampling, Scoring, sampling_estimate, scoring_estimate
from assay.planning.memory_keys import generator_keys, verifier_keys
from assay.planning.pools import Pool, pool_of_runs
from assay.planning.trainings import Trainings
from assay.planning.workload import Lengths, problems_in
from assay.problems.sets import ProblemsConfig
from assay.problems.shots import FewShotConfig
from assay.search.drivers.config import LoopConfig, Split, held_split, split_of
from assay.search.drivers.launch import ChainConfig, stage_configs
from assay.search.stages.mixture import Origin, members_of
from assay.search.stages.sample import SampleConfig
from assay.search.stages.score import ScoreRunConfig, by_verifier, verifier_name
from assay.search.stages.train import (
    GeneratorTrainingConfig,
    VerifierTrainingConfig,
    reference_problems,
)
from assay.settings.errors import UserError
from assay.settings.schema import as_dict, fields_of
from assay.verifier.config import ScoreConfig

__all__ = ["Choices", "Planner"]

_SCORED_AT_ONCE = {"cpu": 1024, "gpu": 16384}


class Planner(Trainings):
    """Makes stages of configurations. `notes` collects what they were based on, `warnings` what
    the configuration does that hardly anybody wants.
    """

    def generator(self, config: GeneratorTrainingConfig) -> list[StageEstimate]:
        """`assay train-generator`."""
        keys = generator_keys(config, "")
        problems = reference_problems(config)
        if problems is None:
            problems = ProblemsConfig(name="gsm8k", split="train")
        if config.pools:
            self._note("pools are not read: what is learnt of them comes on top of the references")
        return [self._generator("train generator", config, problems, "problems", keys)]

    def verifier(self, config: VerifierTrainingConfig) -> list[StageEstimate]:
        """`assay train-verifier`; of pools that are not there yet, what `Choices` say."""
        pool = self._pool(config)
        keys = verifier_keys("")
        return [self._verifier(config, known_model(config.model.base), pool, keys)]

    def sample(self, config: SampleConfig) -> list[StageEstimate]:
        """`assay sample`."""
        origin = fields_of(Origin, config)
        asked = (config.problems, "problems")
        return self._sampled("", asked, origin, config.mixture, "keep")

    def chain(self, config: ChainConfig) -> list[StageEstimate]:
        """`assay launch`: what its stages sample, or what the run already holds."""
        configs = stage_configs(config)
        sampled = configs.get("sample")
        if isinstance(sampled, SampleConfig):
            stages = self.sample(sampled)
            origin = fields_of(Origin, sampled)
            modes: Mapping[str, float] = self._modes(origin, sampled.mixture)
            problems: float = problems_in(sampled.problems, "sample.problems")
            lengths = self._lengths(sampled.problems, origin.prompt, "keep")
            lengths = lengths.capped(sampled.sampling.max_new_tokens)
        else:
            pool = self._chosen(pool_of_runs([config.run]))
            modes, problems, lengths = pool.modes, pool.problems, pool.lengths
            stages = [grading_estimate("grade", problems * sum(modes.values()))]
        scored = configs.get("score")
        if isinstance(scored, ScoreRunConfig):
            # A ranker's scores cost next to nothing.
            for one in by_verifier(scored) if not scored.ranker else ():
                name = "score" if one is scored else f"score {verifier_name(one)}"
                model = known_model(one.verifier)
                work = (problems, modes, lengths)
                stages.append(self._score(name, model, one.verifier, work, one.scoring))
        return stages

    def loop(self, config: LoopConfig) -> list[StageEstimate]:
        """`assay run`."""
        annotations = config.generator.rationales.annotations
        train = split_of(config, config.train)
        # The loop trains in one process, which DeepSpeed does not divide.
        keys = dataclasses.replace(generator_keys(config.generator, "generator."), deepspeed="")
        stages = [self._generator("train generator", config.generator, train, "train", keys)]
        pool = split_of(config, config.pool)
        asker = Origin(
            generator=config.generator.model,
            prompt=FewShotConfig(**as_dict(config.generator.prompt)),
            modes=config.pool_modes,
            sampling=config.sampling,
            engine=config.engine,
        )
        stages += self._sampled("pool: ", (pool, "pool"), asker, config.pool_mixture, annotations)
        modes = self._modes(asker, config.pool_mixture)
        verifier = config.verifier
        base = verifier.model.base if verifier.model.base.name else config.generator.model
        model = known_model(base)
        if verifier.prompt.form == "auto":
            verifier = dataclasses.replace(verifier, prompt=config.generator.prompt)
        keys = dataclasses.replace(verifier_keys("verifier."), deepspeed="")
        lengths = self._lengths(pool, verifier.prompt, annotations)
        reference = lengths.mean_solution(modes)
        lengths = lengths.capped(config.sampling.max_new_tokens)
        longest = self.choices.longest_tokens or config.sampling.max_new_tokens
        found = Pool(problems_in(pool, "pool"), {**modes}, lengths, reference, longest)
        stages.append(self._verifier(verifier, model, found, keys))
        asker = dataclasses.replace(asker, modes=config.modes)
        held = held_split(config)
        runs: list[tuple[str, str, Split, Origin, Mapping[str, Any]]] = []
        if held is not None:
            of_held = dataclasses.replace(asker, modes=config.held_modes or config.modes)
            runs.append(("held", "held", held, of_held, {}))
        runs += [
            (name, f"tests.{name}", split, asker, config.mixture)
            for name, split in config.tests.items()
        ]
        for name, key, split, own, mixture in runs:
            problems = split_of(config, split)
            modes = self._modes(own, mixture)
            stages += self._sampled(f"{name}: ", (problems, key), own, mixture, annotations)
            count = problems_in(problems, key)
            lengths = self._lengths(problems, verifier.prompt, annotations)
            work = (count, modes, lengths.capped(config.sampling.max_new_tokens))
            stages.append(self._score(f"{name}: score", model, base, work, config.scoring))
        return stages

    def _sampled(
        self,
        name: str,
        asked: tuple[ProblemsConfig, str],
        base: Origin,
        mixture: Mapping[str, Any],
        annotations: str,
    ) -> list[StageEstimate]:
        """Sampling and grading of one pool; members that cost alike for one sample share a line."""
        alike: dict[str, list[tuple[str, Origin]]] = {}
        for member, origin in members_of(base, mixture).items():
            same = dataclasses.replace(
                origin,
                modes={},
                sampling=SamplingParams(max_new_tokens=origin.sampling.max_new_tokens),
            )
            alike.setdefault(repr(same), []).append((member, origin))
        stages = []
        for members in alike.values():
            origin = members[0][1]
            modes = total_modes([own.modes for _, own in members])
            if not modes:
                continue
            told = " " + ", ".join(member for member, _ in members) if len(alike) > 1 else ""
            lengths = self._lengths(asked[0], origin.prompt, annotations)
            stages.append(self._sample(f"{name}sample{told}", asked, origin, modes, lengths))
        modes = self._modes(base, mixture)
        return [
            *stages,
            grading_estimate(f"{name}grade", problems_in(*asked) * sum(modes.values())),
        ]

    def _sample(
        self,
        name: str,
        asked: tuple[ProblemsConfig, str],
        origin: Origin,
        modes: dict[str, int],
        lengths: Lengths,
    ) -> StageEstimate:
        model, params, engine = origin.generator, origin.sampling, origin.engine
        for mode, long in lengths.longer(params.max_new_tokens, modes).items():
            self._warn(
                f"sampling.max_new_tokens={params.max_new_tokens} binds: solutions ({mode}) of "
                f"{long:,.0f} tokens on average are cut off there, most before their answer; what "
                "is planned is what so many tokens cost"
            )
        lengths = lengths.capped(params.max_new_tokens)
        count = problems_in(*asked)
        if engine.name not in ("transformers", "vllm", "server"):
            raise UserError(f"engine.name={engine.name}: expected transformers, vllm or server")
        if engine.name == "server":
            self._note("the servers are taken to run on this hardware, by vLLM")
        parallel = 1 if engine.name == "transformers" else engine.vllm.tensor_parallel
        if not 1 <= parallel <= self.choices.machine.in_node:
            raise UserError(
                f"engine.vllm.tensor_parallel={parallel}: expected 1 to "
                f"{self.choices.machine.in_node}, the devices of a node of hardware="
            )
        if self.choices.machine.count > 1 and not self.choices.machine.device.is_cpu:
            self._note("sampling, scoring: every device does its share (shard=i/m)")
        return sampling_estimate(
            Sampling(
                name=name,
                model=known_model(model),
                problems=count,
                prompts=count * len(modes),
                candidates=count * sum(modes.values()),
                prompt=lengths.mean_prompt(modes),
                tokens=lengths.mean_solution(modes),
                most_tokens=params.max_new_tokens,
                engine=engine.name,
                element=self._element(model),
                batch=engine.batch_size,
                tensor_parallel=parallel,
            ),
            self.choices.machine,
        )

    def _score(
        self,
        name: str,
        model: KnownModel,
        base: ModelConfig,
        work: tuple[float, Mapping[str, float], Lengths],
        config: ScoreConfig,
    ) -> StageEstimate:
        """Scoring of so many problems' samples, of these lengths."""
        problems, modes, lengths = work
        kind = "cpu" if self.choices.machine.device.is_cpu else "gpu"
        prompt, tokens = lengths.mean_prompt(modes), lengths.mean_solution(modes)
        at_once = config.micro_batch_tokens or _SCORED_AT_ONCE[kind]
        return scoring_estimate(
            Scoring(
                name=name,
                model=model,
                prompts=round(problems * len(modes)),
                candidates=round(problems * sum(modes.values())),
                prompt=prompt,
                tokens=tokens,
                micro_batch_tokens=max(at_once, round(prompt + tokens)),
                element=self._element(base),
            ),
            self.choices.machine,
        )
