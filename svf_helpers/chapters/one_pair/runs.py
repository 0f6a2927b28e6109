"""Stored runs of this chapter: one pair of interest."""

from __future__ import annotations

import numpy as np

from svf_helpers.chapters.kit.toy_runs import LOOSE, both_sides, config_of, every_seed, reached_svd, trained, weights
from svf_helpers.experiments.registry import experiment


@experiment(
    "one-pair",
    figures=("Fig 1b", "Fig 2a", "Fig 11a", "Fig 19b"),
    chapter="one_pair",
    seconds={"quick": 10, "paper": 600},
    compare=LOOSE,
)
def one_pair(scale, device, progress, workdir):
    """One pair of interest, (0, 1) with target logit 1, at three feature probabilities."""
    from svf_helpers.alignment import rank_alignment
    from svf_helpers.features import feature_cosines
    from svf_helpers.toy import ToyConfig

    seeds, steps = (range(10), 40_000) if scale == "paper" else (range(2), 3_000)
    configs, seeds = every_seed([ToyConfig(p=p, pairs={(0, 1): 1.0}) for p in (0.14, 0.27, 0.52)], seeds)
    run = trained(configs, seeds, steps, device, progress, workdir)
    others = feature_cosines(run.W).abs()
    others[:, [0, 1], [0, 1]] = 0
    arrays = weights(run) | {
        "p": np.array([config.p for config in configs]),
        "seed": np.array(seeds),
        "summary_others": others[:, :2].amax(-1).cpu().numpy(),
    }
    for name, svd in (("plain", run.svd()), ("reached", reached_svd(run.W, run.W_Q, run.W_K))):
        alignment = rank_alignment(run.W, svd, [(0, 1)])
        arrays[f"summary_S_{name}"] = svd.S.cpu().numpy()
        arrays[f"summary_cosine_{name}"] = both_sides(alignment)[:, 0]
    return arrays, config_of(run)
