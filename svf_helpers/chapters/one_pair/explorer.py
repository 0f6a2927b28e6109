"""Two features in the plane and a head that reads them: the explorer of the chapter on one pair (Theorem 1)."""

import cmath
import functools
import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from svf_helpers.chapters.kit import svg
from svf_helpers.chapters.kit.readout import readout, says, subscript
from svf_helpers.chapters.kit.scene import Frame, FrameExplorer, Slider, rounded
from svf_helpers.qk import qk_svd, singular_groups

FIRST, SECOND = svg.BLUE, svg.ORANGE
TOO_CLOSE = 0.02  # singular values closer than this share of the larger one: their vectors are not told apart


@dataclass(frozen=True)
class TwoFeatureHead:
    """Two unit features in the plane and the head that meets its targets on them exactly; see :func:`two_feature_head`.

    Columns of ``features`` are f_1 and f_2, columns of ``U`` and ``V`` the singular vectors, ``S`` the singular values
    in descending order. ``pairs[k]`` is the (query, key) pair of the k-th largest target, and ``cos_query[k]``,
    ``cos_key[k]`` are the |cos| of u_k and v_k with its features. ``told_apart`` is False where the two singular values
    are so close that any rotation of the singular vectors would serve as well.
    """

    features: Float[Tensor, "2 2"]
    U: Float[Tensor, "2 2"]
    S: Float[Tensor, " 2"]
    V: Float[Tensor, "2 2"]
    pairs: tuple[tuple[int, int], tuple[int, int]]
    cos_query: Float[Tensor, " 2"]
    cos_key: Float[Tensor, " 2"]
    told_apart: bool


def two_feature_head(angle: float, target_12: float, target_21: float = 0.0) -> TwoFeatureHead:
    r"""The head of Theorem 1 on two unit features at ``angle`` degrees, between 0 and 180, in float64.

    The head wants the logit ``target_12`` where f_1 is in the query and f_2 in the key, ``target_21`` the other way
    round, and 0 for a feature with itself. Its QK matrix is $C^{-1} W T W^\top C^{-1}$ with $C = WW^\top$ (Theorem 1,
    summed over pairs). With one target t and angle θ: $\sigma_1 = t/\sin^2\theta$, $|\cos(u_1, f_1)| = \sin\theta$.

    >>> head = two_feature_head(30, 6.0)
    >>> [round(x, 3) for x in head.S.tolist()], round(float(head.cos_query[0]), 3)
    ([24.0, 0.0], 0.5)
    """
    turn = math.radians(angle)
    W = torch.tensor([[1.0, math.cos(turn)], [0.0, math.sin(turn)]], dtype=torch.float64)
    T = torch.tensor([[0.0, target_12], [target_21, 0.0]], dtype=torch.float64)
    detectors = torch.linalg.solve(W @ W.mT, W)  # columns C^-1 f_i: each reads its own feature and not the other
    U, S, V = qk_svd(detectors @ T, detectors)
    pairs = ((0, 1), (1, 0)) if target_12 >= target_21 else ((1, 0), (0, 1))
    # One sign for each pair (u_k, v_k) is free: u_k points with its own feature.
    sign = torch.stack([torch.where(U[:, k] @ W[:, pairs[k][0]] < 0, -1.0, 1.0) for k in range(2)])
    U, V = U * sign, V * sign
    cosines = torch.stack([torch.stack([U[:, k] @ W[:, i], V[:, k] @ W[:, j]]) for k, (i, j) in enumerate(pairs)]).abs()
    groups = singular_groups(S, TOO_CLOSE)
    return TwoFeatureHead(W, U, S, V, pairs, cosines[:, 0], cosines[:, 1], bool(groups[0] != groups[1]))


def two_feature_frames() -> FrameExplorer:
    """Two features in the plane, for a page without a kernel: 31 angles, 4 and 5 targets. End a cell with the call."""
    return FrameExplorer("Two features, one head", _SLIDERS, _picture(), two_feature_frame, readout=_READOUT)


def two_feature_frame(angle: float, target_12: float, target_21: float) -> Frame:
    """What the picture shows at one setting: the numbers of :func:`two_feature_head`, as attributes and words."""
    head = two_feature_head(angle, target_12, target_21)
    two = float(head.S[1]) > 1e-9 * float(head.S[0])
    frame: Frame = {"f2-query": {"transform:rotate": rounded(-angle)}, "f2-key": {"transform:rotate": rounded(-angle)},
                    "ring": {"opacity": 0 if head.told_apart else 1}}
    for side, vectors in (("query", head.U), ("key", head.V)):
        frame[f"f2-{side}-name"] = svg.place(angle, 1.17 * _R)
        for k in range(2):
            seen = head.told_apart and (k == 0 or two)
            x, y = vectors[:, k].tolist() if seen else (1.0, 0.0)
            degrees = rounded(math.degrees(math.atan2(y, x)))
            frame[f"{side}{k}"] = {"transform:rotate": rounded(-degrees), "opacity": int(seen)}
            frame[f"{side}{k}-name"] = {**_beside(degrees, angle), "opacity": int(seen)}
    for k, (value, target) in enumerate(zip(head.S.tolist(), sorted((target_12, target_21))[::-1], strict=True)):
        bar = frame[f"bar{k}"] = _UP.bar(min(value, _TOP))
        frame[f"beyond{k}"] = {"opacity": int(value > _TOP)}
        frame[f"value{k}"] = {"text": f"{rounded(value):.1f}", "y": rounded(float(bar["y"]) - 7)}
        frame[f"target{k}"] = {"transform:translate": f"{_BARS[k] + 27} {rounded(_UP(target))}"}
        cosines = _cosines(head, k) if k == 0 or two else ""
        frame |= says(**{f"value{k}": f"{rounded(value):.1f}", f"cosines{k}": cosines})
    return frame | says(angle=f"{angle:g}", note=_note(head, angle, target_12, target_21))


def _cosines(head: TwoFeatureHead, k: int) -> str:
    if not head.told_apart:
        return ""
    number, i, j = (subscript(at + 1) for at in (k, *head.pairs[k]))
    return (f"u{number} with f{i}: |cos| {float(head.cos_query[k]):.2f}, "
            f"v{number} with f{j}: {float(head.cos_key[k]):.2f}. ")


def _note(head: TwoFeatureHead, angle: float, target_12: float, target_21: float) -> str:
    if not head.told_apart:
        return ("σ₁ and σ₂ are too close to tell their vectors apart: any rotation of u₁, u₂, together with the same "
                "one of v₁, v₂, serves as well.")
    if abs(angle - 90) < 0.5:
        return "Orthogonal features: the singular vectors lie on them, and the singular values are the targets."
    if target_12 == target_21:
        return "Equal targets: each singular vector makes the same angle with both features and favours neither."
    near = " Nearly one line: it takes a large singular value to tell the features apart." if head.S[0] > _TOP else ""
    if 0 in (target_12, target_21):
        i, j = (subscript(at + 1) for at in head.pairs[0])
        away = f"u₁ keeps at a right angle to f{j}, and v₁ to f{i}"
        return f"{away}: each reads its feature and not the other.{near}"
    return f"Two pairs share the plane: the weaker one pulls the singular vectors of the stronger one.{near}"


# The picture: two planes with one unit _R pixels long, and bars of singular values.
_R, _TOP, _BARS = 92, 100, (568, 638)
_UP = svg.Scale(0, _TOP, 250, 50)
_SLIDERS = (
    Slider("angle", "angle between f₁ and f₂", tuple(range(15, 166, 5)), 60, "°", 1),
    Slider("target_12", "target: f₁ in query, f₂ in key", (6, 12, 18, 24), 24, "", 0.5),
    Slider("target_21", "target: f₂ in query, f₁ in key", (0, 6, 12, 18, 24), 0, "", 0.5),
)
_READOUT = readout("At {angle}°: σ₁ = {value0}, σ₂ = {value1}. {cosines0}{cosines1}", "{note}")


def _beside(turn: float, second: float) -> dict[str, float]:
    """A place for a singular vector's name: next to its line, where the features are farthest away."""
    features = [cmath.rect(radius, math.radians(at)) for at in (0.0, second) for radius in (0.5, 0.8, 1.15)]

    def room(degrees: float) -> float:
        return round(min(abs(cmath.rect(0.82, math.radians(degrees)) - feature) for feature in features), 6)

    return svg.place(max((turn + end + side for end in (0, 180) for side in (-13.75, 13.75)), key=room), 0.82 * _R)


@functools.cache
def _picture() -> str:
    bars = (
        svg.column(f"bar{k}", at, 40, colour, f"σ{subscript(k + 1)}", 268)
        + svg.element("path", part=f"beyond{k}", d=f"M{at - 9} 62l9 -10l9 10z", fill="white")
        + svg.words(at, None, part=f"value{k}")
        + svg.element("path", part=f"target{k}", d="M0 -5L5 0L0 5L-5 0Z", fill="white", stroke="black")
        for k, (at, colour) in enumerate(zip(_BARS, (FIRST, SECOND), strict=True))
    )
    titles = svg.words(606, 20, "singular values (logits)") + svg.words(606, 286, "◇ target logit")
    return svg.picture(290, _plane(125, "query", "u"), _plane(370, "key", "v"), titles,
                       svg.levels(_UP, (0, 25, 50, 75, 100), 538, 684), bars)


def _plane(x: int, side: str, vector: str) -> str:
    """Unit circle, two features as arrows, two singular vectors as lines through the origin (their sign is free)."""
    pieces = []
    for k, colour, width, dash in ((1, SECOND, 5, "1 9"), (0, FIRST, 7, None)):
        half_ring = svg.element("circle", r=_R * 0.6, fill="none", stroke=colour, stroke_width=5, pathLength=96,
                                stroke_dasharray="3 5", stroke_dashoffset=4 * k)
        vector_line = svg.line(-_R, 0, _R, 0, colour=colour, width=width, dash=dash, cap="round")
        pieces += [svg.element("g", half_ring, part="ring"), svg.element("g", vector_line, part=f"{side}{k}")]
    pieces += [svg.arrow(_R), svg.words(_R * 1.17, 4, "f₁"), svg.element("g", svg.arrow(_R), part=f"f2-{side}"),
               svg.words(None, None, "f₂", part=f"f2-{side}-name")]
    pieces += [svg.words(None, None, f"{vector}{subscript(k + 1)}", part=f"{side}{k}-name", colour=colour)
               for k, colour in enumerate((FIRST, SECOND))]
    return svg.plane(x, 150, f"{side} side", pieces, circle=_R)
