"""Figures of heads with more pairs of interest than dimensions, in the house style (paper, appendix E, Figure 23)."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from svf_helpers.chapters.kit.style import (
    DIVERGING,
    SEQUENTIAL,
    WIDTH,
    Array,
    as_array,
    as_cosines,
    as_labels,
    colour_bar,
    house_style,
    new_figure,
)


def vector_panels(
    rows: Sequence[Sequence[Float[Array, "m r"]]],
    *,
    columns: Sequence[str],
    names: Sequence[str] | None = None,
) -> Figure:
    """|cos| of each pair's feature (down) with each singular vector (across), a panel for each case, as in Figure 23.

    Args:
        rows: for each row of panels, a list of matrices [pairs, vectors]; signs are dropped. Pairs stand by falling
            target, vectors by falling singular value, so that a diagonal is alignment by rank.
        columns: what stands above each column of panels.
        names: what stands beside each row of panels.

    Raises:
        ValueError: for rows of different lengths, a missing name, or values that are no cosines.

    Example:
        >>> figure = vector_panels([[np.eye(3), np.ones((5, 3))]], columns=["3 pairs", "5 pairs"])
        >>> [axis.get_title() for axis in figure.axes[:2]]
        ['3 pairs', '5 pairs']
    """
    columns = as_labels(columns, len(columns), "columns", "{}")
    names = [""] * len(rows) if names is None else as_labels(names, len(rows), "names", "{}")
    if not rows or any(len(row) != len(columns) for row in rows):
        raise ValueError(f"rows: {len(columns)} matrices are needed in each, got {[len(row) for row in rows]}")
    panels = [[np.abs(as_cosines(panel, "rows", 2)) for panel in row] for row in rows]
    most, width = max(len(p) for row in panels for p in row), max(p.shape[1] for row in panels for p in row)
    cell = (WIDTH - 1.2) / len(columns) / (width + 1)  # inches, so that cells come out about square
    with house_style():
        height = 0.75 + len(rows) * ((most + 1) * cell + 0.25)
        figure, axes = new_figure(len(rows), len(columns), height, sharex=True, sharey=True)
        for line, row, name in zip(axes, panels, names, strict=True):
            for axis, panel in zip(line, row, strict=True):
                extent = (0.5, panel.shape[1] + 0.5, len(panel) + 0.5, 0.5)
                image = axis.imshow(panel, cmap=SEQUENTIAL, vmin=0, vmax=1, aspect="auto", extent=extent)
                axis.set(xlim=(0.5, width + 0.5), ylim=(most + 0.5, 0.5))
                for number in (axis.xaxis, axis.yaxis):
                    number.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5]))
                axis.tick_params(length=2, labelsize=7.5)
            line[0].set_ylabel(f"{name}\npair" if name else "pair")
        for axis, title in zip(axes[0], columns, strict=True):
            axis.set_title(title, fontsize=9)
        figure.supxlabel("rank of the singular vector", fontsize=9.5)
        colour_bar(figure, image, "|cosine|", shrink=0.7)
    return figure


def pair_panels(
    matrices: Sequence[Float[Array, "N N"]],
    *,
    titles: Sequence[str],
    label: str,
    own_scale: bool = False,
) -> Figure:
    """Logits, or attention, between every pair's query feature (down) and every pair's key feature (across).

    Args:
        matrices: one for each panel. Values that are never negative are drawn from white to dark, others in red and
            blue around 0.
        titles: one for each panel.
        label: of the colour bar.
        own_scale: scale each panel to its own largest value, to compare patterns and not sizes.

    Raises:
        ValueError: for matrices that are not square, or a missing title.

    Example:
        >>> len(pair_panels([np.eye(3), np.ones((3, 3))], titles=["own", "all"], label="logit").axes)
        3
    """
    panels = [as_array(matrix, "matrices", 2) for matrix in matrices]
    titles = as_labels(titles, len(panels), "titles", "{}")
    if any(panel.shape[0] != panel.shape[1] for panel in panels):
        raise ValueError(f"matrices: square ones are needed, got {[panel.shape for panel in panels]}")
    if own_scale:
        panels = [panel / (np.abs(panel).max() or 1.0) for panel in panels]
    top = max(np.abs(panel).max() for panel in panels) or 1.0
    signed = any((panel < 0).any() for panel in panels)
    colours = {"cmap": DIVERGING, "vmin": -top, "vmax": top} if signed else {"cmap": SEQUENTIAL, "vmin": 0, "vmax": top}
    with house_style():
        figure, axes = new_figure(1, len(panels), 0.9 + 0.82 * WIDTH / len(panels))
        for axis, panel, title in zip(axes[0], panels, titles, strict=True):
            count = len(panel)
            image = axis.imshow(panel, extent=(0.5, count + 0.5, count + 0.5, 0.5), **colours)
            axis.set_title(title, fontsize=9)
            axis.set_xlabel("key of pair")
            for number in (axis.xaxis, axis.yaxis):
                number.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5]))
            axis.tick_params(length=2, labelsize=7.5)
        axes[0, 0].set_ylabel("query of pair")
        colour_bar(figure, image, label, shrink=0.75)
    return figure
