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


class Turn(NamedTuple):
    """Cosines and sines of every token's angle in every band, for one step."""

    cos: Float[Tensor, "I B T"]
    sin: Float[Tensor, "I B T"]

    def rotate(self, q: Float[Tensor, "I r t"], tokens: slice, back: bool = False) -> Float[Tensor, "I r t"]:
        """Queries or keys of some of the tokens turned by their positions, or ``back``; neighbouring rows are a band.

        A rotation's transpose turns back, and that is what a gradient passes through.
        """
        cos, sin = self.cos[..., tokens], self.sin[..., tokens]
        first, second = q[:, 0::2], q[:, 1::2]
        if back:
            sin = -sin
        return torch.stack([first * cos - second * sin, first * sin + second * cos], 2).flatten(1, 2)


@dataclass(frozen=True)
class Turning:
    """What positions do in a batch of toy models: the angles of the head's bands, and those of the targets."""

    positions: int
    cos: Float[Tensor, "L B"]
    sin: Float[Tensor, "L B"]
    target_frequency: Float[Tensor, "I P 1 1"]

    @classmethod
    def of(cls, configs: Sequence[ToyConfig], pairs: int, device, dtype) -> Turning:
        """For configurations of one batch; ``pairs`` is the number that they are padded to."""
        first = configs[0]
        frequencies = first.rotary.frequencies
        angles = first.rotary.angles(torch.arange(first.positions))
        of_target = torch.zeros(len(configs), pairs, dtype=torch.float64)  # frequency 0: the same at every offset
        for row, config in zip(of_target, configs, strict=True):
            bands = {(i, j): band for i, j, band in config.bands}
            for at, (i, j, _) in enumerate(config.pairs):
                if (i, j) in bands:
                    row[at] = frequencies[bands[i, j]]
        to = {"device": device, "dtype": dtype}
        return cls(first.positions, angles.cos().to(**to), angles.sin().to(**to), of_target[..., None, None].to(**to))

    def draw(self, u: Float[Tensor, "I T"]) -> Int[Tensor, "I T"]:
        """Positions, uniform on 0 .. positions - 1, from uniform draws on [0, 1]."""
        return (u * self.positions).long().clamp_max(self.positions - 1)

    def of_tokens(self, positions: Int[Tensor, "I T"]) -> Turn:
        """The angles of tokens at these positions."""
        return Turn(self.cos[positions].mT, self.sin[positions].mT)

    def of_targets(self, offset: Int[Tensor, "I c Q"]) -> Float[Tensor, "I P c Q"]:
        """What multiplies each pair's target at each offset: 1 for pairs without a band."""
        return (self.target_frequency * offset[:, None]).cos()


def offsets(positions: Int[Tensor, "I T"], queries: int, c: int) -> Int[Tensor, "I c Q"]:
    """Query position minus key position, for each query and each of its keys.

    Raises:
        ValueError: without positions.
    """
    if positions is None:
        raise ValueError("a model with RoPE needs the tokens' positions [I, T], got None")
    return positions[:, None, :queries] - positions[:, queries:].unflatten(-1, (c, queries))
