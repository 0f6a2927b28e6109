"""What became of a run of the phase map: which pairs share a singular vector, and the outcome in one word."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

ALIGNED = 0.95  # |cos| above which a feature counts as lying on a singular vector


def shared_pairs(
    best: Float[np.ndarray, "P 2"], vector: Int[np.ndarray, "P 2"], threshold: float = ALIGNED
) -> tuple[tuple[int, ...], ...]:
    """Groups of pairs (numbered from 1) that lie on one u_k and its v_k, every |cos| above ``threshold``.

    Args:
        best: |cos| of each pair with its best vectors, query and key side.
        vector: which vectors those are.
        threshold: from where a feature counts as lying on its vector.

    Raises:
        ValueError: for shapes that differ.

    Example:
        >>> shared_pairs(np.array([[1, 1], [1, 0.99], [1, 1]]), np.array([[0, 0], [1, 1], [0, 0]]))
        ((1, 3),)
    """
    best, vector = np.asarray(best), np.asarray(vector)
    if best.shape != vector.shape or best.ndim != 2 or best.shape[1] != 2:
        raise ValueError(f"best and vector are [pairs, 2] both, got {best.shape} and {vector.shape}")
    seats: dict[int, list[int]] = {}
    for pair, (values, (left, right)) in enumerate(zip(best, vector.tolist(), strict=True), 1):
        if values.min() > threshold and left == right:
            seats.setdefault(left, []).append(pair)
    return tuple(tuple(group) for group in seats.values() if len(group) > 1)


def outcome(
    by_rank: Float[np.ndarray, "P 2"],
    best: Float[np.ndarray, "P 2"],
    vector: Int[np.ndarray, "P 2"],
    threshold: float = ALIGNED,
) -> str:
    """What became of a run, in one word.

    ``"own"``: every feature lies on the vector of its pair's rank. Else, where every feature lies on *some* vector with
    a singular value: ``"shared"`` if pairs share one, ``"swapped"`` if they do not. ``"mixed"``: some feature lies on
    none.

    Args:
        by_rank: |cos| with the vectors of the pair's rank, query and key side.
        best: with its best vectors.
        vector: which vectors those are.
        threshold: from where a feature counts as lying on its vector.

    Raises:
        ValueError: for shapes that differ.

    Example:
        >>> good, bad = np.ones((2, 2)), np.full((2, 2), 0.1)
        >>> outcome(bad, good, np.array([[1, 1], [0, 0]])), outcome(bad, good, np.zeros((2, 2), dtype=int))
        ('swapped', 'shared')
    """
    shared = shared_pairs(best, vector, threshold)
    by_rank = np.asarray(by_rank)
    if by_rank.shape != np.shape(best):
        raise ValueError(f"by_rank and best are [pairs, 2] both, got {by_rank.shape} and {np.shape(best)}")
    if by_rank.min() > threshold:
        return "own"
    if np.min(best) <= threshold:
        return "mixed"
    return "shared" if shared else "swapped"
