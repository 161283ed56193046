import pytest
import torch
import torch.nn.functional as F

from assay.settings.errors import UserError
from assay.verifier.dropout import add_residual_dropout, residual_branches, switch_off_own_dropout

FAMILIES = ("llama", "qwen2", "mistral", "gemma", "gpt_neox", "gpt2")
IDS = torch.tensor([[5, 6, 7, 8]])


def hidden(lm):
    torch.manual_seed(0)
    return lm.get_decoder()(input_ids=IDS, use_cache=False).last_hidden_state


def without_layers(lm):
    """What comes out where no layer adds anything: the normalised embedding."""
    decoder = lm.get_decoder()
    embedded = lm.get_input_embeddings()(IDS)
    if lm.config.model_type == "gpt2":
        embedded = embedded + decoder.wpe(torch.arange(4))[None]
    norms = [getattr(decoder, name, None) for name in ("norm", "final_layer_norm", "ln_f")]
    return next(norm for norm in norms if norm is not None)(embedded)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_residual_addition_is_dropped_out(make_lm, family):
    lm = make_lm(family, layers=3)
    switch_off_own_dropout(lm)
    add_residual_dropout(lm, 1.0)
    lm.train()
    torch.testing.assert_close(hidden(lm), without_layers(lm))


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_else_is_dropped_out(make_lm, family, monkeypatch):
    lm = make_lm(family, layers=3)
    switch_off_own_dropout(lm)
    calls = []
    real = F.dropout

    def spy(x, p=0.5, training=True, inplace=False):
        if p and training:
            calls.append(tuple(x.shape))
        return real(x, p, training, inplace)

    monkeypatch.setattr(F, "dropout", spy)
    attention = F.scaled_dot_product_attention

    def attend(*args, dropout_p=0.0, **kwargs):
        assert dropout_p == 0.0
        return attention(*args, **kwargs)

    monkeypatch.setattr(F, "scaled_dot_product_attention", attend)
    add_residual_dropout(lm, 0.2)
    lm.train()
    hidden(lm)
    assert calls == [(1, 4, 32)] * 6


@pytest.mark.parametrize("family", FAMILIES)
def test_it_acts_in_training_alone(make_lm, family):
    lm = make_lm(family)
    before = hidden(lm)
    handles = add_residual_dropout(lm, 0.5)
    assert torch.equal(hidden(lm), before)
    lm.train()
    assert not torch.allclose(hidden(lm), before)
    lm.eval()
    for handle in handles:
        handle.remove()
    lm.train()
    switch_off_own_dropout(lm)
    torch.testing.assert_close(hidden(lm), before)


def test_post_normalised_branches_are_dropped_after_their_norm():
    from transformers import AutoModelForCausalLM, Gemma2Config

    config = Gemma2Config(
        vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, head_dim=8,
    )  # fmt: skip
    lm = AutoModelForCausalLM.from_config(config)
    layer = lm.model.layers[0]
    branches = residual_branches(lm)
    assert len(branches) == 4
    assert branches[0] is layer.post_attention_layernorm
    assert branches[1] is layer.post_feedforward_layernorm


def test_an_unknown_architecture_is_refused(make_lm):
    lm = make_lm()
    for layer in lm.model.layers:
        layer.block = layer.mlp
        del layer.mlp
    with pytest.raises(UserError, match="residual paths of a 'llama' model are not known"):
        add_residual_dropout(lm, 0.2)
