"""Explorer: a tight frame in the plane, stretched along one direction, for the chapter on Theorem 2.

It shows the features, C as an ellipse, the singular vector u, the anti-whitened u, their angle, and both bounds.
"""

import functools
import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from svf_helpers.chapters.kit.scene import Frame, FrameExplorer, Slider, rounded
from svf_helpers.features import distorted_dictionary, gram, unit
from svf_helpers.theory import alignment_cosine, best_scale, condition_number, feature_detector, sharp_bound
from svf_helpers.theory import theorem2_bound as paper_bound

# Each colour has a contrast of 3 or more with white and with the dark mode's grey.
FEATURE, VECTOR, PAPER = "#0072B2", "#C24E00", "#8F5A9E"


@dataclass(frozen=True)
class StretchedPlane:
    r"""Three features in the plane and the singular vector that Theorem 1 gives feature 0; see :func:`stretched_plane`.

    Columns of ``features`` are scaled so that the eigenvalues of C have mean 1; then $C = I + E$ with
    ``epsilon`` = $\|E\|_2$. ``u`` and ``anti_whitened`` (C u) have length 1, ``cosine`` is that of u and feature 0.
    ``sharp`` and ``theorem2`` are the two lower bounds on it; ``theorem2`` is 0 where Theorem 2 is silent.
    """

    features: Float[Tensor, "2 3"]
    u: Float[Tensor, " 2"]
    anti_whitened: Float[Tensor, " 2"]
    kappa: float
    epsilon: float
    cosine: float
    sharp: float
    theorem2: float


def stretched_plane(delta: float, direction: float) -> StretchedPlane:
    r"""Three unit features 60 degrees apart, stretched by $\sqrt{1+\delta}$ along one direction, in float64.

    Before the stretch they are a tight frame. After it $C \propto I + \delta\, w w^\top$ with w the direction, so
    that $\kappa = 1 + \delta$, as in the paper's appendix C.3. Feature 0 was at 0 degrees.

    Args:
        delta: the stretch, at least 0.
        direction: of the stretch, in degrees.

    Raises:
        ValueError: for a delta that is negative or not finite, or a direction that is not finite.

    Example:
        >>> plane = stretched_plane(8.0, 45.0)
        >>> round(plane.kappa, 6), round(plane.cosine, 6), round(plane.sharp, 6)
        (9.0, 0.6, 0.6)
    """
    if not math.isfinite(direction):
        raise ValueError(f"direction = {direction}: a finite number of degrees is needed")
    angles = torch.deg2rad(torch.tensor([0.0, 60.0, 120.0], dtype=torch.float64))
    turn = math.radians(direction)
    along = torch.tensor([math.cos(turn), math.sin(turn)], dtype=torch.float64)
    W = distorted_dictionary(torch.stack([angles.cos(), angles.sin()]), delta, along)
    scale, epsilon = best_scale(W)
    W = W / scale.sqrt()
    u = unit(feature_detector(W, 0)[:, None])[:, 0]
    kappa = max(float(condition_number(W)), 1.0)
    return StretchedPlane(
        W, u, unit((gram(W) @ u)[:, None])[:, 0], kappa, float(epsilon), float(alignment_cosine(W, 0)),
        sharp_bound(kappa), paper_bound(float(epsilon)),
    )


def stretched_plane_frames() -> FrameExplorer:
    """The stretched plane for a page without a kernel: 16 stretches, 19 directions. End a cell with the call.

    Example:
        >>> stretched_plane_frames()
        <FrameExplorer 'A stretched dictionary', 304 frames>
    """
    return FrameExplorer("A stretched dictionary", _SLIDERS, _picture(), stretched_plane_frame, readout=_READOUT)


def stretched_plane_explorer():
    """The same explorer with ipywidgets, at any stretch and direction, for a running kernel (Jupyter or Colab).

    Example:
        >>> delta, direction, picture = stretched_plane_explorer().children
        >>> delta.value = 0
        >>> "A tight frame" in picture.value
        True
    """
    return stretched_plane_frames().live()


def stretched_plane_frame(delta: float, direction: float) -> Frame:
    """What the picture shows at one setting: the numbers of :func:`stretched_plane`, as attributes and words.

    Example:
        >>> stretched_plane_frame(8, 45)["say-cosine"]["text"]
        '0.60'
    """
    plane = stretched_plane(delta, direction)
    frame: Frame = {
        "ellipse": {"rx": rounded(_R * math.sqrt(1 + plane.epsilon)), "ry": rounded(_R * math.sqrt(1 - plane.epsilon))},
        "ellipse-turn": {"transform:rotate": rounded(-direction)},
    }
    feature = _degrees(plane.features[:, 0])
    for i in range(3):
        turn, length = _degrees(plane.features[:, i]), float(plane.features[:, i].norm())
        frame[f"f{i}"] = {"transform:rotate": rounded(-turn)}
        frame[f"f{i}-shaft"] = {"x2": rounded(_R * length - 7)}
        frame[f"f{i}-head"] = {"transform:translate": f"{rounded(_R * length)} 0"}
        frame[f"f{i}-name"] = _place(turn, length + 0.19)
    turn = _degrees(plane.u)
    frame["u"] = {"transform:rotate": rounded(-turn)}
    # Names stand beside their lines: u's on the side where the feature is not, the feature's on the other one.
    aside = -1 if turn < feature + 1e-9 else 1
    frame["u-name"] = _place(turn + 9 * aside, 1.32)
    length = float(plane.features[:, 0].norm())
    frame["f0-name"] = _place(feature - aside * math.degrees(math.atan(0.17 / length)), math.hypot(length, 0.17))
    frame["anti"] = {"transform:rotate": rounded(-_degrees(plane.anti_whitened))}
    x = _across(plane.epsilon)
    frame["mark"] = {"x1": x, "x2": x}
    frame["measured"] = {"cx": x, "cy": _up(plane.cosine)}
    frame["sharp"] = {"cx": x, "cy": _up(plane.sharp)}
    angle = math.degrees(math.acos(min(plane.cosine, 1.0)))
    least = math.degrees(math.acos(min(plane.sharp, 1.0)))
    frame["say-kappa"] = {"text": f"{rounded(plane.kappa, 2):g}"}
    frame["say-epsilon"] = {"text": f"{rounded(plane.epsilon, 2):.2f}"}
    frame["say-angle"] = {"text": f"{rounded(angle):.1f}"}
    frame["say-cosine"] = {"text": f"{rounded(plane.cosine, 2):.2f}"}
    frame["say-sharp"] = {"text": f"cosine at least {rounded(plane.sharp, 2):.2f}, angle at most {rounded(least):.1f}°"}
    frame["say-paper"] = {"text": f"cosine at least {rounded(plane.theorem2, 2):.2f}" if plane.theorem2 else "silent"}
    frame["note"] = {"text": _note(plane, delta)}
    return frame


def _note(plane: StretchedPlane, delta: float) -> str:
    if delta == 0:
        return "A tight frame: C is a multiple of the identity, and u lies on the feature."
    if plane.cosine > 1 - 1e-9:
        return "The feature lies on an axis of the ellipse: u lies on it too, however strong the stretch."
    if plane.cosine < plane.sharp + 1e-9:
        return "The worst direction for this stretch: the sharp bound is attained."
    return "u turns towards the short axis of the ellipse; multiplied by C it is back on the feature."


# The picture: a plane with its centre at _CENTRE and one unit _R pixels long, and a graph of cosine against epsilon.
_R, _CENTRE, _HEIGHT = 76, (165, 150), 300
_LEFT, _FLOOR, _SIDE = 420, 245, 210

_SLIDERS = (
    Slider("delta", "stretch δ", (0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 1, 2, 3, 5, 8, 12, 20, 35, 50), 3, "", 0.05),
    Slider("direction", "its direction, from feature 0", tuple(range(0, 91, 5)), 30, "°", 1),
)
_READOUT = (
    '<p>κ = <span data-part="say-kappa"></span>, ‖E‖ = <span data-part="say-epsilon"></span>. Angle of u and f₀: '
    '<span data-part="say-angle"></span>°, cosine <span data-part="say-cosine"></span>. Sharp bound: '
    '<span data-part="say-sharp"></span>. Theorem 2: <span data-part="say-paper"></span>.</p>'
    '<p data-part="note"></p>'
)


def _degrees(vector: Tensor) -> float:
    """Direction of a vector in degrees, counter-clockwise."""
    return math.degrees(math.atan2(float(vector[1]), float(vector[0])))


def _place(degrees: float, radius: float) -> Frame:
    """Coordinates of a point in the plane's own pixels: y points down."""
    turn = math.radians(degrees)
    return {"x": rounded(_R * radius * math.cos(turn)), "y": rounded(4 - _R * radius * math.sin(turn))}


def _across(epsilon: float) -> float:
    return rounded(_LEFT + _SIDE * epsilon)


def _up(cosine: float) -> float:
    return rounded(_FLOOR - _SIDE * cosine)


def _curve(bound, last: float, points: int = 60) -> str:
    steps = [last * math.sin(math.pi / 2 * k / points) for k in range(points + 1)]  # denser where curves fall steeply
    return "M" + " L".join(f"{_across(epsilon)} {_up(bound(epsilon))}" for epsilon in steps)


@functools.cache
def _picture() -> str:
    features = "".join(
        f'<g data-part="f{i}"><line data-part="f{i}-shaft" x1="0" y1="0" y2="0" stroke="{colour}" '
        f'stroke-width="{width}"/><path data-part="f{i}-head" d="M0 0 l-11 -5 v10 z" fill="{colour}"/></g>'
        f'<text data-part="f{i}-name" text-anchor="middle">f{"₀₁₂"[i]}</text>'
        for i, colour, width in ((2, "currentColor", 1.6), (1, "currentColor", 1.6), (0, FEATURE, 3.5))
    )
    plane = (
        '<text x="165" y="20" text-anchor="middle">features, C as an ellipse, u</text>'
        f'<g transform="translate({_CENTRE[0]} {_CENTRE[1]})"><g data-part="ellipse-turn"><ellipse data-part="ellipse" '
        'fill="currentColor" fill-opacity="0.08" stroke="currentColor" stroke-opacity="0.45"/></g>'
        f'<g data-part="anti"><line x1="{-1.6 * _R:g}" x2="{1.6 * _R:g}" y1="0" y2="0" stroke="{VECTOR}" '
        'stroke-width="2" stroke-dasharray="3 6"/></g>'
        f'<g data-part="u"><line x1="{-1.2 * _R:g}" x2="{1.2 * _R:g}" y1="0" y2="0" stroke="{VECTOR}" '
        f'stroke-width="5" stroke-linecap="round"/></g>{features}'
        f'<text data-part="u-name" text-anchor="middle" style="fill:{VECTOR};font-weight:600">u</text></g>'
        '<text x="165" y="292" text-anchor="middle">dotted: anti-whitened, C u</text>'
    )
    ticks = "".join(
        f'<text x="{_LEFT - 8}" y="{_up(v) + 4}" text-anchor="end">{v:g}</text>'
        f'<text x="{_across(v)}" y="{_FLOOR + 18}" text-anchor="middle">{v:g}</text>' for v in (0, 0.5, 1)
    )
    sharp = _curve(lambda epsilon: math.sqrt((1 - epsilon) * (1 + epsilon)), 1.0)
    paper = _curve(paper_bound, 1 - math.sqrt(2 / 3))
    graph = (
        f'<text x="{_LEFT + _SIDE / 2:g}" y="20" text-anchor="middle">cosine of u and f₀, and its bounds</text>'
        f'<path d="M{_LEFT} {_FLOOR - _SIDE} V{_FLOOR} H{_LEFT + _SIDE}" fill="none" stroke="currentColor" '
        f'stroke-opacity="0.6"/>{ticks}<text x="{_LEFT + _SIDE / 2:g}" y="{_FLOOR + 42}" text-anchor="middle">'
        f'‖E‖ at the best scale of C</text><path d="{sharp}" fill="none" stroke="{FEATURE}" stroke-width="2.5"/>'
        f'<path d="{paper}" fill="none" stroke="{PAPER}" stroke-width="2.5" stroke-dasharray="7 3"/>'
        f'<text x="{_across(0.62)}" y="{_up(0.62)}" text-anchor="end" style="fill:{FEATURE}">sharp bound</text>'
        f'<text x="{_across(0.21)}" y="{_up(0.1)}" style="fill:{PAPER}">Theorem 2</text>'
        f'<line data-part="mark" y1="{_FLOOR}" y2="{_FLOOR - _SIDE}" stroke="currentColor" stroke-opacity="0.25"/>'
        f'<circle data-part="sharp" r="4" fill="white" stroke="{FEATURE}" stroke-width="2"/>'
        f'<circle data-part="measured" r="5.5" fill="{VECTOR}"/>'
    )
    return f'<svg viewBox="0 0 700 {_HEIGHT}">{plane}{graph}</svg>'
