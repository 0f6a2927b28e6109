"""Figures of the chapter on known features: what is drawn is what is stored."""

import numpy as np
import pytest

from svf_helpers.chapters.known_features.figures import leaning_figure, without_kinds_figure, without_terms_figure
from svf_helpers.experiments import load

READING, ALONE = 0, 1


@pytest.fixture(scope="module")
def result():
    return load("known-features")


def of_both(result, what, axis=0):
    return np.concatenate([result[f"gpt2_{what}"], result[f"pythia_{what}"]], axis)


def points(axis):
    return {line.get_label(): line for line in axis.lines if not line.get_label().startswith("_")}


def test_cosines_stand_on_the_middle_of_their_null(result):
    for side, axis in enumerate(leaning_figure(result).axes):
        drawn = points(axis)
        for number, (name, basis) in enumerate((("plain", "weights"), ("whitened", "whitened"))):
            at = (slice(None), side, READING, ALONE)
            np.testing.assert_allclose(drawn[name].get_xdata(), of_both(result, f"cosine_{basis}")[at])
            ends = np.quantile(of_both(result, f"rotated_{basis}")[at].astype(float), (0.05, 0.95), axis=1).T
            bars = axis.collections[number].get_segments()
            np.testing.assert_allclose([bar[:, 0] for bar in bars], ends)
            np.testing.assert_allclose([bar[0, 1] for bar in bars], drawn[name].get_ydata())
        # side by side, not on top of each other; the first row is on top
        assert (drawn["plain"].get_ydata() < drawn["whitened"].get_ydata()).all()
        bottom, top = axis.get_ylim()
        assert bottom > top


def test_effects_are_a_mark_for_each_head(result):
    (axis,) = without_terms_figure(result).axes
    removed, attention = result.info["config"]["removed"], of_both(result, "attention_weights", 1).mean(-1)
    shown = {"as it is": "nothing", "without the N_sv largest": "top", "without a fixed set": "fixed"}
    for label, taken in shown.items():
        np.testing.assert_allclose(points(axis)[label].get_ydata(), attention[removed.index(taken)])
    assert len(axis.get_xticklabels()) == attention.shape[1]
    assert axis.get_ylim()[0] == 0


def test_losses_are_numbers_where_they_are_large_and_gains_are_white():
    erased = load("erased-features")
    before = of_both(erased, "before").mean(-1)
    for side, axis in enumerate(without_kinds_figure(erased).axes[:2]):
        lost = 100 * (1 - of_both(erased, "attention", 2)[side].mean(-1) / before).T
        (image,) = axis.images
        np.testing.assert_allclose(image.get_array(), lost, atol=1e-4)  # per cent, as the numbers in the cells
        assert image.get_clim() == (0, 100)
        assert [text.get_text() for text in axis.texts] == [f"{share:.0f}" for share in lost[lost >= 20]]
