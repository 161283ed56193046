"""The evaluation of a pool worked out by hand, the table, and what is refused."""

import json

import numpy as np
import pandas as pd
import pytest

from assay.evaluation.table import table
from assay.selection.evaluate import evaluate
from assay.selection.names import RULE_LABELS, rule_label
from assay.selection.pool import PoolArrays
from assay.selection.request import EvaluateConfig
from assay.settings.errors import UserError


def make_frame(problems=30, cot=8, pot=8, seed=0):
    rng = np.random.default_rng(seed)
    rows = []
    for p in range(problems):
        skill = rng.beta(1.5, 1.5)
        for mode, count in (("cot", cot), ("pot", pot)):
            for sample in range(count):
                right = bool(rng.random() < skill)
                answer = 0 if right else int(rng.integers(1, 4))
                score = float(0.3 + 0.3 * right + rng.normal(0, 0.2))
                rows.append((f"p{p:02d}", mode, sample, answer, right, 50, -9.0, score))
    names = ["problem_id", "mode", "sample", "answer_class", "label", "tokens", "logprob"]
    return pd.DataFrame(rows, columns=[*names, "score:v"])


@pytest.fixture(scope="module")
def evaluation():
    return evaluate(PoolArrays.from_frame(make_frame()))


def value(evaluation, rule, modes, n):
    rows = evaluation.frame.query("rule == @rule and modes == @modes and n == @n")
    return rows["accuracy"].item()


def test_a_pool_by_hand():
    """Two problems, two CoT candidates each: one always right, one with a wrong favourite."""
    rows = [
        ("a", 0, 0, True, 10, 0.9),
        ("a", 1, 0, True, 20, 0.8),
        ("b", 0, 0, True, 30, 0.2),
        ("b", 1, 1, False, 40, 0.6),
    ]
    names = ["problem_id", "sample", "answer_class", "label", "tokens", "score:v"]
    frame = pd.DataFrame(rows, columns=names).assign(mode="cot")
    found = evaluate(PoolArrays.from_frame(frame), EvaluateConfig(draws=4000))
    assert found.mixes == ["cot"]
    assert found.ns("cot") == [1, 2]
    assert value(found, "single", "cot", 1) == 0.75
    assert value(found, "best_of_n", "cot", 2) == 0.5
    assert value(found, "weighted", "cot", 2) == 0.5
    assert value(found, "pass", "cot", 2) == 1.0
    assert value(found, "majority", "cot", 2) == pytest.approx(0.75, abs=0.02)  # a tie in b
    tokens = found.frame.query("rule == 'pass' and n == 2")["tokens"].item()
    assert tokens == 50
    difference = found.differences.query("rule == 'best_of_n' and n == 2")["difference"].item()
    assert difference == pytest.approx(-0.25, abs=0.02)


def test_columns_cost_the_same_number_of_candidates(evaluation):
    assert evaluation.sizes == {"cot": 8, "pot": 8, "both": 16}
    assert evaluation.table_n == 8
    assert evaluation.ns("cot") == [1, 2, 4, 8]
    assert evaluation.ns("both") == [1, 2, 4, 8, 16]
    tokens = evaluation.frame.query("rule == 'pass' and n == 8")["tokens"]
    assert tokens.tolist() == [400, 400, 400]


def test_at_one_candidate_every_rule_is_the_single_sample(evaluation):
    single = evaluation.frame.query("n == 1").groupby("modes")["accuracy"]
    assert single.nunique().tolist() == [1, 1, 1]


def test_rows_are_ordered_and_consistent(evaluation):
    frame = evaluation.frame
    assert frame["modes"].drop_duplicates().tolist() == ["cot", "pot", "both"]
    assert (frame["low"] <= frame["accuracy"]).all()
    assert (frame["accuracy"] <= frame["high"]).all()
    assert frame.query("rule in ['single', 'best_of_n', 'pass']")["error"].eq(0).all()
    # nothing beats the ceiling
    ceiling = frame[frame["rule"] == "pass"].set_index(["modes", "n"])["accuracy"]
    for row in frame.itertuples():
        assert row.accuracy <= ceiling[row.modes, row.n] + 1e-12


def test_differences_are_paired(evaluation):
    row = evaluation.differences.query("rule == 'weighted' and modes == 'both' and n == 16")
    found = evaluation.difference(("weighted", "both", 16), ("majority", "both", 16))
    assert row["difference"].item() == found.value
    assert (row["low"].item(), row["high"].item()) == (found.low, found.high)
    assert found.value == pytest.approx(
        value(evaluation, "weighted", "both", 16) - value(evaluation, "majority", "both", 16)
    )


def test_the_same_seed_gives_the_same_numbers(evaluation):
    shuffled = make_frame().sample(frac=1, random_state=3)
    again = evaluate(PoolArrays.from_frame(shuffled))
    pd.testing.assert_frame_equal(evaluation.frame, again.frame)
    pd.testing.assert_frame_equal(evaluation.differences, again.differences)


def test_json_has_everything_and_no_nan(evaluation):
    text = json.dumps(evaluation.to_dict(), allow_nan=False)
    found = json.loads(text)
    assert found["problems"] == 30
    assert found["verifier"] == "v"
    assert len(found["accuracy"]) == len(evaluation.frame)
    first = found["accuracy"][0]
    assert (first["rule"], first["modes"], first["n"], first["k"]) == ("single", "cot", 1, None)


def test_without_scores_only_the_rules_that_need_none():
    frame = make_frame(5, 3, 0).drop(columns=["score:v", "tokens"])
    found = evaluate(PoolArrays.from_frame(frame))
    assert found.rules == ["single", "majority", "pass"]
    assert found.ns("cot") == [1, 2, 3]
    shown = table(found, bold=False)
    assert "tokens" not in shown
    assert "verifier" not in shown
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["differences"] == []


def test_table_fits_a_terminal(evaluation):
    shown = table(evaluation, bold=False, seconds={"sample": 83.2, "score": 1200.0})
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert "\x1b" not in shown
    lines = shown.splitlines()
    assert lines[0] == "  30 problems · 8 candidates each (both: 4 CoT + 4 PoT)"
    assert lines[1] == "  accuracy in % [95 % interval over problems] · scores by v"
    names = [line[2:22].strip() for line in lines[5:16]]
    assert names == [
        "single sample",
        "hybrid, PoT else CoT",
        "shortest",
        "log-probability",
        "majority vote",
        "best-of-n",
        "weighted vote",
        "top-3 vote",
        "weighted top-3 vote",
        "─" * 20,
        "pass@8 (ceiling)",
    ]
    interval = evaluation.at("majority", "both", 8)
    text = f"{100 * interval.value:.1f} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"
    assert lines[9].endswith(text)
    assert "rule − majority (both, n = 16; paired over problems, in points)" in shown
    assert "time: sample 83 s · score 1,200 s" in shown


def test_the_best_is_bold(evaluation):
    shown = table(evaluation, bold=True)
    bold = [line for line in shown.splitlines()[5:16] if "\x1b[1m" in line]
    means = {rule: evaluation.at(rule, "both", 8).value for rule in ("majority", "weighted")}
    assert bold
    assert not any("pass@" in line or "single" in line for line in bold)
    assert means["weighted"] > means["majority"]
    assert not any("majority" in line for line in bold)
    plain = shown.replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert [line.rstrip() for line in plain.splitlines()] == table(
        evaluation, bold=False
    ).splitlines()


def test_many_n_are_thinned_to_the_width():
    found = evaluate(
        PoolArrays.from_frame(make_frame(4, 16, 16)), EvaluateConfig(n=list(range(1, 33)), draws=10)
    )
    header = next(line for line in table(found, bold=False).splitlines() if "at n =" in line)
    numbers = [int(word) for word in header.split("=")[1].split()]
    assert len(numbers) == 9
    assert (numbers[0], numbers[-1]) == (1, 32)


def test_notes_tell_what_was_short_and_what_was_unlabelled():
    frame = make_frame(6, 4, 4)
    frame = frame.drop(frame.query("problem_id == 'p03' and mode == 'pot' and sample > 0").index)
    frame["label"] = frame["label"].astype("boolean")
    frame.loc[0, "label"] = pd.NA
    found = evaluate(PoolArrays.from_frame(frame))
    assert found.notes == (
        "1 problem with fewer than 4 PoT candidates (p03); all of theirs are used",
        "1 answer without a label, counted as wrong",
        "hybrid falls back to CoT for 0.0 % of the programs",
    )
    assert "note: 1 problem with fewer than 4 PoT candidates" in table(found, bold=False)


def test_an_n_that_one_mode_cannot_give():
    pool = PoolArrays.from_frame(make_frame(6, 8, 4))
    found = evaluate(pool, EvaluateConfig(n=[8], draws=10))
    assert found.mixes == ["cot", "both"]
    assert found.notes[0] == "PoT only left out: it has no more than 4 candidates per problem"


def test_the_rules_asked_for_and_what_they_are_compared_with():
    pool = PoolArrays.from_frame(make_frame(6))
    found = evaluate(pool, EvaluateConfig(rules=["weighted_top_k", "logprob"], draws=5))
    assert found.rules == ["single", "logprob", "majority", "weighted_top_k", "pass"]
    assert found.hybrid is None
    assert set(found.differences["rule"]) == {"logprob", "weighted_top_k"}
    row = found.frame.query("rule == 'weighted_top_k' and modes == 'both' and n == 16").iloc[0]
    assert (row["k"], row["draws"]) == (3, 5)
    assert found.frame.query("rule in ['logprob', 'single', 'pass']")["draws"].isna().all()
    shown = table(found, bold=False)
    assert "weighted top-3 vote" in shown
    assert "top-3 vote" not in shown.replace("weighted top-3 vote", "")


def test_every_rule_by_default(evaluation):
    assert evaluation.rules == [
        *("single", "shortest", "logprob", "majority", "best_of_n"),
        *("weighted", "top_k", "weighted_top_k", "pass"),
    ]
    hybrid = evaluation.frame.query("rule == 'hybrid'")
    assert hybrid[["modes", "n"]].to_numpy().tolist() == [["both", 2]]
    # every candidate has an answer: the hybrid is one program, and costs as much
    assert hybrid["accuracy"].item() == value(evaluation, "single", "pot", 1)
    assert hybrid["tokens"].item() == 50
    assert evaluation.hybrid.value == hybrid["accuracy"].item()
    # all have the same length and log-probability: no better than a single sample
    for rule in ("shortest", "logprob"):
        assert value(evaluation, rule, "both", 16) == pytest.approx(
            value(evaluation, "single", "both", 1)
        )


def test_a_log_probability_that_is_missing_leaves_the_rule_out():
    frame = make_frame(6)
    frame.loc[3, "logprob"] = np.nan
    found = evaluate(PoolArrays.from_frame(frame), EvaluateConfig(draws=5))
    assert "logprob" not in found.rules
    assert "shortest" in found.rules
    assert "log-probability left out: 1 answer of 96 without a log-probability" in found.notes


def test_free_scores_are_rules_by_name():
    frame = make_frame(6)
    rng = np.random.default_rng(0)
    frame["self_certainty"] = np.where(frame["label"], 2.0, 1.0) + rng.random(len(frame)) / 2
    frame["entropy"] = np.where(frame["label"], 1.0, 2.0)  # low where right
    frame["margin"] = np.inf
    pool = PoolArrays.from_frame(frame)
    assert list(pool.free) == ["self_certainty", "entropy", "margin"]
    assert not {"self_certainty", "entropy"} & set(evaluate(pool, EvaluateConfig(draws=5)).rules)
    found = evaluate(pool, EvaluateConfig(rules=["entropy", "self_certainty"], draws=5))
    assert found.rules == ["single", "self_certainty", "entropy", "majority", "pass"]
    assert set(found.differences["rule"]) == {"self_certainty", "entropy"}
    for rule in ("self_certainty", "entropy"):
        assert value(found, rule, "both", 16) == value(found, "pass", "both", 16)
    assert "lowest-group conf." in RULE_LABELS.values()
    for rule, told in (
        ("margin", "rules: margin: 96 answers of 96 without this score"),
        ("token_confidence", "rules: token_confidence: not recorded"),
    ):
        with pytest.raises(UserError, match=told):
            evaluate(pool, EvaluateConfig(rules=[rule], draws=5))
    part = pool.select(pool.modes == 0)
    assert np.array_equal(part.free["entropy"], pool.free["entropy"][:, : part.modes.shape[1]])


def test_draws_for_a_wanted_error():
    pool = PoolArrays.from_frame(make_frame(6))
    found = evaluate(pool, EvaluateConfig(n=[4], draws=20, error=0.01, bootstrap=20)).frame
    votes = found.query("rule in ['majority', 'weighted', 'top_k']")
    assert (votes["error"] <= 0.01).all()
    assert (votes["draws"] > 20).all()


def test_differences_have_p_values(evaluation):
    row = evaluation.differences.query("rule == 'weighted' and modes == 'both' and n == 16")
    found = evaluation.difference(("weighted", "both", 16), ("majority", "both", 16))
    assert row["p"].item() == found.p
    shown = next(line for line in table(evaluation, bold=False).splitlines() if "p = " in line)
    assert shown.split()[:2] == ["weighted", "vote"]


def test_labels_of_rules():
    assert rule_label("weighted_top_k", 64) == "weighted top-4 vote"
    assert rule_label("top_k", 64, k="auto") == "top-k vote"
    assert rule_label("top_k") == "top-k vote"
    assert rule_label("top_k", 64) == "top-4 vote"
    assert rule_label("top_k", 64, k=9) == "top-9 vote"
    assert rule_label("pass", 64) == "pass@64 (ceiling)"


@pytest.mark.parametrize(
    ("change", "config", "message"),
    [
        (lambda f: f.assign(label=None), {}, "no candidate has a label"),
        (lambda f: f, {"verifier": "w"}, "no scores by verifier 'w' (the pool has: 'v')"),
        (lambda f: f.assign(**{"score:w": 0.1}), {}, "choose one with verifier=…"),
        (
            lambda f: f.assign(**{"score:v": np.nan}),
            {"rules": ["majority", "weighted"]},
            "rules: weighted: scores by 'v': no candidate with an answer has a score",
        ),
        (lambda f: f, {"n": [99]}, "n=99 is more than the 16 candidates per problem"),
        (lambda f: f, {"n": [0]}, "n=0, expected at least 1"),
        (lambda f: f, {"draws": 0}, "draws=0, expected at least 1"),
        (lambda f: f, {"error": -0.1}, "error=-0.1, expected at least 0"),
        (lambda f: f, {"k": -1}, "k=-1, expected at least 0"),
        (lambda f: f, {"k": "many"}, "k=many, expected a number or auto"),
        (lambda f: f, {"softmax_temperature": 0.0}, "softmax_temperature=0.0, expected a number"),
        (lambda f: f, {"transform": "square"}, "transform=square, expected one of none, sigmoid"),
        (lambda f: f, {"short": "pad"}, "short=pad, expected one of use, refuse"),
        (lambda f: f, {"rules": ["best"]}, "rules=best, expected one of single, hybrid"),
        (
            lambda f: f.drop(columns="score:v"),
            {"rules": ["weighted"]},
            "rules: weighted: the pool has no scores",
        ),
        (
            lambda f: f.drop(columns="logprob"),
            {"rules": ["logprob"]},
            "rules: logprob: 96 answers of 96 without a log-probability",
        ),
        (
            lambda f: f[f["mode"] == "cot"],
            {"rules": ["hybrid"]},
            "rules: hybrid: the pool has one mode",
        ),
        (
            lambda f: f[(f["problem_id"] != "p03") | (f["sample"] < 2)],
            {"short": "refuse"},
            "1 problem with fewer than 8 CoT candidates (p03); short=use takes all that they have",
        ),
    ],
)
def test_bad_input_is_told_in_one_line(change, config, message):
    with pytest.raises(UserError) as caught:
        evaluate(PoolArrays.from_frame(change(make_frame(6))), EvaluateConfig(**config))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
