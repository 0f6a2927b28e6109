"""The explorer of rotary heads: its numbers against closed forms and the plain product, its frames, its page."""

import math

import pytest
import torch

from svf_helpers.chapters.kit.svg import GREY
from svf_helpers.chapters.rope.explorer import (
    COLOURS,
    LAST,
    RotaryHead,
    offset_frame,
    offset_frames,
    offset_state,
    stored_heads,
)
from svf_helpers.toy import ToyConfig

PAIRS = {(0, 4): 24.0, (1, 5): 21.0, (2, 6): 18.0, (3, 7): 15.0}
STRENGTHS = torch.tensor([24.0, 21.0, 18.0, 15.0], dtype=torch.float64)


def head_in_planes(band=1, places=(6, 7, 8, None), r=10):
    """Orthonormal features; pair p is read along head dimension places[p], the last one in the band's first one."""
    config = ToyConfig(n=10, d=10, r=r, positions=40, pairs=PAIRS, bands={(3, 7): band})
    W_Q, W_K = torch.zeros(2, 10, r, dtype=torch.float64)
    for p, (place, strength) in enumerate(zip(places, STRENGTHS, strict=True)):
        place = 2 * band if place is None else place
        W_Q[p, place] = W_K[4 + p, place] = strength.sqrt()
    return RotaryHead(torch.eye(10).double(), W_Q, W_K, config)


ALONE = head_in_planes(places=(8, 6, 4, None))  # every pair in a band of its own
SHARED = head_in_planes(places=(8, 6, 9, None))  # pairs 1 and 3 in the plane of band 4


@pytest.mark.parametrize("offset", [0, 3, 10, 19.5, 39])
def test_pairs_in_bands_of_their_own_do_not_turn(offset):
    state = offset_state(ALONE, offset)
    theta = torch.tensor(ALONE.config.rotary.frequencies, dtype=torch.float64)
    size = STRENGTHS * torch.cos(theta[[4, 3, 2, 1]] * offset)
    assert torch.allclose(torch.tensor(state.score, dtype=torch.float64), size, atol=1e-9)
    assert list(state.S) == pytest.approx(size.abs().sort(descending=True).values.tolist(), abs=1e-9)
    assert state.turn == pytest.approx(0, abs=1e-5)
    for side in (state.query, state.key):  # each feature on one vector, at whatever rank
        assert torch.allclose(torch.tensor(side).sort().values[:, -1], torch.ones(4), atol=1e-6)
    assert state.target[3] == pytest.approx(size[3].item())
    assert state.target[:3] == [24.0, 21.0, 18.0]


@pytest.mark.parametrize("offset", [5, 39])
def test_a_shared_plane_turns_both_sides_by_the_closed_form(offset):
    phi = 10000 ** (-8 / 10) * offset
    tau = 0.5 * math.atan(2 * math.sqrt(24 * 18) / 42 * math.tan(phi))
    assert math.radians(offset_state(SHARED, offset).turn) == pytest.approx(tau, rel=1e-6)


def test_scores_are_those_of_the_plain_product_with_features_of_any_length():
    generator = torch.Generator().manual_seed(3)
    W, W_Q, W_K = (torch.randn(10, 10, generator=generator, dtype=torch.float64) for _ in range(3))
    config = ALONE.config
    state = offset_state(RotaryHead(W, W_Q, W_K, config), 7)
    omega = W_Q @ config.rotary.matrix(7).T @ W_K.T
    plain = [(W[:, i] @ omega @ W[:, j]).item() for i, j in config.ranked_pairs]
    assert list(state.score) == pytest.approx(plain, rel=1e-9)
    U, S, Vh = torch.linalg.svd(omega)
    assert list(state.S) == pytest.approx(S[:4].tolist(), rel=1e-9)
    for p, (i, j) in enumerate(config.ranked_pairs):
        for side, feature, vectors in ((state.query, W[:, i], U), (state.key, W[:, j], Vh.mT)):
            assert list(side[p]) == pytest.approx((feature @ vectors / feature.norm()).abs()[:4].tolist(), rel=1e-9)


def test_frames_draw_the_state():
    heads = {1: ALONE, 4: SHARED}
    at_0, at_10 = (offset_frame(heads, offset, 1) for offset in (0, 10))
    assert [at_0[f"bar{k}"]["fill"] for k in range(4)] == list(COLOURS)
    assert at_10["bar3"]["fill"] == GREY  # nearly nothing is left of the positional pair
    assert at_10["bar3"]["height"] < 0.02 * at_0["bar3"]["height"]
    assert at_0["u00"]["fill-opacity"] == 1
    assert at_0["u01"]["fill-opacity"] == 0
    assert at_0["say-pair3"]["text"] == "15.0 (15.0)"
    assert offset_frame(heads, 20, 1)["say-pair3"]["text"] == "−15.0 (−15.0)"
    assert "negative" in offset_frame(heads, 20, 1)["say-note"]["text"]
    assert "almost nothing" in at_10["say-note"]["text"]
    assert at_0["dot3"]["cy"] < offset_frame(heads, 20, 1)["dot3"]["cy"]  # a negative score is drawn lower
    assert offset_frame(heads, 39, 4)["say-turn"]["text"] == "0.7"


def test_a_bar_has_the_colour_of_its_pair_when_ranks_cross():
    strong = head_in_planes(places=(8, 6, 4, None))
    W_Q = strong.W_Q.clone()
    W_Q[3] *= 2  # the positional pair now has singular value 30 at offset 0
    head = RotaryHead(strong.W, W_Q, strong.W_K, strong.config)
    fills = [offset_frame({1: head}, offset, 1)["bar0"]["fill"] for offset in (0, 10)]
    assert fills == [COLOURS[3], COLOURS[0]]


def test_the_page_is_small_and_the_live_explorer_answers():
    heads = {1: ALONE, 4: SHARED}
    page = offset_frames(heads)
    assert repr(page) == f"<FrameExplorer 'A rotary head at each offset', {2 * (LAST + 1)} frames>"
    assert len(page.to_html()) < 100_000
    offset, band, picture = offset_frames(heads).live().children
    offset.value = 10.5
    assert 'offset <span data-part="say-offset">10.5</span>' in picture.value
    assert band.options == (("1", 1), ("4", 4))  # of models that there are, and none in between
    before = picture.value
    band.value = 4
    assert picture.value != before


def test_stored_heads_are_those_of_each_band():
    for band, head in stored_heads().items():
        assert [b for *_, b in head.config.bands] == [band]
        state = offset_state(head, 0)
        assert list(state.score) == pytest.approx(list(state.target), rel=0.05)
