r"""The minimisers that Theorem 3 speaks of, found for a whole grid of heads and lambdas at once (paper, B.3)."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from . import checks
from .theorem3 import TwoPairHead, attention_loss, interference, two_key_cross_entropy


class Minimum(NamedTuple):
    """A pair of unit vectors, its cross-entropy in nats, its interference, and the objective where lambda is given.

    Example:
        >>> found = theorem3_minimizer(TwoPairHead(4.0, 3.0, gap_2=-5.0), lam=torch.tensor([1.0, 10.0]))
        >>> weak, strong = found.interference.tolist()
        >>> 0 < strong < weak < 1
        True
    """

    x: Float[Tensor, "... k"]
    y: Float[Tensor, "... k"]
    cross_entropy: Float[Tensor, "..."]
    interference: Float[Tensor, "..."]
    objective: Float[Tensor, "..."]


def orthogonal_comparison(head: TwoPairHead, coordinates: int = 3) -> Minimum:
    """The pair with the least cross-entropy among those without interference; ``objective`` is its cross-entropy.

    Args:
        head: any batch.
        coordinates: 3 for tokens with room outside both pairs' span (d of 3 or more), 2 for d = 2.

    Example:
        >>> pair = orthogonal_comparison(TwoPairHead(4.0, 3.0))
        >>> pair.x.tolist(), float(pair.interference)
        ([0.0, 1.0, 0.0], 0.0)
    """
    _room(coordinates)
    _, sigma_2, _, gap_2 = _broadcast(head)
    wanted = -gap_2 / sigma_2
    share = wanted.clamp(-1, 1) if coordinates == 3 else torch.where(wanted < 0, -1.0, 1.0).to(wanted)
    zero, one = torch.zeros_like(share), torch.ones_like(share)
    return _assemble(head, (zero, zero), (one, one), share, coordinates, zero)


def theorem3_limit(head: TwoPairHead, coordinates: int = 3) -> Float[Tensor, "..."]:
    r"""$\lim \lambda^2 I$ as lambda grows: a quarter of the squared slope of CE at the best orthogonal pair.

    This book's, not in the paper. It is 0 where an orthogonal pair reaches the teacher's gaps; elsewhere Theorem 3's
    bound, with that pair, tends to twice the interference.

    Example:
        >>> float(theorem3_limit(TwoPairHead(4.0, 3.0))), bool(theorem3_limit(TwoPairHead(4.0, 3.0, gap_2=-5.0)) > 0)
        (0.0, True)
    """
    pair = orthogonal_comparison(head, coordinates)
    first, second = head.gaps(pair.x, pair.y)
    slope_x = head.sigma_1 * (second.sigmoid() - head.gap_2.sigmoid())
    slope_y = head.sigma_1 * (first.sigmoid() - head.gap_1.sigmoid())
    return (slope_x.square() + slope_y.square()) / 4


def theorem3_minimizer(
    head: TwoPairHead, lam: float | Tensor, coordinates: int = 3, starts: int = 12, max_steps: int = 200
) -> Minimum:
    r"""The global minimiser of the objective, for every head and lambda at once.

    Two numbers remain to be searched for, $x_1 = \sin\alpha$ and $y_1 = \sin\beta$. Given these, the second gap can be
    anything within $\sigma_2 |\cos\alpha \cos\beta|$ of $\sigma_1 \sin\alpha\,(1 - \sin\beta)$, and the best is the
    teacher's, or the end nearest to it. (With 2 coordinates nothing is left to choose, and both angles run around the
    circle.) The search is Newton's method from the best points of a grid. Where minimisers are many, it gives one of
    them: with 3 coordinates x and y then lean out of their planes equally.

    Args:
        head: any batch.
        lam: lambda, not negative; broadcasts against the head's.
        coordinates: 3 for tokens with room outside both pairs' span (d of 3 or more), 2 for d = 2.
        starts: grid points that the search starts from.
        max_steps: Newton steps.

    Raises:
        ValueError: for a negative or infinite lambda.
        ArithmeticError: where the slope at the best point found is not 0 to rounding.

    Example:
        >>> found = theorem3_minimizer(TwoPairHead(4.0, 3.0), lam=1.0)  # the teacher's own pair is orthogonal
        >>> round(abs(float(found.interference)), 6)
        0.0
    """
    _room(coordinates)
    lam = checks.numbers(lam, "lam", 0, torch.finfo(torch.float64).max, "must be finite and not negative")
    head, lam = _flat(head, lam)
    shape, lam = lam.shape, lam.reshape(-1, 1)
    flat = TwoPairHead(*(part.reshape(-1, 1) for part in _broadcast(head)))
    angles = _grid_starts(flat, lam, coordinates, starts)
    value = _profile(flat, angles, lam, coordinates)
    damping = torch.full_like(value, 1e-3)
    for _ in range(max_steps):
        slope, curvature = _derivatives(flat, angles, lam, coordinates)
        step = _damped_step(slope, curvature, damping)
        trial = angles + step
        trial_value = _profile(flat, trial, lam, coordinates)
        # Values stop telling points apart well before slopes do: within rounding of each other, the slope decides.
        rounding = 4e-16 * (1 + value.abs())
        flatter = _slope(flat, trial, lam, coordinates).norm(dim=-1) < slope.norm(dim=-1)
        better = (trial_value < value - rounding) | ((trial_value <= value + rounding) & flatter)
        angles = torch.where(better[..., None], trial, angles)
        value = torch.where(better, trial_value, value)
        damping = torch.where(better, damping / 10, damping * 10).clamp(1e-16, 1e16)
        if ((slope.norm(dim=-1) < 1e-14 * (1 + lam)) | (damping >= 1e6)).all():
            break
    best = value.argmin(-1)[:, None]
    chosen = angles.gather(1, best[..., None].expand(-1, 1, 2))
    steepness = _slope(flat, chosen, lam, coordinates).norm(dim=-1) / (1 + lam)
    if not (steepness < 1e-7).all():
        raise ArithmeticError(f"the search ended where the slope is {float(steepness.max()):.1e}: take more starts")
    _, _, share = _best_gaps(flat, chosen, coordinates)
    sin, cos = chosen.sin().unbind(-1), chosen.cos().abs().unbind(-1)
    found = _assemble(flat, sin, cos, share, coordinates, lam)
    return Minimum(*(part.reshape((*shape, *part.shape[2:])) for part in found))


def _profile(
    head: TwoPairHead, angles: Float[Tensor, "#B s 2"], lam: Float[Tensor, "B 1"], coordinates: int
) -> Float[Tensor, "B s"]:
    """The objective at the best second gap for each pair of angles."""
    first, second, _ = _best_gaps(head, angles, coordinates)
    loss = two_key_cross_entropy(head.gap_1, first) + two_key_cross_entropy(head.gap_2, second)
    return loss + lam * angles.sin().square().sum(-1)


def _best_gaps(head: TwoPairHead, angles: Tensor, coordinates: int) -> tuple[Tensor, Tensor, Tensor]:
    """Both gaps, and the share of the second one's range that is used, from -1 to 1."""
    sin_x, sin_y = angles.sin().unbind(-1)
    product = angles.cos().prod(-1)
    first = head.sigma_1 * (1 - sin_y)
    centre = first * sin_x
    if coordinates == 2:
        return first, centre - head.sigma_2 * product, torch.where(product < 0, -1.0, 1.0).to(product)
    reach = head.sigma_2 * product.abs()
    second = torch.minimum(torch.maximum(head.gap_2 + 0 * centre, centre - reach), centre + reach)
    share = (centre - second) / torch.where(reach > 0, reach, 1.0)
    return first, second, share.clamp(-1, 1)


def _assemble(head: TwoPairHead, sin, cos, share: Tensor, coordinates: int, lam: Tensor) -> Minimum:
    """The unit vectors (x along +u_2), and what the objective says of them.

    ``sin`` is what x has along u_1 and y along v_1, ``cos`` the length left over for each, and ``share`` how much of
    the second gap's range they use: in three coordinates both vectors lean away from u_2 and v_2 by the same angle.
    """
    lean, aside = share.abs().sqrt(), (1 - share.abs()).clamp_min(0).sqrt()
    sign = torch.where(share < 0, -1.0, 1.0).to(share)
    x, y = (
        torch.stack([along, way * left * lean, left * aside][:coordinates], -1)
        for along, left, way in zip(sin, cos, (torch.ones_like(sign), sign), strict=True)
    )
    loss, crossing = attention_loss(head, x, y), interference(x, y)
    return Minimum(x, y, loss, crossing, loss + lam * crossing)


def _grid_starts(head: TwoPairHead, lam: Tensor, coordinates: int, starts: int) -> Float[Tensor, "B s 2"]:
    """The best points of a grid over both angles, and those of no interference."""
    to: dict[str, Any] = {"dtype": torch.float64, "device": lam.device}
    if coordinates == 2:
        axis = torch.arange(-24, 25, **to) * (math.pi / 24)
        corners = [[0.0, 0.0], [0.0, math.pi]]
    else:
        axis = torch.linspace(-1, 1, 25, **to) * (math.pi / 2 - 1e-3)
        corners = [[0.0, 0.0]]
    grid = torch.cartesian_prod(axis, axis)
    values = _profile(head, grid[None], lam, coordinates)
    order = values.argsort(-1)[:, ::4][:, :starts]  # every fourth, so that not all of them lie in one valley
    return torch.cat([grid[order], torch.tensor(corners, **to).expand(len(lam), -1, 2)], 1)


def _slope(head: TwoPairHead, angles: Tensor, lam: Tensor, coordinates: int) -> Float[Tensor, "B s 2"]:
    with torch.enable_grad():
        angles = angles.detach().requires_grad_()
        return torch.autograd.grad(_profile(head, angles, lam, coordinates).sum(), angles)[0]


def _derivatives(head: TwoPairHead, angles: Tensor, lam: Tensor, coordinates: int) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        angles = angles.detach().requires_grad_()
        value = _profile(head, angles, lam, coordinates).sum()
        slope = torch.autograd.grad(value, angles, create_graph=True)[0]
        rows = [torch.autograd.grad(slope[..., i].sum(), angles, retain_graph=True)[0] for i in range(2)]
    return slope.detach(), torch.stack(rows, -2)


def _damped_step(slope: Tensor, curvature: Tensor, damping: Tensor) -> Float[Tensor, "B s 2"]:
    """Newton's step, with the curvature shifted until it is positive and by damping times its size on top."""
    a, b, c = curvature[..., 0, 0], curvature[..., 0, 1], curvature[..., 1, 1]
    mean, spread = (a + c) / 2, torch.hypot((a - c) / 2, b)
    shift = 2 * (spread - mean).clamp_min(0) + damping * (mean.abs() + spread + 1e-12)
    a, c = a + shift, c + shift
    determinant = (a * c - b * b).clamp_min(torch.finfo(a.dtype).tiny)
    return torch.stack([b * slope[..., 1] - c * slope[..., 0], b * slope[..., 0] - a * slope[..., 1]], -1) / (
        determinant[..., None]
    )


def _room(coordinates: int) -> None:
    if coordinates not in (2, 3):
        raise ValueError(f"coordinates = {coordinates!r}: must be 2 (d = 2) or 3 (tokens with room beyond both pairs)")


def _broadcast(head: TwoPairHead) -> tuple[Tensor, ...]:
    return torch.broadcast_tensors(head.sigma_1, head.sigma_2, head.gap_1, head.gap_2)


def _flat(head: TwoPairHead, lam: Tensor) -> tuple[TwoPairHead, Tensor]:
    *parts, lam = torch.broadcast_tensors(*checks.on_one_device(*_broadcast(head), lam))
    return TwoPairHead(*parts), lam
