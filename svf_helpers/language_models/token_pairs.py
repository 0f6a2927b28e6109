"""Pairs of token positions, a query and a key, checked before a model runs."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from .arguments import whole_positions


def token_pairs(
    tokens: Int[Tensor, "batch pos"], query: int | Int[Tensor, "batch ..."], key: int | Int[Tensor, "batch ..."]
) -> tuple[Int[Tensor, "batch pairs"], Int[Tensor, "batch pairs"], tuple[int, ...]]:
    """Queries and keys as [batch, pairs], and the leading shape that was asked for.

    Args:
        tokens: prompts.
        query: one position for all of them, or [batch], or [batch, pairs].
        key: likewise.

    Raises:
        ValueError: for positions outside the prompts, a key after its query, a query that sees only itself, or shapes
            that do not fit the prompts.

    Example:
        >>> token_pairs(torch.zeros(3, 5, dtype=torch.long), query=4, key=torch.tensor([0, 1, 2]))[1:]
        (tensor([[0],
                [1],
                [2]]), (3,))
    """
    if not isinstance(tokens, Tensor) or tokens.ndim != 2:
        what = f"of shape {tuple(tokens.shape)}" if isinstance(tokens, Tensor) else f"a {type(tokens).__name__}"
        raise ValueError(f"tokens are {what}: prompts are a tensor [batch, pos], as model.to_tokens(text) returns it")
    batch, length = tokens.shape
    queries, keys = (
        whole_positions(name, value, tokens.device) for name, value in (("query", query), ("key", key))
    )
    for name, value in (("query", queries), ("key", keys)):
        if value.ndim > 2:
            raise ValueError(f"{name} has {value.dtype} of shape {tuple(value.shape)}: whole numbers, [batch, pairs]")
        wrong = value[(value < 0) | (value >= length)]
        if len(wrong):
            raise ValueError(f"{name} = {int(wrong.flatten()[0])}: positions are 0 to {length - 1}")
    try:
        if queries.ndim and keys.ndim and queries.ndim != keys.ndim:
            raise RuntimeError
        queries, keys = torch.broadcast_tensors(queries, keys)
    except RuntimeError:
        shapes = f"query {tuple(queries.shape)}, key {tuple(keys.shape)}"
        raise ValueError(f"{shapes}: give both for the same pairs, [batch] or [batch, pairs]") from None
    lead = tuple(queries.shape) or (batch,)
    if queries.ndim and queries.shape[0] != batch:
        raise ValueError(f"query and key have shape {tuple(queries.shape)} for {batch} prompts: the batch leads")
    after = (keys > queries).nonzero()
    if len(after):
        first = tuple(after[0].tolist())
        raise ValueError(
            f"key {int(keys[first])} comes after its query {int(queries[first])}: a query sees the keys up to its own "
            "position"
        )
    if (queries == 0).any():
        raise ValueError("query = 0 sees a single key, itself: relative attention compares at least two")
    return (*(v.reshape(batch, -1) if v.ndim else v.expand(batch, 1) for v in (queries, keys)), lead)
