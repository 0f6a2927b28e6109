r"""Frames of a head's query and key space, and the SVD of the head between them.

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
from jaxtyping import Float
from torch import Tensor

from ..rope import Rotary
from .heads import LayerHeads


class Frames(NamedTuple):
    """Upper triangular frames of some heads, in float64.

    Example:
        >>> Frames(torch.eye(2)[None], 3 * torch.eye(2)[None]).key.shape
        torch.Size([1, 2, 2])
    """

    query: Float[Tensor, "... r r"]
    key: Float[Tensor, "... r r"]


class HeadSVD(NamedTuple):
    """Singular values, and the maps that take a query and a key vector to its coordinates; signs are fixed.

    Example:
        >>> svd = svd_between(Frames(torch.eye(2)[None], 3 * torch.eye(2)[None]))
        >>> svd.S
        tensor([[3., 3.]])
    """

    to_query: Float[Tensor, "... r r"]
    S: Float[Tensor, "... r"]
    to_key: Float[Tensor, "... r r"]


def frames_of_weights(layer: LayerHeads) -> Frames:
    """Frames in which the SVD is that of the QK matrix: the triangular QR factors of the weights.

    Raises:
        ArithmeticError: for a head whose query or key weights have not full rank. (Biases then may have parts that no
            token can carry.)

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


def svd_between(frames: Frames, rotary: Rotary | None = None, offsets: Tensor | None = None) -> HeadSVD:
    r"""SVD of $F_q F_k^\top$, or of $F_q R_\Delta^\top F_k^\top$ at each of some offsets.

    Args:
        frames: of some heads.
        rotary: their rotation, if an offset is asked for.
        offsets: query position minus key position, any shape; its dimensions then lead.

    Example:
        >>> svd_between(Frames(torch.eye(4), torch.eye(4)), Rotary.of(4), torch.tensor([0, 3])).S.shape
        torch.Size([2, 4])
    """
    turned = frames.query
    if rotary is not None and offsets is not None:
        turned = rotary.rotate(turned, offsets.reshape(*offsets.shape, *[1] * (turned.ndim - 1)))
    P, S, Theta_T = torch.linalg.svd(turned @ frames.key.mT)
    to_query = torch.linalg.solve_triangular(frames.query.expand_as(P), P, upper=True).mT
    to_key = torch.linalg.solve_triangular(frames.key.expand_as(P), Theta_T.mT, upper=True).mT
    # a pair of singular vectors may be flipped; with signs fixed, random turns of coordinates are the same everywhere
    probe = torch.arange(1, P.shape[-1] + 1, dtype=P.dtype, device=P.device).cos()
    sign = torch.where(to_query @ probe < 0, -1.0, 1.0).to(P)[..., None]
    return HeadSVD(sign * to_query, S, sign * to_key)
