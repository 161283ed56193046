"""Fine-tuning a generator on reference solutions, words and programs mixed.

Supervised, the loss on the response alone (Yue et al. 2023, arXiv 2309.05653, section 2.3), for two
epochs by default, since coverage falls with more (Cobbe et al. 2021, arXiv 2110.14168, section
4.1). Built on Transformers' Trainer: every field of its TrainingArguments that has no key of its
own here can be set under `trainer`, for example `trainer.optim=adamw_bnb_8bit`.

    config = TrainGeneratorConfig(output="runs/generator", learning_rate=1e-3)
    train_generator(config, load_problems(ProblemsConfig(name="gsm_symbolic", limit=1000)))

The same command again finds the finished generator, or goes on where a killed training was.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import os
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from assay.generator.batches import rows_of_a_step, split_batch
from assay.generator.coverage import Coverage, CoverageConfig, measure_coverage
from assay.generator.lora import GeneratorLoraConfig, add_adapters, check_base, load_quantized
from assay.generator.models import (
    ModelConfig,
    check_vocabulary,
    device_of,
    fingerprint,
    load_model,
    load_tokenizer,
    quiet,
)
from assay.generator.output import GeneratorFolder
from assay.generator.packing import IGNORED, Packed, pack
from assay.generator.parallel import prepare_deepspeed, settle_batch, under_fsdp
from assay.generator.rationales import Example, RationalesConfig, build_examples, tell
from assay.generator.rejection import Sampled, mixed
from assay.generator.reporting import check_report_to
from assay.problems.problem import Problem
from assay.problems.prompts import PromptConfig, Prompter, prompt_key
from assay.settings.errors import UserError
from assay.storage.places import local_folder

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from assay.generator.trainer import GeneratorTrainer

__all__ = ["TrainGeneratorConfig", "left_to_train", "train_generator"]

# Fields of TrainingArguments that are set elsewhere.
_OURS = {
    "output_dir": "output",
    "num_train_epochs": "epochs",
    "learning_rate": "learning_rate",
    "seed": "seed",
    "deepspeed": "deepspeed",
    "gradient_checkpointing": "gradient_checkpointing",
    "activation_checkpointing": "gradient_checkpointing",
    "report_to": "report_to",
    "remove_unused_columns": "",
    "per_device_eval_batch_size": "",
}


@dataclass
class TrainGeneratorConfig:
    """How a generator is fine-tuned (an OmegaConf schema)."""

    RENAMED: ClassVar[dict[str, str]] = {"pack_length": "pack_tokens"}

    model: ModelConfig = field(default_factory=ModelConfig)
    """the model to fine-tune"""
    prompt: PromptConfig = field(default_factory=PromptConfig)
    rationales: RationalesConfig = field(default_factory=RationalesConfig)
    output: str = ""
    """folder to write the finished generator to"""
    epochs: float = 2.0
    learning_rate: float = 2e-5
    schedule: str = "cosine"
    """cosine | linear | constant_with_warmup | … (Transformers' lr_scheduler_type)"""
    warmup_ratio: float = 0.03
    """fraction of the training during which the learning rate rises"""
    batch_size: int = 32
    """solutions in an optimizer step, on average (whole packed rows are taken)"""
    pack_tokens: int = 1024
    """tokens in a packed row; solutions that are longer with their question are left out"""
    order: str = "shuffled"
    """of the solutions: shuffled anew each epoch | given (a curriculum: as the problems stand)"""
    seed: int = 0
    save_every_seconds: float = 60.0
    """time between checkpoints, longer where saving would take more than 5 % of it"""
    coverage: CoverageConfig = field(default_factory=CoverageConfig)
    """chooses the epoch by pass@n on held-out problems"""
    lora: GeneratorLoraConfig = field(default_factory=GeneratorLoraConfig)
    """train adapters instead; they need a larger learning_rate, for example 2e-4"""
    deepspeed: str = ""
    """DeepSpeed's configuration, for example configs/deepspeed/zero3.json; start with torchrun"""
    gradient_checkpointing: bool = False
    """keep each layer's input alone and compute the rest again: far less memory for activations,
    a third more computing"""
    report_to: list[str] = field(default_factory=list)
    """where losses are reported besides the terminal: tensorboard, wandb, mlflow, …"""
    trainer: dict[str, Any] = field(default_factory=dict)
    """any other field of transformers.TrainingArguments: bf16, optim, fsdp,
    per_device_train_batch_size (packed rows) …"""

    def check(self) -> None:
        """Raises `UserError` naming the field that is out of range."""
        if not self.output:
            raise UserError("output: expected a folder, for example output=runs/generator")
        for name in ("epochs", "learning_rate", "batch_size", "pack_tokens"):
            if not getattr(self, name) > 0:
                raise UserError(f"{name}={getattr(self, name)}: expected a number above 0")
        if self.order not in ("shuffled", "given"):
            raise UserError(f"order={self.order}: expected shuffled or given")
        if not 0 <= self.warmup_ratio < 1:
            raise UserError(f"warmup_ratio={self.warmup_ratio}: expected a number in [0, 1)")
        for name in self.trainer.keys() & _OURS.keys():
            instead = f"; set {_OURS[name]} instead" if _OURS[name] else ""
            raise UserError(f"trainer.{name}: is set by Assay{instead}")
        self.rationales.check()
        self.coverage.check()
        self.lora.check()


def train_generator(
    config: TrainGeneratorConfig,
    problems: list[Problem],
    validation: Sequence[Problem] = (),
    sampled: Sampled | None = None,
) -> Path:
    """Fine-tunes and writes a Hugging Face folder with `assay.json`; returns its path.

    Where coverage is measured and no validation problems are given, the last of `problems` are held
    out. With `sampled` (rejection sampling), its solutions are learnt beside those of `problems`,
    of held-out ones none. Raises `UserError` for settings that do not fit, for problems without
    solutions, and where the output folder holds something else.
    """
    work = _prepared(config, problems, validation, sampled)
    folder, examples = work.folder, work.examples
    if folder.finished():
        return folder.path
    arguments = _arguments(config, folder)
    if arguments.process_index == 0:
        folder.begin()
        print(_told(work.counts), file=sys.stderr)
    if config.order == "shuffled":
        random.Random(config.seed).shuffle(examples)
    rows = pack(examples, config.pack_tokens)
    with quiet():
        _train(config, folder, arguments, rows, work, sampled)
    return folder.path


def left_to_train(
    config: TrainGeneratorConfig,
    problems: list[Problem],
    validation: Sequence[Problem],
    processes: int,
    sampled: Sampled | None = None,
) -> bool:
    """Whether `train_generator` would train, with so many processes; nothing is written.

    Raises what it would raise before the first step, as far as that can be known without the model.
    """
    work = _prepared(config, problems, validation, sampled)
    if work.folder.finished():
        return False
    rows = pack(work.examples, config.pack_tokens)
    rows_of_a_step(config, len(rows), len(work.examples), processes)
    return True


@dataclass(frozen=True)
class _Prepared:
    """What is known of a training before its model is loaded."""

    folder: GeneratorFolder
    prompter: Prompter
    examples: list[Example]
    held_out: list[Problem]
    counts: dict[str, int]


def _prepared(
    config: TrainGeneratorConfig,
    problems: list[Problem],
    validation: Sequence[Problem],
    sampled: Sampled | None,
) -> _Prepared:
    config.check()
    check_report_to(config.report_to)
    check_base(config.model, config.lora)
    tokenizer = load_tokenizer(config.model)
    prompter = Prompter(config.prompt, tokenizer)
    problems, held_out = _held_out(problems, validation, config.coverage)
    if sampled is not None:
        problems = mixed(problems, sampled, held_out)
    examples, left_out = _fitting(
        build_examples(problems, prompter, config.rationales), config.pack_tokens
    )
    counts = {**tell(problems, examples), "too_long": left_out}
    folder = GeneratorFolder(
        local_folder(config.output, "output"), _key(config, examples, held_out)
    )
    return _Prepared(folder, prompter, examples, held_out, counts)


def _held_out(
    problems: list[Problem], validation: Sequence[Problem], config: CoverageConfig
) -> tuple[list[Problem], list[Problem]]:
    """Training problems, and those that coverage is measured on."""
    if config.problems == 0:
        return problems, []
    if not validation:
        if config.problems >= len(problems):
            raise UserError(
                f"coverage.problems={config.problems}: there are only {len(problems)} problems"
            )
        problems, validation = problems[: -config.problems], problems[-config.problems :]
    chosen = list(validation[: config.problems])
    for problem in chosen:
        if problem.answer is None:
            raise UserError(f"{problem.id}: coverage needs a reference answer, found none")
    return problems, chosen


def _fitting(examples: list[Example], longest: int) -> tuple[list[Example], int]:
    """The examples of at most `longest` tokens, and how many others there were."""
    fitting = [example for example in examples if len(example) <= longest]
    if not fitting:
        raise UserError(f"pack_tokens={longest}: every solution is longer; make it larger")
    return fitting, len(examples) - len(fitting)


def _key(
    config: TrainGeneratorConfig, examples: Sequence[Example], held_out: Sequence[Problem]
) -> dict[str, Any]:
    """Everything that changes the weights: the model by its content, the data by theirs."""
    settings = dataclasses.asdict(config)
    for name in ("model", "output", "save_every_seconds", "report_to"):
        del settings[name]
    settings["prompt"] = prompt_key(config.prompt)
    # As trainings from before these keys had their names were recorded.
    settings["pack_length"] = settings.pop("pack_tokens")
    for name in ("deepspeed", "gradient_checkpointing"):
        if value := settings.pop(name):
            settings["trainer"][name] = value
    if not config.lora.rank:
        del settings["lora"]
    # Trainings from before there was a choice have no such key.
    if config.order == "shuffled":
        del settings["order"]
    data = hashlib.sha256()
    for example in examples:
        data.update(f"{example.prompt_ids} {example.response_ids}\n".encode())
    held = hashlib.sha256("\n".join(f"{p.question}\t{p.answer}" for p in held_out).encode())
    return {
        "base": fingerprint(config.model),
        "dtype": config.model.dtype,
        "examples": f"{len(examples)}, sha256:{data.hexdigest()[:16]}",
        "held_out": f"{len(held_out)}, sha256:{held.hexdigest()[:16]}",
        **settings,
    }


def _told(counts: dict[str, int]) -> str:
    text = f"train generator: {counts['cot']} solutions in words, {counts['pot']} programs"
    text += f" of {counts['problems']} problems"
    if counts["without"]:
        text += f"; {counts['without']} problems have none that can be used"
    if counts["too_long"]:
        text += f"; {counts['too_long']} solutions are longer than pack_tokens and left out"
    return text


def _arguments(config: TrainGeneratorConfig, folder: GeneratorFolder) -> TrainingArguments:
    """The Trainer's arguments: ours, then those of `config.trainer`. Raises `UserError`."""
    from transformers import TrainingArguments

    known = {f.name for f in dataclasses.fields(TrainingArguments) if f.init}
    for name in config.trainer:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            meant = [_OURS.get(name) or f"trainer.{name}" for name in near]
            hint = f"; did you mean {meant[0]}?" if near else ""
            raise UserError(f"trainer.{name}: no such field of TrainingArguments{hint}")
    device = device_of(config.model).type
    cuda = device == "cuda"
    settings: dict[str, Any] = {
        "num_train_epochs": config.epochs,
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": config.schedule,
        # TrainingArguments takes a number below 1 as a ratio.
        "warmup_steps": config.warmup_ratio,
        "seed": config.seed,
        "use_cpu": not cuda,
        # Weights stay in float32 unless told otherwise; on a GPU products are taken in bfloat16.
        "bf16": cuda and config.model.dtype == "auto",
        "dataloader_pin_memory": cuda,
        "ddp_find_unused_parameters": False,
        "report_to": config.report_to or "none",
        "save_strategy": "no",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "disable_tqdm": True,
        "remove_unused_columns": False,
    }
    if config.gradient_checkpointing:
        new = "activation_checkpointing"
        settings[new if new in known else "gradient_checkpointing"] = True
    if config.order == "given":
        settings["train_sampling_strategy"] = "sequential"
    settings |= config.trainer
    if config.deepspeed:
        settings["deepspeed"] = prepare_deepspeed(config.deepspeed, device)
    if config.report_to:
        # By default in the folder of the training, which goes when that is finished.
        os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(folder.path / "reports"))
    try:
        return TrainingArguments(output_dir=str(folder.training), **settings)
    except (ValueError, TypeError, ImportError, RuntimeError) as error:
        raise UserError(f"trainer: {' '.join(str(error).split())[:240]}") from error


def _train(
    config: TrainGeneratorConfig,
    folder: GeneratorFolder,
    arguments: TrainingArguments,
    rows: list[Packed],
    work: _Prepared,
    sampled: Sampled | None,
) -> None:
    from assay.generator.engines.hf import TransformersEngine
    from assay.generator.trainer import GeneratorTrainer, KeepBest, Progress

    prompter, held_out, counts = work.prompter, work.held_out, work.counts
    dtype = "float32" if config.model.dtype == "auto" else config.model.dtype
    base = dataclasses.replace(config.model, dtype=dtype)
    fsdp = arguments.fsdp or under_fsdp()
    if fsdp or arguments.deepspeed:
        _check_divided(config)
    if fsdp:
        # Dividing brings each GPU its part; none has to hold the whole.
        base.device = "cpu"
    model = load_quantized(base) if config.lora.bits == 4 else load_model(base)
    check_vocabulary(model, prompter.tokenizer, config.model.name)
    adapters = add_adapters(model, config.lora, config.seed, "lora") if config.lora.rank else None
    split_batch(config, arguments, rows, model, counts["cot"] + counts["pot"])
    settle_batch(arguments)
    trainer = GeneratorTrainer(model, arguments, rows, folder, config.save_every_seconds)
    if adapters is not None:
        trainer.adapt(adapters, config.model if config.lora.alone else None)

    def measure(trained: Any) -> Coverage:
        engine = TransformersEngine(trained, prompter.tokenizer)
        modes = config.rationales.modes
        return measure_coverage(engine, prompter, held_out, modes, config.coverage)

    notes: list[str] = []
    keep_best = KeepBest(trainer, measure, notes) if held_out else None
    if keep_best:
        trainer.add_callback(keep_best)
    trainer.add_callback(Progress(notes))
    trainer.resume_and_train()
    final = keep_best.best if keep_best else folder.training / "final"
    if not keep_best:
        trainer.write(final)
    if trainer.is_world_process_zero():
        prompter.tokenizer.save_pretrained(final)
        # A pickle of the Trainer's settings, which nobody needs and readers should not load.
        (final / "training_args.bin").unlink(missing_ok=True)
        coverage = keep_best.measured() if keep_best else []
        folder.finish(final, _record(config, trainer, rows, counts, coverage, sampled))
    trainer.accelerator.wait_for_everyone()


def _record(
    config: TrainGeneratorConfig,
    trainer: GeneratorTrainer,
    rows: Sequence[Packed],
    counts: dict[str, int],
    coverage: list[dict[str, float]],
    sampled: Sampled | None,
) -> dict[str, Any]:
    """What `assay.json` says of the training."""
    return {
        "config": dataclasses.asdict(config),
        "prompt": dataclasses.asdict(config.prompt),
        "counts": counts,
        **({"rejection": sampled.record} if sampled else {}),
        "rows": len(rows),
        "tokens_per_epoch": sum(len(row.input_ids) for row in rows),
        "response_tokens_per_epoch": sum(t != IGNORED for row in rows for t in row.labels),
        "steps": trainer.state.global_step,
        "processes": trainer.args.world_size,
        "parallel": trainer.kind,
        "seconds": round(trainer.seconds, 1),
        "coverage": coverage,
        "history": [
            {"step": log["step"], "loss": log["loss"], "learning_rate": log["learning_rate"]}
            for log in trainer.state.log_history
            if "loss" in log
        ],
    }


def _check_divided(config: TrainGeneratorConfig) -> None:
    """Refuses what weights that are divided over processes do not allow."""
    if config.coverage.problems:
        raise UserError("coverage.problems: weights are divided over processes; set it to 0")
    if config.lora.bits == 4:
        raise UserError(
            "lora.bits=4: weights of 4 bits cannot be divided over processes; train data-parallel "
            "(deepspeed=, no FSDP): each process holds them whole"
        )
