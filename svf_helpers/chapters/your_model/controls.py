"""What the terms of a head are compared with: rotations, random splits, two vectors turned within their plane."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from svf_helpers.attention import null_terms, sparsity
from svf_helpers.ioi import CircuitHead, Prompts
from svf_helpers.language_models.bases import HeadBases
from svf_helpers.language_models.circuit_terms import circuit_terms
from svf_helpers.language_models.random_basis import random_rank_one_basis
from svf_helpers.language_models.terms import HeadTerms


def rotated_terms(found: HeadTerms, draws: int, seed: int = 0) -> Float[Tensor, "draws m"]:
    """The first head's terms at the first pair of tokens under rotations of its basis."""
    x, S, y = (part[0, 0] for part in (found.query, found.S, found.key))
    return null_terms(x, S, y, draws=draws, generator=torch.Generator().manual_seed(seed))


def split_counts(
    model, prompts: Prompts, head: CircuitHead, bases: HeadBases, draws: int = 8
) -> Int[Tensor, "draws prompts"]:
    """N_sv of one head in each prompt, in random splits of its basis: the same sum along random directions."""
    splits = (random_rank_one_basis(bases, torch.Generator().manual_seed(seed)) for seed in range(draws))
    return torch.stack([circuit_terms(model, prompts, [head], split, draws=1).n_sv[0] for split in splits])


def sparsity_of_turned(
    found: HeadTerms, degrees: Float[Tensor, " angles"], ranks: Sequence[int] = (2, 3)
) -> Float[Tensor, " angles"]:
    """The first head's sparsity, mean over prompts, with two of its vectors turned within their plane, on both sides.

    The terms are taken in the split x √S, y √S, which any such turn leaves exact: they still sum to ρ.

    Ranks, from 1, are those of two singular values. There is one query and one key in each prompt.

    Example:
        >>> x = torch.tensor([[[1.0, 2.0]]])
        >>> found = HeadTerms(x * x, (x * x).sum(-1), x, torch.ones_like(x), x, ((0, 0),))
        >>> [round(value, 2) for value in sparsity_of_turned(found, torch.tensor([0.0, 90.0, 45.0]), (1, 2)).tolist()]
        [0.74, 0.74, 0.61]
    """
    x, S, y = (part[:, 0].double() for part in (found.query, found.S, found.key))
    plane = [rank - 1 for rank in ranks]
    values = []
    for angle in degrees.deg2rad():
        turn = torch.eye(x.shape[-1], dtype=torch.double)
        turn[plane[0], plane] = torch.stack([angle.cos(), -angle.sin()]).double()
        turn[plane[1], plane] = torch.stack([angle.sin(), angle.cos()]).double()
        values.append(sparsity((S.sqrt() * x @ turn.T) * (S.sqrt() * y @ turn.T)).mean())
    return torch.stack(values)
