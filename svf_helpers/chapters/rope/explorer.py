"""The explorer of rotary heads: singular values and vectors of the QK matrix at each offset (paper, appendix D)."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from svf_helpers.alignment import vector_cosines
from svf_helpers.chapters.kit import svg
from svf_helpers.chapters.kit.readout import readout, says, signed, subscript
from svf_helpers.chapters.kit.scene import Frame, FrameExplorer, Slider, rounded
from svf_helpers.chapters.rope.runs import PAIRS, POSITIONAL, POSITIONS
from svf_helpers.experiments import load
from svf_helpers.rope import qk_svd_at_offset
from svf_helpers.toy import ToyConfig

COLOURS = (svg.BLUE, svg.ORANGE, svg.GREEN, svg.PURPLE)
LAST = 39  # the largest offset of the paper's 40 positions
TOO_SMALL = 0.02  # singular values below this share of the largest: the bar is grey, its vector carries next to nothing


@dataclass(frozen=True, eq=False)
class RotaryHead:
    """One trained toy model with positions, in float64."""

    W: Float[Tensor, "d n"]
    W_Q: Float[Tensor, "d r"]
    W_K: Float[Tensor, "d r"]
    config: ToyConfig


@functools.cache
def stored_heads() -> dict[int, RotaryHead]:
    """The first seed of the stored result ``rope``: band of the positional pair's target -> model.

    Example:
        >>> sorted(stored_heads())
        [0, 1, 2, 3, 4]
    """
    result, found = load("rope"), {}
    for at in np.flatnonzero((result["seed"] == 0) & (result["band"] >= 0)):
        W, W_Q, W_K = (torch.tensor(result[name][at]).double() for name in ("W", "W_Q", "W_K"))
        band = int(result["band"][at])
        found[band] = RotaryHead(W, W_Q, W_K, ToyConfig(pairs=PAIRS, positions=POSITIONS, bands={POSITIONAL: band}))
    return dict(sorted(found.items()))


class OffsetState(NamedTuple):
    """The head at one offset. Pairs are in the order of their targets, vectors in that of their singular values.

    ``S`` the first m singular values; ``query[p][k]`` the |cos| of pair p's query feature with u_k, ``key`` of its key
    feature with v_k; ``score[p]`` the logit of a query and a key that hold just this pair, at strength 1; ``target[p]``
    what it should be; ``turn`` the largest angle, in degrees, between a pair's singular vector and the one at offset 0.
    """

    S: list[float]
    query: list[list[float]]
    key: list[list[float]]
    score: list[float]
    target: list[float]
    turn: float


def offset_state(head: RotaryHead, offset: float) -> OffsetState:
    """Singular values, cosines with the features and scores of a rotary head at one offset, whole or in between.

    Example:
        >>> config = ToyConfig(n=2, d=2, r=2, positions=40, pairs={(0, 1): 3.0}, bands={(0, 1): 0})
        >>> W_Q, W_K = torch.tensor([[3.0, 0], [0, 0]]).double(), torch.tensor([[0, 0], [1.0, 0]]).double()
        >>> state = offset_state(RotaryHead(torch.eye(2).double(), W_Q, W_K, config), 2)
        >>> [round(value, 3) for value in (*state.S, *state.score, *state.target)]  # 3 cos(2): the sign goes to v
        [1.248, -1.248, -1.248]
    """
    return _states(head, [offset])[0]


def offset_frame(heads: Mapping[int, RotaryHead], offset: float, band: float) -> Frame:
    """What the picture shows at one setting: the numbers of :func:`offset_state`, as attributes and words."""
    head = heads[round(band)]
    state = offset_state(head, offset)
    top = max(max(_curve(head)[0].S), 1.0)
    frame: Frame = {}
    height, up = svg.Scale(0, 1.08 * top, _BOTTOM, _TOP), svg.Scale(-1.1 * top, 1.1 * top, _BOTTOM, _TOP)
    for k, value in enumerate(state.S):
        on_both = [query[k] + key[k] for query, key in zip(state.query, state.key, strict=True)]
        owner = on_both.index(max(on_both))
        fill = COLOURS[owner] if value > TOO_SMALL * top else svg.GREY
        frame[f"bar{k}"] = {**height.bar(min(value, height.high)), "fill": fill}
        frame[f"value{k}"] = {"text": f"{value:.1f}", "y": rounded(height(min(value, height.high)) - 5)}
        for side, cosines in (("u", state.query), ("v", state.key)):
            for p, row in enumerate(cosines):
                frame[f"{side}{p}{k}"] = {"fill-opacity": rounded(row[k], 2)}
    frame["cursor"] = dict.fromkeys(("x1", "x2"), rounded(_ACROSS(offset)))
    for p, (score, target) in enumerate(zip(state.score, state.target, strict=True)):
        inside = max(up.low, min(up.high, score))
        frame[f"dot{p}"] = {"cx": rounded(_ACROSS(offset)), "cy": rounded(up(inside))}
        frame |= says(**{f"pair{p}": f"{signed(score)} ({signed(target)})"})
    return frame | _lines(head, up) | says(offset=f"{offset:g}", turn=f"{state.turn:.1f}", note=_note(head, state))


def offset_frames(heads: Mapping[int, RotaryHead] | None = None) -> FrameExplorer:
    """The head at every offset, for a page without a kernel. End a cell with the call.

    ``heads`` are models with four pairs of interest by the band of the positional one, rising; the stored ones unless
    given.

    Example:
        >>> offset_frames()
        <FrameExplorer 'A rotary head at each offset', 200 frames>
    """
    heads = heads or stored_heads()
    bands = tuple(heads)
    sliders = (
        Slider("offset", "offset Δ", tuple(range(LAST + 1)), 0, "", 0.5),
        Slider("band", "band of the positional pair", bands, 1 if 1 in bands else bands[0]),
    )
    pairs = next(iter(heads.values())).config.ranked_pairs
    render = functools.partial(offset_frame, heads)
    return FrameExplorer("A rotary head at each offset", sliders, _picture(pairs), render, readout=_readout(pairs))


def _states(head: RotaryHead, offsets: list[float]) -> list[OffsetState]:
    """All offsets in one SVD; the first matrix is that of offset 0, to measure turns from."""
    config, pairs = head.config, head.config.ranked_pairs
    assert config.rotary is not None  # these models have positions
    m, at = len(pairs), torch.tensor([0.0, *offsets], dtype=torch.float64)
    svd = qk_svd_at_offset(head.W_Q, head.W_K, config.rotary, at)
    F, G = (head.W[:, list(side)] for side in zip(*pairs, strict=True))
    on_u, on_v = (vector_cosines(X, vectors)[..., :m] for X, vectors in ((F, svd.U), (G, svd.V)))
    scores = ((F.mT @ svd.U) * svd.S[:, None] @ (svd.V.mT @ G)).diagonal(dim1=-2, dim2=-1)
    # A pair's own vector may change rank: it is the one nearest to its vector at offset 0.
    kept = [(X[0, :, :m].mT @ X[..., :m]).abs().amax(-1).clamp_max(1) for X in (svd.U, svd.V)]
    turn = torch.rad2deg(torch.minimum(*kept).amin(-1).acos())
    strength = torch.stack([config.targets[pair] for pair in pairs]).double()
    moving = {tuple(pair): config.rotary.frequencies[band] for *pair, band in config.bands}
    theta = torch.tensor([moving.get(pair, 0.0) for pair in pairs], dtype=torch.float64)
    targets = strength * torch.cos(theta * at[:, None])
    found = (part[1:].tolist() for part in (svd.S[:, :m], on_u, on_v, scores, targets, turn))
    return [OffsetState(*state) for state in zip(*found, strict=True)]


@functools.cache
def _curve(head: RotaryHead) -> list[OffsetState]:
    return _states(head, [float(offset) for offset in range(LAST + 1)])


@functools.cache
def _lines(head: RotaryHead, up: svg.Scale) -> Frame:
    """The scores and their targets over all offsets, the same in all frames of a head."""
    lines: Frame = {}
    for name in ("score", "target"):
        for p, values in enumerate(zip(*(getattr(state, name) for state in _curve(head)), strict=True)):
            inside = (max(up.low, min(up.high, value)) for value in values)
            lines[f"{name}{p}"] = {"d": svg.curve((round(_ACROSS(at)), up(value)) for at, value in enumerate(inside))}
    return lines


def _note(head: RotaryHead, state: OffsetState) -> str:
    strength = (abs(float(head.config.targets[pair])) for pair in head.config.ranked_pairs)
    swing = min(value / full for value, full in zip(state.target, strength, strict=True))
    if abs(swing) < 0.05:
        return "The positional pair asks for almost nothing here: its singular value is nearly 0."
    if swing < 0:
        return "The positional pair's score is negative: the singular value is its size, and v has changed sign."
    return "All scores are positive here, and each pair lies on a singular vector."


# The picture: bars of singular values, two matrices of |cos|, and the scores over all offsets.
_TOP, _BOTTOM, _SIDE = 50, 250, 28
_ACROSS = svg.Scale(0, LAST, 490, 685)


def _picture(pairs: tuple[tuple[int, int], ...]) -> str:
    numbers = [subscript(k + 1) for k in range(len(pairs))]
    bars = (
        svg.column(f"bar{k}", 39 + 38 * k, 34, None, f"σ{number}", 268) + svg.words(39 + 38 * k, None, part=f"value{k}")
        for k, number in enumerate(numbers)
    )
    lines = (
        svg.element("path", part=f"target{p}", fill="none", stroke="currentColor", stroke_dasharray="2 4", opacity=0.55)
        + svg.element("path", part=f"score{p}", fill="none", stroke=colour, stroke_width=2)
        for p, colour in enumerate(COLOURS)
    )
    dots = (svg.element("circle", part=f"dot{p}", r=5, fill=COLOURS[p]) for p in range(len(COLOURS)))
    middle = (_ACROSS.start + _ACROSS.end) / 2
    query, key = zip(*pairs, strict=True)
    return svg.picture(
        290, svg.words(96, 20, "singular values"), bars, svg.words(middle, 20, "scores over the offset"),
        _cosines(194, "u", query, numbers), _cosines(334, "v", key, numbers),
        svg.levels(svg.Scale(-1, 1, _BOTTOM, _TOP), (0,), _ACROSS.start, _ACROSS.end),
        svg.ticks(_ACROSS, (0, LAST), 268), svg.words(middle, 268, "Δ"), lines,
        svg.line(None, _TOP - 10, None, _BOTTOM, part="cursor", opacity=0.4), dots,
    )


def _cosines(left: int, side: str, features: tuple[int, ...], numbers: list[str]) -> str:
    """|cos| as shades: rows are features in the colours of their pairs, columns singular vectors."""
    look = lambda p, k: {"part": f"{side}{p}{k}", "fill": COLOURS[p], "stroke": "currentColor",  # noqa: E731
                         "stroke_opacity": 0.3}
    cells = svg.matrix(left, _TOP + 44, _SIDE, [f"f{subscript(feature)}" for feature in features],
                   [f"{side}{number}" for number in numbers], look)
    return svg.words(left + 2 * _SIDE, 20, f"|cos|, {'query' if side == 'u' else 'key'} side") + cells


def _readout(pairs: tuple[tuple[int, int], ...]) -> str:
    said = ", ".join(f"pair ({i}, {j}) {{pair{p}}}" for p, (i, j) in enumerate(pairs))
    return readout(
        f"At offset {{offset}} the scores, with their targets in brackets, are: {said}. No singular vector has turned "
        "by more than {turn}° from where it was at offset 0.", "{note}",
    )
