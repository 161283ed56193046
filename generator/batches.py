"""How an optimizer step of packed rows is divided over processes and micro-batches.

rows_of_a_step(config, rows=400, examples=3000, processes=8)
split_batch(config, arguments, rows, model, examples)
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from assay.generator.packing import Packed
from assay.settings.errors import UserError

if TYPE_CHECKING:
    from transformers import TrainingArguments

__all__ = [
    "Batches",
    "model_tokens_at_once",
    "rows_of_a_step",
    "split_batch",
    "tokens_at_once",
]

# A micro-batch: so many tokens keep the processor busy, as long as they fit the memory.
_TOKENS = {"cpu": 4096, "cuda": 16384}
_BYTES = {"cpu": 1 << 30, "cuda": 8 << 30}
# Dividing a step over processes may change its size by this part, in silence.
_BATCH_ERROR = 0.1


class Batches(Protocol):
    """What a training's configuration says of its steps (`TrainGeneratorConfig`)."""

    batch_size: int
    pack_tokens: int
    trainer: dict[str, Any]


def split_batch(
    config: Batches,
    arguments: TrainingArguments,
    rows: Sequence[Packed],
    model: Any,
    examples: int,
) -> None:
    """Divides an optimizer step over processes and micro-batches, unless the user has."""
    step = rows_of_a_step(config, len(rows), examples, arguments.world_size)
    own = max(1, round(step / arguments.world_size))
    if "per_device_train_batch_size" not in config.trainer:
        most = max(1, model_tokens_at_once(model) // config.pack_tokens)
        parts = config.trainer.get("gradient_accumulation_steps", math.ceil(own / most))
        arguments.per_device_train_batch_size = math.ceil(own / parts)
    if "gradient_accumulation_steps" not in config.trainer:
        parts = round(own / arguments.per_device_train_batch_size)
        arguments.gradient_accumulation_steps = max(1, parts)
    own = arguments.per_device_train_batch_size * arguments.gradient_accumulation_steps
    taken = own * arguments.world_size
    if abs(taken / step - 1) > _BATCH_ERROR and arguments.process_index == 0:
        print(
            f"train generator: steps of {taken * examples / len(rows):.0f} solutions on average, "
            f"not {config.batch_size}: {arguments.world_size} × {own} packed rows",
            file=sys.stderr,
        )


def rows_of_a_step(config: Batches, rows: int, examples: int, processes: int) -> int:
    """The packed rows of an optimizer step, at least one for each process."""
    step = max(1, round(config.batch_size * rows / examples))
    if step < processes:
        least = math.ceil(processes * examples / rows)
        raise UserError(
            f"batch_size={config.batch_size}: fills {step} packed rows, fewer than the "
            f"{processes} processes; make it {least} or more, or pack_tokens smaller"
        )
    return step


def model_tokens_at_once(model: Any) -> int:
    """Tokens of a micro-batch: its activations and logits shall fit a fixed memory."""
    config = model.config.get_text_config()
    wide = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    sizes = (config.num_hidden_layers, config.hidden_size, wide, config.vocab_size)
    return tokens_at_once(*sizes, model.device.type)


def tokens_at_once(layers: int, hidden: int, wide: int, vocabulary: int, kind: str) -> int:
    """Tokens of a micro-batch of a model of these sizes on a device of this kind."""
    # What a layer keeps for its backward pass, and the logits of the responses, in float32.
    token = 4 * (layers * (12 * hidden + 4 * wide) + 2 * vocabulary)
    return int(min(_TOKENS.get(kind, 4096), _BYTES.get(kind, 1 << 30) // token))
