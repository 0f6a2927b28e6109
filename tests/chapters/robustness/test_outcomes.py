"""What a run of the phase map ends as, and which pairs share a vector."""

import numpy as np
import pytest

from svf_helpers.chapters.robustness.outcomes import outcome, seats, sharing_pairs

GOOD, LOW = np.full((3, 2), 0.99), np.full((3, 2), 0.3)
ONE_LOW = np.array([[0.99, 0.99], [0.99, 0.3], [0.99, 0.99]])
OWN, SHARED = np.array([[0, 0], [1, 1], [2, 2]]), np.array([[1, 1], [0, 0], [1, 1]])


@pytest.mark.parametrize(
    ("best", "vector", "found"),
    [
        (GOOD, OWN, [0, 1, 2]),
        (GOOD, SHARED, [1, 0, 1]),
        (GOOD, np.array([[1, 1], [0, 0], [1, 2]]), [1, 0, -1]),  # the key sides differ
        (GOOD, np.array([[1, 0], [2, 2], [1, 0]]), [-1, 2, -1]),  # u_2 with v_1 is no singular pair
        (ONE_LOW[[0, 2, 1]], SHARED, [1, 0, -1]),  # one side does not suffice
    ],
)
def test_pairs_share_only_where_both_sides_do_and_both_lie_on_the_vector(best, vector, found):
    assert seats(best, vector).tolist() == found
    assert sharing_pairs(best, vector) == (2 if found == [1, 0, 1] else 0)


def test_outcomes_are_told_apart_each_run_for_itself():
    runs = [
        (GOOD, GOOD, OWN, "own"),
        (ONE_LOW, GOOD, OWN[[1, 0, 2]], "swapped"),
        (LOW, GOOD, SHARED, "shared"),
        (ONE_LOW, ONE_LOW, OWN, "mixed"),
        (np.full((3, 2), 0.95), GOOD, OWN, "swapped"),  # the limit itself does not count
    ]
    by_rank, best, vector, found = zip(*runs, strict=True)
    assert outcome(np.stack(by_rank), np.stack(best), np.stack(vector)).tolist() == list(found)
