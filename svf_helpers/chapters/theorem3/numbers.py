"""Every number in the prose of the chapter on Theorem 3: how large the grid of heads is that its page computes."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def numbers(share: Float[Tensor, "heads lambdas"]) -> dict[str, str]:
    """How many random heads there are, and how many points, one for each head and lambda.

    Args:
        share: interference at the minimum, as a share of Theorem 3's bound.

    Example:
        >>> import torch
        >>> numbers(torch.rand(150, 7))
        {'heads': '150', 'points': '1050'}
    """
    return {"heads": f"{len(share)}", "points": f"{share.numel()}"}
