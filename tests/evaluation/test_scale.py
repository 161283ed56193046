"""`assay scale`: its rows, its check on itself, and what is refused."""

import json

import numpy as np
import pytest

from assay import command_line
from assay.evaluation.frontier import compute_optimal, frontier_lines
from assay.evaluation.scale import table
from assay.evaluation.scaling import ScaleConfig, extrapolate
from assay.pools.frame import load_frame
from assay.pools.run import Run
from assay.settings.errors import UserError
from tests.evaluation.test_compare import make_run
from tests.selection.test_scaling import make_pool


@pytest.fixture(scope="module")
def found():
    pool, _ = make_pool(np.random.default_rng(3), 120, 32)
    return extrapolate(pool, ScaleConfig(to=1000, bootstrap=3, repeats=1, draws=20))


def test_within_the_pool_the_fits_are_near_what_is_measured(found):
    values = found.frame.set_index(["measure", "model", "n"])["value"]
    for n in (1, 8, 32):
        assert values["pass", "beta", n] == pytest.approx(values["pass", "measured", n], abs=0.02)
        assert values["majority", "dirichlet", n] == pytest.approx(
            values["majority", "measured", n], abs=0.05
        )
    assert ("pass", "measured", 64) not in values
    assert ("pass", "power", 1000) in values
    assert (found.frame["low"] <= found.frame["high"]).all()


def test_the_check_tells_its_error(found):
    check = found.check.set_index(["measure", "model"])
    assert set(check.index) == {
        *(("pass", model) for model in ("beta", "kumaraswamy", "power")),
        ("majority", "dirichlet"),
    }
    assert (check["fitted"] == 4).all()
    assert (check["predicted_n"] == 32).all()
    np.testing.assert_allclose(check["error"], check["predicted"] - check["measured"])
    assert check["error"].abs().max() < 0.08


def test_the_table_fits_a_terminal(found):
    lines = table(found).split("\n")
    assert max(map(len, lines)) <= 80
    assert "the check: fitted on 4 candidates, predicted for 32" in "\n".join(lines)


def test_the_command(tmp_path, capsys):
    run = make_run(tmp_path, "a", 0.5, range(8))
    words = ["scale", run, "to=100", "bootstrap=2", "draws=5"]
    assert command_line.main(words) == 0
    told = capsys.readouterr().out
    assert "no check: 8 candidates are too few to fit on one part in 8 of them" in told
    assert command_line.main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["size"] == 8
    assert command_line.main([*words, "--csv"]) == 0
    assert capsys.readouterr().out.startswith("measure,model,n,value,low,high,run\npass,measured,1")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "runs: expected the folder of a run"),
        (["RUN", "to=1"], "scale: to=1: expected at least 2"),
        (["RUN", "modes=all"], "scale: modes=all: expected one of cot, pot, both"),
        (["RUN", "modes=pot"], "scale: modes=pot: the pool has cot"),
    ],
)
def test_what_is_refused(tmp_path, words, told, capsys):
    run = make_run(tmp_path, "a", 0.5, range(2)) if words else ""
    assert command_line.main(["scale", *(run if word == "RUN" else word for word in words)]) == 2
    assert told in capsys.readouterr().err


def test_the_best_of_two_runs_at_each_budget(tmp_path, capsys, monkeypatch):
    """The second run is right more often for as many tokens: it is chosen wherever both can be."""
    monkeypatch.setattr("assay.evaluation.frontier._DRAWS", 5)
    runs = [make_run(tmp_path, "a", 0.3, range(12)), make_run(tmp_path, "b", 0.9, range(12))]
    monkeypatch.setattr(
        "assay.evaluation.frontier.load_frame",
        lambda run: load_frame(run).assign(tokens=10, prompt_tokens=5),
    )
    rows = compute_optimal({"a": Run.open(runs[0]), "b": Run.open(runs[1])}, "tokens")
    assert len(rows) > 3
    assert all(row["option"].startswith("b: ") for row in rows)
    assert [row["budget"] for row in rows] == sorted(row["budget"] for row in rows)
    assert rows[-1]["accuracy"].value > 0.9
    assert max(map(len, frontier_lines(rows, "tokens"))) <= 80
    with pytest.raises(UserError, match="frontier=flops: not known of"):
        compute_optimal({"a": Run.open(runs[0])}, "flops")
    assert command_line.main(["scale", runs[0], "frontier=seconds"]) == 2
    assert "frontier=seconds: expected one of flops, tokens" in capsys.readouterr().err
