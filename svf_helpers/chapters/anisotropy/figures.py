"""Figures of the chapter on anisotropy: alignment against the stretch, one pair beside its bounds, and autoencoders."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from svf_helpers.chapters.kit.style import MARKERS, OKABE_ITO, house_style, new_figure
from svf_helpers.theory import sharp_bound, theorem2_bound


def sweep(
    x: Float[np.ndarray, " X"],
    values: Mapping[str, Float[np.ndarray, "seeds X"]],
    *,
    xlabel: str,
    ylabel: str,
    ylim: tuple[float, float] | None = None,
) -> Figure:
    """Measures by name against a setting: every seed as a dot, mean as a line, one standard deviation as a band."""
    with house_style():
        figure, ((axis,),) = new_figure(1, 1, 3.0)
        for k, (name, group) in enumerate(values.items()):
            mean, sd = group.mean(0), group.std(0, ddof=1)
            _mean_line(axis, x, mean, k, name)
            axis.fill_between(x, mean - sd, mean + sd, color=OKABE_ITO[k], alpha=0.18, linewidth=0)
            axis.scatter(np.tile(x, len(group)), group.ravel(), s=9, color=OKABE_ITO[k], alpha=0.55, linewidth=0)
        axis.set(xlabel=xlabel, ylabel=ylabel, ylim=ylim)
        axis.legend()
    return figure


def one_pair(delta: Float[np.ndarray, " X"], measures: Mapping[str, Float[np.ndarray, "X heads"]]) -> Figure:
    r"""Heads with one pair against the stretch, beside the sharp bound and Theorem 2's at the scale c = 1.

    ``delta`` is $\Vert E \Vert$; ``measures`` holds |cos| of each head and side, by name. Lines are means; colours are
    those of :func:`sweep` from the second one on.
    """
    fine = np.concatenate([np.linspace(0, 0.2, 60), np.linspace(0.2, max(delta.max(), 1.0), 200)])
    with house_style():
        figure, ((axis,),) = new_figure(1, 1, 3.2)
        for k, (name, values) in enumerate(measures.items(), start=1):
            _mean_line(axis, delta, values.mean(1), k, name)
            every = np.repeat(delta, values.shape[1])
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
    norms: Mapping[int, float], kind: str, truth: Mapping[int, float], names: Sequence[str] | None = None
) -> Figure:
    """Anisotropy of autoencoders' decoders, and of the true features where they are known: layer -> norm of E.

    ``kind`` says what the decoders are of, for the legend. The autoencoders are layers, and numbered, unless they have
    ``names``.
    """
    places = list(norms)
    with house_style():
        figure, ((axis,),) = new_figure(1, 1, 2.8)
        axis.bar(places, list(norms.values()), color=OKABE_ITO[0], width=0.6, label=f"decoder ({kind})")
        if truth:
            axis.plot(places, [truth[k] for k in places], "D", color="black", label="true features")
        if names is not None:
            axis.set_xticks(places, names)
        axis.set(ylabel=r"$\Vert E \Vert_2$", xlabel="layer" if names is None else "autoencoder")
        axis.legend()
    return figure


def _mean_line(axis: Axes, x: Float[np.ndarray, " X"], mean: Float[np.ndarray, " X"], k: int, name: str) -> None:
    axis.plot(x, mean, color=OKABE_ITO[k], marker=MARKERS[k], markersize=4, label=name)
