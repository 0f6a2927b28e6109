"""Every number in the prose of the chapter on Theorem 3: how large the grid of heads is that its page computes."""

from jaxtyping import Float
from torch import Tensor


def numbers(share: Float[Tensor, "heads lambdas"]) -> dict[str, str]:
    """How many random heads there are, and how many points, one for each head and lambda."""
    return {"heads": f"{len(share)}", "points": f"{share.numel()}"}
