"""Figures of the chapter on the whitened basis: what is drawn is what is stored."""

import numpy as np
import pytest

from svf_helpers.chapters.whitened.compared_bases import COMPARED, TAKEN
from svf_helpers.chapters.whitened.figures import removal_figure, sizes_figure, sparsity_figure, training_figure
from svf_helpers.experiments import load


@pytest.fixture(scope="module")
def large():
    return load("bases-pocket-pythia")


def points(axis):
    return {line.get_label(): line for line in axis.lines if not line.get_label().startswith("_")}


def test_two_bases_against_each_other_and_their_diagonal():
    S, null = np.arange(10.0).reshape(5, 2), np.array([[12.0, -3.0]] * 5)
    left, right = sparsity_figure({"a": {"sparsity": S, "null": null}}).axes
    for axis, values in ((left, S), (right, null - S)):
        np.testing.assert_allclose(points(axis)["a"].get_xydata().T, values[:2])
        assert axis.get_xlim() == axis.get_ylim()
    assert left.get_xlim()[0] == 0
    assert right.get_xlim()[0] < (null - S)[:2].min()  # what lies below zero is in sight


def test_a_basis_keeps_its_colour_and_its_null_is_dashed(large):
    panels = [points(axis) for axis in training_figure(large).axes]
    for name, b in (("plain", 0), ("whitened", 1)):
        assert len({panel[name].get_color() for panel in panels}) == 1
        null = panels[0][f"{name}, null"]
        assert (null.get_color(), null.get_linestyle()) == (panels[0][name].get_color(), "--")
        np.testing.assert_allclose(null.get_ydata(), large["summary_null"][:, b].mean(1), rtol=1e-5)
        np.testing.assert_allclose(panels[0][name].get_ydata(), large["summary_sparsity"][:, b].mean(1), rtol=1e-5)
        of_kinds = large["cosine"][:, b, :, :, 0, 1].mean((1, 2))
        np.testing.assert_allclose(panels[2][name].get_ydata(), of_kinds, rtol=1e-5)
    split = large["summary_n_sv"][:, COMPARED.index("split")]
    np.testing.assert_allclose(panels[1]["random split"].get_ydata(), np.nanmean(split, 1), rtol=1e-5)


def test_bars_stand_in_groups():
    attention = np.arange(90.0).reshape(5, 6, 3)
    (axis,) = removal_figure({"toy": {"attention": attention}}).axes
    heights = {bars.get_label(): [bar.get_height() for bar in bars] for bars in axis.containers}
    taken = [TAKEN.index(name) for name in ("nothing", "first", "top", "random", "all but top")]
    assert list(heights) == ["weights", "whitened", "split", "split whitened"]
    for basis, drawn in heights.items():
        assert drawn == attention[COMPARED.index(basis), taken].mean(-1).tolist()


def test_lines_go_through_means_of_draws(large):
    for axis, name in zip(sizes_figure(load("bases-pocket-gpt2"), large).axes, ("sparsity", "same"), strict=True):
        values = large[f"size_{name}"]
        means = values.reshape(len(values), -1).mean(1)
        np.testing.assert_allclose(points(axis)["pocket-pythia"].get_ydata(), means, rtol=1e-5)
