"""Runs with fixed features behind the chapter anisotropy."""

from __future__ import annotations

import numpy as np

from svf_helpers.chapters.kit.toy_runs import both_sides
from svf_helpers.experiments.registry import experiment

DELTAS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0)


@experiment(
    "anisotropy",
    figures=("Fig 4",),
    chapter="anisotropy",
    seconds={"quick": 15, "paper": 90},
    compare={"summary_*": 0.02},
)
def anisotropy(scale, device, progress, workdir):
    """A head trained on fixed features that are stretched more and more along a random direction.

    Two heads for each stretch and direction: one with the default four pairs, one with its first pair alone, to which
    the bounds apply.
    """
    import torch

    from svf_helpers.alignment import anti_whitened, best_alignment, whitened_alignment
    from svf_helpers.features import distorted_dictionary, gram, isotropic_dictionary
    from svf_helpers.qk import QKSVD, whitened_qk_svd
    from svf_helpers.toy import ToyConfig, train

    deltas, directions, steps = (DELTAS, 5, 6_000) if scale == "paper" else ((0.0, 5.0, 50.0), 2, 1_000)
    generator = torch.Generator().manual_seed(0)
    v = torch.randn(directions, 10, generator=generator, dtype=torch.float64)
    flat = isotropic_dictionary()
    W = torch.stack([distorted_dictionary(flat, delta, along) for delta in deltas for along in v])
    seeds = list(range(directions)) * len(deltas)
    arrays = {
        "delta": np.array(deltas),
        "v": v.numpy(),
        "W": W.numpy().astype(np.float32),
        "condition": torch.linalg.cond(gram(W)).view(len(deltas), directions).numpy(),
    }
    models = {
        "four": ToyConfig(lr=1e-2, schedule="constant", scale_logits=True),
        "one": ToyConfig(lr=1e-2, schedule="constant", scale_logits=True, pairs={(0, 4): 24.0}),
    }
    for name, config in models.items():
        run = train(
            config,
            steps,
            seeds,
            dictionary=W,
            device=device,
            progress=progress,
            checkpoint=workdir / f"{name}.npz",
        )
        W_Q, W_K, pairs = run.W_Q.double().cpu(), run.W_K.double().cpu(), config.ranked_pairs
        svd = run.svd()
        svd = QKSVD(*(part.double().cpu() for part in svd))
        count = len(pairs)
        back = QKSVD(anti_whitened(W, svd.U[..., :count]), svd.S[..., :count], anti_whitened(W, svd.V[..., :count]))
        measures = {
            "all_columns": best_alignment(W, svd, pairs, "all"),
            "signal_columns": best_alignment(W, svd, pairs, "signal", tolerance=0.02),
            "anti_whitened": best_alignment(W, back, pairs, "all"),
            "whitened": whitened_alignment(W, W_Q, W_K, pairs),
        }
        grid = (len(deltas), directions, count, 2)
        for measure, alignment in measures.items():
            arrays[f"summary_{name}_{measure}"] = both_sides(alignment).reshape(grid)
        C = gram(W)
        whitened = whitened_qk_svd(W_Q, W_K, C, C).S / run.configs[0].r ** 0.5
        arrays[f"S_{name}"] = svd.S.reshape(len(deltas), directions, -1).numpy()
        arrays[f"whitened_S_{name}"] = whitened.reshape(len(deltas), directions, -1).numpy()
        # the column that the maximum over all columns picks, and how far it lies along the stretch
        arrays[f"picked_{name}"] = measures["all_columns"].vector.reshape(grid).numpy()
    along = torch.einsum("id,idr->ir", (v / v.norm(dim=1, keepdim=True)).repeat(len(deltas), 1), svd.U).abs()
    arrays["cosine_of_v_one"] = along.reshape(len(deltas), directions, -1).numpy()
    model = models["four"].to_dict()
    return arrays, {"model": model, "seeds": list(range(directions)), "steps": steps, "deltas": list(deltas)}
