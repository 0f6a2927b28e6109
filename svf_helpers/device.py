"""Where to compute: the GPU if there is one."""

from __future__ import annotations

import torch


def choose_device(device: str | torch.device | None = "auto") -> torch.device:
    """The device to compute on: "auto" or None takes the GPU if there is one, else the CPU.

    Raises:
        ValueError: for a name torch does not know, or a GPU that this machine does not have.

    Example:
        >>> choose_device("cpu")
        device(type='cpu')
    """
    if device in ("auto", None):
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device = {device!r}: give 'auto', 'cpu' or 'cuda' (or 'cuda:0', ...)") from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device = {device!r}: no GPU that torch can use on this machine; give 'cpu' or 'auto'")
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device = {device!r}: this machine's GPUs are cuda:0 to cuda:{torch.cuda.device_count() - 1}")
    return chosen
