"""The circuit that a stored result decomposes: its heads, what to call them, and their counts by the order of names."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Bool, Num, Shaped

from svf_helpers.experiments import Result
from svf_helpers.ioi import ORDERS, CircuitHead

__all__ = ["counts_by_order", "head_titles", "heads_of"]


def heads_of(result: Result) -> list[CircuitHead]:
    """The heads of a stored result, each with the destination and the source token at which it was decomposed.

    Example:
        >>> from svf_helpers.experiments import load
        >>> [(head.layer, head.head, head.job) for head in heads_of(load("pocket-gpt2-ioi"))]
        [(0, 3, 'END→S2'), (2, 1, 'S2→S1+1'), (4, 0, 'S1+1→S1')]
    """
    columns = (result[name].tolist() for name in ("job", "layer", "head", "destination", "source"))
    return [CircuitHead(*row) for row in zip(*columns, strict=True)]


def head_titles(circuit: Iterable[CircuitHead]) -> list[str]:
    """What figures and tables call the heads: layer, number, and from where to where each looks.

    Example:
        >>> head_titles([CircuitHead("S-Inhibition", 0, 3, "END", "S2")])
        ['0.3 END→S2']
    """
    return [f"{head.layer}.{head.head} {head.destination}→{head.source}" for head in circuit]


def counts_by_order(
    counts: Num[np.ndarray, "heads prompts"],
    attends: Bool[np.ndarray, "heads prompts"],
    order: Shaped[np.ndarray, " prompts"],
) -> dict[str, list[Num[np.ndarray, " cases"]]]:
    """Each head's counts over the prompts in which it attends, for ABBA and BABA prompts separately.

    Args:
        counts: of terms.
        attends: whether relative attention is positive; other prompts are left out.
        order: "ABBA" or "BABA", for each prompt.

    Example:
        >>> attends = np.array([[True, False, True]])
        >>> by_order = counts_by_order(np.array([[1, 0, 3]]), attends, np.array(["ABBA", "ABBA", "BABA"]))
        >>> {kind: [row.tolist() for row in rows] for kind, rows in by_order.items()}
        {'ABBA': [[1]], 'BABA': [[3]]}
    """
    return {kind: [row[here & (order == kind)] for row, here in zip(counts, attends, strict=True)] for kind in ORDERS}
