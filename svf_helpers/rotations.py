"""Random rotations that prefer no direction: the draw behind every null and every random basis of this package."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def random_rotations(
    lead: int | Sequence[int], size: int, generator: torch.Generator | None = None
) -> Float[Tensor, "*lead size size"]:
    """Orthogonal matrices drawn from the Haar measure: the Q of a Gaussian matrix, with the signs that QR leaves open.

    Args:
        lead: how many, or the leading dimensions.
        size: rows and columns of each.
        generator: for repeatable draws; on the CPU.

    Returns:
        [*lead, size, size] in float64, on the CPU, so that a seed gives the same rotations on every machine.

    Example:
        >>> R = random_rotations(3, 5, torch.Generator().manual_seed(0))
        >>> torch.dist(R.mT @ R, torch.eye(5).expand(3, 5, 5)).item() < 1e-9  # lengths and angles stay as they are
        True
        >>> random_rotations((2, 4), 3).shape
        torch.Size([2, 4, 3, 3])
    """
    lead = (lead,) if isinstance(lead, int) else tuple(lead)
    gaussian = torch.randn(*lead, size, size, generator=generator, dtype=torch.float64, device="cpu")
    Q, R = torch.linalg.qr(gaussian)
    return Q * R.diagonal(dim1=-2, dim2=-1).sign()[..., None, :]
