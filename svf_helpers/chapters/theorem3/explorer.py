"""The explorer of Theorem 3: the free query feature x and key feature y turn as lambda grows (paper, appendix B.3)."""

import functools
import itertools
import math
from typing import NamedTuple

import torch

from svf_helpers.chapters.kit.scene import Frame, FrameExplorer, Slider, rounded
from svf_helpers.theory import TwoPairHead, orthogonal_comparison, theorem3_bound, theorem3_minimizer

SIGMA = (3.0, 2.0)  # singular values of the fixed head
FIXED, FREE = "#6b6b6b", "#0072B2"
BOUND = "#C24E00"
FLOOR = 1e-8  # interference below this is drawn, and said, as 0


class LambdaState(NamedTuple):
    """The minimiser for one lambda and teacher: coordinates along the fixed and the free direction, and Theorem 3."""

    x: tuple[float, float]
    y: tuple[float, float]
    interference: float
    bound: float
    reachable: bool


def lambda_state(log_lam: float, gap_1: float, gap_2: float) -> LambdaState:
    r"""The minimiser of Theorem 3's objective at $\lambda = 10^{\text{log\_lam}}$, for a head with sigma = 3 and 2.

    Args:
        log_lam: decimal logarithm of lambda.
        gap_1: the teacher's logit gap for query f_1; orthogonal pairs give 3.
        gap_2: the teacher's logit gap for query x; orthogonal pairs give -2 to 2.

    Raises:
        ValueError: for numbers that are not finite.

    Example:
        >>> state = lambda_state(0.0, 3.0, -2.0)  # the head itself as teacher: orthogonal for every lambda
        >>> round(state.interference, 6), state.reachable
        (0.0, True)
    """
    for name, value in (("log_lam", log_lam), ("gap_1", gap_1), ("gap_2", gap_2)):
        if not math.isfinite(value):
            raise ValueError(f"{name} = {value}: a finite number is needed")
    return _states([(log_lam, gap_1, gap_2)])[0]


def lambda_frame(log_lam: float, gap_1: float, gap_2: float) -> Frame:
    """What the picture shows at one setting: the numbers of :func:`lambda_state`, as attributes and words.

    Example:
        >>> lambda_frame(0.0, 3.0, -2.0)["x"]
        {'x2': 0, 'y2': -95}
    """
    key = (float(log_lam), float(gap_1), float(gap_2))
    state = _grid()[key] if key in _grid() else lambda_state(*key)
    frame: Frame = {}
    for name, vector in (("x", state.x), ("y", state.y)):
        frame[name] = {"x2": rounded(_R * vector[0]), "y2": rounded(-_R * vector[1])}
        frame[f"{name}-tip"] = {"cx": rounded(_R * vector[0]), "cy": rounded(-_R * vector[1])}
        frame[f"{name}-shade"] = {"x2": rounded(_R * vector[0]), "x1": 0}
        lift = -4 if vector[1] < 0 else 4
        frame[f"{name}-name"] = {"x": rounded(1.18 * _R * vector[0] + 10), "y": rounded(-1.13 * _R * vector[1] + lift)}
    across = rounded(_across(log_lam))
    for name, value in (("dot", state.interference), ("bound", state.bound)):
        seen = value >= FLOOR
        frame[name] = {"cx": across, "cy": rounded(_up(value)), "opacity": int(seen)}
        frame[f"say-{name}"] = {"text": _number(value)}
    frame["cursor"] = {"x1": across, "x2": across}
    frame["nothing"] = {"opacity": int(state.interference < FLOOR)}
    frame["say-lam"] = {"text": f"{10.0**log_lam:.3g}"}
    degrees = [_degrees(vector) for vector in (state.x, state.y)]
    frame["say-x"], frame["say-y"] = ({"text": f"{value:.1f}"} for value in degrees)
    frame["note"] = {"text": _note(state)}
    return frame


def lambda_frames() -> FrameExplorer:
    """x and y turning as lambda grows, for a page without a kernel. End a cell with the call.

    Example:
        >>> lambda_frames()
        <FrameExplorer 'Two features turn as λ grows', 336 frames>
    """
    return FrameExplorer("Two features turn as λ grows", _SLIDERS, _picture(), lambda_frame, readout=_READOUT)


def lambda_explorer():
    """The same explorer with ipywidgets, for any lambda and teacher, where a kernel runs.

    Example:
        >>> type(lambda_explorer()).__name__
        'VBox'
    """
    return lambda_frames().live()


def _states(settings: list[tuple[float, float, float]]) -> list[LambdaState]:
    """All of them in one search."""
    log_lam, gap_1, gap_2 = torch.tensor(settings, dtype=torch.float64).T
    head, lam = TwoPairHead(*SIGMA, gap_1, gap_2), 10.0**log_lam
    found, orthogonal = theorem3_minimizer(head, lam), orthogonal_comparison(head)
    # rounding of the two losses must not show as a bound
    excess = (orthogonal.cross_entropy - found.cross_entropy).clamp_min(0)
    bound = theorem3_bound(torch.where(excess < 1e-14, 0.0, excess), 0.0, lam)
    first, second = head.gaps(orthogonal.x, orthogonal.y)
    reached = ((first - gap_1).abs() < 1e-9) & ((second - gap_2).abs() < 1e-9)
    return [
        LambdaState(tuple(x[:2]), tuple(y[:2]), crossing, limit, ok)
        for x, y, crossing, limit, ok in zip(
            found.x.tolist(), found.y.tolist(), found.interference.tolist(), bound.tolist(), reached.tolist(),
            strict=True,
        )
    ]


@functools.cache
def _grid() -> dict[tuple[float, float, float], LambdaState]:
    settings = [tuple(map(float, row)) for row in itertools.product(*(slider.values for slider in _SLIDERS))]
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
_R, _CENTRES, _HEIGHT = 95, {"x": (125, 150), "y": (365, 150)}, 290
_LEFT, _RIGHT, _TOP, _BOTTOM = 535, 675, 40, 250
_LOW, _HIGH = -8, 3  # decades of interference (and of the bound) on the chart
_SLIDERS = (
    Slider("log_lam", "log₁₀ λ", tuple(k / 4 for k in range(-8, 13)), -2.0, "", 0.05),
    Slider("gap_1", "teacher's gap for query f₁ (orthogonal: 3)", (1, 2, 3, 4), 1, "", 0.5),
    Slider("gap_2", "teacher's gap for query x (orthogonal: −2 to 2)", (-6, -4, -3, -2), -4, "", 0.5),
)
_READOUT = (
    '<p>λ = <span data-part="say-lam"></span>: x stands at <span data-part="say-x"></span>° to f₁, y at '
    '<span data-part="say-y"></span>° to g₁. Interference <span data-part="say-dot"></span>, at most '
    '<span data-part="say-bound"></span> by Theorem 3.</p><p data-part="note"></p>'
)


def _across(log_lam: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * (log_lam + 2) / 5


def _up(value: float) -> float:
    decade = min(max(math.log10(max(value, FLOOR)), _LOW), _HIGH)
    return _BOTTOM - (_BOTTOM - _TOP) * (decade - _LOW) / (_HIGH - _LOW)


@functools.cache
def _picture() -> str:
    planes = _plane("x", "f₁ = u₁", "u₂", "queries") + _plane("y", "g₁ = v₁", "v₂", "keys")
    rows = "".join(
        f'<line x1="{_LEFT}" x2="{_RIGHT}" y1="{_up(10.0**k):.1f}" y2="{_up(10.0**k):.1f}" stroke="currentColor" '
        f'stroke-opacity=".2"/><text x="{_LEFT - 5}" y="{_up(10.0**k) + 4:.1f}" text-anchor="end">{words}</text>'
        for k, words in ((-8, "10⁻⁸"), (-6, "10⁻⁶"), (-4, "10⁻⁴"), (-2, "10⁻²"), (0, "1"), (2, "100"))
    )
    ticks = "".join(
        f'<text x="{_across(k):g}" y="268" text-anchor="middle">{words}</text>'
        for k, words in ((-2, ".01"), (0, "1"), (3, "1000"))
    )
    return (
        f'<svg viewBox="0 0 700 {_HEIGHT}">{planes}'
        f'<text x="{(_LEFT + _RIGHT) / 2:g}" y="20" text-anchor="middle">interference, bound</text>{rows}{ticks}'
        f'<text x="{(_LEFT + _RIGHT) / 2:g}" y="286" text-anchor="middle">λ</text>'
        f'<line data-part="cursor" y1="{_TOP}" y2="{_BOTTOM}" stroke="currentColor" stroke-opacity=".4"/>'
        f'<circle data-part="bound" r="6" fill="none" stroke="{BOUND}" stroke-width="3"/>'
        f'<circle data-part="dot" r="6" fill="{FREE}"/>'
        f'<text data-part="nothing" x="{(_LEFT + _RIGHT) / 2:g}" y="{(_TOP + _BOTTOM) / 2:g}" text-anchor="middle">'
        "both are 0</text></svg>"
    )


def _plane(name: str, fixed: str, free: str, side: str) -> str:
    """Unit circle; the fixed feature points right, the direction of the second singular vector up."""
    x, y = _CENTRES[name]
    return (
        f'<text x="{x}" y="20" text-anchor="middle">{side}</text><g transform="translate({x} {y})">'
        f'<circle r="{_R}" fill="none" stroke="currentColor" stroke-opacity="0.25"/>'
        f'<line x1="0" x2="{_R}" y1="0" y2="0" stroke="{FIXED}" stroke-width="3"/>'
        f'<path d="M{_R + 2} 0 l-11 -5 v10 z" fill="{FIXED}"/>'
        f'<text x="{_R - 4}" y="20" text-anchor="end">{fixed}</text>'
        f'<line x1="0" x2="0" y1="0" y2="{-_R}" stroke="currentColor" stroke-dasharray="3 4" stroke-opacity=".6"/>'
        f'<text x="-8" y="{-_R + 16}" text-anchor="end">{free}</text>'
        f'<line data-part="{name}-shade" y1="0" y2="0" stroke="{BOUND}" stroke-width="5"/>'
        f'<line data-part="{name}" x1="0" y1="0" stroke="{FREE}" stroke-width="5" stroke-linecap="round"/>'
        f'<circle data-part="{name}-tip" r="6" fill="{FREE}"/>'
        f'<text data-part="{name}-name" style="fill:{FREE};font-weight:600">{name}</text></g>'
    )
