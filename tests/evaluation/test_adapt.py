"""`assay adapt`: its tables, what they say of a pool worked out by hand, and what is refused."""

import json

import numpy as np
import pandas as pd
import pytest

from assay import command_line
from assay.evaluation.adapt import table
from assay.evaluation.adapt_request import AdaptConfig
from assay.evaluation.adaptive import replay_pool, tidy_replays
from assay.evaluation.report.page import PageRun, write_page
from assay.evaluation.report.sections.stopping import frontier, stopping_tables
from assay.selection.evaluate import evaluate
from assay.selection.pool import PoolArrays
from assay.selection.request import EvaluateConfig
from assay.settings.errors import UserError
from tests.evaluation.test_compare import make_run


def make_pool(problems=20, scores=True):
    """Half of the problems have 8 right candidates; of the others every answer is another one."""
    rows = []
    for p in range(problems):
        for sample in range(8):
            easy = p % 2 == 0
            score = {"score:v": 0.5 + 0.05 * sample} if scores else {}
            rows.append(
                {
                    "problem_id": f"p{p:02d}",
                    "mode": "pot",
                    "sample": sample,
                    "answer_class": 0 if easy else sample,
                    "label": easy,
                    **score,
                }
            )
    return PoolArrays.from_frame(pd.DataFrame(rows))


def test_by_hand():
    """Of eight that agree, `certain` needs five and beta at 0.95 four: 1 − 1/32 is above it."""
    found = replay_pool(make_pool(), AdaptConfig(rules=["beta"], draws=5, bootstrap=50))
    frame = found.frame.set_index(["rule", "threshold"])
    certain, beta = frame.loc[("certain", 0.0)], frame.loc[("beta", 0.95)]
    assert (certain["samples"], certain["median"], certain["p90"]) == ((5 + 8) / 2, 5, 8)
    assert (beta["samples"], beta["rounds"], beta["accuracy"]) == ((4 + 8) / 2, 6, 0.5)
    assert beta["saved"] == pytest.approx(0.25)
    assert (beta["difference"], beta["difference_low"], beta["difference_high"]) == (0, 0, 0)
    # Where all agree one is as good as eight: the cheapest is chosen, by the fixed n as well.
    chosen = found.savings.set_index("rule")
    assert chosen.loc["fixed", "threshold"] == 1
    assert chosen.loc["beta", "threshold"] == 0.6
    easy = found.difficulty[found.difficulty["rule"] == "certain"].set_index("group")["samples"]
    assert (easy["1 (hardest)"], easy["5 (easiest)"]) == (8, 5)
    assert not found.notes  # nobody misses what needs scores and was not asked for


def test_in_rounds():
    config = AdaptConfig(rules=["beta", "doubling"], round=3, draws=5, bootstrap=50)
    frame = replay_pool(make_pool(), config).frame.set_index(["rule", "threshold"])
    assert frame.loc[("certain", 0.0), "samples"] == (6 + 8) / 2
    assert frame.loc[("beta", 0.95), "rounds"] == (2 + 3) / 2
    assert frame.loc[("doubling", 0.75), "samples"] == (3 + 8) / 2


def test_the_table_fits_a_terminal():
    found = replay_pool(make_pool(), AdaptConfig(draws=5, bootstrap=50))
    lines = table(found).split("\n")
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    for words in ("majority vote", "weighted vote", "best-of-n", "fixed n = 8", "beta 0.95"):
        assert words in text
    assert "+0.0 [+0.0, +0.0]" in text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["rules=[gamma]"], "adapt: rules=gamma: expected one of certain, beta"),
        (["rules=[score]", "verifier=x"], "evaluate: no scores by verifier 'x'"),
        (["thresholds=[0.9]"], "adapt: thresholds=[0.9]: expected the rules that they are of too"),
        (["rules=[window]", "thresholds=[0.9]"], "sizes of windows: whole numbers of 2 or more"),
        (["rules=[beta]", "thresholds=[4]"], "above 0 and up to 1 for the rule beta"),
        (["most=9"], "adapt: most=9: the pool has 8 candidates per problem"),
        (["round=9"], "adapt: round=9: expected at most 8"),
        (["modes=both"], "adapt: modes=both: the pool has cot"),
        (["draws=0"], "adapt: draws=0: expected at least 1"),
    ],
)
def test_what_is_refused(run, words, told, capsys):
    assert command_line.main(["adapt", run, *words]) == 2
    assert told in capsys.readouterr().err


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("adapt"), "a", 0.6, range(12))


def test_the_command(run, capsys):
    words = ["adapt", run, "draws=10", "bootstrap=50", "rules=[beta,score,best]"]
    assert command_line.main(words) == 0
    told = capsys.readouterr().out
    assert "12 problems, CoT only: up to 8 candidates each, looked at one by one" in told
    assert command_line.main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["problems"], found["most"], found["verifier"]) == (12, 8, "oracle")
    # The scores know who is right: the best of what was seen is as right as the best of all.
    best = [row for row in found["savings"] if row["rule"] == "best"]
    assert best[0]["difference"] == pytest.approx(0, abs=0.01)
    assert best[0]["saved"] > 0.5
    assert command_line.main([*words, "--csv"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[0].startswith("rule,threshold,chooses,accuracy,low,high,difference")
    assert len(rows) == 1 + len(found["frontier"])


def test_rules_whose_numbers_are_missing():
    config = AdaptConfig(draws=2, bootstrap=20)
    pool = make_pool()
    logits = {"v": pool.scores["v"] * 10 - 3}
    found = replay_pool(replace_scores(pool, logits), config)
    assert found.notes == (
        "score left out: it needs scores between 0 and 1, and these go from 2 to 5.5",
    )
    assert "best" in found.rules
    assert found.rules != replay_pool(make_pool(scores=False), config).rules
    with pytest.raises(UserError, match="rules: score: it needs scores between 0 and 1"):
        replay_pool(replace_scores(pool, logits), AdaptConfig(rules=["score"]))


def replace_scores(pool, scores):
    from dataclasses import replace

    return replace(pool, scores={name: own.astype(np.float32) for name, own in scores.items()})


def test_the_page_and_the_files(tmp_path):
    pool = make_pool()
    found = replay_pool(pool, AdaptConfig(rules=["beta"], draws=5, bootstrap=50))
    charts = frontier(found)
    assert [series["rule"] for series in charts[0]["series"]] == ["fixed", "certain", "beta"]
    beta = charts[0]["series"][2]["points"]
    assert [point["at"] for point in beta] == sorted(point["at"] for point in beta)
    assert {"at": 6.0, "name": "beta 0.95"}.items() <= next(
        point for point in beta if point["name"] == "beta 0.95"
    ).items()
    (block,) = stopping_tables([("one", found)])
    assert [row["label"] for row in block["rows"]] == ["fixed n", "certain", "beta"]
    assert block["rows"][1]["saved"]["value"] == "18.8"  # 1 − 6.5/8
    evaluation = evaluate(pool, EvaluateConfig(draws=5, bootstrap=50))
    page = write_page(
        tmp_path / "index.html", "A", [PageRun("one", evaluation, {}, [], adaptive=found)]
    )
    text = page.path.read_text(encoding="utf-8")
    assert 'id="h-stopping"' in text
    assert "At the accuracy of all 8: up to 8 candidates each, PoT only, one by one" in text
    without = write_page(tmp_path / "other.html", "A", [PageRun("one", evaluation, {}, [])])
    assert 'id="h-stopping"' not in without.path.read_text(encoding="utf-8")
    tables = tidy_replays({"one": found, "two": found})
    assert list(tables["stopping_savings"]["run"]) == ["one"] * 3 + ["two"] * 3
    assert "run" not in tidy_replays({"one": found})["stopping"]
    assert tidy_replays({})["stopping"].empty
