"""Figures of the chapter on Theorem 3: features that turn, interference under its bound, and what an angle costs."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from svf_helpers.chapters.kit.style import GREY, OKABE_ITO, Array, as_array, house_style, new_figure


def turning(x: Float[Array, "lambdas k"], y: Float[Array, "lambdas k"]) -> Figure:
    """The free features at several lambdas, pale to dark, beside the fixed ones, which point right.

    Args:
        x: by rising lambda; the first two coordinates, along u_1 and u_2, are drawn.
        y: along v_1 and v_2.

    Raises:
        ValueError: for shapes that differ.

    Example:
        >>> figure = turning([[0.6, 0.8], [0.0, 1.0]], [[-0.6, 0.8], [0.0, 1.0]])
        >>> [axis.get_xlabel() for axis in figure.axes]
        ['along $u_1$', 'along $v_1$']
    """
    free = as_array(x, "x", 2), as_array(y, "y", 2)
    if free[0].shape != free[1].shape:
        raise ValueError(f"x and y must have one shape, got {free[0].shape} and {free[1].shape}")
    depth = np.interp(np.linspace(0, 1, len(free[0])), np.linspace(0, 1, 5), [0.3, 0.45, 0.6, 0.8, 1.0])
    shades = mpl.colormaps["Blues"](depth)
    with house_style():
        figure, (axes,) = new_figure(1, 2, 2.9, sharey=True)
        for axis, vectors, (name, fixed, along) in zip(axes, free, ("xfu", "ygv"), strict=True):
            for vector, shade in zip(vectors.tolist(), shades, strict=True):
                _arrow(axis, vector[:2], shade)
            _arrow(axis, (1, 0), GREY)
            axis.text(0.7, -0.13, f"${fixed}_1 = {along}_1$")
            axis.set(xlim=(-1.1, 1.1), ylim=(-0.2, 1.15), aspect="equal", title=f"${name}$",
                     xlabel=f"along ${along}_1$", ylabel=f"along ${along}_2$")
    return figure


def interference_and_bound(
    lam: Float[Array, " lambdas"],
    interference: Float[Array, "heads lambdas"],
    bound: Float[Array, "heads lambdas"],
    chosen: Sequence[int] = (3, 24, 70),
) -> Figure:
    """Interference at the minimum against lambda, and as a share of Theorem 3's bound.

    Args:
        lam: weights of the penalty.
        interference: every third head is drawn on the left, and every head's share on the right.
        bound: Theorem 3's, dashed for the chosen heads.
        chosen: heads that are drawn thick; up to three, those that do not exist are passed over.

    Raises:
        ValueError: for shapes that do not match.

    Example:
        >>> figure = interference_and_bound([1.0, 10.0], [[0.1, 0.001]], [[0.2, 0.002]])
        >>> figure.axes[1].lines[0].get_ydata().tolist()
        [0.5, 0.5]
    """
    across = as_array(lam, "lam", 1)
    values, limits = as_array(interference, "interference", 2), as_array(bound, "bound", 2)
    if not values.shape == limits.shape == (len(values), len(across)):
        raise ValueError(f"interference and bound: shape [heads, {len(across)}] is needed, got {values.shape} and "
                         f"{limits.shape}")
    with house_style():
        figure, ((left, right),) = new_figure(1, 2, 3.2)
        for row in values[::3]:
            left.loglog(across, row, color="#b0b0b0", linewidth=0.5)
        for row, colour in zip([row for row in chosen if row < len(values)], OKABE_ITO, strict=False):
            left.loglog(across, values[row], color=colour, linewidth=2.2)
            left.loglog(across, limits[row], color=colour, linewidth=1.6, linestyle="--")
        right.semilogx(across, (values / limits).T, color=OKABE_ITO[0], linewidth=0.5, alpha=0.5)
        right.axhline(0.5, color="black", linestyle=":", linewidth=1)
        left.set(xlabel=r"$\lambda$", ylabel="interference $I$")
        right.set(xlabel=r"$\lambda$", ylabel="interference / bound", ylim=(0, 1.05))
    return figure


def costs_of_an_angle(degrees: Float[Array, " angles"], reconstruction: Float[Array, " angles"]) -> Figure:
    """Theorem 3's penalty and the reconstruction loss of two unit features, both scaled to 1 where they coincide.

    Args:
        degrees: the angle between the features, from 0 up.
        reconstruction: the loss at each angle, above 0 at the first.

    Raises:
        ValueError: for lengths that differ.

    Example:
        >>> figure = costs_of_an_angle([0.0, 90.0, 180.0], [4.0, 0.0, 1.0])
        >>> figure.axes[0].lines[1].get_ydata().tolist()
        [1.0, 0.0, 0.25]
    """
    angles, loss = as_array(degrees, "degrees", 1), as_array(reconstruction, "reconstruction", 1)
    if angles.shape != loss.shape:
        raise ValueError(f"degrees and reconstruction must have one length, got {len(angles)} and {len(loss)}")
    with house_style():
        figure, ((axis,),) = new_figure(1, 1, 2.8)
        axis.plot(angles, np.cos(np.deg2rad(angles)) ** 2, label=r"penalty $\cos^2\theta$")
        axis.plot(angles, loss / loss[0], linestyle="--", label="reconstruction loss")
        axis.set(xlabel="angle between the two features (degrees)", ylabel="cost (1 at 0 degrees)")
        axis.set_xticks(range(0, 181, 30))
        axis.legend()
    return figure


def _arrow(axis: Axes, tip: Sequence[float], colour) -> None:
    axis.annotate("", tip, (0, 0), arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2})
