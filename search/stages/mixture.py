"""Mixtures: candidates of several temperatures, prompts or checkpoints in one pool.

    mixture:
      hot: {sampling: {temperature: 1.0}}
      early: {generator: runs/g/checkpoint, modes: {cot: 4, pot: 4}}

Each member is the base settings with what it says to differ; its name is the candidates' *origin*.
TinyGSM (Liu et al. 2023, arXiv 2312.09241) samples the data of its verifier like this, from several
checkpoints and temperatures, so that it is diverse. Where there is a mixture, only its members are
sampled; `base: {}` is one with the base settings.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from assay.generator.engines import EngineConfig, SamplingParams
from assay.generator.engines.config import MAX_NEW_TOKENS
from assay.generator.models import ModelConfig, load_tokenizer, pinned, resolve
from assay.pools.run import ORIGIN
from assay.problems.answers import may_think
from assay.problems.problem import MODES
from assay.problems.prompts import PromptConfig
from assay.problems.shots import FewShotConfig
from assay.settings.errors import UserError
from assay.settings.schema import as_dict, merge

__all__ = ["Origin", "check_length", "learnt_modes", "members_of", "origins_of", "prompt_of"]

P = TypeVar("P", bound=PromptConfig)


@dataclass
class Origin:
    """What candidates come from; what the members of a mixture may differ in."""

    generator: ModelConfig = field(default_factory=ModelConfig)
    prompt: FewShotConfig = field(default_factory=lambda: FewShotConfig(form="auto"))
    modes: dict[str, int] = field(default_factory=dict)
    sampling: SamplingParams = field(default_factory=SamplingParams)
    engine: EngineConfig = field(default_factory=EngineConfig)

    def check(self) -> None:
        """Raises `UserError` naming the key that is wrong."""
        for mode, count in self.modes.items():
            if mode not in MODES:
                raise UserError(f"modes.{mode}: expected one of {', '.join(MODES)}")
            if count < 0:
                raise UserError(f"modes.{mode}={count}: expected a number of samples, 0 or more")
        self.sampling.check()


def origins_of(base: Origin, mixture: Mapping[str, Any]) -> dict[str, Origin]:
    """The members of a mixture as `members_of`; prompt forms resolved, hub ids pinned to a commit.

    Raises `UserError` naming the member and the key that is wrong.
    """
    return {name: _resolved(member) for name, member in members_of(base, mixture).items()}


def members_of(base: Origin, mixture: Mapping[str, Any]) -> dict[str, Origin]:
    """The members of a mixture by name, as they are written; without one, `{"": base}`.

    Raises `UserError` naming the member and the key that is wrong.
    """
    if not mixture:
        base.check()
        return {"": base}
    members = {}
    for name, differing in mixture.items():
        if not ORIGIN.fullmatch(str(name)):
            raise UserError(f"mixture.{name}: names may contain only letters, digits, - and _")
        if not isinstance(differing, Mapping | None):
            raise UserError(f"mixture.{name}: expected keys and values, found {differing!r}")
        try:
            member = merge(Origin, [as_dict(base), differing or {}])
            member.check()
        except UserError as error:
            raise UserError(f"mixture.{name}.{error}") from error
        members[str(name)] = member
    return members


def _resolved(origin: Origin) -> Origin:
    # Workers load what the key names, even if the hub's branch moves meanwhile.
    generator = pinned(origin.generator)
    prompt = prompt_of(generator, origin.prompt)
    check_length(origin.sampling, generator, prompt)
    return dataclasses.replace(origin, generator=generator, prompt=prompt)


def check_length(sampling: SamplingParams, generator: ModelConfig, prompt: PromptConfig) -> None:
    """Raises `UserError` where a thinking model would be given the default limit: it is none."""
    if prompt.form != "chat" or sampling.max_new_tokens != MAX_NEW_TOKENS:
        return
    template = getattr(load_tokenizer(generator), "chat_template", None)
    if template and may_think(str(template)):
        raise UserError(
            f"sampling.max_new_tokens: {generator.name} thinks before it answers, and "
            f"{MAX_NEW_TOKENS} tokens would cut its thoughts off; give as many as it may take, for "
            "example sampling.max_new_tokens=16384"
        )


def prompt_of(generator: ModelConfig, prompt: P) -> P:
    """The prompt form to use: as configured; for `auto` the one the generator was made for."""
    if prompt.form != "auto":
        return prompt
    record = _record(generator)
    if record.is_file():
        try:
            made_for = json.loads(record.read_text(encoding="utf-8"))["prompt"]
            return dataclasses.replace(prompt, **made_for)
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{record}: expected the record of a generator ({error})") from error
    tokenizer = load_tokenizer(generator)
    form = "chat" if getattr(tokenizer, "chat_template", None) else "alpaca"
    return dataclasses.replace(prompt, form=form)


def learnt_modes(generator: ModelConfig) -> list[str]:
    """The modes that a generator was trained on, where its record tells, else both."""
    try:
        record = json.loads(_record(generator).read_text(encoding="utf-8"))
        modes = [str(mode) for mode in record["config"]["rationales"]["modes"]]
    except (OSError, ValueError, KeyError, TypeError):
        return list(MODES)
    return [mode for mode in MODES if mode in modes] or list(MODES)


def _record(generator: ModelConfig) -> Path:
    return Path(resolve(generator.name)) / "assay.json"
