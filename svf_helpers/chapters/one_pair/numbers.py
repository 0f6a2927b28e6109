"""Every number in the prose of book/one_pair.md, as its reader sees it."""

import torch
from jaxtyping import Float
from torch import Tensor

from svf_helpers.alignment import rank_alignment
from svf_helpers.experiments import Result
from svf_helpers.features import anisotropy, feature_cosines
from svf_helpers.qk import QKSVD, qk_svd

PAIR = (0, 1)
DROPPED = 0.1  # a feature shorter than this is one that the model has given up: those in use have length .27 or more
OTHERS = 0.1  # |cos| to other features below which a feature counts as orthogonal to them
SECOND = 0.05  # sigma_2 / sigma_1 below which a head counts as one of rank 1


def numbers(stored: Result) -> dict[str, str]:
    """The chapter's numbers by the names under which its text asks for them, all from the result "one-pair"."""
    W, W_Q, W_K = (torch.tensor(stored[name]) for name in ("W", "W_Q", "W_K"))
    svd = qk_svd(W_Q, W_K)
    rare, frequent = (int(((stored["p"] == p) & (stored["seed"] == 1)).argmax()) for p in (0.14, 0.52))  # those shown
    pair = rank_alignment(W[rare], QKSVD(*(part[rare] for part in svd)), [PAIR])
    return {
        "label": stored.label(),
        "cosine": f"{min(float(pair.query), float(pair.key)):.3f}",
        "e-one": f"{anisotropy(W[rare]):.2f}",
        "dropped-length": f"{longest_dropped(W[frequent]):.3f}",
        "misled": str(int((svd.S[:, 1] > SECOND * svd.S[:, 0]).sum())),
        "runs": str(len(W)),
        "off": str(int((largest_cosines(W) >= OTHERS).sum())),
        "longest-dropped": f"{longest_dropped(W):.3f}",
    }


def largest_cosines(W: Float[Tensor, "runs d n"], shortest: float = 0.0) -> Float[Tensor, " runs"]:
    """The largest |cos| in each run of a feature of the pair with another one that is longer than ``shortest``."""
    cosines = feature_cosines(W).abs()
    cosines[:, PAIR, PAIR] = 0
    return (cosines[:, PAIR] * (W.norm(dim=1) > shortest)[:, None]).amax((1, 2))


def longest_dropped(W: Float[Tensor, "*runs d n"]) -> float:
    """The length of the longest feature among those that the model has dropped."""
    lengths = W.norm(dim=-2)
    return float(lengths[lengths < DROPPED].max())
