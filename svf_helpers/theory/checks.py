"""What the theorems ask of their arguments, said by name; everything here works in float64."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


def dictionary(W: Tensor, name: str) -> Float[Tensor, "... d n"]:
    """The features in float64, or a ValueError that says what is wrong with them.

    Example:
        >>> dictionary(torch.eye(2), "F").dtype
        torch.float64
    """
    if not torch.is_tensor(W) or W.ndim < 2 or 0 in W.shape[-2:]:
        shape = tuple(W.shape) if torch.is_tensor(W) else type(W).__name__
        raise ValueError(f"{name} is {shape}: expected a dictionary [..., d, n] with features as columns")
    if not W.is_floating_point():
        raise ValueError(f"{name} has dtype {W.dtype}: expected real numbers in floating point")
    if not W.isfinite().all():
        raise ValueError(f"{name} holds values that are not finite")
    return W.detach().double()


def feature_index(W: Tensor, index: int, name: str) -> int:
    """The index of a feature of length above 0, or a ValueError.

    Example:
        >>> feature_index(torch.eye(2), 1, "F")
        1
    """
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < W.shape[-1]:
        raise ValueError(f"{name} has {W.shape[-1]} features, got index {index!r}: must be in 0..{W.shape[-1] - 1}")
    if not (W[..., index] != 0).any(-1).all():
        raise ValueError(f"feature {index} of {name} has length 0: it has no direction")
    return index


def feature_pair(F: Tensor, G: Tensor, pair: tuple[int, int]) -> tuple[int, int]:
    """The pair (query feature, key feature), or a ValueError.

    Example:
        >>> feature_pair(torch.eye(2), torch.eye(2), (0, 1))
        (0, 1)
    """
    try:
        a, b = pair
    except (TypeError, ValueError) as error:
        raise ValueError(f"pair = {pair!r}: expected (query feature, key feature)") from error
    return feature_index(F, a, "F"), feature_index(G, b, "G")


def positive(value: float, name: str) -> float:
    """A finite number above 0, or a ValueError.

    Example:
        >>> positive(3, "scale")
        3.0
    """
    if not 0 < value < math.inf:
        raise ValueError(f"{name} = {value}: must be finite and above 0")
    return float(value)


def probability(p: float) -> float:
    """A probability strictly inside (0, 1), as the theorems assume, or a ValueError.

    Example:
        >>> probability(0.5)
        0.5
    """
    if not 0 < p < 1:
        raise ValueError(f"p = {p}: a feature's probability must lie strictly between 0 and 1")
    return float(p)


def count(value: int, name: str, least: int) -> int:
    """A whole number of at least ``least``, or a ValueError.

    Example:
        >>> count(4, "keys", least=2)
        4
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} = {value!r}: must be a whole number, at least {least}")
    return value


def numbers(value: float | Tensor, name: str, low: float, high: float, rule: str) -> Float[Tensor, "..."]:
    """A number or tensor in float64 with every entry in [low, high], or a ValueError that states the rule.

    Example:
        >>> numbers(4, "lam", 0, math.inf, "must not be negative")
        tensor(4., dtype=torch.float64)
    """
    tensor = torch.as_tensor(value, dtype=torch.float64, device=value.device if torch.is_tensor(value) else "cpu")
    if not ((tensor >= low) & (tensor <= high)).all():
        raise ValueError(f"{name} = {value}: {rule}")
    return tensor


def on_one_device(*tensors: Tensor) -> list[Tensor]:
    """All on the device of the first that is not on the CPU: numbers given beside tensors on a GPU follow them.

    Example:
        >>> [tensor.device.type for tensor in on_one_device(torch.tensor(3.0), torch.ones(2, device="meta"))]
        ['meta', 'meta']
    """
    device = next((tensor.device for tensor in tensors if tensor.device.type != "cpu"), torch.device("cpu"))
    return [tensor.to(device) for tensor in tensors]
