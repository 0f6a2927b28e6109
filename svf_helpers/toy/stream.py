"""Random numbers of a batch: one stream for each seed, shared by all instances of that seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


class UniformStream:
    """Uniform draws on [0, 1], one independent stream a seed.

    Instances of one seed read the same numbers (common random numbers), so that a sweep compares like with like and
    draws each number once. What a seed yields depends on the seed, the shape and the kind of device alone, never on
    the other seeds in the batch. On the CPU the bits come from SFC64, several times as fast as torch's generator.

    Args:
        seeds: one for each instance, not negative.
        shape: (n, T) of the draws a step.
        device: where the draws are wanted.
    """

    def __init__(self, seeds: Sequence[int], shape: tuple[int, int], device: torch.device):
        self.distinct = sorted(set(seeds))
        self.device = device
        self._of_instance = torch.tensor([self.distinct.index(seed) for seed in seeds], device=device)
        self._one_each = list(seeds) == self.distinct
        self._drawn = torch.empty(len(self.distinct), *shape, device=device)
        self._handed_out = None if self._one_each else torch.empty(len(seeds), *shape, device=device)
        if device.type == "cpu":
            self._sources = [np.random.SFC64(seed) for seed in self.distinct]
        else:
            self._sources = [torch.Generator(device).manual_seed(seed) for seed in self.distinct]

    def next(self) -> Float[Tensor, "I n T"]:
        """The draws of one step. The tensor is the stream's own: the next call overwrites it."""
        if self.device.type == "cpu":
            words = (self._drawn[0].numel() + 1) // 2
            for row, source in zip(self._drawn, self._sources, strict=True):
                bits = torch.from_numpy(source.random_raw(words).view(np.int32))
                row.copy_(bits[: row.numel()].view(row.shape))
            self._drawn.mul_(2.0**-32).add_(0.5)  # signed 32-bit words -> [0, 1]
        else:
            for row, source in zip(self._drawn, self._sources, strict=True):
                torch.rand(row.shape, generator=source, out=row)
        if self._one_each:
            return self._drawn
        return torch.index_select(self._drawn, 0, self._of_instance, out=self._handed_out)

    def state(self) -> np.ndarray:
        """The streams' positions, an array that :meth:`restore` takes."""
        if self.device.type == "cpu":
            return np.stack([source.state["state"]["state"] for source in self._sources])
        return np.stack([source.get_state().numpy() for source in self._sources])

    def restore(self, state: np.ndarray) -> None:
        """Go on from where :meth:`state` was taken."""
        for source, row in zip(self._sources, state, strict=True):
            if self.device.type == "cpu":
                whole = source.state
                whole["state"]["state"] = row
                source.state = whole
            else:
                source.set_state(torch.from_numpy(row))
