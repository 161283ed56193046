"""Memory that runs out while sampling: the batch is halved, and every sample is the same."""

import pytest
import torch

from assay.generator.engines import EngineConfig, Request, SamplingParams
from assay.generator.engines import hf as module
from assay.generator.engines.hf import TransformersEngine
from assay.settings.errors import UserError


class Memory:
    """Runs out: at more than `rows` rows in a pass, or in the passes and choices numbered."""

    def __init__(self, monkeypatch, lm, rows=10**9, passes=(), choices=(), layer=None):
        self.most, self.rows, self.passes, self.choices = 0, rows, passes, choices
        self.counts = {"pass": 0, "choice": 0}
        at = lm if layer is None else lm.model.layers[layer].self_attn
        at.register_forward_pre_hook(self.forward, with_kwargs=True)
        plain = module.choose

        def choose(logits, draws, params, observe=None):
            self.counts["choice"] += 1
            if self.counts["choice"] in self.choices:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB")
            return plain(logits, draws, params, observe)

        monkeypatch.setattr(module, "choose", choose)

    def forward(self, _, args, kwargs):
        rows = len(kwargs["input_ids"] if "input_ids" in kwargs else kwargs["hidden_states"])
        self.counts["pass"] += 1
        if rows > self.rows or self.counts["pass"] in self.passes:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB")
        self.most = max(self.most, rows)


REQUESTS = [
    Request([5] * 9, 10, "a"),
    Request([6, 7, 8, 9], 3, "b"),
    Request([7] * 14, 2, "c"),
    Request([9, 4], 15, "d"),
]
PARAMS = SamplingParams(temperature=1.0, max_new_tokens=70, seed=4)


def by_sample(completions):
    found = {(c.request, c.sample): c for c in completions}
    assert len(found) == 30
    return {key: (c.text, c.token_ids, c.stop) for key, c in found.items()}


@pytest.fixture
def lm(make_lm):
    return make_lm(seed=8)


@pytest.fixture
def expected(lm, byte_tokenizer):
    completions = list(TransformersEngine(lm, byte_tokenizer).sample(REQUESTS, PARAMS))
    # Long and short ones: caches grow, and rows leave.
    assert max(len(c.token_ids) for c in completions) == 70
    assert len({len(c.token_ids) for c in completions}) > 10
    return by_sample(completions)


@pytest.mark.parametrize(("rows", "batch_size"), [(3, 9), (14, 0)])
def test_the_batch_is_halved_until_it_fits(
    lm, byte_tokenizer, expected, monkeypatch, capsys, rows, batch_size
):
    engine = TransformersEngine(lm, byte_tokenizer, EngineConfig(batch_size=batch_size))
    memory = Memory(monkeypatch, lm, rows=rows)
    assert by_sample(engine.sample(REQUESTS, PARAMS)) == expected
    assert memory.most <= rows
    told = capsys.readouterr().err.splitlines()
    assert told
    for line in told:
        before, after = line.removeprefix("sample: out of memory with ").split(
            " samples at a time, going on with "
        )
        assert int(before) // 2 <= int(after) < int(before)
    # The size found is kept for what comes next.
    assert by_sample(engine.sample(REQUESTS, PARAMS)) == expected
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("number", "layer"), [(1, 0), (3, None), (4, 1), (60, 1)])
def test_running_out_anywhere_loses_and_changes_nothing(
    lm, byte_tokenizer, expected, monkeypatch, number, layer
):
    engine = TransformersEngine(lm, byte_tokenizer)
    memory = Memory(monkeypatch, lm, passes=(number, number + 5), layer=layer)
    assert by_sample(engine.sample(REQUESTS, PARAMS)) == expected
    assert memory.counts["pass"] > number


@pytest.mark.parametrize("number", [2, 5, 60])
def test_running_out_while_drawing(lm, byte_tokenizer, expected, monkeypatch, number):
    engine = TransformersEngine(lm, byte_tokenizer)
    Memory(monkeypatch, lm, choices=(number, number + 1))
    assert by_sample(engine.sample(REQUESTS, PARAMS)) == expected


def test_running_out_between_keys_and_values(lm, byte_tokenizer, expected, monkeypatch):
    from assay.generator.engines import cache

    plain, calls = cache._widened, []

    def widened(tensor, used, room):
        calls.append(room)
        if len(calls) in (6, 11):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB")
        return plain(tensor, used, room)

    monkeypatch.setattr(cache, "_widened", widened)
    assert by_sample(TransformersEngine(lm, byte_tokenizer).sample(REQUESTS, PARAMS)) == expected
    assert len(calls) > 12


def test_one_sample_that_does_not_fit_is_told(lm, byte_tokenizer, monkeypatch):
    engine = TransformersEngine(lm, byte_tokenizer)
    Memory(monkeypatch, lm, rows=0)
    with pytest.raises(UserError, match="out of memory with one sample at a time"):
        list(engine.sample(REQUESTS, PARAMS))


def test_other_errors_go_through(lm, byte_tokenizer):
    lm.register_forward_pre_hook(lambda *_: (_ for _ in ()).throw(RuntimeError("boom")))
    with pytest.raises(RuntimeError, match="boom"):
        list(TransformersEngine(lm, byte_tokenizer).sample(REQUESTS, PARAMS))
