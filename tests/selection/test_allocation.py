"""Allocation: by hand, against trying everything, and what votes are worth."""

import itertools

import numpy as np
import pytest

from assay.selection.allocation import LeadValues, allocate, fit_spread


def test_by_hand():
    """Two problems are decided, one gains at once, one only after two steps."""
    ns = [2, 4, 6]
    values = np.array(
        [[1.0, 1.0, 1.0], [0.5, 0.8, 0.9], [0.5, 0.5, 0.9], [0.9, 0.9, 0.9]],
    )
    # Gains per sample: 0.15 then 0.05 of the second, 0.1 for both steps of the third together.
    assert allocate(values, ns, 8).tolist() == [2, 2, 2, 2]
    assert allocate(values, ns, 10).tolist() == [2, 4, 2, 2]
    assert allocate(values, ns, 14).tolist() == [2, 4, 6, 2]
    assert allocate(values, ns, 16).tolist() == [2, 6, 6, 2]
    # What helps nobody is not spent.
    assert allocate(values, ns, 100).tolist() == [2, 6, 6, 2]
    # Too little for the double step: what follows may still fit.
    assert allocate(values, ns, 12).tolist() == [2, 6, 2, 2]


def test_concave_values_are_spread_as_well_as_can_be():
    rng = np.random.default_rng(0)
    ns = [1, 2, 3, 4]
    for _ in range(30):
        steps = -np.sort(-rng.random((4, 3)), axis=1)
        values = np.column_stack([np.zeros(4), steps.cumsum(axis=1)])
        for budget in range(4, 17):
            found = allocate(values, ns, budget)
            worth = sum(values[p, n - 1] for p, n in enumerate(found))
            best = max(
                sum(values[p, n - 1] for p, n in enumerate(tried))
                for tried in itertools.product(ns, repeat=4)
                if sum(tried) <= budget
            )
            assert worth == pytest.approx(best)


def test_what_votes_are_worth():
    values = LeadValues(0.5, [8, 16, 64])
    sure, open_, level = values.of((8,)), values.of((4, 3, 1)), values.of((4, 4))
    assert (sure > 0.95).all()
    assert level[0] == pytest.approx(0.5, abs=0.06)
    for own in (open_, level):
        assert own[0] < own[1] < own[2]
    assert open_[2] - open_[0] > sure[2] - sure[0]
    # The order of the counts and classes that nobody chose do not matter.
    np.testing.assert_array_equal(values.of((1, 0, 4, 3)), open_)
    # With two answers it is the Beta posterior with the spread shared: 0.5 where they are level.
    assert values.of((), 8)[0] < 0.9


def test_the_spread_is_found_again():
    rng = np.random.default_rng(1)
    counts = []
    for _ in range(400):
        tables: list[int] = []
        for customer in range(12):
            place = rng.random() * (customer + 2.0)
            for index, size in enumerate(tables):
                if place < size:
                    tables[index] += 1
                    break
                place -= size
            else:
                tables.append(1)
        counts.append(tuple(tables))
    assert fit_spread(counts) == pytest.approx(2.0, rel=0.15)
    assert fit_spread([(), ()]) == 1.0
