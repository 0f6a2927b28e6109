"""Stored heads are found by their setting, and counted as the chapter says."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from svf_helpers.chapters.beyond_capacity.stored_heads import Heads, stored_heads
from svf_helpers.experiments import load
from tests.refusals import refuses

RESULT = load("beyond-capacity")
HEADS = stored_heads(RESULT)


def planted(query, key, count=4):
    """One head of three dimensions whose pairs lie on basis vectors: the signed place of each pair, on both sides."""
    W = torch.zeros(1, 8, 16, dtype=torch.float64)
    for first, places in ((0, query), (8, key)):
        for k, place in enumerate(places):
            W[0, abs(place) - 1, first + k] = 1.0 if place > 0 else -1.0
    W_Q = torch.diag(torch.tensor([3.0, 2, 1, 0, 0, 0, 0, 0]).double())[None, :, :3]
    return Heads(W, W_Q, torch.eye(8).double()[None, :, :3], *(np.array([value]) for value in (4.0, 10, count, 0)))


def test_a_head_is_found_by_its_setting():
    i = HEADS.find(1, 80_000, 7)
    assert [RESULT[name][i] for name in ("lam", "steps", "pairs", "seed")] == [1, 80_000, 7, 0]
    assert RESULT["seed"][HEADS.find(4, 20_000, 10, seed=2)] == 2
    with refuses(ValueError, 4, "80,000", 7, "seed 1", HEADS.counts):
        HEADS.find(4, 80_000, 7, seed=1)


def test_targets_are_those_that_were_trained():
    assert RESULT.info["config"]["model"]["pairs"] == "(i, i + 10): 21 - i"
    assert HEADS.targets == [21 - i for i in range(10)]
    assert HEADS.pairs == [(i, i + 10) for i in range(10)]


@pytest.mark.parametrize(
    ("query", "key", "tally"),
    [((1, 2, 3, 3), (1, 2, 3, 3), ("2 of 2", "2 of 2")),
     ((2, 1, 3, 3), (2, 1, 3, 3), ("0 of 2", "2 of 2")),  # on vectors, but not on those of their rank
     ((1, 2, 3, 3), (1, 4, 3, 3), ("1 of 2", "2 of 2")),  # one side does not suffice
     ((1, 2, 3, 1), (1, 2, 3, 1), ("2 of 2", "1 of 2"))],
)
def test_strong_pairs_lie_on_their_vector_and_weak_ones_on_the_last(query, key, tally):
    heads = planted(query, key)
    assert heads.tally(heads.beyond) == tally
    assert heads.tallies() == {(4.0, 10): tally}


def test_a_full_head_is_not_beyond_capacity():
    assert planted((1, 2, 3), (1, 2, 3), count=3).beyond.tolist() == [False]
    assert planted((1, 2, 3, 3), (1, 2, 3, 3)).beyond.tolist() == [True]


def test_opposites_are_looked_for_among_weak_pairs():
    assert planted((1, 2, 3, -3), (1, 2, 3, -3)).lowest_cosines() == pytest.approx([-1])
    assert planted((1, -1, 3, 3), (1, -1, 3, 3)).lowest_cosines() == pytest.approx([1])


def test_a_tight_frame_keeps_settings_and_logits():
    tight = HEADS.tight_frame()
    torch.testing.assert_close(tight.logits(), HEADS.logits())
    torch.testing.assert_close(tight.W @ tight.W.mT, torch.eye(10).double().expand(len(tight.W), 10, 10))
    assert tight.find(4, 80_000, 10) == HEADS.find(4, 80_000, 10)


def test_settings_are_those_that_were_run():
    few = np.array([HEADS.find(1, 20_000, 6), HEADS.find(4, 80_000, 7)])
    kept = {name: getattr(HEADS, name)[few] for name in ("lam", "steps", "count", "seed")}
    some = replace(HEADS, W=HEADS.W[few], W_Q=HEADS.W_Q[few], W_K=HEADS.W_K[few], **kept)
    assert some.settings == [(4.0, 80_000), (1.0, 20_000)]
    assert some.counts == [6, 7]
