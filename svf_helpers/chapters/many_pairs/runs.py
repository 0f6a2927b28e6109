"""Stored runs of this chapter: twenty pairs, and pairs that share a vector."""

from __future__ import annotations

import numpy as np

from svf_helpers.chapters.kit.toy_runs import LOOSE, both_sides, config_of, every_seed, reached_svd, trained, weights
from svf_helpers.experiments.registry import experiment

# Linear, as in the paper, whose own numbers are not known to us. They end well above 0: a pair with a weak target does
# not get a singular vector (the chapter shows it), and many more steps are needed where targets are large or close.
MANY_TARGETS = {(i, i + 20): 5.0 - 0.2 * i for i in range(20)}


@experiment(
    "many-pairs",
    figures=("Fig 1c", "Fig 2b", "Fig 11b"),
    chapter="many_pairs",
    seconds={"quick": 15, "paper": 400},
    compare=LOOSE,
)
def many_pairs(scale, device, progress, workdir):
    """Twenty pairs of interest, targets falling linearly from 5 to 1.2, in 50 dimensions at paper scale."""
    from svf_helpers.alignment import rank_alignment
    from svf_helpers.toy import ToyConfig

    if scale == "paper":
        config, seeds, steps = ToyConfig(n=100, d=50, r=50, p=0.14, pairs=MANY_TARGETS), range(3), 40_000
    else:
        pairs = {(i, i + 8): 5.0 - 0.5 * i for i in range(8)}
        config, seeds, steps = ToyConfig(n=40, d=20, r=20, p=0.14, pairs=pairs), range(1), 6_000
    run = trained(config, list(seeds), steps, device, progress, workdir)
    svd = run.svd()
    alignment = rank_alignment(run.W, svd, config.ranked_pairs)
    arrays = weights(run) | {
        "targets": np.array([target for *_, target in config.pairs]),
        "seed": np.array(run.seeds),
        "summary_S": svd.S.cpu().numpy(),
        "summary_cosine": both_sides(alignment),
    }
    return arrays, config_of(run)


@experiment(
    "shared-vectors",
    figures=(),
    chapter="many_pairs",
    seconds={"quick": 10, "paper": 300},
    compare=LOOSE,
)
def shared_vectors(scale, device, progress, workdir):
    """Four pairs where the reconstruction outweighs attention: pairs of interest in superposition with each other.

    lam = 4 weighs a reconstruction loss averaged over the 20 features; lam = 0.2 is what 4 becomes when it is summed.
    """
    from svf_helpers.alignment import best_alignment, rank_alignment
    from svf_helpers.toy import ToyConfig

    seeds, steps = (range(5), 20_000) if scale == "paper" else (range(1), 3_000)
    grid = [ToyConfig(p=p, lam=lam) for lam in (0.2, 4.0) for p in (0.52, 0.14, 0.0737, 0.0384)]
    configs, seeds = every_seed(grid, seeds)
    run = trained(configs, seeds, steps, device, progress, workdir)
    svd = reached_svd(run.W, run.W_Q, run.W_K)
    pairs = configs[0].ranked_pairs
    both = {"rank": rank_alignment(run.W, svd, pairs), "best": best_alignment(run.W, svd, pairs)}
    arrays = {
        "W": run.W.cpu().numpy().astype(np.float16),
        "p": np.array([config.p for config in configs]),
        "lam": np.array([config.lam for config in configs]),
        "seed": np.array(seeds),
        "summary_S": svd.S.cpu().numpy(),
        "vector": both["best"].vector.cpu().numpy(),
    }
    for name, alignment in both.items():
        arrays[f"summary_cosine_{name}"] = both_sides(alignment)
    return arrays, config_of(run)
