"""The figure: files written, the same bytes each time, labels that do not overlap."""

import dataclasses
import itertools

import pandas as pd
import pytest

from assay.evaluation.report.curve_figures import _apart, plot_curves, plot_runs
from assay.evaluation.report.drawing import _ticks
from assay.evaluation.report.style import FigureStyle
from assay.selection.evaluate import evaluate
from assay.selection.pool import PoolArrays
from assay.selection.request import EvaluateConfig

SVG = FigureStyle(formats=["svg"])


@pytest.fixture(scope="module")
def evaluation():
    rows = [
        (f"p{p}", mode, s, (p + s) % 3, (p + s) % 3 == 0, 40, (p * 7 + s * 3) % 10 / 10)
        for p in range(8)
        for mode in ("cot", "pot")
        for s in range(8)
    ]
    names = ["problem_id", "mode", "sample", "answer_class", "label", "tokens", "score:v"]
    frame = pd.DataFrame(rows, columns=names)
    return evaluate(PoolArrays.from_frame(frame), EvaluateConfig(draws=20, bootstrap=50))


def test_writes_each_format(evaluation, tmp_path):
    files = plot_curves(evaluation, tmp_path / "report" / "curves")
    assert [file.name for file in files] == ["curves.svg", "curves.pdf", "curves.png"]
    assert files[1].read_bytes()[:5] == b"%PDF-"
    assert files[2].read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    text = files[0].read_text()
    for words in ("CoT only", "PoT only", "both", "majority vote", "pass@n (ceiling)"):
        assert words in text


def test_the_same_evaluation_gives_the_same_bytes(evaluation, tmp_path):
    one, other = (
        [file.read_bytes() for file in plot_curves(evaluation, tmp_path / name)]
        for name in ("one", "other")
    )
    assert one == other
    assert b"<dc:date>" not in one[0]


def test_several_runs_are_lines_of_one_rule(evaluation, tmp_path):
    runs = {"small": evaluation, "large": evaluation}
    file = plot_runs(runs, tmp_path / "runs", style=SVG)[0]
    text = file.read_text()
    for words in ("small", "large", "accuracy of the weighted vote (%)", "PoT only"):
        assert words in text
    assert "majority vote" not in text
    text = plot_runs(runs, tmp_path / "runs", rule="majority", style=SVG)[0].read_text()
    assert "accuracy of the majority vote (%)" in text


def test_more_lines_where_they_are_asked_for(evaluation, tmp_path):
    plain = plot_curves(evaluation, tmp_path / "plain", style=SVG)[0].read_text()
    assert "shortest" not in plain
    config = dataclasses.replace(evaluation.config, rules=["shortest", "weighted_top_k"])
    asked = dataclasses.replace(evaluation, config=config)
    more = plot_curves(asked, tmp_path / "more", style=SVG)[0].read_text()
    assert "shortest" in more
    assert "weighted top-k vote" in more


def test_ticks_are_powers_of_two_and_not_too_many():
    assert _ticks([1, 2, 4, 6]) == [1, 2, 4]
    assert _ticks([3]) == [3]
    assert _ticks([1 << i for i in range(11)]) == [1, 4, 16, 64, 256, 1024]


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ({"a": 10.0, "b": 50.0}, {"a": 10.0, "b": 50.0}),  # far apart: left where they are
        ({"a": 50.0, "b": 50.0}, {"a": 47.5, "b": 52.5}),  # together: moved equally
        ({"a": 50.0, "b": 52.0, "c": 51.0}, {"a": 46.0, "c": 51.0, "b": 56.0}),
        ({"a": 100.0, "b": 99.0}, {"b": 95.0, "a": 100.0}),  # held in the axis
        ({"a": 0.0, "b": 1.0}, {"a": 0.0, "b": 5.0}),
    ],
)
def test_labels_are_moved_apart_and_stay_near(ends, expected):
    places = _apart(ends, least=5, low=0, high=100)
    assert places == pytest.approx(expected)
    for one, other in itertools.combinations(places.values(), 2):
        assert abs(one - other) >= 5 - 1e-9
