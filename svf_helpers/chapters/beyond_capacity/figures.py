"""Figures of heads with more pairs of interest than dimensions, in the house style (paper, appendix E, Figure 23)."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from svf_helpers.chapters.kit.style import (
    DIVERGING,
    OKABE_ITO,
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


def merger_costs(merged: Float[Array, "N N"]) -> Figure:
    """What it costs to put two pairs on one vector: a numbered cell for each two, darker where it is dearer.

    Args:
        merged: entry (i, j) with i > j is the cost for pairs i and j, counted from 0; the rest is not shown.

    Raises:
        ValueError: for a matrix that is not square, or a cost that is no number.

    Example:
        >>> [text.get_text() for text in merger_costs([[0, 0, 0], [0.5, 0, 0], [0.4, 0.25, 0]]).axes[0].texts]
        ['0.500', '0.400', '0.250']
    """
    merged = as_array(merged, "merged", 2, finite=False)
    count = len(merged)
    if merged.shape != (count, count) or count < 2:
        raise ValueError(f"merged: a square matrix of two pairs or more is needed, got {merged.shape}")
    below = np.tril(np.ones_like(merged, dtype=bool), -1)
    costs = as_array(merged[below], "merged, below the diagonal", 1)
    with house_style():
        figure, axes = new_figure(1, 1, 3.2, width=4.2)
        axis = axes[0, 0]
        shown = np.where(below, merged, np.nan)[1:, :-1]
        axis.imshow(shown, cmap=SEQUENTIAL, vmin=0.75 * costs.min(), vmax=1.15 * costs.max())
        for i, j in zip(*np.nonzero(below), strict=True):
            axis.text(j, i - 1, f"{merged[i, j]:.3f}", ha="center", va="center", fontsize=8.5)
        axis.set(xlabel="pair", ylabel="pair merged with it")
        axis.set_xticks(range(count - 1), range(1, count))
        axis.set_yticks(range(count - 1), range(2, count + 1))
    return figure


def sinking_logits(
    unseen: Float[Array, " T"],
    served: Float[Array, "T k"],
    counts: Float[Array, " C"],
    best: Float[Array, "C k"],
    trained: Sequence[Float[Array, "C k"]],
) -> Figure:
    """Own logits of the pairs that have a vector: against the target of an unseen pair, and the number of pairs.

    Args:
        unseen: targets of a pair that the head has no vector for.
        served: the best logits of the pairs it does serve, for each of them.
        counts: numbers of pairs.
        best: own logits of the first pairs in the best matrices, drawn as lines.
        trained: the same in trained heads, drawn as dots and crosses.

    Raises:
        ValueError: for shapes that do not match.

    Example:
        >>> figure = sinking_logits([0, 4], [[5, 4], [4, 3]], [2, 3], [[5, 4], [3, 2]], [[[5, 4], [3, 2]]])
        >>> [axis.get_xlabel() for axis in figure.axes]
        ['target of the unseen pair', 'number of pairs']
    """
    left, right = as_array(unseen, "unseen", 1), as_array(counts, "counts", 1)
    served, best = as_array(served, "served", 2), as_array(best, "best", 2)
    dots = [as_array(each, "trained", 2) for each in trained]
    k = served.shape[1]
    if served.shape != (len(left), k) or any(each.shape != (len(right), k) for each in (best, *dots)):
        raise ValueError(f"served [{len(left)}, k], best and trained [{len(right)}, k] are needed, got {served.shape}, "
                         f"{best.shape} and {[each.shape for each in dots]}")
    if k > len(OKABE_ITO) or len(dots) > 2:
        raise ValueError(f"at most {len(OKABE_ITO)} pairs and two kinds of heads, got {k} and {len(dots)}")
    top = 1.05 * max(part.max() for part in (served, best, *dots))
    with house_style():
        figure, axes = new_figure(1, 2, 2.9)
        for pair, colour in enumerate(OKABE_ITO[:k]):
            axes[0, 0].plot(left, served[:, pair], color=colour, label=f"pair {pair + 1}")
            axes[0, 1].plot(right, best[:, pair], color=colour)
            for each, marker in zip(dots, "ox", strict=False):
                axes[0, 1].plot(right, each[:, pair], marker, color=colour, markersize=4)
        axes[0, 0].set(xlabel="target of the unseen pair", ylabel="own logit", ylim=(0, top))
        axes[0, 1].set(xlabel="number of pairs", ylim=(0, top))
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=k)
    return figure


def sparsity_lines(
    counts: Float[Array, " C"], lines: Mapping[str, Float[Array, " C"]], null: Float[Array, " C"]
) -> Figure:
    """Mean sparsity over the number of pairs, a line for each kind of head; the null is dashed.

    Args:
        counts: numbers of pairs.
        lines: kind of head -> mean sparsity.
        null: that of the same singular values in random directions.

    Raises:
        ValueError: for lines of another length, or too many.

    Example:
        >>> axis = sparsity_lines([5, 6], {"as trained": [0.3, 0.4]}, [0.6, 0.6]).axes[0]
        >>> [text.get_text() for text in axis.get_legend().get_texts()]
        ['as trained', 'null']
    """
    at, null = as_array(counts, "counts", 1), as_array(null, "null", 1)
    kinds = {name: as_array(values, f"lines[{name!r}]", 1) for name, values in lines.items()}
    if any(len(values) != len(at) for values in (null, *kinds.values())) or len(kinds) > 3:
        raise ValueError(f"lines and null: up to three lines of {len(at)} values each are needed")
    with house_style():
        figure, axes = new_figure(1, 1, 2.9, width=5.2)
        axis = axes[0, 0]
        for (name, values), marker, colour in zip(kinds.items(), "os^", OKABE_ITO, strict=False):
            axis.plot(at, values, marker=marker, color=colour, label=name)
        axis.plot(at, null, "--", color="#808080", label="null")
        axis.set(xlabel="number of pairs", ylabel="sparsity of terms", ylim=(0.2, 0.7))
        axis.legend(ncols=2)
    return figure
