"""Numbers as a sentence has them: a range, a list, so many of so many, how sure that share is; and Markdown tables."""

from collections.abc import Iterable, Sequence
from typing import SupportsFloat

import numpy as np
from jaxtyping import Bool

from svf_helpers.chapters.kit.style import Array

__all__ = ["interval_of", "list_of", "listed", "low_to_high", "percent", "so_many", "table"]

Values = Array | Iterable[SupportsFloat]


def low_to_high(values: Values, form: str = ".0f") -> str:
    """The least and the largest value, or one number where both read the same.

    Args:
        values: at least one.
        form: how a number is written, as in ``format(value, form)``.

    Raises:
        ValueError: if there is no value.

    Example:
        >>> low_to_high([7, 5, 6]), low_to_high([1000, 1000], ",.0f"), low_to_high([0.9981, 1.0004], ".3f")
        ('5 to 7', '1,000', '0.998 to 1.000')
    """
    numbers = [float(value) for value in values]
    if not numbers:
        raise ValueError("low_to_high: there is no value")
    low, high = (format(number, form) for number in (min(numbers), max(numbers)))
    return low if low == high else f"{low} to {high}"


def list_of(values: Values, form: str) -> str:
    """All values with commas between them, each written as ``format(value, form)``.

    Example:
        >>> list_of([24, 21.04], ".1f")
        '24.0, 21.0'
    """
    return ", ".join(format(float(value), form) for value in values)


def listed(words: Iterable[str]) -> str:
    """Words as a sentence lists them; ``ValueError`` if there are none.

    Example:
        >>> listed(["END→IO", "S2→S1", "S1+1→S1"]), listed(["0.1"])
        ('END→IO, S2→S1 and S1+1→S1', '0.1')
    """
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def percent(share: SupportsFloat) -> str:
    """A share as a whole number of per cent, without the sign.

    Example:
        >>> percent(0.426)
        '43'
    """
    return f"{100 * float(share):.0f}"


def so_many(hits: Bool[Array, "*cases"]) -> str:
    """How many of all cases are hits.

    Raises:
        ValueError: if there is no case, or they are not true or false.

    Example:
        >>> so_many(np.array([[True, False], [False, False]]))
        '1 of 4'
    """
    hits = _cases(hits)
    return f"{hits.sum()} of {hits.size}"


def interval_of(hits: Bool[Array, "*cases"]) -> str:
    """The 95 % interval (Wilson's, good for few cases too) of the share of hits, in per cent.

    Args:
        hits: true or false, of cases that are independent of each other.

    Raises:
        ValueError: if there is no case, or they are not true or false.

    Example:
        >>> interval_of(np.arange(20) < 4)
        '8 to 42 %'
    """
    hits = _cases(hits)
    count, total, z = int(hits.sum()), hits.size, 1.96  # standard deviations of a normal distribution that hold 95 %
    centre, spread = count + z**2 / 2, z * np.sqrt(count * (total - count) / total + z**2 / 4)
    low, high = max(0.0, centre - spread) / (total + z**2), (centre + spread) / (total + z**2)
    return f"{100 * low:.0f} to {100 * high:.0f} %"


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table.

    Example:
        >>> print(table(["Head", "S"], [["0.3", "0.11"]]))
        | Head | S |
        |---|---|
        | 0.3 | 0.11 |
    """
    head, *lines = ("".join(f"| {cell}".rstrip() + " " for cell in cells) + "|" for cells in (titles, *rows))
    return "\n".join([head, "|---" * len(titles) + "|", *lines])


def _cases(hits: Bool[Array, "*cases"]) -> Bool[np.ndarray, "*cases"]:
    hits = np.asarray(hits)
    if hits.dtype != bool or not hits.size:
        raise ValueError(f"at least one case is needed, true or false, got {hits.dtype} {hits.shape}")
    return hits
