"""From configurations to estimates: which stages there are, and how much each has to do.

    planner = Planner(Choices(machine_of("8xH100-80G")))
    stages = planner.loop(LoopConfig(…))
    planner.notes          # what was taken for granted on the way

Numbers of problems and lengths are those of `planning/workload.py`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assay.generator.engines import SamplingParams
from assay.generator.models import ModelConfig
from assay.generator.shapes import KnownModel, known_model
from assay.generator.train import TrainGeneratorConfig, tokens_at_once
from assay.planning.estimate import StageEstimate, grading_estimate
from assay.planning.hardware import Machine
from assay.planning.inference import Sampling, Scoring, sampling_estimate, scoring_estimate
from assay.planning.memory import NO_ADAPTERS, PARALLEL, Adapters
from assay.planning.memory_keys import MemoryKeys, deepspeed_name, generator_keys, verifier_keys
from assay.planning.training import Training, training_estimate
from assay.planning.workload import Lengths, lengths_of, problems_in, solutions_in
from assay.problems.problem import MODES
from assay.problems.prompts import PromptConfig
from assay.problems.sets import ProblemsConfig
from assay.problems.shots import FewShotConfig
from assay.search.drivers.config import LoopConfig, Split, held_split, split_of
from assay.search.stages.mixture import Origin, members_of
from assay.search.stages.sample import SampleConfig
from assay.search.stages.train import (
    GeneratorTrainingConfig,
    VerifierTrainingConfig,
    reference_problems,
)
from assay.settings.errors import UserError
from assay.settings.schema import as_dict, fields_of
from assay.verifier.config import ScoreConfig, TrainVerifierConfig, check_training

__all__ = ["Choices", "Planner"]

# Of the candidates, what `balance` leaves of an epoch: 3646 of 9120 and 8618 of 18,240 in two forms
# of the quick start.
_BALANCED = 0.4
# Where a verifier's pools do not exist yet: GSM8K's training problems, 100 samples of each
# (Cobbe et al. 2021).
_POOL = ("gsm8k", {"cot": 50, "pot": 50})
_SCORED_AT_ONCE = {"cpu": 1024, "gpu": 16384}


@dataclass(frozen=True)
class Choices:
    """What the plan's own keys say; empty, 0 and None: as configured."""

    machine: Machine
    parallel: str = ""
    checkpointing: bool | None = None
    adapters: Adapters = NO_ADAPTERS
    prompt_tokens: float = 0.0
    cot_tokens: float = 0.0
    pot_tokens: float = 0.0


@dataclass
class Planner:
    """Makes stages of configurations. `notes` collects what they were based on."""

    choices: Choices
    notes: list[str] = field(default_factory=list)

    def generator(self, config: GeneratorTrainingConfig) -> list[StageEstimate]:
        """`assay train-generator`."""
        keys = generator_keys(config, "")
        problems = reference_problems(config)
        if problems is None:
            problems = ProblemsConfig(name=_POOL[0], split="train")
        if config.pools:
            self._note("pools are not read: what is taken of them comes on top of the references")
        return [self._generator("train generator", config, problems, "problems", keys)]

    def verifier(self, config: VerifierTrainingConfig) -> list[StageEstimate]:
        """`assay train-verifier`; pools may be made later, so GSM8K's are taken."""
        name, modes = _POOL
        problems = ProblemsConfig(name=name, split="train")
        self._note(
            "pools are not read: 7,473 problems of GSM8K with 50 + 50 candidates each are assumed"
        )
        model = known_model(config.model.base)
        keys = verifier_keys("")
        return [self._verifier(config, model, problems, "pools", modes, config.annotations, keys)]

    def sample(self, config: SampleConfig) -> list[StageEstimate]:
        """`assay sample`."""
        origin = fields_of(Origin, config)
        asked = (config.problems, "problems")
        return self._sampled("", asked, origin, config.mixture, "keep")

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
        stages.append(self._verifier(verifier, model, pool, "pool", modes, annotations, keys))
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
            stages.append(self._score(name, model, base, count, modes, lengths, config.scoring))
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
            modes = _total([own.modes for _, own in members])
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

    def _generator(
        self,
        name: str,
        config: TrainGeneratorConfig,
        problems: ProblemsConfig,
        key: str,
        keys: MemoryKeys,
    ) -> StageEstimate:
        dataclasses.replace(config, output="planned").check()
        model = known_model(config.model)
        lengths = self._lengths(problems, config.prompt, config.rationales.annotations)
        each = solutions_in(problems, config.rationales.modes)
        count = problems_in(problems, key)
        examples = count * sum(each.values())
        responses = count * sum(n * lengths.solutions[m] for m, n in each.items())
        tokens = responses + count * sum(n * lengths.prompts[m] for m, n in each.items())
        steps = self._packed_steps(config, examples, tokens)
        trainer = config.trainer
        at_once = trainer.get("per_device_train_batch_size") or max(
            1, self._tokens_at_once(model) // config.pack_length
        )
        parallel = self._parallel(trainer.get("deepspeed") or "", trainer.get("fsdp"))
        return training_estimate(
            Training(
                name=name,
                model=model,
                tokens=tokens * config.epochs,
                steps=steps,
                logit_share=responses / tokens,
                micro_tokens=int(at_once * config.pack_length),
                example_tokens=tokens / examples,
                precision=self._precision(
                    config.model, "master" if "zero" in parallel else "autocast"
                ),
                parallel=parallel,
                checkpointing=self._checkpointing(bool(trainer.get("gradient_checkpointing"))),
                adapters=self._adapters(getattr(config, "lora", None)),
                keys=keys,
                divided_precision=self._precision(config.model, "master"),
            ),
            self.choices.machine,
        )

    def _packed_steps(self, config: TrainGeneratorConfig, examples: float, tokens: float) -> int:
        """Steps over packed rows, as `generator.train` divides them: whole rows, one a process."""
        rows = math.ceil(tokens / config.pack_length)
        world = self.choices.machine.training.count
        wanted = round(config.batch_size * rows / examples)
        step = max(world, wanted)
        if step > wanted:
            self._note(
                f"a step reads a packed row on each of {world} devices, about "
                f"{step * examples / rows:.0f} examples and not batch_size={config.batch_size}: a "
                "smaller pack_length keeps to that"
            )
        return math.ceil(math.ceil(rows / step) * config.epochs)

    def _verifier(
        self,
        config: TrainVerifierConfig,
        model: KnownModel,
        problems: ProblemsConfig,
        key: str,
        modes: dict[str, int],
        annotations: str,
        keys: MemoryKeys,
    ) -> StageEstimate:
        check_training(dataclasses.replace(config, output="planned"))
        lengths = self._lengths(problems, config.prompt, annotations)
        asked = problems_in(problems, key)
        drawn = min(sum(modes.values()), config.samples_per_problem or sum(modes.values()))
        left = 1 - config.validation_fraction
        groups = asked * left * len(modes)
        candidates = asked * left * drawn * (_BALANCED if config.balance else 1)
        if config.balance:
            self._note(f"balance leaves {_BALANCED:.0%} of the candidates, as in the quick start")
        prompt, solution = lengths.mean_prompt(modes), lengths.mean_solution(modes)
        reference = solution if config.lm_weight > 0 else 0.0
        # As `assay.verifier.packing`: a question and its reference once in each pack.
        shared = prompt + reference
        room = max(solution, config.pack_tokens - shared)
        packs = groups * math.ceil(candidates * solution / groups / room)
        # Tokens that go through the vocabulary.
        judged = candidates * solution if config.model.head_inputs != "hidden" else 0.0
        tokens = candidates * solution + packs * shared
        literal = candidates * (2 * prompt + solution + reference)
        steps = max(1, round(literal / config.batch_tokens))  # of an epoch
        held_out = asked * config.validation_fraction * drawn * config.validations * config.epochs
        precision = self._precision(config.model.base, "autocast")
        scoring = model.shape.scoring_flops(round(prompt), round(solution))
        phases = config.epochs + config.adaptation_epochs * groups * shared / tokens
        return training_estimate(
            Training(
                name="train verifier",
                model=model,
                tokens=tokens * phases,
                steps=max(1, round(steps * phases)),
                logit_share=(packs * reference + judged) / tokens,
                micro_tokens=config.micro_batch_tokens,
                example_tokens=tokens / packs,
                precision=precision,
                parallel=self._parallel(config.deepspeed, None),
                checkpointing=self._checkpointing(False),
                adapters=self._adapters(config.model.lora),
                keys=keys,
                divided_precision=precision,
                extra_flops=held_out * float(scoring),
            ),
            self.choices.machine,
        )

    def _sample(
        self,
        name: str,
        asked: tuple[ProblemsConfig, str],
        origin: Origin,
        modes: dict[str, int],
        lengths: Lengths,
    ) -> StageEstimate:
        model, params, engine = origin.generator, origin.sampling, origin.engine
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
        problems: int,
        modes: dict[str, int],
        lengths: Lengths,
        config: ScoreConfig,
    ) -> StageEstimate:
        kind = "cpu" if self.choices.machine.device.is_cpu else "gpu"
        return scoring_estimate(
            Scoring(
                name=f"{name}: score",
                model=model,
                prompts=problems * len(modes),
                candidates=problems * sum(modes.values()),
                prompt=lengths.mean_prompt(modes),
                tokens=lengths.mean_solution(modes),
                batch_tokens=config.batch_tokens or _SCORED_AT_ONCE[kind],
                element=self._element(base),
            ),
            self.choices.machine,
        )

    def _lengths(self, problems: ProblemsConfig, prompt: PromptConfig, annotations: str) -> Lengths:
        given = self.choices
        lengths = lengths_of(problems, prompt, annotations).replaced(
            given.prompt_tokens, given.cot_tokens, given.pot_tokens
        )
        asked, said = lengths.prompts, lengths.solutions
        self._note(
            f"{problems.name}: mean tokens of a prompt {asked['cot']:.0f} (cot), "
            f"{asked['pot']:.0f} (pot), of a solution {said['cot']:.0f} and {said['pot']:.0f}"
        )
        return lengths

    def _modes(self, base: Origin, mixture: Mapping[str, Any]) -> dict[str, int]:
        """Samples of each mode that has some, over all members of a mixture."""
        asked = _total([member.modes for member in members_of(base, mixture).values()])
        if not asked:
            raise UserError("modes: expected at least one sample")
        return asked

    def _precision(self, model: ModelConfig, on_gpu: str) -> str:
        if model.dtype in ("bfloat16", "float16"):
            return "16-bit"
        if model.dtype == "float32" or self.choices.machine.device.is_cpu:
            return "float32"
        self._note_bfloat16()
        return on_gpu

    def _element(self, model: ModelConfig) -> int:
        """Bytes of a number where the model only reads: as `assay.generator.models.dtype_of`."""
        if model.dtype == "float32" or (
            model.dtype == "auto" and self.choices.machine.device.is_cpu
        ):
            return 4
        if model.dtype != "float16":
            self._note_bfloat16()
        return 2

    def _note_bfloat16(self) -> None:
        device = self.choices.machine.device
        if not device.bfloat16:
            self._note(
                f"{device.name} has no bfloat16: planned with dtype=float16, which must be set"
            )

    def _parallel(self, deepspeed: str | Mapping[str, Any], fsdp: Any) -> str:
        """The name in `PARALLEL` of what is asked for, here or in the configuration."""
        if self.choices.parallel:
            if self.choices.parallel not in PARALLEL:
                raise UserError(
                    f"parallel={self.choices.parallel}: expected one of {', '.join(PARALLEL)}"
                )
            return self.choices.parallel
        if fsdp:
            return "fsdp"
        return deepspeed_name(deepspeed) if deepspeed else "ddp"

    def _checkpointing(self, configured: bool) -> bool:
        asked = self.choices.checkpointing
        return configured if asked is None else asked

    def _adapters(self, configured: Any) -> Adapters:
        asked = self.choices.adapters
        own = 4 if getattr(configured, "bits", 0) == 4 else 0
        return Adapters(asked.rank or getattr(configured, "rank", 0), asked.bits or own)

    def _tokens_at_once(self, model: KnownModel) -> int:
        shape = model.shape
        sizes = (shape.layers, shape.hidden_size, shape.intermediate_size, shape.vocabulary)
        return tokens_at_once(*sizes, "cpu" if self.choices.machine.device.is_cpu else "cuda")

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _total(modes: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """The samples of each mode together, of those modes that have some."""
    counts = {str(mode): sum(own.get(mode, 0) for own in modes) for mode in MODES}
    return {mode: count for mode, count in counts.items() if count}
