"""Sampling engines: prompts with a count each go in, finished completions come out.

An engine knows nothing of mathematics. It computes a prompt once for all its samples and yields
each completion as soon as it is finished, so a caller can run programs while others are written.

    engine = make_engine(EngineConfig(), ModelConfig(name="embedded"))
    requests = [Request(prompt_ids=ids, count=32, key="gsm8k-test-00001/cot")]
    for completion in engine.sample(requests, SamplingParams(temperature=0.7, seed=0)):
        print(completion.sample, completion.text, completion.logprob, completion.stop)
"""

from assay.generator.engines.config import EngineConfig, SamplingParams, ServerConfig, VllmConfig
from assay.generator.engines.factory import make_engine
from assay.generator.engines.interface import Completion, Engine, Request, Stop

__all__ = [
    "Completion",
    "Engine",
    "EngineConfig",
    "Request",
    "SamplingParams",
    "ServerConfig",
    "Stop",
    "VllmConfig",
    "make_engine",
]
