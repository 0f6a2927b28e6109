"""Figures of the chapter on robustness: sweeps of one setting side by side, training for each p, the phase map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from jaxtyping import Bool, Float
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from svf_helpers.chapters.kit.style import (
    MARKERS,
    OKABE_ITO,
    SEQUENTIAL,
    WIDTH,
    Array,
    as_array,
    as_cosines,
    as_labels,
    house_style,
    new_figure,
)
from svf_helpers.chapters.robustness.outcomes import ALIGNED
from svf_helpers.experiments import Result


class Sweep(NamedTuple):
    """One panel of :func:`sweep_panels`.

    ``values`` are the settings, ``cosine`` |cos| for each of them and each seed, ``failed`` whether that run counts as
    a failure, ``default`` the setting of Table 1.
    """

    label: str
    values: Float[Array, " X"]
    cosine: Float[Array, "X seeds"]
    failed: Bool[Array, "X seeds"]
    default: float | None = None
    log: bool = True


def sweep_panels(panels: Sequence[Sweep], *, threshold: float = 0.95, columns: int = 2) -> Figure:
    """|cos| against one setting after the other: every seed a dot, failures as crosses, mean and spread over seeds.

    The number above a setting counts its failures; no number means none. A grey line marks the default.

    Args:
        panels: one to eight sweeps.
        threshold: a dotted line.
        columns: panels side by side.

    Raises:
        ValueError: for no panel or too many, shapes that do not match, or settings that a logarithm cannot take.

    Example:
        >>> panel = Sweep("$c$", [2, 8], [[0.9, 1.0], [1.0, 1.0]], [[True, False], [False, False]], 4)
        >>> [text.get_text() for text in sweep_panels([panel]).axes[0].texts]
        ['1']
    """
    if not 0 < len(panels) <= len(OKABE_ITO):
        raise ValueError(f"panels: between 1 and {len(OKABE_ITO)} are needed, got {len(panels)}")
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    with house_style():
        figure, axes = new_figure(rows, columns, 0.3 + 1.95 * rows, sharey=True)
        for axis, panel in zip(axes.flat, panels, strict=False):
            _sweep(axis, panel, threshold)
        for axis in axes.flat[len(panels):]:
            axis.set_visible(False)
        for row in axes:
            row[0].set_ylabel("|cosine|")
    return figure


def stored_sweeps(result: Result) -> dict[str, Sweep]:
    """The panels of the stored result ``robustness``: one for each setting that was varied, and one for the seeds.

    A run has failed if one of its features of interest has a |cosine| of .95 or less with the vector of its pair's
    rank. In the last panel, ``"seed"``, a dot is a feature of the default model.

    Raises:
        ValueError: for a result without the default number of features.

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
    at = result["n_value"].tolist().index(model["n"])
    default = result["summary_n_cosine"][at]
    default = default.reshape(len(default), -1)
    seeds = np.arange(len(default))
    panels["seed"] = Sweep("seed (one dot a feature)", seeds, default, default <= ALIGNED, log=False)
    return panels


_LABELS = {
    "p": "feature probability $p$",
    "lam": r"weight of the attention loss $\lambda$",
    "n": "number of features $n$",
    "r": "head dimension $r$",
    "c": "context length $c$",
}


def _sweep(axis, panel: Sweep, threshold: float) -> None:
    values, cosine = as_array(panel.values, "values", 1), np.abs(as_cosines(panel.cosine, "cosine", 2))
    failed = np.asarray(panel.failed, dtype=bool)
    if cosine.shape != failed.shape or len(cosine) != len(values):
        raise ValueError(f"{panel.label}: cosine and failed are [{len(values)}, seeds] both, got {list(cosine.shape)} "
                         f"and {list(failed.shape)}")
    if panel.log and (values <= 0).any():
        raise ValueError(f"{panel.label}: a logarithmic axis shows positive values only, got {values.min():g}")
    order, seeds = np.argsort(values), cosine.shape[1]
    values, cosine, failed = values[order], cosine[order], failed[order]
    # Seeds side by side, or dots at 1 would hide each other. Places on the axis, not settings, get the nudge.
    place = np.log(values) if panel.log else values
    nudge = np.linspace(-0.16, 0.16, seeds) if seeds > 1 else np.zeros(1)
    gap = np.diff(place).min() if len(place) > 1 else 1.0
    at = place[:, None] + gap * nudge
    middle, spread = cosine.mean(1), cosine.std(1, ddof=1) if seeds > 1 else np.zeros(len(values))
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
    axis.axhline(threshold, color="#808080", linewidth=0.8, linestyle=":")
    axis.set_xticks(place, [f"{value:.2g}" for value in values])
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set(ylim=(0, 1.15), yticks=[0, 0.25, 0.5, 0.75, 1], xlabel=panel.label)


def along_training(
    steps: Float[Array, " K"],
    cosine: Float[Array, "P K seeds"],
    labels: Sequence[str],
    *,
    threshold: float = 0.95,
) -> Figure:
    """|cos| over training for each value of a setting: thin lines are seeds, thick ones their mean (Figure 13).

    Args:
        steps: training steps of the records, rising.
        cosine: one block for each value of the setting.
        labels: what they are, for the legend.
        threshold: a dotted line.

    Raises:
        ValueError: for shapes that do not match.

    Example:
        >>> figure = along_training([0, 10], [[[0.1, 0.2], [0.9, 1.0]]], ["p = .5"])
        >>> len(figure.axes[0].lines)  # two seeds, their mean, and the threshold
        4
    """
    at, cosine = as_array(steps, "steps", 1), np.abs(as_cosines(cosine, "cosine", 3))
    if cosine.shape[1] != len(at):
        raise ValueError(f"cosine: [values, {len(at)} steps, seeds] is needed, got {list(cosine.shape)}")
    names = as_labels(labels, len(cosine), "labels", "{}")
    colours = mpl.colormaps["viridis_r"](np.linspace(0.08, 1, len(cosine)))
    with house_style():
        figure, axes = new_figure(1, 1, 3.5)
        axis = axes[0, 0]
        for k, (block, name) in enumerate(zip(cosine, names, strict=True)):
            axis.plot(at, block, color=colours[k], linewidth=0.6, alpha=0.35)
            axis.plot(at, block.mean(1), color=colours[k], linewidth=1.9, label=name, marker=MARKERS[k % len(MARKERS)],
                      markersize=4, markevery=(k * len(at) // 60, max(1, len(at) // 8)))
        axis.axhline(threshold, color="#808080", linewidth=0.8, linestyle=":")
        axis.set(xlabel="training step", ylabel="mean |cosine|", ylim=(0, 1.03), xlim=(0, at.max()))
        figure.legend(*axis.get_legend_handles_labels(), loc="outside right center")
    return figure


def phase_map(
    p: Float[Array, " P"],
    lam: Float[Array, " L"],
    panels: Mapping[str, Float[Array, "P L"]],
    *,
    curve: Mapping[str, Float[Array, " P"]] | None = None,
    top: Mapping[str, float] | None = None,
) -> Figure:
    """Heat maps over p (downwards) and lambda (to the right), each cell one configuration.

    Args:
        p: feature probabilities.
        lam: weights of the attention loss.
        panels: title to values, white for 0.
        curve: lines to draw into every panel, a lambda for each p; NaN and what lies outside the map is left out.
        top: the value of the darkest colour of a panel, 1 unless given here.

    Raises:
        ValueError: for values that do not fit the grid.

    Example:
        >>> figure = phase_map([1.0, 0.1], [0.4, 4.0], {"mean |cosine|": [[1, 0.9], [0.4, 0.8]]})
        >>> figure.axes[0].get_title()
        'mean |cosine|'
    """
    p, lam = as_array(p, "p", 1), as_array(lam, "lam", 1)
    if not panels:
        raise ValueError("panels: at least one is needed")
    grids = {title: as_array(values, f"panels[{title!r}]", 2) for title, values in panels.items()}
    for title, grid in grids.items():
        if grid.shape != (len(p), len(lam)):
            raise ValueError(f"panels[{title!r}]: [{len(p)}, {len(lam)}] is needed, got {list(grid.shape)}")
    rows, columns = np.argsort(-p), np.argsort(lam)
    with house_style():
        figure, axes = new_figure(1, len(grids), 0.95 + 0.95 * WIDTH / max(2, len(grids)), sharey=True)
        for k, (axis, (title, grid)) in enumerate(zip(axes[0], grids.items(), strict=True)):
            limit = (top or {}).get(title, 1.0)
            image = axis.imshow(grid[np.ix_(rows, columns)], cmap=SEQUENTIAL, vmin=0, vmax=limit, aspect="auto")
            axis.set(title=title, xlabel=r"$\lambda$")
            axis.set_xticks(range(0, len(lam), 3), [f"{lam[j]:.2g}" for j in columns[::3]])
            axis.set_yticks(range(0, len(p), 2), [f"{p[i]:.2g}" for i in rows[::2]])
            if not k:
                axis.set_ylabel("feature probability $p$")
            for style, (name, where) in zip(("-", "--", ":"), (curve or {}).items(), strict=False):
                _curve(axis, lam[columns], as_array(where, name, 1, finite=False)[rows], style, name)
            figure.colorbar(image, ax=axis, orientation="horizontal", shrink=0.9, aspect=18)
        if curve:
            figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def _curve(axis, lam: np.ndarray, where: np.ndarray, style: str, name: str) -> None:
    """A line through the map: its place between two columns is taken on the logarithm of lambda."""
    with np.errstate(invalid="ignore", divide="ignore"):
        place = np.interp(np.log(where), np.log(lam), np.arange(len(lam)), left=np.nan, right=np.nan)
    axis.plot(place, np.arange(len(where)), color="#D55E00", linestyle=style, linewidth=1.8, label=name)
