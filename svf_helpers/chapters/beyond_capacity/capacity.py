r"""A head with more pairs of interest than dimensions: the best it can do, and what its logits hide (appendix E).

A head of dimension $r$ gives the logits $M = F^\top \Omega G$ to the $N$ pairs' query features F and key features G,
and M has rank r at most, whatever the features. The functions here look for the best such M, by squared error in closed
form and by cross-entropy numerically, and for the best M of a given pattern, in which several pairs share a vector.
:func:`tight_frame` rewrites a model without changing a single logit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from svf_helpers.alignment import vector_cosines
from svf_helpers.features import gram
from svf_helpers.qk import qk_svd
from svf_helpers.toy.model import strengths

# Directions whose share of the dictionary's largest variance is below this count as unused.
UNUSED = 1e-6


class Rewritten(NamedTuple):
    """A toy model in other coordinates; see :func:`tight_frame`."""

    W: Float[Tensor, "... d n"]
    W_Q: Float[Tensor, "... d r"]
    W_K: Float[Tensor, "... d r"]


class Contexts(NamedTuple):
    """Strengths of the pairs' query features in each query, and of their key features in each of its keys."""

    x: Float[Tensor, "Q N"]
    y: Float[Tensor, "Q c N"]


class Fit(NamedTuple):
    """Logits M between pairs, and what they cost: the mean KL divergence from the target attention, in nats."""

    M: Float[Tensor, "N N"]
    cost: float


def tight_frame(
    W: Float[Tensor, "... d n"], W_Q: Float[Tensor, "... d r"], W_K: Float[Tensor, "... d r"]
) -> Rewritten:
    r"""The same model in the coordinates in which its dictionary is a tight frame, $W W^\top = I$.

    Features become $C^{-1/2} f$ with $C = W W^\top$, weights $C^{1/2} W_Q$ and $C^{1/2} W_K$: every logit of every
    token stays as it is, and so does the attention loss. The plain SVD of the new weights is the whitened SVD of the
    old ones. Directions that no feature uses are dropped. Computed in float64.

    Example:
        >>> W = torch.tensor([[2.0, 0.0], [0.0, 0.5]])
        >>> model = tight_frame(W, torch.eye(2), torch.eye(2))
        >>> model.W.diagonal().tolist(), (model.W_Q @ model.W_K.mT).diagonal().tolist()
        ([1.0, 1.0], [4.0, 0.25])
    """
    values, vectors = torch.linalg.eigh(gram(W.detach().double()))
    used = values > UNUSED * values[..., -1:]
    root = torch.where(used, values, 0).sqrt()
    back = torch.where(used, values, 1).rsqrt() * used
    back, root = ((vectors * scale[..., None, :]) @ vectors.mT for scale in (back, root))
    return Rewritten(back @ W.double(), root @ W_Q.double(), root @ W_K.double())


def pair_logits(
    W: Float[Tensor, "... d n"],
    W_Q: Float[Tensor, "... d r"],
    W_K: Float[Tensor, "... d r"],
    pairs: Sequence[tuple[int, int]],
) -> Float[Tensor, "... N N"]:
    """The head's logit between each pair's query feature and each pair's key feature, both at strength 1.

    Its diagonal should hold the targets, and the rest should be 0.

    Example:
        >>> W = torch.eye(4)
        >>> pair_logits(W, W[:, :2], 5 * W[:, 2:], [(0, 2), (1, 3)])
        tensor([[5., 0.],
                [0., 5.]])
    """
    query, key = map(list, zip(*pairs, strict=True))
    return (W[..., query].mT @ W_Q) @ (W[..., key].mT @ W_K).mT


def pair_cosines(
    W: Float[Tensor, "... d n"],
    W_Q: Float[Tensor, "... d r"],
    W_K: Float[Tensor, "... d r"],
    pairs: Sequence[tuple[int, int]],
) -> Float[Tensor, "... N r"]:
    """|cos| of each pair with each singular vector, the worse of its two sides: query feature and u, key feature and v.

    Unlike an alignment by rank, this exists for more pairs than vectors.

    Example:
        >>> W = torch.eye(4)
        >>> pair_cosines(W, W[:, :2] * torch.tensor([3.0, 2.0]), W[:, 2:], [(0, 2), (1, 3), (0, 3)]).round()
        tensor([[1., 0.],
                [0., 1.],
                [0., 0.]])
    """
    query, key = map(list, zip(*pairs, strict=True))
    svd = qk_svd(W_Q, W_K)
    return torch.minimum(vector_cosines(W[..., query], svd.U), vector_cosines(W[..., key], svd.V))


def wrong_attention(M: Float[Tensor, "... N N"]) -> Float[Tensor, "... N N"]:
    """What key feature j gets of a query that holds feature i alone, where the only other key holds the right one.

    Half or more is a confusion: the wrong key wins, or ties. The diagonal, which is no confusion, is 0.

    Example:
        >>> wrong_attention(torch.tensor([[4.0, 4.0], [0.0, 9.0]]))
        tensor([[0.0000e+00, 5.0000e-01],
                [1.2339e-04, 0.0000e+00]])
    """
    wrong = (M - M.diagonal(dim1=-2, dim2=-1)[..., :, None]).sigmoid()
    return wrong * (1 - torch.eye(M.shape[-1], dtype=M.dtype, device=M.device))


def reconstruction_error(W: Float[Tensor, "d n"]) -> float:
    """Mean squared error of a dictionary's reconstruction ReLU(W^T W x + b), with the biases that serve it best.

    Measured on one sample of tokens, the same for every dictionary of n features.

    Example:
        >>> reconstruction_error(torch.eye(3)) < 1e-9  # a dimension for each feature
        True
    """
    generator = torch.Generator().manual_seed(0)
    x = strengths(torch.rand(W.shape[-1], 2000, generator=generator, dtype=torch.float64), 0.52)
    W = W.detach().double().cpu()
    read = W.mT @ (W @ x)

    def error(b: Tensor) -> Tensor:
        return ((read + b[:, None]).relu() - x).square().mean()

    (b,) = _least(error, [torch.zeros(len(x), dtype=torch.float64)])
    return error(b).item()


def draw_contexts(pairs: int, count: int = 4000, c: int = 4, p: float = 0.52, seed: int = 0) -> Contexts:
    """Queries with c keys each, strengths of the toy model, for a number of pairs that share no feature (float64).

    Example:
        >>> draw_contexts(3, count=10).y.shape
        torch.Size([10, 4, 3])
    """
    generator = torch.Generator().manual_seed(seed)
    draws = torch.rand(count, 1 + c, pairs, generator=generator, dtype=torch.float64)
    drawn = strengths(draws, p)
    return Contexts(drawn[:, 0], drawn[:, 1:])


def attention_cost(M: Float[Tensor, "N N"], targets: Sequence[float], contexts: Contexts) -> Float[Tensor, ""]:
    """Mean KL divergence from the target attention to the one with logits x^T M y: 0 at best, unlike cross-entropy.

    Example:
        >>> contexts = draw_contexts(2)
        >>> attention_cost(torch.diag(torch.tensor([5.0, 3.0]).double()), [5, 3], contexts).item()
        0.0
    """
    x, y = contexts
    aim = torch.tensor(targets, dtype=x.dtype)
    wanted = ((x * aim)[:, None] * y).sum(-1).log_softmax(-1)
    given = ((x @ M)[:, None] * y).sum(-1).log_softmax(-1)
    return (wanted.exp() * (wanted - given)).sum(-1).mean()


def least_squares_logits(targets: Sequence[float], rank: int, p: float = 0.52) -> Float[Tensor, "N N"]:
    r"""The M of given rank with the least squared error of logits, as softmax sees them, in closed form.

    Keys are drawn alike, so a logit error counts by its variance over keys. With the queries' second moments
    $K = E[xx^\top]$ the error is proportional to $\Vert K^{1/2}(M - T)\Vert_F^2$, and $K^{1/2}M$ is the truncated
    SVD of $K^{1/2}T$ (Eckart and Young).

    With p towards 0 the lowest pairs get no logits at all.

    Raises:
        ValueError: for a rank outside 1 to N.

    Example:
        >>> least_squares_logits([5.0, 4.0, 1.0], rank=2, p=1e-9).diagonal().round(decimals=3)
        tensor([5., 4., 0.], dtype=torch.float64)
    """
    aim = torch.tensor(targets, dtype=torch.float64)
    if not 1 <= rank <= len(aim):
        raise ValueError(f"rank = {rank}: from 1 to the number of pairs, {len(aim)}")
    # scaled by 3 / p: second moments of one feature p / 3, of two p^2 / 4
    K = (1 - 0.75 * p) * torch.eye(len(aim), dtype=aim.dtype) + 0.75 * p
    # the error that is left lies in the lowest eigenvectors of T K T, on the side of the keys
    lost = torch.linalg.eigh(aim[:, None] * K * aim).eigenvectors[:, : len(aim) - rank]
    return aim[:, None] * (torch.eye(len(aim), dtype=aim.dtype) - lost @ lost.mT)


def best_logits(targets: Sequence[float], rank: int, contexts: Contexts) -> Fit:
    """The M of given rank with the least cost, searched from the least-squares one.

    Example:
        >>> fit = best_logits([6.0, 4.0], 2, draw_contexts(2))  # room for both
        >>> fit.M.round(decimals=2).abs().tolist(), fit.cost < 1e-6
        ([[6.0, 0.0], [0.0, 4.0]], True)
    """
    U, S, Vh = torch.linalg.svd(0.5 * least_squares_logits(targets, rank))
    root = S[:rank].sqrt()
    return _search([U[:, :rank] * root, Vh[:rank].mT * root], lambda A, B: A @ B.mT, targets, contexts)


def grouped_logits(targets: Sequence[float], groups: Sequence[Sequence[int]], contexts: Contexts) -> Fit:
    """The M with the least cost in which each group of pairs has one vector, and none touches another group.

    Groups are of pairs by number; one that is in no group gets no logits.

    Raises:
        ValueError: for a pair that does not exist or stands in two groups.

    Example:
        >>> contexts = draw_contexts(3)
        >>> alone = grouped_logits([6.0, 5.0, 4.0], [[0], [1]], contexts)  # the third pair is dropped
        >>> shared = grouped_logits([6.0, 5.0, 4.0], [[0], [1, 2]], contexts)
        >>> shared.cost < alone.cost
        True
    """
    aim = torch.tensor(targets, dtype=torch.float64)
    named = sorted(pair for group in groups for pair in group)
    if len(set(named)) < len(named) or not set(named) <= set(range(len(aim))):
        raise ValueError(f"groups = {groups}: different pairs from 0 to {len(aim) - 1}, each in one group at most")
    member = torch.zeros(len(aim), len(groups), dtype=torch.float64)
    for number, group in enumerate(groups):
        member[list(group), number] = 1
    same = member @ member.mT
    start = (0.5 * aim).clamp_min(1e-3).sqrt()
    return _search([start, start], lambda a, b: same * a[:, None] * b, targets, contexts)


def _search(start: list[Tensor], build: Callable[..., Tensor], targets: Sequence[float], contexts: Contexts) -> Fit:
    found = _least(lambda *free: attention_cost(build(*free), targets, contexts), start)
    M = build(*found)
    return Fit(M, attention_cost(M, targets, contexts).item())


def _least(loss: Callable[..., Tensor], start: list[Tensor]) -> list[Tensor]:
    """Where a smooth loss has a minimum near the start."""
    free = [tensor.contiguous().clone().requires_grad_() for tensor in start]
    optimiser = torch.optim.LBFGS(free, max_iter=400, history_size=20, line_search_fn="strong_wolfe",
                                  tolerance_grad=1e-8, tolerance_change=1e-12)

    def closure() -> Tensor:
        optimiser.zero_grad()
        value = loss(*free)
        value.backward()
        return value

    optimiser.step(closure)
    return [tensor.detach() for tensor in free]
