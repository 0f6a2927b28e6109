"""Claims of the chapter on many pairs: Figures 1(c), 2(b) and 11(b), on the stored results."""

import numpy as np
import torch

from svf_helpers.alignment import vector_cosines
from svf_helpers.chapters.kit.claims import Verdict, aligned, claim
from svf_helpers.chapters.many_pairs.sharing import kept_and_overlaps
from svf_helpers.experiments import Result
from svf_helpers.features import unit
from svf_helpers.qk import qk_svd


@claim("Fig 1c", "every feature of interest is orthogonal to all other features (|cos| < .1, dropped ones aside)",
       "many-pairs")
def features_of_interest_stand_apart(result: Result) -> Verdict:
    """Judged among features that have a length; the number that the model has dropped is told beside it."""
    kept, overlaps = kept_and_overlaps(torch.tensor(result["W"]))
    count = 2 * len(result["targets"])
    largest, dropped = float(overlaps[:, :count].max()), (~kept[:, count:]).sum(-1)
    measured = (
        f"largest |cos| {largest:.4f} over {len(kept)} seeds; {int(dropped.min())} to {int(dropped.max())} of "
        f"{kept.shape[-1] - count} other features are dropped"
    )
    held = bool(kept[:, :count].all()) and largest < 0.1
    return Verdict(held, measured, largest, "features of interest overlap with others, or were dropped")


@claim("Fig 2b", "all features of interest align with the singular vectors of their rank (|cos| > .95, every seed)",
       "many-pairs")
def every_pair_aligns_at_its_rank(result: Result) -> Verdict:
    """The worst of all pairs, sides and seeds."""
    return aligned(np.abs(result["summary_cosine"]))


@claim("Fig 2b", "the singular values are in the order of the targets, and equal to them", "many-pairs")
def singular_values_follow_targets(result: Result) -> Verdict:
    """By logits: pair k's singular value is taken from its own features, so that the order is not assumed."""
    targets = result["targets"]
    W, W_Q, W_K = (torch.tensor(result[name]) for name in ("W", "W_Q", "W_K"))
    F, m = unit(W), len(targets)
    own = (F[..., :m].mT @ W_Q @ W_K.mT @ F[..., m : 2 * m]).diagonal(dim1=-2, dim2=-1).numpy()
    ranks = own.argsort(-1).argsort(-1), targets.argsort().argsort()
    correlation = min(np.corrcoef(row, ranks[1])[0, 1] for row in ranks[0])
    off = float((np.abs(result["summary_S"][:, :m] - targets) / targets).max())
    held = bool(correlation > 1 - 1e-9 and off < 0.1)
    measured = f"lowest rank correlation {correlation:.3f}; largest deviation {100 * off:.1f} % of the target"
    return Verdict(held, measured, float(correlation), "some singular values miss their targets")


@claim("Fig 11b", "no other feature and no other vector takes part: |cos| < .1 off the two diagonals", "many-pairs")
def nothing_off_the_diagonals(result: Result) -> Verdict:
    """Features of interest against all vectors that have a singular value, each on the side where it is used."""
    m = len(result["targets"])
    W, W_Q, W_K = (torch.tensor(result[name]) for name in ("W", "W_Q", "W_K"))
    svd, own = qk_svd(W_Q, W_K), torch.eye(m, dtype=torch.bool)
    sides = torch.stack([vector_cosines(W[..., :m], svd.U[..., :m]), vector_cosines(W[..., m : 2 * m], svd.V[..., :m])])
    diagonal, off = float(sides[..., own].min()), float(sides[..., ~own].max())
    measured = f"smallest |cos| on the diagonals {diagonal:.4f}, largest off them {off:.4f}"
    return Verdict(diagonal > 0.95 and off < 0.1, measured, off, "some features touch vectors of another rank")
