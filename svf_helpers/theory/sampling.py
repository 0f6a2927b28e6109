r"""Random contexts as in Theorem 1: tokens that are sums over random subsets of features (paper, eqs. 3 and 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from . import checks


class Contexts(NamedTuple):
    """N contexts of one query and m keys each: the tokens, and how much of each feature they hold (0 or 1).

    Example:
        >>> contexts = sample_contexts(torch.eye(3), torch.eye(3), p=0.5, keys=4, contexts=10)
        >>> tuple(contexts.queries.shape), tuple(contexts.keys.shape)
        ((10, 3), (10, 4, 3))
    """

    queries: Float[Tensor, "... N d"]
    keys: Float[Tensor, "... N m d"]
    in_query: Float[Tensor, "... N n"]
    in_keys: Float[Tensor, "... N m n"]


class SampleMoment(NamedTuple):
    """A sample's mean and, entry by entry, its standard error.

    Example:
        >>> moment = sample_query_moment(torch.tensor([[1.0], [3.0]]))  # squares 1 and 9
        >>> float(moment.mean), round(float(moment.standard_error), 6)
        (5.0, 4.0)
    """

    mean: Float[Tensor, "... d d"]
    standard_error: Float[Tensor, "... d d"]


def sample_contexts(
    F: Float[Tensor, "... d n"],
    G: Float[Tensor, "... d m"],
    *,
    p: float,
    keys: int,
    contexts: int,
    seed: int | Sequence[int] = 0,
    strengths: bool = False,
) -> Contexts:
    """Independent contexts; each feature is in each token with probability p (paper, B.2.1).

    Args:
        F: query features as columns; any one leading dimension is a batch of dictionaries.
        G: key features as columns, batched like F.
        p: probability of each feature, strictly between 0 and 1.
        keys: keys in a context, at least 2.
        contexts: how many contexts.
        seed: one for all dictionaries of the batch, which then see the same subsets; or one for each. A dictionary
            gets the same contexts alone as in a batch.
        strengths: instead of 1, give each present feature a strength drawn from U[0, 1], as in the toy model; the same
            seed then gives the same subsets.

    Raises:
        ValueError: for arguments outside the theorem's setting, or seeds that do not match the batch.

    Example:
        >>> contexts = sample_contexts(2 * torch.eye(3), torch.eye(3), p=0.5, keys=4, contexts=50)
        >>> contexts.queries.unique()  # with orthogonal features, a token's coordinates are the features' lengths or 0
        tensor([0., 2.], dtype=torch.float64)
    """
    F, G, p = checks.dictionary(F, "F"), checks.dictionary(G, "G"), checks.probability(p)
    keys, contexts = checks.count(keys, "keys", 2), checks.count(contexts, "contexts", 1)
    if F.shape[:-2] != G.shape[:-2] or F.ndim > 3:
        raise ValueError(f"F {tuple(F.shape)} and G {tuple(G.shape)}: expected the same batch, one dimension or none")
    lead = F.shape[:-2]
    several = not isinstance(seed, int)
    seeds = [seed] if isinstance(seed, int) else list(seed)
    if several and (len(lead) != 1 or len(seeds) != lead[0]):
        raise ValueError(f"{len(seeds)} seeds for dictionaries {tuple(F.shape)}: give one seed, or one for each")
    draws = [_draws(one, (contexts, F.shape[-1]), (contexts, keys, G.shape[-1])) for one in seeds]
    in_query, in_keys = (torch.stack(side) if several else side[0] for side in zip(*draws, strict=True))
    in_query, in_keys = (_amounts(side.to(F.device), p, strengths) for side in (in_query, in_keys))
    if lead and not several:
        in_query, in_keys = in_query.expand(*lead, *in_query.shape), in_keys.expand(*lead, *in_keys.shape)
    return Contexts(in_query @ F.mT, in_keys @ G.mT[..., None, :, :], in_query, in_keys)


def head_logits(
    Omega: Float[Tensor, "... d e"], queries: Float[Tensor, "... N d"], keys: Float[Tensor, "... N m e"]
) -> Float[Tensor, "... N m"]:
    r"""Logits $q^\top \Omega\, t_k$ of a head, student or linear teacher (paper, B.2.1).

    Queries and keys may differ in length, as do d and e here.

    Example:
        >>> Omega = torch.tensor([[0.0, 3.0], [0.0, 0.0]])
        >>> head_logits(Omega, torch.tensor([[1.0, 0.0]]), torch.eye(2)[None])  # one query; two keys, along the axes
        tensor([[0., 3.]])
    """
    return (keys @ rearrange(queries @ Omega, "... N d -> ... N d 1")).squeeze(-1)


def presence_logits(contexts: Contexts, pair: tuple[int, int], scale: float) -> Float[Tensor, "... N m"]:
    """A teacher that no head can match exactly: ``scale`` where query and key hold the pair, else 0.

    With strengths it is the toy model's target, scale times the product of both strengths. The paper's theorem is about
    the linear detectors instead (:func:`svf_helpers.theory.theorem1_minimizer`); this is here to see what that changes.

    Args:
        contexts: as drawn by :func:`sample_contexts`.
        pair: (query feature, key feature).
        scale: above 0.

    Example:
        >>> contexts = sample_contexts(torch.eye(2), torch.eye(2), p=0.5, keys=3, contexts=50)
        >>> presence_logits(contexts, (0, 1), 6.0).unique()
        tensor([0., 6.], dtype=torch.float64)
    """
    a, b = pair
    for index, held, name in ((a, contexts.in_query, "query"), (b, contexts.in_keys, "key")):
        if not 0 <= index < held.shape[-1]:
            raise ValueError(f"pair = {pair!r}: there are {held.shape[-1]} {name} features")
    return checks.positive(scale, "scale") * contexts.in_query[..., a, None] * contexts.in_keys[..., b]


def sample_query_moment(queries: Float[Tensor, "... N d"]) -> SampleMoment:
    r"""Sample mean of $q q^\top$, to set beside :func:`svf_helpers.theory.query_moment`.

    Example:
        >>> sample_query_moment(torch.tensor([[1.0, 1.0], [1.0, -1.0]])).mean
        tensor([[1., 0.],
                [0., 1.]], dtype=torch.float64)
    """
    return _mean(queries.double()[..., :, None] * queries.double()[..., None, :])


def sample_key_moment(
    keys: Float[Tensor, "... N m d"], about: Literal["mean", "first"] = "mean"
) -> SampleMoment:
    """Sample mean of the summed squares of key differences, to set beside :func:`svf_helpers.theory.key_moment`.

    Example:
        >>> keys = torch.tensor([[[0.0], [2.0]], [[0.0], [4.0]]])  # two contexts with two keys each
        >>> float(sample_key_moment(keys).mean), float(sample_key_moment(keys, "first").mean)
        (5.0, 10.0)
    """
    if about not in ("mean", "first"):
        raise ValueError(f"about = {about!r}: must be 'mean' or 'first'")
    keys = keys.double()
    origin = keys.mean(-2, keepdim=True) if about == "mean" else keys[..., :1, :]
    return _mean((keys - origin).mT @ (keys - origin))


def _draws(seed: int, query_shape: tuple, key_shape: tuple) -> tuple[Tensor, Tensor]:
    generator = torch.Generator("cpu").manual_seed(seed)
    query, key = (
        torch.rand(shape, generator=generator, dtype=torch.float64, device="cpu") for shape in (query_shape, key_shape)
    )
    return query, key


def _amounts(uniform: Tensor, p: float, strengths: bool) -> Tensor:
    above = uniform - (1 - p)
    return (above / p).clamp_min(0) if strengths else (above > 0).double()


def _mean(squares: Float[Tensor, "... N d d"]) -> SampleMoment:
    contexts = squares.shape[-3]
    if contexts < 2:
        raise ValueError(f"a standard error needs at least 2 contexts, got {contexts}")
    return SampleMoment(squares.mean(-3), squares.std(-3) / contexts**0.5)
