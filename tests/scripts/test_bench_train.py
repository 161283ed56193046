"""The benchmark of fine-tuning: all sides compute the same, and what they are compared by."""

import pytest
import torch

from assay.generator.rationales import Example
from scripts.bench import train

GIVEN = train.DEFAULTS | {"model": "tiny", "steps": "2", "batch": "6", "rows": "4", "data": ""}


@pytest.fixture
def model(monkeypatch):
    monkeypatch.setitem(train.SHAPES, "tiny", (32, 64, 2, 4, 2, 300))
    return train.load("tiny", GIVEN)


def test_all_sides_compute_the_same_loss_and_gradient(model):
    steps = train.solutions("tiny", 300, GIVEN)
    told = {name: side.train() for name, side in train.sides_of(model, steps, GIVEN).items()}
    assert list(told) == ["padded", "padded, answers' logits", "packed"]
    loss, norm = told.pop("padded")
    assert loss > 5  # of 300 tokens, untrained: about ln 300
    for found in told.values():
        assert found == pytest.approx([loss, norm], rel=1e-4)


def test_the_loss_is_that_of_each_solution_alone(model):
    (examples,) = train.solutions("tiny", 300, GIVEN | {"steps": "1"})
    total, answered = 0.0, 0
    for e in examples:
        logits = model(torch.tensor([e.prompt_ids + e.response_ids])).logits[0]
        at = torch.arange(len(e.prompt_ids) - 1, len(e) - 1)
        picked = logits.log_softmax(-1)[at, torch.tensor(e.response_ids)]
        total, answered = total - picked.sum().item(), answered + len(e.response_ids)
    side = train.sides_of(model, [examples], GIVEN)["packed"]
    assert side.train()[0] == pytest.approx(total / answered, rel=1e-5)


def test_drawn_lengths_have_the_quantiles():
    examples = train.drawn(4000, 300, seed=0)
    prompts = sorted(len(e.prompt_ids) for e in examples)
    assert prompts[2000] == pytest.approx(64, abs=1)
    assert (prompts[0], prompts[-1]) == pytest.approx((17, 205), abs=3)
    assert sorted(len(e.response_ids) for e in examples)[400] == pytest.approx(28, abs=2)


def test_flop_by_hand(model):
    # Of a layer: q and o 32 × 32 each, k and v 16 × 32 each, MLP 3 × 32 × 64; two layers.
    matrices = 2 * (2 * 32 * 32 + 2 * 16 * 32 + 3 * 32 * 64)
    # 5 tokens, 15 pairs, 4 heads of size 8; 2 tokens of response with 300 logits each.
    forward = 2 * 5 * matrices + 4 * 15 * (4 * 8) * 2 + 2 * 2 * 32 * 300
    assert train.flop_of(model, [Example([1, 2, 3], [4, 5], "0", "cot")]) == 3 * forward


def test_padded_batches_hold_what_they_should():
    examples = [Example([1, 2], [3], "0", "cot"), Example([4], [5, 6, 7], "1", "pot")]
    (batch,) = train.padded_step(examples, rows=8)
    assert batch["input_ids"].tolist() == [[1, 2, 3, 0], [4, 5, 6, 7]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]
    assert batch["labels"].tolist() == [[-100, -100, 3, -100], [-100, 5, 6, 7]]


def test_it_prints_a_table(capsys, monkeypatch):
    monkeypatch.setitem(train.SHAPES, "tiny", (32, 64, 2, 4, 2, 300))
    train.compare("tiny", GIVEN | {"repeats": "1"})
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("tiny: 0.0M parameters, products at ")
    assert "2 steps of 6 solutions (random tokens)" in lines[2]
    assert [line.split("  ")[1] for line in lines[-3:]] == [
        *("padded", "padded, answers' logits", "packed")
    ]
