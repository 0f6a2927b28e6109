"""Figures of the chapter on the whitened basis: bases side by side, along training, and what whitening needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from svf_helpers.chapters.kit.style import (
    GREY,
    MARKERS,
    OKABE_ITO,
    Array,
    as_array,
    as_labels,
    house_style,
    new_figure,
    step_axis,
)


def against_plain(
    panels: Mapping[str, Mapping[str, tuple[Float[Array, " heads"], Float[Array, " heads"]]]],
    *,
    labels: tuple[str, str] = ("plain basis", "whitened basis"),
) -> Figure:
    """One value for each head in two bases, against each other, with the line on which they are equal.

    Args:
        panels: title -> name of a model -> (values in the one basis, values in the other).
        labels: of the two axes.

    Raises:
        ValueError: for two lists of different lengths.

    Example:
        >>> len(against_plain({"sparsity S": {"toy": ([0.1, 0.2], [0.1, 0.3])}}).axes)
        1
    """
    with house_style():
        figure, axes = new_figure(1, len(panels), 3.3)
        for axis, (title, of_panel) in zip(axes[0], panels.items(), strict=True):
            low, high = 0.0, 0.0
            for number, (name, (first, second)) in enumerate(of_panel.items()):
                x, y = (as_array(values, name, 1) for values in (first, second))
                if len(x) != len(y):
                    raise ValueError(f"{name}: {len(x)} heads in the one basis, {len(y)} in the other")
                low, high = min(low, float(x.min()), float(y.min())), max(high, float(x.max()), float(y.max()))
                axis.plot(x, y, MARKERS[number], color=OKABE_ITO[number], label=name, markersize=5.5, alpha=0.85)
            margin = 0.08 * (high - low)
            ends = (low - margin if low < 0 else 0.0, high + margin)
            axis.plot(ends, ends, "-", color=GREY, linewidth=0.9, zorder=0)
            if low < 0:  # where the sign says something, zero is drawn
                axis.axhline(0, color=GREY, linewidth=0.6, linestyle=":", zorder=0)
                axis.axvline(0, color=GREY, linewidth=0.6, linestyle=":", zorder=0)
            axis.set(title=title, xlabel=labels[0], ylabel=labels[1], xlim=ends, ylim=ends, aspect="equal")
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def bases_along(
    steps: Float[Array, " K"],
    panels: Mapping[str, Mapping[str, Float[Array, " K"]]],
    *,
    dashed: Sequence[str] = (),
    colours: Mapping[str, str] | None = None,
    limits: Sequence[tuple[float | None, float | None]] | None = None,
) -> Figure:
    """Curves against training step, a panel for each measure; the same name has the same colour in all of them.

    Args:
        steps: training steps of the checkpoints.
        panels: label of the y axis -> name -> one value for each checkpoint; NaN leaves a gap.
        dashed: names that are drawn dashed and without markers (nulls).
        colours: name -> colour, where the order of colours is not wanted.
        limits: of the y axes.

    Raises:
        ValueError: for a curve with another number of checkpoints.

    Example:
        >>> len(bases_along([0, 10, 20], {"S": {"plain": [1, 1, 1]}, "N": {"plain": [2, 2, 2]}}).axes)
        2
    """
    at = as_array(steps, "steps", 1)
    names = list(dict.fromkeys(name for curves in panels.values() for name in curves))
    solid = [name for name in names if name not in dashed]
    colour = {name: OKABE_ITO[number % len(OKABE_ITO)] for number, name in enumerate(solid)} | dict(colours or {})
    with house_style():
        figure, axes = new_figure(1, len(panels), 3.0)
        for number, (axis, (label, curves)) in enumerate(zip(axes[0], panels.items(), strict=True)):
            for name, values in curves.items():
                y = np.asarray(values, dtype=float)
                if y.shape != at.shape:
                    raise ValueError(f"{name}: {len(at)} checkpoints are needed, got shape {list(y.shape)}")
                style = {"linestyle": "--"} if name in dashed else {
                    "marker": MARKERS[solid.index(name) % len(MARKERS)], "markersize": 3.5}
                axis.plot(at, y, color=colour.get(name, GREY), label=name, **style)
            step_axis(axis, at)
            axis.set_ylabel(label)
            axis.set_ylim(*(limits[number] if limits else (0, None)))
        handles = {text: handle for axis in axes[0] for handle, text in zip(*axis.get_legend_handles_labels(),
                                                                           strict=True)}
        figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=3)
    return figure


def removal_bars(
    panels: Mapping[str, Mapping[str, Float[Array, " bases"]]], *, bases: Sequence[str], ylabel: str
) -> Figure:
    """Grouped bars: one panel for each model, one group for each choice of terms, one bar for each basis.

    Args:
        panels: model -> what is done to the terms -> a value for each basis.
        bases: names of the bases.
        ylabel: what the values are.

    Raises:
        ValueError: where the values are not one for each basis.

    Example:
        >>> len(removal_bars({"toy": {"none": [1, 1], "top": [0, 0.5]}}, bases=["a", "b"], ylabel="S").axes)
        1
    """
    with house_style():
        figure, axes = new_figure(1, len(panels), 3.1, sharey=True)
        for axis, (title, groups) in zip(axes[0], panels.items(), strict=True):
            values = as_array(list(groups.values()), title, 2)
            names = as_labels(bases, values.shape[1], "bases", "{}")
            width = 0.8 / len(names)
            for number, name in enumerate(names):
                at = np.arange(len(values)) + (number - (len(names) - 1) / 2) * width
                axis.bar(at, values[:, number], width=0.92 * width, color=OKABE_ITO[number], label=name)
            axis.set_xticks(np.arange(len(values)), list(groups), rotation=0)
            axis.set_title(title)
        axes[0, 0].set_ylabel(ylabel)
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(names))
    return figure


def sample_sizes(
    sizes: Sequence[int], panels: Mapping[str, Mapping[str, Float[Array, "sizes draws"]]]
) -> Figure:
    """Values against the size of a sample: a line through the means, dots for single draws.

    Args:
        sizes: numbers of tokens.
        panels: label of the y axis -> model -> values.

    Raises:
        ValueError: for values that are not one row for each size.

    Example:
        >>> len(sample_sizes([10, 20], {"S": {"toy": [[0.1, 0.2], [0.1, 0.1]]}}).axes)
        1
    """
    with house_style():
        figure, axes = new_figure(1, len(panels), 2.8)
        for axis, (label, models) in zip(axes[0], panels.items(), strict=True):
            for number, (name, values) in enumerate(models.items()):
                y = as_array(values, name, 2)
                if len(y) != len(sizes):
                    raise ValueError(f"{name}: values for {len(sizes)} sizes are needed, got {len(y)}")
                colour = OKABE_ITO[number]
                axis.plot(sizes, y.mean(1), color=colour, label=name)
                axis.plot(np.repeat(sizes, y.shape[1]), y.ravel(), MARKERS[number], color=colour, markersize=3.5,
                          alpha=0.6)
            axis.set(xscale="log", xlabel="tokens in the sample", ylabel=label)
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure
