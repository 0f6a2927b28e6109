"""Claims of the chapter on dynamics: Figure 3, on the stored results."""

import numpy as np

from svf_helpers.chapters.kit.claims import Verdict, aligned, claim
from svf_helpers.experiments import Result

LOCKED = 0.9  # |cos| from which a vector counts as locked, on both sides
SETTLED = 0.95  # |cos| of a feature with its final direction from which it counts as settled


@claim("Fig 3", "at the end every singular vector is aligned with the features of its rank (|cos| > .95)", "dynamics")
def dynamics_end_aligned(result: Result) -> Verdict:
    """The worst of all pairs, sides and seeds."""
    return aligned(np.abs(result["summary_final_cosine"]))


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
