"""Stored results that a test changes, made-up ones that stand for a large model's, and which numbers that changes."""

from dataclasses import replace

import numpy as np
import torch

from svf_helpers.attention import n_sv, sparsity
from svf_helpers.chapters.kit.circuit_runs import circuit_arrays
from svf_helpers.experiments import Result, store


def changed(result: Result, **arrays) -> Result:
    """The result with other arrays, or with functions of the old ones in their place."""
    new = {name: change(result[name].copy()) if callable(change) else change for name, change in arrays.items()}
    return replace(result, arrays=result.arrays | new)


def differing(one: dict[str, str], other: dict[str, str]) -> set[str]:
    """The names of the numbers that are not the same."""
    return {name for name in one if one[name] != other[name]}


def store_large(folder, name, heads, terms, *, config, bases, **own) -> None:
    """Store a result as the run of that name leaves it, of terms [checkpoints, heads, prompts, m] that are made up."""
    rng, (K, H, P, m) = np.random.default_rng(1), terms.shape
    arrays = circuit_arrays(heads) | {"order": np.array(["BABA", "ABBA"] * (P // 2)), "prompt": np.array(["Then, ..."]),
                                      "relative": terms.sum(-1), **own}
    for basis in bases:
        arrays |= {
            f"summary_sparsity_{basis}": sparsity(torch.tensor(terms)).numpy(),
            f"summary_null_{basis}": np.full((K, H, P), 0.45),
            f"summary_n_sv_{basis}": n_sv(torch.tensor(terms)).numpy(),
            f"terms_{basis}": terms[:, :, 0],
            f"S_{basis}": np.ones((K, H, m)),
            f"rotated_{basis}": rng.normal(size=(K, H, m)),
        }
    arrays = {name: x.astype(np.float32) if x.dtype == float else x for name, x in arrays.items()}
    store.save(folder, name, "paper", arrays, {"config": config | {"steps": own["step"].tolist(), "seeds": [0]}})
