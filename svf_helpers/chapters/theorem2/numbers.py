"""Every number in the prose of the chapter on Theorem 2: of the bounds, and of dictionaries drawn on its page."""

from jaxtyping import Float
from torch import Tensor

from svf_helpers.theory import SILENT_ABOVE


def numbers(used: Float[Tensor, "epsilons pairs"], epsilons: Float[Tensor, " W"]) -> dict[str, str]:
    """The numbers of the chapter, as a reader sees them.

    ``used`` is the share of the sine allowed by Theorem 2 that pairs of dictionaries use, by rising epsilon;
    ``epsilons`` those of all random dictionaries that are set against both bounds.
    """
    medians = used.quantile(0.5, dim=1)
    return {
        "used-low": f"{medians[0]:.2f}",
        "used-high": f"{medians[-1]:.2f}",
        "silent-epsilon": f"{SILENT_ABOVE:.3f}",
        "silent-kappa": f"{(1 + SILENT_ABOVE) / (1 - SILENT_ABOVE):.2f}",
        "count": f"{len(epsilons)}",
        "speaks": f"{int((epsilons <= SILENT_ABOVE).sum())}",
    }
