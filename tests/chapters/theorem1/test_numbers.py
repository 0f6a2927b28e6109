"""The numbers in the prose of the chapter on Theorem 1."""

import torch

from svf_helpers.chapters.theorem1.numbers import numbers
from tests.prose import names_in_prose

FITS = torch.stack([torch.full((6, 3), 1e-15), torch.linspace(0.31, 0.9, 18).view(6, 3), torch.ones(6, 3)], 1)
HEADS = {9: {"query": torch.tensor([0.5, 0.5, 0.5]), "key": torch.tensor([0.9, 0.9, 0.9])},
         12: {"query": torch.tensor([0.61, 0.98, 1.0]), "key": torch.tensor([0.97, 1.0, 0.99])}}


def test_the_text_asks_for_exactly_these():
    assert names_in_prose("theorem1") == set(numbers(FITS, HEADS))


def test_only_the_singular_vector_as_it_is_gives_the_range():
    found = numbers(FITS, HEADS)
    assert (found["fits"], found["raw-low"], found["raw-high"]) == ("18", "0.31", "0.90")
    worse = FITS.clone()
    worse[:, 0], worse[:, 2] = 1.0, 0.01  # errors and anti-whitened cosines
    assert numbers(worse, HEADS) == found


def test_the_strict_teacher_is_told_of_at_twelve_features():
    found = numbers(FITS, HEADS)
    assert (found["query-median"], found["query-least"], found["key-least"]) == ("0.98", "0.61", "0.97")
    assert numbers(FITS, {9: HEADS[9], 40: HEADS[12]})["query-least"] == "0.50"  # 12 left out: the nearest
