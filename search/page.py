"""A run as one self-contained HTML page: opens from disk, asks nothing of the network.

    write_page(Path("report/index.html"), "GSM8K", evaluation, settings, problems)

The tables stand in the HTML; curves and the list of problems are drawn by a small script. Every
problem's candidates lie in a JSON block of their own, which the browser does not parse before the
problem is opened: a page with 200 problems of 64 candidates opens at once. Identical candidates are
written once, with the numbers of their samples.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from search import rules
from search.curves import Interval, Mix
from search.estimates import votes_of
from search.evaluate import (
    MIX_LABELS,
    RULE_LABELS,
    SCORED_RULES,
    Evaluation,
    best_rules,
    count,
    rule_label,
)

__all__ = ["write_page"]

# The rules that have a colour in the charts.
DRAWN = ("majority", "best_of_n", "weighted", "top_k", "pass")
TEMPLATES = Path(__file__).parent / "templates"


def write_page(
    path: Path | str,
    title: str,
    evaluation: Evaluation,
    settings: Mapping[str, Any],
    problems: Sequence[Mapping[str, Any]],
    *,
    seconds: Mapping[str, float] | None = None,
) -> Path:
    """Writes the page to `path` and returns it.

    `settings` is shown as given, one group for each key that holds a mapping. `seconds` is the time
    spent, by stage. `problems` have `id`, `question`, `answer` (or None) and `candidates`, each
    with `mode`, `sample`, `text`, `answer` (or None), `answer_class` (−1: none), `label` (or None),
    and where known `origin` (of a mixture), `outcome`, `output`, `message` (of a program), `score`
    (by the evaluation's verifier), and `values` with `offsets`: the value at each token and the
    (start, end) of the token in `text`. Nulls of pandas are understood.
    """
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    prepared = [_problem(problem, evaluation) for problem in problems]
    shown_rules = [
        {"rule": rule, "label": RULE_LABELS[rule]}
        for rule in ("majority", *SCORED_RULES)
        if rule in evaluation.rules and rule in DRAWN
    ]
    data = {
        "panels": [_panel(evaluation, mix) for mix in evaluation.mixes],
        "rules": shown_rules,
        "problems": [summary for summary, _ in prepared],
    }
    page = environment.get_template("page.html.jinja").render(
        title=title,
        facts=_facts(evaluation, seconds or {}),
        problems_count=len(evaluation.problem_ids),
        table=_table(evaluation),
        notes=evaluation.notes,
        curve_tables=[_curve_table(evaluation, mix) for mix in evaluation.mixes],
        differences=_differences(evaluation),
        settings=_settings(settings),
        data=Markup(_script_json(data)),
        blocks=[Markup(_script_json(detail)) for _, detail in prepared],
        style=Markup((TEMPLATES / "page.css").read_text(encoding="utf-8")),
        script=Markup((TEMPLATES / "page.js").read_text(encoding="utf-8")),
    )
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Sampled text may hold half a surrogate pair, which UTF-8 cannot.
    target.write_text(page, encoding="utf-8", errors="replace")
    return target


def _script_json(value: Any) -> str:
    """JSON that can stand in a <script> block: no text in it can end the block."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _percent(share: float, sign: str = "") -> str:
    return f"{100 * share:{sign}.1f}".replace("-", "−")


def _facts(evaluation: Evaluation, seconds: Mapping[str, float]) -> list[str]:
    sizes = [
        f"{size} {MIX_LABELS[mix].removesuffix(' only')}"
        for mix, size in evaluation.sizes.items()
        if mix != "both"
    ]
    facts = [
        count(len(evaluation.problem_ids), "problem"),
        f"{' + '.join(sizes)} candidates each",
    ]
    if evaluation.verifier:
        facts.append(f"scores by {evaluation.verifier}")
    facts += [f"{stage} {value:,.0f} s" for stage, value in seconds.items()]
    return facts


def _table(evaluation: Evaluation) -> dict[str, Any]:
    n, mixes = evaluation.table_n, evaluation.mixes
    best = {mix: best_rules(evaluation, mix, n) for mix in mixes}
    rows = []
    for rule in evaluation.rules:
        cells = []
        for mix in mixes:
            found = evaluation.at(rule, mix, 1 if rule == "single" else n)
            cells.append({**_interval(found), "best": rule in best[mix]})
        rows.append(
            {"rule": rule, "label": rule_label(rule, n, evaluation.config.k), "cells": cells}
        )
    frame = evaluation.frame
    tokens = frame[(frame["rule"] == "pass") & (frame["n"] == n)].set_index("modes")["tokens"]
    equal = "Every column costs the same number of candidates: both takes half of each mode."
    return {
        "n": n,
        "cost": equal if "both" in mixes else "",
        "columns": [MIX_LABELS[mix] for mix in mixes],
        "rows": rows,
        "tokens": [f"{tokens[mix]:,.0f}" for mix in mixes] if tokens.notna().all() else [],
    }


def _interval(found: Interval, sign: str = "") -> dict[str, Any]:
    return {
        "value": _percent(found.value, sign),
        "low": _percent(found.low, sign),
        "high": _percent(found.high, sign),
    }


def _panel(evaluation: Evaluation, mix: Mix) -> dict[str, Any]:
    """One chart's data; a series has one value, low and high for each n."""
    frame = evaluation.frame[evaluation.frame["modes"] == mix]
    series = []
    for rule in evaluation.rules:
        rows = frame[frame["rule"] == rule]
        if rule in DRAWN:
            series.append(
                {
                    "rule": rule,
                    "label": RULE_LABELS[rule],
                    "value": rows["accuracy"].round(5).tolist(),
                    "low": rows["low"].round(5).tolist(),
                    "high": rows["high"].round(5).tolist(),
                }
            )
    axis = "candidates per problem, n" + (" (half CoT, half PoT)" if mix == "both" else "")
    return {"label": MIX_LABELS[mix], "axis": axis, "ns": evaluation.ns(mix), "series": series}


def _curve_table(evaluation: Evaluation, mix: Mix) -> dict[str, Any]:
    ns = evaluation.ns(mix)
    rows = [
        {
            "rule": rule,
            "label": RULE_LABELS[rule],
            "cells": [_percent(evaluation.per_problem[rule, mix, n].mean()) for n in ns],
        }
        for rule in evaluation.rules
        if rule != "single"
    ]
    return {"label": MIX_LABELS[mix], "ns": ns, "rows": rows}


def _differences(evaluation: Evaluation) -> dict[str, Any]:
    """Groups of rows for the plot of differences; places are percent of its width."""
    groups: list[dict[str, Any]] = []
    found = []
    for mix in evaluation.mixes if evaluation.verifier else ():
        n = evaluation.ns(mix)[-1]
        if n > 1:
            cells = [
                (rule, evaluation.difference((rule, mix, n), ("majority", mix, n)))
                for rule in SCORED_RULES
                if rule in evaluation.rules
            ]
            found.append((mix, n, cells))
    ends = [end for _, _, cells in found for _, each in cells for end in (each.low, each.high)]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    span = (high - low) * 1.08 or 1.0
    low -= (span - (high - low)) / 2

    def place(x: float) -> float:
        return round(100 * (x - low) / span, 2)

    for mix, n, cells in found:
        rows = [
            {
                "rule": rule,
                "label": rule_label(rule, n, evaluation.config.k),
                "at": place(each.value),
                "left": place(each.low),
                "width": round(place(each.high) - place(each.low), 2),
                **_interval(each, "+"),
            }
            for rule, each in cells
        ]
        # "value", "low" and "high" are the texts, "at", "left" and "width" the places.
        groups.append({"label": MIX_LABELS[mix], "n": n, "rows": rows})
    return {"groups": groups, "zero": place(0.0)}


def _settings(settings: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """(group, rows) of the settings; what is in no group comes first, as "run"."""
    loose = {key: value for key, value in settings.items() if not isinstance(value, Mapping)}
    groups = [("run", list(_flat(loose)))] if loose else []
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            groups.append((key, list(_flat(value))))
    return groups


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, default=str)
            yield f"{prefix}{key}", text or "—"


def _problem(
    problem: Mapping[str, Any], evaluation: Evaluation
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The line of the list, and the details that are read when the problem is opened."""
    candidates = [_candidate(candidate) for candidate in problem["candidates"]]
    chosen = _choices(candidates, evaluation)
    right = {
        rule: candidates[index]["label"] if index >= 0 else False for rule, index in chosen.items()
    }
    answered = [c["class"] for c in candidates if c["class"] >= 0]
    votes = np.bincount(answered) if answered else np.zeros(1)
    merged, place = _merge(candidates)
    summary = {
        "id": str(problem["id"]),
        "question": problem["question"],
        "answer": _known(problem["answer"]),
        "share": round(sum(c["label"] is True for c in candidates) / max(1, len(candidates)), 4),
        "agreed": round(float(votes.max() / max(1, len(answered))), 4),
        "right": right,
    }
    places = {rule: place[index] if index >= 0 else -1 for rule, index in chosen.items()}
    return summary, {"candidates": merged, "chosen": places}


def _known(value: Any) -> Any:
    """The value, with None for every kind of null."""
    import pandas as pd

    return None if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)) else value


def _candidate(candidate: Mapping[str, Any]) -> dict[str, Any]:
    label, score = _known(candidate["label"]), _known(candidate.get("score"))
    shown: dict[str, Any] = {
        "mode": candidate["mode"],
        "samples": [int(candidate["sample"])],
        "text": candidate["text"],
        "answer": _known(candidate["answer"]),
        "class": int(candidate["answer_class"]),
        "label": None if label is None else bool(label),
        "score": None if score is None else round(float(score), 4),
    }
    for name in ("origin", "outcome", "output", "message"):
        if value := _known(candidate.get(name)):
            shown[name] = value
    values, offsets = candidate.get("values"), candidate.get("offsets")
    if values is not None and offsets is not None and len(values):
        shown |= _pieces(candidate["text"], values, offsets)
    return shown


def _pieces(
    text: str, values: Sequence[float], offsets: Sequence[tuple[int, int]]
) -> dict[str, list[int]]:
    """The text cut into tokens, as lengths (negative: text outside all tokens), and the values.

    Lengths count UTF-16 units, as JavaScript does; values are in hundredths. Tokens that add no
    text (bytes of a character begun before, an end mark) are left out.
    """
    lengths: list[int] = []
    kept: list[int] = []
    at = 0
    for value, (start, end) in zip(values, offsets, strict=True):
        start, end = max(int(start), at), min(int(end), len(text))
        if end <= start:
            continue
        if start > at:
            lengths.append(-_utf16(text[at:start]))
        lengths.append(_utf16(text[start:end]))
        kept.append(round(100 * float(value)))
        at = end
    return {"pieces": lengths, "values": kept}


def _utf16(text: str) -> int:
    return len(text) + sum(ord(character) > 0xFFFF for character in text)


def _choices(candidates: Sequence[Mapping[str, Any]], evaluation: Evaluation) -> dict[str, int]:
    """What each rule chooses among all candidates of a problem: an index, −1 for none."""
    if not candidates:
        return {rule: -1 for rule in ("majority", *SCORED_RULES) if rule in evaluation.rules}
    classes = np.array([c["class"] for c in candidates])
    scores = np.array([np.nan if c["score"] is None else c["score"] for c in candidates])
    ties = rules.tie_draw(classes.shape, evaluation.config.seed)
    votes = votes_of(evaluation.config)
    return {
        rule: int(votes[rule](classes, scores, ties))
        for rule in ("majority", *SCORED_RULES)
        if rule in evaluation.rules and rule in DRAWN
    }


def _merge(candidates: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[int]]:
    """Identical candidates as one, best score first; and where each of the given ones went."""
    first: dict[tuple[Any, ...], dict[str, Any]] = {}
    keys = [
        (c.get("origin"), c["mode"], c["text"], c["class"], c.get("outcome"), c.get("output"))
        for c in candidates
    ]
    for key, candidate in zip(keys, candidates, strict=True):
        if key in first:
            first[key]["samples"] += candidate["samples"]
        else:
            first[key] = candidate
    ranked = sorted(first, key=lambda key: -np.inf if (s := first[key]["score"]) is None else s)
    ranked.reverse()
    place = {key: index for index, key in enumerate(ranked)}
    return [first[key] for key in ranked], [place[key] for key in keys]
