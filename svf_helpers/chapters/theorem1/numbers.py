"""Every number in the prose of the chapter on Theorem 1; all of them come from heads fitted on its page."""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor


def numbers(
    fits: Float[Tensor, "settings measures seeds"], strictly: Mapping[int, Mapping[str, Tensor]]
) -> dict[str, str]:
    """The numbers of the chapter, as a reader sees them.

    ``fits`` are of heads fitted to the linear teacher: relative error, |cos| of u and of C u with the feature;
    ``strictly`` of heads fitted to the strict teacher: number of features -> |cos| on the "query" and the "key" side.
    The text speaks of 12 features; a reader who left them out sees the numbers of those nearest to 12.
    """
    _, raw, _ = fits.unbind(1)
    heads = strictly[min(strictly, key=lambda features: abs(features - 12))]
    return {
        "fits": f"{raw.numel()}",
        "raw-low": f"{raw.min():.2f}",
        "raw-high": f"{raw.max():.2f}",
        "query-median": f"{heads['query'].median():.2f}",
        "query-least": f"{heads['query'].min():.2f}",
        "key-least": f"{heads['key'].min():.2f}",
    }
