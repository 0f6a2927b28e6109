"""Every number in the prose of the chapter on Theorem 1; all of them come from heads fitted on its page."""

from __future__ import annotations

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor


def numbers(
    fits: Float[Tensor, "settings measures seeds"], strictly: Mapping[int, Mapping[str, Tensor]]
) -> dict[str, str]:
    """The numbers of the chapter, as a reader sees them.

    Args:
        fits: of heads fitted to the linear teacher: relative error, |cos| of u and of C u with the feature.
        strictly: of heads fitted to the strict teacher: number of features -> |cos| on the "query" and the "key" side.
            The text speaks of 12 features; a reader who left them out sees the numbers of those nearest to 12.

    Example:
        >>> import torch
        >>> heads = {12: {"query": torch.tensor([0.9, 0.4, 1.0]), "key": torch.tensor([0.98, 1.0, 1.0])}}
        >>> numbers(torch.rand(6, 3, 3), heads)["query-median"]
        '0.90'
    """
    heads = strictly[min(strictly, key=lambda features: abs(features - 12))]
    return fit_numbers(fits) | strict_numbers(heads["query"], heads["key"])


def fit_numbers(fits: Float[Tensor, "settings measures seeds"]) -> dict[str, str]:
    """How many heads were fitted to the linear teacher, and the range of |cos| of feature and singular vector."""
    errors, raw, _ = fits.unbind(1)
    return {"fits": f"{errors.numel()}", "raw-low": f"{raw.min():.2f}", "raw-high": f"{raw.max():.2f}"}


def strict_numbers(query: Float[Tensor, " members"], key: Float[Tensor, " members"]) -> dict[str, str]:
    """|cos| of feature and anti-whitened singular vector for the strict teacher and 12 features."""
    return {
        "query-median": f"{query.median():.2f}",
        "query-least": f"{query.min():.2f}",
        "key-least": f"{key.min():.2f}",
    }
