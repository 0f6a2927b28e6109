"""The figures of the chapter on anisotropy show what they are given."""

import numpy as np

from svf_helpers.chapters.anisotropy.figures import decoders, one_pair, sweep

DELTA = np.array([0.0, 5.0, 10.0])
PLAIN, WHITE = np.array([[1.0, 1.0], [0.8, 0.6], [0.7, 0.4]]), np.ones((3, 2))


def test_a_sweep_has_a_mean_a_band_and_every_seed():
    values = np.array([[0.9, 0.5], [0.7, 0.3]])
    axis = sweep(np.array([0.1, 1.0]), {"plain": values, "whitened": values}, xlabel="p", ylabel="cos").axes[0]
    np.testing.assert_allclose(axis.lines[0].get_xydata(), [[0.1, 0.8], [1.0, 0.4]])
    band, dots = axis.collections[:2]
    sd = 0.2 / np.sqrt(2)  # of .9 and .7, with n - 1
    np.testing.assert_allclose(band.get_paths()[0].get_extents().intervaly, [0.4 - sd, 0.8 + sd])
    np.testing.assert_allclose(dots.get_offsets(), [[0.1, 0.9], [1, 0.5], [0.1, 0.7], [1, 0.3]])
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["plain", "whitened"]


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
