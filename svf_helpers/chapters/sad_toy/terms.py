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

WEIGHTS = ("W", "W_Q", "W_K")


def with_pairs(config: ToyConfig, present: int, count: int, generator: torch.Generator | None = None) -> Contexts:
    """Contexts with this many pairs of interest present, every choice of pairs as often as any other.

    Args:
        config: the model's sizes, probability and pairs.
        present: how many pairs.
        count: how many contexts in all; choices of pairs follow one another, the first pair's first.
        generator: for repeatable draws.

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


def weights_at(along: Result, step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W, W_Q and W_K of the first seed at one step of its training, each with a leading dimension of 1.

    Args:
        along: the runs ``dynamics``.
        step: one that is stored.

    Raises:
        ValueError: for a step that is not stored.

    Example:
        >>> from svf_helpers.experiments import load
        >>> [array.shape for array in weights_at(load("dynamics"), 4000)]
        [(1, 10, 20), (1, 10, 10), (1, 10, 10)]
    """
    steps = along["step"].tolist()
    if step not in steps:
        raise ValueError(f"step {step} is not stored: there are {len(steps)} from {steps[0]} to {steps[-1]}")
    at = steps.index(step)
    return tuple(along[f"{name}_first_seed"][at][None] for name in WEIGHTS)


def terms_of_heads(
    contexts: Contexts, W: np.ndarray, W_Q: np.ndarray, W_K: np.ndarray
) -> Float[Tensor, "heads contexts ranks"]:
    """Terms of key 0's relative attention, in double precision, for heads side by side that see the same contexts.

    Args:
        contexts: feature strengths of queries and keys.
        W: features of each head [heads, d, n].
        W_Q: [heads, d, r].
        W_K: [heads, d, r].

    Example:
        >>> from svf_helpers.experiments import load
        >>> terms_of_heads(with_pairs(ToyConfig(), 1, 8), *weights_at(load("dynamics"), 4000)).shape
        torch.Size([1, 8, 10])
    """
    W, W_Q, W_K = (torch.tensor(array).double() for array in (W, W_Q, W_K))
    svd = QKSVD(*(part[:, None] for part in qk_svd(W_Q, W_K)))
    return attention_terms(contexts.query.double() @ W.mT, contexts.keys.double() @ W[:, None].mT, 0, svd)


def largest_share(terms: Float[Tensor, "... m"]) -> Float[Tensor, "..."]:
    """The largest term's part of all sizes.

    Example:
        >>> largest_share(torch.tensor([[3.0, -1.0, 0.0], [-2.0, 1.0, 1.0]]))
        tensor([0.7500, 0.5000])
    """
    return terms.abs().amax(-1) / terms.abs().sum(-1)


def needed(terms: Float[Tensor, "... m"], share: float) -> Int[Tensor, "..."]:
    """How many of the largest terms it takes to reach a share of their sum, which must be positive.

    Args:
        terms: of a key's relative attention, which is their sum.
        share: of the sum; for all of it :func:`svf_helpers.attention.n_sv` minds rounding.

    Example:
        >>> needed(torch.tensor([[5.0, 4.0, 1.0], [0.5, 9.0, 0.5]]), 0.9)
        tensor([2, 1])
    """
    rising = terms.sort(-1, descending=True).values.cumsum(-1)
    return (rising >= share * terms.sum(-1, keepdim=True)).int().argmax(-1) + 1
