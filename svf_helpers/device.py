"""Where to compute: the GPU if there is one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


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


def on_device(device: str | torch.device | None, *tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors on the device that :func:`choose_device` gives; None leaves each where it lies.

    Raises:
        ValueError: as :func:`choose_device`.

    Example:
        >>> weights, moments = on_device("cpu", torch.ones(2), torch.zeros(2))
        >>> weights.device
        device(type='cpu')
    """
    if device is None:
        return tensors
    place = choose_device(device)
    return tuple(tensor.to(place) for tensor in tensors)


@contextmanager
def one_thread_if(small: bool) -> Iterator[None]:
    """Let torch use a single CPU thread inside, where arrays are too small for several to pay.

    Threads that wait for each other spin, and on a busy machine a loop of small steps then takes many times as long.

    Example:
        >>> with one_thread_if(True):
        ...     torch.get_num_threads()
        1
    """
    threads = torch.get_num_threads()
    if small:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
