"""Figures of the chapter on counts of terms over many prompts (Figure 9a)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Num
from matplotlib.figure import Figure

from svf_helpers.chapters.kit.style import MARKERS, OKABE_ITO, Array, house_style, new_figure

AREA = 260.0  # of a dot that stands for all prompts, in points squared


def count_dots(counts: Mapping[str, Sequence[Num[np.ndarray, " _"]]], *, heads: Sequence[str]) -> Figure:
    """The distribution of N_sv for each head: the area of a dot is the share of cases, a bar marks the median.

    ``counts`` has for each group of prompts those of each head; groups stand side by side. A head without cases is left
    empty.
    """
    shift = np.linspace(-0.2, 0.2, len(counts)) if len(counts) > 1 else [0.0]
    with house_style():
        figure, axes = new_figure(1, 1, 3.4)
        axis = axes[0, 0]
        for number, ((name, rows), by) in enumerate(zip(counts.items(), shift, strict=True)):
            colour = OKABE_ITO[number]
            for head, row in enumerate(rows):
                if not len(row):
                    continue
                values, times = np.unique(row, return_counts=True)
                axis.scatter(np.full(len(values), head + by), values, s=AREA * times / len(row) / len(counts),
                             color=colour, alpha=0.75, linewidths=0)
                axis.plot([head + by - 0.15, head + by + 0.15], [np.median(row)] * 2, color="#4d4d4d", linewidth=1.4)
            axis.plot([], [], "o", color=colour, label=name)
        long = max(map(len, heads)) > 8 and len(heads) > 4
        axis.set_xticks(np.arange(len(heads)), heads, rotation=90 if long else 0)
        axis.set(ylabel="$N_{sv}$", ylim=(0, None), xlim=(-0.6, len(heads) - 0.4))
        if len(counts) > 1:
            figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=len(counts))
    return figure


def against_share(
    panels: Mapping[str, Mapping[str, tuple[Num[Array, " cases"], Num[Array, " cases"]]]],
) -> Figure:
    """Counts against the share of the terms' sizes that does not cancel, one panel for each way to count.

    A panel has the label of its y axis, and the shares and counts of each head.
    """
    with house_style():
        figure, axes = new_figure(1, len(panels), 3.0)
        for axis, (label, heads) in zip(axes[0], panels.items(), strict=True):
            for number, (name, (shares, counts)) in enumerate(heads.items()):
                marker, colour = MARKERS[number % len(MARKERS)], OKABE_ITO[number % len(OKABE_ITO)]
                axis.plot(shares, counts, marker, color=colour, label=name, markersize=3.5, alpha=0.6)
            axis.set(xlabel="share of sizes left by cancellation, c", ylabel=label, ylim=(0, None))
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure
