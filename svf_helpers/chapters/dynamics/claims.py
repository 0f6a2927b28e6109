"""Claims of the chapter on dynamics: Figure 3, on the stored results."""

import numpy as np
from jaxtyping import Bool

from svf_helpers.chapters.dynamics.locking import lock_steps, settle_steps
from svf_helpers.chapters.kit.claims import Verdict, aligned, claim
from svf_helpers.chapters.kit.words import interval_of, list_of, so_many
from svf_helpers.experiments import Result


@claim("Fig 3", "at the end every singular vector is aligned with the features of its rank (|cos| > .95)", "dynamics")
def dynamics_end_aligned(result: Result) -> Verdict:
    """The worst of all pairs, sides and seeds."""
    return aligned(np.abs(result["summary_final_cosine"]))


# The recorded interval is the 95 % Wilson interval of the share first measured, 4 of 20.
@claim("Fig 3", "singular vectors lock one after the other in the order of their targets", "dynamics", "differs",
       (0.08, 0.42))
def vectors_lock_in_order(result: Result) -> Verdict:
    """Share of seeds in which no pair locks before the pair of the next larger target (ties count for the paper)."""
    locked = lock_steps(result)
    later = np.diff(locked, axis=1)
    ordered, strictly = np.all(later >= 0, axis=1), np.all(later > 0, axis=1)
    in_order = f"in order in {_share(ordered)} seeds ({strictly.sum()} without ties)"
    measured = f"{in_order}; median steps {list_of(np.median(locked, 0), ',.0f')} for pairs 1 to 4"
    differs = "a vector locks when the gap to its neighbours opens, mainly"
    return Verdict(bool(ordered.mean() > 0.5), measured, float(ordered.mean()), differs)


@claim("Fig 3", "a feature turns orthogonal after the vector before it has locked", "dynamics", "differs",
       (-4000, -500))
def features_settle_after_vectors(result: Result) -> Verdict:
    """Pairs 2 to 4 of all seeds whose features settle later than the pair before locks; held to the median delay.

    The delay in steps is negative where features are early. Recorded is the range in which its median may lie.
    """
    delay = settle_steps(result)[:, 1:] - lock_steps(result)[:, :-1]
    late, middle = delay > 0, float(np.median(delay))
    measured = f"{_share(late)} pairs; features settle {-middle:,.0f} steps before it, in the median"
    differs = "features turn orthogonal first, all together, and the vectors lock afterwards"
    return Verdict(bool(late.mean() > 0.5), measured, middle, differs)


def _share(hits: Bool[np.ndarray, "*cases"]) -> str:
    return f"{so_many(hits)} (95 % interval {interval_of(hits)})"
