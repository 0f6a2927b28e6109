"""The explorer of Theorem 3: its numbers against the theorem, its frames against its numbers, and its page."""

import math

import pytest
import torch

from svf_helpers.chapters.theorem3.explorer import SIGMA, lambda_frame, lambda_frames, lambda_state
from svf_helpers.theory import TwoPairHead, theorem3_limit, theorem3_objective

UNREACHABLE = [(3.0, -4.0), (1.0, -2.0), (2.0, -6.0), (4.0, -3.0)]


@pytest.mark.parametrize("log_lam", [-2.0, 0.0, 3.0])
def test_the_papers_teacher_leaves_the_pair_orthogonal_at_every_lambda(log_lam):
    state = lambda_state(log_lam, 3.0, -2.0)
    assert state.reachable
    assert state.interference < 1e-20
    assert state.bound == 0


@pytest.mark.parametrize("gaps", UNREACHABLE)
@pytest.mark.parametrize("log_lam", [-2.0, -0.5, 1.0, 2.5])
def test_interference_is_that_of_the_vectors_above_0_and_under_the_bound(gaps, log_lam):
    state = lambda_state(log_lam, *gaps)
    assert not state.reachable
    assert state.interference == pytest.approx(state.x[0] ** 2 + state.y[0] ** 2, rel=1e-9)
    assert 0 < state.interference <= state.bound
    assert math.hypot(*state.x) <= 1 + 1e-12
    assert math.hypot(*state.y) <= 1 + 1e-12


@pytest.mark.parametrize("gaps", UNREACHABLE)
def test_large_lambda_approaches_the_limit_and_half_the_bound(gaps):
    state = lambda_state(3.0, *gaps)
    limit = float(theorem3_limit(TwoPairHead(*SIGMA, *gaps)))
    assert 1e6 * state.interference == pytest.approx(limit, rel=0.02)
    assert state.bound / state.interference == pytest.approx(2, rel=0.02)


def test_no_pair_nearby_is_better():
    state, lam = lambda_state(0.0, 1.0, -4.0), 1.0
    head = TwoPairHead(*SIGMA, 1.0, -4.0)
    angles = torch.tensor([math.atan2(v[0], v[1]) for v in (state.x, state.y)], dtype=torch.float64)
    turned = angles + 0.05 * torch.cartesian_prod(*2 * [torch.arange(-1, 2, dtype=torch.float64)])
    values = theorem3_objective(head, *(torch.stack([a.sin(), a.cos()], -1) for a in turned.T), lam)
    assert int(values.argmin()) == 4  # the pair itself


def test_frames_draw_the_vectors():
    state, frame = lambda_state(-1.0, 1.0, -4.0), lambda_frame(-1.0, 1.0, -4.0)
    assert frame["x"]["x2"] == pytest.approx(95 * state.x[0], abs=0.06)
    assert frame["y"]["y2"] == pytest.approx(-95 * state.y[1], abs=0.06)
    assert float(frame["say-dot"]["text"]) == pytest.approx(state.interference, rel=0.06)
    assert float(frame["say-x"]["text"]) == pytest.approx(math.degrees(math.acos(state.x[0])), abs=0.06)
    assert frame["bound"]["cy"] < frame["dot"]["cy"]  # the bound stands above what it bounds


def test_where_both_are_0_the_chart_says_so():
    reachable, other = lambda_frame(0.0, 3.0, -2.0), lambda_frame(0.0, 1.0, -2.0)
    assert (reachable["nothing"]["opacity"], reachable["dot"]["opacity"]) == (1, 0)
    assert (other["nothing"]["opacity"], other["dot"]["opacity"]) == (0, 1)


def test_the_page_is_small_and_the_live_explorer_answers():
    assert len(lambda_frames().to_html()) < 100_000
    lam, _, _, picture = lambda_frames().live().children
    lam.value = 2.05
    assert "λ = <span data-part=\"say-lam\">112</span>" in picture.value
