import pytest
import torch
import torch.nn.functional as F
from torch import nn

from assay.verifier import vocabulary
from assay.verifier.vocabulary import VocabularyLoss


def gradients(loss, hidden, target, weight, output):
    output.zero_grad()
    hidden.grad = None
    nll = loss(hidden, target)
    (nll * weight).sum().backward()
    return [nll.detach(), hidden.grad.clone(), *(p.grad.clone() for p in output.parameters())]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("at_once", [1, 50, 100, 449, 450])
def test_chunks_give_the_loss_and_gradients_of_the_whole(monkeypatch, at_once, bias):
    torch.manual_seed(0)
    output = nn.Linear(7, 50, bias=bias, dtype=torch.float64)
    hidden = torch.randn(9, 7, dtype=torch.float64, requires_grad=True)
    target = torch.randint(0, 49, (9,))
    weight = torch.rand(9, dtype=torch.float64)

    def plain(hidden, target):
        return F.cross_entropy(output(hidden)[:, :49], target, reduction="none")

    expected = gradients(plain, hidden, target, weight, output)
    monkeypatch.setattr(vocabulary, "LOGITS_AT_ONCE", at_once)
    found = gradients(VocabularyLoss(output, 49), hidden, target, weight, output)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize(
    ("at_once", "sizes"), [(1000, [9]), (150, [3, 3, 3]), (100, [2] * 4 + [1])]
)
def test_no_more_logits_at_once_than_allowed(monkeypatch, at_once, sizes):
    """Each chunk's logits are made once forward and, where there are several, once backward."""
    seen = []
    real = VocabularyLoss.logits

    def spy(loss, hidden):
        seen.append(len(hidden))
        return real(loss, hidden)

    monkeypatch.setattr(VocabularyLoss, "logits", spy)
    monkeypatch.setattr(vocabulary, "LOGITS_AT_ONCE", at_once)
    loss = VocabularyLoss(nn.Linear(7, 50), 49)
    nll = loss(torch.randn(9, 7, requires_grad=True), torch.zeros(9, dtype=torch.int64))
    assert seen == sizes
    nll.sum().backward()
    assert sorted(seen) == sorted(sizes if len(sizes) == 1 else sizes * 2)


def test_no_tokens():
    loss = VocabularyLoss(nn.Linear(7, 50), 49)
    nll = loss(torch.randn(0, 7, requires_grad=True), torch.zeros(0, dtype=torch.int64))
    assert nll.shape == (0,)
    nll.sum().backward()


def test_it_has_no_parameters_of_its_own():
    assert list(VocabularyLoss(nn.Linear(7, 50), 49).parameters()) == []
