"""The explorer of the chapter on anisotropy: frames against the stored result, and its page."""

import pytest

from svf_helpers.chapters.anisotropy.explorer import MEASURES, delta_frame, delta_frames, delta_state
from svf_helpers.experiments import load


@pytest.mark.parametrize(("delta", "direction"), [(0, 1), (5, 3), (50, 5)])
def test_the_state_is_what_was_stored(delta, direction):
    stored, state = load("anisotropy"), delta_state(delta, direction)
    row = stored["delta"].tolist().index(delta)
    for name, values in zip(MEASURES, state.cosines, strict=True):
        sides = stored[f"summary_four_{name}"][row, direction - 1]
        assert values == pytest.approx((sides[:, 0] + sides[:, 1]) / 2)
    unused = [column for pair in stored["picked_four"][row, direction - 1] for column in pair if column > 3]
    assert state.unused == len(unused)


def test_bars_stand_on_the_floor_and_are_as_high_as_the_cosine():
    state, frame = delta_state(20, 2), delta_frame(20, 2)
    for m, values in enumerate(state.cosines):
        for k, value in enumerate(values):
            bar = frame[f"bar-{m}-{k}"]
            assert bar["height"] == pytest.approx(200 * value, abs=0.06)
            assert bar["y"] + bar["height"] == pytest.approx(230)


def test_the_page_is_small_and_has_every_stretch():
    explorer = delta_frames()
    assert "55 frames" in repr(explorer)
    assert len(explorer.to_html()) < 100_000
