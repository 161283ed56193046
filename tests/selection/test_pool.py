"""A frame of candidates as arrays: order, padding, unknowns, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from assay.selection.pool import PoolArrays
from assay.settings.errors import UserError


def frame():
    rows = [
        # problem, mode, sample, class, label, tokens, logprob, score
        ("b", "pot", 0, 1, True, 30, -3.0, 0.75),
        ("a", "cot", 1, -1, False, 12, -1.5, np.nan),
        ("a", "pot", 0, 0, None, 20, -2.0, 0.5),
        ("a", "cot", 0, 2, True, 10, -1.0, 0.25),
    ]
    names = ["problem_id", "mode", "sample", "answer_class", "label", "tokens", "logprob"]
    return pd.DataFrame(rows, columns=[*names, "score:v"])


def test_arrays_are_sorted_and_padded():
    pool = PoolArrays.from_frame(frame())
    assert pool.problem_ids == ["a", "b"]
    assert pool.classes.tolist() == [[2, -1, 0], [1, -1, -1]]
    assert pool.labels.tolist() == [[True, False, False], [True, False, False]]
    assert pool.labelled.tolist() == [[True, True, False], [True, False, False]]
    assert pool.modes.tolist() == [[0, 0, 1], [1, -1, -1]]
    assert pool.tokens.tolist() == [[10, 12, 20], [30, -1, -1]]
    assert pool.present.tolist() == [[True, True, True], [True, False, False]]
    np.testing.assert_array_equal(
        pool.scores["v"], np.float32([[0.25, np.nan, 0.5], [0.75, np.nan, np.nan]])
    )
    assert (pool.mode_names, pool.size("cot"), pool.size("pot")) == (["cot", "pot"], 2, 1)


def test_the_order_of_rows_changes_nothing():
    one = PoolArrays.from_frame(frame())
    other = PoolArrays.from_frame(frame().iloc[::-1])
    assert one.problem_ids == other.problem_ids
    for name in ("classes", "labels", "labelled", "modes", "tokens", "logprobs", "present"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_select_moves_columns_together():
    pool = PoolArrays.from_frame(frame())
    pot = pool.select(pool.of_mode("pot"))
    assert pot.classes.tolist() == [[0], [1]]
    assert pot.scores["v"].tolist() == [[0.5], [0.75]]
    cot = pool.select(pool.of_mode("cot"))
    assert cot.classes.tolist() == [[2, -1], [-1, -1]]
    assert cot.present.tolist() == [[True, True], [False, False]]
    assert cot.tokens.tolist() == [[10, 12], [-1, -1]]


def test_origins():
    columns = ["problem_id", "origin", "mode", "sample", "answer_class", "label"]
    rows = [
        ("a", "hot", "cot", 0, 5, True),
        ("a", "cool", "pot", 0, 1, True),
        ("b", "cool", "cot", 0, 6, True),
        ("a", "cool", "cot", 1, 3, True),
        ("a", None, "cot", 0, 2, True),
        ("a", "cool", "cot", 0, 4, True),
    ]
    pool = PoolArrays.from_frame(pd.DataFrame(rows, columns=columns))
    assert pool.origin_names == ["", "cool", "hot"]
    # By mode, then origin, then sample: class 2 has no origin, 4 and 3 are cool.
    assert pool.classes.tolist() == [[2, 4, 3, 5, 1], [6, -1, -1, -1, -1]]
    assert pool.origins.tolist() == [[0, 1, 1, 2, 1], [1, -1, -1, -1, -1]]
    pot = pool.select(pool.of_mode("pot"))
    assert (pot.origins.tolist(), pot.origin_names) == ([[1], [-1]], pool.origin_names)
    plain = PoolArrays.from_frame(frame())
    assert plain.origin_names == [""]
    assert plain.origins.tolist() == [[0, 0, 0], [0, -1, -1]]
    twice = pd.DataFrame([*rows, rows[0]], columns=columns)
    with pytest.raises(UserError, match=r"candidate 0 \(hot cot\) of problem 'a' occurs twice"):
        PoolArrays.from_frame(twice)


def test_a_right_label_without_an_answer_is_not_right():
    rows = frame().assign(label=True)
    assert PoolArrays.from_frame(rows).labels.tolist() == [
        [True, False, True],
        [True, False, False],
    ]


def test_the_size_is_the_most_common_count():
    rows = [("a", i) for i in range(4)] + [("b", i) for i in range(4)] + [("c", 0)]
    pool = PoolArrays.from_frame(
        pd.DataFrame(rows, columns=["problem_id", "sample"]).assign(
            mode="cot", answer_class=0, label=True
        )
    )
    assert pool.size("cot") == 4
    assert pool.size("pot") == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="label"), "no column 'label'"),
        (lambda f: f.iloc[:0], "no candidates"),
        (lambda f: f.assign(mode="words"), "unknown mode 'words'"),
        (lambda f: pd.concat([f, f.iloc[:1]]), "candidate 0 (pot) of problem 'b' occurs twice"),
        (lambda f: f.assign(tokens="many"), "expected numbers in column 'tokens'"),
        (lambda f: f.assign(label="perhaps"), "expected true, false or null in column 'label'"),
    ],
)
def test_bad_frames_are_told_in_one_line(change, message):
    with pytest.raises(UserError) as caught:
        PoolArrays.from_frame(change(frame()))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
