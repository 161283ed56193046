"""Transformers' Trainer, with what this training needs of it: the loss, checkpoints, progress.

The loss is the mean over the response tokens of an optimizer step, whatever its split into
micro-batches and processes; vocabulary-size logits are computed at those tokens alone. Checkpoints
are written by the clock, so that a killed training loses little whatever the model's size, and a
resumed one ends with the same bits: data order, optimizer, schedule and random numbers go on as if
nothing had happened.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import save_fsdp_optimizer
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer import SCHEDULER_NAME
from transformers.trainer_callback import PrinterCallback

from assay.generator.coverage import Coverage
from assay.generator.documents import collate, within_documents
from assay.generator.lora import adapter_state, merged_state, write_adapter
from assay.generator.models import ModelConfig
from assay.generator.output import GeneratorFolder
from assay.generator.packing import IGNORED, Packed
from assay.generator.parallel import check_launch
from assay.generator.partition import put
from assay.pools.progress import TrainingBar
from assay.settings.errors import UserError
from assay.storage.files import write_json

__all__ = ["GeneratorTrainer", "KeepBest", "Progress", "Saving"]

Measure = Callable[[Any], Coverage]

# Adapters in a checkpoint. The name is one that the Trainer takes for weights.
_ADAPTERS = "adapter_model.safetensors"
# Saving takes at most this part of the time, however large the model.
_SAVING_SHARE = 0.05


class GeneratorTrainer(Trainer):
    """Trains on packed rows; checkpoints go to `folder`. `seconds` counts resumed runs too."""

    loss_is_scaled_for_ga = True

    def __init__(
        self,
        model: Any,
        args: TrainingArguments,
        rows: list[Packed],
        folder: GeneratorFolder,
        save_every_seconds: float,
    ) -> None:
        # Several GPUs in one process would split a batch of one row; one process a GPU instead.
        if args.world_size == 1:
            args._n_gpu = min(args.n_gpu, 1)
        super().__init__(model=model, args=args, train_dataset=rows, data_collator=collate)
        self.kind = "plain"
        self._adapters: Any = None
        self._base: ModelConfig | None = None
        # Makes the Trainer count the step's response tokens.
        self.model_accepts_loss_kwargs = True
        self.folder = folder
        self.saving_seconds = 0.0
        self._earlier_seconds = 0.0
        self._start = time.monotonic()
        self.remove_callback(PrinterCallback)
        self.add_callback(Saving(self, save_every_seconds))
        self.add_callback(Launched(self))

    @property
    def divided(self) -> bool:
        """Whether weights or what belongs to them are divided over processes."""
        return bool(self.is_deepspeed_enabled or self.is_fsdp_enabled)

    @property
    def seconds(self) -> float:
        """Time spent training so far, in all runs."""
        return self._earlier_seconds + time.monotonic() - self._start

    def resume_and_train(self) -> None:
        """Trains to the end, from the last complete checkpoint where there is one."""
        # The first process clears away what is incomplete; all must find the same.
        self.accelerator.wait_for_everyone()
        checkpoint = self.folder.last_checkpoint()
        if checkpoint:
            about = self.folder.about(checkpoint)
            self._check_continues(checkpoint, about)
            self._earlier_seconds = float(about["seconds"])
        with within_documents(self.model):
            self.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)

    def _division(self) -> dict[str, Any]:
        """How the training is divided, as far as going on from a checkpoint depends on it."""
        arguments = self.args
        own = arguments.per_device_train_batch_size * arguments.gradient_accumulation_steps
        by = "deepspeed" if self.is_deepspeed_enabled else "fsdp" if self.is_fsdp_enabled else ""
        return {"processes": arguments.world_size, "rows": own * arguments.world_size, "by": by}

    def _check_continues(self, checkpoint: Path, about: Mapping[str, Any]) -> None:
        """Raises `UserError` where a training that is divided as this one cannot go on."""
        now = self._division()
        there = {name: about.get(name, value) for name, value in now.items()}
        if there["by"] != now["by"]:
            raise UserError(
                f"{checkpoint}: of a training by {there['by'] or 'whole copies'}; by "
                f"{now['by'] or 'whole copies'} it cannot go on from there"
            )
        # The parts of DeepSpeed's states are as many as the processes were.
        if now["by"] == "deepspeed" and there["processes"] != now["processes"]:
            raise UserError(
                f"{checkpoint}: written by {there['processes']} processes of DeepSpeed; "
                f"{now['processes']} cannot go on from there"
            )
        if there["rows"] != now["rows"]:
            raise UserError(
                f"{checkpoint}: its steps are of {there['rows']} packed rows, over "
                f"{there['processes']} processes; over {now['processes']} they would be of "
                f"{now['rows']}: start as many processes"
            )

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Summed cross-entropy of the response tokens over the number of them in the whole step."""
        labels = inputs.pop("labels")[0, 1:]
        at = (labels != IGNORED).nonzero()[:, 0]
        outputs = model(**inputs, logits_to_keep=at, use_cache=False)
        loss = cross_entropy(outputs.logits[0].float(), labels[at], reduction="sum")
        loss = loss / (len(at) if num_items_in_batch is None else num_items_in_batch)
        # Gradients are averaged over processes, each of which saw its share of the step's tokens.
        if self.args.average_tokens_across_devices:
            loss = loss * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss

    def adapt(self, adapters: Any, base: ModelConfig | None) -> None:
        """Tells that the model has `adapters` (of `add_adapters`), which alone are trained.

        With a `base`, they are written as an adapter of it, else added to the weights.
        """
        self._adapters, self._base = adapters, base

    def write(self, folder: Path) -> None:
        """Writes the model as it is now, to be loaded by its name.

        Where weights are divided over processes, all of those must call this.
        """
        if self._adapters is None:
            self.save_model(str(folder))
        elif self._base is not None:
            write_adapter(self.model, self._adapters, self._base, folder)
        else:
            state = merged_state(self.model)
            if self.is_world_process_zero():
                self.model.save_pretrained(folder, state_dict=state)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Weights of a checkpoint: of adapters, they alone."""
        if self._adapters is None:
            super().save_model(output_dir, _internal_call)
            return
        state = adapter_state(self.model)
        if self.args.should_save:
            path = Path(output_dir or self.args.output_dir)
            path.mkdir(parents=True, exist_ok=True)
            save_file(state, str(path / _ADAPTERS))

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        """Of adapters, without the frozen weights, which a divided training would add."""
        if self._adapters is None or not self.divided:
            super()._save_optimizer_and_scheduler(output_dir)
            return
        if self.is_deepspeed_enabled:
            self.model_wrapped.save_checkpoint(output_dir, exclude_frozen_parameters=True)
        else:
            plugin = self.accelerator.state.fsdp_plugin
            save_fsdp_optimizer(plugin, self.accelerator, self.optimizer, self.model, output_dir)
        if self.args.should_save:
            torch.save(self.lr_scheduler.state_dict(), Path(output_dir) / SCHEDULER_NAME)

    def _prepare_for_training(self, max_steps: int, train_dataloader: Any, resume: Any) -> Any:
        """Of adapters, DeepSpeed's checkpoint has not all weights, which the Trainer wants."""
        own = self._adapters is not None and self.is_deepspeed_enabled
        ready = super()._prepare_for_training(max_steps, train_dataloader, None if own else resume)
        if own and resume is not None:
            self.model_wrapped.load_checkpoint(resume, load_module_strict=False)
            self._load_optimizer_and_scheduler(resume)
        return ready

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Puts back what `save_model` wrote."""
        if self._adapters is None:
            super()._load_from_checkpoint(resume_from_checkpoint, model)
            return
        state = load_file(str(Path(resume_from_checkpoint) / _ADAPTERS))
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                put(parameter, state[name])

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Writes a checkpoint that counts only when all of it is on disk."""
        start = time.monotonic()
        path = self.folder.training / f"checkpoint-{self.state.global_step}"
        try:
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            if self.is_world_process_zero():
                keep = max(1, self.args.save_total_limit or 1)
                where = {"step": self.state.global_step, "seconds": self.seconds}
                about = {**where, **self._division()}
                self.folder.complete(path, about, keep)
        except (OSError, RuntimeError, SafetensorError) as error:
            # torch and safetensors wrap what the system says of a full disk.
            shutil.rmtree(path, ignore_errors=True)
            raise UserError(
                f"{path}: cannot be written ({' '.join(str(error).split())[:160]}); the checkpoint "
                "before it is kept: make room and give the same command again"
            ) from error
        self.saving_seconds = time.monotonic() - start


class Launched(TrainerCallback):
    """Checks, when everything is prepared, that training is divided as was asked for."""

    def __init__(self, trainer: GeneratorTrainer) -> None:
        self._trainer = trainer

    def on_train_begin(self, args: TrainingArguments, *_: Any, **__: Any) -> None:
        """Checks; the trainer remembers the kind."""
        trainer = self._trainer
        asked = {"deepspeed": args.deepspeed, "fsdp": args.fsdp}
        processes = trainer.accelerator.num_processes
        trainer.kind = check_launch(asked, trainer.model_wrapped, processes)


class Saving(TrainerCallback):
    """Asks for a checkpoint every so many seconds, and at the end of every epoch."""

    def __init__(self, trainer: GeneratorTrainer, every_seconds: float) -> None:
        self._trainer = trainer
        self._every = every_seconds
        self._last = time.monotonic()

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Starts the clock."""
        self._last = time.monotonic()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Saves when it is time."""
        # The end of an epoch saves after what is done there (coverage), never before.
        if float(state.epoch or 0).is_integer() or state.global_step >= state.max_steps:
            return
        pause = max(self._every, self._trainer.saving_seconds / _SAVING_SHARE)
        if self._agreed(time.monotonic() - self._last >= pause):
            control.should_save = True

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Saves."""
        control.should_save = True

    def on_save(self, *_: Any, **__: Any) -> None:
        """Starts the clock anew."""
        self._last = time.monotonic()

    def _agreed(self, due: bool) -> bool:
        """What the first process says: all must save at the same step."""
        if self._trainer.args.world_size == 1:
            return due
        said = torch.tensor(int(due), device=self._trainer.args.device)
        torch.distributed.broadcast(said, src=0)
        return bool(said.item())


class KeepBest(TrainerCallback):
    """Measures coverage after each epoch and keeps the weights of the best one in training/best.

    `notes` gets a text for the epoch's line. What was measured is in training/coverage.json, where
    a resumed training finds it.
    """

    def __init__(self, trainer: GeneratorTrainer, measure: Measure, notes: list[str]) -> None:
        self._trainer = trainer
        self._measure = measure
        self._notes = notes
        self._file = trainer.folder.training / "coverage.json"
        self.best = trainer.folder.training / "best"

    def measured(self) -> list[dict[str, float]]:
        """What was found after each epoch so far."""
        if not self._file.exists():
            return []
        return list(json.loads(self._file.read_text(encoding="utf-8")))

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Measures, and keeps the weights where they are the best so far; the first of equals."""
        if not state.is_world_process_zero:
            return
        model = self._trainer.model
        assert model is not None
        model.eval()
        found = self._measure(model)
        before = [m for m in self.measured() if m["step"] < state.global_step]
        if all((found.coverage, found.accuracy) > (m["coverage"], m["accuracy"]) for m in before):
            fresh = self.best.with_name("best.new")
            shutil.rmtree(fresh, ignore_errors=True)
            self._trainer.write(fresh)
            shutil.rmtree(self.best, ignore_errors=True)
            fresh.rename(self.best)
        entry = {"epoch": round(state.epoch or 0, 4), "step": state.global_step, **asdict(found)}
        write_json(self._file, [*before, entry])
        self._notes.append(
            f"pass@{found.samples} {found.coverage:.1%}, single {found.accuracy:.1%}"
        )


class Progress(TrainerCallback):
    """A bar with the loss, or a line a minute in a log, and a line for each epoch.

    `notes` are texts that others want in the epoch's line. Raises `UserError` where the loss is
    not a number any more.
    """

    def __init__(self, notes: list[str]) -> None:
        self._notes = notes
        self._losses: list[float] = []
        self._bar: TrainingBar | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Draws the bar from where training goes on."""
        if state.is_world_process_zero:
            self._bar = TrainingBar(state.max_steps, "train generator", done=state.global_step)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Shows the loss, a mean over the last steps."""
        loss = (logs or {}).get("loss")
        if loss is None:
            return
        if not math.isfinite(loss):
            raise UserError(
                f"the loss is {loss} at step {state.global_step}: try a smaller learning_rate, or "
                "a longer warmup_ratio"
            )
        self._losses.append(loss)
        if self._bar is not None:
            self._bar.add({"loss": loss}, step=state.global_step)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Writes the epoch's line."""
        if self._bar is None or not self._losses:
            return
        mean = sum(self._losses) / len(self._losses)
        epoch = f"epoch {round(state.epoch or 0, 2):g} of {args.num_train_epochs:g}"
        line = "; ".join([f"{epoch}: mean loss {mean:.3f}", *self._notes])
        self._bar.write(line)
        self._losses.clear()
        self._notes.clear()

    def on_train_end(self, *_: Any, **__: Any) -> None:
        """Leaves the finished bar on the screen."""
        if self._bar is not None:
            self._bar.close()
