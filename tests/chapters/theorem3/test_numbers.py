"""The numbers in the prose of the chapter on Theorem 3."""

import torch

from svf_helpers.chapters.theorem3.numbers import numbers
from tests.prose import names_in_prose


def test_the_text_asks_for_exactly_these():
    assert names_in_prose("theorem3") == set(numbers(torch.rand(3, 2)))


def test_points_are_heads_times_lambdas():
    assert numbers(torch.rand(40, 6)) == {"heads": "40", "points": "240"}
