"""The figures of the chapter on robustness draw what they are given."""

import numpy as np
import pytest

from svf_helpers.chapters.robustness.figures import Sweep, along_training, phase_map, sweep_panels

COSINE = np.array([[0.2, 1.0], [0.99, 1.0], [0.9, 0.6]])
PANEL = Sweep("$p$", np.array([0.04, 0.2, 1.0]), COSINE, COSINE <= 0.95, 0.2)


def mean_of(panel):
    return next(line for line in sweep_panels([panel]).axes[0].lines if len(line.get_ydata()) == 3)


def test_a_panel_shows_mean_seeds_and_failures():
    mean = mean_of(PANEL)
    assert mean.get_ydata() == pytest.approx([0.6, 0.995, 0.75])
    assert mean.get_xdata() == pytest.approx(np.log([0.04, 0.2, 1.0]))
    axis = sweep_panels([PANEL]).axes[0]
    good, bad = (np.asarray(points.get_offsets())[:, 1] for points in axis.collections[1:3])
    assert sorted(good) == pytest.approx([0.99, 1, 1])
    assert sorted(bad) == pytest.approx([0.2, 0.6, 0.9])
    assert [text.get_text() for text in axis.texts] == ["1", "2"]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["0.04", "0.2", "1"]


def test_settings_in_any_order_give_one_picture():
    turned = PANEL._replace(values=PANEL.values[::-1], cosine=COSINE[::-1], failed=PANEL.failed[::-1])
    assert mean_of(turned).get_ydata() == pytest.approx(mean_of(PANEL).get_ydata())


def test_panels_that_are_not_needed_are_hidden():
    assert [axis.get_visible() for axis in sweep_panels([PANEL] * 3).axes] == [True, True, True, False]


def test_training_shows_seeds_and_their_mean():
    cosine = np.array([[[0.1, 0.3], [0.8, 1.0]], [[0.0, 0.0], [0.4, 0.2]]])
    axis = along_training(np.array([0, 500]), cosine, ["a", "b"]).axes[0]
    means = [line for line in axis.lines if line.get_label() in "ab"]
    assert [line.get_ydata().round(6).tolist() for line in means] == [[0.2, 0.9], [0.0, 0.3]]
    assert len(axis.lines) == 2 * 3 + 1


def test_the_map_has_a_panel_for_each_grid_on_its_own_scale():
    grid = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
    figure = phase_map(np.array([1.0, 0.1, 0.01]), np.array([0.4, 4.0]), {"one": grid, "two": 2 * grid}, top={"two": 2})
    first, second = (axis.images[0] for axis in figure.axes[:2])
    assert np.asarray(first.get_array()) == pytest.approx(grid)
    assert (first.get_clim(), second.get_clim()) == ((0, 1.0), (0, 2.0))


def test_a_curve_is_placed_on_the_logarithm_and_left_out_beyond_the_map():
    curve = {"line": np.array([np.nan, 10**0.5, 30.0])}
    axis = phase_map(np.array([1.0, 0.1, 0.01]), np.array([0.1, 1, 10]), {"one": np.zeros((3, 3))}, curve=curve).axes[0]
    places = axis.lines[0].get_xdata()
    assert np.isnan(places[[0, 2]]).all()
    assert places[1] == pytest.approx(1.5)
    assert axis.lines[0].get_ydata().tolist() == [0, 1, 2]
