"""Figures of the chapter on sparse attention decomposition in the toy model (Figures 5, 7a and 24), in house style."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from svf_helpers.chapters.kit.style import OKABE_ITO, Array, as_array, as_labels, house_style, new_figure, ranks_axis

CLASSES = ("no pair", "one pair", "two pairs")
COLOURS = (OKABE_ITO[1], OKABE_ITO[0], OKABE_ITO[2])
LINES = ("-.", "-", "--")


def term_panels(
    panels: Sequence[Sequence[Float[Array, "contexts m"]]],
    *,
    titles: Sequence[str],
    rows: Sequence[str] | None = None,
    limits: Sequence[tuple[float, float] | None] | None = None,
    shown: int = 80,
) -> Figure:
    """Terms of relative attention by rank, as in Figures 5 and 24: a bar for the mean, dots for single contexts.

    Args:
        panels: rows of panels, each panel the terms of some contexts.
        titles: one for each column.
        rows: names of the rows, put on their left axes.
        limits: of the y axis, one for each column; None (for a column, or altogether) fits each row to its terms.
        shown: how many contexts get dots, the first ones.

    Raises:
        ValueError: for rows of different lengths, or titles, names and limits that do not match them.

    Example:
        >>> len(term_panels([[np.eye(3), np.ones((2, 3))]], titles=["one term", "equal terms"]).axes)
        2
    """
    arrays = [[as_array(panel, "panels", 2) for panel in row] for row in panels]
    if not arrays or len({len(row) for row in arrays}) != 1:
        raise ValueError(f"panels: rows of one length are needed, got {[len(row) for row in arrays]}")
    columns = len(arrays[0])
    titles = as_labels(titles, columns, "titles", "{}")
    names = as_labels(rows, len(arrays), "rows", "term (logits)")
    limits = [None] * columns if limits is None else list(limits)
    if len(limits) != columns:
        raise ValueError(f"limits: one for each of {columns} columns, got {len(limits)}")
    with house_style():
        figure, axes = new_figure(len(arrays), columns, 0.5 + 1.9 * len(arrays))
        for line, (row, name) in enumerate(zip(arrays, names, strict=True)):
            low, high = min(float(p.min()) for p in row), max(float(p.max()) for p in row)
            room = 0.06 * (high - low) or 1.0
            for axis, panel, limit in zip(axes[line], row, limits, strict=True):
                ranks = np.arange(1, panel.shape[1] + 1)
                axis.bar(ranks, panel.mean(0), width=0.75, color=OKABE_ITO[5], alpha=0.75)
                dots = panel[:shown]
                shift = np.linspace(-0.25, 0.25, len(dots))[:, None]
                axis.plot(ranks + shift, dots, ".", markersize=1.8, color=OKABE_ITO[0], alpha=0.5)
                axis.axhline(0, color="#4d4d4d", linewidth=0.8)
                axis.set_ylim(limit or (low - room, high + room))
                axis.yaxis.get_offset_text().set_x(-0.25)  # a power of ten would touch the title
                ranks_axis(axis, panel.shape[1], "")
                if panel.shape[1] > 6:
                    axis.set_xticks([1, *range(4, panel.shape[1] + 1, 3)])
            axes[line, 0].set_ylabel(name)
        for axis, title in zip(axes[0], titles, strict=True):
            axis.set_title(title)
        figure.supxlabel("rank of the singular vector", fontsize=9.5)
    return figure


def sparsity_curves(
    steps: Float[Array, " K"],
    panels: Mapping[str, tuple[Float[Array, "K seeds 3"], Float[Array, "K seeds 3"]]],
) -> Figure:
    """Sparsity of terms along training with 0, 1 and 2 pairs present, beside the rotated null, as in Figure 7(a).

    Lines are means over seeds, bands one standard deviation. The null is drawn in grey, mean over the three classes.

    Args:
        steps: training steps of the records.
        panels: name of a basis -> (sparsity, null), the last axis by number of pairs present, 0 to 2.

    Raises:
        ValueError: for shapes that do not match, or sparsities outside 0 to 1.

    Example:
        >>> S = np.full((2, 5, 3), 0.2)
        >>> len(sparsity_curves([0, 100], {"plain": (S, 2 * S)}).axes)
        1
    """
    at = as_array(steps, "steps", 1)
    data = {name: [as_array(x, name, 3) for x in pair] for name, pair in panels.items()}
    for name, pair in data.items():
        for values in pair:
            if values.shape[0] != len(at) or values.shape[2] != len(CLASSES):
                raise ValueError(f"{name}: shape [{len(at)}, seeds, 3] is needed, got {list(values.shape)}")
            if values.min() < 0 or values.max() > 1:
                raise ValueError(f"{name}: sparsities lie between 0 and 1")
    with house_style():
        figure, axes = new_figure(1, len(data), 3.2, sharey=True)
        for axis, (name, (values, null)) in zip(axes[0], data.items(), strict=True):
            for k, (label, colour, style) in enumerate(zip(CLASSES, COLOURS, LINES, strict=True)):
                mean, spread = values[..., k].mean(1), values[..., k].std(1)
                axis.plot(at, mean, style, color=colour, label=f"{label} present")
                axis.fill_between(at, mean - spread, mean + spread, color=colour, alpha=0.18, linewidth=0)
            axis.plot(at, null.mean((1, 2)), ":", color="#6b6b6b", label="rotated null")
            axis.set(xlabel="training step", title=name, ylim=(0, 0.5))
            axis.locator_params(axis="x", nbins=4)
        axes[0, 0].set_ylabel("sparsity S (lower is sparser)")
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure
