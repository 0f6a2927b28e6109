"""Stored runs of this chapter: the default model along its training."""

from __future__ import annotations

import numpy as np

from svf_helpers.chapters.kit.toy_runs import LOOSE, both_sides, config_of, trained
from svf_helpers.experiments.registry import experiment


@experiment(
    "dynamics",
    figures=("Fig 3",),
    chapter="dynamics",
    seconds={"quick": 10, "paper": 120},
    compare=LOOSE,
)
def dynamics(scale, device, progress, workdir):
    """The default model along its training: four pairs, targets 24, 21, 18 and 15."""
    import torch

    from svf_helpers.alignment import rank_alignment
    from svf_helpers.features import unit
    from svf_helpers.qk import qk_svd
    from svf_helpers.toy import ToyConfig

    seeds, steps, every = (range(20), 20_000, 100) if scale == "paper" else (range(2), 3_000, 100)
    config = ToyConfig()
    run = trained(config, list(seeds), steps, device, progress, workdir, record=range(0, steps + 1, every))
    history, pairs = run.history, config.ranked_pairs
    svd = qk_svd(history.W_Q, history.W_K)
    alignment = rank_alignment(history.W, svd, pairs)
    F, count = unit(history.W), len(pairs)
    overlap = lambda now: torch.einsum("kidp,idp->kip", now, now[-1]).abs()  # noqa: E731
    sides = {"query": ([i for i, _ in pairs], svd.U), "key": ([j for _, j in pairs], svd.V)}
    arrays = {
        "step": history.steps.numpy(),
        "seed": np.array(run.seeds),
        "S": svd.S[..., : count + 1].numpy(),
        "loss_rec": history.loss_rec.numpy(),
        "loss_attn": history.loss_attn.numpy(),
        "tied": alignment.tied.numpy(),
        "summary_final_S": svd.S[-1].numpy(),
        "summary_final_cosine": both_sides(alignment)[-1],
        "cosine_query": alignment.query.numpy(),
        "cosine_key": alignment.key.numpy(),
        "W_first_seed": history.W[:, 0].numpy().astype(np.float16),
        "W_Q_first_seed": history.W_Q[:, 0].numpy().astype(np.float16),
        "W_K_first_seed": history.W_K[:, 0].numpy().astype(np.float16),
    }
    for side, (features, vectors) in sides.items():
        arrays[f"feature_to_final_{side}"] = overlap(F[..., features]).numpy()
        arrays[f"vector_to_final_{side}"] = overlap(vectors[..., :count]).numpy()
    return arrays, config_of(run, every=every)
