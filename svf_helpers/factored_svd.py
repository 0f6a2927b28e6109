r"""The SVD of a few QK matrices from their factors: the algorithm behind :func:`svf_helpers.qk.qk_svd`.

With $W_Q = Q_q R_q$ and $W_K = Q_k R_k$ (QR) the SVD of the small core $R_q R_k^\top = P \Sigma \Theta^\top$ gives
$U = Q_q P$ and $V = Q_k \Theta$. The QR comes from a Cholesky factor where its condition allows, else from Householder
reflections.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

# How far U S V^T may miss W_Q W_K^T, and U^T U the identity, before a result is done again or refused.
TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-11}


class QKSVD(NamedTuple):
    """SVD of a batch of QK matrices: ``Omega = U @ diag(S) @ V.mT``; the columns of U read queries, those of V keys.

    Signs are fixed: each column of U leans towards one fixed random direction. Flipping a pair (u, v) changes nothing.

    Example:
        >>> U, S, V = QKSVD(torch.eye(2), torch.tensor([3.0, 1.0]), torch.eye(2).flip(1))
        >>> U @ torch.diag(S) @ V.mT  # a query along the first axis asks, with weight 3, for a key along the second
        tensor([[0., 3.],
                [1., 0.]])
    """

    U: Float[Tensor, "... d_model d_head"]
    S: Float[Tensor, "... d_head"]
    V: Float[Tensor, "... d_model d_head"]


def svd_of_factors(W_Q: Float[Tensor, "I d r"], W_K: Float[Tensor, "I d r"]) -> QKSVD:
    """The SVD of a few heads: by Cholesky QR, and where the check finds that off, by Householder QR.

    Raises:
        ArithmeticError: where neither reproduces the factors.

    Example:
        >>> U, S, V = svd_of_factors(3 * torch.eye(4)[None, :, :2], torch.eye(4)[None, :, :2])
        >>> S
        tensor([[3., 3.]], dtype=torch.float64)
    """
    wide_Q, wide_K, scale = W_Q.double(), W_K.double(), None
    if W_Q.dtype == torch.float64:  # an answer to full float64 precision cannot afford the squared condition
        (wide_Q, scale_Q), (wide_K, scale_K) = _near_one(wide_Q), _near_one(wide_K)
        scale = scale_Q * scale_K
        svd = QKSVD(torch.zeros_like(wide_Q), wide_Q.new_zeros(W_Q.shape[0], W_Q.shape[2]), torch.zeros_like(wide_K))
    else:
        svd = _by_cholesky(wide_Q, wide_K)
    tolerance = TOLERANCE[W_Q.dtype]
    off = ~(_error(svd, wide_Q, wide_K) < tolerance)
    if off.any():
        again = _by_householder(wide_Q[off], wide_K[off])
        wrong = ~(_error(again, wide_Q[off], wide_K[off]) < tolerance)
        if wrong.any():
            raise ArithmeticError(f"the SVD of {int(wrong.sum())} heads does not reproduce W_Q W_K^T")
        for whole, part in zip(svd, again, strict=True):
            whole[off] = part
    return svd if scale is None else svd._replace(S=svd.S * scale)


def _near_one(W: Float[Tensor, "I d r"]) -> tuple[Float[Tensor, "I d r"], Float[Tensor, "I 1"]]:
    """Each matrix divided by the power of 2 nearest its largest entry, exactly; squares then stay within range."""
    exponent = torch.frexp(W.abs().amax((-2, -1))).exponent
    return torch.ldexp(W, -exponent[:, None, None]), torch.ldexp(W.new_ones(len(W), 1), exponent[:, None])


def _by_cholesky(W_Q: Float[Tensor, "I d r"], W_K: Float[Tensor, "I d r"]) -> QKSVD:
    """By Cholesky QR, columns scaled to length 1 first; not finite where that fails.

    It squares the condition number, which float64 can afford for most factors of float32 numbers.
    """
    parts = []
    for W in (W_Q, W_K):
        G = W.mT @ W
        length = G.diagonal(dim1=-2, dim2=-1).sqrt()
        L, failed = torch.linalg.cholesky_ex(G / (length[:, :, None] * length[:, None, :]))
        L = torch.where((failed > 0)[:, None, None], torch.nan, L)
        parts.append((W, length, L))
    (W_Q, d_q, L_q), (W_K, d_k, L_k) = parts
    to_U, S, to_V = signed_svd(
        L_q.mT @ ((d_q * d_k)[..., None] * L_k),
        lambda P: torch.linalg.solve_triangular(L_q.mT, P, upper=True) / d_q[..., None],
        lambda Th: torch.linalg.solve_triangular(L_k.mT, Th, upper=True) / d_k[..., None],
        seen_from(W_Q),
        _svd_or_nan,
    )
    return QKSVD(W_Q @ to_U, S, W_K @ to_V)


def _svd_or_nan(core: Float[Tensor, "I r r"]) -> tuple[Tensor, Tensor, Tensor]:
    """torch's SVD, for which a matrix that is not finite is an error: here it gives a result that is not finite."""
    fine = core.isfinite().all(-1).all(-1)[:, None, None]
    P, S, Th = torch.linalg.svd(torch.where(fine, core, 0.0))
    return torch.where(fine, P, torch.nan), S, Th


def _by_householder(W_Q: Float[Tensor, "I d r"], W_K: Float[Tensor, "I d r"]) -> QKSVD:
    """By Householder QR and the SVD of the core: slower, and right whatever the condition."""
    Q_q, R_q = torch.linalg.qr(W_Q)
    Q_k, R_k = torch.linalg.qr(W_K)
    P, S, Th = signed_svd(R_q @ R_k.mT, lambda P: P, lambda Th: Th, seen_from(Q_q))
    return QKSVD(Q_q @ P, S, Q_k @ Th)


def signed_svd(
    core: Float[Tensor, "*heads r r"],
    to_U: Callable[[Tensor], Tensor],
    to_V: Callable[[Tensor], Tensor],
    toward: Float[Tensor, "... r"],
    svd: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]] = torch.linalg.svd,
) -> tuple[Float[Tensor, "*heads r r"], Float[Tensor, "*heads r"], Float[Tensor, "*heads r r"]]:
    r"""SVD of the small core between two triangular frames, with the one rule for signs that all heads follow.

    With $F_q F_k^\top = P \Sigma \Theta^\top$ the columns of $F_q^{-1} P$ and $F_k^{-1} \Theta$ are the singular
    vectors in head space: $U = W_Q F_q^{-1} P$ and $V = W_K F_k^{-1} \Theta$. A pair (u, v) may be flipped; here each
    u leans towards one direction, given by its image in head space.

    Args:
        core: of one or more heads.
        to_U: takes the left singular vectors of the core, as columns, to head space: $F_q^{-1}$.
        to_V: the same for the right ones: $F_k^{-1}$.
        toward: the image in head space of the direction that each u leans to, as a row (:func:`seen_from`).
        svd: what computes the SVD of the core.

    Returns:
        $F_q^{-1} P$, the singular values, and $F_k^{-1} \Theta$, with signs fixed.

    Example:
        >>> core = torch.diag(torch.tensor([3.0, 1.0]))
        >>> P, S, Theta = signed_svd(core, lambda P: P, lambda Theta: Theta, toward=torch.tensor([[1.0, -1.0]]))
        >>> P.diagonal()  # the second vector is flipped: it leans towards (1, -1)
        tensor([ 1., -1.])
        >>> torch.equal(P @ torch.diag(S) @ Theta.mT, core)
        True
    """
    P, S, Theta_T = svd(core)
    u, v = to_U(P), to_V(Theta_T.mT)
    sign = torch.where(toward @ u < 0, -1.0, 1.0).to(P)
    return u * sign, S, v * sign


def seen_from(W: Float[Tensor, "*heads d r"]) -> Float[Tensor, "*heads 1 r"]:
    """The image in head space of the fixed direction in d_model that the columns of every U lean to, as a row.

    Example:
        >>> W = torch.eye(8).double()[:, :2]
        >>> seen_from(torch.stack([W, 2 * W])).shape
        torch.Size([2, 1, 2])
    """
    return _probe(W.shape[-2], 0, W.device).mT @ W


@cache
def _probe(size: int, number: int, device: torch.device) -> Float[Tensor, "size 1"]:
    """Fixed random directions, the same on every device."""
    generator = torch.Generator("cpu").manual_seed(number)
    return torch.randn(size, 1, generator=generator, dtype=torch.float64, device="cpu").to(device)


def _error(svd: QKSVD, W_Q: Tensor, W_K: Tensor) -> Float[Tensor, " I"]:
    """Relative error of U S V^T and of orthonormality, estimated on fixed random probes at little cost."""
    U, S, V = svd
    norm = lambda array: torch.linalg.vector_norm(array, dim=(-2, -1))  # noqa: E731
    x, z = _probe(U.shape[-2], 1, U.device), _probe(U.shape[-1], 2, U.device)
    k = W_K.mT @ x
    scale = norm(W_Q) * norm(k)
    reconstruction = norm(W_Q @ k - U @ (S[..., None] * (V.mT @ x))) / scale.clamp_min(torch.finfo(U.dtype).tiny)
    orthonormality = torch.maximum(norm(U.mT @ (U @ z) - z), norm(V.mT @ (V @ z) - z)) / norm(z)
    return torch.maximum(reconstruction, orthonormality)
