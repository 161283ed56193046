"""From configurations of trainings to estimates, by what the trainings themselves would do."""

from __future__ import annotations

import dataclasses
import math

from assay.generator.shapes import KnownModel, known_model
from assay.generator.train import TrainGeneratorConfig
from assay.planning.basis import Basis
from assay.planning.estimate import StageEstimate
from assay.planning.memory import STATES_16_BIT, Adapters
from assay.planning.memory_keys import MemoryKeys
from assay.planning.pools import Pool, pool_of_runs
from assay.planning.training import Training, training_estimate
from assay.planning.workload import Lengths, problems_in, solutions_in
from assay.problems.sets import ProblemsConfig
from assay.search.stages.train import VerifierTrainingConfig
from assay.settings.errors import UserError
from assay.storage.places import place
from assay.verifier.config import TrainVerifierConfig, check_training

__all__ = ["Trainings"]

# Of the candidates, what `balance` leaves of an epoch: 3646 of 9120 and 8618 of 18,240 in two forms
# of the quick start.
_BALANCED = 0.4
# Where a verifier's pools do not exist yet: GSM8K's training problems, 100 samples of each
# (Cobbe et al. 2021).
_POOL = ("gsm8k", {"cot": 50, "pot": 50})


class Trainings(Basis):
    """Plans trainings of generators and of verifiers."""

    def _pool(self, config: VerifierTrainingConfig) -> Pool:
        """The candidates to learn from: as the runs hold them, else as they are described."""
        there = [path for path in config.pools if (place(path) / "run.json").exists()]
        if there and len(there) == len(config.pools) and not self.choices.pool_problems:
            pool = pool_of_runs(config.pools, config.origins)
            samples = ", ".join(f"{count:g} {mode}" for mode, count in pool.modes.items())
            self._note(
                f"{', '.join(config.pools)}: {pool.problems:,.0f} problems with {samples} each, of "
                f"{pool.solution:,.0f} tokens on average, {pool.longest:,.0f} at most, as whoever "
                "wrote them counted"
            )
            return self._chosen(pool)
        name, modes = _POOL
        modes = dict(self.choices.pool_samples) or modes
        lengths = self._lengths(ProblemsConfig(name=name), config.prompt, config.annotations)
        count = self.choices.pool_problems or problems_in(ProblemsConfig(name=name), "pools")
        told = "as pool_problems= and pool_samples= say"
        if not self.choices.pool_problems:
            told = "as of GSM8K: pool_problems= and pool_samples= say otherwise"
        samples = ", ".join(f"{n:g} {mode}" for mode, n in modes.items())
        self._note(f"no pool is there yet: {count:,} problems with {samples} each, {told}")
        solution = lengths.mean_solution(modes)
        return self._chosen(Pool(count, {**modes}, lengths, solution, solution))

    def _chosen(self, pool: Pool) -> Pool:
        """The pool with what the plan's own keys say of its lengths."""
        given = self.choices
        lengths = pool.lengths.replaced(given.prompt_tokens, given.cot_tokens, given.pot_tokens)
        longest = max(pool.longest, *(lengths.solutions[mode] for mode in pool.modes))
        if given.longest_tokens:
            longest = given.longest_tokens
        return dataclasses.replace(pool, lengths=lengths, longest=longest)

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
        each = self._packed(config, lengths, each, keys)
        count = problems_in(problems, key)
        examples = count * sum(each.values())
        responses = count * sum(n * lengths.solutions[m] for m, n in each.items())
        tokens = responses + count * sum(n * lengths.prompts[m] for m, n in each.items())
        steps = self._packed_steps(config, examples, tokens)
        trainer = config.trainer
        at_once = trainer.get("per_device_train_batch_size") or max(
            1, self._tokens_at_once(model) // config.pack_tokens
        )
        parallel = self._parallel(config.deepspeed, trainer.get("fsdp"), keys)
        return training_estimate(
            Training(
                name=name,
                model=model,
                tokens=tokens * config.epochs,
                steps=steps,
                logit_share=responses / tokens,
                micro_tokens=int(at_once * config.pack_tokens),
                whole_tokens=min(config.pack_tokens, max(1, round(tokens / max(1, steps)))),
                example_tokens=tokens / examples,
                precision=self._precision(
                    config.model, "master" if "zero" in parallel else "autocast"
                ),
                parallel=parallel,
                checkpointing=config.gradient_checkpointing,
                adapters=_adapters(config.lora.rank, config.lora.bits),
                keys=keys,
                divided_precision=self._precision(config.model, "master"),
            ),
            self.choices.machine,
        )

    def _packed(
        self,
        config: TrainGeneratorConfig,
        lengths: Lengths,
        each: dict[str, float],
        keys: MemoryKeys,
    ) -> dict[str, float]:
        """The solutions of a problem that fit into a packed row, by mode."""
        key = keys.rank.removesuffix("lora.rank") + "pack_tokens"
        fitting = {}
        for mode, count in each.items():
            long = lengths.prompts[mode] + lengths.solutions[mode]
            if long <= config.pack_tokens:
                fitting[mode] = count
                continue
            self._warn(
                f"{key}={config.pack_tokens} binds: a solution ({mode}) has {long:,.0f} tokens "
                f"with its question on average; longer ones than {key} are left out"
            )
        if not fitting:
            raise UserError(
                f"{key}={config.pack_tokens}: the mean solution is longer; none would be learnt"
            )
        return fitting

    def _packed_steps(self, config: TrainGeneratorConfig, examples: float, tokens: float) -> int:
        """Steps over packed rows, as `generator.train` divides them: whole rows, one a process."""
        rows = math.ceil(tokens / config.pack_tokens)
        world = self.choices.machine.training.count
        wanted = round(config.batch_size * rows / examples)
        step = max(world, wanted)
        if step > wanted:
            self._note(
                f"a step reads a packed row on each of {world} devices, about "
                f"{step * examples / rows:.0f} examples and not batch_size={config.batch_size}: a "
                "smaller pack_tokens keeps to that"
            )
        return math.ceil(math.ceil(rows / step) * config.epochs)

    def _verifier(
        self, config: TrainVerifierConfig, model: KnownModel, pool: Pool, keys: MemoryKeys
    ) -> StageEstimate:
        check_training(dataclasses.replace(config, output="planned"))
        pool = self._read(config, pool)
        samples = sum(pool.modes.values())
        drawn = min(samples, config.samples_per_problem or samples)
        left = 1 - config.validation_fraction
        groups = pool.problems * left * len(pool.modes)
        candidates = pool.problems * left * drawn * (_BALANCED if config.balance else 1)
        if config.balance:
            self._note(f"balance leaves {_BALANCED:.0%} of the candidates, as in the quick start")
        prompt, solution = pool.prompt, pool.solution
        reference = pool.reference if config.lm_weight > 0 else 0.0
        # As `assay.verifier.packing`: a question and its reference once in each pack.
        shared = prompt + reference
        room = max(solution, config.pack_tokens - shared)
        packs = groups * math.ceil(candidates * solution / groups / room)
        # Tokens that go through the vocabulary.
        judged = candidates * solution if config.model.head_inputs != "hidden" else 0.0
        tokens = candidates * solution + packs * shared
        literal = candidates * (2 * prompt + solution + reference)
        steps = max(1, round(literal / config.batch_tokens))  # of an epoch
        held_out = (
            pool.problems * config.validation_fraction * drawn * config.validations * config.epochs
        )
        precision = self._verifier_precision(config)
        scoring = model.shape.scoring_flops(round(prompt), round(solution))
        phases = config.epochs + config.adaptation_epochs * groups * shared / tokens
        # Packs are divided, solutions are not.
        whole = round(prompt + max(pool.longest, reference))
        if whole > config.micro_batch_tokens:
            self._note(
                f"train verifier: the longest solution with its question, {whole:,} tokens, goes "
                "through the model whole and decides the memory (longest_tokens= sets it)"
            )
        self._deal(config, packs / steps)
        return training_estimate(
            Training(
                name="train verifier",
                model=model,
                tokens=tokens * phases,
                steps=max(1, round(steps * phases)),
                logit_share=(packs * reference + judged) / tokens,
                micro_tokens=config.micro_batch_tokens,
                whole_tokens=whole,
                rows=packs / steps,
                example_tokens=min(tokens / packs, max(prompt + solution, config.pack_tokens)),
                precision=precision,
                parallel=self._parallel(config.deepspeed, None, keys),
                checkpointing=config.gradient_checkpointing,
                adapters=_adapters(config.lora.rank),
                keys=keys,
                divided_precision=precision,
                extra_flops=held_out * float(scoring),
            ),
            self.choices.machine,
        )

    def _deal(self, config: TrainVerifierConfig, packs: float) -> None:
        """Warns where a step has fewer packs than there are devices."""
        count = self.choices.machine.training.count
        if packs < count:
            self._warn(
                f"batch_tokens={config.batch_tokens} binds: a step has {packs:.1f} packs for "
                f"{count} devices, of which the others wait; "
                f"{math.ceil(config.batch_tokens * count / packs):,} give each of them one"
            )

    def _read(self, config: TrainVerifierConfig, pool: Pool) -> Pool:
        """The pool as the verifier reads it, within `max_length`."""
        room = config.max_length - pool.prompt
        if not config.max_length or pool.longest <= room:
            return pool
        self._warn(
            f"max_length={config.max_length} binds: solutions of up to {pool.longest:,.0f} tokens "
            f"are longer with their question; such are treated by overlong={config.overlong}"
        )
        if room < 1 or (config.overlong == "skip" and pool.solution > room):
            raise UserError(
                f"max_length={config.max_length}: the mean solution is longer with its question"
            )
        lengths = pool.lengths if config.overlong == "windows" else pool.lengths.capped(room)
        return dataclasses.replace(
            pool, lengths=lengths, reference=min(pool.reference, room), longest=room
        )

    def _verifier_precision(self, config: TrainVerifierConfig) -> str:
        """What is trained is float32 whatever the base is; frozen weights have the base's type."""
        base = config.model.base
        half = base.dtype == "bfloat16" or (
            base.dtype == "auto" and not self.choices.machine.device.is_cpu
        )
        if half:
            self._note_bfloat16()
        if config.lora.rank and half:
            return "16-bit"
        precision = "autocast" if half else "float32"
        return precision + STATES_16_BIT * (config.optimizer_states == "bfloat16")


def _adapters(rank: int, bits: int = 0) -> Adapters:
    return Adapters(rank, 4 if bits == 4 else 0)
