"""Which local processes see which GPUs."""

import os
import time

import pytest
import torch

from assay.generator.engines import EngineConfig, VllmConfig
from assay.generator.models import ModelConfig
from assay.pools.run import Part
from assay.search.launch import devices
from assay.search.launch.devices import built_for_gpus, gpu_names, gpu_shares, workers_for
from assay.search.launch.work import do_parts
from assay.search.stages import sample as sampling
from assay.search.stages.mixture import Origin


@pytest.fixture
def gpus(monkeypatch):
    def have(count, visible=None):
        monkeypatch.setattr(devices, "built_for_gpus", lambda: True)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(devices, "cores", lambda: 6)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    return have


@pytest.mark.parametrize(
    ("count", "visible", "names"),
    [
        (0, None, []),
        (0, "", []),
        (2, None, ["0", "1"]),
        (2, "3,5", ["3", "5"]),
        (2, "GPU-a, GPU-b", ["GPU-a", "GPU-b"]),
    ],
)
def test_gpus_are_named_as_the_environment_names_them(gpus, count, visible, names):
    gpus(count, visible)
    assert gpu_names() == names


def test_torch_tells_its_build_unimported():
    assert built_for_gpus() == bool(torch.version.cuda or torch.version.hip)


def test_a_torch_without_gpus_is_not_asked(gpus, monkeypatch):
    gpus(2)
    monkeypatch.setattr(devices, "built_for_gpus", lambda: False)
    assert gpu_names() == []


@pytest.mark.parametrize(
    ("count", "workers", "device", "each", "expected", "shares"),
    [
        (0, 0, "auto", 1, 6, []),
        (0, 3, "auto", 1, 3, []),
        (1, 0, "auto", 1, 1, []),
        (4, 0, "auto", 1, 4, ["0", "1", "2", "3"]),
        (4, 2, "auto", 1, 2, ["0", "1", "2", "3"]),
        (4, 0, "auto", 2, 2, ["0,1", "2,3"]),
        (5, 0, "auto", 2, 2, ["0,1", "2,3"]),
        (2, 0, "auto", 4, 1, []),
        (4, 0, "cuda:1", 1, 1, []),
        (4, 0, "cpu", 1, 6, []),
    ],
)
def test_one_process_a_gpu(gpus, count, workers, device, each, expected, shares):
    gpus(count)
    assert workers_for(workers, device, each) == expected
    assert gpu_shares(device, each) == shares


def origin(engine, device="auto"):
    return Origin(generator=ModelConfig(device=device), engine=engine)


@pytest.mark.parametrize(
    ("count", "origins", "expected"),
    [
        (4, [origin(EngineConfig())], (4, ["0", "1", "2", "3"], 1)),
        (0, [origin(EngineConfig())], (6, [], 1)),
        (4, [origin(EngineConfig(name="server"))], (1, [], 0)),
        (
            4,
            [origin(EngineConfig(name="vllm", vllm=VllmConfig(tensor_parallel=2)))],
            (2, ["0,1", "2,3"], 2),
        ),
        (0, [origin(EngineConfig(name="vllm"))], (1, [], 1)),
        (4, [origin(EngineConfig()), origin(EngineConfig(), "cuda:1")], (1, [], 1)),
        (4, [origin(EngineConfig()), origin(EngineConfig(name="server"))], (1, [], 1)),
    ],
)
def test_what_sampling_takes(gpus, count, origins, expected):
    gpus(count)
    assert sampling._hardware(0, origins) == expected


def prepare(folder):
    def do(part, report):
        told = os.environ.get("CUDA_VISIBLE_DEVICES", "none")
        (folder / str(part.index)).write_text(f"{os.getpid()} {told}")
        # The first part of each process waits for the other's: neither does all of them.
        while part.index < 2 and len(list(folder.iterdir())) < 2:
            time.sleep(0.01)

    return do


def test_each_process_sees_its_own(tmp_path):
    parts = [Part(i, "cot", 0, 1) for i in range(4)]
    do_parts(parts, prepare, (tmp_path,), workers=2, total=4, description="t", devices=["0", "2,3"])
    told = dict(path.read_text().split() for path in tmp_path.iterdir())
    assert sorted(told.values()) == ["0", "2,3"]
