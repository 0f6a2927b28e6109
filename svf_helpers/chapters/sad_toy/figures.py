"""Figures of the chapter on sparse attention decomposition in the toy model (Figures 5, 6, 7a and 24)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Num
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from svf_helpers.chapters.kit.style import OKABE_ITO, Array, as_array, house_style, new_figure, ranks_axis
from svf_helpers.chapters.sad_toy.numbers import DOMINATES

#: How many pairs are present -> colour and line of its curve.
CLASSES = {"no pair": (OKABE_ITO[1], "-."), "one pair": (OKABE_ITO[0], "-"), "two pairs": (OKABE_ITO[2], "--")}


def term_panels(
    panels: Sequence[Sequence[Float[Array, "_ m"]] | Float[Array, "columns _ m"]],
    *,
    titles: Sequence[str],
    rows: Sequence[str] = ("term (logits)",),
    limits: Sequence[tuple[float, float]] | None = None,
) -> Figure:
    """Terms of relative attention by rank, as in Figures 5 and 24: a bar for the mean, dots for the first contexts.

    Each panel holds the terms of some contexts. ``limits`` of the y axis are one for each column; without them each row
    of panels is fitted to its terms.

    Example:
        >>> len(term_panels([[np.eye(3), np.ones((2, 3))]], titles=["one term", "equal terms"]).axes)
        2
    """
    with house_style():
        figure, axes = new_figure(len(panels), len(titles), 0.5 + 1.9 * len(panels))
        for line, row, name in zip(axes, panels, rows, strict=True):
            arrays = [as_array(panel, name, 2) for panel in row]
            low, high = min(float(p.min()) for p in arrays), max(float(p.max()) for p in arrays)
            room = 0.06 * (high - low) or 1.0
            fitted = [(low - room, high + room)] * len(arrays)
            for axis, panel, limit in zip(line, arrays, limits or fitted, strict=True):
                _bars_and_dots(axis, panel)
                axis.set_ylim(limit)
            line[0].set_ylabel(name)
        for axis, title in zip(axes[0], titles, strict=True):
            axis.set_title(title)
        figure.supxlabel("rank of the singular vector", fontsize=9.5)
    return figure


def _bars_and_dots(axis: Axes, terms: Float[np.ndarray, "_ m"]) -> None:
    m, dots = terms.shape[1], terms[:80]
    ranks = np.arange(1, m + 1)
    axis.bar(ranks, terms.mean(0), width=0.75, color=OKABE_ITO[5], alpha=0.75)
    shift = np.linspace(-0.25, 0.25, len(dots))[:, None]
    axis.plot(ranks + shift, dots, ".", markersize=1.8, color=OKABE_ITO[0], alpha=0.5)
    axis.axhline(0, color="#4d4d4d", linewidth=0.8)
    axis.yaxis.get_offset_text().set_x(-0.25)  # a power of ten would touch the title
    ranks_axis(axis, m, "")
    if m > 6:
        axis.set_xticks([1, *range(4, m + 1, 3)])


def sparsity_curves(
    steps: Num[Array, " K"], panels: Mapping[str, tuple[Float[Array, "K seeds 3"], Float[Array, "K seeds 3"]]]
) -> Figure:
    """Sparsity of terms along training with 0, 1 and 2 pairs present, beside the rotated null, as in Figure 7(a).

    A panel has the name of its basis, sparsity and null. Lines are means over seeds, bands one standard deviation; the
    null is drawn in grey, mean over the three classes.
    """
    with house_style():
        figure, axes = new_figure(1, len(panels), 3.2, sharey=True)
        for axis, (name, (values, null)) in zip(axes[0], panels.items(), strict=True):
            for k, (label, (colour, style)) in enumerate(CLASSES.items()):
                _over_seeds(axis, steps, values[..., k], 0.18, linestyle=style, color=colour, label=f"{label} present")
            axis.plot(steps, as_array(null, name, 3).mean((1, 2)), ":", color="#6b6b6b", label="rotated null")
            axis.set(xlabel="training step", title=name, ylim=(0, 0.5))
            axis.locator_params(axis="x", nbins=4)
        axes[0, 0].set_ylabel("sparsity S (lower is sparser)")
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def _over_seeds(
    axis: Axes, steps: Num[Array, " K"], values: Float[Array, "K seeds"], alpha: float, *, color: str, **style: Any
) -> None:
    """The mean over seeds in matplotlib's ``style``, and a band of one standard deviation."""
    of_seeds = as_array(values, "values", 2)
    mean, spread = of_seeds.mean(1), of_seeds.std(1)
    axis.plot(steps, mean, color=color, **style)
    axis.fill_between(steps, mean - spread, mean + spread, color=color, alpha=alpha, linewidth=0)


def without_pairs(
    early: Float[Array, "_ m"], late: Float[Array, "_ m"], present: Float[Array, "_ m"]
) -> Figure:
    """Terms with no pair present, as in Figure 24: early, late on the scale of a pair's terms, and late magnified.

    ``present`` are terms at the end of training with a pair present, for the scale of the panel in the middle.

    Example:
        >>> middle = without_pairs(np.eye(3), 1e-6 * np.eye(3), 10 * np.eye(3)).axes[1]
        >>> middle.get_title(), round(float(middle.get_ylim()[1]), 1)
        ('late, scale of the pairs', 11.0)
    """
    reach = [1.1 * np.abs(as_array(terms, "terms", 2)).max() for terms in (early, present, late)]
    limits = [(-reach[0], reach[0]), (-2, reach[1]), (-reach[2], reach[2])]
    return term_panels([[early, late, late]], titles=["early", "late, scale of the pairs", "magnified"], limits=limits)


def largest_shares(
    one: Mapping[str, Float[Array, "seeds contexts"]],
    strength: Float[Array, " contexts"],
    two: Float[Array, "seeds choices"],
    ratio: Float[Array, " choices"],
) -> Figure:
    """The largest term's share of all sizes: with one pair against its strength x_i y_j, with two against their ratio.

    ``one`` has two names, for the legend. The ratio is that of the weaker part to the stronger one, and beside the dots
    stands the curve 1 / (1 + ratio) that alignment predicts.
    """
    with house_style():
        figure, ((left, right),) = new_figure(1, 2, 2.8, sharey=True)
        for (name, values), colour in zip(one.items(), (OKABE_ITO[1], OKABE_ITO[0]), strict=True):
            left.plot(strength, values.T, ".", color=colour, markersize=1, alpha=0.4)
            left.plot([], [], "o", color=colour, label=name)
        left.set(xscale="log", xlabel="strength of the pair, $x_i\\,y_j$", ylabel="largest share", ylim=(0, 1.05))
        left.legend(loc="lower left")
        right.plot(ratio, two.T, ".", color=OKABE_ITO[0], markersize=3)
        fine = np.linspace(0, 1, 50)
        right.plot(fine, 1 / (1 + fine), color="#1a1a1a", linewidth=0.8)
        right.set(xlabel="weaker part / stronger part")
        for axis in (left, right):
            axis.axhline(DOMINATES, color="#808080", linewidth=0.8, linestyle=":")
    return figure


def terms_against_strengths(
    terms: Float[Array, "contexts pairs"],
    relative: Float[Array, "contexts pairs"],
    alone: Float[Array, "contexts pairs"],
    shown: int = 400,
) -> Figure:
    """The term of each pair's rank against the strengths of its features in the first contexts, as in Figure 6.

    Left against x_i times what the key has of feature j beyond the other keys, right against x_i y_j alone.
    """
    with house_style():
        figure, (axes,) = new_figure(1, 2, 3.0, sharey=True)
        for axis, strength in zip(axes, (relative, alone), strict=True):
            for k in range(terms.shape[1]):
                axis.plot(strength[:shown, k], terms[:shown, k], ".", color=OKABE_ITO[k], markersize=3,
                          label=f"pair {k + 1}")
        axes[0].set(xlabel="$x_i\\,(y_j-$ mean of other keys$)$", ylabel="term (logits)")
        axes[1].set(xlabel="$x_i\\,y_j$")
        axes[0].legend(loc="upper left", markerscale=2)
    return figure


def terms_needed(
    steps: Num[Array, " K"], counts: Float[Array, "K seeds"], some_steps: Sequence[int], most: Float[Array, " L"]
) -> Figure:
    """How many terms it takes to reach relative attention along training.

    All of it, which is N_sv of every seed, drawn with mean and standard deviation; and 95 per cent of it (``most``, at
    ``some_steps``) in the first seed.
    """
    with house_style():
        figure, ((axis,),) = new_figure(1, 1, 2.8)
        _over_seeds(axis, steps, counts, 0.2, color=OKABE_ITO[0], label="all of ρ ($N_{sv}$), all seeds")
        axis.plot(some_steps, most, color=OKABE_ITO[1], label="95 % of ρ, first seed")
        axis.axhline(1, color="#808080", linewidth=0.8, linestyle=":")
        axis.set(xlabel="training step", ylabel="terms needed", ylim=(0, 5.5))
        axis.legend(loc="upper right")
    return figure
