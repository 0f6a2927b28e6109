"""Claims of the chapters many pairs and dynamics: Figures 1(c), 2(b), 11(b) and 3, on the stored results."""

import numpy as np
import torch
from claims import Verdict, claim

from svf_helpers.experiments import Result
from svf_helpers.features import feature_cosines

LOCKED = 0.9  # |cos| from which a vector counts as locked, on both sides
SETTLED = 0.95  # |cos| of a feature with its final direction from which it counts as settled
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
    return _aligned(np.abs(result["summary_cosine"]))


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


@claim("Fig 3", "at the end every singular vector is aligned with the features of its rank (|cos| > .95)", "dynamics")
def dynamics_end_aligned(result: Result) -> Verdict:
    """The worst of all pairs, sides and seeds."""
    return _aligned(np.abs(result["summary_final_cosine"]))


# The recorded interval is the 95 % Wilson interval of the share first measured, 4 of 20.
@claim(
    "Fig 3",
    "singular vectors lock one after the other in the order of their targets",
    "dynamics",
    "differs",
    (0.08, 0.42),
)
def vectors_lock_in_order(result: Result) -> Verdict:
    """Share of seeds in which no pair locks before the pair of the next larger target (ties count for the paper)."""
    locked = _locked(result)
    hits, strictly = (int(held.all(1).sum()) for held in (np.diff(locked, axis=1) >= 0, np.diff(locked, axis=1) > 0))
    medians = ", ".join(f"{value:,.0f}" for value in np.median(locked, 0))
    in_order = f"in order in {_share(hits, len(locked))} seeds ({strictly} without ties)"
    measured = f"{in_order}; median steps {medians} for pairs 1 to 4"
    differs = "a vector locks when the gap to its neighbours opens, mainly"
    return Verdict(hits > len(locked) / 2, measured, hits / len(locked), differs)


@claim(
    "Fig 3", "a feature turns orthogonal after the vector before it has locked", "dynamics", "differs", (-4000, -500)
)
def features_settle_after_vectors(result: Result) -> Verdict:
    """Pairs 2 to 4 of all seeds whose features settle later than the pair before locks; held to the median delay.

    The delay in steps is negative where features are early. Recorded is the range in which its median may lie.
    """
    both = np.minimum(result["feature_to_final_query"], result["feature_to_final_key"])
    settled = _stays_above(both, result["step"], SETTLED)
    delay = settled[:, 1:] - _locked(result)[:, :-1]
    hits, middle = int((delay > 0).sum()), float(np.median(delay))
    measured = f"{_share(hits, delay.size)} pairs; features settle {-middle:,.0f} steps before it, in the median"
    differs = "features turn orthogonal first, all together, and the vectors lock afterwards"
    return Verdict(hits > delay.size / 2, measured, middle, differs)


def _aligned(cosines: np.ndarray) -> Verdict:
    worst, misses = float(cosines.min()), int((cosines.min(-1) <= 0.95).sum())
    measured = f"smallest |cos| {worst:.4f} over {len(cosines)} seeds"
    return Verdict(misses == 0, measured, worst, f"{misses} pairs are not aligned" if misses else None)


def _locked(result: Result) -> np.ndarray:
    """[seeds, pairs]: the step from which a pair stays within LOCKED of the vector of its rank, on both sides."""
    return _stays_above(np.minimum(result["cosine_query"], result["cosine_key"]), result["step"], LOCKED)


def _stays_above(values: np.ndarray, step: np.ndarray, threshold: float) -> np.ndarray:
    """The first step from which values (time first) stay above a threshold until the end; infinity if they do not."""
    below = np.abs(values) <= threshold
    last_below = len(step) - 1 - below[::-1].argmax(0)
    return np.where(below.any(0), np.append(step.astype(float), np.inf)[last_below + 1], step[0])


def _share(hits: int, total: int, z: float = 1.96) -> str:
    """Words for a share with its 95 % (Wilson) interval."""
    centre, spread = hits + z**2 / 2, z * np.sqrt(hits * (total - hits) / total + z**2 / 4)
    low, high = max(0.0, centre - spread) / (total + z**2), (centre + spread) / (total + z**2)
    return f"{hits} of {total} (95 % interval {100 * low:.0f} to {100 * high:.0f} %)"
