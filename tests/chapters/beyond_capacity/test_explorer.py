"""The explorer of the chapter beyond capacity: its numbers against the stored heads, its frames, and its page."""

import numpy as np
import pytest

from svf_helpers.chapters.beyond_capacity.explorer import (
    capacity_frame,
    capacity_frames,
    capacity_state,
)
from svf_helpers.experiments import load


@pytest.mark.parametrize(("pairs", "lam", "steps"), [(5, 4, 20_000), (8, 1, 20_000), (10, 4, 80_000)])
def test_as_trained_the_state_is_what_was_stored(pairs, lam, steps):
    stored, state = load("beyond-capacity"), capacity_state(pairs, lam, steps, 0)
    wanted = {"pairs": pairs, "lam": lam, "steps": steps, "seed": 0}
    (at,) = np.flatnonzero(np.all([stored[name] == value for name, value in wanted.items()], axis=0))
    for side in ("query", "key"):
        stored_side = stored[f"summary_{side}"][at, :pairs].astype(float)
        np.testing.assert_allclose(getattr(state, side), stored_side, atol=2e-3)
    np.testing.assert_allclose(state.S, stored["summary_S"][at], rtol=1e-4)


def test_a_tight_frame_changes_cosines_and_no_logit():
    plain, tight = (capacity_state(10, 4, 20_000, frame) for frame in (0, 1))
    np.testing.assert_allclose(plain.logits, tight.logits, atol=1e-6)
    np.testing.assert_allclose(plain.wrong, tight.wrong, atol=1e-6)
    assert np.abs(np.subtract(plain.query, tight.query)).max() > 0.3
    assert tight.vectors[:4] == [1, 2, 3, 4]
    assert set(tight.vectors[4:]) <= {0, 5}


def test_vectors_are_those_with_both_features_on_them():
    state = capacity_state(7, 1, 80_000, 0)
    both = np.minimum(state.query, state.key)
    for row, vector in zip(both, state.vectors, strict=True):
        assert vector == (row.argmax() + 1 if row.max() > 0.9 else 0)


def test_frames_draw_the_state_and_nothing_beyond_it():
    state, frame = capacity_state(7, 4, 80_000, 1), capacity_frame(7, 4, 80_000, 1)
    assert frame["query-3-2"]["fill-opacity"] == pytest.approx(state.query[3][2], abs=0.006)
    assert frame["wrong-6-4"]["fill-opacity"] == pytest.approx(state.wrong[6][4], abs=0.006)
    assert frame["key-7-0"]["fill-opacity"] == frame["wrong-2-7"]["fill-opacity"] == 0
    assert (frame["query-edge"]["height"], frame["wrong-edge"]["width"]) == (140, 140)
    assert frame["say-first"]["text"].endswith(" of 21")
    assert frame["say-last"]["text"].endswith(" of 15")
    count = sum(value >= 0.5 for row in state.wrong for value in row)
    assert frame["say-wrong"]["text"] == f"{count} of 42"


def test_readouts_name_who_shares():
    frame = capacity_frame(10, 1, 80_000, 0)
    assert frame["say-own"]["text"] == "1, 2, 3, 4"
    assert frame["say-shared"]["text"] == "5, 6"
    assert capacity_frame(5, 1, 80_000, 0)["say-shared"]["text"] == "none"


def test_the_page_is_small_and_the_live_explorer_stops_only_where_something_is_stored():
    assert len(capacity_frames().to_html()) < 100_000
    pairs, lam, steps, frame, picture = capacity_frames().live().children
    for slider, name in ((pairs, "pairs"), (lam, "lam"), (steps, "steps")):
        assert [value for _, value in slider.options] == np.unique(load("beyond-capacity")[name]).tolist()
    assert frame.options == (("as trained", 0), ("tight frame", 1))
    pairs.value = 5
    assert "1, 2, 3, 4, 5" in picture.value
