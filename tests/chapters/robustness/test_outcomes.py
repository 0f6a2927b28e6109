"""What a run of the phase map ends as, and which pairs share a vector."""

import numpy as np
import pytest

from svf_helpers.chapters.robustness.outcomes import outcome, shared_pairs

OWN = np.array([[0, 0], [1, 1], [2, 2]])


def cosines(*rows):
    return np.array(rows, dtype=float)


def test_pairs_share_only_where_both_sides_do_and_both_lie_on_the_vector():
    good = np.full((3, 2), 0.99)
    assert shared_pairs(good, OWN) == ()
    assert shared_pairs(good, np.array([[1, 1], [0, 0], [1, 1]])) == ((1, 3),)
    assert shared_pairs(good, np.array([[1, 1], [0, 0], [1, 2]])) == ()  # the key sides differ
    assert shared_pairs(good, np.array([[1, 0], [2, 2], [1, 0]])) == ()  # u_2 with v_1 is no singular pair
    bad = cosines([0.99, 0.99], [0.99, 0.99], [0.99, 0.9])
    assert shared_pairs(bad, np.array([[1, 1], [0, 0], [1, 1]])) == ()
    assert shared_pairs(bad, np.array([[1, 1], [0, 0], [1, 1]]), threshold=0.8) == ((1, 3),)


def test_outcomes_are_told_apart():
    high, low = np.full((3, 2), 0.99), np.full((3, 2), 0.3)
    one_low = cosines([0.99, 0.99], [0.99, 0.3], [0.99, 0.99])
    assert outcome(high, high, OWN) == "own"
    assert outcome(one_low, high, OWN[[1, 0, 2]]) == "swapped"
    assert outcome(low, high, np.array([[0, 0], [1, 1], [0, 0]])) == "shared"
    assert outcome(one_low, one_low, OWN) == "mixed"
    assert outcome(np.full((3, 2), 0.95), high, OWN) == "swapped"  # the limit itself does not count
    assert outcome(one_low, one_low, OWN, threshold=0.2) == "own"


def test_shapes_must_fit():
    with pytest.raises(ValueError, match=r"\[pairs, 2\]"):
        shared_pairs(np.ones((3, 2)), OWN[:2])
    with pytest.raises(ValueError, match="by_rank and best"):
        outcome(np.ones((2, 2)), np.ones((3, 2)), OWN)
