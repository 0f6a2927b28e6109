"""What counts as locked, and how narrow a gap is."""

import numpy as np
import pytest

from svf_helpers.chapters.dynamics.locking import nearest_gap
from svf_helpers.chapters.kit.curves import stays_above

STEP = np.arange(0, 50, 10)


@pytest.mark.parametrize(
    ("values", "when"),
    [
        ([0.2, 0.95, 0.3, 0.95, 0.99], 30),  # the first crossing only passes by
        ([0.95, 0.95, 0.95, 0.95, 0.95], 0),
        ([0.1, 0.1, 0.1, 0.1, -0.95], 40),  # a sign means nothing
        ([0.95, 0.95, 0.95, 0.95, 0.9], np.nan),  # the limit itself is not above it
    ],
)
def test_a_vector_is_locked_from_where_it_stays(values, when):
    assert stays_above(np.array(values), STEP, 0.9) == pytest.approx(when, nan_ok=True)


def test_each_series_is_judged_for_itself_and_steps_need_not_be_even():
    values = np.array([[[0.1, 1.0], [1, 1]], [[1, 0], [1, 0.4]], [[1, 0], [1, 1]]])
    assert np.array_equal(stays_above(values, [0, 7, 100], 0.9), [[7, np.nan], [0, 100]], equal_nan=True)


def test_the_outer_vectors_have_one_neighbour_the_last_a_second_one_below():
    S = np.array([[30.0, 20.0, 19.0, 10.0, 9.0], [30.0, 20.0, 19.0, 10.0, 0.0]])
    assert nearest_gap(S)[0] == pytest.approx([0.5, 1 / 19, 1 / 19, 1 / 9])
    assert nearest_gap(S)[1] == pytest.approx([0.5, 1 / 19, 1 / 19, 0.9])
