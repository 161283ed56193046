"""What a stage can know to be wrong before any of its parts is begun, here or on a cluster.

`sample`, `score` and `launch` ask before they make a run or submit a job, so that a mistake is one
line where the command was given and not one in the log of each task.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from typing import Any

from assay.generator.engines.config import EngineConfig
from assay.generator.engines.factory import check_engine
from assay.generator.models import ModelConfig, load_tokenizer
from assay.generator.parallel import deepspeed_settings
from assay.problems.prompts import FORMS, PromptConfig, Prompter
from assay.search.launch.config import StageConfig
from assay.search.launch.devices import built_for_gpus
from assay.search.stages.mixture import Origin
from assay.settings.errors import UserError
from assay.settings.extras import missing_package

__all__ = ["check_division", "check_gpus", "check_origins", "check_prompt"]


def check_origins(config: StageConfig, origins: Iterable[Origin]) -> None:
    """Raises `UserError` where engine, prompt or GPUs of one of the origins cannot be had."""
    for origin in origins:
        _check_engine(config, origin.engine)
        check_prompt(origin.prompt, origin.generator, chat=_needs_template(origin.engine))
        check_gpus(config, origin.engine.gpus)


def check_prompt(prompt: PromptConfig, model: ModelConfig, *, chat: bool = True) -> None:
    """Raises `UserError` for an unknown form, and a template that is missing or cannot be used.

    `chat`: whether it is the model's tokenizer that has the chat template.
    """
    if prompt.form == "auto":
        return
    if prompt.form not in FORMS:
        raise UserError(f"prompt.form={prompt.form}: expected one of auto, {', '.join(FORMS)}")
    if prompt.form == "chat":
        if chat:
            Prompter(PromptConfig("chat", system=prompt.system), load_tokenizer(model))
    else:
        Prompter(PromptConfig(prompt.form, template=prompt.template))


def check_gpus(config: StageConfig, gpus_each: int) -> None:
    """Raises `UserError` where Slurm's GPUs of a task cannot be divided among its processes.

    `gpus_each`: how many one process takes.
    """
    asked = config.slurm.gpus
    if config.launcher != "slurm" or not asked or not gpus_each or asked % gpus_each == 0:
        return
    raise UserError(
        f"slurm.gpus={asked}: a process takes {gpus_each} GPUs (engine.vllm.tensor_parallel), so "
        f"{asked % gpus_each} of a task's would be idle; expected a multiple of {gpus_each}"
    )


def check_division(config: Any, deepspeed_keys: Mapping[str, str]) -> None:
    """Raises `UserError` where a training cannot be divided as its configuration says.

    `config` has `deepspeed`, `lora` and `slurm`; `deepspeed_keys` are those that its file may not
    set. Packages are looked for where the job runs in this very environment.
    """
    slurm = config.slurm
    if config.deepspeed:
        deepspeed_settings(config.deepspeed, "deepspeed", deepspeed_keys)
    if slurm.setup:
        return
    if slurm.gpus and not built_for_gpus():
        raise UserError(
            f"slurm.gpus={slurm.gpus}: torch was built without CUDA in this environment, so no GPU "
            "would be used; slurm.setup may name lines that make another"
        )
    for package, wanted, key, extra in (
        ("deepspeed", bool(config.deepspeed), f"deepspeed={config.deepspeed}", "deepspeed"),
        ("peft", bool(config.lora.rank), f"lora.rank={config.lora.rank}", "lora"),
    ):
        if wanted and importlib.util.find_spec(package) is None:
            raise missing_package(key, package, extra=extra)


def _check_engine(config: StageConfig, engine: EngineConfig) -> None:
    try:
        check_engine(engine)
    except UserError as error:
        # The lines of slurm.setup may make an environment that has what this one lacks.
        if "is not installed" not in str(error) or not _elsewhere(config):
            raise
        print(f"note: {error}; not checked in the environment of slurm.setup")


def _elsewhere(config: StageConfig) -> bool:
    return config.launcher == "slurm" and bool(config.slurm.setup)


def _needs_template(engine: EngineConfig) -> bool:
    """Whether the prompt is rendered here, and not by a server."""
    return not (engine.name == "server" and engine.server.api == "chat")
