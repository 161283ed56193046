"""What every stage is planned from: hardware, lengths, precision, and what is told of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assay.generator.batches import tokens_at_once
from assay.generator.models import ModelConfig
from assay.generator.shapes import KnownModel
from assay.planning.hardware import Machine
from assay.planning.memory import PARALLEL
from assay.planning.memory_keys import MemoryKeys, deepspeed_name
from assay.planning.workload import Lengths, lengths_of
from assay.problems.problem import MODES
from assay.problems.prompts import PromptConfig
from assay.problems.sets import ProblemsConfig
from assay.search.stages.mixture import Origin, members_of
from assay.settings.errors import UserError

__all__ = ["Basis", "Choices", "total_modes"]


@dataclass(frozen=True)
class Choices:
    """What the plan's own keys say; empty, 0 and None: as configured."""

    machine: Machine
    parallel: str = ""
    prompt_tokens: float = 0.0
    cot_tokens: float = 0.0
    pot_tokens: float = 0.0
    longest_tokens: float = 0.0
    pool_problems: int = 0
    pool_samples: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Basis:
    """Makes stages of configurations. `notes` collects what they were based on, `warnings` what
    the configuration does that hardly anybody wants.
    """

    choices: Choices
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def _lengths(self, problems: ProblemsConfig, prompt: PromptConfig, annotations: str) -> Lengths:
        given = self.choices
        lengths = lengths_of(problems, prompt, annotations).replaced(
            given.prompt_tokens, given.cot_tokens, given.pot_tokens
        )
        if problems.sources.include or problems.sources.exclude or problems.weights:
            self._note(f"{problems.name}: sources and weights are not read; all rows are counted")
        asked, said = lengths.prompts, lengths.solutions
        self._note(
            f"{problems.name}: mean tokens of a prompt {asked['cot']:.0f} (cot), "
            f"{asked['pot']:.0f} (pot), of a solution {said['cot']:.0f} and {said['pot']:.0f}"
        )
        return lengths

    def _modes(self, base: Origin, mixture: Mapping[str, Any]) -> dict[str, int]:
        """Samples of each mode that has some, over all members of a mixture."""
        asked = total_modes([member.modes for member in members_of(base, mixture).values()])
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

    def _parallel(self, deepspeed: str, fsdp: Any, keys: MemoryKeys) -> str:
        """The name in `PARALLEL` of what is asked for, here or in the configuration."""
        asked = self.choices.parallel
        if not asked:
            return "fsdp" if fsdp else deepspeed_name(deepspeed) if deepspeed else "ddp"
        if asked not in PARALLEL:
            raise UserError(f"parallel={asked}: expected one of {', '.join(PARALLEL)}")
        if asked == "fsdp" and not keys.bits:
            raise UserError("parallel=fsdp: FSDP does not divide a verifier; zero3 does")
        return asked

    def _tokens_at_once(self, model: KnownModel) -> int:
        shape = model.shape
        sizes = (shape.layers, shape.hidden_size, shape.intermediate_size, shape.vocabulary)
        return tokens_at_once(*sizes, "cpu" if self.choices.machine.device.is_cpu else "cuda")

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _warn(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)


def total_modes(modes: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """The samples of each mode together, of those modes that have some."""
    counts = {str(mode): sum(own.get(mode, 0) for own in modes) for mode in MODES}
    return {mode: count for mode, count in counts.items() if count}
