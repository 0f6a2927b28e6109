"""Figures of the chapter on Theorem 2: where its proof loses, and both bounds beside measured dictionaries."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from svf_helpers.chapters.kit.style import KEY, MARKERS, OKABE_ITO, QUERY, Array, as_array, house_style, new_figure
from svf_helpers.theory import SILENT_ABOVE, sharp_bound_from_anisotropy, theorem2_bound

#: What is set against what, by the step of the proof that promises it.
SHARES = {
    "Neumann": r"$\Vert R_F\Vert$ of $\eta$",
    "submultiplicativity": r"$\Vert\Delta\Vert$ of $\gamma$",
    "Weyl": r"$1-\gamma$ of $\sigma_1$",
    "Wedin": r"sine of $\Vert\Delta\Vert/\sigma_1$",
    "all together": r"sine of $\gamma/(1-\gamma)$",
}
DOTS = [OKABE_ITO[k] for k in (2, 4, 5, 3, 6)]  # neither of the two colours that the bounds have, and not black


def used_room(epsilons: Float[Array, " E"], used: Mapping[str, Float[Array, "E pairs"]]) -> Figure:
    """How much of each step's room is used, against epsilon: medians over pairs of dictionaries.

    ``used``: step of the proof, by a name of ``SHARES`` -> the share of its room that each pair uses.
    """
    with house_style():
        figure, ((axis,),) = new_figure(1, 1, 3.4)
        for (step, shares), marker in zip(used.items(), MARKERS, strict=False):
            medians = np.median(as_array(shares, step, 2), 1)
            axis.plot(epsilons, medians, marker=marker, markersize=4, label=f"{SHARES[step]} ({step})")
        axis.set(ylim=(0, 1.05), xlabel=r"$\varepsilon$", ylabel="share of the room that is used")
        axis.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def bounds(epsilons: Float[Array, " W"], measured: Float[Array, " W"]) -> Figure:
    """Both bounds over the whole range of epsilon, and the |cos| measured on some dictionaries."""
    with house_style():
        figure, ((axis,),) = new_figure(1, 1, 3.6)
        _draw_bounds(axis, "sharp bound (this book)", "Theorem 2 (the paper)")
        axis.scatter(epsilons, measured, color="black", s=18, zorder=3, label="worst dictionaries, measured")
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

    ``dimensions`` are those of each dictionary's space: up to five different ones (else ``ValueError``), each with its
    colour.
    """
    kinds = sorted(set(dimensions.tolist()), reverse=True)
    if len(kinds) > len(DOTS):
        raise ValueError(f"dimensions: at most {len(DOTS)} different ones can be told apart, got {len(kinds)}")
    with house_style():
        figure, (axes,) = new_figure(1, 2, 3.4)
        for axis, limits in zip(axes, ((0, 1, 0, 1.02), (0, 0.2, 0.7, 1.005)), strict=True):
            for kind, colour in zip(kinds, DOTS, strict=False):
                here = dimensions == kind
                axis.scatter(epsilons[here], measured[here], color=colour, s=4, alpha=0.6, linewidth=0,
                             label=f"d = {kind}")
            _draw_bounds(axis, "sharp bound", "Theorem 2")
            axis.set(xlim=limits[:2], ylim=limits[2:], xlabel=r"$\varepsilon$ at the best scale")
        axes[0].set_ylabel("cosine of feature and singular vector")
        axes[1].legend(loc="lower left", markerscale=3)
    return figure


def _draw_bounds(axis: Axes, sharp: str, paper: str) -> None:
    everywhere = torch.linspace(0, 1, 400, dtype=torch.float64)
    spoken = torch.linspace(0, SILENT_ABOVE, 100, dtype=torch.float64)
    axis.plot(everywhere, sharp_bound_from_anisotropy(everywhere), color=QUERY, label=sharp)
    axis.plot(spoken, theorem2_bound(spoken), color=KEY, linestyle="--", label=paper)
