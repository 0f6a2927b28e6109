"""Every number in the prose of the chapter on Theorem 2: of the bounds, and of dictionaries drawn on its page."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from svf_helpers.theory import SILENT_ABOVE


def numbers(used: Float[Tensor, "epsilons pairs"], epsilons: Float[Tensor, " W"]) -> dict[str, str]:
    """The numbers of the chapter, as a reader sees them.

    Args:
        used: share of the sine allowed by Theorem 2 that pairs of dictionaries use, by rising epsilon.
        epsilons: of all random dictionaries that are set against both bounds.

    Example:
        >>> import torch
        >>> found = numbers(torch.tensor([[0.4, 0.5, 0.6], [0.1, 0.2, 0.1]]), torch.tensor([0.1, 0.9]))
        >>> found["used-high"], found["speaks"]
        ('0.10', '1')
    """
    return used_numbers(used) | silence_numbers() | dictionary_numbers(epsilons)


def used_numbers(used: Float[Tensor, "epsilons pairs"]) -> dict[str, str]:
    """Median share of the allowed sine that is used, at the least and at the greatest epsilon."""
    medians = used.quantile(0.5, dim=1)
    return {"used-low": f"{medians[0]:.2f}", "used-high": f"{medians[-1]:.2f}"}


def silence_numbers() -> dict[str, str]:
    """Where Theorem 2 ends, as epsilon and as a condition number."""
    kappa = (1 + SILENT_ABOVE) / (1 - SILENT_ABOVE)
    return {"silent-epsilon": f"{SILENT_ABOVE:.3f}", "silent-kappa": f"{kappa:.2f}"}


def dictionary_numbers(epsilons: Float[Tensor, " W"]) -> dict[str, str]:
    """How many random dictionaries there are, and for how many Theorem 2 says something."""
    return {"count": f"{len(epsilons)}", "speaks": f"{int((epsilons <= SILENT_ABOVE).sum())}"}
