"""The figures of the chapter on anisotropy show what they are given, and refuse what they cannot show."""

import numpy as np
import pytest

from svf_helpers.chapters.anisotropy.figures import decoders, one_pair

DELTA = [0.0, 5.0, 10.0]
PLAIN, WHITE = [[1.0, 1.0], [0.8, 0.6], [0.7, 0.4]], [[1.0, 1.0]] * 3


def test_heads_with_one_pair_stand_beside_both_bounds():
    axis = one_pair(DELTA, {"plain": PLAIN, "whitened": WHITE}).axes[0]
    lines = {line.get_label(): np.asarray(line.get_xydata()) for line in axis.lines}
    np.testing.assert_allclose(lines["plain"], [[0, 1], [5, 0.7], [10, 0.55]])
    np.testing.assert_allclose(np.asarray(axis.collections[0].get_offsets())[-2:], [[10, 0.7], [10, 0.4]])
    kappa = 1 + lines["sharp bound"][:, 0]
    np.testing.assert_allclose(lines["sharp bound"][:, 1], 2 * np.sqrt(kappa) / (1 + kappa))
    assert lines["sharp bound"][-1, 0] == 10
    paper = lines["Theorem 2"]
    assert (paper[paper[:, 0] > 0.19, 1] == 0).all()
    assert paper[0].tolist() == [0, 1]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["0", ".5", "1", "2", "5", "10"]


def test_decoders_of_toy_tokens_have_the_truth_beside_them():
    axis = decoders({0: 1.5, 1: 2.5}, "toy tokens", truth={1: 8.0, 0: 3.0}, names=["even", "stretched"]).axes[0]
    assert [bar.get_height() for bar in axis.patches] == [1.5, 2.5]
    assert axis.lines[0].get_ydata().tolist() == [3.0, 8.0]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["even", "stretched"]


def test_published_decoders_are_numbered_by_layer_and_have_none():
    axis = decoders({0: 10.0, 11: 55.0}, "GPT-2 small", truth={}).axes[0]
    assert axis.get_xlabel() == "layer"
    assert len(axis.lines) == 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: one_pair([-1.0, 0.0, 1.0], {"plain": PLAIN}), "not negative, got -1"),
        (lambda: one_pair(DELTA, {"plain": PLAIN[:2]}), "3 rows"),
        (lambda: one_pair(DELTA, {str(k): PLAIN for k in range(8)}), "at most 7"),
        (lambda: decoders({}, "nothing"), "decoder"),
        (lambda: decoders({0: 1.0}, "toy", truth={1: 2.0}), "layers \\[0\\]; got \\[1\\]"),
        (lambda: decoders({0: 1.0}, "toy", names=["a", "b"]), "names"),
    ],
)
def test_bad_input_is_refused_by_name(call, words):
    with pytest.raises(ValueError, match=words):
        call()
