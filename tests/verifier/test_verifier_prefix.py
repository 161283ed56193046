import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.verifier.config import VerifierSettings
from assay.verifier.model import Verifier
from assay.verifier.prefix import Prefix, SolutionsLayout, order_of, shared_tokens
from assay.verifier.score import token_values

FAMILIES = ("llama", "qwen2", "mistral", "gemma", "gpt_neox", "gpt2")
QUESTION = [7, 30, 12, 99, 5, 61]
LEAD = [20, 21, 22, 23, 24, 25, 26, 27, 28]
# Two begin with the lead and part, one is the lead alone, one shares too little of it, one nothing.
SOLUTIONS = [
    [*LEAD, 40, 41, 42, 0],
    [90, 91, 0],
    [*LEAD, 50, 0],
    LEAD,
    [*LEAD[:4], 33, 0],
    [*LEAD, 40, 41, 42, 43, 44, 45, 0],
]


def verifier_of(lm, head_inputs="hidden"):
    settings = VerifierSettings("<|verifier|>", 260, head_inputs=head_inputs)
    verifier = Verifier(lm, settings).eval()
    with torch.no_grad():
        verifier.bias.fill_(0.3)
        if head_inputs == "hidden+logprob":
            verifier.likelihood.copy_(torch.tensor([0.4, -0.2]))
    return verifier


def one_by_one(verifier, solutions):
    """Each solution behind the question, alone, vocabulary logits and all."""
    found = []
    for ids in solutions:
        with torch.no_grad():
            logits = verifier.lm(input_ids=torch.tensor([QUESTION + ids]), use_cache=False).logits
            values = verifier.gain * logits[0, len(QUESTION) :, 260] + verifier.bias
            if hasattr(verifier, "likelihood"):
                more = [summed(verifier, logits[0], ids, t) for t in range(len(ids))]
                values += torch.tensor(more)
        found.append(values)
    return [values.numpy() for values in found]


def summed(verifier, logits, ids, t):
    """What the log-probabilities of a solution's tokens 0 … t add to its value at t."""
    logits = logits.index_fill(1, torch.tensor([260]), float("-inf"))
    total = 0.0
    for i in range(t + 1):
        row = logits[len(QUESTION) + i - 1]
        total += float(row[ids[i]] - row.logsumexp(0))
    by_sum, by_mean = verifier.likelihood.tolist()
    return -by_sum * math.log(1 - total) + by_mean * total / (t + 1)


@pytest.mark.parametrize("budget", [1, 24, 1000])
@pytest.mark.parametrize("way", ["as on a CPU", "as on an accelerator"])
@pytest.mark.parametrize(
    ("family", "inputs"), [*((each, "hidden") for each in FAMILIES), ("llama", "hidden+logprob")]
)
def test_equals_each_solution_alone(make_lm, monkeypatch, family, inputs, way, budget):
    if way == "as on an accelerator":
        monkeypatch.setattr(SolutionsLayout, "_one_by_one", SolutionsLayout._in_padded_rows)
    verifier = verifier_of(make_lm(family), inputs)
    expected = one_by_one(verifier, SOLUTIONS)
    found = token_values(verifier, QUESTION, SOLUTIONS, budget)
    for values, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(values, wanted, atol=1e-4)
    assert np.ptp([values[-1] for values in found]) > 0.1


@pytest.mark.parametrize(
    ("family", "inputs"),
    [("llama", "hidden"), ("gpt2", "hidden"), ("llama", "hidden+logprob")],
)
def test_other_attentions_go_through_a_cache(make_lm, family, inputs):
    verifier = verifier_of(make_lm(family, attention="eager"), inputs)
    expected = one_by_one(verifier, SOLUTIONS)
    for values, wanted in zip(
        token_values(verifier, QUESTION, SOLUTIONS, 24), expected, strict=True
    ):
        np.testing.assert_allclose(values, wanted, atol=1e-4)


def test_common_beginnings_are_computed_once(make_lm, monkeypatch):
    verifier = verifier_of(make_lm())
    read = []
    hidden = verifier.hidden

    def spy(ids, *args):
        read.append(ids[0].tolist())
        return hidden(ids, *args)

    monkeypatch.setattr(verifier, "hidden", spy)
    token_values(verifier, QUESTION, SOLUTIONS, 1000)
    alone = [[40, 41, 42, 0], [43, 44, 45, 0], [50, 0], [*LEAD[:4], 33, 0], [90, 91, 0]]
    assert read == [QUESTION, [*LEAD, *alone[0], *alone[1], *alone[2], *alone[3], *alone[4]]]


def test_shared_tokens():
    assert shared_tokens(LEAD, [*LEAD, 1]) == 9
    assert shared_tokens([*LEAD, 1], LEAD) == 8  # a last token of its own
    assert shared_tokens(LEAD, [*LEAD[:7], 1, 2]) == 0  # not worth it
    assert shared_tokens(LEAD, []) == 0


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=30), min_size=1, max_size=12).map(
        lambda rows: [[5] * 8 * (sum(row) % 3) + row for row in rows]
    )
)
def test_layouts_hold_every_solution(rows):
    solutions = [rows[i] for i in order_of(rows)]
    keys = torch.zeros(1, 1, 4, 2)
    layout = Prefix({0: (keys, keys)}).layout(solutions)
    for own, place, (start, end) in zip(solutions, layout.places, layout.spans, strict=True):
        assert layout.ids[0, place].tolist() == own
        assert layout.positions[0, place].tolist() == list(range(4, 4 + len(own)))
        assert place[len(place) - (end - start) :].tolist() == list(range(start, end))
    assert [s for s, _ in layout.spans] == [0, *(e for _, e in layout.spans[:-1])]
    assert layout.spans[-1][1] == layout.ids.shape[1] <= sum(map(len, solutions))
