"""What the page tells of one problem: a line in its list, and the details behind it, packed small.

    line, detail = describe(problem, evaluation, limit=64)
    pack(detail)                     # base64 of zlib of JSON; the page's script undoes it

Every rule chooses among all of a problem's candidates, and votes, shares and mean scores count all
of them; `limit` only bounds how many candidates are written out. A chosen one always is.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.selection import rules
from assay.selection.estimates import votes_of
from assay.selection.evaluate import Evaluation
from assay.selection.names import RULE_LABELS, SCORED_RULES

__all__ = ["choosing_rules", "describe", "pack"]

CHOOSING = ("majority", *SCORED_RULES)
CODES = 240
FIRST = 32  # of the characters that stand for values: below are the control characters


class Scale(NamedTuple):
    """How values are written: a character each, FIRST + (value − low) / step.

    `red` and `green` are what the ends of the colours stand for. Hundredths are exact on the usual
    scale, which leaves room for a regression's predictions outside [0, 1].
    """

    low: float = -0.1
    step: float = 0.005
    red: float = 0.0
    green: float = 1.0


def describe(
    problem: Mapping[str, Any], evaluation: Evaluation, limit: int = 0
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The line of the list, and the details that are read when the problem is opened.

    `limit` is how many candidates to write out, evenly from the modes and origins; 0 = all. The
    line has `share` (right candidates among all), `agreed` (the largest answer class among the
    answered) and, for each rule, whether its answer is `right` (None: undecided).
    """
    everyone = [_judged(candidate) for candidate in problem["candidates"]]
    chosen = _choices(everyone, evaluation)
    answer_classes = _classes(everyone)
    answered = sum(each["votes"] for each in answer_classes if each["class"] >= 0)
    most = max((each["votes"] for each in answer_classes if each["class"] >= 0), default=0)
    line = {
        "id": str(problem["id"]),
        "question": problem["question"],
        "answer": _known(problem["answer"]),
        "share": round(sum(c["label"] is True for c in everyone) / max(1, len(everyone)), 4),
        "agreed": round(most / max(1, answered), 4),
        "right": {rule: index >= 0 and everyone[index]["label"] for rule, index in chosen.items()},
    }
    shown = _shown(everyone, set(chosen.values()), limit)
    scale = _scale([problem["candidates"][i].get("values") for i in shown])
    written = [_written(problem["candidates"][i], everyone[i], scale) for i in shown]
    merged, places = _merge(written)
    place = dict(zip(shown, places, strict=True))
    detail = {
        "candidates": merged,
        "chosen": {rule: place.get(index, -1) for rule, index in chosen.items()},
        "classes": answer_classes,
        "shown": len(shown),
        "total": len(everyone),
        "scale": scale,
    }
    return line, detail


def pack(detail: Mapping[str, Any]) -> str:
    """JSON, deflated (zlib), in base64: the candidates of a problem have much in common."""
    text = json.dumps(detail, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # Sampled text may hold half a surrogate pair, which UTF-8 cannot.
    data = zlib.compress(text.encode("utf-8", errors="replace"), 6)
    return base64.b64encode(data).decode("ascii")


def choosing_rules(evaluation: Evaluation) -> list[str]:
    """The rules whose choice is shown at each problem."""
    return [rule for rule in CHOOSING if rule in evaluation.rules]


def _known(value: Any) -> Any:
    """The value, with None for every kind of null."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    import pandas as pd

    return None if pd.api.types.is_scalar(value) and pd.isna(value) else value


def _judged(candidate: Mapping[str, Any]) -> dict[str, Any]:
    """What votes and choices need to know of a candidate."""
    label, score = _known(candidate["label"]), _known(candidate.get("score"))
    return {
        "mode": candidate["mode"],
        "origin": _known(candidate.get("origin")) or "",
        "samples": [int(candidate["sample"])],
        "answer": _known(candidate["answer"]),
        "class": int(candidate["answer_class"]),
        "label": None if label is None else bool(label),
        "score": None if score is None else float(score),
    }


def _choices(candidates: Sequence[Mapping[str, Any]], evaluation: Evaluation) -> dict[str, int]:
    """What each rule chooses among all candidates of a problem: an index, −1 for none."""
    names = choosing_rules(evaluation)
    if not candidates:
        return dict.fromkeys(names, -1)
    classes = np.array([c["class"] for c in candidates])
    scores = np.array([np.nan if c["score"] is None else c["score"] for c in candidates])
    ties = rules.tie_draw(classes.shape, evaluation.config.seed)
    votes = votes_of(evaluation.config)
    return {name: int(votes[name](classes, scores, ties)) for name in names}


def _classes(candidates: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The answers with their votes by mode and mean scores, most votes first, no answer last."""
    found: dict[int, dict[str, Any]] = {}
    scores: dict[int, list[float]] = {}
    for c in candidates:
        number = c["class"]
        if number not in found:
            told = {"answer": c["answer"], "label": c["label"]} if number >= 0 else {}
            blank = {"class": number, "answer": None, "label": None}
            found[number] = {**blank, **told, "votes": 0, "cot": 0, "pot": 0}
            scores[number] = []
        found[number]["votes"] += 1
        found[number][c["mode"]] += 1
        if c["score"] is not None and math.isfinite(c["score"]):
            scores[number].append(c["score"])
    for number, each in found.items():
        each["score"] = round(float(np.mean(scores[number])), 4) if scores[number] else None
    return sorted(found.values(), key=lambda each: (each["class"] < 0, -each["votes"]))


def _shown(candidates: Sequence[Mapping[str, Any]], chosen: set[int], limit: int) -> list[int]:
    """Indices of those to write out: the first of each mode and origin, and the chosen ones."""
    if not limit:
        return list(range(len(candidates)))
    each = max(1, limit // max(1, len({(c["mode"], c["origin"]) for c in candidates})))
    return [i for i, c in enumerate(candidates) if c["samples"][0] < each or i in chosen]


def _written(
    candidate: Mapping[str, Any], judged: Mapping[str, Any], scale: Scale
) -> dict[str, Any]:
    text = candidate["text"]
    score = judged["score"]
    told = score is not None and math.isfinite(score)  # JSON has no infinity
    shown = {**judged, "text": text, "score": round(score, 4) if told else None}
    for name in ("outcome", "output", "message"):
        if value := _known(candidate.get(name)):
            shown[name] = value
    free = {RULE_LABELS[n]: value for n, value in candidate.get("free", {}).items()}
    if known := {n: round(float(v), 3) for n, v in free.items() if math.isfinite(v)}:
        shown["free"] = known
    values = candidate.get("values")
    if values is not None and len(values):
        starts, ends = (np.asarray(candidate[name], np.int64) for name in ("starts", "ends"))
        shown |= _pieces(text, np.asarray(values, float), starts, ends, scale)
    return shown


def _pieces(
    text: str,
    values: NDArray[Any],
    starts: NDArray[Any],
    ends: NDArray[Any],
    scale: Scale,
) -> dict[str, Any]:
    """The text cut into tokens, as lengths (negative: text outside all tokens), and the values.

    Lengths count UTF-16 units, as JavaScript does. Tokens that add no text (bytes of a character
    begun before, an end mark) are left out.
    """
    ends = np.clip(ends, 0, len(text))
    before = np.concatenate([[0], np.maximum.accumulate(ends)[:-1]])
    starts = np.maximum(starts, before)
    kept = (ends > starts) & np.isfinite(values)
    starts, ends = starts[kept], ends[kept]
    if not text.isascii():
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        units = np.concatenate([[0], np.cumsum(1 + (points > 0xFFFF))])
        starts, ends = units[starts], units[ends]
    gaps = starts - np.concatenate([[0], ends[:-1]])
    lengths = np.stack([-gaps, ends - starts], axis=1).ravel()
    codes = np.rint((values[kept] - scale.low) / scale.step)
    codes = np.clip(codes, 0, CODES).astype(int) + FIRST
    return {"pieces": lengths[lengths != 0].tolist(), "values": "".join(map(chr, codes))}


def _scale(values: Sequence[Any]) -> Scale:
    """The usual scale, or one that spans the values of a reward with a range of its own."""
    known = [np.asarray(each, float) for each in values if each is not None and len(each)]
    every = np.concatenate(known) if known else np.zeros(0)
    every = every[np.isfinite(every)]
    low, high = float(every.min(initial=0)), float(every.max(initial=1))
    usual = Scale()
    if low >= usual.low and high <= usual.low + CODES * usual.step:
        return usual
    return Scale(round(low, 6), (high - low) / CODES, round(low, 1), round(high, 1))


def _merge(candidates: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[int]]:
    """Identical candidates as one, best score first; and where each of the given ones went."""
    first: dict[tuple[Any, ...], dict[str, Any]] = {}
    names = ("mode", "origin", "text", "class", "outcome", "output", "score")
    keys = [tuple(c.get(name) for name in names) for c in candidates]
    for key, candidate in zip(keys, candidates, strict=True):
        if key in first:
            first[key]["samples"] = [*first[key]["samples"], *candidate["samples"]]
        else:
            first[key] = candidate
    ranked = sorted(first, key=lambda key: -np.inf if (s := first[key]["score"]) is None else s)
    ranked.reverse()
    place = {key: index for index, key in enumerate(ranked)}
    return [first[key] for key in ranked], [place[key] for key in keys]
