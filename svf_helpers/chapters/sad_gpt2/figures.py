"""Figures and tables of the chapter on counts of terms over many prompts (Figure 9a), in house style."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Num
from matplotlib.figure import Figure

from svf_helpers.chapters.kit.style import MARKERS, OKABE_ITO, Array, as_array, as_labels, house_style, new_figure
from svf_helpers.chapters.sad_gpt2.circuit import heads_of
from svf_helpers.experiments import Result
from svf_helpers.ioi import ORDERS

__all__ = ["against_share", "circuit_markdown", "count_dots"]

AREA = 260.0  # of a dot that stands for all prompts, in points squared


def count_dots(
    counts: Mapping[str, Sequence[Num[Array, " _"] | Sequence[int]]], *, heads: Sequence[str], ylabel: str = "$N_{sv}$"
) -> Figure:
    """The distribution of a count for each head: the area of a dot is the share of cases, a bar marks the median.

    Args:
        counts: name of a group of prompts -> its counts for each head; groups stand side by side.
        heads: names of the heads.
        ylabel: what is counted.

    Raises:
        ValueError: for groups with another number of heads, or counts below 0. A head without cases is left empty.

    Example:
        >>> figure = count_dots({"ABBA": [[1, 1, 2], [3]], "BABA": [[2], []]}, heads=["0.1", "0.2"])
        >>> [text.get_text() for text in figure.axes[0].get_xticklabels()]
        ['0.1', '0.2']
    """
    groups = {name: [np.asarray(of_head, dtype=int) for of_head in rows] for name, rows in counts.items()}
    for name, rows in groups.items():
        if len(rows) != len(heads):
            raise ValueError(f"{name}: counts for {len(heads)} heads are needed, got {len(rows)}")
        if any((row < 0).any() for row in rows):
            raise ValueError(f"{name}: counts are 0 or more")
    names = as_labels(heads, len(heads), "heads", "{}")
    shift = np.linspace(-0.2, 0.2, len(groups)) if len(groups) > 1 else [0.0]
    with house_style():
        figure, axes = new_figure(1, 1, 3.4)
        axis = axes[0, 0]
        for number, ((name, rows), by) in enumerate(zip(groups.items(), shift, strict=True)):
            colour = OKABE_ITO[number]
            for head, row in enumerate(rows):
                if not len(row):
                    continue
                values, times = np.unique(row, return_counts=True)
                axis.scatter(np.full(len(values), head + by), values, s=AREA * times / len(row) / len(groups),
                             color=colour, alpha=0.75, linewidths=0)
                axis.plot([head + by - 0.15, head + by + 0.15], [np.median(row)] * 2, color="#4d4d4d", linewidth=1.4)
            axis.plot([], [], "o", color=colour, label=name)
        long = max(map(len, names)) > 8 and len(names) > 4
        axis.set_xticks(np.arange(len(names)), names, rotation=90 if long else 0)
        axis.set(ylabel=ylabel, ylim=(0, None), xlim=(-0.6, len(names) - 0.4))
        if len(groups) > 1:
            figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=len(groups))
    return figure


def against_share(
    panels: Mapping[str, Mapping[str, tuple[Num[Array, " cases"], Num[Array, " cases"]]]],
    *,
    xlabel: str = "share of sizes left by cancellation, c",
) -> Figure:
    """Counts against the share of the terms' sizes that does not cancel, one panel for each way to count.

    Args:
        panels: label of the y axis -> name of a head -> (shares, counts).
        xlabel: of all panels.

    Raises:
        ValueError: for a head whose two lists differ in length.

    Example:
        >>> cases = np.array([0.1, 0.9]), np.array([1, 2])
        >>> len(against_share({"$N_{sv}$": {"0.3": cases}}).axes)
        1
    """
    with house_style():
        figure, axes = new_figure(1, len(panels), 3.0)
        for axis, (label, heads) in zip(axes[0], panels.items(), strict=True):
            for number, (name, (shares, counts)) in enumerate(heads.items()):
                x, y = (as_array(values, name, 1) for values in (shares, counts))
                if len(x) != len(y):
                    raise ValueError(f"{name}: {len(x)} shares and {len(y)} counts")
                axis.plot(x, y, MARKERS[number % len(MARKERS)], color=OKABE_ITO[number % len(OKABE_ITO)], label=name,
                          markersize=3.5, alpha=0.6)
            axis.set(xlabel=xlabel, ylabel=label, ylim=(0, None))
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def circuit_markdown(result: Result) -> str:
    """The heads of a circuit as a Markdown table: where they look, how much and how often, and how sparsely.

    Args:
        result: of a circuit run, such as "pocket-gpt2-ioi".

    Example:
        >>> from svf_helpers.experiments import load
        >>> print(circuit_markdown(load("pocket-gpt2-ioi")).splitlines()[2])
        | 0.3 | END→S2 | END | S2 | 6.5 | 100 % | 100 % | 0.11 (0.25) |
    """
    rho, S, null = (result[name][-1] for name in ("relative", "summary_sparsity_weights", "summary_null_weights"))
    shares = " | ".join(f"ρ > 0, {kind}" for kind in ORDERS)
    rows = [f"| Head | Job | Destination | Source | Mean ρ | {shares} | S (null) |", "|---" * 8 + "|"]
    for h, head in enumerate(heads_of(result)):
        cells = [f"{head.layer}.{head.head}", head.job, head.destination, head.source, f"{rho[h].mean():.1f}"]
        cells += [f"{100 * (rho[h, result['order'] == kind] > 0).mean():.0f} %" for kind in ORDERS]
        rows.append(f"| {' | '.join([*cells, f'{S[h].mean():.2f} ({null[h].mean():.2f})'])} |")
    return "\n".join(rows)
