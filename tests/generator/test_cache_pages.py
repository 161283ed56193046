"""Pages of 2 MB under the keys and values: the same samples with them and without."""

import mmap

import pytest

from assay.generator.engines import Request, SamplingParams, cache
from assay.generator.engines.hf import TransformersEngine

PARAMS = SamplingParams(temperature=1.0, max_new_tokens=70, seed=4)
# One question with many samples and two with few: prompts shared and prompts repeated.
REQUESTS = [Request([5] * 9, 10, "a"), Request([6, 7, 8], 2, "b"), Request([9, 4], 2, "c")]


def samples(engine):
    return sorted((c.request, c.sample, c.token_ids) for c in engine.sample(REQUESTS, PARAMS))


@pytest.mark.parametrize("refusal", [None, "mmap", "madvise"])
def test_large_pages_change_no_sample(make_lm, byte_tokenizer, monkeypatch, refusal):
    engine = TransformersEngine(make_lm(seed=8), byte_tokenizer)
    expected = samples(engine)
    asked = []

    class Memory(mmap.mmap):
        def __new__(cls, *args, **kwargs):
            asked.append("mmap")
            if refusal == "mmap":
                raise OSError(12, "Cannot allocate memory")
            return super().__new__(cls, *args, **kwargs)

        def madvise(self, *args):
            asked.append("madvise")
            if refusal == "madvise":
                raise OSError(22, "Invalid argument")
            super().madvise(*args)

    monkeypatch.setattr(cache.mmap, "mmap", Memory)
    monkeypatch.setattr(cache, "_HUGE_PAGE", 4096)
    assert samples(engine) == expected
    assert set(asked) == ({"mmap"} if refusal == "mmap" else {"mmap", "madvise"})
