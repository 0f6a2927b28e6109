"""Every number in the prose of book/many_pairs.md, as its reader sees it."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from svf_helpers.chapters.kit.words import low_to_high, so_many
from svf_helpers.chapters.many_pairs.sharing import kept_and_overlaps, sharing
from svf_helpers.experiments import Result
from svf_helpers.features import feature_cosines

ALIGNED = 0.95
HEAVY, RARE = 0.2, 0.14  # the small weight of attention, and the largest p that counts as sparse


def numbers(
    result: Result, shared: Result, misfit: Float[Tensor, " seeds"], difference: Float[Tensor, " seeds"]
) -> dict[str, str]:
    """The chapter's numbers by the names under which its text asks for them.

    Args:
        result: "many-pairs".
        shared: "shared-vectors".
        misfit: largest deviation of a logit from its target, of each seed of ``result``.
        difference: relative Frobenius norm of what separates the head from the sum of its pairs.
    """
    live = {"misfit": f"{misfit.max():.3f}", "rebuilt": f"{100 * difference.max():.2f}"}
    return live | _alignment(result) | _dictionary(result) | _sharing(shared)


def _alignment(result: Result) -> dict[str, str]:
    """How well pairs lie on the vectors of their ranks, and singular values on their targets."""
    cosine, targets = np.abs(result["summary_cosine"]), result["targets"]
    return {
        "label": result.label(),
        "good": so_many(cosine.min(-1) > ALIGNED),
        "worst": f"{cosine.min():.3f}",
        "sigma-off": f"{np.abs(result['summary_S'][:, : len(targets)] - targets).max():.3f}",
    }


def _dictionary(result: Result) -> dict[str, str]:
    """Overlaps and lengths of the features of interest, and what is left for the others."""
    W, count = torch.tensor(result["W"]), 2 * len(result["targets"])
    kept, overlaps = kept_and_overlaps(W)
    return {
        "among": f"{overlaps[:, :count, :count].max():.4f}",
        "others": f"{overlaps[:, :count, count:].max():.4f}",
        "lengths": low_to_high(W.norm(dim=-2)[:, :count].flatten(), ".3f"),
        "others-kept": low_to_high(kept[:, count:].sum(-1)),
        "others-all": str(W.shape[-1] - count),
        "dimensions-left": str(W.shape[-2] - count),
    }


def _sharing(shared: Result) -> dict[str, str]:
    """Runs that pass each measure where reconstruction weighs more and inputs are sparse; what those that share gain.

    ``strangers`` is the largest |cos| of a feature of interest (the first eight) with one that nobody attends to.
    """
    runs, heavy = sharing(shared), shared["lam"] == HEAVY
    sparse = heavy & (shared["p"] <= RARE)
    W = torch.tensor(shared["W"].astype(np.float32))
    lengths, strangers = W.norm(dim=1), feature_cosines(W)[:, :8, 8:].abs().amax((1, 2)).numpy()
    return {
        "shared-label": shared.label(),
        "low-rank": so_many(runs.by_rank[sparse] > ALIGNED),
        "low-best": so_many(runs.by_any[sparse] > ALIGNED),
        "low-shared": so_many(runs.shares[sparse]),
        "high-shared": so_many(runs.shares[~heavy]),
        "strangers": f"{strangers[heavy & (runs.by_any < ALIGNED)].min():.3f}",
        "alive-shared": low_to_high(runs.kept[runs.shares]),
        "alive-own": low_to_high(runs.kept[~runs.shares & (runs.by_rank > ALIGNED)]),
        "between": so_many((lengths > 0.3) & (lengths < 0.8)),
    }
