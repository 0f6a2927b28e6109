"""The explorer of terms: its numbers against the head's own logits, its frames against its numbers, and its page."""

import math

import pytest

from svf_helpers.chapters.sad_toy.explorer import terms_frame, terms_frames, terms_state
from tests.refusals import refuses

SCALE = 4.6  # pixels a logit


@pytest.mark.parametrize("step", [0, 700, 4000, 20_000])
@pytest.mark.parametrize("strengths", [(0.0, 0.0), (1.0, 0.0), (0.3, 0.9)])
def test_terms_sum_to_the_relative_attention_and_bound_the_attention(step, strengths):
    state = terms_state(step, *strengths)
    assert len(state.terms) == 10
    assert sum(state.terms) == pytest.approx(state.relative, abs=1e-9)
    limit = 1 / (1 + 3 * math.exp(-state.relative))  # the proposition of the chapter
    assert 0 < state.attention <= limit + 1e-9
    assert (state.needed > 0) == (state.relative > 0)


def test_late_in_training_each_pair_has_its_term_and_follows_both_strengths():
    for strength in (0.2, 0.5, 1.0):
        one, two = terms_state(20_000, strength, 0.0), terms_state(20_000, strength, 1.0)
        assert one.terms[0] == pytest.approx(24 * strength**2, rel=0.02)
        assert one.share > 0.99
        assert two.terms[0] == pytest.approx(24 * strength**2, abs=0.2)
        assert two.terms[1] == pytest.approx(21, abs=0.2)
    assert max(map(abs, terms_state(20_000, 1.0, 1.0).terms[2:])) < 0.01


def test_early_in_training_terms_are_spread_and_without_pairs_there_are_crumbs():
    assert terms_state(0, 1.0, 0.0).share < 0.6
    nothing = terms_state(20_000, 0.0, 0.0)
    assert nothing.share is None
    assert nothing.attention == pytest.approx(0.25, abs=1e-3)


def test_frames_draw_the_terms():
    state, frame = terms_state(1000, 1.0, 0.5), terms_frame(1000, 1.0, 0.5)
    for k, value in enumerate([*state.terms, state.relative]):
        bar = frame[f"bar-{k}"]
        assert bar["height"] == pytest.approx(SCALE * abs(value), abs=0.06)
        assert bar["y"] == pytest.approx(245 - SCALE * max(value, 0), abs=0.11)
    assert frame["attention"]["height"] == pytest.approx(200 * state.attention, abs=0.06)
    assert frame["say-share"]["text"] == f"{100 * state.share:.0f} %"
    assert frame["say-step"]["text"] == "1,000"


def test_notes_say_what_is_there():
    assert "one term carries it" in terms_frame(20_000, 1.0, 0.0)["say-note"]["text"]
    assert "No pair is present" in terms_frame(20_000, 0.0, 0.0)["say-note"]["text"]
    assert "not above uniform" in terms_frame(0, 1.0, 1.0)["say-note"]["text"]
    assert f"{terms_state(4000, 1.0, 1.0).needed} terms are needed" in terms_frame(4000, 1.0, 1.0)["say-note"]["text"]


def test_the_page_is_small_and_the_live_explorer_answers():
    assert len(terms_frames().to_html()) < 60_000
    step, first, _, picture = terms_frames().live().children
    assert [value for _, value in step.options] == list(range(0, 20_001, 500))
    step.value, first.value = 20_000, 0.5
    assert 'ρ = <span data-part="say-relative">6.0</span>' in picture.value


@pytest.mark.parametrize(
    ("values", "told"),
    [((150, 1, 0), (150, 20_000)), ((0, 1.2, 0), ("first", 1.2)), ((0, 0, -0.1), ("second", -0.1))],
)
def test_settings_that_are_not_stored_are_refused(values, told):
    with refuses(ValueError, *told):
        terms_state(*values)
