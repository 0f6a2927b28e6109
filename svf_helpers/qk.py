r"""The SVD of the QK matrix $\Omega = W_Q W_K^\top = U \Sigma V^\top$, from its factors (paper, section 2).

The QK matrix is $d_{model} \times d_{model}$ but has rank $d_{head}$ at most, so it is never built. With
$W_Q = Q_q R_q$ and $W_K = Q_k R_k$ (QR) the SVD of the small core $R_q R_k^\top = P \Sigma \Theta^\top$ gives
$U = Q_q P$ and $V = Q_k \Theta$.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

# Heads are worked through in groups whose float64 copies stay in the processor's cache (or well within a GPU).
GROUP_BYTES = {"cpu": 4 << 20, "cuda": 1 << 30}
# How far U S V^T may miss W_Q W_K^T, and U^T U the identity, before a result is done again or refused.
TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-11}


class QKSVD(NamedTuple):
    """SVD of a batch of QK matrices: ``Omega = U @ diag(S) @ V.mT``; the columns of U read queries, those of V keys.

    Signs are fixed so that each column of U has its largest entry positive; flipping a pair (u, v) changes nothing.

    Example:
        >>> U, S, V = QKSVD(torch.eye(2), torch.tensor([3.0, 1.0]), torch.eye(2).flip(1))
        >>> U @ torch.diag(S) @ V.mT  # a query along the first axis asks, with weight 3, for a key along the second
        tensor([[0., 3.],
                [1., 0.]])
    """

    U: Float[Tensor, "... d_model d_head"]
    S: Float[Tensor, "... d_head"]
    V: Float[Tensor, "... d_model d_head"]


def qk_svd(
    W_Q: Float[Tensor, "... d_model d_head"],
    W_K: Float[Tensor, "... d_model d_head"],
    *,
    device: str | torch.device | None = None,
) -> QKSVD:
    """SVD of ``W_Q @ W_K.mT`` for any batch of heads, without building the product.

    Works in float64 inside and returns the factors' dtype; right for rank-deficient and ill-conditioned factors. Each
    head's result is checked against its factors on random probes; where it is off it is done again by Householder QR.

    Args:
        W_Q: query weights, features read as rows of ``d_model``; leading dimensions broadcast against W_K's.
        W_K: key weights.
        device: where to compute; by default where the weights lie.

    Returns:
        U [..., d_model, d_head], S [..., d_head] descending, V [..., d_model, d_head].

    Raises:
        ValueError: for shapes that do not fit, dtypes other than float32 and float64, or values that are not finite.
        ArithmeticError: where the result does not reproduce the factors (not seen; better than a wrong answer), or
            singular values are too large for the factors' dtype.

    Example:
        >>> u, v = torch.eye(4)[:, :1], torch.eye(4)[:, 1:2]
        >>> U, S, V = qk_svd(3 * u, 2 * v)
        >>> S
        tensor([6.])
        >>> torch.equal(V.abs(), v)
        True
    """
    W_Q, W_K = _checked(W_Q, W_K, device)
    lead = W_Q.shape[:-2]
    flat_Q, flat_K = (W.reshape(-1, *W.shape[-2:]) for W in (W_Q, W_K))
    heads, d_model, d_head = flat_Q.shape
    if not heads:
        empty = flat_Q.new_zeros(*lead, d_model, d_head)
        return QKSVD(empty, flat_Q.new_zeros(*lead, d_head), empty.clone())

    svd = QKSVD(torch.empty_like(flat_Q), flat_Q.new_empty(heads, d_head), torch.empty_like(flat_K))
    at_once = max(1, GROUP_BYTES.get(flat_Q.device.type, 4 << 20) // (16 * d_model * d_head))
    for start in range(0, heads, at_once):
        group = slice(start, start + at_once)
        for whole, part in zip(svd, _svd_group(flat_Q[group], flat_K[group]), strict=True):
            whole[group] = part
    if not svd.S.isfinite().all():
        raise ArithmeticError(f"singular values above the largest {flat_Q.dtype} number: scale the weights down")
    return QKSVD(*(part.reshape(*lead, *part.shape[1:]) for part in svd))


def whitened_qk_svd(
    W_Q: Float[Tensor, "... d_model d_head"],
    W_K: Float[Tensor, "... d_model d_head"],
    C_query: Float[Tensor, "... d_model d_model"],
    C_key: Float[Tensor, "... d_model d_model"],
) -> QKSVD:
    r"""SVD of the whitened QK matrix $C_q^{1/2}\, W_Q W_K^\top\, C_k^{1/2}$.

    With one target each for the features of interest, and features that are orthogonal once whitened on both sides,
    its singular values follow the target logits and the features lie along $C_q^{1/2} u_k$ and $C_k^{1/2} v_k$.
    (This book's; not in the paper.)

    Args:
        W_Q: query weights.
        W_K: key weights.
        C_query: second moments of the query tokens, symmetric and positive semidefinite.
        C_key: the same for the key tokens.

    Raises:
        ValueError: for shapes that do not fit, or a moment matrix that is not symmetric and positive semidefinite.

    Example:
        >>> C = torch.diag(torch.tensor([4.0, 1.0]))  # tokens twice as long along the first axis, on both sides
        >>> whitened_qk_svd(torch.eye(2), torch.eye(2), C, C).S.round(decimals=3)
        tensor([4., 1.])
    """
    whitened = []
    for W, C, name in ((W_Q, C_query, "C_query"), (W_K, C_key, "C_key")):
        root = matrix_sqrt(C, name)
        if W.ndim < 2 or C.shape[-1] != W.shape[-2]:
            raise ValueError(f"{name} has shape {tuple(C.shape)}, weights {tuple(W.shape)}: must agree in d_model")
        whitened.append((root @ W.detach().to(root)).to(W))
    return qk_svd(*whitened)


def matrix_sqrt(C: Float[Tensor, "... d d"], name: str = "C") -> Float[Tensor, "... d d"]:
    """The symmetric square root of a positive semidefinite matrix; ``name`` is what an error calls it.

    Raises:
        ValueError: for a matrix that is not square, symmetric and positive semidefinite.

    Example:
        >>> matrix_sqrt(torch.tensor([[5.0, 4.0], [4.0, 5.0]])).round(decimals=6)
        tensor([[2., 1.],
                [1., 2.]], dtype=torch.float64)
    """
    if C.ndim < 2 or C.shape[-1] != C.shape[-2]:
        raise ValueError(f"{name} has shape {tuple(C.shape)}: expected [..., d_model, d_model]")
    if not C.isfinite().all():
        raise ValueError(f"{name} holds values that are not finite")
    C = C.detach().double()
    largest = C.abs().amax((-2, -1), keepdim=True)
    if ((C - C.mT).abs() > 1e-4 * C.abs() + 1e-6 * largest).any():
        raise ValueError(f"{name} is not symmetric")
    eigenvalues, vectors = torch.linalg.eigh((C + C.mT) / 2)
    if (eigenvalues < -1e-6 * eigenvalues.abs().amax(-1, keepdim=True)).any():
        raise ValueError(f"{name} has negative eigenvalues: second moments are positive semidefinite")
    root = rearrange(eigenvalues.clamp_min(0).sqrt(), "... k -> ... 1 k")
    return (vectors * root) @ vectors.mT


def singular_groups(S: Float[Tensor, "... d_head"], tolerance: float = 1e-3) -> Int[Tensor, "... d_head"]:
    """Which singular values are too close to tell their vectors apart.

    Neighbours whose gap is at most ``tolerance`` times the largest singular value share a group, numbered from 0. Only
    the span of a group's singular vectors is determined, not the vectors themselves; all values near 0 form one group.

    Example:
        >>> singular_groups(torch.tensor([9.0, 5.0, 5.0, 0.0, 0.0]))
        tensor([0, 1, 1, 2, 2])
    """
    if S.shape[-1] == 0:
        raise ValueError("singular_groups needs at least one singular value, got an empty last dimension")
    if not 0 <= tolerance < 1:
        raise ValueError(f"tolerance = {tolerance}: a share of the largest singular value, in [0, 1)")
    gap = S[..., :-1] - S[..., 1:]
    if (gap < 0).any():
        raise ValueError("singular values must descend along the last dimension")
    apart = gap > tolerance * S[..., :1]
    return torch.cat([torch.zeros_like(S[..., :1], dtype=torch.long), apart.cumsum(-1)], -1)


def rotated_null(svd: QKSVD, generator: torch.Generator | None = None) -> QKSVD:
    """The same spectrum in random directions: U and V turned independently within the spaces that they span.

    What a measure of sparsity gives here is what it owes to the spectrum alone (paper, section 5).

    Args:
        svd: any batch of heads.
        generator: for repeatable rotations; on the CPU.

    Example:
        >>> svd = QKSVD(torch.eye(8)[:, :2], torch.tensor([3.0, 1.0]), torch.eye(8)[:, 2:4])
        >>> null = rotated_null(svd, torch.Generator().manual_seed(0))
        >>> null.S, bool(null.U[2:].any())  # the same values, and U stays in the plane of the first two axes
        (tensor([3., 1.]), False)
    """
    U, S, V = svd
    shape = (2, *S.shape, S.shape[-1])
    gaussian = torch.randn(shape, generator=generator, dtype=torch.float64)
    Q, R = torch.linalg.qr(gaussian)
    Q = Q * R.diagonal(dim1=-2, dim2=-1).sign()[..., None, :]  # makes the rotation Haar-uniform
    turn_U, turn_V = Q.to(U)
    return QKSVD(U @ turn_U, S, V @ turn_V)


def _checked(W_Q: Tensor, W_K: Tensor, device) -> tuple[Tensor, Tensor]:
    for name, W in (("W_Q", W_Q), ("W_K", W_K)):
        if W.ndim < 2 or W.shape[-2] < W.shape[-1] or W.shape[-1] == 0:
            raise ValueError(f"{name} has shape {tuple(W.shape)}: not [..., d_model, d_head], 0 < d_head <= d_model")
        if W.dtype not in TOLERANCE:
            raise ValueError(f"{name} is {W.dtype}: expected float32 or float64 (convert half precision first)")
    if W_Q.shape[-2:] != W_K.shape[-2:] or W_Q.dtype != W_K.dtype:
        raise ValueError(
            f"W_Q {tuple(W_Q.shape)} {W_Q.dtype} and W_K {tuple(W_K.shape)} {W_K.dtype} must agree in d_model, d_head "
            "and dtype"
        )
    if device is not None:
        W_Q, W_K = W_Q.to(device), W_K.to(device)
    try:
        W_Q, W_K = torch.broadcast_tensors(W_Q.detach(), W_K.detach())
    except RuntimeError as error:
        shapes = f"W_Q {tuple(W_Q.shape)} and W_K {tuple(W_K.shape)}"
        raise ValueError(f"leading dimensions of {shapes} do not match") from error
    for name, W in (("W_Q", W_Q), ("W_K", W_K)):
        if not W.sum().isfinite() and not W.isfinite().all():  # the sum is quick, but may overflow
            raise ValueError(f"{name} holds values that are not finite")
    return W_Q, W_K


def _svd_group(W_Q: Float[Tensor, "I d r"], W_K: Float[Tensor, "I d r"]) -> QKSVD:
    """The SVD of a few heads: by Cholesky QR, and where the check finds that off, by Householder QR."""
    wide_Q, wide_K, scale = W_Q.double(), W_K.double(), None
    if W_Q.dtype == torch.float64:  # an answer to full float64 precision cannot afford the squared condition
        (wide_Q, scale_Q), (wide_K, scale_K) = _near_one(wide_Q), _near_one(wide_K)
        scale = scale_Q * scale_K
        svd = QKSVD(torch.zeros_like(wide_Q), wide_Q.new_zeros(W_Q.shape[0], W_Q.shape[2]), torch.zeros_like(wide_K))
    else:
        svd = _svd_cholesky(wide_Q, wide_K)
    tolerance = TOLERANCE[W_Q.dtype]
    off = ~(_error(svd, wide_Q, wide_K) < tolerance)
    if off.any():
        again = _svd_householder(wide_Q[off], wide_K[off])
        wrong = ~(_error(again, wide_Q[off], wide_K[off]) < tolerance)
        if wrong.any():
            raise ArithmeticError(f"the SVD of {int(wrong.sum())} heads does not reproduce W_Q W_K^T")
        for whole, part in zip(svd, again, strict=True):
            whole[off] = part
    largest = svd.U.gather(-2, svd.U.abs().argmax(-2, keepdim=True))
    sign = torch.where(largest < 0, -1.0, 1.0).to(svd.U)
    return QKSVD(svd.U * sign, svd.S if scale is None else svd.S * scale, svd.V * sign)


def _near_one(W: Float[Tensor, "I d r"]) -> tuple[Float[Tensor, "I d r"], Float[Tensor, "I 1"]]:
    """Each matrix divided by the power of 2 nearest its largest entry, exactly; squares then stay within range."""
    exponent = torch.frexp(W.abs().amax((-2, -1))).exponent
    return torch.ldexp(W, -exponent[:, None, None]), torch.ldexp(W.new_ones(len(W), 1), exponent[:, None])


def _svd_cholesky(W_Q: Float[Tensor, "I d r"], W_K: Float[Tensor, "I d r"]) -> QKSVD:
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
    P, S, Th = _core_svd(L_q.mT @ ((d_q * d_k)[..., None] * L_k))
    U = W_Q @ (torch.linalg.solve_triangular(L_q.mT, P, upper=True) / d_q[..., None])
    V = W_K @ (torch.linalg.solve_triangular(L_k.mT, Th.mT, upper=True) / d_k[..., None])
    return QKSVD(U, S, V)


def _core_svd(core: Float[Tensor, "I r r"]) -> tuple[Tensor, Tensor, Tensor]:
    """torch's SVD, for which a matrix that is not finite is an error: here it gives a result that is not finite."""
    fine = core.isfinite().all(-1).all(-1)[:, None, None]
    P, S, Th = torch.linalg.svd(torch.where(fine, core, 0.0))
    return torch.where(fine, P, torch.nan), S, Th


def _svd_householder(W_Q: Float[Tensor, "I d r"], W_K: Float[Tensor, "I d r"]) -> QKSVD:
    """By Householder QR and the SVD of the core: slower, and right whatever the condition."""
    Q_q, R_q = torch.linalg.qr(W_Q)
    Q_k, R_k = torch.linalg.qr(W_K)
    P, S, Th = torch.linalg.svd(R_q @ R_k.mT)
    return QKSVD(Q_q @ P, S, Q_k @ Th.mT)


def _error(svd: QKSVD, W_Q: Tensor, W_K: Tensor) -> Float[Tensor, " I"]:
    """Relative error of U S V^T and of orthonormality, estimated on fixed random probes at little cost."""
    U, S, V = svd
    generator = torch.Generator().manual_seed(0)
    probe = lambda size: torch.randn(size, 1, generator=generator, dtype=torch.float64).to(U)  # noqa: E731
    norm = lambda array: torch.linalg.vector_norm(array, dim=(-2, -1))  # noqa: E731
    x, z = probe(U.shape[-2]), probe(U.shape[-1])
    k = W_K.mT @ x
    scale = norm(W_Q) * norm(k)
    reconstruction = norm(W_Q @ k - U @ (S[..., None] * (V.mT @ x))) / scale.clamp_min(torch.finfo(U.dtype).tiny)
    orthonormality = torch.maximum(norm(U.mT @ (U @ z) - z), norm(V.mT @ (V @ z) - z)) / norm(z)
    return torch.maximum(reconstruction, orthonormality)
