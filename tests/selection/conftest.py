"""The slow reference for rules: which answers may be chosen, and how likely each is."""

import itertools
from collections import Counter
from fractions import Fraction

import pytest


@pytest.fixture(scope="session")
def chances():
    return _chances


def _chances(rule, classes, scores, k):
    """How likely each answer class is to be chosen, as exact fractions."""
    answered = [i for i, c in enumerate(classes) if c >= 0]
    chance = Counter()
    if not answered:
        return {-1: Fraction(1)}
    electorates = [answered]
    if rule == "top_k":
        ordered = sorted(answered, key=lambda i: -scores[i])
        border = scores[ordered[min(k, len(ordered)) - 1]]
        above = [i for i in answered if scores[i] > border]
        level = [i for i in answered if scores[i] == border]
        places = min(k, len(answered)) - len(above)
        electorates = [above + list(chosen) for chosen in itertools.combinations(level, places)]
    for members in electorates:
        total = Counter()
        for i in members:
            total[classes[i]] += max(scores[i], 0) if rule == "weighted" else 1
        if rule == "majority":
            key = {i: (total[classes[i]],) for i in members}
        elif rule == "best_of_n":
            key = {i: (scores[i],) for i in members}
        else:
            key = {i: (total[classes[i]], scores[i]) for i in members}
        best = max(key.values())
        tied = [i for i in members if key[i] == best]
        for i in tied:
            chance[classes[i]] += Fraction(1, len(tied) * len(electorates))
    return dict(chance)
