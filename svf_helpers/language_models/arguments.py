"""Arguments that many functions of this package take, checked before a model runs."""

from __future__ import annotations

import operator

import torch
from jaxtyping import Int
from torch import Tensor


def whole_number(name: str, value: object, least: int | None = None) -> int:
    """A whole number of any kind (Python's, NumPy's, a tensor of one) as an ``int``.

    Raises:
        ValueError: for anything else, True and False among it, and for a number below ``least``.

    Example:
        >>> whole_number("draws", torch.tensor(3), least=1)
        3
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise ValueError(f"{name} = {value!r}: a whole number") from None
    if isinstance(value, Tensor) and (value.ndim or value.dtype == torch.bool):
        raise ValueError(f"{name} = {value!r}: a whole number")
    if least is not None and number < least:
        raise ValueError(f"{name} = {number}: at least {least}")
    return number


def whole_positions(name: str, value: object, device: torch.device | str | None = None) -> Int[Tensor, "..."]:
    """Positions as a tensor; on the CPU, or where they are already, where no device is given.

    Raises:
        ValueError: for anything but whole numbers.

    Example:
        >>> whole_positions("query", 3), whole_positions("key", [1, 2])
        (tensor(3), tensor([1, 2]))
    """
    try:
        positions = torch.as_tensor(value, device=getattr(value, "device", "cpu") if device is None else device)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{name} = {value!r}: positions are whole numbers") from None
    if positions.dtype == torch.bool or positions.is_floating_point() or positions.is_complex():
        given = f" = {value!r}" if not positions.ndim else f" has {positions.dtype} of shape {tuple(positions.shape)}"
        raise ValueError(f"{name}{given}: positions are whole numbers")
    return positions
