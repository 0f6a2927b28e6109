"""The explorer of Theorem 3: the free query feature x and key feature y turn as lambda grows (paper, appendix B.3)."""

import functools
import itertools
import math
from typing import NamedTuple

import torch

from svf_helpers.chapters.kit import svg
from svf_helpers.chapters.kit.readout import readout, says
from svf_helpers.chapters.kit.scene import Frame, FrameExplorer, Slider, rounded
from svf_helpers.theory import TwoPairHead, orthogonal_comparison, theorem3_bound, theorem3_minimizer

SIGMA = (3.0, 2.0)  # singular values of the fixed head
FIXED, FREE, BOUND = svg.GREY, svg.BLUE, svg.ORANGE
FLOOR = 1e-8  # interference below this is drawn, and said, as 0
Setting = tuple[float, float, float]  # log_lam, gap_1, gap_2


class LambdaState(NamedTuple):
    """The minimiser for one lambda and teacher: coordinates along the fixed and the free direction, and Theorem 3."""

    x: tuple[float, float]
    y: tuple[float, float]
    interference: float
    bound: float
    reachable: bool


def lambda_state(log_lam: float, gap_1: float, gap_2: float) -> LambdaState:
    r"""The minimiser of Theorem 3's objective at $\lambda = 10^{\text{log\_lam}}$, for a head with sigma = 3 and 2.

    The teacher's logit gaps are ``gap_1`` for query f_1, where orthogonal pairs give 3, and ``gap_2`` for query x,
    where they give -2 to 2.

    >>> state = lambda_state(0.0, 3.0, -2.0)  # the head itself as teacher: orthogonal for every lambda
    >>> round(state.interference, 6), state.reachable
    (0.0, True)
    """
    return _states([(log_lam, gap_1, gap_2)])[0]


def lambda_frame(log_lam: float, gap_1: float, gap_2: float) -> Frame:
    """What the picture shows at one setting: the numbers of :func:`lambda_state`, as attributes and words."""
    key = (float(log_lam), float(gap_1), float(gap_2))
    state = _grid()[key] if key in _grid() else lambda_state(*key)
    frame: Frame = {}
    for name, vector in (("x", state.x), ("y", state.y)):
        frame[name] = {"x2": rounded(_R * vector[0]), "y2": rounded(-_R * vector[1])}
        frame[f"{name}-tip"] = {"cx": rounded(_R * vector[0]), "cy": rounded(-_R * vector[1])}
        frame[f"{name}-shade"] = {"x2": rounded(_R * vector[0]), "x1": 0}
        lift = -4 if vector[1] < 0 else 4
        frame[f"{name}-name"] = {"x": rounded(1.18 * _R * vector[0] + 10), "y": rounded(-1.13 * _R * vector[1] + lift)}
        frame |= says(**{name: f"{_degrees(vector):.1f}"})
    across = rounded(_ACROSS(log_lam))
    for name, value in (("dot", state.interference), ("bound", state.bound)):
        decade = min(math.log10(max(value, FLOOR)), _UP.high)
        frame[name] = {"cx": across, "cy": rounded(_UP(decade)), "opacity": int(value >= FLOOR)}
        frame |= says(**{name: _number(value)})
    frame["cursor"] = {"x1": across, "x2": across}
    frame["nothing"] = {"opacity": int(state.interference < FLOOR)}
    return frame | says(lam=f"{10.0**log_lam:.3g}", note=_note(state))


def lambda_frames() -> FrameExplorer:
    """x and y turning as lambda grows, for a page without a kernel. End a cell with the call."""
    return FrameExplorer("Two features turn as λ grows", _SLIDERS, _picture(), lambda_frame, readout=_READOUT)


def _states(settings: list[Setting]) -> list[LambdaState]:
    """All of them in one search."""
    log_lam, gap_1, gap_2 = torch.tensor(settings, dtype=torch.float64).T
    head, lam = TwoPairHead(*SIGMA, gap_1, gap_2), 10.0**log_lam
    found, orthogonal = theorem3_minimizer(head, lam), orthogonal_comparison(head)
    # rounding of the two losses must not show as a bound
    excess = (orthogonal.cross_entropy - found.cross_entropy).clamp_min(0)
    bound = torch.as_tensor(theorem3_bound(torch.where(excess < 1e-14, 0.0, excess), 0.0, lam))
    first, second = head.gaps(orthogonal.x, orthogonal.y)
    reached = ((first - gap_1).abs() < 1e-9) & ((second - gap_2).abs() < 1e-9)
    columns = found.x.tolist(), found.y.tolist(), found.interference.tolist(), bound.tolist(), reached.tolist()
    return [
        LambdaState((x[0], x[1]), (y[0], y[1]), crossing, limit, ok)
        for x, y, crossing, limit, ok in zip(*columns, strict=True)
    ]


@functools.cache
def _grid() -> dict[Setting, LambdaState]:
    lams, first, second = (map(float, slider.values) for slider in _SLIDERS)
    settings = list(itertools.product(lams, first, second))
    return dict(zip(settings, _states(settings), strict=True))


def _number(value: float) -> str:
    return "0" if value < FLOOR else f"{value:.2g}" if value >= 0.001 else f"{value:.0e}"


def _degrees(vector: tuple[float, float]) -> float:
    """Angle with the fixed feature, of the unit vector (which may lean out of the plane)."""
    return rounded(math.degrees(math.acos(max(-1.0, min(1.0, vector[0])))))


def _note(state: LambdaState) -> str:
    if state.reachable:
        return "An orthogonal pair reaches this teacher: both stay at a right angle for every λ above 0."
    if state.interference > 0.1:
        return "The penalty is weak: both bend to come closer to the teacher's gaps."
    if state.bound < 2.2 * state.interference:
        return "The penalty rules: interference falls as 1/λ², and the bound is twice as large."
    return "In between: each step of λ turns both further towards a right angle."


# The picture: two planes with one unit _R pixels long, and a log-log chart of interference against lambda.
_R = 95
_ACROSS, _UP = svg.Scale(-2, 3, 535, 675), svg.Scale(math.log10(FLOOR), 3, 250, 40)  # of decades, both
_SLIDERS = (
    Slider("log_lam", "log₁₀ λ", tuple(k / 4 for k in range(-8, 13)), -2.0, "", 0.05),
    Slider("gap_1", "teacher's gap for query f₁ (orthogonal: 3)", (1, 2, 3, 4), 1, "", 0.5),
    Slider("gap_2", "teacher's gap for query x (orthogonal: −2 to 2)", (-6, -4, -3, -2), -4, "", 0.5),
)
_READOUT = readout(
    "λ = {lam}: x stands at {x}° to f₁, y at {y}° to g₁. Interference {dot}, at most {bound} by Theorem 3.", "{note}"
)


@functools.cache
def _picture() -> str:
    middle = (_ACROSS.start + _ACROSS.end) / 2
    decades: dict[float, str] = {-8: "10⁻⁸", -6: "10⁻⁶", -4: "10⁻⁴", -2: "10⁻²", 0: "1", 2: "100"}
    return svg.picture(
        290, _plane(125, "x", "f₁ = u₁", "u₂", "queries"), _plane(365, "y", "g₁ = v₁", "v₂", "keys"),
        svg.words(middle, 20, "interference, bound"), svg.levels(_UP, decades, _ACROSS.start, _ACROSS.end, floor=-8),
        svg.ticks(_ACROSS, {-2: ".01", 0: "1", 3: "1000"}, 268), svg.words(middle, 286, "λ"),
        svg.line(None, _UP.end, None, _UP.start, part="cursor", opacity=0.4),
        svg.element("circle", part="bound", r=6, fill="none", stroke=BOUND, stroke_width=3),
        svg.element("circle", part="dot", r=6, fill=FREE),
        svg.words(middle, (_UP.start + _UP.end) / 2, "both are 0", part="nothing"),
    )


def _plane(x: int, name: str, fixed: str, free: str, side: str) -> str:
    """Unit circle; the fixed feature points right, the direction of the second singular vector up."""
    return svg.plane(
        x, 150, side, svg.arrow(_R + 2, FIXED, 3), svg.words(_R - 4, 20, fixed, anchor="end"),
        svg.line(0, 0, 0, -_R, dash="3 4", opacity=0.6), svg.words(-8, 16 - _R, free, anchor="end"),
        svg.line(None, 0, None, 0, colour=BOUND, width=5, part=f"{name}-shade"),
        svg.line(0, 0, None, None, colour=FREE, width=5, cap="round", part=name),
        svg.element("circle", part=f"{name}-tip", r=6, fill=FREE),
        svg.words(None, None, name, anchor="start", part=f"{name}-name", colour=FREE), circle=_R,
    )
