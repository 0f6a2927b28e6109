"""Sweeps over configurations of any shapes, trained in as few batches as possible (paper, appendix A.2)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from ..device import choose_device
from .config import ToyConfig, Whole, batch_key
from .run import ToyRun
from .training import train

# How much arithmetic padding may add before a processor, whose time it is, gets a batch of its own for the smaller
# models. A GPU waits for its kernels to start, not for such small sums: there everything goes into one batch.
PADDING = {"cpu": 1.25, "cuda": float("inf")}


def sweep(
    configs: Sequence[ToyConfig],
    steps: int = 20_000,
    seeds: Sequence[int] = (0,),
    *,
    record: Iterable[Whole] | None = None,
    device: str | torch.device = "auto",
    progress: bool = False,
    workdir: Path | str | None = None,
    padding: float | None = None,
) -> list[ToyRun]:
    """Train every configuration with every seed; configurations may differ in anything.

    What can share a batch does: sizes n, d and r are padded with zeros where that costs little. Every instance ends as
    it would alone, to float tolerance.

    Args:
        configs: any configurations.
        steps: optimiser steps.
        seeds: of every configuration.
        record: steps at which weights and losses go into each run's history.
        device: "auto" (the GPU if there is one), "cpu" or "cuda".
        progress: show a progress bar for each batch.
        workdir: folder in which each batch keeps its place; called again with it, a sweep that was interrupted goes on
            where it stopped. Its files are removed by the caller.
        padding: how many times the arithmetic of its members a batch may cost; by default 1.25 on a CPU, any on a GPU.

    Returns:
        A run for each configuration, in their order, its instances in the order of the seeds.

    Raises:
        ValueError: without configurations or seeds, for a padding below 1, or what :func:`train` refuses.

    Example:
        >>> runs = sweep([ToyConfig(n=12), ToyConfig(c=8)], steps=1, seeds=[0, 1], device="cpu")
        >>> [tuple(run.W.shape) for run in runs]
        [(2, 10, 12), (2, 10, 20)]
    """
    configs, seeds, device = list(configs), list(seeds), choose_device(device)
    if not configs or not seeds:
        raise ValueError("sweep needs at least one configuration and one seed")
    padding = PADDING.get(device.type, 1.25) if padding is None else padding
    if not padding >= 1:
        raise ValueError(f"padding = {padding}: how many times the members' own arithmetic, at least 1")
    batches = share_batches(configs, padding)
    found: dict[int, ToyRun] = {}
    for number, members in enumerate(batches, 1):
        run = train(
            [configs[k] for k in members for _ in seeds],
            steps,
            seeds * len(members),
            record=record,
            device=device,
            progress=f"batch {number} of {len(batches)}" if progress else False,
            checkpoint=None if workdir is None else Path(workdir) / _place([configs[k] for k in members]),
        )
        for at, k in enumerate(members):
            found[k] = run.only(range(at * len(seeds), (at + 1) * len(seeds)))
    return [found[k] for k in range(len(configs))]


def share_batches(configs: Sequence[ToyConfig], padding: float) -> list[list[int]]:
    """Which configurations train together, as lists of indices.

    Within those that may share a batch at all, the largest opens one, and the next smaller ones join as long as the
    padded batch costs at most ``padding`` times its members' own arithmetic.

    Example:
        >>> configs = [ToyConfig(n=4, pairs={(0, 1): 9}), ToyConfig(n=20), ToyConfig(n=19), ToyConfig(c=8)]
        >>> share_batches(configs, 1.25), share_batches(configs, 4)
        ([[1, 2], [0], [3]], [[1, 2, 0], [3]])
    """
    kinds: dict[tuple, list[int]] = {}
    for k, config in enumerate(configs):
        kinds.setdefault(batch_key(config), []).append(k)
    batches = []
    for kind in kinds.values():
        rest = sorted(kind, key=lambda k: -_work(*_sizes(configs[k])))
        while rest:
            batch: list[int] = []
            left: list[int] = []
            own, sizes = 0, (0, 0, 0)
            for k in rest:
                mine = _sizes(configs[k])
                n, d, r = map(max, sizes, mine)
                work = own + _work(*mine)
                if (len(batch) + 1) * _work(n, d, r) <= padding * work:
                    batch, own, sizes = [*batch, k], work, (n, d, r)
                else:
                    left.append(k)
            batches.append(batch)
            rest = left
    return batches


def _sizes(config: ToyConfig) -> tuple[int, int, int]:
    return config.n, config.d, config.r


def _work(n: int, d: int, r: int) -> int:
    """Multiplications a token, and the passes over its arrays, which cost some ten of them an entry."""
    return n * n + 2 * n * r + 10 * (3 * n + 4 * r)


def _place(configs: list[ToyConfig]) -> str:
    what = json.dumps([config.to_dict() for config in configs], sort_keys=True)
    return f"batch-{hashlib.sha256(what.encode()).hexdigest()[:12]}.npz"
