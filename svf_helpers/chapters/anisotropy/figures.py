"""Figures of the chapter on anisotropy: alignment against the stretch, one pair beside its bounds, and autoencoders."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from svf_helpers.chapters.kit.style import (
    MARKERS,
    OKABE_ITO,
    Array,
    as_array,
    as_labels,
    house_style,
    new_figure,
)
from svf_helpers.theory import sharp_bound, theorem2_bound


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


def one_pair(delta: Float[Array, " X"], measures: Mapping[str, Float[Array, "X heads"]]) -> Figure:
    r"""Heads with one pair against the stretch, beside the sharp bound and Theorem 2's at the scale c = 1.

    Args:
        delta: the stretch $\Vert E \Vert$, not negative.
        measures: up to seven names -> |cos| of each head and side; lines are means. Colours are those of :func:`sweep`
            from the second one on.

    Raises:
        ValueError: for shapes that do not match, a negative stretch, or too many measures.

    Example:
        >>> figure = one_pair([0.0, 50.0], {"plain": [[1.0, 1.0], [0.3, 0.5]]})
        >>> [line.get_label() for line in figure.axes[0].lines]
        ['plain', 'sharp bound', 'Theorem 2']
    """
    x = as_array(delta, "delta", 1)
    if (x < 0).any():
        raise ValueError(f"delta: the norm of E is not negative, got {x.min():g}")
    if len(measures) >= len(OKABE_ITO):
        raise ValueError(f"measures: at most {len(OKABE_ITO) - 1} can be told apart, got {len(measures)}")
    fine = np.concatenate([np.linspace(0, 0.2, 60), np.linspace(0.2, max(x.max(), 1.0), 200)])
    with house_style():
        figure, ((axis,),) = new_figure(1, 1, 3.2)
        for k, (name, group) in enumerate(measures.items(), start=1):
            values = as_array(group, f"measures[{name!r}]", 2)
            if len(values) != len(x):
                raise ValueError(f"measures[{name!r}]: {len(x)} rows are needed, one a stretch, got {len(values)}")
            axis.plot(x, values.mean(1), color=OKABE_ITO[k], marker=MARKERS[k], markersize=4, label=name)
            every = np.repeat(x, values.shape[1])
            axis.scatter(every, values.ravel(), s=9, color=OKABE_ITO[k], alpha=0.5, linewidth=0)
        axis.plot(fine, sharp_bound(torch.tensor(1 + fine)), "k--", label="sharp bound")
        axis.plot(fine, theorem2_bound(torch.tensor(fine)), "k:", label="Theorem 2")
        axis.set_xscale("symlog", linthresh=1)
        ticks = [tick for tick in (0, 0.5, 1, 2, 5, 10, 20, 50) if tick <= fine[-1]]
        axis.set(xlabel=r"stretch $\delta$", ylabel="|cos|", ylim=(-0.03, 1.05))
        axis.set_xticks(ticks, ["0", *(f"{tick:g}".lstrip("0") for tick in ticks[1:])])
        axis.legend(fontsize=8)
    return figure


def decoders(
    norms: Mapping[int, float], kind: str, truth: Mapping[int, float] | None = None, names: Sequence[str] | None = None
) -> Figure:
    """Anisotropy of autoencoders' decoders, and of the true features where they are known.

    Args:
        norms: layer -> norm of E of its decoder.
        kind: what the decoders are of, for the legend.
        truth: layer -> norm of E of the features that made its tokens.
        names: of the autoencoders, for the axis; by default they are layers, and numbered.

    Raises:
        ValueError: for no decoders, or truth and names that do not match them.

    Example:
        >>> figure = decoders({0: 1.5, 1: 2.5}, "toy tokens", truth={0: 3.0, 1: 8.0}, names=["even", "stretched"])
        >>> [float(bar.get_height()) for bar in figure.axes[0].patches], figure.axes[0].lines[0].get_ydata().tolist()
        ([1.5, 2.5], [3.0, 8.0])
    """
    places = list(norms)
    if not places or (truth and set(truth) != set(places)):
        raise ValueError(f"truth: one value for each decoder is needed, layers {places}; got {sorted(truth or ())}")
    with house_style():
        figure, ((axis,),) = new_figure(1, 1, 2.8)
        axis.bar(places, list(norms.values()), color=OKABE_ITO[0], width=0.6, label=f"decoder ({kind})")
        if truth:
            axis.plot(places, [truth[k] for k in places], "D", color="black", label="true features")
        if names is not None:
            axis.set_xticks(places, as_labels(names, len(places), "names", "{}"))
        axis.set(ylabel=r"$\Vert E \Vert_2$", xlabel="layer" if names is None else "autoencoder")
        axis.legend()
    return figure
