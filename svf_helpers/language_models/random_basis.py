r"""A head's score split into as many terms as it has dimensions, in directions that mean nothing: exact, and random.

The rotated null of :func:`svf_helpers.attention.null_terms` keeps the singular values and turns the vectors; its terms
no longer sum to the score, so nothing that depends on the sum ($N_{sv}$, or what is left after an ablation) can be
compared with it. Here the sum stays. With coordinates $x$, $y$ of query and key, and any orthogonal $R$,

$$x^\top \Sigma\, y = \sum_k (R\,\Sigma^{1/2} x)_k\, (R\,\Sigma^{1/2} y)_k .$$

Each term is a rank-one map, as each term of the SVD is. This is the book's own; it is not in the paper.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from einops import einsum

from ..deprecation import renamed
from ..rotations import random_rotations
from .bases import HeadBases
from .frames import HeadSVD

__all__ = ["random_rank_one_basis"]
__getattr__ = renamed(__name__, {"random_split": "random_rank_one_basis"})


def random_rank_one_basis(bases: HeadBases, generator: torch.Generator | None = None) -> HeadBases:
    """Random bases in which every head's terms still sum to its score.

    Args:
        bases: from :func:`svf_helpers.language_models.head_bases`, "weights" or "whitened": the random directions are
            drawn in the coordinates of this basis.
        generator: for a repeatable draw; on the CPU. Every head gets a rotation of its own.

    Returns:
        Bases for :func:`~svf_helpers.language_models.head_terms_batch` and
        :func:`~svf_helpers.language_models.ablate_terms`; all "singular values" are 1 (times the head's scale).

    Raises:
        ValueError: for bases "offset" of a rotary head: each offset would be split in another way.

    Example:
        >>> from . import head_bases, head_terms_batch, load_model
        >>> model, tokens = load_model("pocket-gpt2", device="cpu"), torch.tensor([[0, 5, 7, 5]])
        >>> bases = head_bases(model, "weights", [(0, 3)])
        >>> drawn = random_rank_one_basis(bases, torch.Generator().manual_seed(0))
        >>> ours, random = (head_terms_batch(model, tokens, query=3, key=1, basis=b) for b in (bases, drawn))
        >>> torch.allclose(random.terms.sum(), ours.terms.sum(), atol=1e-4), torch.allclose(random.terms, ours.terms)
        (True, False)
    """
    layers = {}
    for number, layer in bases.layers.items():
        if layer.svd is None:
            raise ValueError("bases 'offset' of a rotary head: a random basis would differ from offset to offset")
        svd = layer.svd
        heads, r = svd.S.shape
        R = random_rotations(heads, r, generator).to(svd.S)
        root = svd.S.sqrt()[..., None]
        to_query, to_key = (einsum(R, root * side, "h s r, h r t -> h s t") for side in (svd.to_query, svd.to_key))
        layers[number] = replace(layer, svd=HeadSVD(to_query, torch.ones_like(svd.S), to_key))
    return HeadBases(bases.basis, bases.heads, layers)
