"""Figures over training steps (Figure 3) and over sweeps of a setting (robustness), in the house style."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from svf_helpers.chapters.kit.style import (
    MARKERS,
    OKABE_ITO,
    Array,
    as_array,
    house_style,
    new_figure,
)


def sweep(
    x: Float[Array, " X"],
    values: Float[Array, "seeds X"] | Mapping[str, Float[Array, "seeds X"]],
    *,
    xlabel: str,
    ylabel: str,
    log: bool = False,
    threshold: float | None = None,
    ylim: tuple[float, float] | None = None,
) -> Figure:
    """A measure against a setting: every seed as a dot, mean as a line, one standard deviation as a band.

    Args:
        x: the setting, in any order.
        values: one row a seed, or a mapping of names to such arrays (up to eight).
        xlabel: name of the setting, with its unit.
        ylabel: name of the measure, with its unit.
        log: logarithmic x axis, for which x must be positive.
        threshold: a dotted line, for instance the claim to be checked.
        ylim: range of the vertical axis.

    Raises:
        ValueError: for shapes that do not match, or an x that a logarithmic axis cannot show.

    Example:
        >>> figure = sweep([0.1, 1.0], [[0.97, 0.98], [0.99, 0.98]], xlabel="$p$", ylabel="mean |cosine|", log=True)
        >>> figure.axes[0].lines[0].get_ydata().round(2).tolist()
        [0.98, 0.98]
    """
    x = as_array(x, "x", 1)
    if log and (x <= 0).any():
        raise ValueError(f"x: a logarithmic axis shows positive values only, got {x.min():g}")
    groups = dict(values) if isinstance(values, Mapping) else {"": values}
    if not groups or len(groups) > len(OKABE_ITO):
        raise ValueError(f"values: between 1 and {len(OKABE_ITO)} named groups are needed, got {len(groups)}")
    groups = {name: as_array(group, f"values[{name!r}]" if name else "values", 2) for name, group in groups.items()}
    for group in groups.values():
        if group.shape[1] != len(x):
            raise ValueError(f"values: shape [seeds, {len(x)}] is needed to match x, got {list(group.shape)}")
    rising = np.argsort(x)
    with house_style():
        figure, axes = new_figure(1, 1, 3.0)
        axis = axes[0, 0]
        for k, (name, group) in enumerate(groups.items()):
            colour, mean = OKABE_ITO[k], group.mean(0)[rising]
            axis.plot(x[rising], mean, color=colour, marker=MARKERS[k], markersize=4, label=name or None)
            if len(group) > 1:
                sd = group.std(0, ddof=1)[rising]
                axis.fill_between(x[rising], mean - sd, mean + sd, color=colour, alpha=0.18, linewidth=0)
                axis.scatter(np.tile(x, len(group)), group.ravel(), s=9, color=colour, alpha=0.55, linewidth=0)
        if log:
            axis.set_xscale("log")
        if log and len(x) <= 10:  # the settings themselves say more than powers of ten
            axis.set_xticks(x, [f"{value:.3g}" for value in x])
            axis.xaxis.set_minor_locator(NullLocator())
        if threshold is not None:
            axis.axhline(threshold, color="#808080", linewidth=0.9, linestyle=":")
        axis.set(xlabel=xlabel, ylabel=ylabel)
        if ylim is not None:
            axis.set_ylim(ylim)
        if len(groups) > 1:
            axis.legend()
    return figure
