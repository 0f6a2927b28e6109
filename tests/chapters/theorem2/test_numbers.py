"""The numbers in the prose of the chapter on Theorem 2."""

from math import nextafter

import pytest
import torch

from svf_helpers.chapters.theorem2.numbers import numbers
from svf_helpers.theory import SILENT_ABOVE
from tests.prose import names_in_prose

USED = torch.tensor([[0.1, 0.3, 0.2], [0.5, 0.5, 0.5], [0.12, 0.11, 0.9]], dtype=torch.float64)
EPSILONS = torch.tensor([0.0, SILENT_ABOVE, nextafter(SILENT_ABOVE, 1), 0.9], dtype=torch.float64)


def test_the_text_asks_for_exactly_these():
    assert names_in_prose("theorem2") == set(numbers(USED, EPSILONS))


def test_shares_are_medians_of_the_first_and_the_last_epsilon():
    found = numbers(USED, EPSILONS)
    assert (found["used-low"], found["used-high"]) == ("0.20", "0.12")
    assert numbers(USED.flip(0), EPSILONS)["used-low"] == "0.12"


def test_theorem_2_ends_where_its_gamma_is_one_half():
    epsilon = float(numbers(USED, EPSILONS)["silent-epsilon"])
    eta = epsilon / (1 - epsilon)
    assert 2 * eta + eta**2 == pytest.approx(0.5, abs=0.003)
    kappa = float(numbers(USED, EPSILONS)["silent-kappa"])
    assert (kappa - 1) / (kappa + 1) == pytest.approx(epsilon, abs=0.002)


def test_at_the_end_of_its_range_theorem_2_still_counts_as_speaking():
    found = numbers(USED, EPSILONS)
    assert (found["count"], found["speaks"]) == ("4", "2")
