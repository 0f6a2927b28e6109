"""Every number in the prose of book/dynamics.md, as its reader sees it."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from svf_helpers.chapters.dynamics.locking import LOCKED, lock_steps, nearest_gap, settle_steps, worse_side
from svf_helpers.chapters.kit.curves import stays_above
from svf_helpers.chapters.kit.words import interval_of, list_of, low_to_high, so_many
from svf_helpers.experiments import Result

FITTED = 0.8  # share of its target that a logit has when it counts as learned
EARLY = 2000  # the step at which the logits stand and lengths are largest


def numbers(
    result: Result,
    factors: Mapping[str, Float[Tensor, "K m"]],
    predicted: Float[np.ndarray, "K m"],
    in_order: Bool[np.ndarray, " runs"],
) -> dict[str, str]:
    """The chapter's numbers by the names under which its text asks for them.

    Args:
        result: "dynamics".
        factors: of the first seed's pairs at each record: "logit", "product of lengths" and "singular value".
        predicted: |cos| of the first seed's query features with the vectors of the best head for them.
        in_order: whether each run with wide gaps locked in the order of its targets.
    """
    error = np.abs(predicted - result["cosine_query"][:, 0])  # once the features have settled, next to nothing
    return (
        _end(result)
        | _locks(result)
        | _learned_at_once(result, factors)
        | _gaps(result)
        | _settled(result)
        | {"follow-error": f"{error[result['step'] >= 3000].max():.2f}", "wide-order": str(in_order.sum())}
    )


def _end(result: Result) -> dict[str, str]:
    """Where the runs end: alignment, and singular values on average."""
    final = result["summary_final_S"].mean(0)
    return {
        "label": result.label(),
        "seeds": str(len(result.seeds)),
        "final-cosine": f"{np.abs(result['summary_final_cosine']).min():.3f}",
        "final-sigma": list_of(final[:4], ".1f"),
        "fifth-sigma": f"{final[4]:.2f}",
    }


def _locks(result: Result) -> dict[str, str]:
    """When pairs lock, in which order, and how many pass the limit before they do."""
    cosine = worse_side(result, "cosine")
    passed, locked = result["step"][(cosine > LOCKED).argmax(0)], lock_steps(result)
    later = np.diff(locked, axis=1)
    ordered = np.all(later >= 0, axis=1)
    first = (locked == locked.min(1, keepdims=True)).sum(0)
    return {
        "lock-medians": list_of(np.median(locked, 0), ",.0f"),
        "passers": f"{100 * (passed < locked).mean():.0f}",
        "ordered": str(ordered.sum()),
        "ordered-interval": interval_of(ordered),
        "strict": str((later > 0).all(1).sum()),
        "first-counts": list_of(first, ".0f"),
    }


def _learned_at_once(result: Result, factors: Mapping[str, Float[Tensor, "K m"]]) -> dict[str, str]:
    """The logits of the first seed, and the lengths and singular values that they are products of."""
    step, targets = result["step"], _targets(result)
    logits, lengths, sigma = (factors[name].numpy() for name in ("logit", "product of lengths", "singular value"))
    early = int(np.flatnonzero(step == EARLY)[0])
    return {
        "reached": low_to_high(stays_above(logits / targets, step, FITTED), ",.0f"),
        "fit-2000": f"{100 * (logits[early] / targets).min():.0f}",
        "length-2000": f"{lengths[early].mean():.1f}",
        "length-end": f"{lengths[-1].mean():.2f}",
        "sigma-2000": list_of(sigma[early], ".1f"),
    }


def _gaps(result: Result) -> dict[str, str]:
    """Relative gaps between singular values, and how many vectors with narrow and wide gaps lie on their features."""
    S, step, targets = result["S"], result["step"], _targets(result)
    between = S[..., :3] / S[..., 1:4] - 1  # the three gaps between the four pairs
    narrowest = np.median(between.min(-1), -1)
    early, late = int(np.flatnonzero(step == EARLY)[0]), step >= 1500
    gap, held = nearest_gap(S)[late], worse_side(result, "cosine")[late] > LOCKED
    by_rank = [held[..., k][gap[..., k] >= 0.1].mean() for k in range(4)]
    return {
        "gap-first": f"{100 * between[early, 0, 1]:.0f}",
        "gap-targets": f"{100 * (targets[1] / targets[2] - 1):.0f}",
        "gap-early": f"{100 * narrowest[early]:.0f}",
        "gap-end": f"{100 * narrowest[-1]:.0f}",
        "narrow": f"{100 * held[gap < 0.02].mean():.0f}",
        "wide": f"{100 * held[gap >= 0.1].mean():.0f}",
        "wide-least": f"{100 * min(by_rank):.0f}",
    }


def _settled(result: Result) -> dict[str, str]:
    """When features settle: beside the lock of the pair before, of their own pair, and pair 1 beside pair 4."""
    settled, locked = settle_steps(result), lock_steps(result)
    after = settled[:, 1:] > locked[:, :-1]
    return {
        "after": so_many(after),
        "after-interval": interval_of(after),
        "own": so_many(settled <= locked),
        "settle-medians": list_of(np.median(settled, 0), ",.0f"),
        "settle-first": str((settled[:, 0] < settled[:, 3]).sum()),
        "settle-last": str((settled[:, 0] > settled[:, 3]).sum()),
    }


def _targets(result: Result) -> Float[np.ndarray, " m"]:
    return np.array([target for *_, target in result.info["config"]["model"]["pairs"]], np.float32)
