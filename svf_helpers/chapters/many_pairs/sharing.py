"""Which runs put two pairs of features on one singular vector."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from svf_helpers.experiments import Result

KEPT = 0.5  # a feature shorter than this counts as dropped


class Sharing(NamedTuple):
    """What each run of the result "shared-vectors" has done with its pairs; see :func:`sharing`."""

    by_rank: Float[np.ndarray, " runs"]
    by_any: Float[np.ndarray, " runs"]
    shares: Bool[np.ndarray, " runs"]
    kept: Int[np.ndarray, " runs"]


def sharing(result: Result) -> Sharing:
    """Of each run: |cos| of its worst feature of interest, whether pairs share a vector, and how many features live on.

    Returns:
        ``by_rank``: with the singular vector of the pair's rank; ``by_any``: with whichever fits best among those whose
        singular value is not 0; ``shares``: two pairs lie on the same vector; ``kept``: features longer than .5.

    Example:
        >>> from svf_helpers.experiments import load
        >>> runs = sharing(load("shared-vectors"))
        >>> bool((runs.by_any > runs.by_rank - 1e-6).all())  # the best vector is at least as good as the rank's
        True
    """
    vectors = np.sort(result["vector"][:, :, 0], axis=1)  # on the query side, as on the key side
    return Sharing(
        by_rank=result["summary_cosine_rank"].min((1, 2)),
        by_any=result["summary_cosine_best"].min((1, 2)),
        shares=(np.diff(vectors, axis=1) == 0).any(1),
        kept=(np.linalg.norm(result["W"].astype(np.float32), axis=1) > KEPT).sum(1),
    )
