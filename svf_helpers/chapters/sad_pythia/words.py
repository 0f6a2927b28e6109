"""How the chapter's prose puts numbers: what a quantity does along training, and lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jaxtyping import Num

from svf_helpers.chapters.kit.style import Array

__all__ = ["listed", "moves"]


def moves(values: Num[Array, " K"] | Sequence[float], digits: int = 2) -> str:
    """What a quantity does from the first to the last checkpoint; what is rounded away is no change.

    Example:
        >>> moves([0.44, 0.9, 0.16]), moves([2.41, 2.69], 1), moves([0.101, 0.099])
        ('falls from 0.44 to 0.16', 'rises from 2.4 to 2.7', 'goes from 0.10 to 0.10')
    """
    first, last = (round(float(values[k]), digits) for k in (0, -1))
    word = "falls" if last < first else "rises" if last > first else "goes"
    return f"{word} from {first:.{digits}f} to {last:.{digits}f}"


def listed(words: Iterable[str]) -> str:
    """Words as a sentence lists them.

    Raises:
        ValueError: if there is nothing to list.

    Example:
        >>> listed(["END→IO", "S2→S1", "S1+1→S1"]), listed(["0.1"])
        ('END→IO, S2→S1 and S1+1→S1', '0.1')
    """
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
