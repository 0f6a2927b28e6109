"""Terms of trained toy heads in contexts with chosen pairs, many heads at once, and two counts of how few they are."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from svf_helpers.attention import attention_terms
from svf_helpers.experiments import Result
from svf_helpers.qk import QKSVD, qk_svd
from svf_helpers.toy import ToyConfig
from svf_helpers.toy.planted import Contexts, planted_contexts


def with_pairs(config: ToyConfig, present: int, count: int, generator: torch.Generator | None = None) -> Contexts:
    """So many contexts with this many pairs of interest present, every choice of pairs as often as any other.

    Choices of pairs follow one another, the first pair's first.

    Raises:
        ValueError: for more pairs than the model has, or a count that its choices do not divide.

    Example:
        >>> contexts = with_pairs(ToyConfig(), present=2, count=12)  # 6 choices of 2 out of 4 pairs
        >>> contexts.query.shape
        torch.Size([12, 20])
    """
    choices = list(itertools.combinations(range(len(config.ranked_pairs)), present))
    if not choices or count % len(choices):
        raise ValueError(f"{count} contexts with {present} of {len(config.ranked_pairs)} pairs: there are "
                         f"{len(choices)} choices of pairs, and each must come equally often")
    drawn = [planted_contexts(config, ranks, count // len(choices), generator) for ranks in choices]
    return Contexts(*map(torch.cat, zip(*drawn, strict=True)))


def weights_at(along: Result, step: int) -> list[Float[np.ndarray, "1 ..."]]:
    """W, W_Q and W_K of the first seed at one step of its training, each with a leading dimension of 1.

    ``along`` are the runs ``dynamics``; a step that is not stored is a ``ValueError``.

    Example:
        >>> from svf_helpers.experiments import load
        >>> [array.shape for array in weights_at(load("dynamics"), 4000)]
        [(1, 10, 20), (1, 10, 10), (1, 10, 10)]
    """
    steps = along["step"].tolist()
    if step not in steps:
        raise ValueError(f"step {step} is not stored: there are {len(steps)} from {steps[0]} to {steps[-1]}")
    at = steps.index(step)
    return [along[f"{name}_first_seed"][at][None] for name in ("W", "W_Q", "W_K")]


def terms_of_heads(
    contexts: Contexts,
    W: Float[np.ndarray, "heads d n"],
    W_Q: Float[np.ndarray, "heads d r"],
    W_K: Float[np.ndarray, "heads d r"],
) -> Float[Tensor, "heads contexts ranks"]:
    """Terms of key 0's relative attention, in double precision, for heads side by side that see the same contexts.

    Example:
        >>> from svf_helpers.experiments import load
        >>> terms_of_heads(with_pairs(ToyConfig(), 1, 8), *weights_at(load("dynamics"), 4000)).shape
        torch.Size([1, 8, 10])
    """
    features, to_query, to_key = (torch.tensor(array).double() for array in (W, W_Q, W_K))
    svd = QKSVD(*(part[:, None] for part in qk_svd(to_query, to_key)))
    query, keys = contexts.query.double() @ features.mT, contexts.keys.double() @ features[:, None].mT
    return attention_terms(query, keys, 0, svd)


def largest_share(terms: Float[Tensor, "*of m"]) -> Float[Tensor, "*of"]:
    """The largest term's part of all sizes.

    Example:
        >>> largest_share(torch.tensor([[3.0, -1.0, 0.0], [-2.0, 1.0, 1.0]]))
        tensor([0.7500, 0.5000])
    """
    return terms.abs().amax(-1) / terms.abs().sum(-1)


def needed(terms: Float[Tensor, "*of m"], share: float) -> Int[Tensor, "*of"]:
    """How many of the largest terms it takes to reach a share of their sum, which must be positive.

    For all of the sum :func:`svf_helpers.attention.n_sv` minds rounding.

    Example:
        >>> needed(torch.tensor([[5.0, 4.0, 1.0], [0.5, 9.0, 0.5]]), 0.9)
        tensor([2, 1])
    """
    rising = terms.sort(-1, descending=True).values.cumsum(-1)
    return (rising >= share * terms.sum(-1, keepdim=True)).int().argmax(-1) + 1
