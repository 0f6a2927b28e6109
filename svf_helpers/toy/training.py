"""Training a batch of toy models in one loop (paper, section 3 and appendix A.1)."""

from __future__ import annotations

import hashlib
import json
import math
import operator
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from tqdm.auto import tqdm

from ..device import choose_device, one_thread_if
from .checkpoint import TrainingCheckpoint, interrupted_between_steps
from .config import ToyConfig, Whole
from .gradient import Gradient
from .model import Batch, Parameters, losses, strengths_
from .recorder import HistoryRecorder
from .run import ToyRun
from .stream import UniformStream

# Strengths a step below which one thread of a CPU is as fast as several.
SMALL_BATCH = 400_000


def train(
    config: ToyConfig | Sequence[ToyConfig],
    steps: int = 20_000,
    seed: int | Sequence[int] = 0,
    *,
    dictionary: Float[Tensor, "d n"] | Float[Tensor, "I d n"] | None = None,
    record: Iterable[Whole] | None = None,
    device: str | torch.device = "auto",
    progress: bool | str = False,
    checkpoint: Path | str | None = None,
    checkpoint_every: int = 1000,
    stream=None,
) -> ToyRun:
    """Train toy models, all instances in one loop.

    One configuration with many seeds, many configurations with one seed, or as many of each as instances. Initial
    weights and the stream of feature strengths depend on an instance's seed alone; an instance therefore gives the
    same result alone as in a batch, to float tolerance. Instances of one seed see the same strengths' uniforms.

    Args:
        config: one configuration, or one for each instance; instances may differ in p, lam, pairs and bands, and in
            n, d and r (with RoPE d alone): smaller ones are padded with zeros, which training leaves zeros.
        steps: optimiser steps.
        seed: one seed, or one for each instance; not negative.
        dictionary: features to keep fixed; then only W_Q and W_K are trained, on the attention loss (appendix C.3).
        record: steps at which weights and losses go into the history; 0 is before training.
        device: "auto" (the GPU if there is one), "cpu" or "cuda".
        progress: show a progress bar; a text is its label.
        checkpoint: file in which the run keeps its place. If it exists the run goes on from there; it is removed by
            the caller, not here. Interrupting (Ctrl-C) writes it before the interruption is passed on.
        checkpoint_every: steps between two writes of the checkpoint.
        stream: what to draw from instead of the seeds' own streams: anything with ``next() -> [I, n, T]`` uniforms
            (n + 1 rows with RoPE, the last of them for positions), which are overwritten, ``state()`` and
            ``restore(state)``.

    Returns:
        The trained models.

    Raises:
        ValueError: for configurations that do not fit in one batch, wrong numbers of seeds, a dictionary of the wrong
            shape, or a checkpoint of another run.

    Example:
        >>> run = train(ToyConfig(), steps=50, seed=[0, 1], record=[0, 50], device="cpu")
        >>> before, after = run.history.loss_rec
        >>> (after < before).tolist()
        [True, True]
    """
    configs, seeds = _instances(config, seed)
    if not isinstance(steps, int | np.integer) or steps < 0:
        raise ValueError(f"steps = {steps}: must be a whole number, not negative")
    if checkpoint_every < 1:
        raise ValueError(f"checkpoint_every = {checkpoint_every}: must be at least 1")
    recorded = _recorded_steps(record, steps)
    device = choose_device(device)
    batch = Batch.of(configs, device)
    shape = configs[0]
    fixed = _fixed_features(dictionary, configs, device)
    if fixed is not None and not batch.attends:
        raise ValueError("dictionary is given but there are no pairs: with fixed features there is nothing to train")

    n = max(config.n for config in configs)
    weights = initial_weights(configs, seeds)
    if fixed is not None:
        weights = weights._replace(W=fixed, b=torch.zeros_like(weights.b))
    trained = ("W", "b", "W_Q", "W_K") if fixed is None else ("W_Q", "W_K")
    params, flat = _flatten(weights, trained, device)
    flat.grad = torch.zeros_like(flat)
    gradient = Gradient(batch, Parameters(*_views(flat.grad, params, trained)), features=fixed is None)
    optimiser = torch.optim.AdamW([flat], lr=shape.lr, weight_decay=shape.weight_decay, fused=True)
    if stream is None:
        position = 1 if shape.positions else 0
        rows = [config.n + position for config in configs]
        stream = UniformStream(seeds, (n + position, shape.tokens), device, rows)
    recorder = HistoryRecorder(recorded)
    fingerprint = _fingerprint(configs, seeds, steps, recorded, fixed)
    place = TrainingCheckpoint(checkpoint, flat, optimiser, stream, recorder, fingerprint)
    start = place.load()
    label = progress if isinstance(progress, str) else "training"
    bar = tqdm(total=steps, initial=start, desc=label, unit="step", disable=not progress, mininterval=1)
    small = len(configs) * n * shape.tokens < SMALL_BATCH
    step, whole = start, True  # whole: not in the middle of a step, so that the place is worth keeping
    try:
        with torch.no_grad(), one_thread_if(small), interrupted_between_steps() as interruption:
            while True:
                interruption()
                if step == steps and step not in recorder.wanted:
                    break
                held = stream.state() if step == steps else None
                u, whole = stream.next(), False
                positions = None if batch.rotary is None else batch.rotary.draw(u[:, n])
                x = strengths_(u[:, :n], batch.p)
                if step in recorder.wanted:
                    recorder.add(step, params, losses(params, x, batch, positions))
                if step == steps:  # the loss after the last step uses draws that no further step will
                    stream.restore(held)
                    break
                gradient(params, x, positions)
                optimiser.param_groups[0]["lr"] = learning_rate(shape, step, steps)
                optimiser.step()
                step, whole = step + 1, True
                bar.update()
                if checkpoint and step % checkpoint_every == 0:
                    place.save(step)
    except KeyboardInterrupt:
        if whole:
            place.save(step)
        raise
    finally:
        bar.close()
    place.save(step)
    final = Parameters(*(tensor.detach().clone() for tensor in params))
    return ToyRun(configs, seeds, steps, *final, history=recorder.history() if recorded else None)


def learning_rate(config: ToyConfig, step: int, steps: int) -> float:
    """The rate of one step: a quarter cosine from ``config.lr`` to 0, or constant.

    Example:
        >>> [round(learning_rate(ToyConfig(lr=1.0), step, steps=90), 3) for step in (0, 60, 90)]
        [1.0, 0.5, 0.0]
    """
    if config.schedule == "constant":
        return config.lr
    return config.lr * math.cos(math.pi / 2 * step / steps)


def initial_weights(config: ToyConfig | Sequence[ToyConfig], seeds: Sequence[int]) -> Parameters:
    """Xavier-normal W, W_Q, W_K of each seed and b = 0, drawn on the CPU so that every device starts alike.

    Args:
        config: of all instances, or one for each; where sizes differ, the smaller ones are padded with zeros.
        seeds: one for each instance.

    Example:
        >>> weights = initial_weights(ToyConfig(), seeds=[0, 1, 2])
        >>> tuple(weights.W.shape), torch.equal(weights.W[2:], initial_weights(ToyConfig(), seeds=[2]).W)
        ((3, 10, 20), True)
    """
    configs = [config] * len(seeds) if isinstance(config, ToyConfig) else list(config)
    n, d, r = (max(getattr(config, name) for config in configs) for name in "ndr")
    to: dict[str, Any] = {"dtype": torch.float32, "device": "cpu"}
    weights = Parameters(*(torch.zeros(len(configs), *shape, **to) for shape in ((d, n), (n,), (d, r), (d, r))))
    for i, (one, seed) in enumerate(zip(configs, seeds, strict=True)):
        generator = torch.Generator("cpu").manual_seed(seed)
        for array, columns in ((weights.W, one.n), (weights.W_Q, one.r), (weights.W_K, one.r)):
            drawn = torch.randn(one.d, columns, generator=generator, **to)
            array[i, : one.d, :columns] = drawn * math.sqrt(2 / (one.d + columns))
    return weights


def _instances(config, seed) -> tuple[tuple[ToyConfig, ...], tuple[int, ...]]:
    configs = [config] if isinstance(config, ToyConfig) else list(config)
    given: list[Any] = [seed] if isinstance(seed, int | float | np.integer) else list(seed)
    if not configs or not given:
        raise ValueError("train needs at least one configuration and one seed")
    count = max(len(configs), len(given))
    if len(configs) not in (1, count) or len(given) not in (1, count):
        raise ValueError(f"{len(configs)} configurations, {len(given)} seeds: give one of either, or as many of each")
    try:
        seeds = [operator.index(s) for s in given]
    except TypeError as error:
        raise ValueError(f"seeds must be whole numbers, got {given}") from error
    if any(s < 0 for s in seeds):
        raise ValueError(f"seeds must not be negative, got {[s for s in seeds if s < 0]}")
    configs = configs * count if len(configs) == 1 else configs
    seeds = seeds * count if len(seeds) == 1 else seeds
    return tuple(configs), tuple(seeds)


def _recorded_steps(record, steps: int) -> tuple[int, ...]:
    recorded = tuple(sorted({int(step) for step in (() if record is None else record)}))
    if recorded and not 0 <= recorded[0] <= recorded[-1] <= steps:
        raise ValueError(f"record must name steps in 0..{steps}, got {recorded[0]}..{recorded[-1]}")
    return recorded


def _fixed_features(dictionary, configs, device) -> Tensor | None:
    if dictionary is None:
        return None
    d, n = (max(getattr(config, name) for config in configs) for name in "dn")
    if min(config.n for config in configs) < n or min(config.d for config in configs) < d:
        raise ValueError("dictionary is given for instances that differ in n or d: train them in separate calls")
    dictionary = torch.as_tensor(dictionary, dtype=torch.float32, device=device)
    if dictionary.shape not in ((d, n), (len(configs), d, n)):
        right = f"{(d, n)} or {(len(configs), d, n)}"
        raise ValueError(f"dictionary has shape {tuple(dictionary.shape)}; features as columns: {right}")
    if not dictionary.isfinite().all():
        raise ValueError("dictionary holds values that are not finite")
    return dictionary.expand(len(configs), d, n).contiguous()


def _flatten(weights: Parameters, trained: Sequence[str], device) -> tuple[Parameters, Tensor]:
    """One leaf tensor that holds all trained arrays end to end, and the arrays as views into it."""
    weights = Parameters(*(tensor.to(device) for tensor in weights))
    flat = torch.cat([getattr(weights, name).flatten() for name in trained])
    return Parameters(*_views(flat, weights, trained)), flat


def _views(flat: Tensor, like: Parameters, trained: Sequence[str]):
    at = 0
    for name, tensor in zip(Parameters._fields, like, strict=True):
        if name in trained:
            yield flat[at : at + tensor.numel()].view(tensor.shape)
            at += tensor.numel()
        else:
            yield tensor


def _fingerprint(configs, seeds, steps, recorded, fixed) -> str:
    """Of the run that a checkpoint belongs to; the number changes when the checkpoint's form does."""
    what = json.dumps([2, [config.to_dict() for config in configs], seeds, steps, recorded], sort_keys=True).encode()
    if fixed is not None:
        what += fixed.cpu().numpy().tobytes()
    return hashlib.sha256(what).hexdigest()
