"""The numbers in the prose of the chapter on one pair."""

from dataclasses import replace

import numpy as np
import pytest

from svf_helpers.chapters.one_pair.numbers import numbers
from svf_helpers.experiments import load
from tests.prose import names_in_prose

STORED = load("one-pair")
SHOWN = {p: int(np.flatnonzero((STORED["p"] == p) & (STORED["seed"] == 1))[0]) for p in (0.14, 0.52)}


def after(**changed: np.ndarray) -> dict[str, tuple[str, str]]:
    """The numbers that another result changes: before and after."""
    old, new = numbers(STORED), numbers(replace(STORED, arrays=STORED.arrays | changed))
    return {name: (old[name], new[name]) for name in old if old[name] != new[name]}


def test_the_text_asks_for_exactly_these():
    assert names_in_prose("one_pair") == set(numbers(STORED))


def test_they_agree_with_what_the_run_itself_has_summed_up():
    found, S = numbers(STORED), STORED["summary_S_plain"]
    assert int(found["misled"]) == (S[:, 1] > 0.05 * S[:, 0]).sum()
    assert int(found["off"]) == (STORED["summary_others"].max(1) >= 0.1).sum()
    assert found["cosine"] == f"{STORED['summary_cosine_plain'][SHOWN[0.14]].min():.3f}"
    assert found["runs"] == str(len(S))


def test_the_longest_dropped_feature_is_found_by_length():
    lengths = np.sort(np.sqrt((STORED["W"] ** 2).sum(1)).ravel())
    found = numbers(STORED)
    below = lengths[lengths < 0.1].max()
    assert float(found["longest-dropped"]) == pytest.approx(below, abs=5e-4)
    assert lengths[lengths > 0.1].min() > 2 * below  # so that the limit decides nothing
    assert float(found["dropped-length"]) <= float(found["longest-dropped"])


def test_a_head_with_a_second_singular_value_is_counted_and_nothing_else_changes():
    one_value = STORED["summary_S_plain"][:, 1] < 0.05 * STORED["summary_S_plain"][:, 0]
    straight = next(int(run) for run in np.flatnonzero(one_value) if run not in SHOWN.values())
    W_Q, W_K = STORED["W_Q"].copy(), STORED["W_K"].copy()
    W_Q[straight], W_K[straight] = np.eye(10), np.eye(10)
    changed = after(W_Q=W_Q, W_K=W_K)
    assert list(changed) == ["misled"]
    assert int(changed["misled"][1]) == int(changed["misled"][0]) + 1


@pytest.mark.parametrize("onto", [0, 7])
def test_the_key_feature_on_top_of_another_is_counted_be_it_the_query_feature(onto):
    W, run = STORED["W"].copy(), int(np.flatnonzero((STORED["p"] == 0.14) & (STORED["seed"] == 2))[0])
    W[run, :, 1] = W[run, :, onto]
    changed = after(W=W)
    assert list(changed) == ["off"]
    assert int(changed["off"][1]) == int(changed["off"][0]) + 1


def test_the_shown_seed_is_the_one_whose_alignment_is_printed():
    W_Q = STORED["W_Q"].copy()
    W_Q[SHOWN[0.14]] = np.eye(10)[::-1]
    assert "cosine" in after(W_Q=W_Q)
