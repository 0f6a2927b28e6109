"""Figures of the chapter on attention along the training of a language model (Figures 7b, 8, 9b and 25)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
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

__all__ = ["curves_along", "head_panels", "null_curves", "running_mean", "smoothing_window"]

MANY = 100  # checkpoints from which curves are smoothed, as the paper's are
PAPERS_WINDOW = 8


def smoothing_window(steps: Float[Array, " K"]) -> int:
    """Over how many checkpoints curves are averaged: the paper's 8 where a hundred or more are evenly spaced, else 1.

    Example:
        >>> smoothing_window(np.arange(0, 144_000, 1000)), smoothing_window([0, 16, 20])
        (8, 1)
    """
    at = as_array(steps, "steps", 1)
    return PAPERS_WINDOW if len(at) - _even_from(at) >= MANY else 1


def running_mean(values: Float[Array, "K ..."], window: int, start: int = 0) -> Float[np.ndarray, "K ..."]:
    """Mean over ``window`` checkpoints around each one; at the ends over those that are there. NaN is left out.

    Args:
        values: checkpoints first.
        window: how many are averaged.
        start: the first one that is; those before it stay as they are.

    Raises:
        ValueError: for a window below 1.

    Example:
        >>> running_mean(np.array([0.0, 2.0, 4.0, 6.0]), 2).tolist()
        [0.0, 1.0, 3.0, 5.0]
        >>> running_mean(np.array([9.0, 2.0, 4.0, 6.0]), 2, start=1).tolist()
        [9.0, 2.0, 3.0, 5.0]
    """
    if window < 1:
        raise ValueError(f"window = {window}: at least one checkpoint")
    means = np.array(values, dtype=float)
    values = means[start:].copy()
    there = np.isfinite(values)
    for k in range(len(values)):
        part = slice(max(0, k - window // 2), k + (window + 1) // 2)
        count = there[part].sum(0)
        total = np.where(there[part], values[part], 0).sum(0)
        means[start + k] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return means


def curves_along(
    axis: Axes,
    steps: Float[Array, " K"],
    curves: Mapping[str, Float[Array, "K ..."]],
    *,
    colours: Sequence[str] = OKABE_ITO,
    band: bool | Collection[str] = True,
) -> None:
    """Draw means over all but the first dimension against training step, smoothed as :func:`smoothing_window` says.

    A band, where there are two dimensions or more, is one standard deviation over the second (heads), each averaged
    over the rest (prompts). NaN is left out of all means. Where curves are smoothed, dots show the raw means, and only
    checkpoints that are evenly spaced are averaged: not the first ones of a training run that stand close together.

    Args:
        axis: where to draw.
        steps: training steps of the checkpoints.
        curves: name -> values, checkpoints first, then heads, then prompts.
        colours: one for each curve.
        band: whether to draw it, or for which curves.

    Raises:
        ValueError: for a curve with another number of checkpoints.

    Example:
        >>> figure, axes = new_figure(1, 1, 2)
        >>> curves_along(axes[0, 0], [0, 10, 20], {"S": np.ones((3, 4, 5))})
        >>> axes[0, 0].lines[0].get_ydata().tolist()
        [1.0, 1.0, 1.0]
    """
    at = as_array(steps, "steps", 1)
    window, start = smoothing_window(at), _even_from(at)
    banded = (curves if band else ()) if isinstance(band, bool) else band
    for number, (name, values) in enumerate(curves.items()):
        values = np.asarray(values, dtype=float)
        if len(values) != len(at):
            raise ValueError(f"{name}: {len(at)} checkpoints are needed, got shape {list(values.shape)}")
        mean = _mean(values.reshape(len(at), -1))
        style = {"color": colours[number % len(colours)], "markersize": 3.5}
        style["marker"] = MARKERS[number % len(MARKERS)] if window == 1 else None
        axis.plot(at, running_mean(mean, window, start), label=name, **style)
        if window > 1:
            axis.plot(at, mean, ".", color=style["color"], markersize=1.5, alpha=0.5)
        if name in banded and values.ndim > 1:
            heads = _mean(values.reshape(*values.shape[:2], -1))
            middle, spread = (running_mean(part, window, start) for part in (_mean(heads), _spread(heads)))
            low, high = middle - spread, middle + spread
            axis.fill_between(at, low, high, color=style["color"], alpha=0.15, linewidth=0)
    step_axis(axis, at)


def null_curves(
    steps: Float[Array, " K"],
    panels: Mapping[str, tuple[Float[Array, "K heads prompts"], Float[Array, "K heads prompts"]]],
) -> Figure:
    """Sparsity of a circuit's heads along training beside the rotated null, one panel for each basis (Figure 7b).

    Args:
        steps: training steps of the checkpoints.
        panels: name of a basis -> (sparsity, null).

    Raises:
        ValueError: for sparsities outside 0 to 1, or another number of checkpoints.

    Example:
        >>> S = np.full((3, 4, 5), 0.2)
        >>> len(null_curves([0, 10, 20], {"plain": (S, 2 * S), "whitened": (S, 2 * S)}).axes)
        2
    """
    for name, pair in panels.items():
        for values in pair:
            if as_array(values, name, 3).min() < 0 or as_array(values, name, 3).max() > 1 + 1e-6:
                raise ValueError(f"{name}: sparsities lie between 0 and 1")
    with house_style():
        figure, axes = new_figure(1, len(panels), 2.9, sharey=True)
        for axis, (name, (values, null)) in zip(axes[0], panels.items(), strict=True):
            curves_along(axis, steps, {"singular vectors": values, "rotated null": null}, colours=(OKABE_ITO[0], GREY))
            axis.set(title=name, ylim=(0, None))
        axes[0, 0].set_ylabel("sparsity S (lower is sparser)")
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def head_panels(
    rows: Mapping[str, Float[Array, "heads m"]], *, titles: Sequence[str], columns: int = 4, height: float = 1.15
) -> Figure:
    """Terms of some heads in the order of their singular values, as in Figures 8 and 25: a column for each head.

    The largest term has another colour, and its rank stands beside it: rank 1 is the largest singular value. In the
    corner stands the sum of the terms. Every panel has a scale of its own.

    Args:
        rows: name (first checkpoint, last, rotated, ...) -> terms of each head.
        titles: one for each head.
        columns: heads beside each other; what does not fit goes below.
        height: of a panel, in inches.

    Raises:
        ValueError: for rows with different numbers of heads, or titles that do not match them.

    Example:
        >>> len(head_panels({"first": np.eye(3), "last": np.eye(3)}, titles=["a", "b", "c"]).axes)
        6
    """
    data = {name: as_array(terms, name, 2) for name, terms in rows.items()}
    if not data or len({terms.shape for terms in data.values()}) != 1:
        raise ValueError(f"rows: the same heads and terms are needed, got {[x.shape for x in data.values()]}")
    heads, m = next(iter(data.values())).shape
    titles, columns = as_labels(titles, heads, "titles", "{}"), min(columns, heads)
    blocks = -(-heads // columns)
    with house_style():
        figure, axes = new_figure(blocks * len(data), columns, 0.4 + height * blocks * len(data))
        for head in range(blocks * columns):
            block, column = divmod(head, columns)
            for line, (name, terms) in enumerate(data.items()):
                axis = axes[block * len(data) + line, column]
                if head >= heads:
                    axis.remove()
                    continue
                _bars(axis, terms[head], m)
                if line == 0:
                    axis.set_title(titles[head], fontsize=8.5)
                if column == 0:
                    axis.set_ylabel(name, fontsize=8)
        figure.supxlabel("rank of the singular value", fontsize=9)
        figure.supylabel("term (logits)", fontsize=9)
    return figure


def _bars(axis: Axes, terms: np.ndarray, m: int) -> None:
    top = int(np.abs(terms).argmax())
    colours = [OKABE_ITO[1] if k == top else OKABE_ITO[0] for k in range(m)]
    axis.bar(np.arange(1, m + 1), terms, width=0.8, color=colours)
    axis.axhline(0, color="#4d4d4d", linewidth=0.6)
    low, high = min(0.0, float(terms.min())), max(0.0, float(terms.max()))
    room = (high - low) or 1.0
    axis.set_ylim(low - (0.3 if terms[top] > 0 else 0.5) * room, high + 0.5 * room)  # for the rank, and for the sum
    axis.annotate(f"{top + 1}", (top + 1, terms[top]), (0, 2 if terms[top] > 0 else -9), textcoords="offset points",
                  ha="center", fontsize=7, color=OKABE_ITO[1])  # fmt: skip
    left = top >= m // 2 and terms[top] > 0  # the corner that the rank does not stand in
    at, side = (0.03, "left") if left else (0.98, "right")
    total = f"{terms.sum():.1f}".replace("-0.0", "0.0").replace("-", "−")
    axis.text(at, 0.97, f"sum {total}", transform=axis.transAxes, ha=side, va="top", fontsize=7)
    axis.set_xticks([1, m // 2, m])
    axis.tick_params(labelsize=7)
    axis.locator_params(axis="y", nbins=3)


def _even_from(steps: np.ndarray) -> int:
    """The first checkpoint from which on all are evenly spaced."""
    gaps = np.diff(steps)
    uneven = np.flatnonzero(gaps != gaps[-1]) if len(gaps) else []
    return int(uneven[-1]) + 1 if len(uneven) else 0


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over the last dimension without NaN; NaN where nothing is left."""
    there = np.isfinite(values)
    count = there.sum(-1)
    return np.where(count > 0, np.where(there, values, 0).sum(-1) / np.maximum(count, 1), np.nan)


def _spread(values: np.ndarray) -> np.ndarray:
    """Standard deviation over the last dimension without NaN."""
    return np.sqrt(_mean((values - _mean(values)[..., None]) ** 2))
