"""What became of every run of the phase map: its outcome in a word, the pairs that share, overlaps of features."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int, Shaped

from svf_helpers.chapters.robustness.outcomes import outcome, shared_pairs
from svf_helpers.experiments import Result


def outcomes(stored: Result) -> Shaped[np.ndarray, "P L seeds"]:
    """The outcome of each run of the map: ``"own"``, ``"swapped"``, ``"shared"`` or ``"mixed"``.

    Args:
        stored: the result ``phase-map``.

    Example:
        >>> from svf_helpers.experiments import load
        >>> ends = outcomes(load("phase-map"))
        >>> ends.shape, str(ends[2, 4, 0])  # p = .52, lambda = .4
        ((12, 12, 2), 'own')
    """
    by_rank, best, vector = stored["summary_cosine"], stored["summary_best"], stored["vector"]
    runs = by_rank.shape[:3]
    ends = [outcome(by_rank[at], best[at], vector[at]) for at in np.ndindex(runs)]
    return np.array(ends).reshape(runs)


def sharing_pairs(stored: Result) -> Int[np.ndarray, "P L seeds"]:
    """How many pairs of interest lie on a singular vector together with another pair, for each run of the map.

    Args:
        stored: the result ``phase-map``.

    Example:
        >>> from svf_helpers.experiments import load
        >>> sharing = sharing_pairs(load("phase-map"))
        >>> sharing[2, 4].tolist(), int(sharing.max())
        ([0, 0], 4)
    """
    best, vector = stored["summary_best"], stored["vector"]
    runs = best.shape[:3]
    counts = [sum(map(len, shared_pairs(best[at], vector[at]))) for at in np.ndindex(runs)]
    return np.array(counts).reshape(runs)


def largest_overlaps(stored: Result) -> Float[np.ndarray, "P L seeds"]:
    """The largest |cosine| between two different features of interest, for each run of the map.

    Args:
        stored: the result ``phase-map``.

    Example:
        >>> from svf_helpers.experiments import load
        >>> bool(largest_overlaps(load("phase-map"))[2, 4].max() < 0.1)
        True
    """
    cosines = stored["feature_cosine"].astype(float)
    return np.abs(cosines - np.eye(cosines.shape[-1])).max((-2, -1))
