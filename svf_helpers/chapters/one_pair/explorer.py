"""Two features in the plane and a head that reads them: the explorer of the chapter on one pair (Theorem 1)."""

import functools
import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from svf_helpers.chapters.kit.scene import Frame, FrameExplorer, Slider, rounded
from svf_helpers.qk import qk_svd, singular_groups

__all__ = ["TwoFeatureHead", "two_feature_explorer", "two_feature_frame", "two_feature_frames", "two_feature_head"]

# Each colour has a contrast of 3 or more with white, with the grey on which the theme sets output in its dark mode,
# and with near-black.
FIRST, SECOND = "#0072B2", "#C24E00"
TOO_CLOSE = 0.02  # singular values closer than this share of the larger one: their vectors are not told apart


@dataclass(frozen=True)
class TwoFeatureHead:
    """Two unit features in the plane and the head that meets its targets on them exactly; see :func:`two_feature_head`.

    Columns of ``features`` are f_1 and f_2, columns of ``U`` and ``V`` the singular vectors, ``S`` the singular values
    in descending order. ``pairs[k]`` is the (query, key) pair of the k-th largest target, and ``cos_query[k]``,
    ``cos_key[k]`` are the |cos| of u_k and v_k with its features. ``told_apart`` is False where the two singular values
    are so close that any rotation of the singular vectors would serve as well.

    Example:
        >>> head = two_feature_head(90, 6.0, 24.0)
        >>> head.pairs, [round(value, 3) for value in head.S.tolist()], head.told_apart
        (((1, 0), (0, 1)), [24.0, 6.0], True)
    """

    features: Float[Tensor, "2 2"]
    omega: Float[Tensor, "2 2"]
    U: Float[Tensor, "2 2"]
    S: Float[Tensor, " 2"]
    V: Float[Tensor, "2 2"]
    pairs: tuple[tuple[int, int], tuple[int, int]]
    cos_query: Float[Tensor, " 2"]
    cos_key: Float[Tensor, " 2"]
    told_apart: bool


def two_feature_head(angle: float, target_12: float, target_21: float = 0.0) -> TwoFeatureHead:
    r"""The head of Theorem 1 on two unit features at ``angle`` degrees, in float64.

    The head wants the logit ``target_12`` where f_1 is in the query and f_2 in the key, ``target_21`` the other way
    round, and 0 for a feature with itself. Its QK matrix is $C^{-1} W T W^\top C^{-1}$ with $C = WW^\top$ (Theorem 1,
    summed over pairs). With one target t and angle θ: $\sigma_1 = t/\sin^2\theta$, $|\cos(u_1, f_1)| = \sin\theta$.

    Args:
        angle: between f_1 and f_2, in degrees.
        target_12: target logit of the pair (f_1, f_2).
        target_21: target logit of the pair (f_2, f_1).

    Raises:
        ValueError: for an angle outside (0, 180), where two features are one line and C has no inverse; for targets
            that are negative or not finite; for no target at all.

    Example:
        >>> head = two_feature_head(30, 6.0)
        >>> [round(x, 3) for x in head.S.tolist()], round(float(head.cos_query[0]), 3)
        ([24.0, 0.0], 0.5)
    """
    if not 0 < angle < 180:
        raise ValueError(f"angle = {angle}: degrees between 0 and 180, both excluded (parallel features span a line)")
    for name, target in (("target_12", target_12), ("target_21", target_21)):
        if not (math.isfinite(target) and target >= 0):
            raise ValueError(f"{name} = {target}: a target logit of 0 or more is needed")
    if target_12 == target_21 == 0:
        raise ValueError("both targets are 0: a head without a target has no singular vectors; set one above 0")
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
    return TwoFeatureHead(W, detectors @ T @ detectors.mT, U, S, V, pairs, cosines[:, 0], cosines[:, 1],
                          bool(groups[0] != groups[1]))


def two_feature_frames() -> FrameExplorer:
    """Two features in the plane, for a page without a kernel: 31 angles, 4 and 5 targets. End a cell with the call.

    Example:
        >>> two_feature_frames()
        <FrameExplorer 'Two features, one head', 620 frames>
    """
    return FrameExplorer("Two features, one head", _SLIDERS, _picture(), two_feature_frame, readout=_READOUT)


def two_feature_explorer():
    """The same explorer with ipywidgets, at any angle and target, for a running kernel (Jupyter or Colab).

    Example:
        >>> angle, target_12, target_21, picture = two_feature_explorer().children
        >>> angle.value = 90
        >>> "Orthogonal features" in picture.value
        True
    """
    return two_feature_frames().live()


def two_feature_frame(angle: float, target_12: float, target_21: float) -> Frame:
    """What the picture shows at one setting: the numbers of :func:`two_feature_head`, as attributes and words.

    Example:
        >>> two_feature_frame(90, 24, 6)["value0"]["text"]
        '24.0'
    """
    head = two_feature_head(angle, target_12, target_21)
    two = float(head.S[1]) > 1e-9 * float(head.S[0])
    frame: Frame = {"f2-query": {"transform:rotate": rounded(-angle)}, "f2-key": {"transform:rotate": rounded(-angle)},
                    "ring": {"opacity": 0 if head.told_apart else 1}}
    for side, vectors in (("query", head.U), ("key", head.V)):
        frame[f"f2-{side}-name"] = _place(math.radians(angle), 1.17)
        for k in range(2):
            seen = head.told_apart and (k == 0 or two)
            x, y = vectors[:, k].tolist() if seen else (1.0, 0.0)
            degrees = rounded(math.degrees(math.atan2(y, x)))
            frame[f"{side}{k}"] = {"transform:rotate": rounded(-degrees), "opacity": int(seen)}
            frame[f"{side}{k}-name"] = {**_beside(math.radians(degrees), math.radians(angle)), "opacity": int(seen)}
    for k, (value, target) in enumerate(zip(head.S.tolist(), sorted((target_12, target_21))[::-1], strict=True)):
        height = rounded(_UNIT * min(value, _TOP))
        frame[f"bar{k}"] = {"height": height, "y": rounded(_FLOOR - height)}
        frame[f"beyond{k}"] = {"opacity": int(value > _TOP)}
        frame[f"value{k}"] = {"text": f"{rounded(value):.1f}", "y": rounded(_FLOOR - height - 7)}
        frame[f"target{k}"] = {"transform:translate": f"{_BARS[k] + 27} {rounded(_FLOOR - _UNIT * target)}"}
        frame[f"say-value{k}"] = {"text": f"{rounded(value):.1f}"}
        frame[f"say{k}"] = {"text": _words(head, k) if k == 0 or two else ""}
    frame["say-angle"] = {"text": f"{angle:g}"}
    frame["note"] = {"text": _note(head, angle, target_12, target_21)}
    return frame


def _words(head: TwoFeatureHead, k: int) -> str:
    if not head.told_apart:
        return ""
    i, j = head.pairs[k]
    name = "₁₂"
    return (f"u{name[k]} with f{name[i]}: |cos| {float(head.cos_query[k]):.2f}, "
            f"v{name[k]} with f{name[j]}: {float(head.cos_key[k]):.2f}. ")


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
        i, j = head.pairs[0]
        away = f"u₁ keeps at a right angle to f{'₁₂'[j]}, and v₁ to f{'₁₂'[i]}"
        return f"{away}: each reads its feature and not the other.{near}"
    return f"Two pairs share the plane: the weaker one pulls the singular vectors of the stronger one.{near}"


# The picture: two planes with centres at x = _CENTRES and one unit _R pixels long, and bars on a floor.
_R, _CENTRES, _HEIGHT = 92, {"query": (125, 150), "key": (370, 150)}, 290
_FLOOR, _UNIT, _TOP, _BARS = 250, 2.0, 100.0, (568, 638)

_SLIDERS = (
    Slider("angle", "angle between f₁ and f₂", tuple(range(15, 166, 5)), 60, "°", 1),
    Slider("target_12", "target: f₁ in query, f₂ in key", (6, 12, 18, 24), 24, "", 0.5),
    Slider("target_21", "target: f₂ in query, f₁ in key", (0, 6, 12, 18, 24), 0, "", 0.5),
)
_READOUT = (
    '<p>At <span data-part="say-angle"></span>°: σ₁ = <span data-part="say-value0"></span>, σ₂ = '
    '<span data-part="say-value1"></span>. <span data-part="say0"></span><span data-part="say1"></span></p>'
    '<p data-part="note"></p>'
)


def _place(turn: float, radius: float) -> Frame:
    """Coordinates of a point in a plane's own pixels: y points down."""
    return {"x": rounded(_R * radius * math.cos(turn)), "y": rounded(-_R * radius * math.sin(turn) + 4)}


def _beside(turn: float, second: float) -> Frame:
    """A place for a singular vector's name: next to its line, where the features are farthest away."""
    features = [(radius * math.cos(a), radius * math.sin(a)) for a in (0.0, second) for radius in (0.5, 0.8, 1.15)]

    def room(spot: tuple[float, float]) -> float:
        angle, radius = spot
        return min(math.dist((radius * math.cos(angle), radius * math.sin(angle)), point) for point in features)

    spots = [(turn + end + side, 0.82) for end in (0.0, math.pi) for side in (-0.24, 0.24)]
    return _place(*max(spots, key=lambda spot: round(room(spot), 6)))


@functools.cache
def _picture() -> str:
    planes = "".join(_plane(side, *_CENTRES[side], vector) for side, vector in (("query", "u"), ("key", "v")))
    grid = "".join(
        f'<line x1="538" x2="684" y1="{_FLOOR - _UNIT * v:g}" y2="{_FLOOR - _UNIT * v:g}" stroke="currentColor" '
        f'stroke-opacity="{1 if v == 0 else 0.2}"/>'
        f'<text x="532" y="{_FLOOR - _UNIT * v + 4:g}" text-anchor="end">{v}</text>' for v in (0, 25, 50, 75, 100)
    )
    bars = "".join(
        f'<rect data-part="bar{k}" x="{_BARS[k] - 20}" width="40" fill="{colour}"/>'
        f'<path data-part="beyond{k}" d="M{_BARS[k] - 9} 62 l9 -10 l9 10 z" fill="white"/>'
        f'<text data-part="value{k}" x="{_BARS[k]}" text-anchor="middle"></text>'
        f'<path data-part="target{k}" d="M0 -5 L5 0 L0 5 L-5 0 Z" fill="white" stroke="black" stroke-width="1.2"/>'
        f'<text x="{_BARS[k]}" y="268" text-anchor="middle">σ{"₁₂"[k]}</text>'
        for k, colour in enumerate((FIRST, SECOND))
    )
    return (
        f'<svg viewBox="0 0 700 {_HEIGHT}">{planes}'
        '<text x="606" y="20" text-anchor="middle">singular values (logits)</text>'
        f'{grid}{bars}<text x="606" y="286" text-anchor="middle">◇ target logit</text></svg>'
    )


def _plane(side: str, x: int, y: int, vector: str) -> str:
    """Unit circle, two features as arrows, two singular vectors as lines through the origin (their sign is free)."""
    lines = "".join(
        f'<g data-part="{side}{k}"><line x1="{-_R}" x2="{_R}" y1="0" y2="0" stroke="{colour}" stroke-width="{width}" '
        f'stroke-linecap="round"{dash}/></g>'
        for k, colour, width, dash in ((1, SECOND, 5, ' stroke-dasharray="1 9"'), (0, FIRST, 7, ""))
    )
    arrow = (f'<line x1="0" x2="{_R - 8}" y1="0" y2="0" stroke="currentColor" stroke-width="2"/>'
             f'<path d="M{_R} 0 l-11 -5 v10 z" fill="currentColor"/>')
    names = "".join(
        f'<text data-part="{side}{k}-name" text-anchor="middle" style="fill:{colour};font-weight:600">'
        f'{vector}{"₁₂"[k]}</text>'
        for k, colour in enumerate((FIRST, SECOND))
    )
    dashes = "".join(
        f'<circle r="{_R * 0.6:g}" fill="none" stroke="{colour}" stroke-width="5" pathLength="96" '
        f'stroke-dasharray="3 5" stroke-dashoffset="{4 * k}"/>' for k, colour in enumerate((FIRST, SECOND))
    )
    ring = f'<g data-part="ring">{dashes}</g>'
    return (
        f'<text x="{x}" y="20" text-anchor="middle">{side} side</text><g transform="translate({x} {y})">'
        f'<circle r="{_R}" fill="none" stroke="currentColor" stroke-opacity="0.25"/>{ring}{lines}{arrow}'
        f'<text x="{_R * 1.17:g}" y="4" text-anchor="middle">f₁</text><g data-part="f2-{side}">{arrow}</g>'
        f'<text data-part="f2-{side}-name" text-anchor="middle">f₂</text>{names}</g>'
    )
