"""Training a verifier by the joint objective (Cobbe et al. 2021, arXiv 2110.14168, section 4.2).

A step takes packs of many problems (`verifier.packing`), sums both losses over their tokens,
divides each by its number of tokens in the whole step, and lets AdamW move; the rates fall linearly
to 0. All randomness is a function of (seed, epoch) for the order and of (seed, step) for the
dropout, so a training that was killed goes on from its last checkpoint to the very weights of an
undisturbed one (bit for bit on a CPU). Runs in one process, or data-parallel under `torchrun` or
`accelerate launch`.

    path = train_verifier(TrainVerifierConfig(output="runs/verifier"), data)
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from accelerate import Accelerator
from tqdm import tqdm

from generator.models import device_of, fingerprint
from problems.errors import UserError
from problems.prompts import Prompter
from verifier.checkpoint import OutputFolder
from verifier.config import TrainVerifierConfig, check_choice, check_training
from verifier.data import Group, VerifierProblem, fingerprint_of, fitting, make_groups, split
from verifier.model import LossSums, Verifier
from verifier.packing import Batch, Pack, deal, micro_batches, packed_batch, plan
from verifier.validate import Validation, validate

__all__ = ["train_verifier"]

# Settings that change neither the weights nor the record.
_FREE = ("output", "save_every_seconds", "micro_batch_tokens")
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


def train_verifier(config: TrainVerifierConfig, data: Sequence[VerifierProblem]) -> Path:
    """Trains a verifier on labelled candidates and writes it to `config.output`.

    Returns at once where that folder holds the verifier of the same settings and data; goes on
    where it holds an interrupted training of them. Raises `UserError` where it holds anything else,
    where a setting does not fit, and where the data has no candidates.
    """
    check_training(config)
    check_choice("model.base.attention", config.model.base.attention, ("sdpa", "eager"))
    folder = OutputFolder(Path(config.output), _key(config, data))
    if folder.finished():
        return folder.path
    # First of all: with several GPUs, it decides which one is this process's own.
    accelerator = Accelerator(cpu=device_of(config.model.base).type == "cpu")
    training, held_out = split(data, config.validation_fraction, config.seed)
    verifier, tokenizer = Verifier.from_base(
        config.model, config.prompt, loss=config.loss, append_output=config.append_output
    )
    prompter = Prompter(config.prompt, tokenizer)
    groups, told = make_groups(
        training,
        prompter,
        max_length=verifier.max_length,
        samples_per_problem=config.samples_per_problem,
        balance=config.balance,
        deduplicate=config.deduplicate,
        append_output=config.append_output,
        references=config.lm_weight > 0,
        seed=config.seed,
    )
    if not groups:
        raise UserError("train-verifier: the data has no labelled candidates to train on")
    verifier.set_base_rate(told["right"] / told["candidates"])
    held_out = fitting(held_out, prompter, verifier.max_length, config.append_output)
    loop = _Loop(config, folder, accelerator, verifier, tokenizer, prompter, held_out)
    loop.run(groups)
    if accelerator.is_main_process:
        verifier.save_pretrained(folder.path, tokenizer)
        folder.finish(_record(config, loop, told))
    accelerator.wait_for_everyone()
    return folder.path


def _key(config: TrainVerifierConfig, data: Sequence[VerifierProblem]) -> dict[str, Any]:
    """Everything that decides the weights."""
    settings = {k: v for k, v in dataclasses.asdict(config).items() if k not in _FREE}
    model = dict(settings.pop("model"))
    base = model.pop("base")
    model["base"] = {"fingerprint": fingerprint(config.model.base), "dtype": base["dtype"]}
    return {"model": model, **settings, "data": fingerprint_of(data)}


def _record(config: TrainVerifierConfig, loop: _Loop, told: dict[str, int]) -> dict[str, Any]:
    progress = loop.progress
    return {
        "config": dataclasses.asdict(config),
        "prompt": dataclasses.asdict(config.prompt),
        "data": told,
        "steps": progress.step,
        "tokens": progress.tokens,
        "seconds": round(progress.seconds, 1),
        "processes": loop.accelerator.num_processes,
        "history": progress.history,
        "validations": progress.validations,
    }


class _Loop:
    """The steps of a training, from where its checkpoint left it."""

    def __init__(
        self,
        config: TrainVerifierConfig,
        folder: OutputFolder,
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
        optimizer = _optimizer(config, verifier)
        state = folder.load_state()
        if state is not None:
            verifier.load_state_dict(state["verifier"])
            optimizer.load_state_dict(state["optimizer"])
            self.progress = _Progress(**state["progress"])
        self.model, self.optimizer = self.accelerator.prepare(verifier, optimizer)
        self._saved = time.monotonic()
        # The weights stay float32; where the base would be bfloat16, products are.
        dtype, device = config.model.base.dtype, self.accelerator.device.type
        self._bfloat16 = dtype == "bfloat16" or (dtype == "auto" and device == "cuda")

    def run(self, groups: Sequence[Group]) -> None:
        """Does the steps that remain."""
        config, progress, first = self.config, self.progress, 0
        counts = [len(self._plan(groups, epoch)) for epoch in range(config.epochs)]
        started = time.monotonic() - progress.seconds
        with self._bar(sum(counts)) as bar, _deferred_interrupt() as interrupted:
            for epoch, count in enumerate(counts):
                done = progress.step - first
                marks = _marks(first, count, config.validations if self.held_out else 0)
                for packs in self._plan(groups, epoch)[done:] if done < count else ():
                    losses = self._step(packs, sum(counts))
                    progress.seconds = time.monotonic() - started
                    self._note(losses, epoch, sum(counts))
                    bar.update()
                    bar.set_postfix_str(f"value {losses[0]:.4f}  lm {losses[1]:.3f}", False)
                    if progress.step in marks:
                        self._validate(bar)
                    self._save(at_once=interrupted.is_set())
                    if interrupted.is_set():
                        raise KeyboardInterrupt
                first += count
        # Writing the verifier's files may be cut short, too.
        self._save(at_once=True)

    def _plan(self, groups: Sequence[Group], epoch: int) -> list[list[Pack]]:
        return plan(
            groups,
            pack_tokens=self.config.pack_tokens,
            batch_tokens=self.config.batch_tokens,
            rng=np.random.default_rng([self.config.seed, 2, epoch]),
        )

    def _step(self, packs: Sequence[Pack], total: int) -> list[float]:
        """One optimiser step; returns the step's mean value loss and mean language loss."""
        config, accelerator, step = self.config, self.accelerator, self.progress.step
        rank, world = accelerator.process_index, accelerator.num_processes
        _seed(config.seed, 3, step, rank)
        self.model.train()
        own = micro_batches(deal(packs, rank, world), config.micro_batch_tokens)
        batches = [packed_batch(part, config.model.level) for part in own]
        value_tokens = self._sum(float(batch.value_weight.sum()) for batch in batches)
        language_tokens = self._sum(float(batch.language_weight.sum()) for batch in batches)
        losses = torch.zeros(2, device=accelerator.device)
        for number, batch in enumerate(batches, start=1):
            with self._gradients_exchanged(number == len(batches)):
                sums = self._forward(batch)
                value = sums.value / value_tokens
                language = sums.language / max(language_tokens, 1.0)
                # Processes' gradients are averaged, but their parts of a mean add up.
                accelerator.backward((value + config.lm_weight * language) * world)
            losses += torch.stack([value, language]).detach()
        accelerator.clip_grad_norm_(self.model.parameters(), config.max_grad_norm)
        factor = rate_factor(step, total, config.warmup_ratio)
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor
        self.optimizer.step()
        self.optimizer.zero_grad()
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
        return contextlib.nullcontext() if now else self.accelerator.no_sync(self.model)

    def _note(self, losses: list[float], epoch: int, total: int) -> None:
        progress = self.progress
        progress.recent.append(losses)
        if progress.step % math.ceil(total / _HISTORY) and progress.step != total:
            return
        value, language = np.mean(progress.recent, axis=0).tolist()
        progress.recent.clear()
        progress.history.append(
            {
                "step": progress.step,
                "epoch": epoch,
                "candidates": progress.candidates,
                "value_loss": value,
                "language_loss": language,
                "seconds": round(progress.seconds, 2),
            }
        )

    def _validate(self, bar: Any) -> None:
        if self.accelerator.is_main_process:
            measured = validate(
                self.verifier, self.tokenizer, self.prompter, self.held_out,
                self.config.micro_batch_tokens,
            )  # fmt: skip
            row = {"step": self.progress.step, **dataclasses.asdict(measured)}
            self.progress.validations.append(row)
            bar.set_description_str(f"train verifier ({_summary(measured)})")
        self.accelerator.wait_for_everyone()

    def _save(self, *, at_once: bool) -> None:
        due = time.monotonic() - self._saved >= self.config.save_every_seconds
        if not self.accelerator.is_main_process or not (due or at_once):
            return
        self.folder.save_state(
            {
                "verifier": self.verifier.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "progress": dataclasses.asdict(self.progress),
            }
        )
        self._saved = time.monotonic()

    def _bar(self, total: int) -> Any:
        shown = sys.stderr.isatty() and self.accelerator.is_main_process
        return tqdm(
            total=total,
            initial=self.progress.step,
            desc="train verifier",
            unit=" steps",
            dynamic_ncols=True,
            disable=not shown,
        )


def _optimizer(config: TrainVerifierConfig, verifier: Verifier) -> torch.optim.AdamW:
    """AdamW in three groups: matrices, other parameters (no decay), the head (its own rate)."""
    matrices: list[torch.Tensor] = []
    others: list[torch.Tensor] = []
    head: list[torch.Tensor] = []
    for name, parameter in verifier.named_parameters():
        if parameter.requires_grad:
            kind = (
                head if not name.startswith("lm.") else matrices if parameter.ndim > 1 else others
            )
            kind.append(parameter)
    groups: list[dict[str, Any]] = [
        {"params": matrices, "lr": config.learning_rate, "weight_decay": config.weight_decay},
        {"params": others, "lr": config.learning_rate, "weight_decay": 0.0},
        {"params": head, "lr": config.head_learning_rate, "weight_decay": 0.0},
    ]
    for group in groups:
        group["initial_lr"] = group["lr"]
    return torch.optim.AdamW(groups, betas=(config.betas[0], config.betas[1]), fused=True)


def rate_factor(step: int, total: int, warmup_ratio: float) -> float:
    """What the rates are multiplied by at `step` (from 0): up to 1, then linearly down to 0.

    >>> [rate_factor(step, 4, 0.0) for step in range(4)]
    [1.0, 0.75, 0.5, 0.25]
    """
    warmup = round(total * warmup_ratio)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return (total - step) / (total - warmup)


def _marks(first: int, count: int, validations: int) -> set[int]:
    """The steps of an epoch after which the held-out problems are scored; the last is one."""
    return {first + math.ceil(count * i / validations) for i in range(1, validations + 1)}


def _seed(*parts: int) -> None:
    """Seeds torch from a tuple of numbers, so that no random state need be stored."""
    state = np.random.SeedSequence(parts).generate_state(2)
    torch.manual_seed(int(state[0]) << 31 | int(state[1]) >> 1)


def _summary(measured: Validation) -> str:
    auc = "–" if measured.auc is None else f"{measured.auc:.3f}"
    best, one = 100 * measured.best_of_n, 100 * measured.share_right
    return f"held out: AUC {auc}, best-of-n {best:.0f} %, one sample {one:.0f} %"


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
