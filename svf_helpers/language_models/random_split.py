r"""A head's score split into as many terms as it has dimensions, in directions that mean nothing: exact, and random.

The rotated null of :func:`svf_helpers.attention.null_terms` keeps the singular values and turns the vectors; its terms
no longer sum to the score, so nothing that depends on the sum ($N_{sv}$, or what is left when terms are removed) can be
compared with it. Here the sum stays. With coordinates $x$, $y$ of query and key in some frame, and any orthogonal $R$,

$$x^\top \Sigma\, y = \sum_k (R\,\Sigma^{1/2} x)_k\, (R\,\Sigma^{1/2} y)_k .$$

This is the book's own; it is not in the paper.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from einops import einsum
from jaxtyping import Float
from torch import Tensor

from .bases import HeadBases
from .frames import HeadSVD


def random_split(bases: HeadBases, generator: torch.Generator | None = None) -> HeadBases:
    """Bases in which every head's terms still sum to its score, along random directions of the frame of ``bases``.

    Args:
        bases: from :func:`svf_helpers.language_models.head_bases`, "weights" or "whitened".
        generator: for a repeatable draw; on the CPU. Every head gets a rotation of its own.

    Returns:
        Bases for :func:`~svf_helpers.language_models.head_terms_batch` and
        :func:`~svf_helpers.language_models.without_terms`; all "singular values" are 1 (times the head's scale).

    Raises:
        ValueError: for bases "offset" of a rotary head: each offset would be split in another way.

    Example:
        >>> from .bases import LayerBasis
        >>> from .frames import Frames, svd_between
        >>> frames = Frames(torch.eye(2)[None], 3 * torch.eye(2)[None])
        >>> bases = HeadBases("weights", ((0, 0),), {0: LayerBasis([0], None, frames, svd_between(frames), 1)})
        >>> svd = random_split(bases, torch.Generator().manual_seed(0)).layers[0].svd
        >>> bool(torch.dist(svd.to_query.mT @ svd.to_key, torch.eye(2)) < 1e-5)  # q and k multiply as before
        True
    """
    layers = {}
    for number, layer in bases.layers.items():
        if layer.svd is None:
            raise ValueError("bases 'offset' of a rotary head: a random split would differ from offset to offset")
        svd = layer.svd
        R = random_rotations(*svd.S.shape, generator).to(svd.S)
        root = svd.S.sqrt()[..., None]
        to_query, to_key = (einsum(R, root * side, "h s r, h r t -> h s t") for side in (svd.to_query, svd.to_key))
        layers[number] = replace(layer, svd=HeadSVD(to_query, torch.ones_like(svd.S), to_key))
    return HeadBases(bases.basis, bases.heads, layers)


def random_rotations(count: int, size: int, generator: torch.Generator | None = None) -> Float[Tensor, "count r r"]:
    """Orthogonal matrices that prefer no direction (Haar measure), in float64.

    Args:
        count: how many.
        size: of each.
        generator: for repeatable ones; on the CPU.

    Example:
        >>> R = random_rotations(3, 5, torch.Generator().manual_seed(0))
        >>> torch.dist(R.mT @ R, torch.eye(5).expand(3, 5, 5)).item() < 1e-9
        True
    """
    Q, triangle = torch.linalg.qr(torch.randn(count, size, size, dtype=torch.float64, generator=generator))
    return Q * triangle.diagonal(dim1=-2, dim2=-1).sign()[..., None, :]
