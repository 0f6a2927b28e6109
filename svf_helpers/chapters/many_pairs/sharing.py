"""Which features a model has kept and how they overlap; which runs put two pairs of features on one singular vector."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from svf_helpers.experiments import Result
from svf_helpers.features import feature_cosines

KEPT = 0.5  # a feature shorter than this counts as dropped by the model: its direction means nothing


def kept_and_overlaps(W: Float[Tensor, "runs d n"]) -> tuple[Bool[Tensor, "runs n"], Float[Tensor, "runs n n"]]:
    """Which features of each run are kept, and |cos| of each with each other one; 0 for a dropped one and itself."""
    kept = W.norm(dim=-2) > KEPT
    return kept, feature_cosines(W * kept[:, None]).abs() * (1 - torch.eye(W.shape[-1]))


class Sharing(NamedTuple):
    """Where the pairs of each run of "shared-vectors" lie.

    |cos| of its worst feature of interest, ``by_rank`` with the singular vector of its pair's rank, ``by_any`` with
    whichever fits best among those whose singular value is not 0; whether it ``shares``: two pairs lie on one vector;
    the number of features it has ``kept``.
    """

    by_rank: Float[np.ndarray, " runs"]
    by_any: Float[np.ndarray, " runs"]
    shares: Bool[np.ndarray, " runs"]
    kept: Int[np.ndarray, " runs"]


def sharing(result: Result) -> Sharing:
    """Where the pairs of each run of the stored result "shared-vectors" lie.

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
