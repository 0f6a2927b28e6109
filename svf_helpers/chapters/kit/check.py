"""Checkers that mark a reader's answer to an exercise: they say what is wrong with it, never what the answer is.

``check("theorem1-detector", answer)`` prints one line. Each chapter has its own, and they stand beside it::

    from svf_helpers.chapters.theorem1.exercises import check
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from svf_helpers.chapters.kit.answers import Unreadable
from svf_helpers.chapters.kit.marking import REGISTER
from svf_helpers.chapters.kit.rooms import modules

__all__ = ["Mark", "check", "exercises"]


@dataclass(frozen=True)
class Mark:
    """The verdict on one answer. True where the answer is right; the message says why not where it is wrong.

    Example:
        >>> str(Mark("notation-chance", False, "a cosine lies between -1 and 1."))
        'Not yet: a cosine lies between -1 and 1.'
    """

    name: str
    right: bool
    message: str

    def __bool__(self) -> bool:
        return self.right

    def __str__(self) -> str:
        return f"{'Right' if self.right else 'Not yet'}: {self.message}"

    def _ipython_display_(self) -> None:
        """Shows nothing: the line is printed already when a cell ends in a call of :func:`check`."""


def check(name: str, answer: Any) -> Mark:
    """Mark an answer to an exercise, print the verdict in one line, and return it.

    Args:
        name: the exercise's name as the chapter gives it; :func:`exercises` lists them all.
        answer: numbers as floats, ints, lists, numpy arrays or tensors; a function where one is asked for.

    Raises:
        ValueError: for a name that no exercise has. A wrong answer, of whatever type, is no error.

    Example:
        >>> mark = check("notation-chance", 10)
        Not yet: a cosine lies between -1 and 1.
        >>> mark.right
        False
        >>> _ = check("notation-chance", [0.1, 0.2])
        Not yet: expected one number, got shape (2,).
    """
    if not isinstance(name, str) or name not in REGISTER:
        modules("exercises")  # a chapter's own are there already; now for those of all the others
    if not isinstance(name, str) or name not in REGISTER:
        near = get_close_matches(str(name), REGISTER, n=1)
        meant = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"no exercise is named {name!r}.{meant} Known are: {', '.join(sorted(REGISTER))}")
    entry = REGISTER[name]
    try:
        hint = entry.judge(entry.form.read(answer))
    except Unreadable as error:
        hint = str(error)
    mark = Mark(name, hint is None, entry.praise if hint is None else hint)
    print(mark)
    return mark


def exercises() -> dict[str, str]:
    """The exercises that can be marked: name -> what is asked, and in which form.

    Example:
        >>> "theorem1-detector" in exercises()
        True
    """
    modules("exercises")
    return {name: f"{entry.asks} Answer: {entry.form.words}." for name, entry in sorted(REGISTER.items())}
