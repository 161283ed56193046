"""Products in 8 bits: which way is taken, where none is, and what it does to the distribution."""

import time
from collections import Counter

import numpy as np
import pytest
import torch
from scipy import stats

from assay.generator.engines import EngineConfig, Request, SamplingParams, hf
from assay.generator.engines.hf import TransformersEngine
from assay.generator.engines.int8 import WAYS, Way, fastest_way
from assay.generator.engines.lean import LeanStep

FIRST = next(iter(WAYS))

# Seconds for one row, 8 and 64 rows by each way; in float32 for 8 and 64.
FLOAT = {"float32": [8, 64]}
FAST, SLOW, TRAP = [1, 2, 16], [1, 4, 65], [10_000, 80_000, 640_000]


@pytest.mark.parametrize(
    ("times", "chosen"),
    [
        ([FAST, FAST, FAST], Way("unsigned activations", 4.0)),
        ([SLOW, FAST, FAST], Way("signed activations", 4.0)),
        ([SLOW, TRAP, [2, 6, 40]], Way("weights in two halves", 1.6)),
        ([SLOW, TRAP, [2, 9, 40]], None),  # not with few rows
        ([TRAP, TRAP, TRAP], None),
    ],
)
def test_the_way_is_the_first_that_beats_float32(times, chosen):
    left = FLOAT | {name: list(own) for name, own in zip(WAYS, times, strict=True)}
    left = {name: list(own) for name, own in left.items()}

    def seconds(name, call):
        assert call().shape[1] == 5
        return left[name].pop(0)

    assert fastest_way(7, 5, seconds) == chosen
    for name, own in left.items():
        if name in WAYS and len(own) == 2:  # what stands still for one row is not tried for more
            assert own == TRAP[1:]


def test_a_way_with_wrong_sums_is_never_taken(monkeypatch):
    def saturating(whole, scale):
        """Sums of two products kept to 16 bits, as vpmaddubsw does."""

        def multiply(rows):
            pairs = (rows.int()[:, None] + 128) * whole.int()[None]
            pairs = pairs.unflatten(-1, (-1, 2)).sum(-1).clamp(-(2**15), 2**15 - 1)
            return scale * (pairs.sum(-1) - 128 * whole.int().sum(-1)).float()

        return multiply

    monkeypatch.setitem(WAYS, FIRST, saturating)
    whole = {name: make for name, make in WAYS.items() if name != "signed activations"}
    monkeypatch.setattr("assay.generator.engines.int8.WAYS", whole)
    times = {"float32": [8, 64], FIRST: [0] * 3, "weights in two halves": [1, 2, 16]}
    monkeypatch.setattr("assay.generator.engines.int8._unsigned", saturating)
    found = fastest_way(16, 4, lambda name, _: times[name].pop(0))
    assert found == Way("weights in two halves", 4.0)  # whose own products do not saturate


def test_float32_where_no_product_is_faster(make_lm, byte_tokenizer, capsys, monkeypatch):
    monkeypatch.setattr(hf, "fastest_way", lambda *_: None)
    params, asked = SamplingParams(max_new_tokens=20, seed=1), [Request([4, 5], 6, "p")]
    engines = [
        TransformersEngine(make_lm(), byte_tokenizer, EngineConfig(quantize=quantize), own=True)
        for quantize in ("int8", "none")
    ]
    first, second = (list(engine.sample(asked, params)) for engine in engines)
    assert first == second
    assert "faster here: sampling in float32" in capsys.readouterr().err


def test_int8_on_this_machine_beats_float32_or_is_left_alone():
    """For real: never the reference kernel, whatever this processor is."""
    start = time.perf_counter()
    way = fastest_way(576, 1536)
    assert time.perf_counter() - start < 20  # on a busy machine; the reference takes minutes
    assert way is None or (way.name in WAYS and way.ratio > 1)


@pytest.mark.usefixtures("eight_bits")
def test_the_distribution_of_int8(make_lm, byte_tokenizer):
    """First tokens come as often as the rounded model says, and nearly as the exact one does."""
    lm = make_lm(width=64)
    engine = TransformersEngine(lm, byte_tokenizer, EngineConfig(quantize="int8"), own=True)
    exact = LeanStep.of(make_lm(width=64))
    prompt, rows = [5, 9], 4000
    params = SamplingParams(temperature=1.0, max_new_tokens=2, seed=3)
    found = [c.token_ids for c in engine.sample([Request(prompt, rows, "p")], params)]
    firsts = Counter(ids[0] for ids in found if len(ids) == 2)
    (first, count), *_ = firsts.most_common(1)
    with torch.inference_mode():
        cohort, _ = engine._prompts([prompt])
        token, place = torch.tensor([first]), torch.tensor([2])
        near = torch.softmax(engine._lean([cohort], token, place)[0], -1).double()
        cohort, _ = engine._prompts([prompt])
        far = torch.softmax(exact([cohort], token, place)[0], -1).double()
    assert 0 < float((near * (near / far).log()).sum()) < 0.02
    seconds = Counter(ids[1] for ids in found if len(ids) == 2 and ids[0] == first)
    kept = [t for t in range(len(near)) if t not in engine._ends and count * near[t] > 5]
    observed = np.array([seconds[t] for t in kept], float)
    expected = near[kept].numpy()
    assert stats.chisquare(observed, expected / expected.sum() * observed.sum()).pvalue > 1e-3
