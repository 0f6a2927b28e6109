"""Every number in the prose of book/many_pairs.md, as its reader sees it."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from svf_helpers.chapters.kit.words import low_to_high, so_many
from svf_helpers.chapters.many_pairs.sharing import KEPT, Sharing, sharing
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

    Example:
        >>> from svf_helpers.experiments import load
        >>> found = numbers(load("many-pairs"), load("shared-vectors"), torch.tensor([0.01]), torch.tensor([0.002]))
        >>> found["others-all"], found["dimensions-left"], found["rebuilt"]
        ('60', '10', '0.20')
    """
    W = torch.tensor(result["W"])
    m = len(result["targets"])
    live = {"misfit": f"{misfit.max():.3f}", "rebuilt": f"{100 * difference.max():.2f}"}
    return live | _alignment(result, m) | _dictionary(W, m) | _runs_that_share(shared) | _what_sharing_buys(shared)


def _alignment(result: Result, m: int) -> dict[str, str]:
    """How well pairs lie on the vectors of their ranks, and singular values on their targets."""
    cosine = np.abs(result["summary_cosine"])
    off = np.abs(result["summary_S"][:, :m] - result["targets"])
    return {
        "label": result.label(),
        "good": so_many(cosine.min(-1) > ALIGNED),
        "worst": f"{cosine.min():.3f}",
        "sigma-off": f"{off.max():.3f}",
    }


def _dictionary(W: Float[Tensor, "seeds d n"], m: int) -> dict[str, str]:
    """Overlaps and lengths of the 2 m features of interest, and what is left for the others."""
    lengths = W.norm(dim=-2)
    kept = lengths > KEPT
    cosines = feature_cosines(W * kept[:, None]).abs()
    interest = slice(2 * m)
    among = cosines[:, interest, interest] * (1 - torch.eye(2 * m))
    return {
        "among": f"{among.max():.4f}",
        "others": f"{cosines[:, interest, 2 * m :].max():.4f}",
        "lengths": low_to_high(lengths[:, interest].flatten(), ".3f"),
        "others-kept": low_to_high(kept[:, 2 * m :].sum(-1)),
        "others-all": str(W.shape[-1] - 2 * m),
        "dimensions-left": str(W.shape[-2] - 2 * m),
    }


def _runs_that_share(shared: Result) -> dict[str, str]:
    """Runs that pass each measure where reconstruction weighs more and inputs are sparse; and those that share."""
    runs, heavy = sharing(shared), shared["lam"] == HEAVY
    sparse = heavy & (shared["p"] <= RARE)
    return {
        "shared-label": shared.label(),
        "low-rank": so_many(runs.by_rank[sparse] > ALIGNED),
        "low-best": so_many(runs.by_any[sparse] > ALIGNED),
        "low-shared": so_many(runs.shares[sparse]),
        "high-shared": so_many(runs.shares[~heavy]),
        "strangers": f"{_overlap_with_strangers(shared)[heavy & (runs.by_any < ALIGNED)].min():.3f}",
    }


def _what_sharing_buys(shared: Result) -> dict[str, str]:
    """Features kept in the runs that share and in those that do not, and how many lengths leave that in doubt."""
    runs: Sharing = sharing(shared)
    lengths = np.linalg.norm(shared["W"].astype(np.float32), axis=1)
    return {
        "alive-shared": low_to_high(runs.kept[runs.shares]),
        "alive-own": low_to_high(runs.kept[~runs.shares & (runs.by_rank > ALIGNED)]),
        "between": so_many((lengths > 0.3) & (lengths < 0.8)),
    }


def _overlap_with_strangers(shared: Result) -> Float[np.ndarray, " runs"]:
    """Largest |cos| of a feature of interest (the first eight) with one that nobody attends to."""
    W = torch.tensor(shared["W"].astype(np.float32))
    return feature_cosines(W)[:, :8, 8:].abs().amax((1, 2)).numpy()
