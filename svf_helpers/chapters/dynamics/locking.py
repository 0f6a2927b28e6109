"""When a vector has found its place for good, and how far its singular value is from its neighbours'."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int


def stays_above(
    values: Float[np.ndarray, "K *rest"], step: Int[np.ndarray, " K"] | Sequence[int], threshold: float = 0.9
) -> Float[np.ndarray, "*rest"]:
    """The step from which the size of a value stays above the threshold until the end; NaN where it never does.

    Args:
        values: of every record; the first axis is time. Signs are dropped.
        step: training steps of the K records, rising.
        threshold: by default the |cos| from which a vector counts as locked.

    Raises:
        ValueError: if there are not as many steps as records.

    Example:
        >>> stays_above(np.array([0.95, 0.3, 0.92, -0.99]), [0, 100, 200, 300])  # passes at 0 and stays from 200 on
        array(200.)
    """
    above, step = np.abs(np.asarray(values)) > threshold, np.asarray(step, float)
    if len(above) != len(step):
        raise ValueError(f"{len(above)} records need as many steps, got {len(step)}")
    from_here_on = np.logical_and.accumulate(above[::-1])[::-1]
    return np.where(from_here_on[-1], step[from_here_on.argmax(0)], np.nan)


def nearest_gap(S: Float[np.ndarray, "*records m_plus_1"]) -> Float[np.ndarray, "*records m"]:
    """Gap of each of the first m singular values to its nearer neighbour, in proportion to the smaller of the two.

    Args:
        S: the m + 1 largest singular values, descending.

    Example:
        >>> nearest_gap(np.array([24.0, 20.0, 16.0, 1.0])).round(2)  # the second lies nearer to the first
        array([0.2 , 0.2 , 0.25])
    """
    to_next = (S[..., :-1] - S[..., 1:]) / S[..., 1:].clip(1e-9)
    to_last = np.concatenate([np.full_like(to_next[..., :1], np.inf), to_next[..., :-1]], -1)
    return np.minimum(to_next, to_last)
