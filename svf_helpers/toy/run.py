"""What training leaves: the models of a batch, and how to pick some of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..qk import QKSVD, qk_svd
from .config import ToyConfig, plain_bands, plain_pairs
from .model import Parameters
from .recorder import History


@dataclass(frozen=True, eq=False)
class ToyRun:
    """Trained toy models, the instance I leading. Tensors are on the device they were trained on.

    Without pairs the head was never trained: W_Q and W_K are then its initial weights, shrunk by weight decay.
    Where instances differ in n, d or r, the arrays of the smaller ones end in zeros; :meth:`only` cuts them off.

    Example:
        >>> from svf_helpers.toy import train
        >>> run = train([ToyConfig(p=0.2), ToyConfig(p=0.6)], steps=1, device="cpu")
        >>> len(run), run.where(p=0.6), tuple(run.svd().S.shape)
        (2, [1], (2, 10))
    """

    configs: tuple[ToyConfig, ...]
    seeds: tuple[int, ...]
    steps: int
    W: Float[Tensor, "I d n"]
    b: Float[Tensor, "I n"]
    W_Q: Float[Tensor, "I d r"]
    W_K: Float[Tensor, "I d r"]
    history: History | None = None

    def __len__(self) -> int:
        return len(self.configs)

    def svd(self) -> QKSVD:
        """SVD of every instance's QK matrix."""
        return qk_svd(self.W_Q, self.W_K)

    def only(self, instances: Sequence[int]) -> ToyRun:
        """The run of some of the instances, which must agree in n, d and r, in arrays of their own sizes.

        Raises:
            ValueError: for instances of different sizes.

        Example:
            >>> from svf_helpers.toy import train
            >>> run = train([ToyConfig(n=12), ToyConfig(n=20)], steps=1, device="cpu")
            >>> tuple(run.W.shape), tuple(run.only([0]).W.shape)
            ((2, 10, 20), (1, 10, 12))
        """
        instances = list(instances)
        configs = tuple(self.configs[i] for i in instances)
        sizes = {(config.n, config.d, config.r) for config in configs}
        if len(sizes) != 1:
            raise ValueError(f"only: one or more instances of one size are wanted, not of (n, d, r) = {sorted(sizes)}")
        (n, d, r), at = sizes.pop(), torch.tensor(instances, device="cpu")
        own = {"W": (d, n), "b": (n,), "W_Q": (d, r), "W_K": (d, r), "loss_rec": (), "loss_attn": ()}

        def cut(array: Tensor, name: str, axis: int) -> Tensor:
            array = array.index_select(axis, at.to(array.device))
            inside: tuple[Any, ...] = (..., *map(slice, own[name]))
            return array[inside].contiguous()

        history = self.history and History(
            self.history.steps, *(cut(getattr(self.history, name), name, 1) for name in own)
        )
        arrays = Parameters(*(cut(getattr(self, name), name, 0) for name in Parameters._fields))
        return ToyRun(configs, tuple(self.seeds[i] for i in instances), self.steps, *arrays, history=history)

    def where(self, **wanted) -> list[int]:
        """Indices of the instances whose configuration (or ``seed``) has these values: ``run.where(p=0.52, seed=0)``.

        Raises:
            ValueError: for a name that is no field of a configuration.

        Example:
            >>> from svf_helpers.toy import train
            >>> run = train([ToyConfig(p=0.2), ToyConfig(p=0.6)], steps=1, seed=[0, 1], device="cpu")
            >>> run.where(p=0.6), run.where(p=0.6, seed=0)
            ([1], [])
        """
        seed = wanted.pop("seed", None)
        unknown = set(wanted) - {field.name for field in fields(ToyConfig)}
        if unknown:
            raise ValueError(f"where: {', '.join(sorted(unknown))} is no field of a ToyConfig, nor seed")
        for name, plain in (("pairs", plain_pairs), ("bands", plain_bands)):
            if name in wanted:
                wanted[name] = plain(wanted[name])
        return [
            i
            for i, config in enumerate(self.configs)
            if all(getattr(config, key) == value for key, value in wanted.items()) and seed in (None, self.seeds[i])
        ]
