"""Numbers as a sentence has them."""

import numpy as np
import pytest
import torch

from svf_helpers.chapters.kit.words import interval_of, list_of, low_to_high, so_many
from tests.refusals import refuses


def test_a_range_is_one_number_where_both_ends_read_the_same():
    assert low_to_high(torch.tensor([3, 9, 4])) == "3 to 9"
    assert low_to_high(np.array([0.12, 0.14]), ".1f") == "0.1"
    assert low_to_high(iter([12345.0]), ",.0f") == "12,345"


def test_lists_keep_their_order():
    assert list_of(torch.tensor([2.0, 30.0, 1.0]), ".1f") == "2.0, 30.0, 1.0"


def test_hits_are_counted_in_arrays_of_any_shape():
    assert so_many(np.array([[True, False, True]] * 2)) == "4 of 6"
    assert so_many(torch.tensor([False])) == "0 of 1"


@pytest.mark.parametrize("hits", [np.array([0.2, 0.9]), np.array([], bool)])
def test_what_is_no_mask_is_refused(hits):
    with refuses(ValueError, hits.dtype, hits.shape):
        so_many(hits)


def test_nothing_has_no_range():
    with refuses(ValueError, "low_to_high"):
        low_to_high([])


def test_the_interval_is_that_of_a_published_table():
    """Wilson's interval for 0 of 10 and for 15 of 50: the ends solve (x/n - p)^2 = z^2 p (1 - p) / n."""
    assert interval_of(np.zeros(10, bool)) == "0 to 28 %"
    hits = np.arange(50) < 15
    low, high = (float(end) / 100 for end in interval_of(hits).removesuffix(" %").split(" to "))
    for end in (low, high):
        assert abs(0.3 - end) == pytest.approx(1.96 * np.sqrt(end * (1 - end) / 50), abs=0.01)
    assert low < 0.3 < high


def test_more_cases_make_it_narrower():
    few, many = (interval_of(np.arange(n) < n // 2) for n in (10, 1000))
    assert (few, many) == ("24 to 76 %", "47 to 53 %")
