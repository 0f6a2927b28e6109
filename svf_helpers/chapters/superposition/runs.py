"""Stored runs of this chapter: features without a head."""

from __future__ import annotations

import numpy as np

from svf_helpers.chapters.kit.toy_runs import LOOSE, config_of, every_seed, trained
from svf_helpers.experiments.registry import experiment


@experiment(
    "superposition",
    figures=("Fig 1a", "Fig 19a"),
    chapter="superposition",
    seconds={"quick": 10, "paper": 200},
    compare=LOOSE,
)
def superposition(scale, device, progress, workdir):
    """Features without a head, at three feature probabilities."""
    from svf_helpers.features import anisotropy, antipodal_pairs
    from svf_helpers.toy import ToyConfig

    seeds, steps = (range(10), 20_000) if scale == "paper" else (range(2), 3_000)
    configs, seeds = every_seed([ToyConfig(p=p, pairs={}) for p in (0.14, 0.27, 0.52)], seeds)
    run = trained(configs, seeds, steps, device, progress, workdir)
    arrays = {
        "W": run.W.cpu().numpy(),
        "b": run.b.cpu().numpy(),
        "p": np.array([config.p for config in configs]),
        "seed": np.array(seeds),
        "summary_pairs": np.array([float(len(antipodal_pairs(W))) for W in run.W.cpu()]),
        "summary_anisotropy": np.array([anisotropy(W) for W in run.W.cpu()]),
    }
    return arrays, config_of(run)
