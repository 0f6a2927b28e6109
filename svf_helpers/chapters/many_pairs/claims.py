"""Claims of the chapter on many pairs: Figures 1(c), 2(b) and 11(b), on the stored results."""

import numpy as np
import torch

from svf_helpers.chapters.kit.claims import Verdict, aligned, claim
from svf_helpers.experiments import Result
from svf_helpers.features import feature_cosines

KEPT = 0.5  # length under which a feature counts as dropped by the model: its direction means nothing


@claim(
    "Fig 1c",
    "every feature of interest is orthogonal to all other features (|cos| < .1, dropped ones aside)",
    "many-pairs",
)
def features_of_interest_stand_apart(result: Result) -> Verdict:
    """Judged among features that have a length; the number that the model has dropped is told beside it."""
    W = torch.tensor(result["W"])
    count = 2 * len(result["targets"])
    kept = W.norm(dim=-2) > KEPT
    cosines = feature_cosines(torch.where(kept[:, None], W, torch.zeros(()))).abs()
    cosines.diagonal(dim1=-2, dim2=-1).zero_()
    largest = float(cosines[:, :count].max())
    everyone = bool(kept[:, :count].all())
    dropped = (~kept[:, count:]).sum(-1)
    measured = (
        f"largest |cos| {largest:.4f} over {len(W)} seeds; {int(dropped.min())} to {int(dropped.max())} of "
        f"{W.shape[-1] - count} other features are dropped"
    )
    held = everyone and largest < 0.1
    return Verdict(
        held, measured, largest, None if held else "features of interest overlap with others, or were dropped"
    )


@claim(
    "Fig 2b",
    "all features of interest align with the singular vectors of their rank (|cos| > .95, every seed)",
    "many-pairs",
)
def every_pair_aligns_at_its_rank(result: Result) -> Verdict:
    """The worst of all pairs, sides and seeds."""
    return aligned(np.abs(result["summary_cosine"]))


@claim("Fig 2b", "the singular values are in the order of the targets, and equal to them", "many-pairs")
def singular_values_follow_targets(result: Result) -> Verdict:
    """By logits: pair k's singular value is taken from its own features, so that the order is not assumed."""
    targets = result["targets"]
    W, W_Q, W_K = (torch.tensor(result[name]) for name in ("W", "W_Q", "W_K"))
    F, m = W / W.norm(dim=-2, keepdim=True), len(targets)
    own = (F[..., :m].mT @ W_Q @ W_K.mT @ F[..., m : 2 * m]).diagonal(dim1=-2, dim2=-1).numpy()
    rank = lambda values: np.argsort(np.argsort(values))  # noqa: E731
    correlation = min(np.corrcoef(rank(row), rank(targets))[0, 1] for row in own)
    off = float((np.abs(result["summary_S"][:, :m] - targets) / targets).max())
    held = correlation > 1 - 1e-9 and off < 0.1
    measured = f"lowest rank correlation {correlation:.3f}; largest deviation {100 * off:.1f} % of the target"
    return Verdict(held, measured, float(correlation), None if held else "some singular values miss their targets")


@claim("Fig 11b", "no other feature and no other vector takes part: |cos| < .1 off the two diagonals", "many-pairs")
def nothing_off_the_diagonals(result: Result) -> Verdict:
    """Features of interest against all vectors that have a singular value, each on the side where it is used."""
    from svf_helpers.qk import qk_svd

    m = len(result["targets"])
    W, W_Q, W_K = (torch.tensor(result[name]) for name in ("W", "W_Q", "W_K"))
    svd, F = qk_svd(W_Q, W_K), W / W.norm(dim=-2, keepdim=True)
    sides = torch.stack([F[..., :m].mT @ svd.U[..., :m], F[..., m : 2 * m].mT @ svd.V[..., :m]]).abs()
    diagonal = float(sides.diagonal(dim1=-2, dim2=-1).min())
    off = float((sides - torch.diag_embed(sides.diagonal(dim1=-2, dim2=-1))).max())
    held = diagonal > 0.95 and off < 0.1
    measured = f"smallest |cos| on the diagonals {diagonal:.4f}, largest off them {off:.4f}"
    return Verdict(held, measured, off, None if held else "some features touch vectors of another rank")
