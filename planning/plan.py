"""`assay plan`: what a configuration will take on given hardware, before anything runs.

    assay plan configs/quickstart.yaml hardware=2xcpu
    assay plan model=meta-llama/Llama-2-7b-hf problems=gsm8k hardware=8xH100-80G parallel=zero3

Takes the configurations of `assay run`, `train-generator`, `train-verifier` and `sample`. No
weights are loaded and no problems: shapes decide (`generator/shapes.py`, `planning/memory.py`),
lengths are means (`planning/workload.py`), the hardware's rates assumptions
(`planning/hardware.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from assay.planning.estimate import StageEstimate
from assay.planning.hardware import machine_of
from assay.planning.memory import Adapters
from assay.planning.planner import Choices, Planner
from assay.planning.table import plan_dict, plan_table
from assay.search.drivers.config import LoopConfig
from assay.search.stages.sample import SampleConfig
from assay.search.stages.train import GeneratorTrainingConfig, VerifierTrainingConfig
from assay.settings.errors import UserError
from assay.settings.schema import find_config, load, read_yaml

__all__ = ["PlanConfig", "plan", "run"]

# In this order: what is a configuration of several is taken for the first of them.
KINDS: dict[str, type[Any]] = {
    "generator": GeneratorTrainingConfig,
    "verifier": VerifierTrainingConfig,
    "sample": SampleConfig,
    "run": LoopConfig,
}
COMMANDS = {
    "generator": "train-generator",
    "verifier": "train-verifier",
    "sample": "sample",
    "run": "run",
}


@dataclass
class PlanConfig:
    """What `assay plan` reads besides the configuration that is planned."""

    config: list[str] = field(default_factory=list)
    """the YAML files and key=value words of what is planned: all that are none of the keys here"""
    kind: str = "auto"
    """auto (whose keys they are) | run | generator | verifier | sample"""
    hardware: str = ""
    """COUNTxNAME: H100-80G, H200-141G, A100-40G, A100-80G, L40S, 4090-24G, 3090, T4, cpu (cores);
    NODESxCOUNTxNAME of several nodes, for example 4x8xH100-80G"""
    price: float = 0.0
    """US dollars per device and hour; 0 = planning/hardware.py's"""
    mfu: float = 0.0
    """fraction of the peak FLOP/s that training and scoring reach; 0 = planning/hardware.py's"""
    memory: float = 0.0
    """GiB of a device; 0 = planning/hardware.py's"""
    network: float = 0.0
    """GB/s between nodes, for each device; 0 = planning/hardware.py's"""
    host_memory: float = 0.0
    """GiB of the host's memory, for each device; 0 = planning/hardware.py's"""
    parallel: str = ""
    """of trainings: ddp | zero2 | zero3 | zero2-offload | zero3-offload | fsdp; empty = as
    configured, else ddp"""
    checkpointing: bool | None = None
    """of trainings: keep the layers' inputs alone and compute the rest again; null = as configured
    """
    lora_rank: int = 0
    """of trainings: adapters of this rank; 0 = as configured"""
    lora_bits: int = 0
    """bits of the frozen weights below adapters: 16 | 4 (QLoRA); 0 = by the dtype"""
    prompt_tokens: float = 0.0
    """mean tokens of a prompt; 0 = planning/workload.py's for the problem set"""
    cot_tokens: float = 0.0
    """mean tokens of a solution in words; 0 = planning/workload.py's"""
    pot_tokens: float = 0.0
    """mean tokens of a program; 0 = planning/workload.py's"""
    json: bool = False
    """print JSON: bytes, seconds, dollars"""


def run(config: PlanConfig) -> None:
    """`assay plan`."""
    title, stages, planner = plan(config)
    machine = planner.choices.machine
    if config.json:
        print(json.dumps(plan_dict(title, stages, machine, planner.notes), indent=1))
    else:
        print(plan_table(title, stages, machine, planner.notes))


def plan(config: PlanConfig) -> tuple[str, list[StageEstimate], Planner]:
    """The plan's title, its stages, and the planner with its notes. Raises `UserError`."""
    planner = Planner(_choices(config))
    kind, planned = _loaded(config.config, config.kind)
    makers: dict[str, Callable[[Any], list[StageEstimate]]] = {
        "generator": planner.generator,
        "verifier": planner.verifier,
        "sample": planner.sample,
        "run": planner.loop,
    }
    stages = makers[kind](planned)
    files = [word for word in config.config if "=" not in word]
    return " ".join(["assay", COMMANDS[kind], *files]), stages, planner


def _choices(config: PlanConfig) -> Choices:
    machine = machine_of(
        config.hardware,
        price=config.price,
        mfu=config.mfu,
        memory=config.memory,
        network=config.network,
        host_memory=config.host_memory,
    )
    for name in ("lora_rank", "prompt_tokens", "cot_tokens", "pot_tokens"):
        if getattr(config, name) < 0:
            raise UserError(f"{name}={getattr(config, name)}: expected 0 or more")
    if config.lora_bits not in (0, 4, 16):
        raise UserError(f"lora_bits={config.lora_bits}: expected 4, 16 or 0")
    return Choices(
        machine,
        config.parallel,
        config.checkpointing,
        Adapters(config.lora_rank, config.lora_bits),
        config.prompt_tokens,
        config.cot_tokens,
        config.pot_tokens,
    )


def _loaded(words: Sequence[str], kind: str) -> tuple[str, Any]:
    """The configuration that `words` make, and its kind. Raises `UserError`."""
    if not words:
        raise UserError("config: expected what is planned, for example configs/quickstart.yaml")
    if kind != "auto":
        if kind not in KINDS:
            raise UserError(f"kind={kind}: expected auto or one of {', '.join(KINDS)}")
        return kind, load(KINDS[kind], words)
    keys = {key for word in words for key in _keys(word)}
    failures: list[tuple[int, UserError]] = []
    for name, schema in KINDS.items():
        try:
            return name, load(schema, words)
        except UserError as error:
            known = {f.name for f in fields(schema)}
            failures.append((len(keys & known), error))
    raise max(failures, key=lambda failure: failure[0])[1]


def _keys(word: str) -> list[str]:
    """The top-level keys of a YAML file or of a key=value word."""
    if word.endswith((".yaml", ".yml")) and "=" not in word:
        return list(read_yaml(find_config(word)))
    return [word.partition("=")[0].partition(".")[0]]
