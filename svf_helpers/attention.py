r"""Relative attention and its terms along the singular vectors of a head (paper, section 5 and appendix F).

The logit of a query and a key is a sum over singular vectors, $\sum_k (t_q^\top u_k)\,\sigma_k\,(v_k^\top t_k)$
(eq. 1). So is the *relative attention* of key $j$ among $n$ keys, its logit minus the mean logit of the others,

$$\rho_j = \ell_j - \frac{1}{n-1} \sum_{i \neq j} \ell_i,$$

because it is linear in the keys. Where the head gives $j$ more than $1/n$ of its attention, $\rho_j > 0$. Everything
here takes plain tensors; :mod:`svf_helpers.language_models` gets them from a transformer.
"""

from __future__ import annotations

import torch
from einops import einsum, rearrange
from jaxtyping import Float, Int
from torch import Tensor

from .factored_svd import QKSVD
from .rotations import random_rotations

# How close to the sum the largest terms have to come, as a share of the sum of sizes.
REACHED = 1e-6


def relative_attention(scores: Float[Tensor, "... n_keys"], key: int | Int[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The key's score minus the mean score of all other keys.

    Args:
        scores: pre-softmax scores of the keys that the query sees, and of no others: in a causal model the keys 0 to
            the query's own position.
        key: index of the key, one for all queries or one for each.

    Raises:
        ValueError: for fewer than two keys, a key that is not among them, or scores that are not finite (a masked key
            has score -inf: leave it out).

    Example:
        >>> relative_attention(torch.tensor([5.0, 1.0, 3.0]), key=0)  # 5 - (1 + 3) / 2
        tensor(3.)
    """
    if scores.ndim < 1:
        raise ValueError("scores must have a dimension of keys, got a single number")
    return relative_key(scores[..., None], key)[..., 0]


def relative_key(keys: Float[Tensor, "... n_keys m"], key: int | Int[Tensor, "..."]) -> Float[Tensor, "... m"]:
    r"""One key minus the mean of all others: $t_j - \frac{1}{n-1}\sum_{i \neq j} t_i$.

    Applying any linear map to this vector gives key $j$'s value minus the mean over the other keys.

    Args:
        keys: tokens, head-space vectors or coordinates of the keys that the query sees.
        key: index of the key, one for all queries or one for each.

    Raises:
        ValueError: as :func:`relative_attention`.

    Example:
        >>> relative_key(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 3.0]]), key=0)
        tensor([ 1., -2.])
    """
    if keys.ndim < 2 or keys.shape[-2] < 2:
        raise ValueError(f"{keys.shape[-2] if keys.ndim > 1 else 0} keys: relative attention compares at least two")
    n_keys = keys.shape[-2]
    index = torch.as_tensor(key, device=keys.device)
    if index.is_floating_point() or index.dtype == torch.bool:
        raise ValueError(f"key is {index.dtype}: expected whole numbers")
    if ((index < 0) | (index >= n_keys)).any():
        raise ValueError(f"key = {index.tolist()}: the keys are 0 to {n_keys - 1}")
    if not keys.isfinite().all():
        raise ValueError("scores or keys that are not finite: pass the keys that the query sees, and no masked ones")
    try:
        index = index.expand(keys.shape[:-2])
    except RuntimeError as error:
        shapes = f"key {tuple(index.shape)} and keys {tuple(keys.shape)}"
        raise ValueError(f"{shapes}: one key for all queries, or one for each of the leading dimensions") from error
    chosen = keys.take_along_dim(index[..., None, None], -2)
    # centred on the chosen key, a constant that all keys share cancels before anything is summed
    return (chosen - keys).sum(-2) / (n_keys - 1)


def score_terms(
    t_query: Float[Tensor, "... d_model"], t_key: Float[Tensor, "... d_model"], svd: QKSVD
) -> Float[Tensor, "... d_head"]:
    r"""Terms of a logit, $(t_q^\top u_k)\,\sigma_k\,(v_k^\top t_k)$, one for each singular value (paper, eq. 1).

    Args:
        t_query: the query's token.
        t_key: the key's token.
        svd: of the head's QK matrix; leading dimensions of all three broadcast (for a batch of heads, each with many
            tokens, give ``QKSVD(svd.U[:, None], svd.S[:, None], svd.V[:, None])``).

    Example:
        >>> svd = QKSVD(torch.eye(2), torch.tensor([3.0, 1.0]), torch.eye(2).flip(1))
        >>> score_terms(torch.tensor([1.0, 1.0]), torch.tensor([0.5, 2.0]), svd)
        tensor([6.0000, 0.5000])
    """
    for name, token, basis in (("t_query", t_query, svd.U), ("t_key", t_key, svd.V)):
        if token.ndim < 1 or token.shape[-1] != basis.shape[-2]:
            raise ValueError(f"{name} has shape {tuple(token.shape)}: expected d_model = {basis.shape[-2]} last")
    x = einsum(t_query, svd.U, "... d, ... d r -> ... r")
    y = einsum(t_key, svd.V, "... d, ... d r -> ... r")
    return x * svd.S * y


def attention_terms(
    t_query: Float[Tensor, "... d_model"],
    t_keys: Float[Tensor, "... n_keys d_model"],
    key: int | Int[Tensor, "..."],
    svd: QKSVD,
) -> Float[Tensor, "... d_head"]:
    """Terms of the relative attention of a key, for a head that reads tokens directly (the toy model).

    They sum to ``relative_attention`` of the head's logits.

    Args:
        t_query: the query's token.
        t_keys: the tokens of the keys that it sees.
        key: which of them.
        svd: of the head's QK matrix, leading dimensions as for :func:`score_terms`.

    Raises:
        ValueError: as :func:`relative_attention`, and for tokens that do not fit the head.

    Example:
        >>> svd = QKSVD(torch.eye(2), torch.tensor([3.0, 1.0]), torch.eye(2))
        >>> attention_terms(torch.tensor([1.0, 1.0]), torch.tensor([[1.0, 0.0], [0.0, 2.0]]), 0, svd)
        tensor([ 3., -2.])
    """
    return score_terms(t_query, relative_key(t_keys, key), svd)


def sparsity(terms: Float[Tensor, "... m"]) -> Float[Tensor, "..."]:
    r"""The sparsity of Rolls and Tovee, $(\overline{|a|})^2 / \overline{a^2}$, from $1/m$ to 1: lower is sparser.

    It is the participation ratio of the sizes, $(\sum |a|)^2 / \sum a^2$, divided by their number $m$: 1 means that all
    terms have the same size, $1/m$ that a single one is not zero. It looks at sizes alone, since signed terms cancel.
    Multiplying all terms by one number changes nothing.

    Raises:
        ValueError: for no terms, terms that are not finite, or terms that are all zero (no size to share out).

    Example:
        >>> sparsity(torch.tensor([[2.0, -2.0, 2.0, 2.0], [0.0, 7.0, 0.0, 0.0]]))
        tensor([1.0000, 0.2500])
    """
    _check_terms(terms)
    sizes = terms.abs()
    largest = sizes.amax(-1, keepdim=True)
    if (largest == 0).any():
        raise ValueError(f"all terms are zero in {int((largest == 0).sum())} rows: sparsity is not defined there")
    sizes = sizes / largest  # so that squares neither overflow nor vanish
    return sizes.mean(-1).square() / sizes.square().mean(-1)


def n_sv(terms: Float[Tensor, "... m"], *, refuse: bool = False) -> Int[Tensor, "..."]:
    r"""$N_{sv}$: how many of the largest terms it takes to reach the sum of them all (paper, section 5).

    Terms are added from the largest down, with their signs. The sum counts as reached within 1e-6 times the sum of the
    sizes, which allows for rounding. The count is at least 1 and at most the number of positive terms; the order of
    equal terms does not matter. Where the sum is not positive, because the head attends to the key less than to the
    others (or all terms are zero), there is nothing to explain and the count is 0.

    Args:
        terms: of a key's relative attention.
        refuse: raise where the sum is not positive.

    Raises:
        ValueError: for no terms, terms that are not finite; with ``refuse`` for sums that are not positive.

    Example:
        >>> n_sv(torch.tensor([[5.0, 1.0, -1.0], [1.0, 1.0, 1.0], [1.0, -4.0, 0.0]]))
        tensor([1, 3, 0])
    """
    _check_terms(terms)
    wide = terms.detach().double()
    rising = wide.sort(-1, descending=True).values.cumsum(-1)
    total = wide.sum(-1)
    enough = rising >= (total - REACHED * wide.abs().sum(-1))[..., None]
    positive = total > 0
    if refuse and not positive.all():
        raise ValueError(
            f"relative attention is not positive in {int((~positive).sum())} of {positive.numel()} cases: the head "
            "attends to this key no more than to the others, so there is no attention to explain"
        )
    return torch.where(positive, enough.int().argmax(-1) + 1, 0)


def null_terms(
    query: Float[Tensor, "... m"],
    S: Float[Tensor, "... m"],
    key: Float[Tensor, "... m"],
    *,
    draws: int = 1,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "draws ... m"]:
    r"""Terms in random directions: $\Sigma$ kept, the coordinates on both sides turned independently (the null).

    Turning $U$ and $V$ within the head's space turns the coordinates $t_q^\top u_k$ and $v_k^\top t_k$, which is all
    that terms need. The result depends on the frame in which coordinates are given: each basis (plain, whitened) has
    its own null. The terms no longer sum to the relative attention, so compare sparsity, never $N_{sv}$.

    Args:
        query: coordinates of queries.
        S: singular values. Every head in its leading dimensions gets a rotation, which all queries and keys share
            that broadcast against it: with queries ``[prompts, heads, m]`` and S ``[heads, m]``, one for each head.
        key: coordinates of (relative) keys.
        draws: how many independent rotations.
        generator: for repeatable rotations; on the CPU.

    Raises:
        ValueError: for last dimensions that differ, or no draws.

    Example:
        >>> x, S, y = torch.tensor([2.0, 0.0]), torch.tensor([3.0, 1.0]), torch.tensor([1.0, 0.0])
        >>> null_terms(x, S, y, draws=5, generator=torch.Generator().manual_seed(0)).shape
        torch.Size([5, 2])
    """
    if not query.shape[-1:] == S.shape[-1:] == key.shape[-1:] != ():
        shapes = f"query {tuple(query.shape)}, S {tuple(S.shape)}, key {tuple(key.shape)}"
        raise ValueError(f"{shapes}: must agree in the last dimension")
    if draws < 1:
        raise ValueError(f"draws = {draws}: at least 1")
    turn_U, turn_V = random_rotations((2, draws, *S.shape[:-1]), S.shape[-1], generator).to(S)
    ahead = max(0, max(query.ndim, key.ndim) - S.ndim)  # dimensions that come before S's own, and share its rotations

    def turned(side: Tensor, turn: Tensor) -> Tensor:
        side = side.reshape(*[1] * (S.ndim - side.ndim), *side.shape)
        turn = turn.reshape(draws, *[1] * ahead, *turn.shape[1:])
        return rearrange(side[..., None, :] @ turn, "... 1 m -> ... m")

    return turned(query, turn_U) * S * turned(key, turn_V)


def _check_terms(terms: Tensor) -> None:
    if terms.ndim < 1 or terms.shape[-1] == 0:
        raise ValueError(f"terms have shape {tuple(terms.shape)}: expected at least one term in the last dimension")
    if not terms.isfinite().all():
        raise ValueError("terms hold values that are not finite")
