"""How a run ended, in one word, and which of its pairs share a singular vector."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int, Shaped

ALIGNED = 0.95  # |cos| above which a feature counts as lying on a singular vector


def outcome(
    by_rank: Float[np.ndarray, "*runs P 2"], best: Float[np.ndarray, "*runs P 2"], vector: Int[np.ndarray, "*runs P 2"]
) -> Shaped[np.ndarray, "*runs"]:
    """How each run ended, in one word, from |cos| with the vectors of the pairs' ranks and with their best ones.

    ``"own"``: every feature lies on the vector of its pair's rank. Else, where every feature lies on *some* vector with
    a singular value: ``"shared"`` if pairs share one, ``"swapped"`` if they do not. ``"mixed"``: some feature lies on
    none.

    Example:
        >>> good, bad = np.ones((2, 2)), np.full((2, 2), 0.1)
        >>> [str(outcome(bad, good, vector)) for vector in (np.array([[1, 1], [0, 0]]), np.zeros((2, 2), int))]
        ['swapped', 'shared']
    """
    own, mixed = by_rank.min((-2, -1)) > ALIGNED, best.min((-2, -1)) <= ALIGNED
    return np.select([own, mixed, sharing_pairs(best, vector) > 0], ["own", "mixed", "shared"], "swapped")


def sharing_pairs(
    best: Float[np.ndarray, "*runs P 2"], vector: Int[np.ndarray, "*runs P 2"]
) -> Int[np.ndarray, "*runs"]:
    """How many pairs of each run lie on one u_k and its v_k together with another pair.

    Example:
        >>> vectors = np.array([[0, 0], [1, 1], [0, 0]])
        >>> int(sharing_pairs(np.ones((3, 2)), vectors)), int(sharing_pairs(np.full((3, 2), 0.9), vectors))
        (2, 0)
    """
    seat = seats(best, vector)
    together = (seat[..., :, None] == seat[..., None, :]) & (seat >= 0)[..., None]
    return np.asarray((together.sum(-1) > 1).sum(-1))


def seats(best: Float[np.ndarray, "*runs P 2"], vector: Int[np.ndarray, "*runs P 2"]) -> Int[np.ndarray, "*runs P"]:
    """The k of the u_k and v_k on which both features of a pair lie, -1 where there is none."""
    query, key = vector[..., 0], vector[..., 1]
    return np.where((best.min(-1) > ALIGNED) & (query == key), query, -1)
