"""The figures of the chapter on robustness draw what they are given, and refuse what does not fit."""

import numpy as np
import pytest

from svf_helpers.chapters.robustness.figures import Sweep, along_training, phase_map, sweep_panels


def panel(**changes):
    cosine = np.array([[0.2, 1.0], [0.99, 1.0], [0.9, 0.6]])
    given = {"label": "$p$", "values": [0.04, 0.2, 1.0], "cosine": cosine, "failed": cosine <= 0.95, "default": 0.2}
    return Sweep(**(given | changes))


def test_a_panel_shows_mean_seeds_and_failures():
    axis = sweep_panels([panel()]).axes[0]
    mean = next(line for line in axis.lines if len(line.get_ydata()) == 3)
    assert mean.get_ydata() == pytest.approx([0.6, 0.995, 0.75])
    assert mean.get_xdata() == pytest.approx(np.log([0.04, 0.2, 1.0]))
    good, bad = (np.asarray(points.get_offsets())[:, 1] for points in axis.collections[1:3])
    assert sorted(good) == pytest.approx([0.99, 1, 1])
    assert sorted(bad) == pytest.approx([0.2, 0.6, 0.9])
    assert [text.get_text() for text in axis.texts] == ["1", "2"]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["0.04", "0.2", "1"]


def test_settings_in_any_order_give_one_picture():
    turned = panel(values=[1.0, 0.2, 0.04], cosine=panel().cosine[::-1], failed=panel().failed[::-1])
    lines = [next(line for line in sweep_panels([one]).axes[0].lines if len(line.get_ydata()) == 3)
             for one in (panel(), turned)]
    assert lines[0].get_ydata() == pytest.approx(lines[1].get_ydata())


def test_panels_that_are_not_needed_are_hidden():
    figure = sweep_panels([panel()] * 3)
    assert [axis.get_visible() for axis in figure.axes] == [True, True, True, False]


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"values": [1.0, 2.0]}, r"\[2, seeds\]"), ({"failed": [[True]]}, "seeds"),
     ({"values": [0.0, 1.0, 2.0]}, "positive values only"), ({"cosine": np.full((3, 2), 1.4)}, "cosines lie in")],
)
def test_panels_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        sweep_panels([panel(**changes)])


def test_no_panel_and_too_many_are_refused():
    for panels in ([], [panel()] * 9):
        with pytest.raises(ValueError, match="between 1 and 8"):
            sweep_panels(panels)


def test_training_shows_seeds_and_their_mean():
    cosine = np.array([[[0.1, 0.3], [0.8, 1.0]], [[0.0, 0.0], [0.4, 0.2]]])
    axis = along_training([0, 500], cosine, ["a", "b"]).axes[0]
    means = [line for line in axis.lines if line.get_label() in "ab"]
    assert [line.get_ydata().round(6).tolist() for line in means] == [[0.2, 0.9], [0.0, 0.3]]
    assert len(axis.lines) == 2 * 3 + 1
    with pytest.raises(ValueError, match="3 steps"):
        along_training([0, 500, 1000], cosine, ["a", "b"])
    with pytest.raises(ValueError, match="labels"):
        along_training([0, 500], cosine, ["a"])


def test_the_map_has_large_p_on_top_and_lambda_rising():
    grid = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
    figure = phase_map([0.01, 1.0, 0.1], [4.0, 0.4], {"one": grid, "two": 2 * grid}, top={"two": 2.0})
    first, second = (axis.images[0] for axis in figure.axes[:2])
    assert np.asarray(first.get_array()) == pytest.approx(np.array([[0.4, 0.3], [0.6, 0.5], [0.2, 0.1]]))
    assert (first.get_clim(), second.get_clim()) == ((0, 1.0), (0, 2.0))


def test_a_curve_is_placed_on_the_logarithm_and_left_out_beyond_the_map():
    grid = np.zeros((3, 3))
    axis = phase_map([1.0, 0.1, 0.01], [0.1, 1.0, 10.0], {"one": grid},
                     curve={"line": np.array([np.nan, 10**0.5, 30.0])}).axes[0]
    places = axis.lines[0].get_xdata()
    assert np.isnan(places[[0, 2]]).all()
    assert places[1] == pytest.approx(1.5)
    assert axis.lines[0].get_ydata().tolist() == [0, 1, 2]


def test_grids_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"\[2, 1\] is needed"):
        phase_map([1.0, 0.1], [1.0], {"one": np.zeros((1, 2))})
    with pytest.raises(ValueError, match="at least one"):
        phase_map([1.0], [1.0], {})
