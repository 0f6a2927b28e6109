"""What every exercise's checker is made of: the register, how answers are read, and mistakes of a general kind.

A checker says what is wrong with an answer and never what the right one is. It is a function that takes the answer in
a form it can rely on, and returns a hint, or None if the answer is right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

Judge = Callable[[Any], "str | None"]


class Unreadable(ValueError):
    """An answer of another kind than was asked for; the text says what came and what would do."""


class Form(NamedTuple):
    """The form an answer has to take: in words, and as the function that reads it or raises :class:`Unreadable`."""

    words: str
    read: Callable[[Any], Any]


@dataclass(frozen=True)
class Checker:
    """A registered exercise: what it asks, in which form, and the function that judges."""

    name: str
    asks: str
    form: Form
    praise: str
    judge: Judge


REGISTER: dict[str, Checker] = {}


def checker(name: str, *, asks: str, expects: Form, praise: str = "that is it.") -> Callable[[Judge], Judge]:
    """Register a function that judges answers to the exercise ``name`` (its label in the book, without "ex-").

    Args:
        name: unique in the book.
        asks: the question in a sentence, as the error about a missing answer shows it.
        expects: the form of an answer: :func:`number`, :func:`tensor` or :func:`function`.
        praise: what follows "Right:".

    Raises:
        ValueError: if the name is taken.
    """
    if name in REGISTER:
        raise ValueError(f"a checker named {name!r} is registered already")

    def register(judge: Judge) -> Judge:
        REGISTER[name] = Checker(name, asks, expects, praise, judge)
        return judge

    return register


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


def same(x: float, y: float, tolerance: float = 1e-3) -> bool:
    """Equal up to a share ``tolerance`` of y, or up to 1e-12 where y is 0."""
    return abs(x - y) <= max(tolerance * abs(y), 1e-12)


def parallel(x: Float[Tensor, " d"], y: Float[Tensor, " d"], tolerance: float = 1e-6) -> bool:
    """Whether two vectors lie along one line, in whichever direction: |cos| > 1 - tolerance."""
    x, y = (v / v.abs().amax().clamp_min(torch.finfo(v.dtype).tiny) for v in (x, y))
    lengths = torch.linalg.vector_norm(x) * torch.linalg.vector_norm(y)
    return bool((x @ y).abs() > (1 - tolerance) * lengths)


def number_hint(answer: float, right: float, tolerance: float = 1e-3) -> str | None:
    """What kind of mistake turns the right number into this one, where that can be seen; None where it cannot."""
    if right and same(answer, -right, tolerance):
        return "the size is right, the sign is not."
    if right and same(answer, 1 / right, tolerance):
        return "that is upside down: you have its reciprocal."
    if same(answer, right**2, tolerance):
        return "you have the square of what is asked."
    if right > 0 and same(answer, right**0.5, tolerance):
        return "you have the square root of what is asked."
    if right and same(answer, 100 * right, tolerance):
        return "give a plain number, not one in percent."
    if right and any(same(answer, factor * right, tolerance) for factor in (2, 0.5, 4, 0.25)):
        return "a factor of two is missing or too many, once or twice."
    if same(answer, right, min(20 * tolerance, 0.02)):
        return "close, but not close enough: keep more digits."
    return None


def tensor_hint(answer: Float[Tensor, "..."], right: Float[Tensor, "..."], tolerance: float = 1e-6) -> str | None:
    """The same for a tensor of the right shape: sign, transposition, length, order, single entries."""
    size = torch.linalg.vector_norm(right)
    close = lambda x, y: bool(torch.linalg.vector_norm(x - y) <= tolerance * size)  # noqa: E731
    if not answer.any() and right.any():
        return "all entries are 0."
    if close(answer, -right):
        return "the sizes are right, the sign is not."
    if right.ndim == 2 and right.shape[0] == right.shape[1] and close(answer.mT, right):
        return "that is the transpose of what is asked."
    if parallel(answer.flatten(), right.flatten(), tolerance):
        return "right direction, wrong length: a factor is missing or too many."
    if right.ndim == 1 and close(answer.sort().values, right.sort().values):
        return "the right numbers in the wrong order."
    wrong = ((answer - right).abs() > tolerance * right.abs().clamp_min(1)).nonzero().squeeze(-1).tolist()
    if right.ndim == 1 and 0 < len(wrong) < right.numel():
        return f"not all entries are right; look again at number {wrong[0] + 1} in the list."
    return None


def _to_tensor(answer: Any, words: str) -> Float[Tensor, "..."]:
    """Numbers in whatever wrapping, as a float64 tensor on the CPU."""
    if answer is None or answer is ...:
        raise Unreadable(f"there is no answer yet: put {words} in its place.")
    try:
        values = _convert(answer)
    except Unreadable:
        raise
    except (TypeError, ValueError, RuntimeError, OverflowError, RecursionError) as error:
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
    return isinstance(answer, (Tensor, list, tuple, int, float)) or hasattr(answer, "__array__")


def _shape(values: Tensor) -> str:
    return "a single number" if values.ndim == 0 else f"shape {tuple(values.shape)}"


def _kind(answer: Any) -> str:
    name = type(answer).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
