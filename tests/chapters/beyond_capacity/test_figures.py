"""The figures of the chapter beyond capacity draw what they are given."""

import numpy as np
import pytest
import torch

from svf_helpers.chapters.beyond_capacity.figures import (
    merger_costs,
    pair_panels,
    sinking_logits,
    sparsity_lines,
    vector_panels,
)


def test_panels_of_vectors_have_one_scale_whatever_their_sizes():
    figure = vector_panels([[torch.eye(3), torch.ones(5, 3)]], columns=["3 pairs", "5 pairs"], names=["plain"])
    first, second = figure.axes[:2]
    assert [axis.get_title() for axis in (first, second)] == ["3 pairs", "5 pairs"]
    assert first.get_ylim() == second.get_ylim() == (5.5, 0.5)
    assert np.asarray(first.images[0].get_array()) == pytest.approx(np.eye(3))


def test_panels_of_pairs_are_white_at_zero_and_scaled_alone_or_together():
    matrices = [torch.diag(torch.tensor([4.0, -2.0])), torch.eye(3)]
    together = pair_panels(matrices, titles=["a", "b"], label="logit").axes[:2]
    assert [axis.images[0].get_clim() for axis in together] == [(-4, 4), (-4, 4)]
    alone = pair_panels(matrices, titles=["a", "b"], label="logit", own_scale=True).axes[:2]
    assert [np.asarray(axis.images[0].get_array()).max() for axis in alone] == [1, 1]
    assert pair_panels(matrices[1:], titles=["b"], label="logit").axes[0].images[0].get_clim() == (0, 1)


def test_the_cheapest_merger_is_the_lightest_cell():
    axis = merger_costs(np.array([[np.nan] * 3, [0.5, np.nan, np.nan], [0.4, 0.2, np.nan]])).axes[0]
    image = axis.images[0]
    shown = np.ma.filled(image.get_array(), np.nan)
    assert shown == pytest.approx(np.array([[0.5, np.nan], [0.4, 0.2]]), nan_ok=True)
    assert image.get_clim()[0] < 0.2 < 0.5 < image.get_clim()[1]
    assert {text.get_text(): text.get_position() for text in axis.texts} == {
        "0.500": (0, 0), "0.400": (0, 1), "0.200": (1, 1)}


def test_lines_and_dots_of_own_logits():
    served, best = torch.tensor([[21.0, 20.0], [15.0, 14.0]]), [[21.0, 20.0], [12.0, 11.0]]
    figure = sinking_logits([0.0, 8.0], served, [5, 6], best, [[[20.0, 19.0], [13.0, 10.0]]])
    left, right = figure.axes
    assert [list(line.get_ydata()) for line in left.lines] == [[21, 15], [20, 14]]
    assert [list(line.get_ydata()) for line in right.lines] == [[21, 12], [20, 13], [20, 11], [19, 10]]
    assert left.get_ylim() == right.get_ylim()


def test_the_null_is_dashed():
    axis = sparsity_lines([5, 6], {"a": [0.3, 0.4], "b": [0.2, 0.3]}, [0.6, 0.5]).axes[0]
    dashed = [line for line in axis.lines if line.get_linestyle() == "--"]
    assert [list(line.get_ydata()) for line in dashed] == [[0.6, 0.5]]
    assert [line.get_label() for line in axis.lines] == ["a", "b", "null"]
