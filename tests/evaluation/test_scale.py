"""`assay scale`: its rows, its check on itself, and what is refused."""

import json

import numpy as np
import pytest

from assay import command_line
from assay.evaluation.scale import table
from assay.evaluation.scaling import ScaleConfig, extrapolate
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
