"""The circuit of a stored result: its heads, where they look, and what was stored of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float

from svf_helpers.experiments import Result
from svf_helpers.ioi import ORDERS, CircuitHead

__all__ = [
    "by_route",
    "circuit_markdown",
    "head_titles",
    "heads_markdown",
    "heads_of",
    "routes",
    "sparsity_in_other_bases",
]


def heads_of(result: Result) -> list[CircuitHead]:
    """The heads of a stored result, each with the destination and the source token at which it was decomposed.

    Example:
        >>> from svf_helpers.experiments import load
        >>> heads_of(load("pocket-pythia-ioi"))[0]
        CircuitHead(job='S1+1→S1', layer=0, head=0, destination='S1+1', source='S1')
    """
    columns = (result[name].tolist() for name in ("job", "layer", "head", "destination", "source"))
    return [CircuitHead(*row) for row in zip(*columns, strict=True)]


def head_titles(circuit: Iterable[CircuitHead]) -> list[str]:
    """What figures call the heads: layer, number, and from where to where each looks.

    Example:
        >>> head_titles([CircuitHead("S-Inhibition", 7, 9, "END", "S2")])
        ['7.9 END→S2']
    """
    return [f"{head.layer}.{head.head} {head.destination}→{head.source}" for head in circuit]


def routes(circuit: Iterable[CircuitHead]) -> list[tuple[str, str]]:
    """Destination and source of some heads, each pair once, in their order.

    Example:
        >>> from svf_helpers.ioi import PYTHIA_HEADS
        >>> routes(PYTHIA_HEADS)
        [('S1+1', 'S1'), ('S2', 'S1+1'), ('END', 'IO'), ('END', 'S2')]
    """
    return list(dict.fromkeys((head.destination, head.source) for head in circuit))


def by_route(
    values: Float[np.ndarray, "K heads prompts"], circuit: Sequence[CircuitHead]
) -> dict[str, Float[np.ndarray, "K some prompts"]]:
    """Values of the heads of a circuit, those that look from the same token to the same token together.

    Example:
        >>> two = [CircuitHead("", 0, 0, "END", "IO"), CircuitHead("", 0, 1, "S2", "S1")]
        >>> {route: part.tolist() for route, part in by_route(np.array([[[0.1], [0.2]]]), two).items()}
        {'END→IO': [[[0.1]]], 'S2→S1': [[[0.2]]]}
    """
    return {
        f"{to}→{source}": values[:, [(head.destination, head.source) == (to, source) for head in circuit]]
        for to, source in routes(circuit)
    }


def sparsity_in_other_bases(result: Result) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Sparsity and its rotated null, both [K, heads, prompts], in the bases besides the plain one; "offset" is there
    only for models with rotary positions.

    Example:
        >>> from svf_helpers.experiments import load
        >>> list(sparsity_in_other_bases(load("pocket-pythia-ioi")))
        ['offset', 'whitened']
    """
    stored = [basis for basis in ("offset", "whitened") if f"summary_sparsity_{basis}" in result.arrays]
    return {basis: (result[f"summary_sparsity_{basis}"], result[f"summary_null_{basis}"]) for basis in stored}


def heads_markdown(
    circuit: Iterable[CircuitHead], columns: Sequence[str] = (), cells: Sequence[Sequence[str]] = ()
) -> str:
    """A circuit as a Markdown table, one line for each head, with more columns if there is more to say.

    Args:
        circuit: the heads.
        columns: titles of more columns.
        cells: what stands in them, for each head.

    Raises:
        ValueError: if there are columns, but not as many rows of cells as heads.

    Example:
        >>> print(heads_markdown([CircuitHead("Name Mover", 8, 2, "END", "IO")], ["Mean ρ"], [["3.1"]]))
        | Head | Job | Destination | Source | Mean ρ |
        |---|---|---|---|---|
        | 8.2 | Name Mover | END | IO | 3.1 |
    """
    circuit = list(circuit)
    cells = cells if columns else [()] * len(circuit)
    titles = ["Head", "Job", "Destination", "Source", *columns]
    rows = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for head, more in zip(circuit, cells, strict=True):
        row = [f"{head.layer}.{head.head}", head.job, head.destination, head.source, *more]
        rows.append(f"| {' | '.join(row)} |")
    return "\n".join(rows)


def circuit_markdown(result: Result) -> str:
    """The circuit of a stored result as a Markdown table: how much and how often each head attends at the end.

    Example:
        >>> from svf_helpers.experiments import load
        >>> print(circuit_markdown(load("pocket-pythia-ioi")).splitlines()[2])
        | 0.0 | S1+1→S1 | S1+1 | S1 | 0.3 | 0 % | 100 % |
    """
    cells = []
    for rho in result["relative"][-1]:
        often = [f"{100 * (rho[result['order'] == kind] > 0).mean():.0f} %" for kind in ORDERS]
        cells.append([f"{rho.mean():.1f}", *often])
    return heads_markdown(heads_of(result), ["Mean ρ", *(f"ρ > 0, {kind}" for kind in ORDERS)], cells)
