"""The explorer of the chapter on robustness: one cell of the phase map over p and lambda, and what a run may end as.

Every frame is read off the stored result ``phase-map``; nothing is trained or interpolated.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from svf_helpers.chapters.kit import svg
from svf_helpers.chapters.kit.readout import readout, says, subscript
from svf_helpers.chapters.kit.scene import Frame, FrameExplorer, Slider
from svf_helpers.chapters.robustness.outcomes import outcome, seats, sharing_pairs
from svf_helpers.experiments import Result, load

__all__ = ["PhaseState", "phase_frame", "phase_frames", "phase_state"]


class PhaseState(NamedTuple):
    """One run of the map: means over its eight features of interest, and which pairs (from 1) share a vector.

    ``cosines`` are those between the features of interest, the query features of pairs 1 to 4 first, then the key
    features; ``sigma`` the four largest singular values.
    """

    p: float
    lam: float
    by_rank: float
    best: float
    outcome: str
    shared: tuple[tuple[int, ...], ...]
    cosines: tuple[tuple[float, ...], ...]
    sigma: tuple[float, ...]


def phase_state(p: float, lam: float, seed: int) -> PhaseState:
    """What the stored run at the cell of the map next to p and lambda says; seeds count from 1.

    Example:
        >>> phase_state(0.52, 0.4, 1).outcome
        'own'
    """
    stored = _stored()
    row, column = _cell(p, lam)
    at = row, column, seed - 1
    by_rank, best, vector = stored["summary_cosine"][at], stored["summary_best"][at], stored["vector"][at]
    order = [*range(0, 8, 2), *range(1, 8, 2)]  # stored pair by pair; here queries before keys
    cosines = stored["feature_cosine"][at].astype(float)[np.ix_(order, order)]
    seat = seats(best, vector)
    shared = [tuple((np.flatnonzero(seat == k) + 1).tolist()) for k in dict.fromkeys(seat.tolist()) if k >= 0]
    return PhaseState(
        float(stored["p"][row]), float(stored["lam"][column]), float(by_rank.mean()), float(best.mean()),
        str(outcome(by_rank, best, vector)), tuple(group for group in shared if len(group) > 1),
        tuple(map(tuple, cosines.tolist())), tuple(stored["summary_S"][at][:4].tolist()),
    )


def phase_frame(p: float, lam: float, seed: int) -> Frame:
    """What the picture shows at the cell next to these values: its place, its numbers in words, its cosines.

    Example:
        >>> phase_frame(1.0, 0.04, 1)["cursor"]
        {'x': 56, 'y': 28}
    """
    state, (row, column) = phase_state(p, lam, round(seed)), _cell(p, lam)
    frame: Frame = {"cursor": {"x": _LEFT + _CELL * column, "y": _TOP + _CELL * row}}
    for i in range(8):
        for j in range(i):
            frame[f"cos-{i}-{j}"] = {"fill": _diverging(state.cosines[i][j])}
    return frame | says(
        p=f"{state.p:.3g}", lam=f"{state.lam:.3g}", rank=f"{state.by_rank:.2f}", best=f"{state.best:.2f}",
        sigma=", ".join(f"{value:.1f}" for value in state.sigma), note=_note(state),
    )


def phase_frames() -> FrameExplorer:
    """The phase map with a cursor, for a page without a kernel. End a cell with the call.

    Example:
        >>> phase_frames()
        <FrameExplorer 'One cell of the phase map', 288 frames>
    """
    stored = _stored()
    p = tuple(float(f"{value:.3g}") for value in sorted(stored["p"]))
    lam = tuple(float(f"{value:.3g}") for value in sorted(stored["lam"]))
    start = min(p, key=lambda value: abs(value - 0.1)), min(lam, key=lambda value: abs(value - 0.2))
    sliders = (
        Slider("p", "feature probability p", p, start[0]),
        Slider("lam", "weight of the attention loss λ", lam, start[1]),
        Slider("seed", "seed", tuple(range(1, len(stored["seed"]) + 1)), 1),
    )
    return FrameExplorer("One cell of the phase map", sliders, _picture(), phase_frame, readout=_READOUT)


# Pixels: the map's corner and its cells, and those of the matrix of cosines.
_LEFT, _TOP, _CELL, _RIGHT, _SIDE = 56, 28, 21, 410, 27
_READOUT = readout(
    "p = {p}, λ = {lam}: mean |cos| {rank} with the vector of the pair’s rank, {best} with the best vector. Largest "
    "singular values {sigma}.", "{note}",
)


@functools.cache
def _stored() -> Result:
    return load("phase-map")


def _cell(p: float, lam: float) -> tuple[int, int]:
    """Row and column of the cell next to these values, on the map's logarithmic axes."""
    row, column = (int(np.abs(np.log(_stored()[name] / value)).argmin()) for name, value in (("p", p), ("lam", lam)))
    return row, column


def _note(state: PhaseState) -> str:
    groups = "; ".join(f"pairs {' and '.join(map(str, group))} share one singular vector" for group in state.shared)
    if state.outcome == "own":
        return "Every pair has the singular vector of its rank."
    if state.outcome == "swapped":
        return "Every feature lies on a vector of its own, though not on that of its rank."
    if state.outcome == "shared":
        return f"Superposition among the pairs of interest: {groups}."
    overlap = max(abs(state.cosines[i][j]) for i in range(8) for j in range(i))
    why = (
        "The features of interest are orthogonal to each other all the same: short training, or others overlap them."
        if overlap < 0.2 else f"The largest |cos| between two features of interest is {overlap:.2f}."
    )
    return f"Some features lie on no vector{'; ' + groups if groups else ''}. {why}"


def _diverging(value: float) -> str:
    """Red for +1, white for 0, blue for -1, in steps of .1."""
    return _shade((178, 24, 43) if value > 0 else (33, 102, 172), min(1.0, abs(round(10 * value)) / 10))


def _shade(full: tuple[int, int, int], share: float) -> str:
    """White for 0, the full colour for 1."""
    return "#" + "".join(f"{round(255 + (colour - 255) * share):02x}" for colour in full)


@functools.cache
def _picture() -> str:
    stored = _stored()
    mean = stored["summary_cosine"].mean((2, 3, 4))
    sharing = np.argwhere(sharing_pairs(stored["summary_best"], stored["vector"]).any(-1))
    every_second = {name: [f"{value:.2g}" if k % 2 == 0 else "" for k, value in enumerate(stored[name])]
                    for name in ("p", "lam")}
    middle = _LEFT + mean.shape[1] * _CELL / 2
    return svg.picture(
        326, svg.words(middle, 18, "mean |cos| by rank; dot: pairs share, in either seed"),
        svg.matrix(_LEFT, _TOP, _CELL, every_second["p"], every_second["lam"],
                   lambda i, j: {"fill": _shade((8, 69, 148), float(mean[i, j]))}, below=True),
        (svg.element("circle", cx=_LEFT + _CELL * (column + 0.5), cy=_TOP + _CELL * (row + 0.5), r=3.5, fill="#D55E00",
                     stroke="white", stroke_width=0.8) for row, column in sharing),
        svg.words(middle, 318, "λ (rows: p)"),
        (svg.element("rect", part="cursor", width=_CELL, height=_CELL, fill="none", stroke=colour, stroke_width=width)
         for colour, width in (("white", 5), ("#D55E00", 3))),
        _cosines(),
    )


def _cosines() -> str:
    """Eight by eight cells, query features of pairs 1 to 4 first; the two halves of a symmetric pair move together."""
    names = [f"{side}{subscript(k)}" for side in "fg" for k in range(1, 5)]
    look = lambda i, j: {  # noqa: E731
        "part": None if i == j else f"cos-{max(i, j)}-{min(i, j)}", "fill": _diverging(i == j), "stroke": "#999999",
        "stroke_width": 0.5}
    middle = _RIGHT + 4 * _SIDE
    return (
        svg.words(middle, 18, "cosines of the features of interest")
        + svg.matrix(_RIGHT, _TOP, _SIDE, names, names, look, below=True)
        + svg.words(middle, _TOP + 8 * _SIDE + 38, "f: query, g: key; red +1, blue −1")
    )
