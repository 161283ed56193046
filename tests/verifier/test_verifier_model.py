import json
import re

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from assay.generator.models import ModelConfig
from assay.problems.prompts import PromptConfig
from assay.settings.errors import UserError
from assay.verifier.card import model_card
from assay.verifier.config import VerifierModelConfig, VerifierSettings
from assay.verifier.model import Verifier, load_verifier, read_settings, reserve_token

FAMILIES = ("llama", "qwen2", "mistral", "gemma", "gpt_neox", "gpt2")


def config_of(folder, **settings):
    return VerifierModelConfig(base=ModelConfig(name=str(folder)), **settings)


def random_head(verifier):
    torch.manual_seed(3)
    with torch.no_grad():
        for name, parameter in verifier.named_parameters():
            if not name.startswith("lm."):
                parameter.normal_()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_value_is_the_reserved_logit_with_gain_and_bias(make_lm, family):
    lm = make_lm(family)
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    logits = lm(input_ids=ids, use_cache=False).logits[..., 260]
    verifier = Verifier(lm, VerifierSettings("<|verifier|>", 260))
    with torch.no_grad():
        verifier.gain.fill_(2.5)
        verifier.bias.fill_(-0.25)
    values = verifier.values(verifier.hidden(ids, torch.arange(5)[None]))
    torch.testing.assert_close(values, 2.5 * logits - 0.25)


def test_values_under_cross_entropy_are_probabilities(make_lm):
    verifier = Verifier(make_lm(), VerifierSettings("<|verifier|>", 260, loss="bce"))
    verifier.set_base_rate(0.2)
    with torch.no_grad():
        verifier.gain.zero_()
    values = verifier.values(torch.randn(3, 32))
    torch.testing.assert_close(values, torch.full((3,), 0.2))


def test_a_linear_head(make_lm):
    verifier = Verifier(make_lm(), VerifierSettings("<|verifier|>", 260, head="linear"))
    with torch.no_grad():
        verifier.weight.fill_(1.0)
        verifier.bias.fill_(0.5)
    assert verifier.values(torch.ones(2, 32)).tolist() == [32.5, 32.5]


def test_the_reserved_token_is_no_part_of_the_language_loss(make_lm):
    verifier = Verifier(make_lm(), VerifierSettings("<|verifier|>", 260))
    logits = verifier.vocabulary.logits(torch.randn(2, 32))
    assert logits[:, 260].tolist() == [float("-inf")] * 2
    assert logits.softmax(-1)[:, 260].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("head", ["token", "linear"])
def test_training_starts_from_the_base_rate(base_folder, head):
    verifier, _ = Verifier.from_base(config_of(base_folder, head=head))
    verifier.set_base_rate(0.3)
    values = verifier.values(torch.randn(4, 64))
    torch.testing.assert_close(values, torch.full((4,), 0.3))


def test_a_spare_row_serves_the_added_token(make_lm, make_tokenizer):
    lm, tokenizer = make_lm(vocab=264), make_tokenizer()
    assert reserve_token(lm, tokenizer) == ("<|verifier|>", 258)
    assert lm.get_input_embeddings().weight.shape[0] == 264
    assert tokenizer.convert_tokens_to_ids("<|verifier|>") == 258
    # A verifier that is trained further keeps its token.
    assert reserve_token(lm, tokenizer) == ("<|verifier|>", 258)


def test_a_row_is_added_where_none_is_spare(make_lm, make_tokenizer):
    lm, tokenizer = make_lm(vocab=258), make_tokenizer()
    before = lm(input_ids=torch.tensor([[5, 6]])).logits
    assert reserve_token(lm, tokenizer) == ("<|verifier|>", 258)
    assert lm.get_output_embeddings().weight.shape[0] == 259
    torch.testing.assert_close(lm(input_ids=torch.tensor([[5, 6]])).logits[..., :258], before)


@pytest.mark.parametrize(
    "tokens",
    [
        ("<|reserved_1|>", "<|reserved_0|>"),
        ("<|reserved_special_token_10|>", "<|reserved_special_token_2|>"),
        ("<unused7>", "<unused3>"),
        ("[unused5]", "[unused1]"),
    ],
)
def test_an_unused_token_of_the_vocabulary_is_preferred(make_lm, make_tokenizer, tokens):
    tokenizer = make_tokenizer(*tokens)
    assert reserve_token(make_lm(), tokenizer) == (tokens[1], 3)
    assert len(tokenizer) == 260


@pytest.mark.parametrize(
    ("head", "inputs"), [("token", "hidden"), ("linear", "hidden"), ("token", "hidden+logprob")]
)
def test_saved_and_opened_again(base_folder, tmp_path, head, inputs):
    prompt = PromptConfig(form="plain", pot_suffix=" Program:")
    verifier, tokenizer = Verifier.from_base(
        config_of(base_folder, head=head, head_inputs=inputs, level="solution", dropout=0.1),
        prompt,
        loss="bce",
        append_output=True,
    )
    random_head(verifier)
    verifier.eval().save_pretrained(tmp_path / "v", tokenizer)
    again, tokens, prompter = load_verifier(ModelConfig(name=str(tmp_path / "v")))
    assert again.settings == verifier.settings
    assert again.settings.reserved_token_id == 258
    assert prompter.config == prompt
    assert tokens.convert_tokens_to_ids("<|verifier|>") == 258
    assert read_settings(ModelConfig(name=str(tmp_path / "v"))).append_output
    assert not again.training
    ids = torch.tensor([[9, 8, 7]])
    positions = torch.arange(3)[None]
    numbers = torch.randn(1, 3, 2) if inputs == "hidden+logprob" else None
    assert torch.equal(
        again.values(again.hidden(ids, positions), numbers),
        verifier.values(verifier.hidden(ids, positions), numbers),
    )


def test_a_verifier_is_a_language_model_in_plain_transformers(base_folder, tmp_path):
    verifier, tokenizer = Verifier.from_base(config_of(base_folder))
    random_head(verifier)
    verifier.eval().save_pretrained(tmp_path / "v", tokenizer)
    lm = AutoModelForCausalLM.from_pretrained(tmp_path / "v")
    base = AutoModelForCausalLM.from_pretrained(base_folder)
    ids = AutoTokenizer.from_pretrained(tmp_path / "v")("2 + 3", return_tensors="pt").input_ids
    logits = lm(input_ids=ids).logits
    torch.testing.assert_close(logits[..., :258], base(input_ids=ids).logits[..., :258])
    with torch.no_grad():
        lm.get_output_embeddings().weight[258] *= 1000
    said = lm.generate(ids, max_new_tokens=8, do_sample=False, pad_token_id=1)
    assert 258 not in said.tolist()[0]


def test_the_page_on_the_hub(base_folder, tmp_path, capsys):
    verifier, tokenizer = Verifier.from_base(config_of(base_folder), PromptConfig(form="plain"))
    verifier.set_base_rate(0.25)
    verifier.eval().save_pretrained(tmp_path / "v", tokenizer)
    card = (tmp_path / "v" / "README.md").read_text()
    assert "| reserved token | `<|verifier|>` (id 258) |\n| level | token |" in card
    assert "base_model" not in card  # it is a folder
    (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    exec(code.replace("THIS_FOLDER_OR_HUB_ID", str(tmp_path / "v")), {})
    assert capsys.readouterr().out == "[0.25]\n"


@pytest.mark.parametrize(
    ("base", "line"),
    [
        ("Qwen/Qwen2.5-0.5B", "base_model: Qwen/Qwen2.5-0.5B\n---"),
        ("tests/verifier", "assay]\n---"),
    ],
)
def test_the_base_is_named_where_the_hub_has_it(base, line):
    settings = VerifierSettings("<v>", 5, base=base)
    assert line in model_card(settings)


def test_settings_are_plain_json(base_folder, tmp_path):
    verifier, tokenizer = Verifier.from_base(config_of(base_folder))
    verifier.save_pretrained(tmp_path / "v", tokenizer)
    row = json.loads((tmp_path / "v" / "verifier.json").read_text())
    assert row["reserved_token"] == "<|verifier|>"
    assert row["format"] == 1
    assert read_settings(ModelConfig(name=str(tmp_path / "v"))) == verifier.settings


def test_a_generator_is_not_a_verifier(base_folder):
    with pytest.raises(UserError, match=r"base: not a verifier \(it has no verifier.json\)"):
        load_verifier(ModelConfig(name=str(base_folder)))


def test_a_missing_folder_is_not_a_verifier(tmp_path):
    with pytest.raises(UserError, match="not a verifier"):
        load_verifier(ModelConfig(name=str(tmp_path / "nowhere")))


@pytest.mark.parametrize("text", ["{", "[]", '{"prompt": {}}', '{"prompt": {"form": 1}, "x": 2}'])
def test_broken_settings(tmp_path, text):
    (tmp_path / "verifier.json").write_text(text)
    with pytest.raises(UserError, match=r"verifier\.json: not a verifier's settings"):
        read_settings(ModelConfig(name=str(tmp_path)))


def test_settings_of_another_version(base_folder, tmp_path):
    verifier, tokenizer = Verifier.from_base(config_of(base_folder))
    verifier.save_pretrained(tmp_path, tokenizer)
    file = tmp_path / "verifier.json"
    file.write_text(file.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(UserError, match="another version"):
        read_settings(ModelConfig(name=str(tmp_path)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"head": "x"}, r"model.head=x: expected one of token, linear"),
        ({"level": "x"}, r"model.level=x: expected one of token, step, solution"),
        ({"dropout": 1.0}, r"model.dropout=1.0: expected"),
    ],
)
def test_settings_that_do_not_fit(base_folder, settings, message):
    with pytest.raises(UserError, match=message):
        Verifier.from_base(config_of(base_folder, **settings))


def test_a_base_that_changes_its_logits_is_refused(make_tokenizer, tmp_path):
    from transformers import GraniteConfig

    config = GraniteConfig(
        vocab_size=264, hidden_size=16, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=1, logits_scaling=8.0,
    )  # fmt: skip
    lm = AutoModelForCausalLM.from_config(config)
    torch.nn.init.normal_(lm.get_output_embeddings().weight)
    lm.save_pretrained(tmp_path)
    make_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(UserError, match="a 'granite' model changes its logits"):
        Verifier.from_base(config_of(tmp_path))


def test_the_longest_sequence(make_lm):
    assert Verifier(make_lm(), VerifierSettings("x", 260)).max_length == 512
    lm = make_lm("mistral")
    lm.config.sliding_window = 100
    assert Verifier(lm, VerifierSettings("x", 260)).max_length == 100
