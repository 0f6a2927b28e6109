"""A stored circuit, grouped by where its heads look; and its sparsity in the bases besides the plain one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float

from svf_helpers.experiments import Result
from svf_helpers.ioi import CircuitHead


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
    """Sparsity and its rotated null, both [K, heads, prompts], in the bases besides the plain one.

    "offset" is there only for models with rotary positions.
    """
    stored = [basis for basis in ("offset", "whitened") if f"summary_sparsity_{basis}" in result.arrays]
    return {basis: (result[f"summary_sparsity_{basis}"], result[f"summary_null_{basis}"]) for basis in stored}
