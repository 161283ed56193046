"""Packing: every example whole, and for each the same outputs, loss and gradients as alone."""

import copy
import random

import pytest
import torch
from torch.nn.functional import cross_entropy

from assay.generator import documents
from assay.generator.documents import NAME, collate, within_documents
from assay.generator.packing import IGNORED, Packed, pack
from assay.generator.rationales import Example


def example(prompt, response, name="p"):
    return Example(list(prompt), list(response), name, "cot")


def random_examples(count, vocab=64, seed=0):
    draw = random.Random(seed)

    def tokens(low, high):
        return [draw.randrange(2, vocab) for _ in range(draw.randint(low, high))]

    return [example(tokens(1, 12), tokens(1, 15), f"p{i}") for i in range(count)]


def slow_first_fit(lengths, room):
    rows = []
    for length in lengths:
        for row in rows:
            if sum(row) + length <= room:
                row.append(length)
                break
        else:
            rows.append([length])
    return rows


def test_a_row_by_hand():
    rows = pack([example([5, 6], [7, 0]), example([8], [9, 4, 0]), example([3] * 4, [2])], 9)
    assert rows == [
        Packed(
            input_ids=[5, 6, 7, 0, 8, 9, 4, 0],
            labels=[IGNORED, IGNORED, 7, 0, IGNORED, 9, 4, 0],
            position_ids=[0, 1, 2, 3, 0, 1, 2, 3],
            lengths=[4, 4],
        ),
        Packed([3, 3, 3, 3, 2], [IGNORED] * 4 + [2], [0, 1, 2, 3, 4], [5]),
    ]


@pytest.mark.parametrize("count", [1, 2, 3, 100])
def test_rows_are_those_of_plain_first_fit(count):
    examples = random_examples(count)
    lengths = [len(e) for e in examples]
    assert [row.lengths for row in pack(examples, 40)] == slow_first_fit(lengths, 40)


def test_nothing_is_lost_or_cut():
    examples = random_examples(200)
    rows = pack(examples, 64)
    found = []
    for row in rows:
        assert len(row.input_ids) == len(row.labels) == len(row.position_ids) == sum(row.lengths)
        start = 0
        for length in row.lengths:
            found.append(row.input_ids[start : start + length])
            assert row.position_ids[start : start + length] == list(range(length))
            start += length
    assert sorted(found) == sorted(e.prompt_ids + e.response_ids for e in examples)
    assert sum(len(r.input_ids) for r in rows) / len(rows) / 64 > 0.9


def test_too_long_an_example_is_refused():
    with pytest.raises(ValueError, match="p: 6 tokens exceed 5"):
        pack([example([1] * 3, [1] * 3)], 5)
    assert pack([], 5) == []


def loss_of(logits, labels):
    return cross_entropy(logits[:-1], labels[1:], ignore_index=IGNORED, reduction="sum")


@pytest.fixture(params=[False, True], ids=["document by document", "in padded rows"])
def few_calls(request, monkeypatch):
    """Both ways to attend: a CPU's, and that of accelerators."""
    monkeypatch.setattr(documents, "_wants_few_calls", lambda device: request.param)


def test_packed_equals_unpacked(family, make_lm, few_calls):
    check_packed_equals_unpacked(make_lm(family))


def test_packed_equals_unpacked_with_a_sliding_window(make_lm, few_calls):
    check_packed_equals_unpacked(make_lm("mistral", sliding_window=7))


def check_packed_equals_unpacked(lm):
    examples = random_examples(9)
    alone, loss = [], torch.zeros(())
    for one in examples:
        ids = one.prompt_ids + one.response_ids
        labels = torch.tensor([IGNORED] * len(one.prompt_ids) + one.response_ids)
        logits = lm(input_ids=torch.tensor([ids])).logits[0]
        alone.append(logits)
        loss = loss + loss_of(logits, labels)
    loss.backward()
    gradients = {n: p.grad.clone() for n, p in lm.named_parameters() if p.grad is not None}
    lm.zero_grad()

    rows = pack(examples, 60)
    assert len(rows) > 1
    batch = collate(rows)
    labels = batch.pop("labels")[0]
    with within_documents(lm):
        assert lm.config._attn_implementation == NAME
        packed = lm(**batch, use_cache=False).logits[0]
    assert lm.config._attn_implementation == "sdpa"
    by_ids = {
        tuple(e.prompt_ids + e.response_ids): logits
        for e, logits in zip(examples, alone, strict=True)
    }
    for logits, ids in zip(
        packed.split(batch["document_lengths"]),
        batch["input_ids"][0].split(batch["document_lengths"]),
        strict=True,
    ):
        assert torch.allclose(logits, by_ids[tuple(ids.tolist())], atol=1e-5)
    packed_loss = loss_of(packed, labels)
    assert packed_loss.item() == pytest.approx(loss.item(), rel=1e-5)
    packed_loss.backward()
    for name, parameter in lm.named_parameters():
        if name in gradients:
            scale = gradients[name].abs().max()
            assert (parameter.grad - gradients[name]).abs().max() <= 1e-4 * scale + 1e-6


def test_products_in_bfloat16_leave_attention_in_float32(make_lm, monkeypatch):
    """On a processor; a model in float64 stays as exact as it is."""
    seen = []

    def recorded(module, query, *rest, **kwargs):
        seen.append((query.dtype, torch.is_autocast_enabled("cpu")))
        return attend(module, query, *rest, **kwargs)

    attend = documents.sdpa_attention_forward
    monkeypatch.setattr(documents, "sdpa_attention_forward", recorded)
    lm = make_lm()
    batch = collate(pack(random_examples(9), 60))
    labels = batch.pop("labels")[0]
    losses = {}
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        seen.clear()
        model = copy.deepcopy(lm).double() if dtype == torch.float64 else copy.deepcopy(lm)
        lower = torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16)
        with within_documents(model), lower:
            logits = model(**batch, use_cache=False).logits[0]
        expected = torch.float64 if dtype == torch.float64 else torch.float32
        assert set(seen) == {(expected, False)}
        loss = loss_of(logits.float(), labels)
        loss.backward()
        losses[dtype] = loss.item()
    assert losses[torch.float64] == pytest.approx(losses[torch.float32], rel=1e-5)
    assert losses[torch.bfloat16] == pytest.approx(losses[torch.float32], rel=2e-2)


def test_transformers_own_packing_agrees(make_lm):
    lm = make_lm()
    batch = collate(pack(random_examples(4), 200))
    masked = lm(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False)
    del batch["labels"]
    with within_documents(lm):
        ours = lm(**batch, use_cache=False)
    assert torch.allclose(ours.logits, masked.logits, atol=1e-5)
