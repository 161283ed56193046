"""The network: a causal language model, one of whose tokens is reserved for the verifier's opinion.

Cobbe et al. 2021 (arXiv 2110.14168, appendix E): the logit of one special token of the vocabulary,
times one learned gain, plus one learned bias, is the prediction at a position; the logits of the
other tokens go on representing the language-model objective. So the value at a position is

    value = gain · (hidden · W[reserved]) + bias          (a sigmoid of that, where loss=bce)

with W the output embedding: one row of it is read, never the vocabulary's logits, and the reserved
token takes no part in the softmax of the language-model loss. So that row has nothing to do with
the rest of W; it is a parameter of the verifier, trained whether W is frozen (adapters), tied to
the input embedding or divided over processes, and put back into W when the verifier is saved. It
starts at zero and the bias at the share of right solutions: training starts from that constant, and
from the language model as it was.

    verifier, tokenizer = Verifier.from_base(VerifierModelConfig(base=ModelConfig("embedded")))
    verifier.save_pretrained("runs/verifier", tokenizer)
    verifier, tokenizer, prompter = load_verifier(ModelConfig("runs/verifier"))
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from assay.generator.lora import add_adapters, merged_state
from assay.generator.models import (
    ModelConfig,
    check_vocabulary,
    load_model,
    load_tokenizer,
    pinned,
    quiet,
)
from assay.generator.partition import divided, first_process, gathered, shape_of
from assay.problems.prompts import PromptConfig, Prompter
from assay.settings.errors import UserError
from assay.verifier.attention import Layout, attention_arguments, use_shared_prefix_attention
from assay.verifier.card import model_card
from assay.verifier.config import (
    HEAD_INPUTS,
    HEADS,
    LEVELS,
    LOSSES,
    VerifierModelConfig,
    VerifierSettings,
    check_model,
)
from assay.verifier.dropout import add_residual_dropout, switch_off_own_dropout
from assay.verifier.likelihood import INPUTS, likelihood
from assay.verifier.packing import Batch
from assay.verifier.vocabulary import VocabularyLoss

__all__ = ["LossSums", "Verifier", "load_verifier", "read_settings", "reserve_token"]

SETTINGS_FILE = "verifier.json"
HEAD_FILE = "head.safetensors"
OWN_TOKEN = "<|verifier|>"
# Tokens that a vocabulary keeps for later: Llama 3, Gemma, Qwen, BERT's habit, the embedded model.
_UNUSED = re.compile(
    r"<\|reserved_special_token_(\d+)\|>|<unused_?(\d+)>|<\|(?:extra|reserved|unused)_(\d+)\|>"
    r"|\[unused_?(\d+)\]|<reserved_(\d+)>"
)


class LossSums(NamedTuple):
    """Weighted sums over tokens (scalars): divide by the sums of the weights for means."""

    value: Tensor
    language: Tensor


class Verifier(nn.Module):
    """A Hugging Face causal LM (`lm`) with the head: `gain` and `bias`, or `weight` and `bias`.

    `row` is the reserved token's row of the output embedding (`row_bias` its entry of the output
    bias, in the few families that have one); what `lm` itself holds there is stale until saving.
    """

    def __init__(self, lm: Any, settings: VerifierSettings) -> None:
        """Puts an untrained head on `lm`. Residual dropout is on where `settings` say so."""
        super().__init__()
        self.lm = lm
        self.settings = settings
        self.bias = nn.Parameter(torch.zeros(1))
        self.row: nn.Parameter
        self.row_bias: nn.Parameter
        if settings.head_inputs == "hidden+logprob":
            self.likelihood = nn.Parameter(torch.zeros(INPUTS))
        output = lm.get_output_embeddings()
        if settings.head == "linear":
            self.weight = nn.Parameter(torch.zeros(shape_of(output.weight)[1]))
        else:
            self.gain = nn.Parameter(torch.ones(1))
            for name, source in self._row():
                with gathered([source]):
                    row = source[settings.reserved_token_id].detach()
                    row = row.to(torch.promote_types(row.dtype, torch.float32), copy=True)
                setattr(self, name, nn.Parameter(row))
        self.vocabulary = VocabularyLoss(output, settings.reserved_token_id)
        use_shared_prefix_attention(lm)
        switch_off_own_dropout(lm)
        if settings.dropout > 0:
            add_residual_dropout(lm, settings.dropout)

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.bias.device

    @property
    def max_length(self) -> int:
        """Tokens of the longest sequence that the language model can read as a whole."""
        config = self.lm.config.get_text_config()
        names = ("max_position_embeddings", "sliding_window")
        limits = [limit for name in names if (limit := getattr(config, name, None))]
        return min(limits, default=1 << 30)

    @classmethod
    def from_base(
        cls,
        config: VerifierModelConfig,
        prompt: PromptConfig | None = None,
        *,
        loss: str = "mse",
        append_output: bool = False,
        seed: int = 0,
    ) -> tuple[Verifier, Any]:
        """A verifier to be trained, and its tokenizer.

        What is trained is float32; a language model that adapters freeze has the base's own type
        (float32 under DeepSpeed).
        The reserved token is an unused one of the vocabulary, else one is added (`reserve_token`);
        its output row starts at zero. Adapters are drawn from `seed`. Raises `UserError` for a base
        that cannot serve.
        """
        check_model(config)
        frozen = config.lora.rank > 0
        base = config.base if frozen else dataclasses.replace(config.base, dtype="float32")
        tokenizer, lm = load_tokenizer(base), load_model(base)
        check_vocabulary(lm, tokenizer, base.name)
        token, index = reserve_token(lm, tokenizer)
        settings = VerifierSettings(
            reserved_token=token,
            reserved_token_id=index,
            head=config.head,
            head_inputs=config.head_inputs,
            level=config.level,
            loss=loss,
            dropout=config.dropout,
            append_output=append_output,
            prompt=prompt or PromptConfig(),
            base=config.base.name,
        )
        # Plain generation from the trained weights must not say the reserved token.
        if getattr(lm, "generation_config", None) is not None:
            lm.generation_config.suppress_tokens = [index]
        verifier = cls(lm, settings)
        if frozen:
            add_adapters(lm, config.lora, seed)
        with torch.no_grad():
            for name, _ in verifier._row():
                getattr(verifier, name).zero_()
        # What is divided can be computed with when DeepSpeed's engine stands: it is checked then.
        if not divided(lm.get_output_embeddings().weight):
            verifier.check_logits()
        return verifier.to(next(lm.parameters()).device), tokenizer

    @classmethod
    def from_pretrained(cls, model: ModelConfig) -> Verifier:
        """Opens what `save_pretrained` wrote (a folder or a hub id), ready to score.

        Raises `UserError` where it is not a verifier.
        """
        settings = read_settings(model)
        verifier = cls(load_model(model), settings)
        head = load_file(_file(model, HEAD_FILE))
        if set(head) != set(verifier.head_parameters()):
            raise UserError(f"{model.name}: {HEAD_FILE} does not fit head={settings.head}")
        verifier.load_state_dict(head, strict=False)
        return verifier.to(next(verifier.lm.parameters()).device).eval()

    def save_pretrained(self, path: str | Path, tokenizer: Any) -> None:
        """Writes a folder that opens as a verifier here and as a language model in transformers.

        Adapters are merged into the weights. Where parameters are divided over processes, all of
        those must call this with the same path; the first one writes.
        """
        path = Path(path)
        self._put_row_back()
        plain = not any(divided(p) or ".lora_" in n for n, p in self.lm.named_parameters())
        state = None if plain else merged_state(self.lm)
        own = self.head_parameters()
        with gathered(own.values()):
            head = {name: parameter.detach().cpu().clone() for name, parameter in own.items()}
        if not first_process():
            return
        path.mkdir(parents=True, exist_ok=True)
        with quiet():
            self.lm.save_pretrained(path, state_dict=state)
        tokenizer.save_pretrained(path)
        save_file(head, path / HEAD_FILE)
        text = json.dumps(dataclasses.asdict(self.settings), indent=2, ensure_ascii=False)
        (path / SETTINGS_FILE).write_text(text + "\n", encoding="utf-8")
        (path / "README.md").write_text(model_card(self.settings), encoding="utf-8")

    def set_base_rate(self, rate: float) -> None:
        """Starts the bias where every value is `rate`, the share of right solutions."""
        if self.settings.loss == "bce":
            rate = min(max(rate, 0.01), 0.99)
            rate = math.log(rate / (1 - rate))
        with torch.no_grad(), gathered([self.bias], write=True):
            self.bias.fill_(rate)

    def hidden(
        self,
        input_ids: Tensor,
        positions: Tensor,
        layout: Layout | None = None,
        cache: Any = None,
    ) -> Tensor:
        """Last hidden states, shape (rows, length, width), of ids and positions (rows, length).

        `layout` says who attends to whom in packed rows; `None` is plain causal attention. `cache`:
        a transformers cache, to be extended.
        """
        output = self.lm.get_decoder()(
            input_ids=input_ids,
            position_ids=positions,
            past_key_values=cache,
            use_cache=cache is not None,
            **attention_arguments(self.lm, layout),
        )
        return output.last_hidden_state

    def values(self, hidden: Tensor, likelihood: Tensor | None = None) -> Tensor:
        """Values, shape (…), float32 or wider, of hidden states (…, width).

        `likelihood` (…, 2): what `assay.verifier.likelihood` gives there, for heads that read it.
        """
        # In `forward` the verifier's own parameters are whole already.
        with gathered(self.parameters(recurse=False)):
            raw = self._raw_values(hidden, likelihood)
        return torch.sigmoid(raw) if self.settings.loss == "bce" else raw

    @property
    def reads_likelihood(self) -> bool:
        """Whether the head reads `likelihood` beside the hidden state."""
        return self.settings.head_inputs == "hidden+logprob"

    def logprobs(self, before: Tensor, ids: Tensor) -> Tensor:
        """Log p, shape (tokens,), of tokens `ids` after hidden states (tokens, width)."""
        return -self.vocabulary(before, ids)

    @torch.no_grad()
    def rescale(self, scale: float, shift: float) -> None:
        """Makes scale · value + shift of every value, or of its logit where loss=bce."""
        head = self.head_parameters()
        with gathered(head.values(), write=True):
            for parameter in head.values():
                parameter.mul_(scale)
            self.bias.add_(shift)

    def forward(self, batch: Batch) -> LossSums:
        """Both losses' weighted sums over one batch."""
        hidden = self.hidden(batch.input_ids, batch.positions, batch.layout).flatten(0, 1)
        numbers = self._likelihood(hidden, batch)
        raw = self._raw_values(hidden.index_select(0, batch.value_index), numbers)
        target = batch.value_target.to(raw.dtype)
        if self.settings.loss == "bce":
            losses = F.binary_cross_entropy_with_logits(raw, target, reduction="none")
        else:
            losses = (raw - target).square()
        nll = self.vocabulary(hidden.index_select(0, batch.language_index), batch.language_target)
        return LossSums(
            (losses * batch.value_weight.to(raw.dtype)).sum(),
            (nll * batch.language_weight.to(nll.dtype)).sum(),
        )

    def _likelihood(self, hidden: Tensor, batch: Batch) -> Tensor | None:
        """What the head reads beside the hidden states at the tokens with a value loss."""
        if not self.reads_likelihood:
            return None
        before = hidden.index_select(0, batch.sampled_before)
        ids = batch.input_ids.flatten().index_select(0, batch.sampled_index)
        numbers = likelihood(self.logprobs(before, ids), batch.sampled_first)
        return numbers.index_select(0, batch.value_sampled)

    @torch.no_grad()
    def start_from_likelihood(self, batches: Sequence[Batch]) -> None:
        """Lets values begin as how likely the solutions are, their mean over `batches` unchanged.

        The weight of the sum's logarithm is that of a logit, or of a value the slope that a sigmoid
        has in its middle.
        """
        self.likelihood[0] = 1.0 if self.settings.loss == "bce" else 0.25
        self.eval()
        total = weight = 0.0
        for batch in batches:
            hidden = self.hidden(batch.input_ids, batch.positions, batch.layout).flatten(0, 1)
            numbers = self._likelihood(hidden, batch)
            assert numbers is not None
            added = numbers @ self.likelihood.to(numbers.dtype)
            total += float(added @ batch.value_weight)
            weight += float(batch.value_weight.sum())
        self.bias.sub_(total / weight)

    def _raw_values(self, hidden: Tensor, likelihood: Tensor | None) -> Tensor:
        # Half precision would cost three digits of the one number that counts.
        with torch.autocast(hidden.device.type, enabled=False):
            hidden = hidden.to(torch.promote_types(hidden.dtype, torch.float32))
            if self.settings.head == "linear":
                raw = hidden @ self.weight.to(hidden.dtype) + self.bias
            else:
                logit = hidden @ self.row.to(hidden.dtype)
                if hasattr(self, "row_bias"):
                    logit = logit + self.row_bias
                raw = logit * self.gain + self.bias
            if likelihood is not None:
                raw = raw + likelihood.to(raw.dtype) @ self.likelihood.to(raw.dtype)
            return raw

    def _row(self) -> list[tuple[str, nn.Parameter]]:
        """Names of the parameters that stand for the reserved token, and what they are a row of."""
        if self.settings.head == "linear":
            return []
        output = self.lm.get_output_embeddings()
        sources = (("row", output.weight), ("row_bias", output.bias))
        return [(name, source) for name, source in sources if source is not None]

    @torch.no_grad()
    def _put_row_back(self) -> None:
        """Makes the language model's row the one that was trained."""
        for name, source in self._row():
            row = getattr(self, name)
            with gathered([row, source], write=True):
                source[self.settings.reserved_token_id] = row.to(source.dtype)

    def head_parameters(self) -> dict[str, nn.Parameter]:
        """What is saved beside the language model."""
        names = ["weight", "bias"] if self.settings.head == "linear" else ["gain", "bias"]
        names += ["likelihood"] if self.reads_likelihood else []
        return {name: getattr(self, name) for name in names}

    @torch.no_grad()
    def check_logits(self) -> None:
        """Raises `UserError` for families that change their logits after the output embedding."""
        ids = torch.arange(4, device=self.lm.get_input_embeddings().weight.device)[None]
        training = self.lm.training
        self.lm.eval()
        theirs = self.lm(input_ids=ids, use_cache=False).logits.float()
        ours = self.lm.get_output_embeddings()(self.hidden(ids, torch.arange(4).to(ids)[None]))
        self.lm.train(training)
        if not torch.allclose(theirs, ours.float(), atol=1e-3, rtol=1e-3):
            kind = self.lm.config.model_type
            raise UserError(
                f"model.base: a '{kind}' model changes its logits after the output embedding; "
                "such a base is not supported"
            )


def reserve_token(lm: Any, tokenizer: Any) -> tuple[str, int]:
    """Chooses the verifier's token: (its text, its id).

    The token of an earlier verifier is used again; else the first that the vocabulary keeps unused;
    else `<|verifier|>` is added to the tokenizer, on a row that the embedding has to spare or on a
    new one.
    """
    vocabulary = tokenizer.get_vocab()
    if OWN_TOKEN in vocabulary:
        return OWN_TOKEN, vocabulary[OWN_TOKEN]
    unused = [
        (int(next(g for g in match.groups() if g)), index, token)
        for token, index in vocabulary.items()
        if (match := _UNUSED.fullmatch(token))
    ]
    rows = shape_of(lm.get_input_embeddings().weight)[0]
    if unused and min(unused)[1] < rows:
        _, index, token = min(unused)
        return token, index
    tokenizer.add_tokens([OWN_TOKEN], special_tokens=True)
    index = tokenizer.convert_tokens_to_ids(OWN_TOKEN)
    if index >= rows:
        lm.resize_token_embeddings(index + 1, mean_resizing=False)
    return OWN_TOKEN, index


def read_settings(model: ModelConfig) -> VerifierSettings:
    """Reads `verifier.json` of a folder or hub id. Raises `UserError` where it is no verifier."""
    path = _file(model, SETTINGS_FILE)
    try:
        row = json.loads(path.read_text(encoding="utf-8"))
        settings = VerifierSettings(**{**row, "prompt": PromptConfig(**row["prompt"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path}: not a verifier's settings ({error})") from error
    known = settings.head in HEADS and settings.level in LEVELS and settings.loss in LOSSES
    known = known and settings.head_inputs in HEAD_INPUTS
    if settings.format != 1 or not known:
        raise UserError(f"{path}: written by another version of Assay")
    return settings


def load_verifier(model: ModelConfig) -> tuple[Verifier, Any, Prompter]:
    """All that `assay.verifier.score.score` needs: the verifier, its tokenizer and its prompter."""
    verifier, tokenizer = Verifier.from_pretrained(model), load_tokenizer(model)
    return verifier, tokenizer, Prompter(verifier.settings.prompt, tokenizer)


def _file(model: ModelConfig, name: str) -> Path:
    folder = Path(model.name)
    if folder.exists() or not re.fullmatch(r"[\w.-]+/[\w.-]+", model.name):
        if not (folder / name).is_file():
            raise UserError(f"{model.name}: not a verifier (it has no {name})")
        return folder / name
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(model.name, name, revision=pinned(model).revision or None))
    except (OSError, ValueError) as error:
        raise UserError(f"{model.name}: no verifier found on the hub ({name})") from error
