"""The toy model as a diagram (Figure 10), and the error of two features that share a line."""

import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from torch import Tensor

from svf_helpers.chapters.kit.style import KEY, OKABE_ITO, QUERY, WIDTH, house_style, new_figure
from svf_helpers.chapters.superposition.numbers import local_minima

HIGHEST = 0.17  # the error at which the colours of a landscape end
_INK, _LEARNED, _PLAIN, _LOSS = "#1a1a1a", "#fff3d6", "#ffffff", "#e9e9e9"
_RECONSTRUCTION, _QUERY, _KEY, _TARGET = 61, 44, 26, 9  # heights of the four lanes, in hundredths of the width


def model_diagram() -> Figure:
    """The toy model of the paper's Figure 10.

    From left to right: feature strengths x (query) and y (key); the dictionary W makes tokens of them. Upper branch:
    strengths are reconstructed from every token (loss L_rec). Middle: the head compares tokens through W_Q and W_K.
    Bottom: the target attention, from the strengths themselves; the two attentions meet in the loss L_attn.
    Learned parts are tinted.
    """
    with house_style():
        figure, axes = new_figure(1, 1, WIDTH * 0.72)
        axis = axes[0, 0]
        axis.set(xlim=(0, 100.5), ylim=(2, 71), aspect="equal")
        axis.axis("off")
        _strengths(axis, _QUERY, QUERY, "$x$", "query", (0.9, 0.0, 0.45, 0.0, 0.65))
        _strengths(axis, _KEY, KEY, "$y$", "each of $c$ keys", (0.0, 0.7, 0.0, 0.95, 0.3))
        for lane, colour, formula, weights, strengths in (
            (_QUERY, QUERY, "$t_q = Wx$", "$W_Q^\\top t_q$", 9),
            (_KEY, KEY, "$t_k = Wy$", "$W_K^\\top t_k$", 9),
        ):
            _box(axis, 19, lane, 9, "$W$", fill=_LEARNED)
            _box(axis, 35.5, lane, 14, formula, edge=colour)
            _box(axis, 53, lane, 13, weights, fill=_LEARNED)
            for start, end in ((strengths, 14.5), (23.5, 28.5), (42.5, 46.5)):
                _arrow(axis, (start, lane), (end, lane), colour)
        middle = (_QUERY + _KEY) / 2
        _box(axis, 75, middle, 25, "logit $t_q^\\top W_Q^{} W_K^\\top t_k^{}$\nthen softmax over keys", height=12)
        _arrow(axis, (59.5, _QUERY), (62.5, middle + 3.2), QUERY, bend=-0.12)
        _arrow(axis, (59.5, _KEY), (62.5, middle - 3.2), KEY, bend=0.12)

        _box(axis, 62, _RECONSTRUCTION, 29, "$t \\rightarrow \\mathrm{ReLU}\\,(W^\\top t + b)$", fill=_LEARNED)
        _loss(axis, _RECONSTRUCTION, "$L_{rec}$")
        axis.text(94, _RECONSTRUCTION - 5.2, "error against $x$", fontsize=8, ha="center", va="top")
        _path(axis, [(35.5, _QUERY + 4), (35.5, _RECONSTRUCTION), (47.5, _RECONSTRUCTION)], _INK)
        axis.text(36.6, _RECONSTRUCTION + 1.2, "every token", fontsize=8, ha="left", va="bottom")
        _arrow(axis, (76.5, _RECONSTRUCTION), (88, _RECONSTRUCTION), _INK)

        _box(axis, 42.5, _TARGET, 30, "target logit $\\sum_{ij} T_{ij}\\, x_i y_j$")
        _box(axis, 75, _TARGET, 25, "softmax over keys")
        _path(axis, [(6, _KEY - 13.3), (6, _TARGET), (27.5, _TARGET)], _INK)
        axis.text(7.4, _TARGET - 1.2, "$x,\\; y$ themselves", fontsize=8, ha="left", va="top")
        _arrow(axis, (57.5, _TARGET), (62.5, _TARGET), _INK)
        meet = (middle + _TARGET) / 2
        _loss(axis, meet, "$\\lambda\\, L_{attn}$")
        _path(axis, [(87.5, middle), (94, middle), (94, meet + 4)], _INK)
        _path(axis, [(87.5, _TARGET), (94, _TARGET), (94, meet - 4)], _INK)
        axis.text(92.8, middle - 8.4, "attention", fontsize=8, ha="right", va="center")
        axis.text(92.8, _TARGET + 6.4, "target attention", fontsize=8, ha="right", va="center")
        for height, name in ((_RECONSTRUCTION + 6.6, "reconstruction"), (_QUERY + 6.6, "attention head")):
            axis.text(62 if name == "reconstruction" else 65, height, name, ha="center", fontsize=9, style="italic")
        _box(axis, 3.4, 67.5, 3.6, "", height=3.6, fill=_LEARNED)
        axis.text(6.6, 67.5, "learned", fontsize=8.5, va="center")
    return figure


def line_landscape(lengths: Float[Tensor, " A"], landscape: Float[Tensor, "A A"]) -> Figure:
    """Error of two features on one line against their signed lengths, with a mark on each local minimum.

    A cross where the two lie on opposite sides, a dot where they lie on the same one. Rows of ``landscape`` are lengths
    of the first feature; errors above ``HIGHEST`` are all drawn alike, and some must lie below (``ValueError``).
    """
    if landscape.min() >= HIGHEST:
        raise ValueError(f"landscape: the least error is {float(landscape.min()):.3g}, colours end at {HIGHEST}")
    with house_style():
        figure, ((axis,),) = new_figure(1, 1, 4.2, width=5.0)
        filled = axis.contourf(lengths, lengths, landscape.T, cmap="Blues_r", extend="max",
                               levels=torch.linspace(float(landscape.min()), HIGHEST, 28))
        for row, column in local_minima(landscape):
            first, second = lengths[row], lengths[column]
            axis.plot(first, second, "x" if first * second < 0 else "o", color=OKABE_ITO[1], mew=2)
        axis.set(xlabel="signed length of feature 1", ylabel="signed length of feature 2", aspect="equal")
        figure.colorbar(filled, label="error, both features together", shrink=0.85, format="%.2f")
    return figure


def _box(axis: Axes, x: float, y: float, width: float, text: str, *, height: float = 8.0, fill: str = _PLAIN,
         edge: str = "#4d4d4d") -> None:
    corner = (x - width / 2, y - height / 2)
    axis.add_patch(FancyBboxPatch(corner, width, height, boxstyle="round,pad=0,rounding_size=1.4", facecolor=fill,
                                  edgecolor=edge, linewidth=1.2, zorder=2))
    axis.text(x, y, text, ha="center", va="center", fontsize=8.5, zorder=3, linespacing=1.5)


def _loss(axis: Axes, y: float, text: str) -> None:
    axis.add_patch(FancyBboxPatch((88, y - 4), 12, 8, boxstyle="round,pad=0,rounding_size=4", facecolor=_LOSS,
                                  edgecolor=_INK, linewidth=1.2, zorder=2))
    axis.text(94, y, text, ha="center", va="center", fontsize=10, zorder=3)


def _strengths(axis: Axes, y: float, colour: str, symbol: str, who: str, values: tuple[float, ...]) -> None:
    """A column of dots for one token's feature strengths: most are absent (hollow), the others more or less strong."""
    for row, value in enumerate(values):
        place = (6, y + 2.7 * (len(values) - 1) / 2 - 2.7 * row)
        axis.add_patch(Circle(place, 1.05, facecolor="white", edgecolor=colour, linewidth=1.0, zorder=2))
        if value:
            axis.add_patch(Circle(place, 1.05, facecolor=colour, alpha=value, linewidth=0, zorder=3))
    axis.text(2.6, y, symbol, ha="center", va="center", fontsize=11, color=colour)
    axis.text(0.6, y - 7.6, who, ha="left", va="top", fontsize=8, color=colour)


def _arrow(axis: Axes, start: tuple, end: tuple, colour: str, bend: float = 0.0) -> None:
    axis.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=9, linewidth=1.2, color=colour,
                                   shrinkA=0, shrinkB=1, connectionstyle=f"arc3,rad={bend}", zorder=1))


def _path(axis: Axes, points: list[tuple], colour: str) -> None:
    """A line with corners that ends in an arrow."""
    axis.plot([x for x, _ in points[:-1]], [y for _, y in points[:-1]], color=colour, linewidth=1.2, zorder=1,
              solid_capstyle="butt")
    _arrow(axis, points[-2], points[-1], colour)
