"""Which of many cosines stand out from their null: p-values from rotated bases, and Holm's correction of them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from svf_helpers.chapters.known_features.both_models import MODELS, leaning
from svf_helpers.experiments.store import Result


def p_values(judged: Float[np.ndarray, "*of"], null: Float[np.ndarray, "*of draws"]) -> Float[np.ndarray, "*of"]:
    """How often a draw of the null does as well, the value itself counted as one draw.

    Example:
        >>> p_values(np.array([0.9, 0.2]), np.array([[0.1, 0.3, 0.5], [0.1, 0.3, 0.5]])).tolist()
        [0.25, 0.75]
    """
    return (1 + (null >= judged[..., None]).sum(-1)) / (1 + null.shape[-1])


def holm(p: Float[np.ndarray, "*of"], level: float = 0.05) -> Bool[np.ndarray, "*of"]:
    """Which of several p-values hold all at once (Holm, 1979).

    ``level`` is the chance that one or more of them hold though none should.

    Example:
        >>> holm(np.array([0.03, 0.001, 0.02])).tolist()  # limits .05/3, .05/2, .05/1, from the smallest on
        [True, True, True]
        >>> holm(np.array([0.03, 0.001, 0.03])).tolist()  # .03 is more than .05/2: it and all after it fall
        [False, True, False]
    """
    order = np.argsort(p, axis=None)
    kept = np.cumprod(p.ravel()[order] <= level / (p.size - np.arange(p.size))).astype(bool)
    held = np.zeros(p.size, dtype=bool)
    held[order[kept]] = True
    return held.reshape(p.shape)


def standing_out(result: Result, basis: str, off: float = 0.0) -> Bool[np.ndarray, "heads sides"]:
    """Which sides of which heads have a reading that stands out after Holm's correction, each model by itself.

    ``off`` moves every p-value by so many standard errors of its draws: one from so many draws is not exact.

    Example:
        >>> from svf_helpers.experiments import load
        >>> result = load("known-features")
        >>> counts = [int(standing_out(result, "weights", off).sum()) for off in (1, 0, -1)]
        >>> counts == sorted(counts)  # larger p-values, fewer that hold
        True
    """
    held = []
    for model in MODELS:
        found = leaning(result, basis, models=[model])
        p = p_values(found.cosine, found.rotated)
        held.append(holm(p + off * (p * (1 - p) / found.rotated.shape[-1]) ** 0.5))
    return np.concatenate(held)
