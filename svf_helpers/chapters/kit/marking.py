"""What every exercise's checker is made of: the register, tables of mistakes, and mistakes of a general kind.

A checker says what is wrong with an answer and never what the right one is. :func:`numeric` makes one from a table;
:func:`checker` takes a function of its own, which gets the answer in a form it can rely on and returns a hint, or None
if the answer is right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from svf_helpers.chapters.kit.answers import Form, number, tensor

Judge = Callable[[Any], "str | None"]
#: An answer that is wrong (a tuple for several of one kind) or a test for one, and what to say to it.
Mistake = tuple[Any, "str | Callable[[Any], str]"]
ANY = math.nan  # in a vector that is wrong: whatever stands in this place


@dataclass(frozen=True)
class Checker:
    """A registered exercise: what it asks, in which form, the function that judges, and its table where it has one."""

    name: str
    asks: str
    form: Form
    praise: str
    judge: Judge
    mistakes: tuple[Mistake, ...] = ()
    otherwise: str | Callable[[Any], str] = ""


REGISTER: dict[str, Checker] = {}


def numeric(
    name: str,
    *,
    asks: str,
    answer: float | Float[Tensor, " n"],
    mistakes: Sequence[Mistake] = (),
    otherwise: str | Callable[[Any], str] = "not it.",
    praise: str = "that is it.",
    tolerance: float = 1e-3,
    apart: float | None = None,
) -> None:
    """Register an exercise whose answer is a number, or a vector of them, by a table of the mistakes that are made.

    An answer that is not right gets the hint of the first mistake in the table that it shows, else that of
    :func:`number_hint` or :func:`tensor_hint`, else ``otherwise``.

    Args:
        name: the exercise's label in the book, without "ex-".
        asks: the question in a sentence, as the list of exercises shows it.
        answer: the right answer.
        mistakes: rows (mistake, hint). A mistake is a wrong answer (a number in place of a vector means all of its
            entries, ``ANY`` in a vector any entry), a tuple of such, or a function that is true of wrong answers.
        otherwise: what to say where nothing is recognised; it, and a hint, may be a function of the answer.
        praise: what follows "Right:".
        tolerance: of the right answer, relative.
        apart: of the wrong answers in the table; ``tolerance`` by default.

    Raises:
        ValueError: if the name is taken.

    Example:
        >>> numeric("a-third", asks="1/3?", answer=1 / 3, mistakes=[(3.0, "over!")], otherwise="divide 1 by 3.")
        >>> judge = REGISTER.pop("a-third").judge
        >>> judge(0.3333), judge(3.0), judge(0.7)
        (None, 'over!', 'divide 1 by 3.')
    """
    hint_of: Callable[..., str | None] = number_hint
    form = number()
    if isinstance(answer, Tensor):
        hint_of, form = tensor_hint, tensor(*answer.shape)
    near = tolerance if apart is None else apart

    def judge(given: Any) -> str | None:
        if same(given, answer, tolerance):
            return None
        known = recognise(given, mistakes, lambda x, wrong: same(x, wrong, near))
        return known or hint_of(given, answer, tolerance) or _said(otherwise, given)

    _register(Checker(name, asks, form, praise, judge, tuple(mistakes), otherwise))


def checker(name: str, *, asks: str, expects: Form, praise: str = "that is it.") -> Callable[[Judge], Judge]:
    """Register a function that judges answers to an exercise, where a table of mistakes will not do.

    Args:
        name: the exercise's label in the book, without "ex-".
        asks: the question in a sentence, as the list of exercises shows it.
        expects: the form of an answer: ``number()``, ``tensor(...)`` or ``function(...)`` of ``kit.answers``.
        praise: what follows "Right:".

    Raises:
        ValueError: if the name is taken.

    Example:
        >>> @checker("an-even-number", asks="An even number?", expects=number())
        ... def an_even_number(answer):
        ...     return "that is odd." if answer % 2 else None
        >>> REGISTER.pop("an-even-number").judge(3.0)
        'that is odd.'
    """

    def register(judge: Judge) -> Judge:
        _register(Checker(name, asks, expects, praise, judge))
        return judge

    return register


def _register(entry: Checker) -> None:
    if entry.name in REGISTER:
        raise ValueError(f"a checker named {entry.name!r} is registered already")
    REGISTER[entry.name] = entry


def recognise(answer: Any, mistakes: Sequence[Mistake], alike: Callable[[Any, Any], bool]) -> str | None:
    """The hint of the first mistake in a table that an answer shows, None where it shows none.

    ``alike`` compares the answer with a wrong one; a mistake that is a function is called instead.

    Example:
        >>> recognise(4, [((2, 4), "even"), (lambda x: x < 0, "negative")], lambda x, y: x == y)
        'even'
    """
    for mistake, hint in mistakes:
        wrong = mistake if isinstance(mistake, tuple) else (mistake,)
        if any(one(answer) if callable(one) else alike(answer, one) for one in wrong):
            return _said(hint, answer)
    return None


def _said(hint: str | Callable[[Any], str], answer: Any) -> str:
    return hint(answer) if callable(hint) else hint


def outside(low: float, high: float) -> Callable[[float], bool]:
    """True of numbers that do not lie between the two, both included.

    Example:
        >>> outside(-1, 1)(1.5), outside(-1, 1)(1.0)
        (True, False)
    """
    return lambda answer: not low <= answer <= high


def not_whole(answer: float) -> bool:
    """True of numbers that are no counts.

    Example:
        >>> not_whole(2.5), not_whole(3.0)
        (True, False)
    """
    return answer != int(answer)


def same(
    x: float | Float[Tensor, " n"], y: float | Sequence[float] | Float[Tensor, " n"], tolerance: float = 1e-3
) -> bool:
    """Equal up to a share ``tolerance`` of y, or up to 1e-12 where y is 0; for vectors in each entry but ``ANY`` in y.

    Example:
        >>> same(10.005, 10), same(torch.tensor([1.0, 2.0]), torch.tensor([1.0, ANY])), same(torch.ones(3), 1)
        (True, True, True)
    """
    given, wanted = (torch.as_tensor(values, dtype=torch.float64) for values in (x, y))
    return not bool(((given - wanted).abs() > (tolerance * wanted.abs()).clamp_min(1e-12)).any())


def parallel(x: Float[Tensor, " d"], y: Float[Tensor, " d"], tolerance: float = 1e-6) -> bool:
    """Whether two vectors lie along one line, in whichever direction: |cos| > 1 - tolerance.

    Example:
        >>> parallel(torch.tensor([1.0, 2.0]), torch.tensor([-2.0, -4.0]))
        True
    """
    x, y = (v / v.abs().amax().clamp_min(torch.finfo(v.dtype).tiny) for v in (x, y))
    lengths = torch.linalg.vector_norm(x) * torch.linalg.vector_norm(y)
    return bool((x @ y).abs() > (1 - tolerance) * lengths)


#: Mistakes that can be made in any exercise, by what they are.
GENERAL = {
    "sign": "the size is right, the sign is not.",
    "reciprocal": "that is upside down: you have its reciprocal.",
    "square": "you have the square of what is asked.",
    "root": "you have the square root of what is asked.",
    "percent": "give a plain number, not one in percent.",
    "factor": "a factor of two is missing or too many, once or twice.",
    "close": "close, but not close enough: keep more digits.",
    "zeros": "all entries are 0.",
    "signs": "the sizes are right, the sign is not.",
    "transpose": "that is the transpose of what is asked.",
    "length": "right direction, wrong length: a factor is missing or too many.",
    "order": "the right numbers in the wrong order.",
}


def number_hint(answer: float, right: float, tolerance: float = 1e-3) -> str | None:
    """What kind of mistake turns the right number into this one, where that can be seen; None where it cannot.

    Example:
        >>> number_hint(-3.0, 3.0)
        'the size is right, the sign is not.'
    """
    if not right:
        return None
    made = [("sign", -right), ("reciprocal", 1 / right), ("square", right**2), ("root", abs(right) ** 0.5),
            ("percent", 100 * right), *(("factor", factor * right) for factor in (2, 0.5, 4, 0.25))]
    kinds = [kind for kind, wrong in made if same(answer, wrong, tolerance)]
    if not kinds and same(answer, right, min(20 * tolerance, 0.02)):
        kinds = ["close"]
    return GENERAL[kinds[0]] if kinds else None


def tensor_hint(answer: Float[Tensor, "..."], right: Float[Tensor, "..."], tolerance: float = 1e-6) -> str | None:
    """The same for a tensor of the right shape: sign, transposition, length, order, single entries.

    Example:
        >>> tensor_hint(torch.tensor([2.0, 1.0]), torch.tensor([1.0, 2.0]))
        'the right numbers in the wrong order.'
    """
    size = torch.linalg.vector_norm(right)
    close = lambda x, y: bool(torch.linalg.vector_norm(x - y) <= tolerance * size)  # noqa: E731
    if not answer.any() and right.any():
        return GENERAL["zeros"]
    if close(answer, -right):
        return GENERAL["signs"]
    if right.ndim == 2 and right.shape[0] == right.shape[1] and close(answer.mT, right):
        return GENERAL["transpose"]
    if parallel(answer.flatten(), right.flatten(), tolerance):
        return GENERAL["length"]
    if right.ndim == 1 and close(answer.sort().values, right.sort().values):
        return GENERAL["order"]
    wrong = ((answer - right).abs() > tolerance * right.abs().clamp_min(1)).nonzero().squeeze(-1).tolist()
    if right.ndim == 1 and 0 < len(wrong) < right.numel():
        return f"not all entries are right; look again at number {wrong[0] + 1} in the list."
    return None
