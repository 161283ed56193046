"""Accuracy by difficulty and by origin: unbiased groups, values by hand, what is refused."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from assay.evaluation.table import table
from assay.selection.evaluate import evaluate
from assay.selection.groups import FIFTHS, fifths, halves, mean_in_group, possible
from assay.selection.intervals import bootstrap_weights
from assay.selection.pool import PoolArrays
from assay.selection.request import EvaluateConfig
from assay.settings.errors import UserError


def make_pool(skills, candidates=16, seed=0, modes=("cot",)):
    rng = np.random.default_rng(seed)
    rows = []
    for p, skill in enumerate(skills):
        for mode in modes:
            for sample in range(candidates):
                right = bool(rng.random() < skill)
                rows.append((f"p{p:03d}", mode, sample, 0 if right else 1 + sample, right))
    names = ["problem_id", "mode", "sample", "answer_class", "label"]
    return PoolArrays.from_frame(pd.DataFrame(rows, columns=names))


def by_difficulty(pool, **config):
    found = evaluate(pool, EvaluateConfig(by=["difficulty"], draws=20, bootstrap=100, **config))
    return found, found.groups.set_index(["group", "rule", "modes", "n"])


def test_equally_hard_problems_look_equally_hard():
    """Every problem has skill 0.5: judged by the curve's own samples the fifths would differ by
    0.35 from first to last; judged by others they do not.
    """
    pool = make_pool(np.full(400, 0.5))
    _, rows = by_difficulty(pool)
    single = [rows.loc[(group, "single", "cot", 1), "accuracy"] for group in FIFTHS]
    # 160 halves of 8 candidates each: a standard error of 0.5 / sqrt(1280) = 0.014
    assert single == pytest.approx([0.5] * 5, abs=0.06)


def test_real_difficulty_is_found():
    skills = np.repeat([0.0, 0.25, 0.5, 0.75, 1.0], 40)
    found, rows = by_difficulty(make_pool(skills, candidates=64))
    single = [rows.loc[(group, "single", "cot", 1), "accuracy"] for group in FIFTHS]
    assert single == pytest.approx([0.0, 0.25, 0.5, 0.75, 1.0], abs=0.06)
    assert rows.loc[(FIFTHS[0], "pass", "cot", 32), "accuracy"] == 0.0
    assert (rows["problems"] == 40).all()
    assert rows.index.get_level_values("n").max() == 32  # half of the candidates
    assert (rows["low"] <= rows["accuracy"] + 1e-12).all()
    assert (rows["accuracy"] <= rows["high"] + 1e-12).all()
    shown = table(found, bold=False)
    assert "by difficulty, fifths of the problems (CoT only, n = 32; accuracy in %)" in shown
    assert all(len(line) <= 80 for line in shown.splitlines())


@pytest.mark.parametrize(
    ("problems", "candidates", "ns", "expected"),
    [
        (5, 2, [1, 2], ["difficulty"]),
        (4, 2, [1, 2], []),  # fewer problems than fifths
        (5, 1, [1], []),  # half of one candidate is none
        (5, 8, [8], []),  # half of them do not reach the only n
    ],
)
def test_what_a_pool_can_be_broken_down_by(problems, candidates, ns, expected):
    pool = make_pool([0.5] * problems, candidates)
    assert possible(pool, {"cot": ns}, seed=0) == expected


def test_halves_and_fifths():
    pool = make_pool([0.5, 0.5], candidates=5, modes=("cot", "pot"))
    marked = halves(pool, seed=0)
    for mode in ("cot", "pot"):
        assert (marked & pool.of_mode(mode)).sum(axis=1).tolist() == [2, 2]
    rate = np.array([0.9, 0.1, 0.5, 0.3, 0.7])
    assert fifths(rate, 0).tolist() == [4, 0, 2, 1, 3]
    tied = fifths(np.zeros(10), 0)
    assert np.bincount(tied).tolist() == [2] * 5
    assert (tied != fifths(np.zeros(10), 1)).any()


def test_the_mean_in_a_group_by_hand():
    """Three of four problems: sums 1, 0, 2 over counts 1, 1, 2."""
    sums, counts = np.array([1.0, 0.0, 2.0, 0.0]), np.array([1.0, 1.0, 2.0, 0.0])
    found = mean_in_group(sums, counts, bootstrap_weights(4, 500))
    assert found.value == 0.75
    assert 0 <= found.low < 0.75 < found.high <= 1


def test_by_origin():
    """Two generators in one pool: each is evaluated on its own candidates."""
    pool = make_pool([0.5] * 6, candidates=8)
    origins = np.tile(np.arange(8) % 2, (6, 1))
    classes = np.where(origins == 0, 0, 1).astype(np.int32)  # the first is right, always
    mixed = dataclasses.replace(
        pool,
        classes=classes,
        labels=origins == 0,
        origins=origins,
        origin_names=["small", "large"],
    )
    found = evaluate(mixed, EvaluateConfig(by=["origin"], draws=5, bootstrap=20))
    rows = found.groups.query("rule == 'majority' and n == 4").set_index("group")
    assert rows["accuracy"].to_dict() == {"small": 1.0, "large": 0.0}
    assert found.groups["n"].max() == 4
    assert found.groups["problems"].unique().tolist() == [6]


@pytest.mark.parametrize(
    ("pool", "by", "message"),
    [
        (make_pool([0.5] * 4), "difficulty", "4 problems cannot be put into fifths"),
        (make_pool([0.5] * 6, 1), "difficulty", "at least two candidates per problem and mode"),
        (make_pool([0.5] * 6), "origin", "the pool does not know its candidates' origins"),
        (make_pool([0.5] * 6), "length", "by=length, expected one of difficulty, origin"),
    ],
)
def test_what_cannot_be_broken_down(pool, by, message):
    with pytest.raises(UserError) as caught:
        evaluate(pool, EvaluateConfig(by=[by], draws=5, bootstrap=5))
    assert message in str(caught.value)
