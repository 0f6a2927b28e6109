"""Every number in the prose of book/one_pair.md, as its reader sees it."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from svf_helpers.alignment import rank_alignment
from svf_helpers.experiments import Result
from svf_helpers.features import anisotropy, feature_cosines
from svf_helpers.qk import QKSVD, qk_svd

PAIR = (0, 1)
DROPPED = 0.1  # a feature shorter than this is one that the model has given up


def numbers(stored: Result) -> dict[str, str]:
    """The chapter's numbers by the names under which its text asks for them, all from the result "one-pair".

    Example:
        >>> from svf_helpers.experiments import load
        >>> found = numbers(load("one-pair"))
        >>> found["runs"], found["cosine"]
        ('30', '1.000')
    """
    W = torch.tensor(stored["W"])
    svd = qk_svd(torch.tensor(stored["W_Q"]), torch.tensor(stored["W_K"]))
    return {"label": stored.label()} | _shown_runs(stored, W, svd) | _misleading_runs(svd) | _overlaps(W)


def _shown_runs(stored: Result, W: Float[Tensor, "runs d n"], svd: QKSVD) -> dict[str, str]:
    """Of seed 1: alignment and anisotropy at p = .14, and the longest of the dropped features at p = .52."""
    rare, frequent = (int(((stored["p"] == p) & (stored["seed"] == 1)).argmax()) for p in (0.14, 0.52))
    pair = rank_alignment(W[rare], QKSVD(*(part[rare] for part in svd)), [PAIR])
    return {
        "cosine": f"{min(float(pair.query), float(pair.key)):.3f}",
        "e-one": f"{anisotropy(W[rare]):.2f}",
        "dropped-length": f"{_longest_dropped(W[frequent]):.3f}",
    }


def _misleading_runs(svd: QKSVD) -> dict[str, str]:
    """Runs whose plain SVD shows more than one large singular value, and how many runs there are."""
    misled: Int[Tensor, ""] = (svd.S[:, 1] > 0.05 * svd.S[:, 0]).sum()
    return {"misled": str(int(misled)), "runs": str(len(svd.S))}


def _overlaps(W: Float[Tensor, "runs d n"]) -> dict[str, str]:
    """Runs in which a feature of the pair has a |cos| of .1 or more with another one, and how long a dropped one is."""
    cosines = feature_cosines(W).abs()
    cosines[:, PAIR, PAIR] = 0
    off = (cosines[:, PAIR].amax((1, 2)) >= 0.1).sum()
    return {"off": str(int(off)), "longest-dropped": f"{_longest_dropped(W):.3f}"}


def _longest_dropped(W: Float[Tensor, "*runs d n"]) -> float:
    lengths = W.norm(dim=-2)
    return float(lengths[lengths < DROPPED].max())
