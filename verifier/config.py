"""What can be set of a verifier: its network, its training, its scoring (OmegaConf schemas).

The defaults of training are the paper's (Cobbe et al. 2021, arXiv 2110.14168, appendix B and E). A
model of a few million parameters wants larger rates: `learning_rate=5e-4 head_learning_rate=5e-3`.

    TrainVerifierConfig(output="runs/verifier", epochs=1)
"""

from __future__ import annotations

from dataclasses import dataclass, field

from assay.generator.lora import LoraConfig
from assay.generator.models import (
    ModelConfig,
)
from assay.problems.prompts import PromptConfig
from assay.settings.errors import UserError

__all__ = [
    "LoraConfig",
    "ScoreConfig",
    "TrainVerifierConfig",
    "VerifierModelConfig",
    "VerifierSettings",
]


HEADS = ("token", "linear")
HEAD_INPUTS = ("hidden", "hidden+logprob")
LEVELS = ("token", "step", "solution")
LOSSES = ("mse", "bce")
KEEPS = ("best", "last")
# What may choose the kept step; 1: more is better, −1: less is.
KEEP_BY = {
    "auc_within": 1,
    "auc": 1,
    "best_of_n": 1,
    "weighted": 1,
    "mse": -1,
    "calibration_error": -1,
}
AGGREGATES = ("last", "mean", "min", "product")


@dataclass
class VerifierModelConfig:
    """The network."""

    base: ModelConfig = field(default_factory=ModelConfig)
    """the language model to start from, usually the fine-tuned generator"""
    head: str = "token"
    """token (gain and bias on a reserved token's logit) | linear (a layer of its own)"""
    head_inputs: str = "hidden"
    """what the head reads: hidden (the last hidden state, as in the paper) | hidden+logprob (also
    how likely the solution so far is under this very language model: its summed log-probability,
    and the mean over its tokens)"""
    level: str = "token"
    """where the label is the target: token (at every solution token) | step (at the last token of
    every line) | solution (at the last token alone)"""
    last_weight: float = 1.0
    """levels token and step: the weight of a solution's last token in the loss, which scores are
    read from; that of every other token is 1"""
    dropout: float = 0.0
    """residual dropout during training; the paper uses 0.2"""
    lora: LoraConfig = field(default_factory=LoraConfig)
    """train adapters instead; they need a larger learning_rate, for example 2e-4"""


@dataclass
class TrainVerifierConfig:
    """A training run of a verifier."""

    model: VerifierModelConfig = field(default_factory=VerifierModelConfig)
    prompt: PromptConfig = field(default_factory=PromptConfig)
    output: str = ""
    """folder to write"""
    epochs: int = 1
    """number of passes over the sampled solutions"""
    adaptation_epochs: int = 0
    """times that every reference solution is seen before that, by the language-model loss alone
    (with the same rates, which rise and fall once more): with dropout on a base that was trained
    without, the weights adapt first"""
    learning_rate: float = 1e-5
    """of the language model at the start; falls linearly to 0"""
    head_learning_rate: float = 1e-3
    """of gain and bias (or of the linear head), same schedule: Adam moves a single number by about
    its rate a step whatever the gradient, so at the model's own rate these would never arrive"""
    betas: list[float] = field(default_factory=lambda: [0.9, 0.95])
    """AdamW's betas"""
    weight_decay: float = 0.0
    """AdamW's weight decay, on matrices only; 0 = Adam"""
    warmup_ratio: float = 0.0
    """fraction of the steps during which the rates rise from 0"""
    max_grad_norm: float = 1.0
    """gradient clipping: gradients are scaled down to this norm"""
    batch_tokens: int = 32000
    """tokens of one optimiser step as the paper counts them: each sampled solution with its
    question, and as many copies of the reference solution with theirs"""
    pack_tokens: int = 1536
    """about so many tokens in one sequence: a question once, its reference solution once, and as
    many sampled solutions as fit; larger is faster, smaller mixes more problems into a step"""
    micro_batch_tokens: int = 2048
    """tokens that go through the model at once; changes memory and speed alone: on a CPU more than
    about 1000 are no faster, a GPU wants more"""
    lm_weight: float = 1.0
    """weight of the language-model loss on reference solutions; 0 = value loss only"""
    loss: str = "mse"
    """mse | bce (cross-entropy)"""
    samples_per_problem: int = 0
    """candidates drawn for each problem; 0 = all"""
    balance: int = 0
    """of each problem and mode, an epoch uses no more candidates of the commoner label than of the
    rarer, but at least so many, drawn anew each epoch; 0 = use all. For small models and few
    problems: otherwise they learn which problems are hard and not which solutions are wrong"""
    deduplicate: bool = False
    """count identical solutions of a problem once (else as often as they were sampled)"""
    append_output: bool = False
    """let the verifier read what a program printed, as a last comment line"""
    validation_fraction: float = 0.05
    """fraction of the problems to hold out for validation"""
    validations: int = 4
    """validations on the held-out problems per epoch"""
    keep: str = "best"
    """which weights are written: best (of the validated steps; the last without held-out problems)
    | last"""
    keep_by: str = "auc_within"
    """by which measure: auc_within | auc | mse | calibration_error | best_of_n | weighted. The AUC
    within problems (and modes) compares every right with every wrong candidate of a problem, which
    is what choosing among them needs. Accuracies are what counts in the end, but on few problems
    they are noise: on 30 the standard error is 9 points. MSE and AUC over all candidates mostly
    measure which problems are easy"""
    keep_margin: float = 1.0
    """the last step is kept that is no more than so many standard errors worse than the best one:
    the best of many noisy validations is partly luck, and the rates fall until the end. 0 = the
    best one itself"""
    calibrate: bool = False
    """scale and shift the values on the held-out problems once training is over, so that they are
    probabilities (Platt scaling); ranking stays as it is. With `balance` they are none otherwise"""
    seed: int = 0
    """seed of the held-out split, the order and the dropout"""
    save_every_seconds: float = 60.0
    """time between checkpoints"""
    deepspeed: str = ""
    """DeepSpeed's configuration, for example configs/deepspeed/zero3.json; start with torchrun"""


@dataclass
class ScoreConfig:
    """How candidates are scored."""

    aggregate: str = "last"
    """last (the value at the last token) | mean, min, product (of the values at line ends)"""
    batch_tokens: int = 0
    """tokens, the question's included, that the model reads at once; changes memory and speed
    alone; 0 = 1024 on a CPU (whose caches hold that), 16384 elsewhere"""
    values: bool = False
    """also keep the value at every token"""


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raises `UserError` where `value` is none of `choices`."""
    if value not in choices:
        raise UserError(f"{name}={value}: expected one of {', '.join(choices)}")


def check_model(config: VerifierModelConfig) -> None:
    """Raises `UserError` naming the key that does not fit."""
    check_choice("model.head", config.head, HEADS)
    check_choice("model.head_inputs", config.head_inputs, HEAD_INPUTS)
    check_choice("model.level", config.level, LEVELS)
    if not config.last_weight > 0:
        raise UserError(f"model.last_weight={config.last_weight}: expected a number above 0")
    if not 0 <= config.dropout < 1:
        raise UserError(f"model.dropout={config.dropout}: expected a number from 0 to below 1")
    for name in ("rank", "alpha"):
        if getattr(config.lora, name) < 0:
            raise UserError(f"model.lora.{name}={getattr(config.lora, name)}: expected 0 or more")
    if not 0 <= config.lora.dropout < 1:
        raise UserError(
            f"model.lora.dropout={config.lora.dropout}: expected a number from 0 to below 1"
        )


def check_training(config: TrainVerifierConfig) -> None:
    """Raises `UserError` naming the key that does not fit."""
    check_model(config.model)
    check_choice("loss", config.loss, LOSSES)
    check_choice("keep", config.keep, KEEPS)
    check_choice("keep_by", config.keep_by, tuple(KEEP_BY))
    if not config.output:
        raise UserError("output: expected the folder to write")
    if len(config.betas) != 2 or not all(0 <= beta < 1 for beta in config.betas):
        raise UserError(f"betas={config.betas}: expected two numbers from 0 to below 1")
    for name in ("epochs", "batch_tokens", "pack_tokens", "micro_batch_tokens"):
        if getattr(config, name) < 1:
            raise UserError(f"{name}={getattr(config, name)}: expected 1 or more")
    for name in ("learning_rate", "head_learning_rate", "max_grad_norm"):
        if not getattr(config, name) > 0:
            raise UserError(f"{name}={getattr(config, name)}: expected a number above 0")
    for name in (
        "adaptation_epochs",
        "weight_decay",
        "lm_weight",
        "samples_per_problem",
        "balance",
        "validations",
        "keep_margin",
    ):
        if getattr(config, name) < 0:
            raise UserError(f"{name}={getattr(config, name)}: expected 0 or more")
    for name in ("warmup_ratio", "validation_fraction"):
        if not 0 <= getattr(config, name) < 1:
            raise UserError(f"{name}={getattr(config, name)}: expected a number from 0 to below 1")


def check_scoring(config: ScoreConfig) -> None:
    """Raises `UserError` naming the key that does not fit."""
    check_choice("scoring.aggregate", config.aggregate, AGGREGATES)
    if config.batch_tokens < 0:
        raise UserError(f"scoring.batch_tokens={config.batch_tokens}: expected 0 (auto) or more")


@dataclass(frozen=True)
class VerifierSettings:
    """What `verifier.json` records beside the language model's own configuration."""

    reserved_token: str
    reserved_token_id: int
    head: str = "token"
    head_inputs: str = "hidden"
    level: str = "token"
    loss: str = "mse"
    dropout: float = 0.0
    append_output: bool = False
    prompt: PromptConfig = field(default_factory=PromptConfig)
    base: str = ""
    format: int = 1
