"""Explorer: a tight frame in the plane, stretched along one direction, for the chapter on Theorem 2.

It shows the features, C as an ellipse, the singular vector u, the anti-whitened u, their angle, and both bounds.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from svf_helpers.chapters.kit import svg
from svf_helpers.chapters.kit.readout import readout, says, subscript
from svf_helpers.chapters.kit.scene import Frame, FrameExplorer, Slider, rounded
from svf_helpers.features import distorted_dictionary, gram, unit
from svf_helpers.theory import (
    SILENT_ABOVE,
    alignment_cosine,
    best_scale,
    condition_number,
    feature_detector,
    sharp_bound,
    sharp_bound_from_anisotropy,
    theorem2_bound,
)

FEATURE, VECTOR, PAPER = svg.BLUE, svg.ORANGE, svg.PURPLE


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

    >>> plane = stretched_plane(8.0, 45.0)
    >>> round(plane.kappa, 6), round(plane.cosine, 6), round(plane.sharp, 6)
    (9.0, 0.6, 0.6)
    """
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
        float(sharp_bound(kappa)), float(theorem2_bound(float(epsilon))),
    )


def stretched_plane_frames() -> FrameExplorer:
    """The stretched plane for a page without a kernel: 16 stretches, 19 directions. End a cell with the call."""
    return FrameExplorer("A stretched dictionary", _SLIDERS, _picture(), stretched_plane_frame, readout=_READOUT)


def stretched_plane_frame(delta: float, direction: float) -> Frame:
    """What the picture shows at one setting: the numbers of :func:`stretched_plane`, as attributes and words."""
    found = stretched_plane(delta, direction)
    frame: Frame = {
        "ellipse": {"rx": rounded(_R * math.sqrt(1 + found.epsilon)), "ry": rounded(_R * math.sqrt(1 - found.epsilon))},
        "ellipse-turn": {"transform:rotate": rounded(-direction)},
    }
    for i, vector in enumerate(found.features.T):
        turn, length = _degrees(vector), float(vector.norm())
        frame[f"f{i}"] = {"transform:rotate": rounded(-turn)}
        frame[f"f{i}-shaft"] = {"x2": rounded(_R * length - 7)}
        frame[f"f{i}-head"] = {"transform:translate": f"{rounded(_R * length)} 0"}
        frame[f"f{i}-name"] = svg.place(turn, (length + 0.19) * _R)
    turn, feature = _degrees(found.u), _degrees(found.features[:, 0])
    frame["u"] = {"transform:rotate": rounded(-turn)}
    # Names stand beside their lines: u's on the side where the feature is not, the feature's on the other one.
    aside = -1 if turn < feature + 1e-9 else 1
    frame["u-name"] = svg.place(turn + 9 * aside, 1.32 * _R)
    length = float(found.features[:, 0].norm())
    turn = feature - aside * math.degrees(math.atan(0.17 / length))
    frame["f0-name"] = svg.place(turn, math.hypot(length, 0.17) * _R)
    frame["anti"] = {"transform:rotate": rounded(-_degrees(found.anti_whitened))}
    x = rounded(_ACROSS(found.epsilon))
    frame["mark"] = {"x1": x, "x2": x}
    frame["measured"], frame["sharp"] = ({"cx": x, "cy": rounded(_UP(y))} for y in (found.cosine, found.sharp))
    angle, most = (math.degrees(math.acos(min(cosine, 1.0))) for cosine in (found.cosine, found.sharp))
    return frame | says(
        kappa=f"{rounded(found.kappa, 2):g}", epsilon=f"{rounded(found.epsilon, 2):.2f}", angle=f"{rounded(angle):.1f}",
        cosine=f"{rounded(found.cosine, 2):.2f}",
        sharp=f"cosine at least {rounded(found.sharp, 2):.2f}, angle at most {rounded(most):.1f}°",
        paper=f"cosine at least {rounded(found.theorem2, 2):.2f}" if found.theorem2 else "silent",
        note=_note(found, delta),
    )


def _note(found: StretchedPlane, delta: float) -> str:
    if delta == 0:
        return "A tight frame: C is a multiple of the identity, and u lies on the feature."
    if found.cosine > 1 - 1e-9:
        return "The feature lies on an axis of the ellipse: u lies on it too, however strong the stretch."
    if found.cosine < found.sharp + 1e-9:
        return "The worst direction for this stretch: the sharp bound is attained."
    return "u turns towards the short axis of the ellipse; multiplied by C it is back on the feature."


# The picture: a plane with one unit _R pixels long, and a graph of cosine against epsilon.
_R = 76
_ACROSS, _UP = svg.Scale(0, 1, 420, 630), svg.Scale(0, 1, 245, 35)
_SLIDERS = (
    Slider("delta", "stretch δ", (0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 1, 2, 3, 5, 8, 12, 20, 35, 50), 3, "", 0.05),
    Slider("direction", "its direction, from feature 0", tuple(range(0, 91, 5)), 30, "°", 1),
)
_READOUT = readout(
    "κ = {kappa}, ‖E‖ = {epsilon}. Angle of u and f₀: {angle}°, cosine {cosine}. Sharp bound: {sharp}. Theorem 2: "
    "{paper}.", "{note}",
)


def _degrees(vector: Tensor) -> float:
    """Direction of a vector in degrees, counter-clockwise."""
    return math.degrees(math.atan2(float(vector[1]), float(vector[0])))


def _bound(bound: Callable, last: float) -> str:
    steps = (last * math.sin(math.pi / 2 * k / 60) for k in range(61))  # denser where curves fall steeply
    return svg.curve((_ACROSS(epsilon), _UP(float(bound(epsilon)))) for epsilon in steps)


@functools.cache
def _picture() -> str:
    ellipse = svg.element("ellipse", part="ellipse", fill="currentColor", fill_opacity=0.08, stroke="currentColor",
                          stroke_opacity=0.45)
    features = (
        svg.element("g", svg.line(0, 0, None, 0, colour=colour, width=width, part=f"f{i}-shaft"),
                    svg.arrow_head(0, colour, part=f"f{i}-head"), part=f"f{i}")
        + svg.words(None, None, f"f{subscript(i)}", part=f"f{i}-name")
        for i, colour, width in ((2, "currentColor", 1.6), (1, "currentColor", 1.6), (0, FEATURE, 3.5))
    )
    vectors = (
        svg.element("g", svg.line(-1.6 * _R, 0, 1.6 * _R, 0, colour=VECTOR, width=2, dash="3 6"), part="anti"),
        svg.element("g", svg.line(-1.2 * _R, 0, 1.2 * _R, 0, colour=VECTOR, width=5, cap="round"), part="u"),
    )
    left = svg.plane(165, 150, "features, C as an ellipse, u", svg.element("g", ellipse, part="ellipse-turn"), vectors,
                     features, svg.words(None, None, "u", part="u-name", colour=VECTOR))
    middle = (_ACROSS.start + _ACROSS.end) / 2
    bounds = (
        svg.element("path", d=d, fill="none", stroke=colour, stroke_width=2.5, stroke_dasharray=dash)
        for d, colour, dash in (
            (_bound(sharp_bound_from_anisotropy, 1.0), FEATURE, None),
            (_bound(theorem2_bound, SILENT_ABOVE), PAPER, "7 3"),
        )
    )
    axes = svg.curve([(_ACROSS.start, _UP.end), (_ACROSS.start, _UP.start), (_ACROSS.end, _UP.start)])
    return svg.picture(
        300, left, svg.words(165, 292, "dotted: anti-whitened, C u"),
        svg.words(middle, 20, "cosine of u and f₀, and its bounds"),
        svg.element("path", d=axes, fill="none", stroke="currentColor", stroke_opacity=0.6),
        (svg.words(412, _UP(v) + 4, f"{v:g}", anchor="end") for v in (0, 0.5, 1)), svg.ticks(_ACROSS, (0, 0.5, 1), 263),
        svg.words(middle, 287, "‖E‖ at the best scale of C"), bounds,
        svg.words(_ACROSS(0.7), _UP(0.6), "sharp bound", anchor="end", colour=FEATURE),
        svg.words(_ACROSS(0.21), _UP(0.1), "Theorem 2", anchor="start", colour=PAPER),
        svg.line(None, _UP.start, None, _UP.end, part="mark", opacity=0.25),
        svg.element("circle", part="sharp", r=4, fill="white", stroke=FEATURE, stroke_width=2),
        svg.element("circle", part="measured", r=5.5, fill=VECTOR),
    )
