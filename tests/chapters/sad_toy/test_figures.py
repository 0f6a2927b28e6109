"""Figures of the chapter on sparse decomposition: they show what they are given."""

import numpy as np

from svf_helpers.chapters.sad_toy.figures import (
    largest_shares,
    sparsity_curves,
    term_panels,
    terms_against_strengths,
    terms_needed,
    without_pairs,
)

TERMS = np.array([[4.0, -1.0, 0.0], [2.0, 1.0, 0.0]])
S = np.linspace(0.1, 0.4, 4 * 5 * 3).reshape(4, 5, 3)


def test_bars_are_means_and_dots_are_contexts():
    figure = term_panels([[TERMS, 2 * TERMS]], titles=["a", "b"], rows=["late"])
    first, second = figure.axes
    assert [bar.get_height() for bar in first.patches] == [3, 0, 0]
    assert [bar.get_height() for bar in second.patches] == [6, 0, 0]
    drawn = np.stack([line.get_ydata() for line in first.lines[:3]], -1)
    np.testing.assert_allclose(drawn, TERMS)
    assert first.get_ylim() == second.get_ylim()
    assert (first.get_title(), first.get_ylabel()) == ("a", "late")


def test_curves_are_means_over_seeds_and_the_null_is_there():
    figure = sparsity_curves(np.arange(4), {"plain": (S, S / 2), "whitened": (S, S)})
    axis = figure.axes[0]
    for k in range(3):
        np.testing.assert_allclose(axis.lines[k].get_ydata(), S[..., k].mean(1))
    np.testing.assert_allclose(axis.lines[3].get_ydata(), S.mean((1, 2)) / 2)
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["no pair present", "one pair present", "two pairs present", "rotated null"]


def test_without_pairs_the_middle_panel_has_the_scale_of_a_pairs_terms():
    early, late, present = np.array([[0.5, -0.2]]), np.array([[2e-6, 0.0]]), np.array([[20.0, 1.0]])
    figure = without_pairs(early, late, present)
    limits = [axis.get_ylim() for axis in figure.axes]
    np.testing.assert_allclose(limits, [(-0.55, 0.55), (-2, 22), (-2.2e-6, 2.2e-6)])
    assert [axis.patches[0].get_height() for axis in figure.axes] == [0.5, 2e-6, 2e-6]


def test_shares_stand_over_strengths_and_ratios():
    one = {"early": np.array([[0.3, 0.4]] * 2), "late": np.array([[0.9, 1.0]] * 2)}
    left, right = largest_shares(one, np.array([0.1, 0.2]), np.array([[0.5], [0.6]]), np.array([0.8])).axes
    np.testing.assert_allclose(left.lines[0].get_xydata(), [[0.1, 0.3], [0.2, 0.4]])
    np.testing.assert_allclose(left.lines[3].get_xydata(), [[0.1, 0.9], [0.2, 1.0]])
    assert [line.get_xydata().tolist() for line in right.lines[:2]] == [[[0.8, 0.5]], [[0.8, 0.6]]]
    at, curve = right.lines[2].get_xydata().T
    np.testing.assert_allclose(curve * (1 + at), 1)


def test_terms_are_drawn_against_both_strengths():
    terms, relative, alone = (np.arange(6.0).reshape(3, 2) + shift for shift in (0, 10, 20))
    left, right = terms_against_strengths(terms, relative, alone, shown=2).axes
    for axis, across in ((left, relative), (right, alone)):
        for k in range(2):
            np.testing.assert_allclose(axis.lines[k].get_xydata(), np.stack([across[:2, k], terms[:2, k]], -1))


def test_counts_are_means_and_the_rest_is_the_first_seeds():
    counts, of_first = np.array([[2.0, 4.0], [1.0, 3.0]]), np.array([1.0, 2.0, 3.0])
    all_of_it, most = terms_needed(np.array([0, 100]), counts, [0, 50, 100], of_first).axes[0].lines[:2]
    assert all_of_it.get_xydata().tolist() == [[0, 3], [100, 2]]
    assert most.get_xydata().tolist() == [[0, 1], [50, 2], [100, 3]]
