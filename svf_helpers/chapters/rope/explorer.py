"""The explorer of rotary heads: singular values and vectors of the QK matrix at each offset (paper, appendix D)."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import NamedTuple

import torch

from svf_helpers.chapters.kit.scene import Frame, FrameExplorer, Slider, rounded
from svf_helpers.chapters.rope.stored_heads import RotaryHead, stored_heads
from svf_helpers.features import unit
from svf_helpers.rope import qk_svd_at_offset

# Each has a contrast of 3 or more with white and with near-black.
COLOURS = ("#0072B2", "#C24E00", "#008060", "#9B4F96")
GREY = "#767676"
LAST = 39  # the largest offset of the paper's 40 positions
TOO_SMALL = 0.02  # singular values below this share of the largest: the bar is grey, its vector carries next to nothing


class OffsetState(NamedTuple):
    """The head at one offset. Pairs are in the order of their targets, vectors in that of their singular values.

    ``S`` the first m singular values; ``query[p][k]`` the |cos| of pair p's query feature with u_k, ``key`` of its key
    feature with v_k; ``score[p]`` the logit of a query and a key that hold just this pair, at strength 1; ``target[p]``
    what it should be; ``turn`` the largest angle, in degrees, between a pair's singular vector and the one at offset 0.
    """

    S: tuple[float, ...]
    query: tuple[tuple[float, ...], ...]
    key: tuple[tuple[float, ...], ...]
    score: tuple[float, ...]
    target: tuple[float, ...]
    turn: float


def offset_state(head: RotaryHead, offset: float) -> OffsetState:
    """Singular values, cosines with the features and scores of a rotary head at one offset.

    Args:
        head: a trained model.
        offset: query position minus key position; it may lie between whole numbers.

    Raises:
        ValueError: for an offset that is not finite.

    Example:
        >>> from svf_helpers.toy import ToyConfig
        >>> config = ToyConfig(n=2, d=2, r=2, positions=40, pairs={(0, 1): 3.0}, bands={(0, 1): 0})
        >>> W_Q, W_K = torch.tensor([[3.0, 0], [0, 0]]), torch.tensor([[0, 0], [1.0, 0]])
        >>> state = offset_state(RotaryHead(torch.eye(2), W_Q, W_K, config), 2)
        >>> [round(value, 3) for value in (*state.S, *state.score, *state.target)]  # 3 cos(2): the sign goes to v
        [1.248, -1.248, -1.248]
    """
    if not math.isfinite(offset):
        raise ValueError(f"offset = {offset}: a finite number is needed")
    return _states(head, [float(offset)])[0]


def offset_frame(heads: Mapping[int, RotaryHead], offset: float, band: float) -> Frame:
    """What the picture shows at one setting: the numbers of :func:`offset_state`, as attributes and words.

    Example:
        >>> from svf_helpers.toy import ToyConfig
        >>> config = ToyConfig(n=2, d=2, r=2, positions=40, pairs={(0, 1): 3.0}, bands={(0, 1): 0})
        >>> head = RotaryHead(torch.eye(2), torch.eye(2), torch.eye(2), config)
        >>> offset_frame({0: head}, 2, 0)["cursor"]["x1"] > offset_frame({0: head}, 1, 0)["cursor"]["x1"]
        True
    """
    head = heads[round(band)]
    state = offset_state(head, offset)
    pairs = head.config.ranked_pairs
    top = max(max(_curve(head)[0].S), 1.0)
    frame: Frame = {}
    for k, value in enumerate(state.S):
        height = (_BOTTOM - _TOP) * min(value / (1.08 * top), 1.0)
        owner = max(range(len(pairs)), key=lambda p, k=k: state.query[p][k] + state.key[p][k])
        fill = COLOURS[owner % len(COLOURS)] if value > TOO_SMALL * top else GREY
        frame[f"bar{k}"] = {"y": rounded(_BOTTOM - height), "height": rounded(height), "fill": fill}
        frame[f"value{k}"] = {"text": f"{value:.1f}", "y": rounded(_BOTTOM - height - 5)}
        for side, cosines in (("u", state.query), ("v", state.key)):
            for p in range(len(pairs)):
                frame[f"{side}{p}{k}"] = {"fill-opacity": rounded(cosines[p][k], 2)}
    across = rounded(_across(offset))
    frame["cursor"] = {"x1": across, "x2": across}
    for p, (score, target) in enumerate(zip(state.score, state.target, strict=True)):
        frame[f"dot{p}"] = {"cx": across, "cy": rounded(_up(score, top))}
        curve = _curve(head)
        frame[f"score{p}"] = {"d": _path([row.score[p] for row in curve], top)}
        frame[f"target{p}"] = {"d": _path([row.target[p] for row in curve], top)}
        frame[f"say{p}"] = {"text": f"{_signed(score)} ({_signed(target)})"}
    frame["say-offset"] = {"text": f"{offset:g}"}
    frame["say-turn"] = {"text": f"{state.turn:.1f}"}
    frame["note"] = {"text": _note(head, state)}
    return frame


def offset_frames(heads: Mapping[int, RotaryHead] | None = None) -> FrameExplorer:
    """The head at every offset, for a page without a kernel. End a cell with the call.

    Args:
        heads: band of the positional pair -> model with four pairs of interest; :func:`stored_heads` by default.

    Raises:
        ValueError: for models that do not have four pairs each, or fewer than two.

    Example:
        >>> offset_frames()
        <FrameExplorer 'A rotary head at each offset', 200 frames>
    """
    heads = stored_heads() if heads is None else dict(sorted(heads.items()))
    counts = {len(head.config.pairs) for head in heads.values()}
    if len(heads) < 2 or counts != {len(COLOURS)}:
        raise ValueError(f"at least two models with {len(COLOURS)} pairs each are needed, got {len(heads)}: {counts}")
    bands = tuple(heads)
    sliders = (
        Slider("offset", "offset Δ", tuple(range(LAST + 1)), 0, "", 0.5),
        Slider("band", "band of the positional pair", bands, 1 if 1 in bands else bands[0], "", 1),
    )
    pairs = next(iter(heads.values())).config.ranked_pairs
    render = functools.partial(offset_frame, heads)
    return FrameExplorer("A rotary head at each offset", sliders, _picture(pairs), render, readout=_readout(pairs))


def offset_explorer(heads: Mapping[int, RotaryHead] | None = None):
    """The same explorer with ipywidgets, for offsets in between too, where a kernel runs.

    Example:
        >>> type(offset_explorer()).__name__
        'VBox'
    """
    return offset_frames(heads).live()


def _states(head: RotaryHead, offsets: list[float]) -> list[OffsetState]:
    """All offsets in one SVD; the first matrix is that of offset 0, to measure turns from."""
    config, pairs = head.config, head.config.ranked_pairs
    m, at = len(pairs), torch.tensor([0.0, *offsets], dtype=torch.float64)
    svd = qk_svd_at_offset(head.W_Q, head.W_K, config.rotary, at)
    read = [head.W[:, list(side)] for side in zip(*pairs, strict=True)]
    cosines = [(unit(F).mT @ X).abs().clamp_max(1)[..., :m] for F, X in zip(read, (svd.U, svd.V), strict=True)]
    scores = ((read[0].mT @ svd.U) * svd.S[:, None] @ (svd.V.mT @ read[1])).diagonal(dim1=-2, dim2=-1)
    # A pair's own vector may change rank: it is the one nearest to its vector at offset 0.
    kept = [(X[0, :, :m].mT @ X[..., :m]).abs().amax(-1).clamp_max(1) for X in (svd.U, svd.V)]
    turn = torch.rad2deg(torch.minimum(*kept).amin(-1).acos())
    strength = dict(((i, j), t) for i, j, t in config.pairs)
    moving = {(i, j): config.rotary.frequencies[band] for i, j, band in config.bands}
    return [
        OffsetState(
            tuple(svd.S[row, :m].tolist()),
            *(tuple(map(tuple, side[row].tolist())) for side in cosines),
            tuple(scores[row].tolist()),
            tuple(strength[pair] * math.cos(moving.get(pair, 0.0) * at[row].item()) for pair in pairs),
            turn[row].item(),
        )
        for row in range(1, len(at))
    ]


@functools.lru_cache(maxsize=64)
def _curve(head: RotaryHead) -> list[OffsetState]:
    return _states(head, [float(offset) for offset in range(LAST + 1)])


def _signed(value: float) -> str:
    return f"{rounded(value):.1f}".replace("-", "−")


def _note(head: RotaryHead, state: OffsetState) -> str:
    strength = sorted((abs(t) for *_, t in head.config.pairs), reverse=True)
    swing = min((value / full for value, full in zip(state.target, strength, strict=True)), key=lambda s: s)
    if abs(swing) < 0.05:
        return "The positional pair asks for almost nothing here: its singular value is nearly 0."
    if swing < 0:
        return "The positional pair's score is negative: the singular value is its size, and v has changed sign."
    return "All scores are positive here, and each pair lies on a singular vector."


# The picture: bars of singular values, two grids of |cos|, and the scores over all offsets.
_TOP, _BOTTOM, _LEFT, _RIGHT = 50, 250, 490, 685
_BAR, _CELL, _GRIDS = 34, 28, {"u": 194, "v": 334}


def _across(offset: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * offset / LAST


def _up(score: float, top: float) -> float:
    middle = (_TOP + _BOTTOM) / 2
    return middle - (middle - _TOP) * max(-1.0, min(1.0, score / (1.1 * top)))


def _path(scores: list[float], top: float) -> str:
    points = (f"{_across(offset):.0f} {_up(score, top):.1f}" for offset, score in enumerate(scores))
    return "M" + "L".join(points)


def _picture(pairs: tuple[tuple[int, int], ...]) -> str:
    bars = "".join(
        f'<rect data-part="bar{k}" x="{22 + k * (_BAR + 4)}" width="{_BAR}"/>'
        f'<text data-part="value{k}" x="{22 + k * (_BAR + 4) + _BAR / 2:g}" text-anchor="middle"/>'
        f'<text x="{22 + k * (_BAR + 4) + _BAR / 2:g}" y="268" text-anchor="middle">σ{"₁₂₃₄"[k]}</text>'
        for k in range(len(pairs))
    )
    grids = "".join(_grid(side, [pair[side == "v"] for pair in pairs]) for side in _GRIDS)
    lines = "".join(
        f'<path data-part="target{p}" fill="none" stroke="currentColor" stroke-opacity=".55" stroke-dasharray="2 4"/>'
        f'<path data-part="score{p}" fill="none" stroke="{COLOURS[p]}" stroke-width="2"/>'
        for p in range(len(pairs))
    )
    dots = "".join(f'<circle data-part="dot{p}" r="5" fill="{COLOURS[p]}"/>' for p in range(len(pairs)))
    zero = (_TOP + _BOTTOM) / 2
    return (
        f'<svg viewBox="0 0 700 290"><text x="96" y="20" text-anchor="middle">singular values</text>{bars}{grids}'
        f'<text x="{(_LEFT + _RIGHT) / 2:g}" y="20" text-anchor="middle">scores over the offset</text>'
        f'<line x1="{_LEFT}" x2="{_RIGHT}" y1="{zero:g}" y2="{zero:g}" stroke="currentColor" stroke-opacity=".3"/>'
        f'<text x="{_LEFT - 4}" y="{zero + 4:g}" text-anchor="end">0</text>'
        f'<text x="{_LEFT}" y="268" text-anchor="middle">0</text>'
        f'<text x="{(_LEFT + _RIGHT) / 2:g}" y="268" text-anchor="middle">Δ</text>'
        f'<text x="{_RIGHT}" y="268" text-anchor="middle">{LAST}</text>{lines}'
        f'<line data-part="cursor" y1="{_TOP - 10}" y2="{_BOTTOM}" stroke="currentColor" stroke-opacity=".4"/>{dots}'
        "</svg>"
    )


def _grid(side: str, features: list[int]) -> str:
    """|cos| as shades: rows are features in the colours of their pairs, columns singular vectors."""
    left = _GRIDS[side]
    head = f'<text x="{left + 2 * _CELL}" y="20" text-anchor="middle">{"query" if side == "u" else "key"} side</text>'
    columns = "".join(
        f'<text x="{left + (k + 0.5) * _CELL:g}" y="{_TOP + 32}" text-anchor="middle">{side}{"₁₂₃₄"[k]}</text>'
        for k in range(len(features))
    )
    rows = "".join(
        f'<text x="{left - 5}" y="{_TOP + 44 + (p + 0.65) * _CELL:g}" text-anchor="end">f{_subscript(feature)}</text>'
        + "".join(
            f'<rect data-part="{side}{p}{k}" x="{left + k * _CELL}" y="{_TOP + 44 + p * _CELL}" width="{_CELL}" '
            f'height="{_CELL}" fill="{COLOURS[p]}" stroke="currentColor" stroke-opacity=".3"/>'
            for k in range(len(features))
        )
        for p, feature in enumerate(features)
    )
    return head + columns + rows


def _subscript(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def _readout(pairs: tuple[tuple[int, int], ...]) -> str:
    said = ", ".join(f'pair ({i}, {j}) <span data-part="say{p}"></span>' for p, (i, j) in enumerate(pairs))
    return (
        f'<p>At offset <span data-part="say-offset"></span> the scores, with their targets in brackets, are: {said}. '
        'No singular vector has turned by more than <span data-part="say-turn"></span>° from where it was at offset 0.'
        '</p><p data-part="note"></p>'
    )
