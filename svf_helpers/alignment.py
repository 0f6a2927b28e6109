"""How well features and singular vectors point the same way (paper, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .features import cosines, gram, unit
from .qk import QKSVD, matrix_sqrt, singular_groups, whitened_qk_svd


class Alignment(NamedTuple):
    """|cos| of each pair of interest with singular vectors, the query feature against U and the key feature against V.

    Where ``tied`` is true the singular value is too close to others to tell the vectors apart; the number then is the
    length of the unit feature's projection on the span of the whole group, which is what the SVD determines. A lone
    singular value of about 0 counts as tied too where the head is narrower than its tokens: the directions that the
    head does not read all have singular value 0.

    Example:
        >>> W = torch.eye(3)
        >>> head = QKSVD(W[:, :2], torch.tensor([5.0, 5.0]), W[:, 1:])  # two equal singular values
        >>> found = rank_alignment(W, head, [(0, 1), (1, 2)])
        >>> found.mean, found.tied
        (tensor(1.), tensor([True, True]))
    """

    query: Float[Tensor, "... P"]
    key: Float[Tensor, "... P"]
    vector: Int[Tensor, "... P 2"]
    tied: Bool[Tensor, "... P"]

    @property
    def mean(self) -> Float[Tensor, "..."]:
        """Mean over pairs and both sides."""
        return (self.query.mean(-1) + self.key.mean(-1)) / 2


def rank_alignment(
    W: Float[Tensor, "... d n"],
    svd: QKSVD,
    pairs: Sequence[tuple[int, int]],
    tolerance: float = 1e-3,
) -> Alignment:
    """Each pair against the singular vectors of its own rank: the k-th pair against u_k and v_k.

    Args:
        W: features as columns; leading dimensions as the SVD's.
        svd: of the head's QK matrix.
        pairs: (query feature, key feature), by falling target logit.
        tolerance: see :func:`svf_helpers.qk.singular_groups`.

    Raises:
        ValueError: for more pairs than singular vectors, a pair outside the features, or shapes that do not fit.

    Example:
        >>> W = torch.eye(4)
        >>> head = QKSVD(W[:, [2, 0]], torch.tensor([5.0, 3.0]), W[:, [3, 1]])
        >>> rank_alignment(W, head, [(2, 3), (0, 1)]).query
        tensor([1., 1.])
    """
    squares, groups = _group_squares(W, svd, pairs, tolerance)
    rank = torch.arange(len(pairs), device=squares.device)
    if len(pairs) > svd.S.shape[-1]:
        raise ValueError(
            f"{len(pairs)} pairs but {svd.S.shape[-1]} singular vectors: not every pair has a rank of its own; "
            "use best_alignment"
        )
    at_rank = torch.stack([groups, groups])[..., : len(pairs), None]
    values = squares.gather(-1, at_rank).squeeze(-1).sqrt()
    tied = (_group_sizes(groups).gather(-1, groups) > 1)[..., : len(pairs)]
    if svd.S.shape[-1] < svd.U.shape[-2]:
        tied = tied | (svd.S <= tolerance * svd.S[..., :1])[..., : len(pairs)]
    vector = rank[:, None].expand(*values.shape[1:], 2)
    return Alignment(values[0], values[1], vector, tied)


def best_alignment(
    W: Float[Tensor, "... d n"],
    svd: QKSVD,
    pairs: Sequence[tuple[int, int]],
    columns: Literal["signal", "all"] = "signal",
    tolerance: float = 1e-3,
) -> Alignment:
    """Each pair against whichever singular vector it matches best, each side for itself.

    Args:
        W: features as columns; leading dimensions as the SVD's.
        svd: of the head's QK matrix.
        pairs: (query feature, key feature), in any order.
        columns: "signal" searches among singular values above ``tolerance`` times the largest, each group of close
            values as a whole; a group that reaches below that is left out. "all" searches every column of U and V one
            by one, those with singular value 0 too, whose directions are arbitrary: the paper's measure in appendix
            C.3, which flatters.
        tolerance: see :func:`svf_helpers.qk.singular_groups`.

    Raises:
        ValueError: for a pair outside the features, or shapes that do not fit.

    Example:
        >>> W = torch.eye(4)
        >>> head = QKSVD(W[:, [2, 0]], torch.tensor([5.0, 3.0]), W[:, [3, 1]])
        >>> best_alignment(W, head, [(0, 1)]).vector  # the only pair lies on the second singular vectors, number 1
        tensor([[1, 1]])
    """
    if columns == "all":
        values, vector = torch.stack(_pair_cosines(W, svd, pairs)).max(-1)
        untold = torch.zeros_like(values[0], dtype=torch.bool)
        return Alignment(values[0], values[1], torch.stack([*vector], -1), untold)
    if columns != "signal":
        raise ValueError(f"columns = {columns!r}: must be 'signal' or 'all'")
    squares, groups = _group_squares(W, svd, pairs, tolerance)
    sizes = _group_sizes(groups)
    noise = (svd.S <= tolerance * svd.S[..., :1]).long().expand(groups.shape)
    left_out = (sizes == 0) | (torch.zeros_like(groups).scatter_add(-1, groups, noise) > 0)
    values, group = squares.masked_fill(left_out[..., None, :], -1).max(-1)
    first = sizes.cumsum(-1) - sizes  # a group is named by its first member
    vector = torch.stack([first.gather(-1, side) for side in group], -1)
    tied = torch.stack([sizes.gather(-1, side) > 1 for side in group]).any(0)
    values = values.clamp_min(0).sqrt()
    return Alignment(values[0], values[1], vector, tied)


def whitened_alignment(
    W: Float[Tensor, "... d n"],
    W_Q: Float[Tensor, "... d r"],
    W_K: Float[Tensor, "... d r"],
    pairs: Sequence[tuple[int, int]],
    tolerance: float = 1e-3,
) -> Alignment:
    r"""Each pair against what the whitened SVD says its features are: $C^{1/2}\hat u_k$ and $C^{1/2}\hat v_k$ of its
    rank.

    $\hat u_k, \hat v_k$ are singular vectors of $C^{1/2} W_Q W_K^\top C^{1/2}$ with $C = W W^\top$. The features are
    found exactly where the targets match features one to one and the whitened features of interest are orthogonal on
    the query side and on the key side, with distinct singular values. (This book's; not in the paper.)

    Where ``tied`` is true the rank's vectors are not determined, and the number means nothing.

    Example:
        >>> W = torch.tensor([[1.0, 0.6], [0.0, 0.8]], dtype=torch.float64)
        >>> detectors = torch.linalg.inv(W).mT  # each reads one feature and not the other
        >>> W_Q, W_K = detectors[:, :1], detectors[:, 1:]
        >>> vector_cosines(W, W_Q)[0]  # the query feature with the head's left singular vector
        tensor([0.8000], dtype=torch.float64)
        >>> whitened_alignment(W, W_Q, W_K, [(0, 1)]).query.round(decimals=4)
        tensor([1.], dtype=torch.float64)
    """
    C = gram(W)
    root = matrix_sqrt(C)
    svd = whitened_qk_svd(W_Q, W_K, C, C)
    if len(pairs) > svd.S.shape[-1]:
        raise ValueError(f"{len(pairs)} pairs but {svd.S.shape[-1]} singular vectors: not every pair has its own rank")
    query, key = _pair_cosines(W, QKSVD(root @ svd.U.to(root), svd.S, root @ svd.V.to(root)), pairs)
    groups = singular_groups(svd.S, tolerance)
    count = len(pairs)
    tied = _group_sizes(groups).gather(-1, groups)[..., :count] > 1
    own = lambda side: side[..., :count].diagonal(dim1=-2, dim2=-1)  # noqa: E731
    vector = torch.arange(count, device=W.device)[:, None].expand(*tied.shape, 2)
    return Alignment(own(query), own(key), vector, tied)


def vector_cosines(
    W: Float[Tensor, "... d n"], vectors: Float[Tensor, "... d r"]
) -> Float[Tensor, "... n r"]:
    """|cos| of every feature with every vector, at most 1: the signs of singular vectors mean nothing.

    Example:
        >>> vector_cosines(torch.eye(2), torch.tensor([[3.0], [-4.0]]))
        tensor([[0.6000],
                [0.8000]])
    """
    return cosines(W, vectors).abs().clamp_max(1)


def anti_whitened(W: Float[Tensor, "... d n"], vectors: Float[Tensor, "... d r"]) -> Float[Tensor, "... d r"]:
    r"""$C u / \|C u\|$ for each vector u: what Theorem 1 says is the feature itself, for one pair of interest.

    Example:
        >>> W = torch.tensor([[2.0, 1.0], [0.0, 1.0]])
        >>> u = torch.tensor([[1.0], [-1.0]])  # reads the first feature and not the second
        >>> anti_whitened(W, u).squeeze()  # the first feature, at length 1
        tensor([1., 0.])
    """
    return unit(gram(W) @ vectors)


def _pair_cosines(W: Tensor, svd: QKSVD, pairs) -> tuple[Float[Tensor, "... P r"], Float[Tensor, "... P r"]]:
    """|cos| of the query features with U and of the key features with V, once the arguments are found to fit."""
    n, d = W.shape[-1], W.shape[-2]
    if svd.U.shape[-2] != d:
        raise ValueError(f"features have length {d} (W is {tuple(W.shape)}), singular vectors {svd.U.shape[-2]}")
    pairs = [tuple(pair) for pair in pairs]
    if not pairs or any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"pairs are (query feature, key feature), at least one; got {pairs!r}")
    if any(not 0 <= index < n for pair in pairs for index in pair):
        raise ValueError(f"a pair of {pairs} names a feature outside 0..{n - 1}")
    query, key = ([pair[side] for pair in pairs] for side in (0, 1))
    W = W.to(svd.U)
    try:
        torch.broadcast_shapes(W.shape[:-2], svd.S.shape[:-1])
    except RuntimeError as error:
        raise ValueError(
            f"leading dimensions of W {tuple(W.shape)} and the singular values {tuple(svd.S.shape)} do not match"
        ) from error
    return vector_cosines(W[..., query], svd.U), vector_cosines(W[..., key], svd.V)


def _group_squares(W, svd, pairs, tolerance) -> tuple[Float[Tensor, "2 ... P r"], Int[Tensor, "... r"]]:
    """Squared projection of each feature on the span of each group; column g is group g, unused columns are 0."""
    each = torch.stack(_pair_cosines(W, svd, pairs))
    groups = singular_groups(svd.S, tolerance).expand(*each.shape[1:-2], -1)
    index = groups[..., None, :].expand(each.shape[1:])
    squares = torch.zeros_like(each).scatter_add(-1, index.expand_as(each), each.square())
    return squares.clamp_max(1), groups


def _group_sizes(groups: Int[Tensor, "... r"]) -> Int[Tensor, "... r"]:
    return torch.zeros_like(groups).scatter_add(-1, groups, torch.ones_like(groups))
