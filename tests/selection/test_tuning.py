"""Constants chosen on other problems: what is tried, who has a say, what is told."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from assay.selection.curves import Estimate
from assay.selection.evaluate import evaluate
from assay.selection.pool import PoolArrays
from assay.selection.request import EvaluateConfig
from assay.selection.subsets import Vote, expected_accuracy
from assay.selection.tuning import FOLDS, TEMPERATURES, FoldVotes, choose, fold_of, k_grid, variants
from assay.settings.errors import UserError


def make_pool(problems, good_k, seed=0):
    """Nine candidates a problem, in which the top `good_k` in score alone elect the right answer.

    With fewer voters the best-scored, a wrong one, wins (its class is voted for first); with more,
    the many badly scored wrong ones do.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for p in range(problems):
        answers = [1] + [0] * (good_k - 1) + [2] * (9 - good_k)
        for place, answer in enumerate(answers):
            score = 1 - place / 10 + rng.random() / 100
            rows.append((f"p{p:02d}", "cot", place, answer, answer == 0, score))
    names = ["problem_id", "mode", "sample", "answer_class", "label", "score:v"]
    return PoolArrays.from_frame(pd.DataFrame(rows, columns=names))


def test_what_is_tried():
    assert k_grid(1) == [1]
    assert k_grid(9) == [1, 2, 3, 4, 5, 7, 9]
    assert k_grid(400)[-4:] == [207, 276, 368, 400]
    assert variants(Vote(k=0), 2, k=True, temperature=True) == [Vote(k=1), Vote(k=2)]
    assert variants(Vote("none"), 9, k=True, temperature=True) == [Vote("none")]
    softmax = variants(Vote("softmax"), 9, k=True, temperature=True)
    assert [vote.temperature for vote in softmax] == list(TEMPERATURES)
    assert variants(Vote("softmax", 3), 9, k=False, temperature=False) == [Vote("softmax", 3)]


def test_folds_are_equal_and_drawn():
    folds = fold_of(23, seed=1)
    assert sorted(np.bincount(folds)) == [4, 4, 5, 5, 5]
    assert (folds == fold_of(23, seed=1)).all()
    assert (folds != fold_of(23, seed=2)).any()


def test_a_fold_has_no_say_in_its_own_constant():
    """Vote 2 is better in fold 0 alone: the others choose it, fold 0 itself does not."""
    folds = np.arange(10) % FOLDS
    one = np.full(10, 0.5)
    two = np.where(folds == 0, 1.0, 0.4)
    votes = [Vote(k=1), Vote(k=2)]
    plan = choose(votes, [one, two], folds)
    # without fold 0, two has 0.4; without another, (2 · 1 + 6 · 0.4) / 8 = 0.55
    assert plan.votes == (Vote(k=1), *[Vote(k=2)] * 4)
    assert plan.tuned() == [("k", "2 (1–2)")]
    used = plan.combine(folds, {votes[0]: Estimate(one, 0.1, 9), votes[1]: Estimate(two, 0.2, 7)})
    assert used.values.tolist() == [0.5, 0.4, 0.4, 0.4, 0.4] * 2
    assert (used.error, used.draws) == (0.2, 7)
    assert choose(votes, [one, two], None).votes == (Vote(k=2),)  # 0.52 over all
    assert choose(votes, [one, one], None).votes == (Vote(k=1),)  # the first of equals
    assert FoldVotes((Vote(k=4), Vote(k=3), Vote(k=3))).typical == Vote(k=3)


def test_k_is_found():
    pool = make_pool(20, good_k=4)
    config = EvaluateConfig(n=[9], k="auto", draws=20, bootstrap=20)
    found = evaluate(pool, config)
    row = found.frame.query("rule == 'top_k' and n == 9").iloc[0]
    # 3 voters elect by 2 to 1, 4 by 3 to 1, 5 by 3 to 1 to 1: the fewest that are enough
    assert (row["k"], row["accuracy"]) == (3, 1.0)
    assert found.at("majority", "cot", 9).value == 0.0
    assert "top-k vote (CoT only): k chosen by cross-fitting in 5 folds: 3 at 9" in found.notes
    assert found.votes["top_k", "cot", 9].votes == (Vote(k=3),) * FOLDS


def test_constants_come_from_the_held_out_run_alone():
    pool, other = make_pool(12, good_k=6), make_pool(12, good_k=3, seed=1)
    config = EvaluateConfig(n=[9], k="auto", draws=20, bootstrap=20)
    found = evaluate(pool, config, tune=other)
    row = found.frame.query("rule == 'top_k' and n == 9").iloc[0]
    assert row["k"] == 3
    expected = expected_accuracy(
        pool, {"r": Vote(k=3)}, [9], 20, mix="cot", scores=pool.scores["v"]
    )
    np.testing.assert_array_equal(found.per_problem["top_k", "cot", 9], expected["r", 9].values)
    assert "top-k vote (CoT only): k chosen on held-out problems: 3 at 9" in found.notes


def test_the_temperature_is_found():
    """One candidate scored 0.9 against four of 0.5: right only where the temperature is low."""
    rows = [
        (f"p{p}", "cot", s, int(s > 0), s == 0, 0.9 if s == 0 else 0.5)
        for p in range(10)
        for s in range(5)
    ]
    names = ["problem_id", "mode", "sample", "answer_class", "label", "score:v"]
    pool = PoolArrays.from_frame(pd.DataFrame(rows, columns=names))
    config = EvaluateConfig(
        n=[5], transform="softmax", softmax_temperature="auto", draws=5, bootstrap=5
    )
    found = evaluate(pool, config)
    row = found.frame.query("rule == 'weighted' and n == 5").iloc[0]
    # exp(0.4 / T) > 4 for T < 0.289
    assert (row["temperature"], row["accuracy"]) == (0.02, 1.0)
    fixed = dataclasses.replace(config, softmax_temperature=0.3)
    assert evaluate(pool, fixed).at("weighted", "cot", 5).value == 0.0
    fixed = dataclasses.replace(config, softmax_temperature=0.28)
    assert evaluate(pool, fixed).at("weighted", "cot", 5).value == 1.0


def test_too_few_problems_or_modes_to_choose_by():
    config = EvaluateConfig(k="auto", draws=5, bootstrap=5)
    with pytest.raises(UserError, match="9 problems are too few to choose constants"):
        evaluate(make_pool(9, 3), config)
    # nothing of the kind is asked for without scores
    silent = dataclasses.replace(make_pool(9, 3), scores={})
    assert "top_k" not in evaluate(silent, config).rules
    programs = dataclasses.replace(make_pool(12, 3), modes=np.ones((12, 9), np.int8))
    with pytest.raises(UserError, match="tune: the run has no cot candidates"):
        evaluate(make_pool(12, 3), config, tune=programs)
