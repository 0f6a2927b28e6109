"""Every number in the prose of the chapter on anisotropy: of the long runs, and of what its page computes live."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float
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

    Args:
        stored: the runs ``anisotropy``.
        null_at_random: alignment over all columns, by stretch, if the null space is filled at random.
        null_toward_v: the same if one column of it lies along the direction of the stretch.
        ways: |cos| for dictionaries drawn at random, with "plain" singular vectors and with the "whitened SVD".
        kind: what the autoencoders were trained on.

    Example:
        >>> from svf_helpers.experiments import load
        >>> ends, ways = torch.tensor([0.9, 0.7]), {"plain": torch.tensor([0.8]), "whitened SVD": torch.tensor([0.9])}
        >>> found = numbers(load("anisotropy"), null_at_random=ends, null_toward_v=ends, ways=ways, kind="toy tokens")
        >>> found["end-signal"], found["random-null"], found["random-better"]
        ('0.55', '0.70', '1')
    """
    ends = {"random-null": f"{null_at_random[-1]:.2f}", "v-null": f"{null_toward_v[-1]:.2f}"}
    return (
        {"label": stored.label(), "kind": kind}
        | four_pair_numbers(stored)
        | ends
        | bound_numbers(stored)
        | random_dictionary_numbers(ways["plain"], ways["whitened SVD"])
        | scale_numbers(stored)
    )


def four_pair_numbers(stored: Result) -> dict[str, str]:
    """Mean alignment of heads with four pairs, at its lowest and at the greatest stretch, and which columns win there.

    ``picked``: per cent of the cases in which the best of all columns is one with singular value 0.
    """
    means = {name: stored[f"summary_four_{name}"].mean((1, 2, 3)) for name in ("all_columns", "signal_columns")}
    unused = (stored["picked_four"][-1] >= PAIRS).mean()
    return {
        "lowest-all": f"{means['all_columns'].min():.2f}",
        "end-all": f"{means['all_columns'][-1]:.2f}",
        "end-signal": f"{means['signal_columns'][-1]:.2f}",
        "lowest-white": f"{stored['summary_four_whitened'].min():.3f}",
        "picked": f"{100 * unused:.0f}",
    }


def bound_numbers(stored: Result) -> dict[str, str]:
    """The worst head with one pair at the greatest stretch, and how many values of four pairs lie below the bound."""
    sharp = sharp_bound(torch.tensor(stored["condition"])).numpy()  # [stretches, directions]
    below = stored["summary_four_signal_columns"] < sharp[..., None, None] - 1e-3
    return {
        "least-one": f"{stored['summary_one_signal_columns'][-1].min():.3f}",
        "sharp-end": f"{sharp[-1, 0]:.3f}",
        "silent": f"{SILENT_ABOVE:.2f}",
        "four-below": f"{np.count_nonzero(below)}",
    }


def random_dictionary_numbers(
    plain: Float[Tensor, " dictionaries"], whitened: Float[Tensor, " dictionaries"]
) -> dict[str, str]:
    """The range of what the whitened SVD finds in random dictionaries, and how often it beats the plain one."""
    return {
        "random-low": f"{whitened.min():.2f}",
        "random-high": f"{whitened.max():.2f}",
        "random-better": f"{int((whitened > plain).sum())}",
        "random-all": f"{len(whitened)}",
    }


def scale_numbers(stored: Result) -> dict[str, str]:
    """Anisotropy of the toy's most stretched dictionary on the scale that autoencoders are measured on."""
    W = torch.tensor(stored["W"]).double().unflatten(0, stored["condition"].shape)
    return {"toy-scale": f"{anisotropy(W[-1, 0]):.1f}"}
