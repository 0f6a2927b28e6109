"""Trained toy models with rotary positions, and those of the stored result ``rope`` (paper, appendix D)."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from svf_helpers.chapters.rope.runs import PAIRS, POSITIONAL, POSITIONS
from svf_helpers.experiments import load
from svf_helpers.toy import ToyConfig


@dataclass(frozen=True, eq=False)
class RotaryHead:
    """One trained toy model with positions: its dictionary, its head and its configuration.

    Raises:
        ValueError: for a configuration without positions, or weights that are not those of one model.

    Example:
        >>> config = ToyConfig(n=2, d=2, r=2, positions=40, pairs={(0, 1): 3.0})
        >>> RotaryHead(torch.eye(2), torch.eye(2), torch.eye(2), config).config.positions
        40
    """

    W: Float[Tensor, "d n"]
    W_Q: Float[Tensor, "d r"]
    W_K: Float[Tensor, "d r"]
    config: ToyConfig

    def __post_init__(self) -> None:
        if not self.config.positions:
            raise ValueError("positions = 0: this model has no RoPE, its QK matrix is the same at every offset")
        n, d, r = self.config.n, self.config.d, self.config.r
        for name, shape in (("W", (d, n)), ("W_Q", (d, r)), ("W_K", (d, r))):
            if tuple(getattr(self, name).shape) != shape:
                raise ValueError(f"{name} has shape {tuple(getattr(self, name).shape)}: one model needs {shape}")
            object.__setattr__(self, name, torch.as_tensor(getattr(self, name)).double())


@functools.cache
def stored_heads(seed: int = 0) -> dict[int, RotaryHead]:
    """The models of the stored result ``rope``: band of the positional pair's target -> model.

    Raises:
        ValueError: for a seed that the result does not hold.
        FileNotFoundError: where the result is missing.

    Example:
        >>> sorted(stored_heads(seed=0))
        [0, 1, 2, 3, 4]
    """
    result = load("rope")
    found = {}
    for at, (band, own) in enumerate(zip(result["band"].tolist(), result["seed"].tolist(), strict=True)):
        if own == seed and band >= 0:
            weights = (torch.tensor(result[name][at]) for name in ("W", "W_Q", "W_K"))
            found[band] = RotaryHead(*weights, ToyConfig(pairs=PAIRS, positions=POSITIONS, bands={POSITIONAL: band}))
    if not found:
        raise ValueError(f"seed {seed}: the stored result has seeds {sorted(set(result['seed'].tolist()))}")
    return dict(sorted(found.items()))
