"""Random numbers of a batch: one stream for each seed, shared by all instances of that seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


class UniformStream:
    """Uniform draws on [0, 1], one independent stream a seed.

    Instances of one seed and size read the same numbers (common random numbers), so that a sweep compares like with
    like and draws each number once. What a seed yields depends on the seed, the instance's own number of rows, T and
    the kind of device alone, never on the rest of the batch. On the CPU the bits come from SFC64, several times as fast
    as torch's generator.

    Args:
        seeds: one for each instance, not negative.
        shape: (rows, T) of the draws a step.
        device: where the draws are wanted.
        rows: how many of the rows each instance draws, where not all; the others are 0, an absent feature's draw.

    Example:
        >>> stream = UniformStream([3, 3], (2, 4), torch.device("cpu"))
        >>> first, second = stream.next()
        >>> torch.equal(first, second), bool(((first >= 0) & (first <= 1)).all())
        (True, True)
    """

    def __init__(
        self, seeds: Sequence[int], shape: tuple[int, int], device: torch.device, rows: Sequence[int] | None = None
    ):
        wanted = list(zip(seeds, [shape[0]] * len(seeds) if rows is None else rows, strict=True))
        self.distinct = sorted(set(wanted))
        self.device = device
        self._of_instance = torch.tensor([self.distinct.index(one) for one in wanted], device=device)
        self._one_each = wanted == self.distinct
        to: dict[str, Any] = {"dtype": torch.float32, "device": device}
        self._drawn = torch.zeros(len(self.distinct), *shape, **to)
        self._handed_out = None if self._one_each else torch.empty(len(wanted), *shape, **to)
        self._own = [drawn[:count] for drawn, (_, count) in zip(self._drawn, self.distinct, strict=True)]
        self._sources: list[Any]  # np.random.SFC64 on the CPU, torch.Generator elsewhere
        if device.type == "cpu":
            self._sources = [np.random.SFC64(seed) for seed, _ in self.distinct]
        else:
            self._sources = [torch.Generator(device).manual_seed(seed) for seed, _ in self.distinct]

    def next(self) -> Float[Tensor, "I rows T"]:
        """The draws of one step. The tensor is the stream's own: the next call overwrites it."""
        for own, source in zip(self._own, self._sources, strict=True):
            if self.device.type == "cpu":
                bits = torch.from_numpy(source.random_raw((own.numel() + 1) // 2).view(np.int32))
                own.copy_(bits[: own.numel()].view(own.shape))
                own.mul_(2.0**-32).add_(0.5)  # signed 32-bit words -> [0, 1]
            else:
                torch.rand(own.shape, generator=source, out=own)
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
