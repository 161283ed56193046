import functools

import numpy as np
import pytest
import torch

from assay.verifier.attention import pack_mask
from assay.verifier.config import VerifierSettings
from assay.verifier.data import Group, Sampled, make_groups
from assay.verifier.model import Verifier
from assay.verifier.packing import (
    Pack,
    _buckets,
    _even_parts,
    deal,
    joint_steps,
    micro_batches,
    packed_batch,
    padded_batch,
    reference_steps,
)

FAMILIES = ("llama", "qwen2", "mistral", "gemma", "gpt_neox", "gpt2")


def ids(*numbers):
    return np.array(numbers, dtype=np.int64)


def random_pack(rng, solutions, references, count=1):
    def some(low, high):
        return rng.integers(2, 250, rng.integers(low, high))

    def sample(number):
        tokens = some(1, 12)
        ends = np.flatnonzero(rng.random(len(tokens) - 1) < 0.3)
        ends = np.append(ends, len(tokens) - 1)
        return Sampled(tokens, bool(rng.integers(2)), 1 + number % count, ends)

    sampled = tuple(sample(i) for i in range(solutions))
    return Pack(some(3, 9), sampled, tuple(some(1, 10) for _ in range(references)))


def losses_and_gradients(verifier, batch, lm_weight=0.7):
    verifier.zero_grad()
    sums = verifier(batch)
    value = sums.value / batch.value_weight.sum()
    language = sums.language / max(1.0, float(batch.language_weight.sum()))
    (value + lm_weight * language).backward()
    gradients = {n: p.grad.clone() for n, p in verifier.named_parameters() if p.grad is not None}
    return value.item(), language.item(), gradients


def exact(lm):
    """The model in float64 throughout: the RMS norms of transformers compute in float32."""

    def norm(module, x):
        root = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
        return x * root * (1 + module.weight if lm.config.model_type == "gemma" else module.weight)

    for module in lm.modules():
        if type(module).__name__.endswith("RMSNorm"):
            module.forward = functools.partial(norm, module)
    return lm.double()


def verifier_of(lm, **settings):
    verifier = Verifier(lm, VerifierSettings("<|verifier|>", 260, **settings))
    torch.manual_seed(1)
    for name, parameter in verifier.named_parameters():
        if not name.startswith("lm."):
            torch.nn.init.normal_(parameter)
    return verifier


def assert_same(verifier, packs, level, tolerance):
    fast = losses_and_gradients(verifier, packed_batch(packs, level, 3.0))
    slow = losses_and_gradients(verifier, padded_batch(packs, level, 3.0))
    assert fast[0] == pytest.approx(slow[0], abs=tolerance)
    assert fast[1] == pytest.approx(slow[1], abs=tolerance)
    assert fast[2].keys() == slow[2].keys()
    for name, gradient in fast[2].items():
        torch.testing.assert_close(gradient, slow[2][name], atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("level", ["token", "step", "solution"])
@pytest.mark.parametrize("family", FAMILIES)
def test_packs_equal_the_literal_recipe(make_lm, family, level):
    rng = np.random.default_rng(0)
    packs = [random_pack(rng, 4, 1, count=3), random_pack(rng, 1, 2), random_pack(rng, 3, 0)]
    verifier = verifier_of(exact(make_lm(family)), level=level)
    assert_same(verifier, packs, level, 1e-8)


@pytest.mark.parametrize(
    "settings", [{"loss": "bce"}, {"head": "linear"}, {"head_inputs": "hidden+logprob"}]
)
def test_packs_equal_the_literal_recipe_for_other_heads(make_lm, settings):
    packs = [random_pack(np.random.default_rng(1), 5, 1, count=2)]
    assert_same(verifier_of(exact(make_lm()), **settings), packs, "token", 1e-8)


def test_packs_equal_the_literal_recipe_in_float32(make_lm):
    packs = [random_pack(np.random.default_rng(2), 6, 1, count=2) for _ in range(2)]
    assert_same(verifier_of(make_lm()), packs, "token", 1e-4)


def test_packs_equal_the_literal_recipe_with_a_dense_mask(make_lm):
    rng = np.random.default_rng(3)
    packs = [random_pack(rng, 3, 1), random_pack(rng, 2, 1)]
    # The eager attention of transformers takes its softmax in float32.
    assert_same(verifier_of(exact(make_lm(attention="eager"))), packs, "token", 1e-6)


def test_any_split_of_a_problem_gives_the_same_loss(make_lm):
    """Reference weights make the mean of a step independent of how samples were packed."""
    rng = np.random.default_rng(4)
    whole = [random_pack(rng, 6, 1), random_pack(rng, 2, 1)]
    one, other = whole
    parts = [
        Pack(one.prompt, one.sampled[:1], one.references),
        Pack(one.prompt, one.sampled[1:], one.references),
        other,
    ]
    verifier = verifier_of(exact(make_lm()))
    first = losses_and_gradients(verifier, packed_batch(whole, "token"))
    second = losses_and_gradients(verifier, packed_batch(parts, "token"))
    assert first[:2] == pytest.approx(second[:2], abs=1e-10)
    for name, gradient in first[2].items():
        torch.testing.assert_close(gradient, second[2][name], atol=1e-10, rtol=1e-8)


def test_the_pack_written_out():
    pack = Pack(
        ids(10, 11),
        (Sampled(ids(20, 21, 0), True, 2), Sampled(ids(30, 0), False, 1)),
        (ids(40, 41, 0),),
    )
    batch = packed_batch([pack], "token")
    assert batch.input_ids.tolist() == [[10, 11, 20, 21, 0, 30, 0, 40, 41]]
    assert batch.positions.tolist() == [[0, 1, 2, 3, 4, 2, 3, 2, 3]]
    assert batch.layout is not None
    assert batch.layout.segments.tolist() == [0, 0, 1, 1, 1, 2, 2, 3, 3]
    # Values at every token of the two samples; the first one was sampled twice.
    assert batch.value_index.tolist() == [2, 3, 4, 5, 6]
    assert batch.value_target.tolist() == [1, 1, 1, 0, 0]
    assert batch.value_weight.tolist() == [2, 2, 2, 1, 1]
    # All tokens of the samples: where, what predicts them, and which is their solution's first.
    assert batch.value_sampled.tolist() == [0, 1, 2, 3, 4]
    assert batch.sampled_index.tolist() == [2, 3, 4, 5, 6]
    assert batch.sampled_before.tolist() == [1, 2, 3, 1, 5]
    assert batch.sampled_first.tolist() == [0, 0, 0, 3, 3]
    # 40 is predicted at the question's end; the reference counts once for each of three samples.
    assert batch.language_index.tolist() == [1, 7, 8]
    assert batch.language_target.tolist() == [40, 41, 0]
    assert batch.language_weight.tolist() == [3, 3, 3]
    assert pack.length == 9
    # Rows of 5, 5 and 4 tokens for the samples, three of 5 for the reference.
    assert pack.literal_tokens == 5 + 5 + 4 + 3 * 5


@pytest.mark.parametrize(
    ("level", "index", "weight"),
    [
        ("token", [2, 3, 4, 5, 6], [2, 2, 20, 1, 10]),
        ("step", [3, 4, 6], [2, 20, 10]),
        ("solution", [4, 6], [2, 1]),
    ],
)
def test_the_last_token_counts_more(level, index, weight):
    """Ten times as much as another; at level solution there is no other."""
    one = Sampled(ids(20, 21, 0), True, 2, ids(1, 2))
    pack = Pack(ids(10, 11), (one, Sampled(ids(30, 0), False, 1, ids(1))), ())
    batch = packed_batch([pack], level, 10.0)
    assert batch.value_index.tolist() == index
    assert batch.value_weight.tolist() == weight


def test_the_layout_of_two_packs_written_out():
    """Positions 0–8: a question of 2, solutions of 1 and 3; a question of 1, a solution of 2."""
    one = Pack(ids(9, 9), (Sampled(ids(0), True, 1), Sampled(ids(5, 5, 0), True, 1)), ())
    two = Pack(ids(8), (Sampled(ids(7, 0), True, 1),), ())
    layout = packed_batch([one, two], "token").layout
    assert layout is not None
    assert layout.packs.tolist() == [0, 0, 0, 0, 0, 0, 1, 1, 1]
    assert layout.segments.tolist() == [0, 0, 1, 2, 2, 2, 0, 1, 1]
    # Questions; the solution of 3; that of 2; that of 1. Slot 3 is padding of the second question.
    assert [call[:3] for call in layout.calls] == [(2, 2, 2), (1, 3, 5), (1, 2, 3), (1, 1, 3)]
    assert layout.token_of_slot.tolist() == [0, 1, 6, 0, 3, 4, 5, 7, 8, 2]
    assert layout.empty_slots.tolist() == [3]
    assert layout.slot_of_token.tolist() == [0, 1, 9, 4, 5, 6, 2, 7, 8]
    keys = [0, 1, 6, 0, 0, 1, 3, 4, 5, 6, 7, 8, 0, 1, 2]
    assert layout.token_of_key.tolist() == keys
    assert layout.calls[0].visible is None
    assert layout.calls[1].visible is not None
    assert layout.calls[1].visible[0, 0].int().tolist() == [
        [1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 1, 1, 1],
    ]


def test_the_layout_allows_what_the_dense_mask_allows():
    rng = np.random.default_rng(9)
    packs = [random_pack(rng, 5, 1), random_pack(rng, 2, 2), random_pack(rng, 7, 0)]
    layout = packed_batch(packs, "token").layout
    assert layout is not None
    length = len(layout.packs)
    allowed = torch.zeros(length, length, dtype=torch.int64)
    slot = key = 0
    empty = set(layout.empty_slots.tolist())
    for rows, queries, keys, visible in layout.calls:
        if visible is None:
            visible = torch.ones(queries, keys).tril().bool()[None, None]
        for row in range(rows):
            own = layout.token_of_key[key : key + keys]
            key += keys
            for seen in visible.expand(rows, -1, -1, -1)[row, 0]:
                if slot not in empty:
                    allowed[layout.token_of_slot[slot]].index_add_(0, own, seen.long())
                slot += 1
    assert torch.equal(allowed, pack_mask(layout.packs, layout.segments)[0, 0].long())


def test_buckets():
    assert _buckets([100, 77, 76, 59, 58, 10]) == [
        slice(0, 2),
        slice(2, 4),
        slice(4, 5),
        slice(5, 6),
    ]


def test_solution_level_has_the_last_token_alone():
    pack = Pack(ids(10), (Sampled(ids(20, 21, 0), True, 1), Sampled(ids(30, 0), False, 1)), ())
    batch = packed_batch([pack], "solution")
    assert batch.value_index.tolist() == [3, 5]
    assert batch.value_target.tolist() == [1, 0]


def test_step_level_has_the_last_token_of_every_line():
    one = Sampled(ids(20, 9, 21, 22, 9, 0), True, 1, ids(0, 3, 5))
    pack = Pack(ids(10), (one, Sampled(ids(30, 0), False, 2, ids(1))), ())
    batch = packed_batch([pack], "step")
    assert batch.input_ids.tolist() == [[10, 20, 9, 21, 22, 9, 0, 30, 0]]
    assert batch.value_index.tolist() == [1, 4, 6, 8]
    assert batch.value_target.tolist() == [1, 1, 1, 0]
    assert batch.value_weight.tolist() == [1, 1, 1, 2]
    # Rows of 7 tokens; the second sample, of 3 with its question, stands there twice.
    assert padded_batch([pack], "step").value_index.tolist() == [1, 4, 6, 9, 16]


def test_the_literal_recipe_written_out():
    pack = Pack(ids(10, 11), (Sampled(ids(20, 0), True, 2),), (ids(40, 41, 0),))
    batch = padded_batch([pack], "token")
    sample, reference = [10, 11, 20, 0], [10, 11, 40, 41]
    assert batch.input_ids.tolist() == [sample, reference, sample, reference]
    assert batch.layout is None
    assert batch.value_index.tolist() == [2, 3, 10, 11]
    assert batch.language_index.tolist() == [5, 6, 7, 13, 14, 15]
    assert batch.language_target.tolist() == [40, 41, 0, 40, 41, 0]


def test_mask():
    mask = pack_mask(torch.tensor([0, 0, 0, 0, 0, 1, 1]), torch.tensor([0, 0, 1, 1, 2, 0, 1]))
    assert mask.shape == (1, 1, 7, 7)
    assert mask[0, 0].int().tolist() == [
        [1, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0],
        [1, 1, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 1, 1],
    ]


def some_groups(count, samples):
    rng = np.random.default_rng(5)
    return [
        Group(
            str(i),
            "cot",
            rng.integers(2, 99, 5),
            tuple(Sampled(ids(i, j), True, 1) for j in range(samples)),
            (rng.integers(2, 99, 4),),
        )
        for i in range(count)
    ]


def test_an_epoch_has_every_sample_once():
    groups = some_groups(7, 11)
    rng = np.random.default_rng(0)
    steps = joint_steps(groups, pack_tokens=20, batch_tokens=300, rng=rng)
    seen = sorted(tuple(s.ids) for step in steps for pack in step for s in pack.sampled)
    assert seen == sorted((i, j) for i in range(7) for j in range(11))
    assert all(pack.length <= 22 for step in steps for pack in step)
    # 7 · 11 samples of 7 tokens with a reference of 9 each: 1232 tokens in 4 steps.
    assert len(steps) == 4
    assert all(200 < sum(pack.literal_tokens for pack in step) < 420 for step in steps)


def test_a_plan_is_a_function_of_its_seed():
    def order(seed):
        rng = np.random.default_rng(seed)
        steps = joint_steps(some_groups(3, 4), pack_tokens=16, batch_tokens=100, rng=rng)
        return [[s.ids.tolist() for p in step for s in p.sampled] for step in steps]

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_a_solution_longer_than_a_pack_stands_alone():
    group = Group("x", "cot", ids(1, 2), (Sampled(ids(*range(50)), True, 1),) * 2, ())
    steps = joint_steps([group], pack_tokens=10, batch_tokens=10**6, rng=np.random.default_rng(0))
    assert [len(pack.sampled) for pack in steps[0]] == [1, 1]


def test_even_parts():
    assert _even_parts([3, 3, 3, 3, 3], 2) == [[0, 1], [2, 3, 4]]
    assert _even_parts([100, 1, 1], 2) == [[0], [1, 2]]
    assert _even_parts([1], 5) == [[0]]


def test_micro_batches_hold_to_their_budget():
    rng = np.random.default_rng(6)
    packs = [random_pack(rng, 3, 1) for _ in range(20)]
    batches = micro_batches(packs, 100)
    assert sum(len(batch) for batch in batches) == 20
    assert all(sum(p.length for p in b) <= 100 for b in batches)
    assert len(micro_batches(packs, 1)) == 20


def test_dealing_packs_to_processes():
    packs = [random_pack(np.random.default_rng(7), 2, 1) for _ in range(5)]
    dealt = [deal(packs, rank, 2) for rank in range(2)]
    assert [len(own) for own in dealt] == [3, 2]
    lonely = deal(packs[:1], 1, 2)
    batch = packed_batch(lonely, "token")
    assert float(batch.value_weight.sum()) == 0
    assert len(batch.language_index) == 0


def test_references_alone_count_once_each(make_lm):
    """The adaptation phase: no sampled solutions; the language loss of the plain rows."""
    groups = [
        Group(
            "a", "cot", ids(10, 11), (Sampled(ids(1, 0), True, 5),), (ids(40, 41, 0), ids(42, 0))
        ),
        Group("b", "pot", ids(12), (Sampled(ids(2, 0), True, 1),), (ids(43, 0),)),
        Group("c", "pot", ids(12), (Sampled(ids(2, 0), True, 1),), ()),
    ]
    rng = np.random.default_rng(0)
    assert len(reference_steps(groups, batch_tokens=6, rng=rng)) == 2
    (packs,) = reference_steps(groups, batch_tokens=10**6, rng=rng)
    # Each reference in a row of its own: 2 + 3, 2 + 2 and 1 + 2 tokens.
    assert sum(pack.literal_tokens for pack in packs) == 12
    verifier = verifier_of(exact(make_lm()))
    batch = packed_batch(packs, "token")
    assert batch.language_weight.tolist() == [1.0] * 7
    assert len(batch.value_index) == 0
    sums = verifier(batch)
    assert float(sums.value.detach()) == 0
    expected = 0.0
    for prompt, reference in [([10, 11], [40, 41, 0]), ([10, 11], [42, 0]), ([12], [43, 0])]:
        row = torch.tensor([prompt + reference])
        logits = verifier.lm(input_ids=row, use_cache=False).logits.detach()[
            0, len(prompt) - 1 : -1
        ]
        logits = logits.index_fill(-1, torch.tensor([260]), float("-inf"))
        expected += float(
            torch.nn.functional.cross_entropy(logits, torch.tensor(reference), reduction="sum")
        )
    assert float(sums.language.detach()) == pytest.approx(expected, abs=1e-8)
    # A process that would get nothing takes part with nothing.
    spare = packed_batch(deal(packs[:1], 1, 2), "step")
    assert float(spare.value_weight.sum()) == 0
    assert len(spare.language_index) == 0


def test_a_pack_without_references_has_no_language_loss(make_lm):
    verifier = verifier_of(make_lm())
    pack = random_pack(np.random.default_rng(8), 3, 0)
    value, language, _ = losses_and_gradients(verifier, packed_batch([pack], "token"))
    assert value > 0
    assert language == 0


def test_groups_become_packs_of_both_modes(toy_data, prompter):
    groups, _ = make_groups(toy_data, prompter, max_length=512)
    steps = joint_steps(groups, pack_tokens=1000, batch_tokens=10**6, rng=np.random.default_rng(0))
    assert sum(pack.count for pack in steps[0]) == 9
    assert sum(len(pack.references) for pack in steps[0]) == 3
