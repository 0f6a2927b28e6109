"""Runs behind the chapter on robustness: the paper's sweeps (Figures 12 to 18), and a map over p and lambda."""

from __future__ import annotations

import numpy as np

from svf_helpers.chapters.kit.toy_runs import LOOSE, both_sides, reached_svd
from svf_helpers.experiments.registry import experiment

#: The swept values, around the defaults of Table 1. The paper names n = 10 to 30, r and two decades of lambda; the
#: values between its ends, and those of c, are our choice.
SWEEPS = {
    "p": [50 ** (-k / 6) for k in range(7)],
    "lam": [4 * 10 ** ((k - 4) / 4) for k in range(9)],
    "n": [10, 15, 20, 25, 30],
    "r": [10, 8, 6, 4],
    "c": [2, 4, 8, 16, 32],
}
STEPS = {"p": 40_000, "lam": 20_000, "n": 20_000, "r": 20_000, "c": 20_000}


def _measures(run) -> dict[str, np.ndarray]:
    """Per seed: |cos| of each pair and side with the singular vector of its rank, and with any; singular values.

    Of the head as tokens see it; ``raw`` is by rank, and of the head as it is.
    """
    from svf_helpers.alignment import best_alignment, rank_alignment

    pairs = run.configs[0].ranked_pairs
    reached = reached_svd(run.W, run.W_Q, run.W_K)
    best = best_alignment(run.W, reached, pairs)
    S = np.zeros((len(run), 10))
    S[:, : reached.S.shape[-1]] = reached.S.cpu().numpy()
    return {
        "cosine": both_sides(rank_alignment(run.W, reached, pairs)),
        "best": both_sides(best),
        "raw": both_sides(rank_alignment(run.W, run.svd(), pairs)),
        "S": S,
        "vector": best.vector.cpu().numpy(),
    }


@experiment(
    "robustness",
    figures=("Table 1", "Fig 12", "Fig 13", "Fig 14", "Fig 15", "Fig 16", "Fig 17", "Fig 18"),
    chapter="robustness",
    seconds={"quick": 30, "paper": 1500},
    compare=LOOSE,
)
def robustness(scale, device, progress, workdir):
    """The default model with one setting changed at a time: p, lambda, n, r and context length, five seeds each."""
    from dataclasses import replace

    from svf_helpers.toy import ToyConfig, sweep

    paper = scale == "paper"
    seeds, shorter, every = (range(5), 1, 500) if paper else (range(1), 20, 500)
    values = SWEEPS if paper else {name: some[:: len(some) - 1] for name, some in SWEEPS.items()}
    points = {name: [replace(ToyConfig(), **{name: value}) for value in some] for name, some in values.items()}
    runs = {}
    for steps in sorted(set(STEPS.values())):
        names = [name for name in points if STEPS[name] == steps]
        configs = list(dict.fromkeys(config for name in names for config in points[name]))  # the default model once
        steps //= shorter
        record = range(0, steps + 1, every) if "p" in names else None
        found = sweep(configs, steps, seeds, record=record, device=device, progress=progress, workdir=workdir)
        runs |= {(name, config): run for config, run in zip(configs, found, strict=True) for name in names}
    arrays = {"seed": np.array(seeds)}
    for name, configs in points.items():
        measured = [_measures(runs[name, config]) for config in configs]
        arrays[f"{name}_value"] = np.array(values[name], dtype=float)
        for key in measured[0]:
            label = f"{name}_{key}" if key == "vector" else f"summary_{name}_{key}"
            arrays[label] = np.stack([one[key] for one in measured])
    arrays |= _along_training([runs["p", config] for config in points["p"]])
    kept = {"swept": {name: list(some) for name, some in values.items()},
            "steps_of": {name: steps // shorter for name, steps in STEPS.items()}}
    config = {"model": ToyConfig().to_dict(), "seeds": list(seeds), "steps": max(STEPS.values()) // shorter, **kept}
    return arrays, config


def _along_training(runs) -> dict[str, np.ndarray]:
    """|cos| by rank of each pair and side at every recorded step: [values of p, steps, seeds, pairs, sides]."""
    from svf_helpers.alignment import rank_alignment

    along = []
    for run in runs:
        past = run.history
        found = rank_alignment(past.W, reached_svd(past.W, past.W_Q, past.W_K), run.configs[0].ranked_pairs)
        along.append(both_sides(found).astype(np.float16))
    return {"step": runs[0].history.steps.numpy(), "along_cosine": np.stack(along)}


@experiment(
    "phase-map",
    figures=(),
    chapter="robustness",
    seconds={"quick": 20, "paper": 1000},
    compare=LOOSE,
)
def phase_map(scale, device, progress, workdir):
    """The default model on a grid of p and lambda, 12 x 12, two seeds, 10,000 steps (not in the paper)."""
    from svf_helpers.features import feature_cosines
    from svf_helpers.toy import ToyConfig, sweep

    p, lam = [50 ** (-k / 12) for k in range(12)], [4 * 10 ** ((k - 8) / 4) for k in range(12)]
    seeds, steps = range(2), 10_000
    if scale == "quick":
        p, lam, seeds, steps = p[::5], lam[::5], range(1), 1_000
    grid = [ToyConfig(p=one, lam=weight) for one in p for weight in lam]
    # in parts that a processor's cache can hold; on a GPU one would do
    at_once = 8 if device == "cpu" else len(grid)
    runs = []
    for start in range(0, len(grid), at_once):
        runs += sweep(grid[start : start + at_once], steps, seeds, device=device, progress=progress, workdir=workdir)
    measured = [_measures(run) for run in runs]
    shape = (len(p), len(lam), len(seeds))
    stacked = {key: np.stack([one[key] for one in measured]) for key in measured[0]}
    of_interest = [i for pair in grid[0].ranked_pairs for i in pair]
    cosines = np.stack([feature_cosines(run.W).cpu().numpy()[:, of_interest][:, :, of_interest] for run in runs])
    arrays = {
        "p": np.array(p),
        "lam": np.array(lam),
        "seed": np.array(seeds),
        "feature": np.array(of_interest),
        "feature_cosine": cosines.reshape(*shape, *cosines.shape[2:]).astype(np.float16),
        "vector": stacked["vector"].reshape(*shape, *stacked["vector"].shape[2:]),
    }
    for key in ("cosine", "best", "S"):
        arrays[f"summary_{key}"] = stacked[key].reshape(*shape, *stacked[key].shape[2:]).astype(np.float32)
    return arrays, {"model": ToyConfig().to_dict() | {"p": p, "lam": lam}, "seeds": list(seeds), "steps": steps}
