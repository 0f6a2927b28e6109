"""The figures of the chapter on Theorem 3 show what they are given."""

import numpy as np

from svf_helpers.chapters.theorem3.figures import costs_of_an_angle, interference_and_bound, turning

X, Y = np.array([[-0.6, 0.8, 0.0], [0.0, 1.0, 0.0]]), np.array([[0.8, 0.6, 0.0], [0.1, 0.9, 0.4]])
LAM = np.array([1.0, 10.0])


def test_arrows_end_at_the_features_and_grow_darker():
    left, right = turning(X, Y).axes
    for axis, vectors in ((left, X), (right, Y)):
        arrows = [text for text in axis.texts if getattr(text, "arrow_patch", None)]
        assert [list(arrow.xy) for arrow in arrows] == [*vectors[:, :2].tolist(), [1, 0]]
        pale, dark = (sum(arrow.arrow_patch.get_edgecolor()[:3]) for arrow in arrows[:2])
        assert dark < pale
    assert left.get_aspect() == right.get_aspect() == 1


def test_shares_are_interference_over_bound_and_chosen_heads_are_thick():
    interference, bound = np.array([[0.1, 0.001]] * 4), np.array([[0.2, 0.004]] * 4)
    left, right = interference_and_bound(LAM, interference, bound).axes
    np.testing.assert_allclose([line.get_ydata() for line in right.lines[:4]], [[0.5, 0.25]] * 4)
    assert right.lines[4].get_ydata() == [0.5, 0.5]
    thick = [line for line in left.lines if line.get_linewidth() > 1]
    assert [line.get_linestyle() for line in thick] == ["-", "--"]  # heads 24 and 70 are not there
    np.testing.assert_allclose([line.get_ydata() for line in thick], [interference[3], bound[3]])
    assert len(left.lines) == 4  # heads 0 and 3 thin, and head 3 with its bound


def test_costs_are_scaled_to_one_where_features_coincide():
    penalty, loss = costs_of_an_angle(np.array([0.0, 60.0, 180.0]), np.array([4.0, 1.0, 0.5])).axes[0].lines
    np.testing.assert_allclose(penalty.get_ydata(), [1, 0.25, 1])
    np.testing.assert_allclose(loss.get_ydata(), [1, 0.25, 0.125])
