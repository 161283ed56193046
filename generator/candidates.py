"""Candidates of an engine: what it writes for problems, as rows of a pool.

They come as they finish, not in the problems' order:

    for candidate in sample_candidates(engine, prompter, problems, {"cot": 8}, SamplingParams()):
        print(candidate.problem_id, candidate.text)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from assay.generator.engines import Engine, Request, SamplingParams
from assay.pools.rows import Candidate
from assay.problems.problem import MODES, Mode, Problem
from assay.problems.prompts import Prompter

__all__ = ["asked_modes", "sample_candidates"]


def asked_modes(counts: Mapping[str, int]) -> list[Mode]:
    """The modes of which at least one sample is asked for."""
    return [mode for mode in MODES if counts.get(mode, 0) > 0]


def sample_candidates(
    engine: Engine,
    prompter: Prompter,
    problems: Sequence[Problem],
    modes: Mapping[str, int],
    params: SamplingParams,
    first: int = 0,
    origin: str = "",
) -> Iterator[Candidate]:
    """Yields each problem's candidates as they finish: `modes[mode]` samples from index `first`."""
    asked = [(problem, mode) for mode in asked_modes(modes) for problem in problems]
    requests = [
        Request(
            prompt_ids=prompter.ids(problem, mode),
            count=modes[mode],
            # Members of a mixture must not repeat each other's draws.
            key=f"{problem.id}/{mode}@{origin}" if origin else f"{problem.id}/{mode}",
            first=first,
            calculator=params.calculator and mode == "cot",
            messages=prompter.messages(problem, mode),
        )
        for problem, mode in asked
    ]
    stop = list(dict.fromkeys([*params.stop, *prompter.stop]))
    for completion in engine.sample(requests, dataclasses.replace(params, stop=stop)):
        problem, mode = asked[completion.request]
        yield Candidate(
            problem_id=problem.id,
            mode=mode,
            sample=completion.sample,
            text=prompter.candidate_text(mode, completion.text),
            token_ids=completion.token_ids,
            tokens=len(completion.token_ids) + (completion.stop == "eos"),
            prompt_tokens=len(requests[completion.request].prompt_ids),
            logprob=completion.logprob,
            stop=completion.stop,
            origin=origin,
            free=completion.free,
        )
