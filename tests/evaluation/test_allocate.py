"""`assay allocate`: equal budgets, whom it gives more, and what is refused."""

import json

import numpy as np
import pandas as pd
import pytest

from assay import command_line
from assay.evaluation.allocate import AllocateConfig, replay_allocation, table
from assay.selection.pool import PoolArrays
from assay.settings.errors import UserError
from tests.evaluation.test_compare import make_run


def make_pool(problems=40, candidates=32):
    """Half of the problems are sure; of the others 18 of 32 are right, the rest one other."""
    rng = np.random.default_rng(0)
    rows = []
    for p in range(problems):
        for sample, place in enumerate(rng.permutation(candidates)):
            right = p % 2 == 0 or place < 18
            rows.append((f"p{p:02d}", "pot", sample, 0 if right else 1, right))
    names = ["problem_id", "mode", "sample", "answer_class", "label"]
    return PoolArrays.from_frame(pd.DataFrame(rows, columns=names))


def test_open_problems_get_more_and_the_budget_is_kept():
    config = AllocateConfig(budget=16, first=8, round=8, draws=5, bootstrap=50)
    found = replay_allocation(make_pool(), config)
    assert found.samples.mean() <= 16
    assert found.samples[::2].mean() < 10 < 20 < found.samples[1::2].mean()
    assert (found.spread[::2] == 1).all()
    assert found.spread.mean() > found.uniform.mean()
    lines = table(found, config, "pot", []).split("\n")
    assert max(map(len, lines)) <= 80


def test_the_whole_pool_as_budget_is_the_whole_pool():
    config = AllocateConfig(budget=32, first=4, round=14, draws=3, bootstrap=20)
    found = replay_allocation(make_pool(10), config)
    uniform = AllocateConfig(budget=31.5, first=4, round=14, draws=3, bootstrap=20)
    assert (replay_allocation(make_pool(10), uniform).samples <= 32).all()
    assert found.uniform[0] == 1.0


def test_the_command(tmp_path, capsys):
    run = make_run(tmp_path, "a", 0.6, range(12))
    words = ["allocate", run, "budget=5", "first=2", "round=2", "draws=4", "bootstrap=20"]
    assert command_line.main(words) == 0
    assert "12 problems, CoT only: 5 candidates each on average" in capsys.readouterr().out
    assert command_line.main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["samples"] <= 5
    assert found["difference"]["value"] == pytest.approx(found["spread"] - found["uniform"])


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"budget": 8}, "budget=8: expected more than first=8 and at most 32"),
        ({"budget": 40}, "budget=40: expected more than first=8 and at most 32"),
        ({"budget": 16, "by": "luck"}, "by=luck: expected marginal"),
        ({"budget": 16, "first": 0}, "first=0: expected at least 1"),
        ({"budget": 16, "modes": "cot"}, "modes=cot: the pool has pot"),
    ],
)
def test_what_is_refused(values, told):
    with pytest.raises(UserError) as error:
        replay_allocation(make_pool(4), AllocateConfig(**values))
    assert told in str(error.value)
