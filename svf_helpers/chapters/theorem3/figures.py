"""Figures of the chapter on Theorem 3: features that turn, interference under its bound, and what an angle costs."""

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from svf_helpers.chapters.kit.style import GREY, OKABE_ITO, Array, as_array, house_style, new_figure

CHOSEN = (3, 24, 70)  # heads that are drawn thick, with their bounds


def turning(x: Float[Array, "lambdas k"], y: Float[Array, "lambdas k"]) -> Figure:
    """The free features by rising lambda, pale to dark, beside the fixed ones, which point right.

    Drawn are the first two coordinates: of x along u_1 and u_2, of y along v_1 and v_2.
    """
    depth = np.interp(np.linspace(0, 1, len(x)), np.linspace(0, 1, 5), [0.3, 0.45, 0.6, 0.8, 1.0])
    shades = mpl.colormaps["Blues"](depth)
    with house_style():
        figure, (axes,) = new_figure(1, 2, 2.9, sharey=True)
        sides = ((x, "x", "f", "u"), (y, "y", "g", "v"))
        for axis, (vectors, name, fixed, along) in zip(axes, sides, strict=True):
            for (right, up, *_), shade in zip(vectors.tolist(), shades, strict=True):
                _arrow(axis, (right, up), shade)
            _arrow(axis, (1, 0), GREY)
            axis.text(0.7, -0.13, f"${fixed}_1 = {along}_1$")
            axis.set(xlim=(-1.1, 1.1), ylim=(-0.2, 1.15), aspect="equal", title=f"${name}$",
                     xlabel=f"along ${along}_1$", ylabel=f"along ${along}_2$")
    return figure


def interference_and_bound(
    lam: Float[Array, " lambdas"], interference: Float[Array, "heads lambdas"], bound: Float[Array, "heads lambdas"]
) -> Figure:
    """Interference at the minimum against lambda (every third head), and as a share of Theorem 3's bound (all heads).

    The heads in ``CHOSEN`` are drawn thick, with their bound dashed; those that do not exist are passed over.
    """
    values, limits = as_array(interference, "interference", 2), as_array(bound, "bound", 2)
    with house_style():
        figure, ((left, right),) = new_figure(1, 2, 3.2)
        for row in values[::3]:
            left.loglog(lam, row, color="#b0b0b0", linewidth=0.5)
        for head, colour in zip([head for head in CHOSEN if head < len(values)], OKABE_ITO, strict=False):
            left.loglog(lam, values[head], color=colour, linewidth=2.2)
            left.loglog(lam, limits[head], color=colour, linewidth=1.6, linestyle="--")
        right.semilogx(lam, (values / limits).T, color=OKABE_ITO[0], linewidth=0.5, alpha=0.5)
        right.axhline(0.5, color="black", linestyle=":", linewidth=1)
        left.set(xlabel=r"$\lambda$", ylabel="interference $I$")
        right.set(xlabel=r"$\lambda$", ylabel="interference / bound", ylim=(0, 1.05))
    return figure


def costs_of_an_angle(degrees: Float[Array, " angles"], reconstruction: Float[Array, " angles"]) -> Figure:
    """Theorem 3's penalty and the reconstruction loss of two unit features, both scaled to 1 at the first angle, 0."""
    angles = as_array(degrees, "degrees", 1)
    with house_style():
        figure, ((axis,),) = new_figure(1, 1, 2.8)
        axis.plot(angles, np.cos(np.deg2rad(angles)) ** 2, label=r"penalty $\cos^2\theta$")
        axis.plot(angles, reconstruction / reconstruction[0], linestyle="--", label="reconstruction loss")
        axis.set(xlabel="angle between the two features (degrees)", ylabel="cost (1 at 0 degrees)")
        axis.set_xticks(range(0, 181, 30))
        axis.legend()
    return figure


def _arrow(axis: Axes, tip: tuple[float, float], colour) -> None:
    axis.annotate("", tip, (0, 0), arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2})
