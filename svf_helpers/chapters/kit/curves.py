"""Curves over training steps: drawn in the house style, and from when on they stay above a level."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int, Real
from matplotlib.figure import Figure

from svf_helpers.chapters.kit.style import MARKERS, OKABE_ITO, Array, as_array, house_style, new_figure


def training_curves(
    steps: Sequence[int] | Real[Array, " K"],
    losses: Mapping[str, Float[Array, " K"]],
    *,
    log: bool = True,
    ylabel: str = "loss",
) -> Figure:
    """Losses against training step, one line for each name in ``losses``.

    Args:
        steps: training steps, rising.
        losses: name to values, up to eight.
        log: logarithmic axis of losses, which must then be positive.
        ylabel: name of the vertical axis.

    Raises:
        ValueError: for lengths that differ, no curve or too many, or values that a logarithmic axis cannot show.

    Example:
        >>> training_curves([0, 100], {"reconstruction": np.array([0.1, 0.01])}).axes[0].get_yscale()
        'log'
    """
    at = as_steps(steps)
    if not losses or len(losses) > len(OKABE_ITO):
        raise ValueError(f"losses: between 1 and {len(OKABE_ITO)} named curves are needed, got {len(losses)}")
    curves = {name: as_array(values, f"losses[{name!r}]", 1) for name, values in losses.items()}
    for name, values in curves.items():
        if len(values) != len(at):
            raise ValueError(f"losses[{name!r}]: {len(at)} values are needed, one a step, got {len(values)}")
        if log and (values <= 0).any():
            raise ValueError(f"losses[{name!r}]: a logarithmic axis shows positive values only; pass log=False")
    with house_style():
        figure, axes = new_figure(1, 1, 2.8)
        axis = axes[0, 0]
        for k, (name, values) in enumerate(curves.items()):
            axis.plot(at, values, color=OKABE_ITO[k], label=name, marker=MARKERS[k], markersize=3.5,
                      markevery=max(1, len(at) // 8))
        axis.set(xlabel="training step", ylabel=ylabel, yscale="log" if log else "linear")
        axis.legend()
    return figure


def as_steps(steps: object) -> np.ndarray:
    """Recorded steps as an array; ``ValueError`` where they do not rise."""
    at = as_array(steps, "steps", 1)
    if (np.diff(at) <= 0).any():
        raise ValueError("steps: they must rise from one record to the next")
    return at


def stays_above(
    values: Float[np.ndarray, "K *rest"], step: Int[np.ndarray, " K"] | Sequence[int], threshold: float
) -> Float[np.ndarray, "*rest"]:
    """The step from which |values| (time first) stay above the threshold until the end; NaN where they never do.

    Example:
        >>> stays_above(np.array([0.95, 0.3, 0.92, -0.99]), [0, 100, 200, 300], 0.9)  # passes at 0, stays from 200 on
        array(200.)
    """
    from_here_on = np.logical_and.accumulate(np.abs(values[::-1]) > threshold)[::-1]
    return np.where(from_here_on[-1], np.asarray(step, float)[from_here_on.argmax(0)], np.nan)
