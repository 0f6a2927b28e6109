r"""The SVD of the QK matrix $\Omega = W_Q W_K^\top = U \Sigma V^\top$, from its factors (paper, section 2).

The QK matrix is $d_{model} \times d_{model}$ but has rank $d_{head}$ at most, so it is never built: QR of each factor,
SVD of the $d_{head} \times d_{head}$ core between them (:mod:`svf_helpers.factored_svd`).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from .device import on_device
from .factored_svd import QKSVD, TOLERANCE, svd_of_factors
from .rotations import random_rotations

# Heads are worked through in groups whose float64 copies stay in the processor's cache (or well within a GPU).
GROUP_BYTES = {"cpu": 4 << 20, "cuda": 1 << 30}


def qk_svd(
    W_Q: Float[Tensor, "... d_model d_head"],
    W_K: Float[Tensor, "... d_model d_head"],
    *,
    device: str | torch.device | None = None,
) -> QKSVD:
    """SVD of ``W_Q @ W_K.mT`` for any batch of heads, without building the product.

    It computes in float64 and returns the dtype of the factors, which may be rank-deficient or ill-conditioned. Each
    head's result is checked against its factors on random probes, and computed again by Householder QR where it is off.

    Args:
        W_Q: query weights, one row for each dimension of the tokens; leading dimensions broadcast against W_K's.
        W_K: key weights.
        device: where to compute, as for :func:`svf_helpers.device.choose_device`; None stays where the weights lie.

    Returns:
        U [..., d_model, d_head], S [..., d_head] descending, V [..., d_model, d_head].

    Raises:
        ValueError: for shapes that do not fit, dtypes other than float32 and float64, values that are not finite, or a
            device that this machine does not have.
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

    def decompose(start: int) -> None:
        group = slice(start, start + at_once)
        for whole, part in zip(svd, svd_of_factors(flat_Q[group], flat_K[group]), strict=True):
            whole[group] = part

    starts = range(0, heads, at_once)
    threads = torch.get_num_threads()
    if flat_Q.device.type == "cpu" and len(starts) > 1 and threads > 1:
        # LAPACK takes the heads of a batch one by one: as many groups at once as there are threads, one thread each
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            list(pool.map(decompose, starts))
        torch.set_num_threads(threads)
    else:
        for start in starts:
            decompose(start)
    if not svd.S.isfinite().all():
        raise ArithmeticError(f"singular values above the largest {flat_Q.dtype} number: scale the weights down")
    return QKSVD(*(part.reshape(*lead, *part.shape[1:]) for part in svd))


def whitened_qk_svd(
    W_Q: Float[Tensor, "... d_model d_head"],
    W_K: Float[Tensor, "... d_model d_head"],
    C_query: Float[Tensor, "... d_model d_model"],
    C_key: Float[Tensor, "... d_model d_model"],
    *,
    device: str | torch.device | None = None,
) -> QKSVD:
    r"""SVD of the whitened QK matrix $C_q^{1/2}\, W_Q W_K^\top\, C_k^{1/2}$.

    Where each feature of interest has one target, and whitening makes the features orthogonal on both sides, its
    singular values follow the target logits and the features lie along $C_q^{1/2} u_k$ and
    $C_k^{1/2} v_k$. (This book's; not in the paper.)

    Args:
        W_Q: query weights.
        W_K: key weights.
        C_query: second moments of the query tokens, symmetric and positive semidefinite.
        C_key: the same for the key tokens.
        device: where to compute, as for :func:`qk_svd`.

    Raises:
        ValueError: as :func:`qk_svd`, and for a moment matrix that is not symmetric and positive semidefinite.

    Example:
        >>> C = torch.diag(torch.tensor([4.0, 1.0]))  # tokens twice as long along the first axis, on both sides
        >>> whitened_qk_svd(torch.eye(2), torch.eye(2), C, C).S.round(decimals=3)
        tensor([4., 1.])
    """
    W_Q, W_K, C_query, C_key = on_device(device, W_Q, W_K, C_query, C_key)
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
    """Number the groups of singular values that are too close to tell their vectors apart.

    Neighbours whose gap is at most ``tolerance`` times the largest singular value share a group. Of a group only the
    span of its singular vectors is determined, not the vectors themselves. All values near 0 form one group.

    Raises:
        ValueError: for no singular values, values that do not descend, or a tolerance outside [0, 1).

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
    """Keep the spectrum and turn U and V at random, each within the space that it spans (paper, section 5).

    Sparsity that is measured here as well is due to the spectrum alone.

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
    turn_U, turn_V = random_rotations((2, *S.shape[:-1]), S.shape[-1], generator).to(U)
    return QKSVD(U @ turn_U, S, V @ turn_V)


def _checked(W_Q: Tensor, W_K: Tensor, device: str | torch.device | None) -> tuple[Tensor, Tensor]:
    """Both factors, broadcast and on the device, or a ValueError that says what is wrong with them."""
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
    W_Q, W_K = on_device(device, W_Q, W_K)
    try:
        W_Q, W_K = torch.broadcast_tensors(W_Q.detach(), W_K.detach())
    except RuntimeError as error:
        shapes = f"W_Q {tuple(W_Q.shape)} and W_K {tuple(W_K.shape)}"
        raise ValueError(f"leading dimensions of {shapes} do not match") from error
    for name, W in (("W_Q", W_Q), ("W_K", W_K)):
        if not W.sum().isfinite() and not W.isfinite().all():  # the sum is quick, but may overflow
            raise ValueError(f"{name} holds values that are not finite")
    return W_Q, W_K
