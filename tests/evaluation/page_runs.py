"""Pages for the tests: three problems, and the evaluation of any problems given as a page's are."""

import numpy as np
import pandas as pd

from assay.selection.evaluate import evaluate
from assay.selection.pool import PoolArrays
from assay.selection.request import EvaluateConfig

HOSTILE = (
    "</script><script>document.title='broken'</script><img src=x onerror=alert(1)>\u2028 𝟙 {{x}}"
)


def candidate(mode, sample, answer, number, label, score, **more):
    return {
        "mode": mode,
        "sample": sample,
        "text": more.pop("text", f"{mode} {sample}"),
        "answer": answer,
        "answer_class": number,
        "label": label,
        "score": score,
        **more,
    }


def make_problems():
    """Three problems: all agree; the vote is wrong and the verifier right; nobody answers."""
    program = {"text": "print(18)", "outcome": "ok", "output": "18\n", "message": ""}
    failure = {"outcome": "error", "output": "", "message": "NameError: x (line 1)"}
    values = {
        "text": "𝟙 + 4 ok",
        "values": np.float32([0.5, 0.25, 0.75, 1.5]),
        "starts": np.int32([0, 2, 4, 5]),
        "ends": np.int32([1, 3, 5, 5]),
    }
    return [
        {
            "id": "easy",
            "question": HOSTILE,
            "answer": "18",
            "candidates": [
                candidate("cot", 0, "18", 0, True, 0.9, text=HOSTILE, origin="T = 0.7"),
                candidate("cot", 1, "18", 0, True, 0.8),
                candidate("pot", 0, "18", 0, True, 0.7, **program),
                candidate("pot", 1, "18", 0, True, 0.7, **program),
            ],
        },
        {
            "id": "rescued",
            "question": "How many?",
            "answer": "5",
            "candidates": [
                candidate("cot", 0, "4", 0, False, 0.1),
                candidate("cot", 1, "4", 0, False, 0.2),
                candidate("pot", 0, pd.NA, -1, pd.NA, float("nan"), **failure),
                candidate("pot", 1, "5", 1, True, 0.95, **values),
            ],
        },
        {
            "id": "silent",
            "question": "Why?",
            "answer": None,
            "candidates": [
                candidate(mode, s, None, -1, False, None)
                for mode in ("cot", "pot")
                for s in range(2)
            ],
        },
    ]


def evaluated(problems, *, scored=True, **config):
    """The evaluation of a page's problems, with their scores as those of a verifier "v"."""
    rows = [
        {"problem_id": p["id"], **{k: c[k] for k in ("mode", "sample", "answer_class", "label")}}
        | {"score:v": c["score"], "tokens": 10}
        for p in problems
        for c in p["candidates"]
    ]
    frame = pd.DataFrame(rows).astype({"label": "boolean", "score:v": "float64"})
    frame = frame if scored else frame.drop(columns="score:v")
    config = EvaluateConfig(**{"draws": 20, "bootstrap": 50, **config})
    return evaluate(PoolArrays.from_frame(frame), config)
