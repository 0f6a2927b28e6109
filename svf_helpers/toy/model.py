"""The toy model as formulas: tokens, reconstruction, attention and losses (paper, section 3; with RoPE, appendix D).

Arrays lead with the instance I and end with the tokens of a step, because sums over features and over keys then run
over whole rows of memory. The first Q tokens are the queries; the rest are their keys, key k of query q at Q + k Q + q.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from .config import ToyConfig, check_one_batch
from .rotary_tables import RotaryTables, offsets


class Parameters(NamedTuple):
    """Trained arrays of a batch of toy models; also holds their gradients.

    Example:
        >>> head = torch.zeros(3, 10, 10)
        >>> three_models = Parameters(torch.zeros(3, 10, 20), torch.zeros(3, 20), head, head)
        >>> sum(array[0].numel() for array in three_models)  # numbers that one model trains
        420
    """

    W: Float[Tensor, "I d n"]
    b: Float[Tensor, "I n"]
    W_Q: Float[Tensor, "I d r"]
    W_K: Float[Tensor, "I d r"]


@dataclass(frozen=True)
class Batch:
    """What differs between the instances of a batch, as tensors; pairs are padded with targets of 0.

    ``features`` and ``logit_scale`` are numbers where all instances agree, and [I, 1, 1] where they do not.
    ``rotary`` turns queries and keys by their positions; None without positions.

    Example:
        >>> batch = Batch.of([ToyConfig(p=0.1), ToyConfig(p=0.9, pairs={(0, 4): 24.0})])
        >>> batch.p.flatten(), batch.pair_target.squeeze(-1)
        (tensor([0.1000, 0.9000]), tensor([[24., 21., 18., 15.],
                                           [24.,  0.,  0.,  0.]]))
    """

    queries: int
    c: int
    attends: bool
    features: float | Float[Tensor, "I 1 1"]
    logit_scale: float | Float[Tensor, "I 1 1"]
    p: Float[Tensor, "I 1 1"]
    lam: Float[Tensor, "I 1 1"]
    pair_query: Int[Tensor, "I P"]
    pair_key: Int[Tensor, "I P"]
    pair_target: Float[Tensor, "I P 1"]
    rotary: RotaryTables | None = None

    @classmethod
    def of(cls, configs: Sequence[ToyConfig], device="cpu", dtype=torch.float32) -> Batch:
        """Tensors for configurations that agree in everything but n, d, r, p, lam, pairs and bands."""
        configs = list(configs)
        check_one_batch(configs)
        most = max(len(config.pairs) for config in configs)
        padded = [list(config.pairs) + [(0, 0, 0.0)] * (most - len(config.pairs)) for config in configs]
        table = torch.tensor(padded, dtype=dtype, device=device).reshape(len(configs), most, 3)
        column = lambda values: torch.tensor(values, dtype=dtype, device=device)[:, None, None]  # noqa: E731
        one_or_column = lambda values: values[0] if len(set(values)) == 1 else column(values)  # noqa: E731
        first = configs[0]
        return cls(
            queries=first.queries,
            c=first.c,
            attends=most > 0,
            features=one_or_column([config.n for config in configs]),
            logit_scale=one_or_column([config.r**-0.5 if config.scale_logits else 1.0 for config in configs]),
            p=column([config.p for config in configs]),
            lam=column([config.lam for config in configs]),
            pair_query=table[..., 0].long(),
            pair_key=table[..., 1].long(),
            pair_target=table[..., 2:],
            rotary=RotaryTables.of(configs, most, device, dtype),
        )


def strengths(u: Float[Tensor, "*any"], p: Float[Tensor, "..."] | float) -> Float[Tensor, "*any"]:
    """Feature strengths x = b u', b ~ Bernoulli(p), u' ~ U[0, 1], from one uniform draw u each.

    ``max(0, (u - (1 - p)) / p)`` has exactly that law: it is 0 with probability 1 - p, else uniform.

    Args:
        u: uniform on [0, 1], of any shape.
        p: probability that a feature is there; a number, or what broadcasts against ``u``.

    Example:
        >>> strengths(torch.tensor([0.1, 0.5, 0.75, 1.0]), p=0.5)  # twice absent, half there, fully there
        tensor([0.0000, 0.0000, 0.5000, 1.0000])
    """
    return ((u - (1 - p)) / p).clamp(min=0)


def strengths_(u: Float[Tensor, "I n T"], p: Float[Tensor, "I 1 1"]) -> Float[Tensor, "I n T"]:
    """:func:`strengths` in place of the draws, for the training loop.

    Example:
        >>> strengths_(torch.tensor([[[0.1, 0.75]]]), torch.full((1, 1, 1), 0.5))
        tensor([[[0.0000, 0.5000]]])
    """
    return u.mul_(1 / p).add_(1 - 1 / p).clamp_(min=0)


def target_logits(
    x: Float[Tensor, "I n T"], batch: Batch, positions: Int[Tensor, "I T"] | None = None
) -> Float[Tensor, "I c Q"]:
    """s(x, y) = sum_ij T_ij x_i y_j of each query with each of its keys, from the few pairs with a target.

    With positions, pairs with a band count times the cosine of offset times frequency (appendix D, eq. 19).

    Example:
        >>> batch = Batch.of([ToyConfig(n=2, d=2, r=2, c=2, keys=2, pairs={(0, 1): 10.0})])
        >>> x = torch.tensor([[[0.5, 0.0, 1.0], [0.0, 1.0, 0.0]]])  # a query with f_0; a key with f_1, one with f_0
        >>> target_logits(x, batch).flatten()
        tensor([5., 0.])
    """
    x_query, x_key = split_tokens(x, batch)
    instance = torch.arange(len(x), device=x.device)[:, None]
    x_i = x_query[instance, batch.pair_query] * batch.pair_target  # [I, P, Q]
    y_j = x_key[instance, batch.pair_key]  # [I, P, c, Q]
    by_pair = x_i[:, :, None] * y_j
    if batch.rotary is not None:
        by_pair = by_pair * batch.rotary.of_targets(offsets(positions, batch.queries, batch.c))
    return by_pair.sum(1)


def losses(
    params: Parameters, x: Float[Tensor, "I n T"], batch: Batch, positions: Int[Tensor, "I T"] | None = None
) -> tuple[Float[Tensor, " I"], Float[Tensor, " I"]]:
    """Reconstruction loss (mean over tokens and features) and attention loss (mean cross-entropy of queries, in nats).

    The training objective is ``L_rec + lam * L_attn``. Without pairs the attention loss is 0.

    Example:
        >>> batch = Batch.of([ToyConfig(n=2, d=2, r=2, c=2, keys=2, pairs={(0, 1): 10.0})])
        >>> x = torch.tensor([[[0.5, 0.0, 1.0], [0.0, 1.0, 0.0]]])  # a query with f_0; a key with f_1, one with f_0
        >>> head = torch.zeros(1, 2, 2)  # it attends to both keys alike, where the target is the first
        >>> losses(Parameters(torch.eye(2)[None], torch.zeros(1, 2), head, head), x, batch)
        (tensor([0.]), tensor([0.6931]))
    """
    t = params.W @ x
    reconstructed = torch.relu(params.W.mT @ t + params.b[..., None])
    per_feature = x.shape[-2] / batch.features  # features that only pad an instance cost nothing, and do not count
    loss_rec = ((reconstructed - x).square() * per_feature).mean((-1, -2))
    if not batch.attends:
        return loss_rec, torch.zeros_like(loss_rec)
    log_attention = head_logits(params, t, batch, positions).log_softmax(1)
    target = target_logits(x, batch, positions).softmax(1)
    return loss_rec, -(target * log_attention).sum(1).mean(-1)


def head_logits(
    params: Parameters, t: Float[Tensor, "I d T"], batch: Batch, positions: Int[Tensor, "I T"] | None = None
) -> Float[Tensor, "I c Q"]:
    """t_q^T W_Q W_K^T t_k of each query with each of its keys; with positions both are rotated first (RoPE, eq. 17).

    Example:
        >>> batch = Batch.of([ToyConfig(n=2, d=2, r=2, c=2, keys=2, pairs={(0, 1): 10.0})])
        >>> x = torch.tensor([[[0.5, 0.0, 1.0], [0.0, 1.0, 0.0]]])  # a query with f_0; a key with f_1, one with f_0
        >>> W_Q, W_K = torch.diag(torch.tensor([10.0, 0.0])), torch.tensor([[0.0, 0.0], [1.0, 0.0]])
        >>> params = Parameters(torch.eye(2)[None], torch.zeros(1, 2), W_Q[None], W_K[None])
        >>> head_logits(params, params.W @ x, batch).flatten()  # f_0 in the query asks for f_1 in the key
        tensor([5., 0.])
    """
    t_query, t_key = t[..., : batch.queries], t[..., batch.queries :]
    q, k = params.W_Q.mT @ t_query, params.W_K.mT @ t_key
    if batch.rotary is not None:
        turn = batch.rotary.of_tokens(positions)
        q, k = turn.rotate(q, slice(batch.queries)), turn.rotate(k, slice(batch.queries, None))
    k = rearrange(k, "I r (c Q) -> I r c Q", c=batch.c)
    return (q[:, :, None] * k).sum(1) * batch.logit_scale


def split_tokens(
    x: Float[Tensor, "I n T"], batch: Batch
) -> tuple[Float[Tensor, "I n Q"], Float[Tensor, "I n c Q"]]:
    """The queries' columns, and the keys' by key and query.

    Example:
        >>> batch = Batch.of([ToyConfig(n=1, d=1, r=1, c=2, keys=4, pairs={})])  # two queries with two keys each
        >>> query, key = split_tokens(torch.arange(6.0)[None, None], batch)
        >>> query.squeeze(), key.squeeze()
        (tensor([0., 1.]), tensor([[2., 3.],
                                   [4., 5.]]))
    """
    return x[..., : batch.queries], x[..., batch.queries :].unflatten(-1, (batch.c, batch.queries))
