"""What the stored runs of the toy chapters share: how they train, what they keep, and how it is measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from svf_helpers.experiments import Result

# Training amplifies rounding, so that a re-run on another processor may miss an early, unconverged summary a little.
LOOSE = {"summary_*": 0.05}


def trained(configs, seeds, steps, device, progress, workdir: Path, record=None):
    """The trained models (a :class:`svf_helpers.toy.ToyRun`). An interrupted run resumes where it stopped."""
    from svf_helpers.toy import train

    return train(
        configs, steps, seeds, record=record, device=device, progress=progress, checkpoint=workdir / "place.npz"
    )


def weights(run) -> dict[str, np.ndarray]:
    """All trained arrays of a run."""
    return {name: getattr(run, name).cpu().numpy() for name in ("W", "b", "W_Q", "W_K")}


def reached_svd(W, W_Q, W_K):
    """SVD of the heads as tokens see them: weights projected on the span of the features.

    In directions that no feature uses a head keeps its initial weights, which say nothing about alignment.
    """
    from svf_helpers.features import on_feature_span
    from svf_helpers.qk import qk_svd

    return qk_svd(on_feature_span(W, W_Q), on_feature_span(W, W_K))


def stored_dictionaries(stored: Result, *p: float):
    """The dictionaries [runs, d, n] of a result, as a tensor: of all its runs, or of those at these probabilities."""
    import torch

    return torch.tensor(stored["W"][np.isin(stored["p"], p)] if p else stored["W"])


def both_sides(alignment) -> np.ndarray:
    """|cos| of an :class:`svf_helpers.alignment.Alignment` as one array [..., pair, side], queries first.

    >>> import torch
    >>> from svf_helpers.alignment import rank_alignment
    >>> from svf_helpers.qk import QKSVD
    >>> head = QKSVD(torch.eye(3)[:, :1], torch.ones(1), torch.eye(3)[:, 1:2])
    >>> both_sides(rank_alignment(torch.eye(3), head, [(0, 1)]))
    array([[1., 1.]], dtype=float32)
    """
    return np.stack([alignment.query.cpu().numpy(), alignment.key.cpu().numpy()], -1)


def config_of(run, **more) -> dict:
    """What a result says of its configurations: the first, with all values of p and lambda, seeds and steps."""
    swept = {name: sorted({getattr(config, name) for config in run.configs}) for name in ("p", "lam")}
    first = run.configs[0].to_dict() | swept
    return {"model": first, "seeds": sorted(set(run.seeds)), "steps": run.steps, **more}


def every_seed(configs, seeds):
    """Each configuration with each seed, seeds running fastest.

    >>> every_seed(["small", "large"], [0, 1])
    (['small', 'small', 'large', 'large'], [0, 1, 0, 1])
    """
    return [config for config in configs for _ in seeds], [seed for _ in configs for seed in seeds]
