"""What a run records on its way: weights and losses at chosen steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from .model import Parameters


class History(NamedTuple):
    """Weights and losses at the K recorded steps, on the CPU.

    Example:
        >>> from svf_helpers.toy import ToyConfig, train
        >>> history = train(ToyConfig(n=4, d=2, r=2, pairs={}), steps=2, record=[0, 2], device="cpu").history
        >>> history.steps, tuple(history.W.shape)
        (tensor([0, 2]), (2, 1, 2, 4))
    """

    steps: Int[Tensor, " K"]
    W: Float[Tensor, "K I d n"]
    b: Float[Tensor, "K I n"]
    W_Q: Float[Tensor, "K I d r"]
    W_K: Float[Tensor, "K I d r"]
    loss_rec: Float[Tensor, "K I"]
    loss_attn: Float[Tensor, "K I"]


class HistoryRecorder:
    """Collects a history as training goes.

    Example:
        >>> recorder, one = HistoryRecorder(wanted=[0]), torch.ones(1)
        >>> head = torch.zeros(1, 2, 2)
        >>> recorder.add(0, Parameters(torch.eye(2)[None], torch.zeros(1, 2), head, head), (one, 2 * one))
        >>> recorder.history().loss_attn
        tensor([[2.]])
    """

    def __init__(self, wanted: Sequence[int]):
        self.wanted = frozenset(wanted)
        self._rows: list[tuple[np.ndarray, ...]] = []

    def add(self, step: int, params: Parameters, both_losses: tuple[Tensor, Tensor]) -> None:
        """Record one step; a step already there (recorded just before an interruption) is kept as it was."""
        if self._rows and int(self._rows[-1][0]) >= step:
            return
        self._rows.append((np.asarray(step), *(t.detach().cpu().numpy().copy() for t in (*params, *both_losses))))

    def history(self) -> History:
        """Everything recorded so far."""
        return History(*(torch.from_numpy(np.stack(column)) for column in zip(*self._rows, strict=True)))

    def arrays(self) -> dict[str, np.ndarray]:
        """What a checkpoint keeps of it; :meth:`restore` takes it back."""
        if not self._rows:
            return {}
        return {f"history_{i}": np.stack(column) for i, column in enumerate(zip(*self._rows, strict=True))}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what :meth:`arrays` gave."""
        columns = [arrays[f"history_{i}"] for i in range(len(History._fields)) if f"history_{i}" in arrays]
        self._rows = [tuple(row) for row in zip(*columns, strict=True)]
