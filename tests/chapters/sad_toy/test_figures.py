"""Figures of the chapter on sparse decomposition: they show what they are given, and refuse what they cannot show."""

import numpy as np
import pytest

from svf_helpers.chapters.sad_toy.figures import sparsity_curves, term_panels

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


def test_limits_of_a_column_are_kept():
    figure = term_panels([[TERMS, 2 * TERMS]], titles=["a", "b"], limits=[(-1, 9), None])
    assert figure.axes[0].get_ylim() == (-1, 9)
    assert figure.axes[1].get_ylim()[1] > 8


def test_curves_are_means_over_seeds_and_the_null_is_there():
    figure = sparsity_curves([0, 1, 2, 3], {"plain": (S, S / 2), "whitened": (S, S)})
    axis = figure.axes[0]
    for k in range(3):
        np.testing.assert_allclose(axis.lines[k].get_ydata(), S[..., k].mean(1))
    np.testing.assert_allclose(axis.lines[3].get_ydata(), S.mean((1, 2)) / 2)
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["no pair present", "one pair present", "two pairs present", "rotated null"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: term_panels([[TERMS], []], titles=["a"]), "rows of one length"),
        (lambda: term_panels([[TERMS]], titles=["a", "b"]), "titles"),
        (lambda: term_panels([[TERMS]], titles=["a"], limits=[]), "limits"),
        (lambda: sparsity_curves([0, 1], {"plain": (S, S)}), "plain: shape"),
        (lambda: sparsity_curves([0, 1, 2, 3], {"plain": (3 * S, S)}), "between 0 and 1"),
    ],
)
def test_bad_input_is_refused_by_name(call, words):
    with pytest.raises(ValueError, match=words):
        call()
