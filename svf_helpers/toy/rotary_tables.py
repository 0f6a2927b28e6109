"""RoPE in the toy model: queries and keys turn with the position of their token (paper, appendix D).

The arrays of a training step end with the tokens and are turned some hundred thousand times, always by one of a few
angles: their cosines and sines are tabulated once. The rotation itself is that of :class:`svf_helpers.rope.Rotary`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .config import ToyConfig


class TokenRotation(NamedTuple):
    """Cosines and sines of every token's angle in every band, for one step.

    Example:
        >>> quarter = TokenRotation(cos=torch.zeros(1, 1, 1), sin=torch.ones(1, 1, 1))  # one band, turned by 90 degrees
        >>> quarter.rotate(torch.tensor([[[1.0], [0.0]]]), slice(None)).flatten()
        tensor([0., 1.])
    """

    cos: Float[Tensor, "I B T"]
    sin: Float[Tensor, "I B T"]

    def rotate(self, q: Float[Tensor, "I r t"], tokens: slice, back: bool = False) -> Float[Tensor, "I r t"]:
        """Turn queries or keys of some of the tokens by their positions, or ``back``; neighbouring rows are a band.

        Turning back is the transpose of turning, and that is what a gradient passes through.
        """
        cos, sin = self.cos[..., tokens], self.sin[..., tokens]
        first, second = q[:, 0::2], q[:, 1::2]
        if back:
            sin = -sin
        return torch.stack([first * cos - second * sin, first * sin + second * cos], 2).flatten(1, 2)


@dataclass(frozen=True)
class RotaryTables:
    """What positions do in a batch of toy models: the angles of the head's bands, and those of the targets.

    Example:
        >>> config = ToyConfig(pairs={(0, 1): 9.0, (2, 3): 5.0}, positions=8, bands={(2, 3): 0})
        >>> tables = RotaryTables.of([config], pairs=2, device="cpu", dtype=torch.float32)
        >>> tables.of_targets(torch.full((1, 1, 1), 3)).flatten()  # three positions apart: cos(3) for the second pair
        tensor([ 1.0000, -0.9900])
    """

    positions: int
    cos: Float[Tensor, "L B"]
    sin: Float[Tensor, "L B"]
    target_frequency: Float[Tensor, "I P 1 1"]

    @classmethod
    def of(cls, configs: Sequence[ToyConfig], pairs: int, device, dtype) -> RotaryTables | None:
        """Tables for configurations of one batch, or None without positions; pairs are padded to ``pairs``."""
        first, rotary = configs[0], configs[0].rotary
        if rotary is None:
            return None
        angles = rotary.angles(torch.arange(first.positions, device="cpu"))
        # frequency 0: the same at every offset
        of_target = torch.zeros(len(configs), pairs, dtype=torch.float64, device="cpu")
        for row, config in zip(of_target, configs, strict=True):
            bands = {(i, j): band for i, j, band in config.bands}
            for at, (i, j, _) in enumerate(config.pairs):
                if (i, j) in bands:
                    row[at] = rotary.frequencies[bands[i, j]]
        to = {"device": device, "dtype": dtype}
        return cls(first.positions, angles.cos().to(**to), angles.sin().to(**to), of_target[..., None, None].to(**to))

    def draw(self, u: Float[Tensor, "I T"]) -> Int[Tensor, "I T"]:
        """Positions, uniform on 0 .. positions - 1, from uniform draws on [0, 1]."""
        return (u * self.positions).long().clamp_max(self.positions - 1)

    def of_tokens(self, positions: Int[Tensor, "I T"] | None) -> TokenRotation:
        """The rotation of tokens at these positions; ``ValueError`` without any."""
        positions = _given(positions)
        return TokenRotation(self.cos[positions].mT, self.sin[positions].mT)

    def of_targets(self, offset: Int[Tensor, "I c Q"]) -> Float[Tensor, "I P c Q"]:
        """The factor on each pair's target at each offset: 1 for pairs without a band."""
        return (self.target_frequency * offset[:, None]).cos()


def offsets(positions: Int[Tensor, "I T"] | None, queries: int, c: int) -> Int[Tensor, "I c Q"]:
    """Query position minus key position, for each query and each of its keys.

    Raises:
        ValueError: without positions.

    Example:
        >>> offsets(torch.tensor([[5, 3, 9]]), queries=1, c=2).flatten()  # a query at 5; keys at 3 and at 9
        tensor([ 2, -4])
    """
    positions = _given(positions)
    return positions[:, None, :queries] - positions[:, queries:].unflatten(-1, (c, queries))


def _given(positions: Tensor | None) -> Tensor:
    if positions is None:
        raise ValueError("a model with RoPE needs the tokens' positions [I, T], got None")
    return positions
