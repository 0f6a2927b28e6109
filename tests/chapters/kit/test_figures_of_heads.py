"""Figures of the chapters on known features and on the whitened basis: what is drawn is what was given."""

import numpy as np
import pytest

from svf_helpers.chapters.known_features.figures import agreement_rows, effect_dots, lost_maps
from svf_helpers.chapters.whitened.figures import against_plain, bases_along, removal_bars, sample_sizes

ROWS = ["0.3 END→S2", "2.1 S2→S1+1"]


def points(axis):
    return {line.get_label(): (np.asarray(line.get_xdata()), np.asarray(line.get_ydata())) for line in axis.lines
            if not line.get_label().startswith("_")}


def test_cosines_stand_on_the_middle_of_their_null():
    null = np.linspace(0, 1, 101)[None].repeat(2, 0) * np.array([[1.0], [0.5]])
    of_query = {"plain": ([0.9, 0.2], null), "white": ([0.1, 0.3], null)}
    axis = agreement_rows({"query": of_query}, rows=ROWS, breaks=[1]).axes[0]
    drawn = points(axis)
    np.testing.assert_allclose(drawn["plain"][0], [0.9, 0.2])
    assert (drawn["plain"][1] < drawn["white"][1]).all()  # side by side, not on top of each other
    segments = axis.collections[0].get_segments()
    np.testing.assert_allclose([segment[:, 0] for segment in segments], [[0.05, 0.95], [0.025, 0.475]])
    assert [text.get_text() for text in axis.get_yticklabels()] == ROWS
    top, bottom = axis.get_ylim()
    assert top > bottom  # the first row is on top


def test_effects_are_a_mark_for_each_head():
    figure = effect_dots({"as it is": [0.9, 0.5], "without": [0.1, 0.0]}, heads=ROWS, ylabel="attention", breaks=[1])
    drawn = points(figure.axes[0])
    np.testing.assert_allclose(drawn["as it is"][1], [0.9, 0.5])
    np.testing.assert_allclose(drawn["without"][1], [0.1, 0.0])
    assert figure.axes[0].get_ylim()[0] == 0


def test_losses_are_numbers_where_they_are_large_and_gains_are_white():
    lost = np.array([[0.9, 0.1], [-0.4, 0.25]])
    figure = lost_maps({"queries": lost}, rows=ROWS, kinds=["END", "name"])
    axis = figure.axes[0]
    assert [text.get_text() for text in axis.texts] == ["90", "25"]
    assert axis.images[0].get_clim() == (0, 100)
    np.testing.assert_allclose(axis.images[0].get_array(), 100 * lost)  # per cent, as the numbers in the cells


def test_two_bases_against_each_other_and_their_diagonal():
    figure = against_plain({"S": {"a": ([0.1, 0.2], [0.3, 0.4])}, "margin": {"a": ([-1, 2], [3, 4])}})
    for axis, (x, y) in zip(figure.axes, (([0.1, 0.2], [0.3, 0.4]), ([-1, 2], [3, 4])), strict=True):
        np.testing.assert_allclose(points(axis)["a"], (x, y))
        assert axis.get_xlim() == axis.get_ylim()
    assert figure.axes[0].get_xlim()[0] == 0
    assert figure.axes[1].get_xlim()[0] < -1  # what lies below zero is in sight


def test_a_name_keeps_its_colour_and_gaps_stay_gaps():
    figure = bases_along([0, 10, 20], {"S": {"plain": [1, 1, 1], "null": [2, 2, 2]}, "N": {"plain": [1, np.nan, 3]}},
                         dashed=["null"], colours={"null": "#0072B2"})
    left, right = figure.axes
    assert left.lines[0].get_color() == right.lines[0].get_color()
    assert left.lines[1].get_linestyle() == "--"
    assert np.isnan(right.lines[0].get_ydata()[1])


def test_bars_stand_in_groups():
    figure = removal_bars({"toy": {"none": [1, 0.9], "top": [0, 0.5]}}, bases=["a", "b"], ylabel="S")
    heights = {bars.get_label(): [bar.get_height() for bar in bars] for bars in figure.axes[0].containers}
    assert heights == {"a": [1, 0], "b": [0.9, 0.5]}


def test_lines_go_through_means_of_draws():
    figure = sample_sizes([10, 100], {"S": {"toy": [[0.1, 0.3], [0.2, 0.2]]}})
    np.testing.assert_allclose(points(figure.axes[0])["toy"][1], [0.2, 0.2])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: agreement_rows({"q": {"a": ([0.1], [[0.1]])}}, rows=ROWS), "2 rows are named"),
        (lambda: agreement_rows({"q": {"a": ([1.5], [[0.1]])}}, rows=ROWS[:1]), "cosines lie in"),
        (lambda: effect_dots({"a": [0.1]}, heads=ROWS, ylabel="S"), "2 heads are named, got 1"),
        (lambda: lost_maps({"q": [[0.1]]}, rows=ROWS, kinds=["END"]), r"shape \[2, 1\] is needed"),
        (lambda: lost_maps({"q": [[1.1]]}, rows=ROWS[:1], kinds=["END"]), "no more than all"),
        (lambda: against_plain({"S": {"a": ([0.1], [0.1, 0.2])}}), "1 heads in the one basis, 2"),
        (lambda: bases_along([0, 1], {"S": {"a": [1]}}), "2 checkpoints are needed"),
        (lambda: removal_bars({"toy": {"none": [1]}}, bases=["a", "b"], ylabel="S"), "bases"),
        (lambda: sample_sizes([10], {"S": {"toy": [[0.1], [0.2]]}}), "values for 1 sizes"),
    ],
)
def test_bad_input_is_refused_by_name(call, words):
    with pytest.raises(ValueError, match=words):
        call()
