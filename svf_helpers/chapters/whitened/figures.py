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
from svf_helpers.chapters.whitened.compared_bases import COMPARED, TAKEN
from svf_helpers.chapters.whitened.four_models import PLAIN, SPLIT, SPLIT_WHITE, WHITE, Measures, along_training
from svf_helpers.experiments.store import Result

#: How the figure of removed terms calls what was taken out -> its name in ``TAKEN``.
_TAKEN = {
    "none": "nothing",
    "largest": "first",
    "N_sv\nlargest": "top",
    "N_sv\nrandom": "random",
    "all but\nthese": "all but top",
}


def sparsity_figure(models: Mapping[str, Measures]) -> Figure:
    """Every head-pair's sparsity, and its distance from its null, in the plain basis and in the whitened one.

    Args:
        models: from ``four_models``.

    Example:
        >>> flat = np.full((5, 2), 0.25)
        >>> figure = sparsity_figure({"toy": {"sparsity": flat, "null": 2 * flat}})
        >>> [axis.get_title() for axis in figure.axes]
        ['sparsity S', 'null minus S']
    """
    S = {name: found["sparsity"] for name, found in models.items()}
    margin = {name: found["null"] - found["sparsity"] for name, found in models.items()}
    return against_plain({
        title: {name: (of[PLAIN], of[WHITE]) for name, of in measure.items()}
        for title, measure in (("sparsity S", S), ("null minus S", margin))
    })


def training_figure(large: Result) -> Figure:
    """Sparsity, N_sv and agreement with known kinds along training, in both bases, with nulls and a random split.

    Args:
        large: "bases-pocket-pythia".

    Example:
        >>> from svf_helpers.experiments import load
        >>> [axis.get_ylabel() for axis in training_figure(load("bases-pocket-pythia")).axes]
        ['sparsity S', 'N_sv', '|cos| with a known kind']
    """
    found, two = along_training(large), {"plain": PLAIN, "whitened": WHITE}
    S, null = ({name: of[:, b].mean(1) for name, b in two.items()} for of in (found.sparsity, found.null))
    N = {name: np.nanmean(found.n_sv[:, b], 1) for name, b in (two | {"random split": SPLIT}).items()}
    cosine, by_chance = ({name: of[:, b] for name, b in two.items()} for of in (found.cosine, found.cosine_null))
    dashed = {name: f"{name}, null" for name in two}
    return bases_along(
        found.step,
        {
            "sparsity S": S | {dashed[name]: values for name, values in null.items()},
            "N_sv": N,
            "|cos| with a known kind": cosine | {dashed[name]: values for name, values in by_chance.items()},
        },
        dashed=list(dashed.values()),
        colours=dict(zip(dashed.values(), OKABE_ITO, strict=False)),
    )


def removal_figure(models: Mapping[str, Measures]) -> Figure:
    """Attention of the circuits' heads on their keys without some of their terms, a panel for each model.

    Args:
        models: some of ``four_models``.

    Example:
        >>> len(removal_figure({"toy": {"attention": np.ones((5, 6, 3))}}).axes)
        1
    """
    shown = [PLAIN, WHITE, SPLIT, SPLIT_WHITE]
    panels = {
        name: {label: found["attention"][shown, TAKEN.index(taken)].mean(-1) for label, taken in _TAKEN.items()}
        for name, found in models.items()
    }
    return removal_bars(panels, bases=[COMPARED[b] for b in shown], ylabel="attention on the key")


def sizes_figure(small: Result, large: Result) -> Figure:
    """The whitened basis with moments from samples of growing size, in both bundled models.

    Args:
        small: "bases-pocket-gpt2".
        large: "bases-pocket-pythia".

    Example:
        >>> from svf_helpers.experiments import load
        >>> figure = sizes_figure(*(load(f"bases-{name}") for name in ("pocket-gpt2", "pocket-pythia")))
        >>> [axis.get_ylabel() for axis in figure.axes]
        ['sparsity S', '|cos| with the largest sample']
    """
    results = {"pocket-gpt2": small, "pocket-pythia": large}
    S = {name: result["size_sparsity"].mean(2) for name, result in results.items()}
    same = {name: result["size_same"].mean((2, 3)) for name, result in results.items()}
    return sample_sizes(large.info["config"]["sizes"], {"sparsity S": S, "|cos| with the largest sample": same})


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
