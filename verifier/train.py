"""Training a verifier by the joint objective (Cobbe et al. 2021, arXiv 2110.14168, section 4.2).

A step takes packs of many problems (`assay.verifier.packing`), sums both losses over their tokens,
divides each by its number of tokens in the whole step, and lets AdamW move; the rates fall linearly
to 0. Before that, a phase may train the language model alone (`assay.verifier.schedule`). Of the
steps at which held-out problems were scored, the best one's weights are kept.

All randomness is a function of (seed, epoch) for the order and of (seed, step) for the dropout, so
a training that was killed goes on from its last checkpoint to the very weights of an undisturbed
one (bit for bit on a CPU). Runs in one process, data-parallel under `torchrun` or
`accelerate launch`, or divided by DeepSpeed (`assay.verifier.parallel`).

    path = train_verifier(TrainVerifierConfig(output="runs/verifier"), data)
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object

from assay.generator.models import device_of, fingerprint
from assay.pools.progress import TrainingBar
from assay.problems.prompts import Prompter
from assay.settings.errors import UserError
from assay.storage.places import local_folder
from assay.verifier.calibrate import fit
from assay.verifier.checkpoint import VerifierFolder
from assay.verifier.config import TrainVerifierConfig, check_choice, check_training
from assay.verifier.data import Group, VerifierProblem, fingerprint_of, fitting, make_groups, split
from assay.verifier.model import LossSums, Verifier
from assay.verifier.packing import Batch, Pack, deal, idle, micro_batches, packed_batch
from assay.verifier.parallel import (
    backward,
    check_engine,
    drop_divided,
    load_divided,
    loaded_whole,
    most,
    optimiser_step,
    save_divided,
    start,
    under_deepspeed,
)
from assay.verifier.schedule import ADAPTATION, Epoch, Schedule
from assay.verifier.training_problems import write_training_problems
from assay.verifier.validate import Validation, is_as_good, measure_problems, score_problems, told
from assay.verifier.weights import load_trained, optimizer_of, trained_state

__all__ = ["train_verifier"]

# Settings that change neither the weights nor the record.
_FREE = ("output", "save_every_seconds", "micro_batch_tokens", "deepspeed")
# Points of the loss history that are kept.
_HISTORY = 200


@dataclass
class _Progress:
    """Where a training stands; goes into checkpoints."""

    step: int = 0
    candidates: int = 0
    tokens: int = 0
    seconds: float = 0.0
    recent: list[list[float]] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    validations: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Any] | None = None
    """step and value of the kept one so far; value and standard error of the best (`top`)"""


def train_verifier(config: TrainVerifierConfig, data: Sequence[VerifierProblem]) -> Path:
    """Trains a verifier on labelled candidates and writes it to `config.output`.

    Returns at once where that folder holds the verifier of the same settings and data; goes on
    where it holds an interrupted training of them. Raises `UserError` where it holds anything else,
    where a setting does not fit, and where the data has no candidates.
    """
    check_training(config)
    check_choice("model.base.attention", config.model.base.attention, ("sdpa", "eager"))
    folder = VerifierFolder(local_folder(config.output, "output"), _key(config, data))
    if folder.finished():
        return folder.path
    # First of all: with several GPUs, it decides which one is this process's own.
    accelerator = start(config, _bfloat16(config))
    training, held_out = split(data, config.validation_fraction, config.seed)
    verifier, tokenizer = Verifier.from_base(
        config.model,
        config.prompt,
        loss=config.loss,
        append_output=config.append_output,
        seed=config.seed,
    )
    if under_deepspeed(accelerator):
        loaded_whole()
    prompter = Prompter(config.prompt, tokenizer)
    groups, counts = _groups(config, training, prompter, verifier.max_length)
    schedule = Schedule(config, groups)
    counts |= schedule.counts
    verifier.set_base_rate(counts["right"] / counts["candidates"])
    if verifier.reads_likelihood and not under_deepspeed(accelerator):
        verifier.start_from_likelihood(_first_batches(config, schedule, verifier.device))
    held_out = fitting(held_out, prompter, verifier.max_length, config.append_output)
    loop = _Loop(config, folder, accelerator, verifier, tokenizer, prompter, held_out)
    loop.run(schedule)
    if accelerator.is_main_process or under_deepspeed(accelerator):
        loop.load_kept()
        loop.calibrate()
        verifier.save_pretrained(folder.path, tokenizer)
    if accelerator.is_main_process:
        write_training_problems(
            folder.path, [item.problem for item in training], [item.problem for item in held_out]
        )
        folder.finish(_record(config, loop, counts))
    accelerator.wait_for_everyone()
    return folder.path


def _groups(
    config: TrainVerifierConfig,
    training: Sequence[VerifierProblem],
    prompter: Prompter,
    max_length: int,
) -> tuple[list[Group], dict[str, int]]:
    """The groups to train on, and how much there is of what."""
    groups, counts = make_groups(
        training,
        prompter,
        max_length=max_length,
        samples_per_problem=config.samples_per_problem,
        deduplicate=config.deduplicate,
        append_output=config.append_output,
        references=config.lm_weight > 0 or config.adaptation_epochs > 0,
        line_ends=config.model.level == "step",
        seed=config.seed,
    )
    if not groups:
        raise UserError("train-verifier: the data has no labelled candidates to train on")
    return groups, counts


def _first_batches(
    config: TrainVerifierConfig, schedule: Schedule, device: torch.device
) -> list[Batch]:
    """The batches of the first step with sampled solutions, whole: in every process the same."""
    parts = micro_batches(schedule.first_joint_step(), config.micro_batch_tokens)
    level, last_weight = config.model.level, config.model.last_weight
    return [packed_batch(part, level, last_weight).to(device) for part in parts]


def _key(config: TrainVerifierConfig, data: Sequence[VerifierProblem]) -> dict[str, Any]:
    """Everything that decides the weights."""
    settings = {k: v for k, v in dataclasses.asdict(config).items() if k not in _FREE}
    model = dict(settings.pop("model"))
    base = model.pop("base")
    model["base"] = {"fingerprint": fingerprint(config.model.base), "dtype": base["dtype"]}
    return {"model": model, **settings, "data": fingerprint_of(data)}


def _record(config: TrainVerifierConfig, loop: _Loop, counts: dict[str, int]) -> dict[str, Any]:
    progress = loop.progress
    return {
        "config": dataclasses.asdict(config),
        "prompt": dataclasses.asdict(config.prompt),
        "data": counts,
        "steps": progress.step,
        "tokens": progress.tokens,
        "seconds": round(progress.seconds, 1),
        "processes": loop.accelerator.num_processes,
        "history": progress.history,
        "validations": progress.validations,
        "kept": loop.kept(),
        "calibration": loop.calibration,
    }


class _Loop:
    """The steps of a training, from where its checkpoint left it."""

    def __init__(
        self,
        config: TrainVerifierConfig,
        folder: VerifierFolder,
        accelerator: Accelerator,
        verifier: Verifier,
        tokenizer: Any,
        prompter: Prompter,
        held_out: Sequence[VerifierProblem],
    ) -> None:
        self.config, self.folder, self.accelerator = config, folder, accelerator
        self.verifier, self.tokenizer, self.prompter = verifier, tokenizer, prompter
        self.held_out = held_out
        self.progress = _Progress()
        self.calibration: dict[str, float] | None = None
        optimizer = optimizer_of(config, verifier)
        state = folder.load_state()
        if state is not None:
            self.progress = _Progress(**state["progress"])
            if ("divided" in state) != under_deepspeed(accelerator):
                raise UserError(
                    f"{folder.state_file}: with deepspeed={config.deepspeed or '(none)'} the "
                    "training cannot go on; it was begun the other way"
                )
        if state is not None and "divided" not in state:
            load_trained(verifier, state["verifier"])
            optimizer.load_state_dict(state["optimizer"])
        self.model, self.optimizer = accelerator.prepare(verifier, optimizer)
        check_engine(config, accelerator, self.model)
        if under_deepspeed(accelerator):
            verifier.check_logits()
        if state is not None and "divided" in state:
            load_divided(accelerator, self.model, folder.training, state)
        self._saved = time.monotonic()
        self._bfloat16 = _bfloat16(config)

    def run(self, schedule: Schedule) -> None:
        """Does the steps that remain."""
        config, progress = self.config, self.progress
        started = time.monotonic() - progress.seconds
        shown = self.accelerator.is_main_process
        bar = TrainingBar(schedule.total, "train verifier", done=progress.step, shown=shown)
        with bar, _deferred_interrupt() as interrupted:
            for epoch in schedule.epochs:
                done = progress.step - epoch.first
                marks = epoch.marks(config.validations if self.held_out else 0)
                for packs in schedule.steps(epoch)[done:] if done < epoch.count else ():
                    weight = 1.0 if epoch.phase == ADAPTATION else config.lm_weight
                    losses = self._step(packs, schedule.rate(epoch, progress.step), weight)
                    progress.seconds = time.monotonic() - started
                    self._note(losses, epoch, schedule.total)
                    bar.add({"value loss": losses[0], "language loss": losses[1]})
                    if progress.step in marks:
                        self._validate(bar)
                    self._save(at_once=interrupted.is_set())
                    if interrupted.is_set():
                        raise KeyboardInterrupt
        # Writing the verifier's files may be cut short, too.
        self._save(at_once=True)

    def _step(self, packs: Sequence[Pack], rate: float, lm_weight: float) -> list[float]:
        """One optimiser step; returns the step's mean value loss and mean language loss.

        `rate` multiplies the learning rates.
        """
        config, accelerator, step = self.config, self.accelerator, self.progress.step
        rank, world = accelerator.process_index, accelerator.num_processes
        _seed(config.seed, 3, step, rank)
        self.model.train()
        own = micro_batches(deal(packs, rank, world), config.micro_batch_tokens)
        if under_deepspeed(accelerator):
            own += [[idle(packs[0])]] * (most(accelerator, len(own)) - len(own))
        model = config.model
        batches = [packed_batch(part, model.level, model.last_weight) for part in own]
        value_tokens = self._sum(float(batch.value_weight.sum()) for batch in batches)
        language_tokens = self._sum(float(batch.language_weight.sum()) for batch in batches)
        dealt = self._sum(float(pack.count) for part in own for pack in part)
        if dealt != sum(pack.count for pack in packs):
            raise RuntimeError(f"{world} processes do {dealt:.0f} samples of a step: not its data")
        losses = torch.zeros(2, device=accelerator.device)
        for number, batch in enumerate(batches, start=1):
            with self._gradients_exchanged(number == len(batches)):
                sums = self._forward(batch)
                value = sums.value / max(value_tokens, 1.0)
                language = sums.language / max(language_tokens, 1.0)
                # Processes' gradients are averaged, but their parts of a mean add up.
                loss = (value + lm_weight * language) * world
                backward(accelerator, self.model, loss, last=number == len(batches))
            losses += torch.stack([value, language]).detach()
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * rate
        optimiser_step(accelerator, self.model, self.optimizer, config.max_grad_norm)
        self.progress.step += 1
        self.progress.candidates += sum(pack.count for pack in packs)
        self.progress.tokens += sum(pack.length for pack in packs)
        return [float(loss) for loss in accelerator.reduce(losses, "sum")]

    def _forward(self, batch: Batch) -> LossSums:
        device = self.accelerator.device
        with torch.autocast(device.type, torch.bfloat16, enabled=self._bfloat16):
            return cast(LossSums, self.model(batch.to(device)))

    def _sum(self, parts: Iterable[float]) -> float:
        """The sum over this process's parts and over processes."""
        total = torch.tensor(float(sum(parts)), device=self.accelerator.device)
        return float(self.accelerator.reduce(total, "sum"))

    def _gradients_exchanged(self, now: bool) -> contextlib.AbstractContextManager[Any]:
        """Between processes, gradients travel once a step: with its last micro-batch."""
        if now or under_deepspeed(self.accelerator):
            return contextlib.nullcontext()
        return self.accelerator.no_sync(self.model)

    def _note(self, losses: list[float], epoch: Epoch, total: int) -> None:
        progress = self.progress
        progress.recent.append(losses)
        # No point of the history is a mean over two phases.
        last = progress.step == epoch.first + epoch.count
        if progress.step % math.ceil(total / _HISTORY) and not last:
            return
        value, language = np.mean(progress.recent, axis=0).tolist()
        progress.recent.clear()
        progress.history.append(
            {
                "step": progress.step,
                "phase": epoch.phase,
                "epoch": epoch.number,
                "candidates": progress.candidates,
                "value_loss": None if epoch.phase == ADAPTATION else value,
                "language_loss": language,
                "seconds": round(progress.seconds, 2),
            }
        )

    def _validate(self, bar: TrainingBar) -> None:
        """Every process scores a share of the held-out problems; all have the same measures."""
        rank, world = self.accelerator.process_index, self.accelerator.num_processes
        if under_deepspeed(self.accelerator):  # all must compute alike
            rank, world = 0, 1
        own = score_problems(
            self.verifier, self.tokenizer, self.prompter, self.held_out[rank::world],
            self.config.micro_batch_tokens,
        )  # fmt: skip
        items = [item for number in range(world) for item in self.held_out[number::world]]
        measured = measure_problems(gather_object(own) if world > 1 else own, items)
        row = {"step": self.progress.step, **dataclasses.asdict(measured)}
        self.progress.validations.append(row)
        bar.note(told(measured))
        if self.config.keep == "best":
            self._keep_if_good(measured)
        self.accelerator.wait_for_everyone()

    def _keep_if_good(self, measured: Validation) -> None:
        """Keeps this step where it is the best so far, or by chance not."""
        by, progress = self.config.keep_by, self.progress
        value, best = getattr(measured, by), progress.best
        if best is None or is_as_good(value, best["top"], by):
            if value is None:
                return
            best = {"top": value, "error": measured.standard_errors.get(by, 0.0)}
        if not is_as_good(value, best["top"], by, self.config.keep_margin * best["error"]):
            return
        progress.best = {**best, "step": progress.step, "value": value}
        state = trained_state(self.verifier)
        if self.accelerator.is_main_process:
            self.folder.save_best(progress.step, state)

    def kept(self) -> dict[str, Any]:
        """Which step's weights are written, and why."""
        config, progress = self.config, self.progress
        if progress.best is not None:
            why = f"best {config.keep_by} of {len(progress.validations)} validations"
            if progress.best["value"] != progress.best["top"]:
                why = f"the last within {config.keep_margin:g} standard errors of the {why}"
            return {
                "step": progress.best["step"],
                config.keep_by: progress.best["value"],
                "why": why,
            }
        if config.keep == "last":
            return {"step": progress.step, "why": "the last (keep=last)"}
        if not progress.validations:
            return {"step": progress.step, "why": "the last (nothing was validated)"}
        return {"step": progress.step, "why": f"the last ({config.keep_by} was never defined)"}

    def load_kept(self) -> None:
        """Puts the kept step's weights into the verifier, after the last step."""
        step = self.kept()["step"]
        if step != self.progress.step:
            load_trained(self.verifier, self.folder.load_best(step))

    def calibrate(self) -> None:
        """Makes probabilities of the kept weights' values, where that is asked for."""
        if not (self.config.calibrate and self.held_out):
            return
        reader = (self.verifier, self.tokenizer, self.prompter)
        scores = score_problems(*reader, self.held_out, self.config.micro_batch_tokens)
        labels = np.array([c.label for item in self.held_out for c in item.candidates])
        scale, shift = fit(np.concatenate(scores), labels, self.config.loss)
        self.verifier.rescale(scale, shift)
        self.calibration = {"scale": scale, "shift": shift, "candidates": len(labels)}

    def _save(self, *, at_once: bool) -> None:
        accelerator, parts = self.accelerator, self.folder.training
        due = time.monotonic() - self._saved >= self.config.save_every_seconds
        now = accelerator.is_main_process and (due or at_once)
        if under_deepspeed(accelerator):
            now = bool(most(accelerator, now))
        if not now:
            return
        state: dict[str, Any] = {"progress": dataclasses.asdict(self.progress)}
        if under_deepspeed(accelerator):
            state |= save_divided(accelerator, self.model, parts, self.progress.step)
        else:
            state["verifier"] = trained_state(self.verifier)
            state["optimizer"] = self.optimizer.state_dict()
        if accelerator.is_main_process:
            self.folder.save_state(state)
            if under_deepspeed(accelerator):
                drop_divided(parts, keep=state["divided"])
            if self.progress.best is not None:
                self.folder.drop_other_bests(self.progress.best["step"])
        self._saved = time.monotonic()


def _bfloat16(config: TrainVerifierConfig) -> bool:
    """Whether products are bfloat16: where the base would be. What is trained stays float32."""
    dtype = config.model.base.dtype
    return dtype == "bfloat16" or (dtype == "auto" and device_of(config.model.base).type == "cuda")


def _seed(*parts: int) -> None:
    """Seeds torch from a tuple of numbers, so that no random state need be stored."""
    state = np.random.SeedSequence(parts).generate_state(2)
    torch.manual_seed(int(state[0]) << 31 | int(state[1]) >> 1)


@contextlib.contextmanager
def _deferred_interrupt() -> Iterator[threading.Event]:
    """Ctrl-C sets an event, so that a step is never cut in half; the second Ctrl-C is at once."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = signal.getsignal(signal.SIGINT)

    def handle(number: int, frame: Any) -> None:
        event.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, handle)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
