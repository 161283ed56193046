"""The plan beside what others published of trainings and servers (docs/plan.md)."""

import pytest

from assay.generator.models import ModelConfig
from assay.generator.shapes import known_model
from assay.planning.hardware import machine_of
from assay.planning.inference import Sampling, sampling_estimate
from assay.planning.memory import Adapters
from assay.planning.training import Training, training_estimate


def model(name):
    return known_model(ModelConfig(name=name))


def pretraining(name, tokens, length):
    return Training("t", model(name), tokens, 500_000, 1.0, length, length, "master", "zero3")


@pytest.mark.parametrize(
    ("name", "published", "planned"),
    [
        ("Llama-2-7B", 184_320, 190_800),
        ("Llama-2-13B", 368_640, 365_700),
        ("Llama-2-70B", 1_720_320, 1_907_000),
    ],
)
def test_hours_of_llama_2s_pretraining(name, published, planned):
    """Touvron et al. 2023, arXiv 2307.09288, table 2: A100-80G, 2 T tokens, sequences of 4096."""
    stage = training_estimate(pretraining(name, 2e12, 4096), machine_of("A100-80G"))
    assert stage.seconds / 3600 == pytest.approx(planned, rel=1e-3)
    assert published * 0.85 < planned < published * 1.15


def test_llama_3_reached_less_than_the_plans_share():
    """Its model card: 1.3 M hours of H100-80G for 15 T tokens of the 8B, sequences of 8192."""
    stage = training_estimate(pretraining("Llama-3-8B", 15e12, 8192), machine_of("H100-80G"))
    assert stage.seconds / 3600 == pytest.approx(542_000, rel=1e-3)
    slower = training_estimate(
        pretraining("Llama-3-8B", 15e12, 8192), machine_of("H100", mfu=0.167)
    )
    assert slower.seconds / 3600 == pytest.approx(1.3e6, rel=0.01)


@pytest.mark.parametrize(("hardware", "fits"), [("8xA100-80G", False), ("2x8xA100-80G", True)])
def test_seventy_billion_need_two_nodes(hardware, fits):
    """Hugging Face, "Fine-tuning Llama 2 70B using PyTorch FSDP": two nodes of 8 A100-80G."""
    work = Training(
        "t", model("Llama-2-70B"), 1e8, 1000, 1.0, 2048, 2048.0, "master", "fsdp",
        checkpointing=True,
    )  # fmt: skip
    assert training_estimate(work, machine_of(hardware)).fits == fits


@pytest.mark.parametrize(
    ("name", "published", "planned"), [("Llama-2-7B", 5, 4.5), ("Llama-2-13B", 10, 8.2)]
)
def test_weights_of_four_bits(name, published, planned):
    """Dettmers et al. 2023, arXiv 2305.14314, table 6: gigabytes of Guanaco, rank 64."""
    adapters = Adapters(64, 4)
    work = Training(
        "t", model(name), 1e8, 1000, 0.5, 512, 512.0, "autocast", checkpointing=True,
        adapters=adapters,
    )  # fmt: skip
    weights = training_estimate(work, machine_of("L40S")).memory.device["weights"] / 1e9
    assert weights == pytest.approx(planned, abs=0.05)
    assert published * 0.8 < weights < published


@pytest.mark.parametrize(
    ("name", "hardware", "prompt", "tokens", "rows", "published", "planned"),
    [
        ("Llama-3.1-8B", "A100-40G", 1024, 128, 1, 75, 64),
        ("Llama-3.1-8B", "A100-40G", 1024, 128, 8, 495, 330),
        ("Mistral-7B", "4090-24G", 256, 128, 4, 210, 155),
        ("Mistral-7B", "4090-24G", 256, 128, 48, 1190, 1108),
    ],
)
def test_tokens_a_second_of_vllm(name, hardware, prompt, tokens, rows, published, planned):
    work = Sampling(
        "s", model(name), 5000, 5000, 5000, float(prompt), float(tokens), tokens, "vllm", 2, rows
    )
    rate = 5000 * tokens / sampling_estimate(work, machine_of(hardware)).seconds
    assert rate == pytest.approx(planned, rel=0.01)
    assert published / 2 < rate < published * 1.2
