r"""Rotary position embedding: queries and keys turned by their positions (paper, appendix D).

A rotary head turns each plane, or band, $b$ of its head space by the angle $\theta_b$ times the position. With
$R_m$ for the rotation at position $m$, the score of a query at $m$ and a key at $l$ depends on the offset alone:

$$(R_m W_Q^\top t_q)^\top (R_l W_K^\top t_k) = t_q^\top\, W_Q R_\Delta^\top W_K^\top\, t_k, \qquad \Delta = m - l.$$

Models differ in which dimensions make up a plane, and in how many are turned at all: :class:`Rotary` covers both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .device import choose_device, on_device
from .factored_svd import QKSVD
from .qk import qk_svd

# neighbours: dimensions 2b and 2b+1 make a plane (the paper, GPT-J); halves: b and b + rotary_dim/2 (GPT-NeoX, Llama)
Pairing = Literal["neighbours", "halves"]


@dataclass(frozen=True)
class Rotary:
    """How a head turns its query and key vectors with their position.

    Args:
        d_head: dimensions of the head.
        rotary_dim: how many of them, the first ones, are turned; the others pass through.
        frequencies: radians per position, one for each of the ``rotary_dim / 2`` bands.
        pairing: "neighbours" (dimensions 2b and 2b+1 make a plane) or "halves" (b and b + rotary_dim/2).

    Raises:
        ValueError: for an odd ``rotary_dim`` or one beyond ``d_head``, a number of frequencies that is not half of it,
            frequencies that are not finite, or an unknown pairing.

    Example:
        >>> scaled = Rotary(d_head=4, rotary_dim=4, frequencies=(1.0, 0.5), pairing="halves")
        >>> scaled.bands
        2
    """

    d_head: int
    rotary_dim: int
    frequencies: tuple[float, ...]
    pairing: Pairing

    def __post_init__(self):
        _check_sizes(self.d_head, self.rotary_dim)
        if self.pairing not in get_args(Pairing):
            raise ValueError(f"pairing = {self.pairing!r}: give 'neighbours' or 'halves'")
        object.__setattr__(self, "frequencies", tuple(float(value) for value in self.frequencies))
        if len(self.frequencies) != self.bands:
            raise ValueError(
                f"{len(self.frequencies)} frequencies for rotary_dim = {self.rotary_dim}: give one for each of its "
                f"{self.bands} bands"
            )
        if not all(map(math.isfinite, self.frequencies)):
            raise ValueError(f"frequencies = {self.frequencies}: must all be finite")

    @classmethod
    def of(
        cls, d_head: int, rotary_dim: int | None = None, base: float = 10000.0, pairing: Pairing = "halves"
    ) -> Rotary:
        r"""The usual frequencies, $\theta_b = base^{-2b / rotary\_dim}$; without ``rotary_dim`` all of ``d_head``.

        Raises:
            ValueError: as above, and for a base that is not positive.

        Example:
            >>> [round(value, 4) for value in Rotary.of(10, pairing="neighbours").frequencies]
            [1.0, 0.1585, 0.0251, 0.004, 0.0006]
        """
        rotary_dim = d_head if rotary_dim is None else rotary_dim
        _check_sizes(d_head, rotary_dim)
        if not (base > 0 and math.isfinite(base)):
            raise ValueError(f"base = {base}: must be positive and finite (10000 in most models)")
        return cls(d_head, rotary_dim, tuple(base ** (-2 * b / rotary_dim) for b in range(rotary_dim // 2)), pairing)

    @property
    def bands(self) -> int:
        """Number of planes that are turned."""
        return self.rotary_dim // 2

    @property
    def planes(self) -> Int[Tensor, "bands 2"]:
        """The two dimensions of each band.

        Example:
            >>> Rotary.of(4, pairing="neighbours").planes.tolist(), Rotary.of(4, pairing="halves").planes.tolist()
            ([[0, 1], [2, 3]], [[0, 2], [1, 3]])
        """
        dims = torch.arange(self.rotary_dim, device="cpu")
        return dims.view(self.bands, 2) if self.pairing == "neighbours" else dims.view(2, self.bands).T.contiguous()

    def rotate(self, vectors: Float[Tensor, "... d_head"], positions: float | Tensor) -> Float[Tensor, "... d_head"]:
        """Turn each vector as at its position; negative positions turn back.

        Args:
            vectors: in head space, of any floating dtype; gradients pass through.
            positions: a number, or a tensor that broadcasts against ``vectors.shape[:-1]``. Angles are computed in
                float64, so that far positions are as exact as near ones.

        Raises:
            ValueError: for vectors whose last dimension is not d_head, that are not floating point, or positions that
                do not broadcast.

        Example:
            >>> Rotary(2, 2, (torch.pi / 2,), "neighbours").rotate(torch.tensor([1.0, 0.0]), 1).abs().round()
            tensor([0., 1.])
        """
        _check_vectors(vectors, self)
        angles = self.angles(torch.as_tensor(positions, device=vectors.device))
        try:
            torch.broadcast_shapes(angles.shape[:-1], vectors.shape[:-1])
        except RuntimeError as error:
            raise ValueError(
                f"positions of shape {tuple(angles.shape[:-1])} do not broadcast against vectors of shape "
                f"{tuple(vectors.shape)} without their last dimension"
            ) from error
        cos, sin = angles.cos().to(vectors.dtype), angles.sin().to(vectors.dtype)
        first, second, rest = self._split(vectors)
        turned: tuple[Tensor, ...] = (first * cos - second * sin, first * sin + second * cos)
        if self.pairing == "neighbours":
            turned = (torch.stack(turned, -1).flatten(-2),)
        return torch.cat([*turned, rest.expand(*turned[0].shape[:-1], -1)], -1)

    def angles(self, positions: Tensor) -> Float[Tensor, "... bands"]:
        """Radians, in float64, by which each band is turned at each position.

        Example:
            >>> Rotary(4, 4, (1.0, 0.5), "halves").angles(torch.tensor([0, 10]))
            tensor([[ 0.,  0.],
                    [10.,  5.]], dtype=torch.float64)
        """
        return positions.double()[..., None] * _frequencies(self, positions.device)

    def matrix(
        self, offset: float | Tensor, dtype: torch.dtype = torch.float64, device: str | torch.device = "cpu"
    ) -> Float[Tensor, "d_head d_head"]:
        """The rotation as a matrix: ``matrix(m) @ x`` is ``rotate(x, m)``. To look at; computing needs only rotate.

        Example:
            >>> R = Rotary.of(6, rotary_dim=4)
            >>> torch.allclose(R.matrix(5).T @ R.matrix(3), R.matrix(-2))  # what a score sees is the offset
            True
        """
        return self.rotate(torch.eye(self.d_head, dtype=dtype, device=choose_device(device)), offset).mT

    def _split(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """First and second dimension of every plane [..., bands], and what passes through."""
        turned, rest = vectors[..., : self.rotary_dim], vectors[..., self.rotary_dim :]
        if self.pairing == "neighbours":
            return turned[..., 0::2], turned[..., 1::2], rest
        return turned[..., : self.bands], turned[..., self.bands :], rest


def band_energy(vectors: Float[Tensor, "... d_head"], rotary: Rotary) -> Float[Tensor, "... bands"]:
    r"""Share of each vector's squared norm that lies in each band (paper, eq. 18, read in head space).

    A feature $f$ on the query side has the head-space vector $W_Q^\top f$. Turning it changes none of its shares. They
    sum to 1 where all dimensions are turned; with fewer, what is left passes through. A vector of zeros has shares 0.

    Raises:
        ValueError: for vectors whose last dimension is not the head's.

    Example:
        >>> band_energy(torch.tensor([3.0, 0.0, 4.0, 0.0]), Rotary.of(4, pairing="neighbours"))
        tensor([0.3600, 0.6400])
    """
    _check_vectors(vectors, rotary)
    largest = vectors.abs().amax(-1, keepdim=True)
    unit = vectors / torch.where(largest > 0, largest, 1.0)  # so that squares neither overflow nor vanish
    first, second, _ = rotary._split(unit)
    whole = unit.square().sum(-1, keepdim=True)
    return (first.square() + second.square()) / torch.where(whole > 0, whole, 1.0)


def qk_svd_at_offset(
    W_Q: Float[Tensor, "... d_model d_head"],
    W_K: Float[Tensor, "... d_model d_head"],
    rotary: Rotary,
    offsets: float | Tensor,
    *,
    device: str | torch.device | None = None,
) -> QKSVD:
    r"""SVD of $W_Q R_\Delta^\top W_K^\top$: what the head asks for at each offset (paper, appendix D).

    The rows of W_Q are turned instead, so that nothing larger than the factors is built.

    Args:
        W_Q: query weights, heads leading.
        W_K: key weights.
        rotary: the head's rotation.
        offsets: query position minus key position: a number, or a tensor of any shape.
        device: where to compute, as for :func:`svf_helpers.qk.qk_svd`.

    Returns:
        An SVD for every offset and head; the dimensions of ``offsets`` come first, before those of the heads.

    Raises:
        ValueError: as :func:`svf_helpers.qk.qk_svd`, and where d_head is not the rotation's.

    Example:
        >>> svd = qk_svd_at_offset(torch.eye(4), torch.eye(4), Rotary.of(4), torch.tensor([0, 1, 2]))
        >>> svd.U.shape, torch.allclose(svd.S, torch.ones(3, 4))  # a rotation has singular values 1
        (torch.Size([3, 4, 4]), True)
    """
    W_Q, W_K = on_device(device, W_Q, W_K)
    offsets = torch.as_tensor(offsets, device=W_Q.device)
    per_row = offsets.reshape(*offsets.shape, *[1] * (W_Q.ndim - 1))
    return qk_svd(rotary.rotate(W_Q.detach(), per_row), W_K)


@cache
def _frequencies(rotary: Rotary, device: torch.device) -> Float[Tensor, "bands"]:
    return torch.tensor(rotary.frequencies, dtype=torch.float64, device=device)


def _check_sizes(d_head: int, rotary_dim: int) -> None:
    for name, value in (("d_head", d_head), ("rotary_dim", rotary_dim)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name} = {value!r}: must be a positive whole number")
    if rotary_dim % 2:
        raise ValueError(f"rotary_dim = {rotary_dim}: must be even, dimensions are turned in pairs")
    if rotary_dim > d_head:
        raise ValueError(f"rotary_dim = {rotary_dim} is more than the head's d_head = {d_head} dimensions")


def _check_vectors(vectors: Tensor, rotary: Rotary) -> None:
    if vectors.ndim < 1 or vectors.shape[-1] != rotary.d_head:
        raise ValueError(f"vectors have shape {tuple(vectors.shape)}: the head needs [..., {rotary.d_head}]")
    if not vectors.is_floating_point():
        raise ValueError(f"vectors are {vectors.dtype}: expected floating point")
