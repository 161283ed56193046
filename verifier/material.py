"""What a verifier's training learns from, and by what it is known again.

groups, counts = groups_of(config, training, prompter, Reading(4096))
print(told_lengths(config, groups, counts), end="")
key = key_of(config, data)        # all that decides the weights
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from assay.generator.models import fingerprint
from assay.problems.prompts import Prompter, prompt_key
from assay.settings.errors import UserError
from assay.verifier.config import TrainVerifierConfig
from assay.verifier.data import Group, VerifierProblem, fingerprint_of, make_groups
from assay.verifier.overlong import Reading
from assay.verifier.validate import overlong_line

__all__ = ["groups_of", "key_of", "told_lengths"]

# Settings that change neither the weights nor the record.
_FREE = (
    *("output", "save_every_seconds", "micro_batch_tokens", "deepspeed", "report_to"),
    "gradient_checkpointing",
)
# Settings that trainings from before there was a choice do not record.
_LATER = {"max_length": 0, "overlong": "skip", "optimizer_states": "float32"}


def groups_of(
    config: TrainVerifierConfig,
    training: Sequence[VerifierProblem],
    prompter: Prompter,
    reading: Reading,
) -> tuple[list[Group], dict[str, int]]:
    """The groups to train on, and how much there is of what."""
    groups, counts = make_groups(
        training,
        prompter,
        reading,
        samples_per_problem=config.samples_per_problem,
        deduplicate=config.deduplicate,
        append_output=config.append_output,
        references=config.lm_weight > 0 or config.adaptation_epochs > 0,
        line_ends=config.model.level == "step",
        seed=config.seed,
    )
    counts["max_length"] = reading.limit
    if not groups and counts["too_long"]:
        raise UserError(
            f"train-verifier: every candidate is longer, with its question, than {reading.limit} "
            f"tokens (overlong={config.overlong}); another overlong reads parts of them"
        )
    if not groups:
        raise UserError("train-verifier: the data has no labelled candidates to train on")
    return groups, counts


def told_lengths(
    config: TrainVerifierConfig, groups: Sequence[Group], counts: Mapping[str, int]
) -> str:
    """What is told before training of solutions that are long, in lines; nothing of short ones."""
    text = overlong_line(counts, config.overlong)
    longest = max(
        len(group.prompt) + max(map(len, [*(s.ids for s in group.sampled), *group.references]))
        for group in groups
    )
    if longest > config.micro_batch_tokens:
        text += (
            f"train verifier: the longest solution has {longest:,} tokens with its question, more "
            f"than micro_batch_tokens={config.micro_batch_tokens:,}: the memory must suffice for "
            "it (gradient_checkpointing=true needs less; max_length sets a limit)\n"
        )
    return text


def key_of(config: TrainVerifierConfig, data: Sequence[VerifierProblem]) -> dict[str, Any]:
    """Everything that decides the weights."""
    settings = {k: v for k, v in dataclasses.asdict(config).items() if k not in _FREE}
    for name, value in _LATER.items():
        if settings[name] == value:
            del settings[name]
    settings["prompt"] = prompt_key(config.prompt)
    # As it was recorded before it had this name.
    model = {**settings.pop("model"), "lora": settings.pop("lora")}
    base = model.pop("base")
    model["base"] = {"fingerprint": fingerprint(config.model.base), "dtype": base["dtype"]}
    return {"model": model, **settings, "data": fingerprint_of(data)}
