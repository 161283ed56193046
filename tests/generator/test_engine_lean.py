"""The lean step: the model's own logits, for every model of its shape; 8-bit products."""

import pytest
import torch

from assay.generator.engines import EngineConfig, Request, SamplingParams, ServerConfig, make_engine
from assay.generator.engines.cache import Cohort, attending
from assay.generator.engines.hf import TransformersEngine
from assay.generator.engines.int8 import WAYS, Int8Product
from assay.generator.engines.lean import LeanStep
from assay.generator.models import ModelConfig
from assay.search.stages.mixture import Origin
from assay.search.stages.sample import sampling_key
from assay.settings.errors import UserError

SHAPES = {
    "llama": ("llama", {}),
    "tied": ("llama", {"tie_word_embeddings": True}),
    "one key head": ("llama", {"num_key_value_heads": 1}),
    "a key head each": ("llama", {"num_key_value_heads": 4}),
    "biases": ("llama", {"attention_bias": True, "mlp_bias": True}),
    "gelu": ("llama", {"hidden_act": "gelu"}),
    "head size of its own": ("llama", {"head_dim": 6}),
    "stretched positions": (
        "llama",
        {"rope_parameters": {"rope_type": "linear", "factor": 3.0, "rope_theta": 1e4}},
    ),
    "mistral": ("mistral", {"sliding_window": None}),
    "qwen2": ("qwen2", {}),
    "qwen3": ("qwen3", {"head_dim": 8}),
}


def steps(model, step, prompts, new):
    """Logits after each of `new`, (steps, rows), written behind prompts of different lengths."""
    rows = new.shape[1]
    longest = max(map(len, prompts))
    padding = torch.tensor([longest - len(p) for p in prompts])
    alone = Cohort(rows=len(prompts), padding=padding)
    ids = torch.tensor([[2] * (longest - len(p)) + p for p in prompts])
    positions = (torch.arange(longest) - padding[:, None]).clamp(min=0)
    shared = Cohort(rows=1)
    with torch.inference_mode():
        with attending(model, [alone], new=longest):
            model(input_ids=ids, position_ids=positions, use_cache=False)
        with attending(model, [shared], new=len(prompts[0])):
            model(input_ids=torch.tensor(prompts[:1]), use_cache=False)
        ours = [alone, Cohort(rows=rows - len(prompts), prefix=shared)]
        found = []
        for ids in new:
            after = [longest - int(p) + ours[1].columns for p in padding]
            after += [ours[1].length] * ours[1].rows
            at = torch.tensor(after)
            if step is not None:
                found.append(step(ours, ids, at))
            else:
                with attending(model, ours):
                    output = model(
                        input_ids=ids[:, None], position_ids=at[:, None], use_cache=False
                    )
                found.append(output.logits[:, -1])
    return torch.stack(found)


def randomized(lm):
    """Norms and biases start even, which would hide a mistake in them."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in lm.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return lm


@pytest.mark.parametrize("name", SHAPES)
def test_logits_are_the_models_own(make_lm, name):
    family, more = SHAPES[name]
    lm = randomized(make_lm(family, **more))
    new = torch.randint(2, 64, (70, 5), generator=torch.Generator().manual_seed(1))
    prompts = [[5, 9, 3, 30], [7, 8]]
    expected = steps(lm, None, prompts, new)
    size = sum(p.numel() for p in lm.parameters())
    step = LeanStep.of(lm)
    assert step is not None
    assert step.current()
    assert sum(p.numel() for p in lm.parameters()) == size
    assert torch.allclose(steps(lm, step, prompts, new), expected, atol=2e-4, rtol=1e-4)
    # The modules' weights have another layout and the same values.
    assert torch.allclose(steps(lm, None, prompts, new), expected, atol=2e-4, rtol=1e-4)


def test_weights_are_stored_once(make_lm):
    lm = make_lm("qwen2")
    assert LeanStep.of(lm) is not None
    attention = lm.model.layers[0].self_attn
    storages = {
        getattr(attention, f"{name}_proj").weight.untyped_storage().data_ptr() for name in "qkv"
    }
    assert len(storages) == 1


@pytest.mark.parametrize(
    ("family", "more"),
    [
        ("gpt2", {}),
        ("gpt_neox", {}),
        ("phi3", {}),
        ("mistral", {"sliding_window": 6}),
        ("gemma", {"head_dim": 8}),  # the same modules, other arithmetic
        ("granite", {"embedding_multiplier": 3.0, "residual_multiplier": 0.5}),
    ],
)
def test_other_models_go_their_own_way(make_lm, byte_tokenizer, family, more):
    lm = randomized(make_lm(family, **more))
    assert LeanStep.of(lm) is None
    with pytest.raises(UserError, match=r"engine.quantize=int8: .* is not of a shape"):
        TransformersEngine(lm, byte_tokenizer, EngineConfig(quantize="int8"), own=True)


def test_hooks_are_not_passed_by(make_lm, byte_tokenizer):
    lm = make_lm()
    engine = TransformersEngine(lm, byte_tokenizer, own=True)
    params = SamplingParams(temperature=0, max_new_tokens=12)
    request = [Request([4, 5], 3, "p")]
    before = [c.token_ids for c in engine.sample(request, params)]
    seen = []
    lm.model.layers[1].mlp.register_forward_hook(lambda *_: seen.append(1))
    assert [c.token_ids for c in engine.sample(request, params)] == before
    assert len(seen) > 1  # the prompt, and the steps


def test_new_weights_are_noticed(make_lm):
    lm = make_lm()
    step = LeanStep.of(lm)
    module = lm.model.layers[0].mlp.up_proj
    module.weight.data = module.weight.data.clone()
    assert not step.current()


@pytest.mark.usefixtures("eight_bits")
@pytest.mark.parametrize("quantize", ["none", "int8"])
def test_a_sample_does_not_depend_on_its_batch(make_lm, byte_tokenizer, quantize):
    requests = [Request([3 + i] * (2 + i), 1 + 3 * (i % 4), f"p{i}") for i in range(6)]
    params = SamplingParams(temperature=0.9, max_new_tokens=40, seed=3)
    found = []
    for batch_size, order in ((64, 1), (3, -1)):
        config = EngineConfig(quantize=quantize, batch_size=batch_size)
        engine = TransformersEngine(make_lm("qwen2"), byte_tokenizer, config, own=True)
        asked = requests[::order]
        found.append(
            {(asked[c.request].key, c.sample): c.text for c in engine.sample(asked, params)}
        )
    assert found[0] == found[1]
    assert len(set(found[0].values())) > 6


@pytest.mark.parametrize("way", WAYS)
def test_int8_products_by_hand(way):
    linear = torch.nn.Linear(2, 2, bias=True)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[1.27, -0.5], [0.0, 2.54]]))
        linear.bias.copy_(torch.tensor([1.0, -1.0]))
        product = Int8Product(linear, way=way)
        rows = torch.tensor([[1.27, 0.64], [0.0, 0.0], [-254.0, 127.2]])
        # Scales 0.01 and 0.02 make the weights 127, -50 and 0, 127; those of the rows are 0.01,
        # any, and 2, which make 127.2 into 64 × 2 = 128.
        expected = [
            [1.27 * 1.27 - 0.5 * 0.64 + 1, 2.54 * 0.64 - 1],
            [1.0, -1.0],
            [-254 * 1.27 - 0.5 * 128 + 1, 2.54 * 128 - 1],
        ]
        assert torch.allclose(product(rows), torch.tensor(expected), rtol=1e-5)
        total = torch.ones(3, 2)
        product.add_to(total, rows)
        assert torch.allclose(total, torch.tensor(expected) + 1, rtol=1e-5)


@pytest.mark.usefixtures("eight_bits")
def test_int8_is_near_and_told(make_lm, byte_tokenizer, capsys):
    lm = make_lm(width=64)
    exact = LeanStep.of(lm)
    near = LeanStep.of(lm, "unsigned activations")
    new = torch.randint(2, 64, (9, 4), generator=torch.Generator().manual_seed(1))
    expected = steps(lm, exact, [[5, 9], [7, 8]], new)
    found = steps(lm, near, [[5, 9], [7, 8]], new)
    assert 0 < (found - expected).abs().mean() < 0.1 * expected.abs().mean()
    TransformersEngine(lm, byte_tokenizer, EngineConfig(quantize="int8"), own=True)
    assert capsys.readouterr().err == (
        "engine.quantize=int8: unsigned activations, products 4.0 times as fast as in float32; "
        "samples come from a slightly different distribution\n"
    )


def test_quantize_is_checked(make_lm, byte_tokenizer):
    for value, dtype, match in (
        ("int4", torch.float32, "expected none or int8"),
        ("int8", torch.bfloat16, "expected dtype=float32"),
    ):
        with pytest.raises(UserError, match=match):
            TransformersEngine(
                make_lm().to(dtype), byte_tokenizer, EngineConfig(quantize=value), own=True
            )
    config = EngineConfig(name="server", quantize="int8", server=ServerConfig(urls=["http://a"]))
    with pytest.raises(UserError, match=r"only for engine\.name=transformers"):
        make_engine(config, ModelConfig())


def test_the_key_of_a_run_tells_int8_alone():
    plain = sampling_key(Origin(), None, 8)
    assert "quantize" not in plain
    int8 = sampling_key(Origin(engine=EngineConfig(quantize="int8")), None, 8)
    assert int8 == plain | {"quantize": "int8"}
