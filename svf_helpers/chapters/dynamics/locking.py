"""When a vector has found its place for good, and how far its singular value is from its neighbours'."""

import numpy as np
from jaxtyping import Float

from svf_helpers.chapters.kit.curves import stays_above
from svf_helpers.experiments import Result

LOCKED = 0.9  # |cos| from which a vector counts as locked, on both sides
SETTLED = 0.95  # |cos| of a feature with its final direction from which it counts as settled


def worse_side(result: Result, name: str) -> Float[np.ndarray, "K seeds m"]:
    """A |cos| of the stored result "dynamics", the lower of its query and its key side."""
    return np.minimum(result[f"{name}_query"], result[f"{name}_key"])


def lock_steps(result: Result) -> Float[np.ndarray, "seeds m"]:
    """The step from which each pair lies on the vector of its rank for good, with both of its features."""
    return stays_above(worse_side(result, "cosine"), result["step"], LOCKED)


def settle_steps(result: Result) -> Float[np.ndarray, "seeds m"]:
    """The step from which both features of each pair have their final direction for good."""
    return stays_above(worse_side(result, "feature_to_final"), result["step"], SETTLED)


def nearest_gap(S: Float[np.ndarray, "*records m_plus_1"]) -> Float[np.ndarray, "*records m"]:
    """Gap of each of the first m singular values to its nearer neighbour, in proportion to the smaller of the two.

    Example:
        >>> nearest_gap(np.array([24.0, 20.0, 16.0, 1.0])).round(2)  # the second lies nearer to the first
        array([0.2 , 0.2 , 0.25])
    """
    to_next = (S[..., :-1] - S[..., 1:]) / S[..., 1:].clip(1e-9)
    to_last = np.concatenate([np.full_like(to_next[..., :1], np.inf), to_next[..., :-1]], -1)
    return np.minimum(to_next, to_last)
