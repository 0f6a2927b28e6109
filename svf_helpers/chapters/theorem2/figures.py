"""Figures of the chapter on Theorem 2: where its proof loses, and both bounds beside measured dictionaries."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from svf_helpers.chapters.kit.style import (
    KEY,
    MARKERS,
    OKABE_ITO,
    QUERY,
    Array,
    as_array,
    house_style,
    new_figure,
)
from svf_helpers.theory import SILENT_ABOVE, sharp_bound_from_anisotropy, theorem2_bound

#: What is set against what, by the step of the proof that promises it.
SHARES = {
    "Neumann": r"$\Vert R_F\Vert$ of $\eta$",
    "submultiplicativity": r"$\Vert\Delta\Vert$ of $\gamma$",
    "Weyl": r"$1-\gamma$ of $\sigma_1$",
    "Wedin": r"sine of $\Vert\Delta\Vert/\sigma_1$",
    "all together": r"sine of $\gamma/(1-\gamma)$",
}


def used_room(epsilons: Float[Array, " E"], used: Mapping[str, Float[Array, "E pairs"]]) -> Figure:
    """How much of each step's room is used, against epsilon: medians over pairs of dictionaries.

    Args:
        epsilons: norm of E, one for each row of the shares.
        used: step of the proof, by a name of ``SHARES`` -> the share of its room that each pair uses.

    Raises:
        ValueError: for an unknown step, or shares that do not match ``epsilons``.

    Example:
        >>> figure = used_room([0.1, 0.2], {"Weyl": [[0.9, 0.8, 1.0], [0.6, 0.5, 0.7]]})
        >>> figure.axes[0].lines[0].get_ydata().tolist()
        [0.9, 0.6]
    """
    across = as_array(epsilons, "epsilons", 1)
    unknown = sorted(set(used) - set(SHARES))
    if unknown:
        raise ValueError(f"used: unknown steps {unknown}; the proof has {list(SHARES)}")
    shares = {step: as_array(values, f"used[{step!r}]", 2) for step, values in used.items()}
    with house_style():
        figure, ((axis,),) = new_figure(1, 1, 3.4)
        for (step, values), marker in zip(shares.items(), MARKERS, strict=False):
            if len(values) != len(across):
                raise ValueError(f"used[{step!r}]: {len(across)} rows are needed, one an epsilon, got {len(values)}")
            label = f"{SHARES[step]} ({step})"
            axis.plot(across, np.median(values, 1), marker=marker, markersize=4, label=label)
        axis.set(ylim=(0, 1.05), xlabel=r"$\varepsilon$", ylabel="share of the room that is used")
        axis.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def bounds(epsilons: Float[Array, " W"], measured: Float[Array, " W"]) -> Figure:
    """Both bounds over the whole range of epsilon, and the cosines measured on some dictionaries.

    Args:
        epsilons: of the dictionaries, at the best scale.
        measured: |cos| of feature and singular vector.

    Raises:
        ValueError: for lengths that differ.

    Example:
        >>> [text.get_text() for text in bounds([0.6], [0.8]).axes[0].get_legend().get_texts()]
        ['sharp bound (this book)', 'Theorem 2 (the paper)', 'worst dictionaries, measured']
    """
    across, up = as_array(epsilons, "epsilons", 1), as_array(measured, "measured", 1)
    if across.shape != up.shape:
        raise ValueError(f"epsilons and measured must have one length, got {len(across)} and {len(up)}")
    with house_style():
        figure, ((axis,),) = new_figure(1, 1, 3.6)
        _draw_bounds(axis, "sharp bound (this book)", "Theorem 2 (the paper)")
        axis.scatter(across, up, color="black", s=18, zorder=3, label="worst dictionaries, measured")
        axis.axvspan(SILENT_ABOVE, 1, color="#000000", alpha=0.05, linewidth=0)
        axis.text(0.3, 0.12, "Theorem 2 is silent here", color="#4d4d4d")
        axis.set(xlim=(0, 1.01), ylim=(0, 1.03), xlabel=r"$\varepsilon = \Vert E\Vert$ at the best scale",
                 ylabel="cosine of feature and singular vector")
        axis.legend(loc="lower left", bbox_to_anchor=(0.27, 0.2))
    return figure


def random_dictionaries(
    dimensions: Int[Array, " W"], epsilons: Float[Array, " W"], measured: Float[Array, " W"]
) -> Figure:
    """Both bounds with many dictionaries, one dot each; right, the corner in which Theorem 2 speaks.

    Args:
        dimensions: of each dictionary's space; up to five different ones, each with its colour.
        epsilons: at the best scale.
        measured: |cos| of feature and singular vector.

    Raises:
        ValueError: for lengths that differ, or too many different dimensions.

    Example:
        >>> figure = random_dictionaries(torch.tensor([2, 10, 2]), [0.5, 0.1, 0.2], [0.9, 1.0, 0.99])
        >>> [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
        ['d = 10', 'd = 2', 'sharp bound', 'Theorem 2']
    """
    across, up = as_array(epsilons, "epsilons", 1), as_array(measured, "measured", 1)
    d = as_array(dimensions, "dimensions", 1).astype(int)
    if not len(d) == len(across) == len(up):
        lengths = len(d), len(across), len(up)
        raise ValueError(f"dimensions, epsilons and measured must have one length, got {lengths}")
    kinds = sorted(set(d.tolist()), reverse=True)
    if len(kinds) > len(_DOTS):
        raise ValueError(f"dimensions: at most {len(_DOTS)} different ones can be told apart, got {len(kinds)}")
    with house_style():
        figure, (axes,) = new_figure(1, 2, 3.4)
        for axis, limits in zip(axes, ((0, 1, 0, 1.02), (0, 0.2, 0.7, 1.005)), strict=True):
            for kind, colour in zip(kinds, _DOTS, strict=False):
                dots = {"color": colour, "s": 4, "alpha": 0.6, "linewidth": 0, "label": f"d = {kind}"}
                axis.scatter(across[d == kind], up[d == kind], **dots)
            _draw_bounds(axis, "sharp bound", "Theorem 2")
            axis.set(xlim=limits[:2], ylim=limits[2:], xlabel=r"$\varepsilon$ at the best scale")
        axes[0].set_ylabel("cosine of feature and singular vector")
        axes[1].legend(loc="lower left", markerscale=3)
    return figure


# Colours of dots: neither of the two that the bounds have, and not black.
_DOTS = [OKABE_ITO[k] for k in (2, 4, 5, 3, 6)]


def _draw_bounds(axis: Axes, sharp: str, paper: str) -> None:
    everywhere = torch.linspace(0, 1, 400, dtype=torch.float64)
    spoken = torch.linspace(0, SILENT_ABOVE, 100, dtype=torch.float64)
    axis.plot(everywhere, sharp_bound_from_anisotropy(everywhere), color=QUERY, label=sharp)
    axis.plot(spoken, theorem2_bound(spoken), color=KEY, linestyle="--", label=paper)
