"""Runs behind the chapter on RoPE: the toy model with rotary positions (paper, appendix D, Figures 21 and 22)."""

from __future__ import annotations

import numpy as np

from svf_helpers.chapters.kit.toy_runs import LOOSE, both_sides
from svf_helpers.experiments.registry import experiment

#: Three pairs whose targets do not depend on positions, and a positional one. Strengths are our choice.
PAIRS = {(0, 3): 24.0, (1, 4): 21.0, (2, 5): 18.0, (6, 7): 15.0}
POSITIONAL = (6, 7)
POSITIONS = 40


@experiment(
    "rope",
    figures=("Fig 21", "Fig 22"),
    chapter="rope",
    seconds={"quick": 20, "paper": 900},
    compare=LOOSE,
)
def rope(scale, device, progress, workdir):
    """Four pairs under RoPE, one positional: its target swings with the paper's band 1; then with others, or none."""
    import torch

    from svf_helpers.alignment import best_alignment, rank_alignment
    from svf_helpers.rope import band_energy
    from svf_helpers.toy import ToyConfig, sweep

    steps, plans = (40_000, [((1,), range(5)), ((0, 2, 3, 4, None), range(3))])
    if scale == "quick":
        steps, plans = 1_500, [((1,), range(1))]
    rows: dict[str, list] = {
        name: [] for name in ("W", "W_Q", "W_K", "band", "seed", "summary_S", "summary_cosine", "summary_best",
                              "summary_energy")
    }
    for bands, seeds in plans:
        configs = [
            ToyConfig(pairs=PAIRS, positions=POSITIONS, bands={} if band is None else {POSITIONAL: band})
            for band in bands
        ]
        runs = sweep(configs, steps, seeds, device=device, progress=progress, workdir=workdir)
        for band, config, run in zip(bands, configs, runs, strict=True):
            pairs, svd = config.ranked_pairs, run.svd()
            rows["band"] += [-1 if band is None else band] * len(run)
            rows["seed"] += run.seeds
            for name in ("W", "W_Q", "W_K"):
                rows[name] += list(getattr(run, name).cpu().numpy())
            rows["summary_S"] += list(svd.S.cpu().numpy())
            by_rank, best = rank_alignment(run.W, svd, pairs), best_alignment(run.W, svd, pairs)
            for name, found in (("cosine", by_rank), ("best", best)):
                rows[f"summary_{name}"] += list(both_sides(found))
            sides = ((run.W_Q, [i for i, _ in pairs]), (run.W_K, [j for _, j in pairs]))
            energy = [band_energy((weights.mT @ run.W[..., some]).mT, config.rotary) for weights, some in sides]
            rows["summary_energy"] += list(torch.stack(energy, 2).cpu().numpy())  # [pair, side, band]
    arrays = {name: np.array(values) for name, values in rows.items()}
    model = ToyConfig(pairs=PAIRS, positions=POSITIONS, bands={POSITIONAL: 1}).to_dict()
    seeds = sorted({int(seed) for seed in rows["seed"]})
    return arrays, {"model": model, "seeds": seeds, "steps": steps, "bands": sorted({*map(int, rows["band"])})}
