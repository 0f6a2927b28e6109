"""Figures of heads with more pairs of interest than dimensions, in the house style (paper, appendix E, Figure 23)."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from svf_helpers.chapters.kit.style import (
    DIVERGING,
    OKABE_ITO,
    SEQUENTIAL,
    WIDTH,
    colour_bar,
    house_style,
    new_figure,
)


def vector_panels(
    rows: Sequence[Sequence[Float[Tensor, "_ _"]]], *, columns: Sequence[str], names: Sequence[str]
) -> Figure:
    """|cos| of each pair's feature (down) with each singular vector (across), a panel for each case, as in Figure 23.

    In each of ``rows`` stand matrices [pairs, vectors], pairs by falling target, vectors by falling singular value, so
    that a diagonal is alignment by rank. ``columns`` are titles, ``names`` stand beside the rows.
    """
    most, width = (max(panel.shape[axis] for row in rows for panel in row) for axis in (0, 1))
    cell = (WIDTH - 1.2) / len(columns) / (width + 1)  # inches, so that cells come out about square
    with house_style():
        height = 0.75 + len(rows) * ((most + 1) * cell + 0.25)
        figure, axes = new_figure(len(rows), len(columns), height, sharex=True, sharey=True)
        for line, row, name in zip(axes, rows, names, strict=True):
            for axis, panel in zip(line, row, strict=True):
                extent = (0.5, panel.shape[1] + 0.5, len(panel) + 0.5, 0.5)
                image = axis.imshow(panel.numpy(), cmap=SEQUENTIAL, vmin=0, vmax=1, aspect="auto", extent=extent)
                axis.set(xlim=(0.5, width + 0.5), ylim=(most + 0.5, 0.5))
                _few_ticks(axis)
            line[0].set_ylabel(f"{name}\npair")
        for axis, title in zip(axes[0], columns, strict=True):
            axis.set_title(title, fontsize=9)
        figure.supxlabel("rank of the singular vector", fontsize=9.5)
        colour_bar(figure, image, "|cosine|", shrink=0.7)
    return figure


def pair_panels(
    matrices: Sequence[Float[Tensor, "_ _"]], *, titles: Sequence[str], label: str, own_scale: bool = False
) -> Figure:
    """Logits, or attention, between every pair's query feature (down) and every pair's key feature (across).

    Values that are never negative are drawn from white to dark, others in red and blue around 0. ``own_scale`` scales
    each panel to its own largest value, to compare patterns and not sizes.
    """
    panels = [matrix / matrix.abs().max() if own_scale else matrix for matrix in matrices]
    top = max(float(panel.abs().max()) for panel in panels)
    signed = any(bool((panel < 0).any()) for panel in panels)
    colours = {"cmap": DIVERGING, "vmin": -top, "vmax": top} if signed else {"cmap": SEQUENTIAL, "vmin": 0, "vmax": top}
    with house_style():
        figure, axes = new_figure(1, len(panels), 0.9 + 0.82 * WIDTH / len(panels))
        for axis, panel, title in zip(axes[0], panels, titles, strict=True):
            image = axis.imshow(panel.numpy(), extent=(0.5, len(panel) + 0.5, len(panel) + 0.5, 0.5), **colours)
            axis.set_title(title, fontsize=9)
            axis.set_xlabel("key of pair")
            _few_ticks(axis)
        axes[0, 0].set_ylabel("query of pair")
        colour_bar(figure, image, label, shrink=0.75)
    return figure


def _few_ticks(axis: Axes) -> None:
    for number in (axis.xaxis, axis.yaxis):
        number.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5]))
    axis.tick_params(length=2, labelsize=7.5)


def merger_costs(merged: Float[np.ndarray, "N N"]) -> Figure:
    """What it costs to put two pairs on one vector: a numbered cell for each two, darker where it is dearer.

    Entry (i, j) with i > j is the cost for pairs i and j, counted from 0; the rest is NaN.
    """
    with house_style():
        figure, ((axis,),) = new_figure(1, 1, 3.2, width=4.2)
        lightest, darkest = 0.75 * np.nanmin(merged), 1.15 * np.nanmax(merged)
        axis.imshow(merged[1:, :-1], cmap=SEQUENTIAL, vmin=lightest, vmax=darkest)
        for i, j in np.argwhere(~np.isnan(merged)):
            axis.text(j, i - 1, f"{merged[i, j]:.3f}", ha="center", va="center", fontsize=8.5)
        axis.set(xlabel="pair", ylabel="pair merged with it")
        axis.set_xticks(range(len(merged) - 1), range(1, len(merged)))
        axis.set_yticks(range(len(merged) - 1), range(2, len(merged) + 1))
    return figure


def sinking_logits(
    unseen: Sequence[float],
    served: Float[Tensor, "T k"],
    counts: Sequence[int],
    best: Sequence[Sequence[float]],
    trained: Sequence[Sequence[Sequence[float]]],
) -> Figure:
    """Own logits of the pairs that have a vector: against the target of an unseen pair, and the number of pairs.

    Args:
        unseen: targets of a pair that the head has no vector for.
        served: the best logits of the k pairs it does serve, for each of them.
        counts: numbers of pairs.
        best: own logits of the first k pairs in the best matrices, drawn as lines.
        trained: the same in two kinds of trained heads, drawn as dots and crosses.
    """
    lines, dots = np.array(best), [np.array(each) for each in trained]
    top = 1.05 * max(part.max() for part in (served.numpy(), lines, *dots))
    with house_style():
        figure, ((left, right),) = new_figure(1, 2, 2.9)
        for pair in range(served.shape[1]):
            left.plot(unseen, served[:, pair], color=OKABE_ITO[pair], label=f"pair {pair + 1}")
            right.plot(counts, lines[:, pair], color=OKABE_ITO[pair])
            for each, marker in zip(dots, "ox", strict=False):
                right.plot(counts, each[:, pair], marker, color=OKABE_ITO[pair], markersize=4)
        left.set(xlabel="target of the unseen pair", ylabel="own logit", ylim=(0, top))
        right.set(xlabel="number of pairs", ylim=(0, top))
        figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=served.shape[1])
    return figure


def sparsity_lines(counts: Sequence[int], lines: Mapping[str, Sequence[float]], null: Sequence[float]) -> Figure:
    """Mean sparsity over the number of pairs, a line for each kind of head; the null is dashed."""
    with house_style():
        figure, ((axis,),) = new_figure(1, 1, 2.9, width=5.2)
        for (name, values), marker, colour in zip(lines.items(), "os^", OKABE_ITO, strict=False):
            axis.plot(counts, values, marker=marker, color=colour, label=name)
        axis.plot(counts, null, "--", color="#808080", label="null")
        axis.set(xlabel="number of pairs", ylabel="sparsity of terms", ylim=(0.2, 0.7))
        axis.legend(ncols=2)
    return figure
