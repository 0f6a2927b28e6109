"""The numbers in the prose of the chapter on anisotropy."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from svf_helpers.chapters.anisotropy.numbers import numbers
from svf_helpers.experiments import Result, load
from tests.prose import names_in_prose

STORED = load("anisotropy")
WAYS = {"plain": torch.tensor([0.5, 0.9, 0.6]), "whitened SVD": torch.tensor([0.7, 0.8, 0.95])}


def found(stored: Result = STORED, **changed) -> dict[str, str]:
    live = {"null_at_random": torch.tensor([1.0, 0.613]), "null_toward_v": torch.tensor([1.0, 0.777]), "ways": WAYS,
            "kind": "toy tokens"}
    return numbers(stored, **(live | changed))


def differing(new: dict[str, str]) -> set[str]:
    return {name for name, text in found().items() if new[name] != text}


def with_array(name: str, change) -> Result:
    return replace(STORED, arrays={**STORED.arrays, name: change(STORED[name].copy())})


def test_the_text_asks_for_exactly_these():
    assert names_in_prose("anisotropy") == set(found())


def test_values_below_the_sharp_bound_counted_one_by_one():
    below = 0
    for stretch, direction, pair, side in product(range(11), range(5), range(4), range(2)):
        kappa = 1 + STORED["delta"][stretch]
        value = STORED["summary_four_signal_columns"][stretch, direction, pair, side]
        below += value < 2 * kappa**0.5 / (1 + kappa) - 1e-3
    assert found()["four-below"] == str(below)
    assert float(found()["sharp-end"]) == pytest.approx(2 * 51**0.5 / 52, abs=5e-4)


def test_the_scale_of_autoencoders_has_a_closed_form():
    delta = STORED["delta"][-1]
    assert float(found()["toy-scale"]) == pytest.approx(9 * delta / (10 + delta), abs=0.05)


def test_theorem_2_is_silent_where_its_gamma_passes_one_half():
    eta = float(found()["silent"]) / (1 - float(found()["silent"]))
    assert 2 * eta + eta**2 == pytest.approx(0.5, abs=0.03)


def halved(values: np.ndarray) -> np.ndarray:
    return values / 2


def dip_in_the_middle(values: np.ndarray) -> np.ndarray:
    values[5] = 0.25
    return values


def one_unused(picked: np.ndarray) -> np.ndarray:
    picked[-1] = 0
    picked[-1, 0, 0, 0] = 4  # counted from 0: the first column with singular value 0
    return picked


@pytest.mark.parametrize(
    ("array", "change", "names"),
    [
        ("summary_four_all_columns", halved, {"lowest-all", "end-all"}),
        ("summary_four_all_columns", dip_in_the_middle, {"lowest-all"}),
        ("summary_four_signal_columns", halved, {"end-signal", "four-below"}),
        ("summary_four_whitened", halved, {"lowest-white"}),
        ("summary_one_signal_columns", halved, {"least-one"}),
        ("picked_four", one_unused, {"picked"}),
    ],
)
def test_an_array_changes_its_own_numbers_and_no_others(array, change, names):
    assert differing(found(with_array(array, change))) == names


def test_the_share_of_unused_columns_is_of_all_cases_at_the_greatest_stretch():
    assert found(with_array("picked_four", one_unused))["picked"] == f"{100 / (5 * 4 * 2):.0f}"


def test_live_numbers_are_of_the_last_stretch_and_of_each_dictionary():
    shown = found()
    assert (shown["random-null"], shown["v-null"], shown["kind"]) == ("0.61", "0.78", "toy tokens")
    ranges = [shown[f"random-{name}"] for name in ("low", "high", "better", "all")]
    assert ranges == ["0.70", "0.95", "2", "3"]
