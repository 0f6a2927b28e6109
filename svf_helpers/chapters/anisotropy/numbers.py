"""Every number in the prose of the chapter on anisotropy: of the long runs, and of what its page computes live."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from svf_helpers.experiments import Result
from svf_helpers.features import anisotropy
from svf_helpers.theory import SILENT_ABOVE, sharp_bound

PAIRS = 4  # singular values above 0 of a head with four pairs


def numbers(
    stored: Result,
    *,
    null_at_random: Float[Tensor, " deltas"],
    null_toward_v: Float[Tensor, " deltas"],
    ways: Mapping[str, Float[Tensor, " dictionaries"]],
    kind: str,
) -> dict[str, str]:
    """The numbers of the chapter, as a reader sees them.

    ``stored`` are the runs "anisotropy". ``null_at_random`` is the alignment over all columns, by stretch, if the null
    space is filled at random, ``null_toward_v`` the same if one column of it lies along the direction of the stretch.
    ``ways`` holds |cos| for dictionaries drawn at random, with "plain" singular vectors and with the "whitened SVD".
    ``kind`` says what the autoencoders were trained on.
    """
    all_columns, signal = (mean_alignment(stored, measure) for measure in ("all_columns", "signal_columns"))
    W = torch.tensor(stored["W"]).double().unflatten(0, stored["condition"].shape)
    plain, whitened = ways["plain"], ways["whitened SVD"]
    return {
        "label": stored.label(),
        "kind": kind,
        "lowest-all": f"{all_columns.min():.2f}",
        "end-all": f"{all_columns[-1]:.2f}",
        "end-signal": f"{signal[-1]:.2f}",
        "lowest-white": f"{stored['summary_four_whitened'].min():.3f}",
        # per cent of the cases in which the best of all columns is one with singular value 0
        "picked": f"{100 * (stored['picked_four'][-1] >= PAIRS).mean():.0f}",
        "random-null": f"{null_at_random[-1]:.2f}",
        "v-null": f"{null_toward_v[-1]:.2f}",
        "least-one": f"{stored['summary_one_signal_columns'][-1].min():.3f}",
        "sharp-end": f"{sharp_bounds(stored)[-1, 0]:.3f}",
        "silent": f"{SILENT_ABOVE:.2f}",
        "four-below": f"{np.count_nonzero(below_sharp(stored, 'four'))}",
        "random-low": f"{whitened.min():.2f}",
        "random-high": f"{whitened.max():.2f}",
        "random-better": f"{int((whitened > plain).sum())}",
        "random-all": f"{len(whitened)}",
        "toy-scale": f"{anisotropy(W[-1, 0]):.1f}",
    }


def mean_alignment(stored: Result, measure: str) -> Float[np.ndarray, " deltas"]:
    """|cos| of heads with four pairs for each stretch: the mean over directions, pairs and sides."""
    return stored[f"summary_four_{measure}"].mean((1, 2, 3))


def sharp_bounds(stored: Result) -> Float[np.ndarray, "deltas directions"]:
    """The sharp bound for each stored dictionary."""
    return torch.as_tensor(sharp_bound(torch.tensor(stored["condition"]))).numpy()


def below_sharp(stored: Result, heads: str) -> Bool[np.ndarray, "deltas directions pairs sides"]:
    """Which plain |cos| of heads with "one" pair or "four", over the columns in use, lie below the sharp bound."""
    return stored[f"summary_{heads}_signal_columns"] < sharp_bounds(stored)[..., None, None] - 1e-3
