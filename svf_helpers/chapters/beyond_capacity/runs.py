"""Runs behind the chapter on more pairs than head dimensions (paper, appendix E, Figure 23)."""

from __future__ import annotations

import numpy as np

from svf_helpers.experiments.registry import experiment

# Beyond its capacity a head has many ways to fail alike: which pairs share a vector may differ on another processor.
LOOSE = {"summary_S": 0.05, "summary_*": None}

#: The default weight of the attention loss, and one at which features keep nearly their own lengths.
WEIGHTS = (4.0, 1.0)


def falling_pairs(n: int, count: int) -> dict[tuple[int, int], float]:
    """Pairs (i, i + n/2) whose targets fall by 1 from n + 1, the paper's rule as we read it."""
    return {(i, i + n // 2): float(n + 1 - i) for i in range(count)}


def _beyond(n, d, r, counts, plans, device, progress, workdir):
    """Every number of pairs at every weight, for each plan of (steps, seeds), as one list of instances."""
    from svf_helpers.toy import ToyConfig, sweep

    configs = [
        ToyConfig(n=n, d=d, r=r, lam=lam, pairs=falling_pairs(n, count)) for lam in WEIGHTS for count in counts
    ]
    rows: dict[str, list] = {name: [] for name in ("W", "W_Q", "W_K", "lam", "pairs", "seed", "steps")}
    for steps, seeds in plans:
        for config, run in zip(configs, sweep(configs, steps, seeds, device=device, progress=progress,
                                              workdir=workdir / str(steps)), strict=True):
            for name in ("W", "W_Q", "W_K"):
                rows[name] += list(getattr(run, name).cpu().numpy())
            for name, value in (("lam", config.lam), ("pairs", len(config.pairs)), ("steps", steps)):
                rows[name] += [value] * len(run)
            rows["seed"] += run.seeds
    arrays = {name: np.array(values) for name, values in rows.items()} | _cosines(rows, n, max(counts))
    model = configs[0].to_dict() | {"lam": list(WEIGHTS), "pairs": f"(i, i + {n // 2}): {n + 1} - i"}
    seeds = sorted({seed for _, some in plans for seed in some})
    plan = {str(steps): list(some) for steps, some in plans}
    return arrays, {"model": model, "seeds": seeds, "steps": max(steps for steps, _ in plans), "seeds_of": plan}


def _cosines(rows, n: int, most: int) -> dict[str, np.ndarray]:
    """Singular values, and |cos| of each singular vector with each query and key feature that a pair may have."""
    import torch

    from svf_helpers.alignment import vector_cosines
    from svf_helpers.qk import qk_svd

    W, W_Q, W_K = (torch.from_numpy(np.array(rows[name])) for name in ("W", "W_Q", "W_K"))
    svd = qk_svd(W_Q, W_K)
    query, key = (vector_cosines(W[..., at : at + most], vectors) for at, vectors in ((0, svd.U), (n // 2, svd.V)))
    return {"summary_S": svd.S.numpy(), "summary_query": query.numpy().astype(np.float16),
            "summary_key": key.numpy().astype(np.float16)}


@experiment(
    "beyond-capacity",
    figures=("Fig 23a",),
    chapter="beyond_capacity",
    seconds={"quick": 15, "paper": 700},
    compare=LOOSE,
)
def beyond_capacity(scale, device, progress, workdir):
    """Five to ten pairs in a head of 5 dimensions (n = 20, d = 10), lambda 4 and 1."""
    if scale == "paper":
        counts, plans = range(5, 11), [(20_000, range(3)), (80_000, range(1))]
    else:
        counts, plans = (5, 7), [(1_500, range(1))]
    return _beyond(20, 10, 5, counts, plans, device, progress, workdir)


@experiment(
    "beyond-capacity-wide",
    figures=("Fig 23b",),
    chapter="beyond_capacity",
    seconds={"quick": 20, "paper": 2400},
    compare=LOOSE,
)
def beyond_capacity_wide(scale, device, progress, workdir):
    """Ten to twenty pairs in a head of 10 dimensions (n = 40, d = 20), lambda 4 and 1."""
    if scale == "paper":
        counts, plans = range(10, 21), [(20_000, range(3)), (80_000, range(1))]
    else:
        counts, plans = (10, 14), [(800, range(1))]
    return _beyond(40, 20, 10, counts, plans, device, progress, workdir)
