r"""Feature dictionaries $W = [f_1 \dots f_n]$, features as columns, and how evenly they fill space (paper, appendix C).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from .device import choose_device


def unit(W: Float[Tensor, "... d n"]) -> Float[Tensor, "... d n"]:
    """Features scaled to length 1; a feature of length 0 stays 0.

    Example:
        >>> unit(torch.tensor([[3.0, 0.0], [4.0, 0.0]]))
        tensor([[0.6000, 0.0000],
                [0.8000, 0.0000]])
    """
    tiny = torch.finfo(W.dtype).tiny
    W = W / W.abs().amax(-2, keepdim=True).clamp_min(tiny)  # so that squares neither overflow nor vanish
    return W / torch.linalg.vector_norm(W, dim=-2, keepdim=True).clamp_min(tiny)


def gram(W: Float[Tensor, "... d n"]) -> Float[Tensor, "... d d"]:
    r"""The paper's Gram matrix $C = W W^\top$: how much feature there is in each direction of token space.

    Example:
        >>> gram(torch.tensor([[1.0, -1.0, 0.0], [0.0, 0.0, 1.0]]))  # two features on the first axis, one on the second
        tensor([[2., 0.],
                [0., 1.]])
    """
    return W @ W.mT


def cosines(A: Float[Tensor, "... d n"], B: Float[Tensor, "... d m"]) -> Float[Tensor, "... n m"]:
    """Cosine of each column of A with each column of B; a column of length 0 has cosine 0 with everything.

    Example:
        >>> cosines(torch.tensor([[1.0], [1.0]]), torch.tensor([[2.0, -3.0], [0.0, -3.0]]))
        tensor([[ 0.7071, -1.0000]])
    """
    return unit(A).mT @ unit(B)


def feature_cosines(W: Float[Tensor, "... d n"]) -> Float[Tensor, "... n n"]:
    """Cosine of each feature with each other: :func:`cosines` within one dictionary.

    Example:
        >>> feature_cosines(torch.tensor([[2.0, 0.0, -3.0], [0.0, 1.0, 0.0]]))
        tensor([[ 1.,  0., -1.],
                [ 0.,  1.,  0.],
                [-1.,  0.,  1.]])
    """
    return cosines(W, W)


def anisotropy(W: Float[Tensor, "d n"]) -> float:
    r"""The paper's measure of anisotropy, $\|E\|_2$ in $C = \bar c\,(I + E)$ with $\bar c = \operatorname{tr} C / d$.

    0 for a tight frame (isotropic position), d - 1 where all features lie along one line.

    Raises:
        ValueError: if W is not [d, n], not finite, or 0.

    Example:
        >>> anisotropy(torch.eye(3))
        0.0
    """
    if W.ndim != 2:
        raise ValueError(f"W has shape {tuple(W.shape)}: anisotropy wants one dictionary [d, n], features as columns")
    if not W.isfinite().all() or not W.any():
        raise ValueError("W must be finite and not all 0")
    W = W.double() / W.abs().max()
    eigenvalues = torch.linalg.eigvalsh(gram(W))
    return float((eigenvalues / eigenvalues.mean() - 1).abs().max())


def antipodal_pairs(W: Float[Tensor, "d n"], threshold: float = -0.95) -> list[tuple[int, int]]:
    """Pairs of features (i < j) whose cosine is below ``threshold``: nearly opposite directions.

    Raises:
        ValueError: if W is not one dictionary [d, n], or the threshold does not lie in [-1, 0).

    Example:
        >>> antipodal_pairs(torch.tensor([[1.0, 0.0, -1.0], [0.0, 1.0, 0.0]]))
        [(0, 2)]
    """
    if W.ndim != 2:
        raise ValueError(f"W has shape {tuple(W.shape)}: expected one dictionary [d, n]")
    if not -1 <= threshold < 0:
        raise ValueError(f"threshold = {threshold}: antipodal features have a negative cosine, give one in [-1, 0)")
    above_diagonal = feature_cosines(W).triu(1)
    return [tuple(pair) for pair in (above_diagonal < threshold).nonzero().tolist()]


def on_feature_span(
    W: Float[Tensor, "... d n"], weights: Float[Tensor, "... d r"], tolerance: float = 1e-2
) -> Float[Tensor, "... d r"]:
    """Project a head's weights onto the span of the features, which removes what no token can reach.

    Tokens are sums of features, so the logits stay as they are. Training hardly touches the removed part, weight decay
    apart: it is left over from the initial weights, and gives the QK matrix singular values that mean nothing.

    Args:
        W: features as columns.
        weights: W_Q or W_K.
        tolerance: directions in which W has a singular value below this share of its largest count as unused.

    Raises:
        ValueError: for weights that do not act on features of this length.

    Example:
        >>> W = torch.tensor([[1.0, -1.0], [0.0, 0.0]])  # two antipodal features: the second axis is unused
        >>> on_feature_span(W, torch.ones(2, 1)).squeeze()
        tensor([1., 0.])
    """
    if W.shape[-2] != weights.shape[-2]:
        raise ValueError(f"features have length {W.shape[-2]}, weights act on length {weights.shape[-2]}")
    U, S, _ = torch.linalg.svd(W, full_matrices=False)
    used = U * (S > tolerance * S[..., :1])[..., None, :]
    return used @ (used.mT @ weights)


def isotropic_dictionary(
    n: int = 20, d: int = 10, interest: int = 8, device: str | torch.device = "cpu"
) -> Float[Tensor, "d n"]:
    r"""A tight frame with $W W^\top = I$ exactly (paper, appendix C.3), in float64.

    The first ``interest`` features are the first axes, at length 1. The rest are antipodal pairs, evenly spaced in the
    plane of the last two axes and as long as makes them sum to the identity there.

    Raises:
        ValueError: unless ``interest == d - 2`` and at least two antipodal pairs are left over.

    Example:
        >>> W = isotropic_dictionary(n=20, d=10, interest=8)
        >>> torch.allclose(gram(W), torch.eye(10).double()), antipodal_pairs(W)[0]
        (True, (8, 14))
    """
    pairs, odd = divmod(n - interest, 2)
    if interest != d - 2 or interest < 0 or odd or pairs < 2:
        raise ValueError(
            f"n = {n}, d = {d}, interest = {interest}: needs interest = d - 2 axes and an even number, at least 4, of "
            "features in the remaining plane"
        )
    to: dict[str, Any] = {"dtype": torch.float64, "device": choose_device(device)}
    angles = math.pi * torch.arange(pairs, **to) / pairs
    directions = torch.stack([angles.cos(), angles.sin()])
    W = torch.zeros(d, n, **to)
    W[:interest, :interest] = torch.eye(interest, **to)
    W[interest:, interest:] = torch.cat([directions, -directions], 1) / math.sqrt(pairs)
    return W


def distorted_dictionary(
    W: Float[Tensor, "d n"], delta: float, v: Float[Tensor, " d"]
) -> Float[Tensor, "d n"]:
    r"""Stretch a dictionary along a direction: $W_\delta = (I + (\sqrt{1+\delta}-1) v v^\top) W$ (paper, appendix C.3).

    From an isotropic dictionary with $C = I$ this gives $C = I + \delta\, v v^\top$, so $\|C - I\|_2 = \delta$ exactly.

    Args:
        W: features as columns.
        delta: at least 0.
        v: direction, of any length but 0.

    Raises:
        ValueError: for a negative delta, or a v of another length than the features or without a direction.

    Example:
        >>> gram(distorted_dictionary(torch.eye(2), 3.0, torch.tensor([1.0, 0.0])))
        tensor([[4., 0.],
                [0., 1.]])
    """
    if not 0 <= delta < math.inf:
        raise ValueError(f"delta = {delta}: must be finite and not negative")
    if v.shape != W.shape[:1] or not torch.linalg.vector_norm(v) > 0:
        raise ValueError(f"v has shape {tuple(v.shape)}: expected a direction [{W.shape[0]}] of length above 0")
    v = (v / torch.linalg.vector_norm(v)).to(W)
    return W + (math.sqrt(1 + delta) - 1) * torch.outer(v, v @ W)
