"""The explorer of the chapter on robustness: one cell of the phase map over p and lambda, and what a run may end as.

Every frame is read off the stored result ``phase-map``; nothing is trained or interpolated.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from svf_helpers.chapters.kit.scene import Frame, FrameExplorer, Slider
from svf_helpers.experiments import Result, load

ALIGNED = 0.95  # |cos| above which a feature counts as lying on a singular vector
OUTCOMES = ("own", "swapped", "shared", "mixed")


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


def shared_pairs(
    best: Float[np.ndarray, "P 2"], vector: Int[np.ndarray, "P 2"], threshold: float = ALIGNED
) -> tuple[tuple[int, ...], ...]:
    """Groups of pairs (numbered from 1) that lie on one u_k and its v_k, every |cos| above ``threshold``.

    Args:
        best: |cos| of each pair with its best vectors, query and key side.
        vector: which vectors those are.
        threshold: from where a feature counts as lying on its vector.

    Raises:
        ValueError: for shapes that differ.

    Example:
        >>> shared_pairs(np.array([[1, 1], [1, 0.99], [1, 1]]), np.array([[0, 0], [1, 1], [0, 0]]))
        ((1, 3),)
    """
    best, vector = np.asarray(best), np.asarray(vector)
    if best.shape != vector.shape or best.ndim != 2 or best.shape[1] != 2:
        raise ValueError(f"best and vector are [pairs, 2] both, got {best.shape} and {vector.shape}")
    seats: dict[int, list[int]] = {}
    for pair, (values, (left, right)) in enumerate(zip(best, vector.tolist(), strict=True), 1):
        if values.min() > threshold and left == right:
            seats.setdefault(left, []).append(pair)
    return tuple(tuple(group) for group in seats.values() if len(group) > 1)


def outcome(
    by_rank: Float[np.ndarray, "P 2"],
    best: Float[np.ndarray, "P 2"],
    vector: Int[np.ndarray, "P 2"],
    threshold: float = ALIGNED,
) -> str:
    """What became of a run, in one word.

    ``"own"``: every feature lies on the vector of its pair's rank. Else, where every feature lies on *some* vector with
    a singular value: ``"shared"`` if pairs share one, ``"swapped"`` if they do not. ``"mixed"``: some feature lies on
    none.

    Args:
        by_rank: |cos| with the vectors of the pair's rank, query and key side.
        best: with its best vectors.
        vector: which vectors those are.
        threshold: from where a feature counts as lying on its vector.

    Raises:
        ValueError: for shapes that differ.

    Example:
        >>> good, bad = np.ones((2, 2)), np.full((2, 2), 0.1)
        >>> outcome(bad, good, np.array([[1, 1], [0, 0]])), outcome(bad, good, np.zeros((2, 2), dtype=int))
        ('swapped', 'shared')
    """
    shared = shared_pairs(best, vector, threshold)
    by_rank = np.asarray(by_rank)
    if by_rank.shape != np.shape(best):
        raise ValueError(f"by_rank and best are [pairs, 2] both, got {by_rank.shape} and {np.shape(best)}")
    if by_rank.min() > threshold:
        return "own"
    if np.min(best) <= threshold:
        return "mixed"
    return "shared" if shared else "swapped"


def phase_state(p: float, lam: float, seed: int) -> PhaseState:
    """What the stored run at one cell of the map says.

    Args:
        p: feature probability; the map's values, to within one per cent.
        lam: weight of the attention loss, likewise.
        seed: of the two, counted from 1.

    Raises:
        ValueError: for a cell or a seed that was not run.

    Example:
        >>> phase_state(0.52, 0.4, 1).outcome
        'own'
    """
    stored = _stored()
    row, column = (_place(stored[name], value, name) for name, value in (("p", p), ("lam", lam)))
    if seed not in range(1, len(stored["seed"]) + 1):
        raise ValueError(f"seed = {seed}: stored are 1 to {len(stored['seed'])}")
    at = row, column, int(seed) - 1
    by_rank, best, vector = stored["summary_cosine"][at], stored["summary_best"][at], stored["vector"][at]
    order = [*range(0, 8, 2), *range(1, 8, 2)]  # stored pair by pair; here queries before keys
    cosines = stored["feature_cosine"][at].astype(float)[np.ix_(order, order)]
    return PhaseState(
        float(stored["p"][row]), float(stored["lam"][column]), float(by_rank.mean()), float(best.mean()),
        outcome(by_rank, best, vector), shared_pairs(best, vector),
        tuple(map(tuple, cosines.tolist())), tuple(stored["summary_S"][at][:4].tolist()),
    )


def phase_frame(p: float, lam: float, seed: int) -> Frame:
    """What the picture shows at the cell next to these values: its place, its numbers in words, its cosines.

    Example:
        >>> phase_frame(1.0, 0.04, 1)["cursor"]
        {'x': 56, 'y': 28}
    """
    stored = _stored()
    row, column = (_nearest(stored[name], value) for name, value in (("p", p), ("lam", lam)))
    state = phase_state(stored["p"][row], stored["lam"][column], round(seed))
    frame: Frame = {"cursor": {"x": _LEFT + _CELL * column, "y": _TOP + _CELL * row}}
    for i in range(8):
        for j in range(i):
            frame[f"cos-{i}-{j}"] = {"fill": _diverging(state.cosines[i][j])}
    sigma = ", ".join(f"{value:.1f}" for value in state.sigma)
    says = {"p": f"{state.p:.3g}", "lam": f"{state.lam:.3g}", "rank": f"{state.by_rank:.2f}",
            "best": f"{state.best:.2f}", "sigma": sigma, "note": _note(state)}
    return frame | {f"say-{name}": {"text": text} for name, text in says.items()}


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
        Slider("seed", "seed", tuple(range(1, len(stored["seed"]) + 1)), 1, "", 1),
    )
    return FrameExplorer("One cell of the phase map", sliders, _picture(), phase_frame, readout=_READOUT)


def phase_explorer():
    """The same explorer with ipywidgets, where a kernel runs; sliders move to the nearest cell that was run.

    Example:
        >>> type(phase_explorer()).__name__
        'VBox'
    """
    return phase_frames().live()


_LEFT, _TOP, _CELL, _SIDE = 56, 28, 21, 27  # pixels: the map's corner, its cells, those of the matrix of cosines
_RIGHT = 410
_READOUT = (
    '<p>p = <span data-part="say-p"></span>, λ = <span data-part="say-lam"></span>: mean |cos| '
    '<span data-part="say-rank"></span> with the vector of the pair’s rank, <span data-part="say-best"></span> with '
    'the best vector. Largest singular values <span data-part="say-sigma"></span>.</p>'
    '<p data-part="say-note"></p>'
)


@functools.cache
def _stored() -> Result:
    return load("phase-map")


def _nearest(values: np.ndarray, value: float) -> int:
    return int(np.abs(np.log(values) - math.log(value)).argmin())


def _place(values: np.ndarray, value: float, name: str) -> int:
    if value > 0:
        place = _nearest(values, value)
        if abs(values[place] / value - 1) < 0.01 + 1e-9:
            return place
    raise ValueError(f"{name} = {value:g}: stored are {', '.join(f'{one:.3g}' for one in values)}")


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
    share = min(1.0, abs(round(10 * value)) / 10)
    end = (178, 24, 43) if value > 0 else (33, 102, 172)
    return "#" + "".join(f"{round(255 + (colour - 255) * share):02x}" for colour in end)


def _sequential(value: float) -> str:
    """White for 0, dark blue for 1."""
    return "#" + "".join(f"{round(255 + (colour - 255) * value):02x}" for colour in (8, 69, 148))


@functools.cache
def _picture() -> str:
    stored = _stored()
    mean = stored["summary_cosine"].mean((2, 3, 4))
    cells, marks = "", ""
    for row in range(len(stored["p"])):
        for column in range(len(stored["lam"])):
            x, y = _LEFT + _CELL * column, _TOP + _CELL * row
            cells += f'<rect x="{x}" y="{y}" width="{_CELL}" height="{_CELL}" fill="{_sequential(mean[row, column])}"/>'
            runs = zip(stored["summary_best"][row, column], stored["vector"][row, column], strict=True)
            if any(shared_pairs(best, vector) for best, vector in runs):
                marks += f'<circle cx="{x + _CELL / 2:g}" cy="{y + _CELL / 2:g}" r="3.5" fill="#D55E00"/>'
    rows = "".join(
        f'<text x="{_LEFT - 6}" y="{_TOP + _CELL * (k + 0.5) + 4:g}" text-anchor="end">{stored["p"][k]:.2g}</text>'
        for k in range(0, len(stored["p"]), 2)
    )
    columns = "".join(
        f'<text x="{_LEFT + _CELL * (k + 0.5):g}" y="{_TOP + _CELL * 12 + 16}" text-anchor="middle">'
        f'{stored["lam"][k]:.2g}</text>' for k in range(0, len(stored["lam"]), 2)
    )
    return (
        f'<svg viewBox="0 0 700 326"><text x="{_LEFT + 6 * _CELL}" y="18" text-anchor="middle">'
        f'mean |cos| by rank; dot: pairs share, in either seed</text>{cells}{marks}{rows}{columns}'
        f'<text x="{_LEFT + 6 * _CELL}" y="318" text-anchor="middle">λ (rows: p)</text>'
        f'<rect data-part="cursor" width="{_CELL}" height="{_CELL}" fill="none" stroke="#D55E00" stroke-width="3"/>'
        f"{_matrix()}</svg>"
    )


def _matrix() -> str:
    """Eight by eight cells, query features of pairs 1 to 4 first; the two halves of a symmetric pair move together."""
    squares = ""
    for i in range(8):
        for j in range(8):
            part = "" if i == j else f' data-part="cos-{max(i, j)}-{min(i, j)}"'
            fill = _diverging(1.0) if i == j else "#ffffff"
            squares += (f'<rect{part} x="{_RIGHT + _SIDE * j}" y="{_TOP + _SIDE * i}" width="{_SIDE}" '
                        f'height="{_SIDE}" fill="{fill}" stroke="#999999" stroke-width=".5"/>')
    names = [f"{'fg'[side]}{'₁₂₃₄'[k]}" for side in range(2) for k in range(4)]
    labels = "".join(
        f'<text x="{_RIGHT - 7}" y="{_TOP + _SIDE * (k + 0.5) + 4:g}" text-anchor="end">{name}</text>'
        f'<text x="{_RIGHT + _SIDE * (k + 0.5):g}" y="{_TOP + _SIDE * 8 + 16}" text-anchor="middle">{name}</text>'
        for k, name in enumerate(names)
    )
    middle = _RIGHT + 4 * _SIDE
    return (
        f'<text x="{middle}" y="18" text-anchor="middle">cosines of the features of interest</text>{squares}{labels}'
        f'<text x="{middle}" y="{_TOP + _SIDE * 8 + 38}" text-anchor="middle">f: query, g: key; red +1, blue −1</text>'
    )
