"""Quantities along training: means over which cases, how they are smoothed, how they are drawn, how they are told."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Num
from matplotlib.axes import Axes

from svf_helpers.chapters.kit.style import MARKERS, OKABE_ITO, Array, as_array, step_axis

MANY = 100  # checkpoints from which curves are smoothed, as the paper's are
PAPERS_WINDOW = 8


def smoothing_window(steps: Num[Array, " K"]) -> int:
    """Over how many checkpoints curves are averaged: the paper's 8 where a hundred or more are evenly spaced, else 1.

    Example:
        >>> smoothing_window(np.arange(0, 144_000, 1000)), smoothing_window(np.array([0, 16, 20]))
        (8, 1)
    """
    at = as_array(steps, "steps", 1)
    return PAPERS_WINDOW if len(at) - _even_from(at) >= MANY else 1


def running_mean(values: Num[Array, " K"], window: int, start: int = 0) -> Float[np.ndarray, " K"]:
    """Mean over ``window`` checkpoints around each one; at the ends over those that are there. NaN is left out.

    Checkpoints before ``start`` stay as they are.

    Example:
        >>> running_mean(np.array([0.0, 2.0, 4.0, 6.0]), 2).tolist()
        [0.0, 1.0, 3.0, 5.0]
        >>> running_mean(np.array([9.0, 2.0, 4.0, 6.0]), 2, start=1).tolist()
        [9.0, 2.0, 3.0, 5.0]
    """
    means = np.array(values, dtype=float)
    values = means[start:].copy()
    for k in range(len(values)):
        means[start + k] = _mean(values[max(0, k - window // 2) : k + (window + 1) // 2])
    return means


def mean_along(values: Num[Array, "K ..."], held: Bool[Array, "K ..."]) -> Float[np.ndarray, " K"]:
    """Mean at each checkpoint over the cases that count (e.g. a head attends) and have a finite value.

    Example:
        >>> values = np.array([[1, 3, 9], [2, np.nan, 9]])
        >>> mean_along(values, np.array([[True, True, False]] * 2)).tolist()
        [2.0, 2.0]
    """
    values, held = np.asarray(values, dtype=float), np.asarray(held, dtype=bool)
    return np.array([x[here & np.isfinite(x)].mean() for x, here in zip(values, held, strict=True)])


def moves(values: Num[Array, " K"], digits: int = 2) -> str:
    """How a quantity changes from the first to the last checkpoint, after rounding, in words.

    Example:
        >>> moves(np.array([0.44, 0.9, 0.16])), moves(np.array([2.41, 2.69]), 1), moves(np.array([0.101, 0.099]))
        ('falls from 0.44 to 0.16', 'rises from 2.4 to 2.7', 'goes from 0.10 to 0.10')
    """
    first, last = (round(float(values[k]), digits) for k in (0, -1))
    word = "falls" if last < first else "rises" if last > first else "goes"
    return f"{word} from {first:.{digits}f} to {last:.{digits}f}"


def curves_along(
    axis: Axes,
    steps: Num[Array, " K"],
    curves: Mapping[str, Num[Array, "K ..."]],
    *,
    colours: Sequence[str] = OKABE_ITO,
    band: bool | Collection[str] = True,
) -> None:
    """Draw means over all but the first dimension against training step, smoothed as :func:`smoothing_window` says.

    A band, where there are two dimensions or more, is one standard deviation over the second (heads), each averaged
    over the rest (prompts). NaN is left out of all means. Where curves are smoothed, dots show the raw means, and only
    checkpoints that are evenly spaced are averaged: not the first ones of a training run that stand close together.

    Values have checkpoints first, then heads, then prompts. ``band`` says whether to draw it, or for which curves.

    Example:
        >>> from svf_helpers.chapters.kit.style import new_figure
        >>> figure, axes = new_figure(1, 1, 2)
        >>> curves_along(axes[0, 0], np.array([0, 10, 20]), {"S": np.ones((3, 4, 5))})
        >>> axes[0, 0].lines[0].get_ydata().tolist()
        [1.0, 1.0, 1.0]
    """
    at = as_array(steps, "steps", 1)
    window, start = smoothing_window(at), _even_from(at)
    banded = (curves if band else ()) if isinstance(band, bool) else band
    for number, (name, values) in enumerate(curves.items()):
        values = np.asarray(values, dtype=float)
        mean = _mean(values.reshape(len(at), -1))
        colour, marker = colours[number % len(colours)], MARKERS[number % len(MARKERS)] if window == 1 else None
        axis.plot(at, running_mean(mean, window, start), label=name, color=colour, markersize=3.5, marker=marker)
        if window > 1:
            axis.plot(at, mean, ".", color=colour, markersize=1.5, alpha=0.5)
        if name in banded and values.ndim > 1:
            heads = _mean(values.reshape(*values.shape[:2], -1))
            middle, spread = (running_mean(part, window, start) for part in (_mean(heads), _spread(heads)))
            axis.fill_between(at, middle - spread, middle + spread, color=colour, alpha=0.15, linewidth=0)
    step_axis(axis, at)


def _even_from(steps: np.ndarray) -> int:
    """The first checkpoint from which on all are evenly spaced."""
    gaps = np.diff(steps)
    uneven = np.flatnonzero(gaps != gaps[-1:])
    return int(uneven[-1]) + 1 if len(uneven) else 0


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over the last dimension without NaN; NaN where nothing is left."""
    there = np.isfinite(values)
    count = there.sum(-1)
    return np.where(count > 0, np.where(there, values, 0).sum(-1) / np.maximum(count, 1), np.nan)


def _spread(values: np.ndarray) -> np.ndarray:
    """Standard deviation over the last dimension without NaN."""
    return np.sqrt(_mean((values - _mean(values)[..., None]) ** 2))
