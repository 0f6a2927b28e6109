"""Figures of the chapter on known features: agreement against its nulls, attention without terms, without features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from svf_helpers.chapters.kit.known_features import KINDS
from svf_helpers.chapters.kit.style import (
    GREY,
    MARKERS,
    OKABE_ITO,
    SEQUENTIAL,
    Array,
    as_array,
    as_cosines,
    as_labels,
    colour_bar,
    house_style,
    new_figure,
)
from svf_helpers.chapters.known_features.both_models import (
    BASES,
    attention_lost,
    attention_without,
    head_labels,
    leaning,
    second_model,
)
from svf_helpers.experiments.store import Result

#: How the figure of removed terms calls what was taken out -> how the stored result calls it.
_TAKEN = {
    "as it is": "nothing",
    "without the N_sv largest": "top",
    "without N_sv random ones": "random",
    "with the N_sv largest alone": "all but top",
    "without a fixed set": "fixed",
}


def leaning_figure(result: Result) -> Figure:
    """How the leading direction of every head leans to the kind chosen for it, over its null, in both bases.

    Args:
        result: "known-features".

    Example:
        >>> from svf_helpers.experiments import load
        >>> [axis.get_title() for axis in leaning_figure(load("known-features")).axes]
        ['query side', 'key side']
    """
    found = {name: leaning(result, basis) for name, basis in BASES.items()}
    panels = {
        f"{side} side": {name: (of.cosine[:, number], of.rotated[:, number]) for name, of in found.items()}
        for number, side in enumerate(("query", "key"))
    }
    return agreement_rows(panels, rows=head_labels(result), breaks=[second_model(result)])


def without_terms_figure(result: Result) -> Figure:
    """Attention of every head on its key as it is, and without some of its terms (plain basis).

    Args:
        result: "known-features".

    Example:
        >>> from svf_helpers.experiments import load
        >>> len(without_terms_figure(load("known-features")).axes[0].lines) >= 5  # five series
        True
    """
    left = attention_without(result, "weights")
    return effect_dots(
        {label: left[what] for label, what in _TAKEN.items()},
        heads=head_labels(result), breaks=[second_model(result)], ylabel="attention on the key",
    )  # fmt: skip


def without_kinds_figure(erased: Result) -> Figure:
    """How much of every head's attention goes when one kind is taken out of its queries, or out of its keys.

    Args:
        erased: "erased-features".

    Example:
        >>> from svf_helpers.experiments import load
        >>> [axis.get_title() for axis in without_kinds_figure(load("erased-features")).axes[:2]]
        ['taken out of queries', 'taken out of keys']
    """
    of_queries, of_keys = attention_lost(erased)
    return lost_maps(
        {"taken out of queries": of_queries, "taken out of keys": of_keys},
        rows=head_labels(erased), kinds=KINDS, breaks=[second_model(erased)],
    )  # fmt: skip


def agreement_rows(
    panels: Mapping[str, Mapping[str, tuple[Float[Array, " rows"], Float[Array, "rows draws"]]]],
    *,
    rows: Sequence[str],
    breaks: Sequence[int] = (),
) -> Figure:
    """|cos| of each row in several bases, each over the middle 90 % of its null.

    Args:
        panels: title (query, key) -> name of a basis -> (judged |cos|, the same for draws of its null).
        rows: what each row is.
        breaks: rows before which a line is drawn.

    Raises:
        ValueError: for numbers of rows that differ, or cosines outside 0 to 1.

    Example:
        >>> figure = agreement_rows({"query": {"plain": ([0.9, 0.2], [[0.1, 0.3], [0.1, 0.4]])}}, rows=["0.1", "0.2"])
        >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
        ['0.1', '0.2']
    """
    with house_style():
        figure, axes = new_figure(1, len(panels), 1.0 + 0.27 * len(rows), sharey=True)
        for axis, (title, bases) in zip(axes[0], panels.items(), strict=True):
            shifts = np.linspace(-0.18, 0.18, len(bases)) if len(bases) > 1 else [0.0]
            for number, ((name, (judged, null)), shift) in enumerate(zip(bases.items(), shifts, strict=True)):
                at, drawn = as_cosines(judged, name, 1), as_cosines(null, f"null of {name}", 2)
                if not len(at) == len(drawn) == len(rows):
                    raise ValueError(f"{name}: {len(rows)} rows are named, got {len(at)} and nulls for {len(drawn)}")
                y = np.arange(len(rows)) + shift
                low, high = np.quantile(drawn, (0.05, 0.95), axis=1)
                colour = OKABE_ITO[number]
                axis.hlines(y, low, high, color=colour, alpha=0.3, linewidth=5)
                axis.plot(at, y, MARKERS[number], color=colour, markersize=5, label=name)
            for row in breaks:
                axis.axhline(row - 0.5, color=GREY, linewidth=0.7)
            axis.set(title=title, xlabel="|cosine|", xlim=(0, 1))
        axes[0, 0].set_yticks(np.arange(len(rows)), list(rows))
        axes[0, 0].set_ylim(len(rows) - 0.5, -0.5)
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def effect_dots(
    series: Mapping[str, Float[Array, " heads"]], *, heads: Sequence[str], ylabel: str, breaks: Sequence[int] = ()
) -> Figure:
    """One value for each head and each thing that was done to it, side by side.

    Args:
        series: what was done -> a value for each head.
        heads: names of the heads.
        ylabel: what the values are.
        breaks: heads before which a line is drawn.

    Raises:
        ValueError: for a series with another number of heads.

    Example:
        >>> len(effect_dots({"as it is": [0.9, 0.5], "without": [0.1, 0.0]}, heads=["a", "b"], ylabel="S").axes)
        1
    """
    with house_style():
        figure, axes = new_figure(1, 1, 3.6)
        axis = axes[0, 0]
        shifts = np.linspace(-0.24, 0.24, len(series)) if len(series) > 1 else [0.0]
        for number, ((name, values), shift) in enumerate(zip(series.items(), shifts, strict=True)):
            y = as_array(values, name, 1)
            if len(y) != len(heads):
                raise ValueError(f"{name}: {len(heads)} heads are named, got {len(y)} values")
            axis.plot(np.arange(len(y)) + shift, y, MARKERS[number], color=OKABE_ITO[number], label=name, markersize=5)
        for head in breaks:
            axis.axvline(head - 0.5, color=GREY, linewidth=0.7)
        axis.set_xticks(np.arange(len(heads)), as_labels(heads, len(heads), "heads", "{}"), rotation=90)
        axis.set(ylabel=ylabel, xlim=(-0.6, len(heads) - 0.4), ylim=(0, None))
        axis.grid(axis="x", color=GREY, alpha=0.15)
        figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def lost_maps(
    panels: Mapping[str, Float[Array, "rows kinds"]],
    *,
    rows: Sequence[str],
    kinds: Sequence[str],
    breaks: Sequence[int] = (),
    say: float = 0.2,
) -> Figure:
    """How much of a head's attention goes when a feature is taken out: a map for queries, one for keys.

    Args:
        panels: title -> shares lost; gains (below 0) show as none.
        rows: names of the heads.
        kinds: names of the features.
        breaks: rows before which a line is drawn.
        say: shares of so much or more are written as a number, in per cent.

    Raises:
        ValueError: for a panel of another shape, or shares above 1.

    Example:
        >>> figure = lost_maps({"queries": [[0.9, 0.0]]}, rows=["0.3"], kinds=["END", "name"])
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['90']
    """
    with house_style():
        figure, axes = new_figure(1, len(panels), 1.6 + 0.27 * len(rows), sharey=True)
        for axis, (title, values) in zip(axes[0], panels.items(), strict=True):
            shares = as_array(values, title, 2)
            if shares.shape != (len(rows), len(kinds)):
                raise ValueError(f"{title}: shape {[len(rows), len(kinds)]} is needed, got {list(shares.shape)}")
            if shares.max() > 1 + 1e-6:
                raise ValueError(f"{title}: no more than all (1) can be lost, got {shares.max():.3g}")
            image = axis.imshow(100 * shares, cmap=SEQUENTIAL, vmin=0, vmax=100, aspect="auto")
            for (row, column), share in np.ndenumerate(shares):
                if share >= say:
                    axis.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=7.5,
                              color="white" if share > 0.6 else "#1a1a1a")
            for row in breaks:
                axis.axhline(row - 0.5, color=GREY, linewidth=0.9)
            axis.set_xticks(np.arange(len(kinds)), list(kinds), rotation=90)
            axis.set_title(title)
        axes[0, 0].set_yticks(np.arange(len(rows)), list(rows))
        colour_bar(figure, image, "attention lost (%)", shrink=0.8)
    return figure
