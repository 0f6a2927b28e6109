r"""The SVD of a head in its own small space, between a triangular frame for queries and one for keys.

A head scores $\tilde q^\top \tilde k$ with query and key vectors in $\mathbb R^{r}$. Choose a frame on each side, an
upper triangular $F_q$ and $F_k$, and take the SVD of the small core $F_q F_k^\top = P \Sigma \Theta^\top$. Then

$$\tilde q^\top \tilde k = \sum_k (P^\top F_q^{-\top} \tilde q)_k\, \sigma_k\, (\Theta^\top F_k^{-\top} \tilde k)_k.$$

With the QR factors of the weights, $W_Q = Q_q F_q$, these are the terms of eq. (1): $U = Q_q P$ and $V = Q_k \Theta$.
With Cholesky factors of second moments, $F_q^\top F_q = \mathbb E[\tilde q \tilde q^\top]$, they are those of the
whitened QK matrix. Biases and rotation are carried by the vectors; nothing is ever larger than $r \times r$.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..factored_svd import signed_svd
from ..rope import Rotary
from .heads import LayerHeads


class Frames(NamedTuple):
    """Upper triangular frames of the query and the key space of some heads, in float64.

    Example:
        >>> frames = Frames(query=2 * torch.eye(2)[None], key=3 * torch.eye(2)[None])
        >>> svd_between(frames).S  # the head scores query times key, in these units
        tensor([[6., 6.]])
    """

    query: Float[Tensor, "... r r"]
    key: Float[Tensor, "... r r"]


class HeadSVD(NamedTuple):
    """Singular values, and the maps that take a head's query and key vectors to coordinates along singular vectors.

    Example:
        >>> svd = svd_between(Frames(torch.eye(2)[None], 3 * torch.eye(2)[None]))
        >>> q, k = torch.tensor([1.0, 2.0]), torch.tensor([4.0, 5.0])
        >>> ((svd.to_query @ q) * svd.S * (svd.to_key @ k)).sum(), q @ k  # the terms sum to the score
        (tensor(14.), tensor(14.))
    """

    to_query: Float[Tensor, "... r r"]
    S: Float[Tensor, "... r"]
    to_key: Float[Tensor, "... r r"]


def frames_of_weights(layer: LayerHeads) -> Frames:
    """Frames in which the SVD is that of the QK matrix: the triangular QR factors of the weights.

    Raises:
        ArithmeticError: for a head whose query or key weights do not have full rank. (Its biases may then have parts
            that no token can produce.)

    Example:
        >>> W = torch.tensor([[[3.0], [4.0]]])
        >>> frames_of_weights(LayerHeads(W, W, None, 1.0)).query.abs()
        tensor([[[5.]]])
    """
    if layer.W_Q.shape[-2] < layer.d_head:
        d_model = layer.W_Q.shape[-2]
        raise ArithmeticError(f"d_head = {layer.d_head} is more than d_model = {d_model}: no rank d_head in this basis")
    frames = Frames(*(_triangle(W) for W in (layer.W_Q, layer.W_K)))
    for name, F in zip(("query", "key"), frames, strict=True):
        pivots = F.diagonal(dim1=-2, dim2=-1).abs()
        poor = (pivots.amin(-1) <= 1e-12 * pivots.amax(-1)).nonzero().flatten().tolist()
        if poor:
            raise ArithmeticError(f"the {name} weights of heads {poor} have rank below d_head: no terms in this basis")
    return frames


def _triangle(W: Float[Tensor, "heads d r"]) -> Float[Tensor, "heads r r"]:
    """Upper triangular F with F^T F = W^T W: by Cholesky where the condition allows, else by Householder QR.

    Terms sum to the score in any frame, and the check of the sum says so each time; what the squared condition costs is
    orthonormality of the singular vectors, some 1e-8 at the limit set here.
    """
    G = W.mT @ W
    length = G.diagonal(dim1=-2, dim2=-1).sqrt()
    L, failed = torch.linalg.cholesky_ex(G / (length[:, :, None] * length[:, None, :]))
    poor = (failed > 0) | ~(L.diagonal(dim1=-2, dim2=-1).amin(-1) > 1e-4)
    F = L.mT * length[:, None, :]
    if poor.any():
        F[poor] = torch.linalg.qr(W[poor], mode="r").R
    return F


def frames_of_moments(query: Float[Tensor, "heads r r"], key: Float[Tensor, "heads r r"]) -> Frames:
    """Frames in which query and key vectors are white: Cholesky factors of their second moments.

    Raises:
        ArithmeticError: for moments that are not positive definite: the sample is too uniform.

    Example:
        >>> frames_of_moments(4 * torch.eye(2)[None], torch.eye(2)[None]).query[0]
        tensor([[2., 0.],
                [0., 2.]], dtype=torch.float64)
    """
    frames = []
    for name, moment in (("query", query), ("key", key)):
        L, failed = torch.linalg.cholesky_ex(moment.double())
        if failed.any():
            raise ArithmeticError(
                f"second moments of the {name} vectors of heads {failed.nonzero().flatten().tolist()} are not positive "
                "definite: gather them from more, and more varied, text"
            )
        frames.append(L.mT)
    return Frames(*frames)


def svd_between(
    frames: Frames,
    rotary: Rotary | None = None,
    offsets: Int[Tensor, "..."] | None = None,
    toward: Float[Tensor, "... 1 r"] | None = None,
) -> HeadSVD:
    r"""SVD of $F_q F_k^\top$, or of $F_q R_\Delta^\top F_k^\top$ at each of several offsets.

    Args:
        frames: of some heads.
        rotary: their rotation, where offsets are asked for.
        offsets: query position minus key position, of any shape; its dimensions then lead.
        toward: which way the query's singular vectors point, since each pair may be flipped: with
            ``factored_svd.seen_from(W_Q)`` the signs are those of :func:`svf_helpers.qk.qk_svd`. By default they are
            fixed by a direction of head space, for heads whose weights are not at hand.

    Example:
        >>> svd_between(Frames(torch.eye(4), torch.eye(4)), Rotary.of(4), torch.tensor([0, 3])).S.shape
        torch.Size([2, 4])
    """
    query, turned = frames.query, frames.query
    if rotary is not None and offsets is not None:
        turned = rotary.rotate(turned, offsets.reshape(*offsets.shape, *[1] * (turned.ndim - 1)))
    if toward is None:
        toward = torch.arange(1, query.shape[-1] + 1, dtype=query.dtype, device=query.device).cos()[None]
    to_query, S, to_key = signed_svd(
        turned @ frames.key.mT,
        lambda P: torch.linalg.solve_triangular(query.expand_as(P), P, upper=True),
        lambda Theta: torch.linalg.solve_triangular(frames.key.expand_as(Theta), Theta, upper=True),
        toward,
    )
    return HeadSVD(to_query.mT, S, to_key.mT)
