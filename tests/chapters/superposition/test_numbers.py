"""The numbers in the prose of the chapter on superposition."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from svf_helpers.chapters.superposition.numbers import local_minima, numbers
from svf_helpers.experiments import load
from tests.prose import names_in_prose

STORED = load("superposition")
LENGTHS = torch.linspace(-1.5, 1.5, 31)


def two_valleys(antipodal: float, same_side: float) -> torch.Tensor:
    """An error with two minima: at lengths 1 and -1, and at 1 and .5, as deep as said."""
    first, second = LENGTHS[:, None], LENGTHS
    return torch.minimum(antipodal + (first - 1) ** 2 + (second + 1) ** 2,
                         same_side + (first - 1) ** 2 + (second - 0.5) ** 2)


def found(stored=STORED, losses=None, rare=(0.1, 0.6), default=(0.1, 0.15)) -> dict[str, str]:
    landscapes = {0.14: two_valleys(*rare), 0.52: two_valleys(*default)}
    return numbers(stored, losses or {9: 0.0303, 10: 0.0291}, LENGTHS, landscapes)


def test_the_text_asks_for_exactly_these():
    assert names_in_prose("superposition") == set(found())


def test_they_agree_with_what_the_run_itself_has_summed_up():
    rare, default = (STORED["p"] == p for p in (0.14, 0.52))
    pairs, E = STORED["summary_pairs"], STORED["summary_anisotropy"]
    assert found()["ten-at-14"] == str((pairs[rare] == 10).sum())
    assert found()["ten-at-52"] == str((pairs[default] == 10).sum())
    assert found()["nine-at-52"] == str((pairs[default] == 9).sum())
    assert found()["seeds"] == str(default.sum())
    assert found()["e-ten"] == f"{E[rare][0]:.3f}"
    assert found()["e-nine"] == f"{E[default][0]:.2f}"


def test_the_two_left_over_make_the_whole_of_the_anisotropy():
    """By the formula of an exercise: nine eigenvalues of C are 2 a^2, the tenth is the two squared lengths."""
    W = STORED["W"][STORED["p"] == 0.52][0]  # the first seed has nine pairs
    tenth = sum(float(found()[name]) ** 2 for name in ("long", "short"))
    assert abs(tenth / ((W**2).sum() / 10) - 1) == pytest.approx(float(found()["e-nine"]), abs=0.02)


def test_a_seed_that_loses_a_pair_changes_the_counts_of_its_probability_alone():
    ten = np.flatnonzero((STORED["p"] == 0.52) & (STORED["summary_pairs"] == 10))[0]
    W = STORED["W"].copy()
    W[ten, :, 0] *= -1  # feature 0 now lies on its partner's side
    before, after = found(), found(replace(STORED, arrays=STORED.arrays | {"W": W}))
    assert {name: int(after[name]) - int(before[name]) for name in before if before[name] != after[name]} == {
        "ten-at-52": -1, "nine-at-52": 1
    }


def test_the_excess_is_that_of_nine_pairs_over_ten():
    assert found(losses={9: 0.033, 10: 0.03})["excess"] == "10 per cent"


def test_minima_and_ratios_on_a_line_are_told_apart():
    here = found()
    assert (here["line-antipodal"], here["line-same"]) == ("0.100", "0.150")
    assert (here["ratio-rare"], here["ratio-default"]) == ("6.0", "1.5")


def test_a_minimum_has_no_lower_neighbour_on_a_diagonal_either_and_lies_inside():
    saddle = torch.tensor([[0.0, 3, 3, 3], [3, 2, 3, 3], [3, 3, 1, 3], [3, 3, 3, 3]])
    assert local_minima(saddle) == [(2, 2)]
    assert [tuple(LENGTHS[list(spot)].tolist()) for spot in local_minima(two_valleys(0.1, 0.3))] == [
        pytest.approx((1, -1)), pytest.approx((1, 0.5))
    ]
