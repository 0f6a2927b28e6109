"""Figures of rotary heads: the bands that features use (Figure 22), what changes with the offset, the counterweight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from torch import Tensor

from svf_helpers.chapters.kit.style import MARKERS, OKABE_ITO, SEQUENTIAL, colour_bar, house_style, new_figure


def band_shares(
    query: Float[np.ndarray, "m bands"],
    key: Float[np.ndarray, "m bands"],
    *,
    query_labels: Sequence[str],
    key_labels: Sequence[str],
) -> Figure:
    """Share of each feature's head vector in each band, query and key side, as in Figure 22; numbers in the cells."""
    m, bands = query.shape
    sides = ((query, query_labels, "query side"), (key, key_labels, "key side"))
    with house_style():
        figure, axes = new_figure(1, 2, 1.3 + 0.36 * m)
        for axis, (side, labels, title) in zip(axes[0], sides, strict=True):
            image = axis.imshow(side, cmap=SEQUENTIAL, vmin=0, vmax=1, aspect="auto")
            for (row, band), value in np.ndenumerate(side):
                axis.text(band, row, f"{value:.2f}", ha="center", va="center", fontsize=8,
                          color="white" if value > 0.6 else "#1a1a1a")
            axis.set_xticks(range(bands))
            axis.set_yticks(range(m), labels)
            axis.set(xlabel="band $b$ (0 turns fastest)", title=title)
        colour_bar(figure, image, "share of squared length", shrink=0.9)
    return figure


def over_offsets(
    offsets: Int[Tensor, " K"],
    singular_values: Float[Tensor, "K m"],
    turns: Float[Tensor, "K m"],
    *,
    targets: Float[Tensor, "K m"],
    labels: Sequence[str],
) -> Figure:
    """Singular values (left) and how far their vectors have turned (right), against the offset; one line a pair.

    ``turns`` are degrees between a singular vector and the one it was at offset 0; ``targets`` what each pair's score
    should be, whose size is drawn as a dotted line.
    """
    panels = {"singular value (logits)": singular_values, "turned by (degrees)": turns}
    with house_style():
        figure, axes = new_figure(1, 2, 2.9)
        for axis, (title, panel) in zip(axes[0], panels.items(), strict=True):
            for k, label in enumerate(labels):
                axis.plot(offsets, panel[:, k], color=OKABE_ITO[k], label=label, marker=MARKERS[k], markersize=4,
                          markevery=(k, max(1, len(offsets) // 6)))
            axis.set(xlabel=r"offset $\Delta$", ylabel=title)
            axis.set_ylim(bottom=0)
        axes[0, 0].plot(offsets, targets.abs(), color="#1a1a1a", linestyle=":", linewidth=1)
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def counterweight(slopes: Mapping[str, tuple[Float[Tensor, " E"], Float[Tensor, " E"]]]) -> Figure:
    """Slope of the cross-talk from bands 3 and 4 (across) against that from band 2 (up), one dot for two pairs.

    ``slopes`` are those two, in logits per position, for each kind of models. On the falling dotted line the two
    cancel; on the level line band 2 does nothing.
    """
    with house_style():
        figure, ((axis,),) = new_figure(1, 1, 3.2, width=4.8)
        for (name, both), marker, colour in zip(slopes.items(), MARKERS, OKABE_ITO, strict=False):
            axis.plot(*both, marker, color=colour, markersize=5, label=name, alpha=0.8)
        axis.axline((0, 0), slope=-1, color="#808080", linestyle=":", linewidth=1)
        axis.axhline(0, color="#cccccc", linewidth=0.8, zorder=0)
        axis.set(xlabel="slope from bands 3 and 4 (logits per position)",
                 ylabel="slope from band 2 (logits per position)")
        axis.legend()
    return figure
