"""Stored heads are found by their setting, and counted as the chapter says; its figures draw what they are given."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from svf_helpers.alignment import vector_cosines
from svf_helpers.chapters.beyond_capacity.figures import merger_costs, sinking_logits, sparsity_lines
from svf_helpers.chapters.beyond_capacity.stored_heads import Heads, stored_heads
from svf_helpers.experiments import load
from svf_helpers.qk import qk_svd

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
    with pytest.raises(ValueError, match="no head with lambda 4, 80,000 steps, 7 pairs and seed 1"):
        HEADS.find(4, 80_000, 7, seed=1)


def test_targets_are_those_that_were_trained():
    assert RESULT.info["config"]["model"]["pairs"] == "(i, i + 10): 21 - i"
    assert HEADS.targets == [21 - i for i in range(10)]
    assert HEADS.pairs == [(i, i + 10) for i in range(10)]


def test_cosines_are_those_of_the_worse_side():
    i = HEADS.find(4, 20_000, 8)
    svd = qk_svd(HEADS.W_Q[i], HEADS.W_K[i])
    sides = vector_cosines(HEADS.W[i][:, :8], svd.U), vector_cosines(HEADS.W[i][:, 10:18], svd.V)
    torch.testing.assert_close(HEADS.worse_side()[i], torch.minimum(*sides))


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


def test_the_cheapest_merger_is_the_lightest_cell():
    axis = merger_costs(np.array([[np.nan] * 3, [0.5, np.nan, np.nan], [0.4, 0.2, np.nan]])).axes[0]
    image = axis.images[0]
    shown = np.ma.filled(image.get_array(), np.nan)
    assert shown == pytest.approx(np.array([[0.5, np.nan], [0.4, 0.2]]), nan_ok=True)
    assert image.get_clim()[0] < 0.2 < 0.5 < image.get_clim()[1]
    assert {text.get_text(): text.get_position() for text in axis.texts} == {
        "0.500": (0, 0), "0.400": (0, 1), "0.200": (1, 1)}


def test_lines_and_dots_of_own_logits():
    best = [[21.0, 20.0], [12.0, 11.0]]
    figure = sinking_logits([0, 8], [[21.0, 20.0], [15.0, 14.0]], [5, 6], best, [[[20.0, 19.0], [13.0, 10.0]]])
    left, right = figure.axes
    assert [line.get_ydata().tolist() for line in left.lines] == [[21, 15], [20, 14]]
    assert [line.get_ydata().tolist() for line in right.lines] == [[21, 12], [20, 13], [20, 11], [19, 10]]
    assert left.get_ylim() == right.get_ylim()


def test_the_null_is_dashed():
    axis = sparsity_lines([5, 6], {"a": [0.3, 0.4], "b": [0.2, 0.3]}, [0.6, 0.5]).axes[0]
    dashed = [line for line in axis.lines if line.get_linestyle() == "--"]
    assert [line.get_ydata().tolist() for line in dashed] == [[0.6, 0.5]]
    assert [line.get_label() for line in axis.lines] == ["a", "b", "null"]


@pytest.mark.parametrize(
    ("draw", "message"),
    [(lambda: merger_costs(np.ones((2, 3))), "square"),
     (lambda: merger_costs(np.array([[0, 0], [np.nan, 0]])), "not finite"),
     (lambda: sinking_logits([0], [[1.0, 2.0]], [5], [[1.0]], []), "are needed"),
     (lambda: sparsity_lines([5, 6], {"a": [0.3]}, [0.6, 0.5]), "2 values")],
)
def test_what_does_not_fit_is_refused(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
