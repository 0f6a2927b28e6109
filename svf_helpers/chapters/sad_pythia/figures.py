"""Figures of the chapter on attention along the training of a language model (Figures 7b, 8, 9b and 25)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Num
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from svf_helpers.chapters.kit.style import GREY, OKABE_ITO, Array, as_array, as_labels, house_style, new_figure
from svf_helpers.chapters.sad_pythia.along import curves_along

__all__ = ["chance_curves", "count_curves", "head_panels", "ingredient_curves", "null_curves", "task_curves"]

DARK = "#4d4d4d"  # what is no attention: accuracy, logits


def null_curves(
    steps: Num[Array, " K"],
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
        >>> len(null_curves(np.array([0, 10, 20]), {"plain": (S, 2 * S), "whitened": (S, 2 * S)}).axes)
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


def ingredient_curves(
    steps: Num[Array, " K"], parts: Mapping[str, Float[Array, "K heads prompts"]], flat: float
) -> Figure:
    """Sparsity along training of what terms are made of: all of it, and some of it alone.

    Args:
        steps: training steps of the checkpoints.
        parts: name of some ingredients -> sparsity of terms made of them.
        flat: sparsity of random terms with a flat spectrum, a dotted line.

    Example:
        >>> S = np.full((3, 4, 5), 0.2)
        >>> figure = ingredient_curves(np.array([0, 10, 20]), {"terms": S, "Σ alone": 2 * S}, flat=0.45)
        >>> [text.get_text() for text in figure.legends[0].get_texts()]
        ['terms', 'Σ alone']
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
    """Sparsity, accuracy and logit difference along training, one below the other.

    Args:
        steps: training steps of the checkpoints.
        sparsity: name of some heads -> their sparsity.
        accuracy: share of prompts answered right.
        difference: logit of the right name less that of the wrong one; the band is its spread over prompts.

    Example:
        >>> steps, S = np.array([0, 10]), {"END→S2": np.full((2, 1, 3), 0.2)}
        >>> figure = task_curves(steps, S, np.array([0.0, 1.0]), np.ones((2, 3)))
        >>> [axis.get_ylabel() for axis in figure.axes]
        ['sparsity S', 'accuracy', 'logit difference']
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

    Args:
        steps: training steps of the checkpoints.
        attended: counts, NaN where relative attention is not positive.
        kept: the same, and NaN where it is not positive at the last checkpoint either.
        with_zeros: counts that are 0 there, the mistake.

    Example:
        >>> N = np.array([[[2.0, np.nan]], [[3.0, 1.0]]])
        >>> figure = count_curves(np.array([0, 10]), N, N, np.nan_to_num(N))
        >>> [line.get_ydata().tolist() for line in figure.axes[0].lines]
        [[2.0, 2.0], [2.0, 2.0], [1.0, 2.0]]
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
    """Counts of terms along training beside what chance gives (left), and shares and ratios (right).

    Args:
        steps: training steps of the checkpoints.
        counts: name -> mean count of terms.
        shares: name -> mean share or ratio.

    Example:
        >>> counts = {"$N_{sv}$": np.array([2.0, 3.0]), "chance": np.array([2.0, 6.0])}
        >>> figure = chance_curves(np.array([0, 10]), counts, {"c": np.array([0.2, 0.7])})
        >>> [len(axis.lines) for axis in figure.axes]
        [2, 1]
    """
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
