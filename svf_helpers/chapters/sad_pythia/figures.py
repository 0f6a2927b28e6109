"""Figures of the chapter on attention along the training of a language model (Figures 7b, 8, 9b and 25)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Num
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from svf_helpers.chapters.kit.style import GREY, OKABE_ITO, Array, bars_by_rank, house_style, new_figure
from svf_helpers.chapters.sad_pythia.along import curves_along

DARK = "#4d4d4d"  # what is no attention: accuracy, logits


def null_curves(
    steps: Num[Array, " K"],
    panels: Mapping[str, tuple[Float[Array, "K heads prompts"], Float[Array, "K heads prompts"]]],
) -> Figure:
    """Sparsity of a circuit's heads along training beside the rotated null, one panel for each basis (Figure 7b).

    ``panels`` are names of bases, each with sparsity and null.

    Example:
        >>> S = np.full((3, 4, 5), 0.2)
        >>> len(null_curves(np.array([0, 10, 20]), {"plain": (S, 2 * S), "whitened": (S, 2 * S)}).axes)
        2
    """
    with house_style():
        figure, axes = new_figure(1, len(panels), 2.9, sharey=True)
        for axis, (name, (values, null)) in zip(axes[0], panels.items(), strict=True):
            curves_along(axis, steps, {"singular vectors": values, "rotated null": null}, colours=(OKABE_ITO[0], GREY))
            axis.set(title=name, ylim=(0, None))
        axes[0, 0].set_ylabel("sparsity S (lower is sparser)")
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def ingredient_curves(
    steps: Num[Array, " K"], parts: Mapping[str, Float[Array, "K heads prompts"]], flat: float
) -> Figure:
    """Sparsity along training of what terms are made of: all of it, and some of it alone.

    A dotted line is drawn at the sparsity of random terms with a ``flat`` spectrum.
    """
    with house_style():
        figure, axes = new_figure(1, 1, 3.2)
        axis = axes[0, 0]
        curves_along(axis, steps, parts, band=False)
        axis.axhline(flat, color="#808080", linewidth=0.8, linestyle=":")
        axis.set(ylabel="sparsity S (lower is sparser)", ylim=(0, 0.55))
        figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def task_curves(
    steps: Num[Array, " K"],
    sparsity: Mapping[str, Float[Array, "K heads prompts"]],
    accuracy: Float[Array, " K"],
    difference: Float[Array, "K prompts"],
) -> Figure:
    """Sparsity by where heads look, accuracy and logit difference along training, one below the other.

    The difference is the logit of the right name less that of the wrong one; its band is the spread over prompts.
    """
    with house_style():
        figure, axes = new_figure(3, 1, 5.2, sharex=True)
        curves_along(axes[0, 0], steps, sparsity, band=False)
        curves_along(axes[1, 0], steps, {"accuracy": accuracy}, colours=[DARK])
        curves_along(axes[2, 0], steps, {"difference": difference}, colours=[DARK])
        for axis, label in zip(axes[:, 0], ("sparsity S", "accuracy", "logit difference"), strict=True):
            axis.set(ylabel=label, xlabel="")
        axes[0, 0].legend(loc="lower left")
        axes[2, 0].set_xlabel("training step")
    return figure


def count_curves(
    steps: Num[Array, " K"],
    attended: Float[Array, "K heads prompts"],
    kept: Float[Array, "K heads prompts"],
    with_zeros: Num[Array, "K heads prompts"],
) -> Figure:
    """N_sv along training in three ways: where heads attend, where they still do at the end, and with zeros elsewhere.

    ``attended`` is NaN where relative attention is not positive, ``kept`` also where it is not at the last checkpoint;
    ``with_zeros`` is 0 there, the mistake.
    """
    curves = {"ρ > 0": attended, "ρ > 0 here and at the end": kept, "zeros for ρ ≤ 0 (a mistake)": with_zeros}
    with house_style():
        figure, axes = new_figure(1, 1, 3.0)
        curves_along(axes[0, 0], steps, curves, colours=[*OKABE_ITO[:2], "#8a8a8a"], band=["ρ > 0"])
        axes[0, 0].set(ylabel="$N_{sv}$", ylim=(0, None))
        axes[0, 0].legend(loc="upper left")
    return figure


def chance_curves(
    steps: Num[Array, " K"], counts: Mapping[str, Float[Array, " K"]], shares: Mapping[str, Float[Array, " K"]]
) -> Figure:
    """Mean counts of terms along training beside what chance gives (left), and mean shares and ratios (right)."""
    with house_style():
        figure, axes = new_figure(1, 2, 3.1)
        curves_along(axes[0, 0], steps, counts)
        curves_along(axes[0, 1], steps, shares, colours=OKABE_ITO[3:])
        for axis, label in zip(axes[0], ("terms needed", "share, ratio"), strict=True):
            axis.set(ylabel=label, ylim=(0, None))
            axis.legend(loc="best")
            axis.tick_params(axis="x", labelsize=7)
    return figure


def head_panels(
    rows: Mapping[str, Float[np.ndarray, "heads m"]], *, titles: Sequence[str], height: float = 1.15
) -> Figure:
    """Terms of some heads in the order of their singular values, as in Figures 8 and 25: a column for each head.

    Each row has a name (first checkpoint, last, rotated) and the terms of each head; the largest one has another colour
    and its rank beside it. In the corner stands the sum of the terms. Every panel has a scale of its own. After four
    columns, heads go below; ``height`` is that of a panel, in inches.

    Example:
        >>> len(head_panels({"first": np.eye(3), "last": np.eye(3)}, titles=["a", "b", "c"]).axes)
        6
    """
    heads, columns = len(titles), min(4, len(titles))
    blocks = -(-heads // columns)
    with house_style():
        figure, axes = new_figure(blocks * len(rows), columns, 0.4 + height * blocks * len(rows))
        for head in range(blocks * columns):
            block, column = divmod(head, columns)
            for line, (name, terms) in enumerate(rows.items()):
                axis = axes[block * len(rows) + line, column]
                if head >= heads:
                    axis.remove()
                    continue
                _bars_and_sum(axis, terms[head])
                if line == 0:
                    axis.set_title(titles[head], fontsize=8.5)
                if column == 0:
                    axis.set_ylabel(name, fontsize=8)
        figure.supxlabel("rank of the singular value", fontsize=9)
        figure.supylabel("term (logits)", fontsize=9)
    return figure


def _bars_and_sum(axis: Axes, terms: Float[np.ndarray, " m"]) -> None:
    top, m = bars_by_rank(axis, terms, width=0.8, fontsize=7), len(terms)
    up = terms[top - 1] > 0
    low, high = min(0.0, float(terms.min())), max(0.0, float(terms.max()))
    room = (high - low) or 1.0
    axis.set_ylim(low - (0.3 if up else 0.5) * room, high + 0.5 * room)  # for the rank, and for the sum
    at, side = (0.03, "left") if up and top > m // 2 else (0.98, "right")  # the corner that the rank does not stand in
    total = f"{terms.sum():.1f}".replace("-0.0", "0.0").replace("-", "−")
    axis.text(at, 0.97, f"sum {total}", transform=axis.transAxes, ha=side, va="top", fontsize=7)
    axis.set_xticks([1, m // 2, m])
    axis.tick_params(labelsize=7)
    axis.locator_params(axis="y", nbins=3)
