"""The page's later sections: what they say, against the evaluation and by hand."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from assay.evaluation.report.figures import (
    plot_calibration,
    plot_difficulty,
    plot_over_optimisation,
)
from assay.evaluation.report.page import PageRun, write_page
from assay.evaluation.report.sections import accuracy, curves, differences, groups, scores
from assay.evaluation.report.style import FigureStyle
from assay.selection.evaluate import evaluate
from assay.selection.groups import FIFTHS
from assay.selection.pool import PoolArrays
from assay.selection.request import EvaluateConfig

SVG = FigureStyle(formats=["svg"])


def make_frame(problems=10, candidates=8, modes=("cot", "pot"), seed=0):
    """Problem p is right at a rate of p / (problems - 1); right ones score higher by 0.3."""
    rng = np.random.default_rng(seed)
    rows = []
    for p in range(problems):
        for mode in modes:
            for sample in range(candidates):
                right = bool(rng.random() < p / (problems - 1))
                score = round(float(np.clip(0.3 * right + 0.7 * rng.random(), 0, 1)), 3)
                rows.append((f"p{p}", mode, sample, 0 if right else 1, right, 40, score))
    names = ["problem_id", "mode", "sample", "answer_class", "label", "tokens", "score:v"]
    return pd.DataFrame(rows, columns=names)


def evaluated(frame, **config):
    config = {"draws": 20, "bootstrap": 100, "by": ["difficulty"], **config}
    return evaluate(PoolArrays.from_frame(frame), EvaluateConfig(**config))


@pytest.fixture(scope="module")
def evaluation():
    return evaluated(make_frame())


def test_difficulty_for_the_chart_is_that_of_the_groups(evaluation):
    panels = groups.difficulty(evaluation)
    assert [(panel["mix"], panel["ns"]) for panel in panels] == [
        ("cot", [1, 2, 4]),
        ("pot", [1, 2, 4]),
        ("both", [1, 2, 4, 8]),
    ]
    rows = evaluation.groups.set_index(["rule", "modes", "n", "group"])["accuracy"]
    for panel in panels:
        for series in panel["series"]:
            for n, values in zip(panel["ns"], series["value"], strict=True):
                expected = [rows[series["rule"], panel["mix"], n, fifth] for fifth in FIFTHS]
                assert values == pytest.approx(expected, abs=1e-5)
    assert {series["rule"] for series in panels[0]["series"]} == set(evaluation.rules) - {"single"}


def test_tables_of_groups(evaluation):
    first = groups.group_tables([("one", evaluation)], "difficulty")[0]
    assert first["label"] == "CoT only, n = 4"
    assert first["columns"] == [(fifth, "2 problems") for fifth in FIFTHS]
    labels = [row["label"] for row in first["rows"]]
    assert (labels[0], labels[-1]) == ("single sample", "pass@4 (ceiling)")
    rows = evaluation.groups.set_index(["rule", "modes", "n", "group"])["accuracy"]
    told = [cell["value"] for cell in first["rows"][-1]["cells"]]
    assert told == [f"{100 * rows['pass', 'cot', 4, fifth]:.1f}" for fifth in FIFTHS]
    assert groups.group_tables([("one", evaluation)], "origin") == []


def test_differences_at_every_n_have_their_p(evaluation):
    tables = differences.difference_tables([("a", evaluation), ("b", evaluation)])
    assert [table["label"] for table in tables][:4] == [
        "a · CoT only",
        "a · PoT only",
        "a · both",
        "b · CoT only",
    ]
    assert tables[2]["ns"] == [2, 4, 8, 16]
    row = next(row for row in tables[2]["rows"] if row["rule"] == "weighted")
    found = evaluation.difference(("weighted", "both", 16), ("majority", "both", 16))
    assert row["cells"][3]["value"] == f"{100 * found.value:+.1f}".replace("-", "−")
    assert re.fullmatch(r"p [=≤] [01]\.\d{3}", row["cells"][3]["p"])


def test_what_the_scores_are_worth(evaluation):
    quality = scores.quality_table([("one", evaluation)])
    assert quality["columns"] == [{"name": "v", "candidates": "160 candidates"}]
    assert quality["rows"][0]["label"] == "AUC within problems"
    assert quality["rows"][0]["cells"][0]["value"] == f"{evaluation.quality.within.value:.3f}"
    bins = scores.calibration(evaluation)
    assert sum(row[-1] for row in bins) == 160
    assert all(low <= score <= high for low, high, score, *_ in bins)
    (over, *_), peaks = (
        scores.over_rows([("one", evaluation)]),
        scores.over_optimisation(evaluation),
    )
    assert over["peak"] == peaks["cot"]
    assert (
        over["best"]["value"]
        == f"{100 * evaluation.at('best_of_n', 'cot', over['peak']).value:.1f}"
    )
    assert (over["drop"] is None) == (over["peak"] == over["n"])


def test_equal_flops_by_hand(evaluation):
    """A verifier that costs as much again: n candidates with it against 2 n without."""
    scored = evaluation.frame["rule"].isin(["best_of_n", "weighted", "top_k", "weighted_top_k"])
    flops = 1e9 * evaluation.frame["n"] * np.where(scored, 2, 1)
    priced = dataclasses.replace(evaluation, frame=evaluation.frame.assign(flops=flops))
    titles = [title for title, _ in differences.at_equal_flops([("one", priced)])]
    assert titles == [
        "CoT only: verifier at n = 4, majority vote at n = 8.0, 8 GFLOPs per problem each",
        "PoT only: verifier at n = 4, majority vote at n = 8.0, 8 GFLOPs per problem each",
        "both: verifier at n = 8, majority vote at n = 16.0, 16 GFLOPs per problem each",
    ]
    (_, rows), *_ = differences.at_equal_flops([("one", priced)])
    value = priced.difference(("weighted", "cot", 4), ("majority", "cot", 8)).value
    assert {rule: found.value for rule, _, found in rows}["weighted"] == pytest.approx(value)
    assert "weighted_top_k" not in [rule for rule, _, _ in rows]
    assert differences.at_equal_flops([("one", evaluation)]) == []


def test_constants_stand_under_the_curves():
    tuned = evaluated(make_frame(), k="auto", transform="softmax", softmax_temperature="auto")
    table = curves.curve_tables([("one", tuned)])[2]
    rows = {row["label"]: row["cells"] for row in table["rows"]}
    frame = tuned.frame.query("modes == 'both' and rule == 'top_k'").set_index("n")
    assert rows["k of the top-k vote"] == [str(frame["k"][n]) for n in table["ns"]]
    assert "softmax temperature of the weighted vote" in rows


def test_the_page_says_what_every_row_means(evaluation, tmp_path):
    text = write_page(tmp_path / "p.html", "t", [PageRun("t", evaluation, {}, [])]).path.read_text()
    for label, meaning in accuracy.rule_meanings([("t", evaluation)]):
        assert f"<dt>{label}</dt><dd>{meaning}</dd>" in text
    for heading in (
        "By difficulty",
        "What the scores are worth",
        "Calibration",
        "Over-optimisation",
    ):
        assert f">{heading}</h" in text
    assert "By origin" not in text
    assert "At equal FLOPs" not in text


def test_without_scores_nothing_is_said_of_them(tmp_path):
    plain = evaluated(make_frame().drop(columns="score:v"))
    text = write_page(tmp_path / "p.html", "t", [PageRun("t", plain, {}, [])]).path.read_text()
    assert "By difficulty" in text
    assert "What the scores are worth" not in text
    assert plot_calibration({"one": plain}, tmp_path / "c") == []
    assert plot_over_optimisation({"one": plain}, tmp_path / "o") == []
    assert sorted(file.name for file in tmp_path.iterdir()) == ["p.html"]


def test_origins_are_columns():
    frame = make_frame(modes=("cot",))
    frame["origin"] = np.where(frame["sample"] < 4, "cold", "hot")
    found = evaluated(frame, by=["origin"])
    (table,) = groups.group_tables([("one", found)], "origin")
    assert table["columns"] == [("cold", "10 problems"), ("hot", "10 problems")]
    assert groups.difficulty(found) == []


PLOTS = [plot_difficulty, plot_calibration, plot_over_optimisation]


@pytest.mark.parametrize("plot", PLOTS)
def test_figures_have_each_format_and_the_same_bytes(plot, evaluation, tmp_path):
    one, other = (
        [f.read_bytes() for f in plot({"r": evaluation}, tmp_path / n)] for n in ("a", "b")
    )
    assert one == other
    assert (one[1][:5], one[2][:8]) == (b"%PDF-", b"\x89PNG\r\n\x1a\n")
    names = {file.name for file in tmp_path.iterdir()}
    assert {"a.svg", "a.pdf", "a.png"} <= names


def test_figures_of_several_runs_name_them(evaluation, tmp_path):
    runs = {"small": evaluation, "large": evaluation}
    texts = [plot(runs, tmp_path / "f", style=SVG)[0].read_text() for plot in PLOTS]
    for text in texts:
        assert "small" in text
        assert "large" in text
    assert "accuracy of the weighted vote (%)" in texts[0]
    assert "small, pass@n" in texts[2]
