"""Figures of the chapter on robustness: sweeps of one setting side by side, training for each p, the phase map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from svf_helpers.chapters.kit.style import MARKERS, OKABE_ITO, SEQUENTIAL, WIDTH, house_style, new_figure
from svf_helpers.chapters.robustness.outcomes import ALIGNED
from svf_helpers.experiments import Result


class Sweep(NamedTuple):
    """One panel of :func:`sweep_panels`.

    ``values`` are the settings, ``cosine`` |cos| for each of them and each seed, ``failed`` whether that run counts as
    a failure, ``default`` the setting of Table 1.
    """

    label: str
    values: Float[np.ndarray, " X"]
    cosine: Float[np.ndarray, "X seeds"]
    failed: Bool[np.ndarray, "X seeds"]
    default: float | None = None
    log: bool = True


def sweep_panels(panels: Sequence[Sweep]) -> Figure:
    """|cos| against one setting after the other: every seed a dot, failures as crosses, mean and spread over seeds.

    The number above a setting counts its failures; no number means none. A grey line marks the default.
    """
    rows = -(-len(panels) // 2)
    with house_style():
        figure, axes = new_figure(rows, 2, 0.3 + 1.95 * rows, sharey=True)
        for axis, panel in zip(axes.flat, panels, strict=False):
            _sweep(axis, panel)
        for axis in axes.flat[len(panels):]:
            axis.set_visible(False)
        for row in axes:
            row[0].set_ylabel("|cosine|")
    return figure


def stored_sweeps(result: Result) -> dict[str, Sweep]:
    """The panels of the stored result ``robustness``: one for each setting that was varied, and one for the seeds.

    A run has failed if one of its features of interest has a |cosine| of .95 or less with the vector of its pair's
    rank. In the last panel, ``"seed"``, a dot is a feature of the default model.

    Example:
        >>> from svf_helpers.experiments import load
        >>> sweeps = stored_sweeps(load("robustness"))
        >>> list(sweeps), sweeps["p"].failed.sum(1).tolist()  # 5 seeds for each p, from 1 down to .02
        (['p', 'lam', 'n', 'r', 'c', 'seed'], [0, 0, 0, 0, 0, 1, 4])
    """
    model = result.info["config"]["model"]
    panels = {}
    for name, label in _LABELS.items():
        by_rank = result[f"summary_{name}_cosine"]  # values, seeds, pairs, sides
        failed = by_rank.min((-2, -1)) <= ALIGNED
        mean = by_rank.mean((-2, -1))
        panels[name] = Sweep(label, result[f"{name}_value"], mean, failed, model[name], log=name not in "nr")
    default = result["summary_n_cosine"][result["n_value"].tolist().index(model["n"])]
    default = default.reshape(len(default), -1)
    seeds = np.arange(float(len(default)))
    panels["seed"] = Sweep("seed (one dot a feature)", seeds, default, default <= ALIGNED, log=False)
    return panels


_LABELS = {
    "p": "feature probability $p$",
    "lam": r"weight of the attention loss $\lambda$",
    "n": "number of features $n$",
    "r": "head dimension $r$",
    "c": "context length $c$",
}


def _sweep(axis: Axes, panel: Sweep) -> None:
    order, seeds = np.argsort(panel.values), panel.cosine.shape[1]
    values, cosine, failed = panel.values[order], panel.cosine[order], panel.failed[order]
    # Seeds side by side, or dots at 1 would hide each other. Places on the axis, not settings, get the nudge.
    place = np.log(values) if panel.log else values
    at = place[:, None] + np.diff(place).min() * np.linspace(-0.16, 0.16, seeds)
    middle, spread = cosine.mean(1), cosine.std(1, ddof=1)
    if panel.default is not None:
        axis.axvline(np.log(panel.default) if panel.log else panel.default, color="#bbbbbb", linewidth=0.9, zorder=0)
    axis.fill_between(place, middle - spread, np.minimum(1, middle + spread), color=OKABE_ITO[0], alpha=0.18,
                      linewidth=0)
    axis.plot(place, middle, color=OKABE_ITO[0], linewidth=1.2)
    axis.scatter(at[~failed], cosine[~failed], s=11, color=OKABE_ITO[0], linewidth=0, zorder=3)
    axis.scatter(at[failed], cosine[failed], s=20, color=OKABE_ITO[1], marker="x", linewidth=1.2, zorder=3)
    for x, count in zip(place, failed.sum(1), strict=True):
        if count:
            axis.text(x, 1.04, f"{count}", ha="center", va="bottom", fontsize=8.5, color="#b04a00")
    _limit(axis)
    axis.set_xticks(place, [f"{value:.2g}" for value in values])
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set(ylim=(0, 1.15), yticks=[0, 0.25, 0.5, 0.75, 1], xlabel=panel.label)


def along_training(
    steps: Int[np.ndarray, " K"], cosine: Float[np.ndarray, "P K seeds"], labels: Sequence[str]
) -> Figure:
    """|cos| over training for each value of a setting: thin lines are seeds, thick ones their mean (Figure 13)."""
    colours = mpl.colormaps["viridis_r"](np.linspace(0.08, 1, len(cosine)))
    with house_style():
        figure, ((axis,),) = new_figure(1, 1, 3.5)
        for k, (block, name) in enumerate(zip(cosine, labels, strict=True)):
            axis.plot(steps, block, color=colours[k], linewidth=0.6, alpha=0.35)
            axis.plot(steps, block.mean(1), color=colours[k], linewidth=1.9, label=name, marker=MARKERS[k],
                      markersize=4, markevery=(k * len(steps) // 60, max(1, len(steps) // 8)))
        _limit(axis)
        axis.set(xlabel="training step", ylabel="mean |cosine|", ylim=(0, 1.03), xlim=(0, steps.max()))
        figure.legend(*axis.get_legend_handles_labels(), loc="outside right center")
    return figure


def _limit(axis: Axes) -> None:
    axis.axhline(ALIGNED, color="#808080", linewidth=0.8, linestyle=":")


def phase_map(
    p: Float[np.ndarray, " P"],
    lam: Float[np.ndarray, " L"],
    panels: Mapping[str, Float[np.ndarray, "P L"]],
    *,
    curve: Mapping[str, Float[np.ndarray, " P"]] | None = None,
    top: Mapping[str, float] | None = None,
) -> Figure:
    """Heat maps over p (downwards, falling) and lambda (to the right, rising), each cell one configuration.

    ``curve`` holds lines to draw into every panel, a lambda for each p; NaN and what lies outside the map is left out.
    ``top`` is the value of the darkest colour of a panel, 1 unless given here.
    """
    with house_style():
        figure, axes = new_figure(1, len(panels), 0.95 + 0.95 * WIDTH / max(2, len(panels)), sharey=True)
        for axis, (title, grid) in zip(axes[0], panels.items(), strict=True):
            limit = (top or {}).get(title, 1.0)
            image = axis.imshow(grid, cmap=SEQUENTIAL, vmin=0, vmax=limit, aspect="auto")
            axis.set(title=title, xlabel=r"$\lambda$")
            axis.set_xticks(range(0, len(lam), 3), [f"{value:.2g}" for value in lam[::3]])
            axis.set_yticks(range(0, len(p), 2), [f"{value:.2g}" for value in p[::2]])
            for style, (name, where) in zip(("-", "--"), (curve or {}).items(), strict=False):
                # Between two columns, its place is taken on the logarithm of lambda.
                place = np.interp(np.log(where), np.log(lam), np.arange(len(lam)), left=np.nan, right=np.nan)
                axis.plot(place, np.arange(len(p)), color="#D55E00", linestyle=style, linewidth=1.8, label=name)
            figure.colorbar(image, ax=axis, orientation="horizontal", shrink=0.9, aspect=18)
        axes[0, 0].set_ylabel("feature probability $p$")
        if curve:
            figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure
