"""Figures and tables for papers: what a style changes, and what stands in the files."""

import pandas as pd
import pytest

from assay.evaluation.report.curve_figures import plot_curves
from assay.evaluation.report.drawing import amount, amounts
from assay.evaluation.report.paper import PaperTable, latex, markdown, paper_tables
from assay.evaluation.report.style import FigureStyle
from assay.selection.evaluate import evaluate
from assay.selection.pool import PoolArrays
from assay.selection.request import EvaluateConfig
from assay.settings.errors import UserError


@pytest.fixture(scope="module")
def evaluation():
    # Answers of the even problems are right where the scores are high, of the others everywhere.
    rows = [
        (f"p{p}", "cot", s, int(p % 2 or s > 1), bool(p % 2 or s > 1), 30 + s, s / 4)
        for p in range(4)
        for s in range(4)
    ]
    names = ["problem_id", "mode", "sample", "answer_class", "label", "tokens", "score:v"]
    frame = pd.DataFrame(rows, columns=names)
    return evaluate(PoolArrays.from_frame(frame), EvaluateConfig(draws=20, bootstrap=50))


def drawn(evaluation, tmp_path, x="n", **style):
    style = {"formats": ["svg"], **style}
    return plot_curves(evaluation, tmp_path / "c", style=FigureStyle(**style), x=x)[0].read_text()


def test_fonts_are_embedded_as_truetype(evaluation, tmp_path):
    files = plot_curves(evaluation, tmp_path / "c", style=FigureStyle(formats=["pdf", "eps"]))
    pdf, eps = (file.read_bytes() for file in files)
    assert b"FontFile2" in pdf
    assert b"/Type3" not in pdf
    assert b"/FontType 42 def" in eps


def test_a_style_changes_size_names_rules_and_colours(evaluation, tmp_path):
    text = drawn(
        evaluation,
        tmp_path,
        width=4,
        height=2,
        rules=["pass", "weighted"],
        labels={"weighted": "Ours", "n": "samples", "y": "solved (%)"},
        colours={"weighted": "#123456"},
        font_size=7,
        legend="below",
    )
    assert 'width="288pt" height="144pt"' in text  # 4 and 2 inches
    assert "#123456" in text
    assert "majority vote" not in text
    assert text.index("pass@n (ceiling)") < text.index("Ours")
    for words in ("samples", "solved (%)", "7px"):
        assert words in text
    assert "font-size: 9px" not in text.replace(": 9.0px", ": 9px")


def test_intervals_are_a_band_whiskers_or_none(evaluation, tmp_path):
    texts = {
        kind: drawn(evaluation, tmp_path, intervals=kind) for kind in ("band", "whiskers", "none")
    }
    assert {kind: "FillBetween" in text for kind, text in texts.items()} == {
        "band": True, "whiskers": False, "none": False,
    }  # fmt: skip
    assert {kind: "LineCollection" in text for kind, text in texts.items()} == {
        "band": False, "whiskers": True, "none": False,
    }  # fmt: skip


def test_legends(evaluation, tmp_path):
    assert "legend" not in drawn(evaluation, tmp_path)
    assert "majority vote" in drawn(evaluation, tmp_path)
    assert "majority vote" not in drawn(evaluation, tmp_path, legend="none")
    for where in ("beside", "below", "inside"):
        assert 'id="legend_1"' in drawn(evaluation, tmp_path, legend=where)


def test_ticks_of_tokens_can_be_read(evaluation, tmp_path):
    text = drawn(evaluation, tmp_path, x="tokens")
    for tick in ("50", "100"):
        assert f">{tick}</text>" in text
    assert "10^" not in text


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (130, 9000, ["200", "500", "1k", "2k", "5k"]),
        (31, 126, ["50", "100"]),
        (0.03, 4, ["0.05", "0.1", "0.2", "0.5", "1", "2"]),
        (1e9, 1e14, ["1G", "10G", "100G", "1T", "10T", "100T"]),
        (40, 60, ["50"]),
    ],
)
def test_round_amounts(low, high, expected):
    assert [amount(tick) for tick in amounts(low, high)] == expected


@pytest.mark.parametrize(
    ("style", "message"),
    [
        ({"legend": "top"}, "figures.legend=top: expected one of ends, beside, below"),
        ({"intervals": "bars"}, "figures.intervals=bars: expected one of band, whiskers, none"),
        ({"rules": ["best"]}, "figures.rules=best: expected one of single, hybrid"),
        ({"colours": {"weighted": "gren"}}, "figures.colours.weighted=gren: expected a colour"),
        ({"font": "No Such Font"}, "figures.font=No Such Font: no such font here"),
        ({"y": [90, 10]}, r"figures.y=\[90, 10\]: expected \[LOWEST, HIGHEST\]"),
        ({"font_size": 0}, "figures.font_size=0: expected a number above 0"),
    ],
)
def test_bad_styles_are_told_in_one_line(style, message):
    with pytest.raises(UserError, match=message):
        FigureStyle(**style).check()


def test_a_rule_that_was_not_evaluated_cannot_be_drawn(evaluation, tmp_path):
    with pytest.raises(UserError, match=r"figures\.rules: logprob is not known of this run"):
        drawn(evaluation, tmp_path, rules=["logprob"])


TABLE = PaperTable(
    ("CoT only", "p"),
    (("weighted & 50 %", (("72.5", "[68.1, 76.6]"), ("< 0.001", ""))), ("a|b", (("−1", ""),) * 2)),
    frozenset({(0, 0)}),
)


def test_latex_is_booktabs():
    assert latex(TABLE).splitlines() == [
        r"% needs \usepackage{booktabs}",
        r"\begin{tabular}{lrr}",
        r"\toprule",
        r" & CoT only & p \\",
        r"\midrule",
        r"weighted \& 50 \% & \textbf{72.5} {\small [68.1, 76.6]} & $<$ 0.001 \\",
        r"a|b & $-$1 & $-$1 \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_markdown():
    assert markdown(TABLE) == (
        "|  | CoT only | p |\n"
        "| --- | ---: | ---: |\n"
        "| weighted & 50 % | **72.5** [68.1, 76.6] | < 0.001 |\n"
        "| a\\|b | −1 | −1 |\n"
    )


def test_the_tables_of_an_evaluation(evaluation):
    style = FigureStyle(rules=["weighted", "majority"], labels={"weighted": "Ours"})
    tables = paper_tables([("test", evaluation)], style)
    assert list(tables) == ["accuracy", "curves", "differences"]
    assert [name for name, _ in tables["accuracy"].rows] == ["Ours", "majority vote"]
    assert tables["accuracy"].rows[0][1][0][0] == "100.0"
    assert tables["accuracy"].best == {(0, 0)}
    assert tables["curves"].columns == ("n = 1", "n = 2", "n = 4")
    assert tables["differences"].columns == ("minus majority vote, n = 4", "p")
    assert [name for name, _ in tables["differences"].rows] == ["Ours"]
    several = paper_tables([("a", evaluation), ("b", evaluation)], FigureStyle())
    assert list(several) == [
        "accuracy-cot", "curves-a-cot", "differences-a-cot", "curves-b-cot", "differences-b-cot",
    ]  # fmt: skip
    assert several["accuracy-cot"].columns == ("a", "b")
