"""The forms that an answer to an exercise can take, and how it is read: as a number, a tensor, or a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Unreadable(ValueError):
    """An answer of another kind than was asked for; the text says what came and what would do."""


class Form(NamedTuple):
    """The form an answer has to take: in words, and as the function that reads it or raises :class:`Unreadable`."""

    words: str
    read: Callable[[Any], Any]


def number() -> Form:
    """One finite number: a float, an int, or anything with a single entry; the judge gets a float."""

    def read(answer: Any) -> float:
        values = _to_tensor(answer, "one number")
        if values.numel() != 1:
            raise Unreadable(f"expected one number, got {_shape(values)}.")
        return float(values)

    return Form("one number", read)


def tensor(*shape: int | None) -> Form:
    """A finite array of numbers; None stands for any length. The judge gets a float64 tensor on the CPU.

    A vector may come as a row or a column.

    Example:
        >>> tensor(2, None).words
        'a tensor of shape (2, any)'
    """
    lengths = ", ".join("any" if size is None else str(size) for size in shape) + ("," if len(shape) == 1 else "")
    words = f"a tensor of shape ({lengths})"

    def fits(got: tuple[int, ...]) -> bool:
        return len(got) == len(shape) and all(want in (None, size) for want, size in zip(shape, got, strict=True))

    def read(answer: Any) -> Float[Tensor, "..."]:
        values = _to_tensor(answer, words)
        if len(shape) == 1 and values.ndim == 2 and 1 in values.shape:
            values = values.flatten()
        if not fits(tuple(values.shape)):
            turned = " (transposed?)" if values.ndim == 2 and fits(tuple(values.mT.shape)) else ""
            raise Unreadable(f"expected {words}, got {_shape(values)}{turned}.")
        return values

    return Form(words, read)


def function(signature: str) -> Form:
    """A function of the reader's own; the judge gets it as it is."""

    def read(answer: Any) -> Callable:
        if answer is None or answer is ...:
            raise Unreadable(f"there is no answer yet: put a function {signature} in its place.")
        if not callable(answer):
            hint = " (its result? give the function itself, without brackets)" if _is_value(answer) else ""
            raise Unreadable(f"expected a function {signature}, got {_kind(answer)}{hint}.")
        return answer

    return Form(f"a function {signature}", read)


def _to_tensor(answer: Any, words: str) -> Float[Tensor, "..."]:
    """Numbers in whatever wrapping, as a float64 tensor on the CPU."""
    if answer is None or answer is ...:
        raise Unreadable(f"there is no answer yet: put {words} in its place.")
    try:
        values = _convert(answer)
    except Unreadable:
        raise
    except Exception as error:  # an answer's own __array__ or __float__ may raise anything
        raise Unreadable(f"expected {words}, got {_kind(answer)} that cannot be read as numbers.") from error
    if values.numel() and not values.isfinite().all():
        raise Unreadable(f"expected {words}, all finite: here an entry is infinite or nan.")
    return values


def _convert(answer: Any) -> Float[Tensor, "..."]:
    if isinstance(answer, (list, tuple)):
        if not answer:
            return torch.zeros(0, dtype=torch.float64)
        parts = [_convert(part) for part in answer]
        if len({part.shape for part in parts}) > 1:
            raise Unreadable("the rows of a list must all be of one length; here they are not.")
        return torch.stack(parts)
    if isinstance(answer, (str, bytes, bool)):
        raise TypeError("not a number")
    if not isinstance(answer, Tensor) and hasattr(answer, "__array__"):
        answer = torch.as_tensor(answer.__array__().copy())  # torch reads no reversed or read-only memory
    if isinstance(answer, Tensor):
        if answer.is_complex() or answer.dtype == torch.bool:
            raise TypeError("not real numbers")
        return (answer if answer.layout == torch.strided else answer.to_dense()).detach().to("cpu", torch.float64)
    return torch.tensor(float(answer), dtype=torch.float64)


def _is_value(answer: Any) -> bool:
    return isinstance(answer, (Tensor, list, tuple, int, float)) or hasattr(type(answer), "__array__")


def _shape(values: Tensor) -> str:
    return "a single number" if values.ndim == 0 else f"shape {tuple(values.shape)}"


def _kind(answer: Any) -> str:
    name = type(answer).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
