"""Figures of the chapter on sparse attention decomposition in the toy model (Figures 5, 7a and 24), in house style."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from svf_helpers.chapters.kit.style import OKABE_ITO, Array, as_array, as_labels, house_style, new_figure, ranks_axis

CLASSES = ("no pair", "one pair", "two pairs")
COLOURS = (OKABE_ITO[1], OKABE_ITO[0], OKABE_ITO[2])
LINES = ("-.", "-", "--")


def term_panels(
    panels: Sequence[Sequence[Float[Array, "contexts m"]]],
    *,
    titles: Sequence[str],
    rows: Sequence[str] | None = None,
    limits: Sequence[tuple[float, float] | None] | None = None,
    shown: int = 80,
) -> Figure:
    """Terms of relative attention by rank, as in Figures 5 and 24: a bar for the mean, dots for single contexts.

    Args:
        panels: rows of panels, each panel the terms of some contexts.
        titles: one for each column.
        rows: names of the rows, put on their left axes.
        limits: of the y axis, one for each column; None (for a column, or altogether) fits each row to its terms.
        shown: how many contexts get dots, the first ones.

    Raises:
        ValueError: for rows of different lengths, or titles, names and limits that do not match them.

    Example:
        >>> len(term_panels([[np.eye(3), np.ones((2, 3))]], titles=["one term", "equal terms"]).axes)
        2
    """
    arrays = [[as_array(panel, "panels", 2) for panel in row] for row in panels]
    if not arrays or len({len(row) for row in arrays}) != 1:
        raise ValueError(f"panels: rows of one length are needed, got {[len(row) for row in arrays]}")
    columns = len(arrays[0])
    titles = as_labels(titles, columns, "titles", "{}")
    names = as_labels(rows, len(arrays), "rows", "term (logits)")
    limits = [None] * columns if limits is None else list(limits)
    if len(limits) != columns:
        raise ValueError(f"limits: one for each of {columns} columns, got {len(limits)}")
    with house_style():
        figure, axes = new_figure(len(arrays), columns, 0.5 + 1.9 * len(arrays))
        for line, (row, name) in enumerate(zip(arrays, names, strict=True)):
            low, high = min(float(p.min()) for p in row), max(float(p.max()) for p in row)
            room = 0.06 * (high - low) or 1.0
            for axis, panel, limit in zip(axes[line], row, limits, strict=True):
                ranks = np.arange(1, panel.shape[1] + 1)
                axis.bar(ranks, panel.mean(0), width=0.75, color=OKABE_ITO[5], alpha=0.75)
                dots = panel[:shown]
                shift = np.linspace(-0.25, 0.25, len(dots))[:, None]
                axis.plot(ranks + shift, dots, ".", markersize=1.8, color=OKABE_ITO[0], alpha=0.5)
                axis.axhline(0, color="#4d4d4d", linewidth=0.8)
                axis.set_ylim(limit or (low - room, high + room))
                axis.yaxis.get_offset_text().set_x(-0.25)  # a power of ten would touch the title
                ranks_axis(axis, panel.shape[1], "")
                if panel.shape[1] > 6:
                    axis.set_xticks([1, *range(4, panel.shape[1] + 1, 3)])
            axes[line, 0].set_ylabel(name)
        for axis, title in zip(axes[0], titles, strict=True):
            axis.set_title(title)
        figure.supxlabel("rank of the singular vector", fontsize=9.5)
    return figure


def sparsity_curves(
    steps: Float[Array, " K"],
    panels: Mapping[str, tuple[Float[Array, "K seeds 3"], Float[Array, "K seeds 3"]]],
) -> Figure:
    """Sparsity of terms along training with 0, 1 and 2 pairs present, beside the rotated null, as in Figure 7(a).

    Lines are means over seeds, bands one standard deviation. The null is drawn in grey, mean over the three classes.

    Args:
        steps: training steps of the records.
        panels: name of a basis -> (sparsity, null), the last axis by number of pairs present, 0 to 2.

    Raises:
        ValueError: for shapes that do not match, or sparsities outside 0 to 1.

    Example:
        >>> S = np.full((2, 5, 3), 0.2)
        >>> len(sparsity_curves([0, 100], {"plain": (S, 2 * S)}).axes)
        1
    """
    at = as_array(steps, "steps", 1)
    data = {name: [as_array(x, name, 3) for x in pair] for name, pair in panels.items()}
    for name, pair in data.items():
        for values in pair:
            if values.shape[0] != len(at) or values.shape[2] != len(CLASSES):
                raise ValueError(f"{name}: shape [{len(at)}, seeds, 3] is needed, got {list(values.shape)}")
            if values.min() < 0 or values.max() > 1:
                raise ValueError(f"{name}: sparsities lie between 0 and 1")
    with house_style():
        figure, axes = new_figure(1, len(data), 3.2, sharey=True)
        for axis, (name, (values, null)) in zip(axes[0], data.items(), strict=True):
            for k, (label, colour, style) in enumerate(zip(CLASSES, COLOURS, LINES, strict=True)):
                mean, spread = values[..., k].mean(1), values[..., k].std(1)
                axis.plot(at, mean, style, color=colour, label=f"{label} present")
                axis.fill_between(at, mean - spread, mean + spread, color=colour, alpha=0.18, linewidth=0)
            axis.plot(at, null.mean((1, 2)), ":", color="#6b6b6b", label="rotated null")
            axis.set(xlabel="training step", title=name, ylim=(0, 0.5))
            axis.locator_params(axis="x", nbins=4)
        axes[0, 0].set_ylabel("sparsity S (lower is sparser)")
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def without_pairs(
    early: Float[Array, "contexts m"], late: Float[Array, "contexts m"], present: Float[Array, "contexts m"]
) -> Figure:
    """Terms with no pair present, as in Figure 24: early, late on the scale of a pair's terms, and late magnified.

    Args:
        early: terms early in training.
        late: terms at its end.
        present: terms at its end with a pair present, for the scale of the panel in the middle.

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
    """The largest term's share of all sizes: with one pair against its strength, with two against their ratio.

    Args:
        one: share with one pair, early and late in training (two names, for the legend).
        strength: x_i y_j of the pair, positive.
        two: share with two pairs.
        ratio: weaker over stronger part, beside the curve 1 / (1 + ratio) that alignment predicts.

    Raises:
        ValueError: for lengths that differ.

    Example:
        >>> figure = largest_shares({"early": [[0.4]], "late": [[1.0]]}, [0.5], [[0.8]], [0.25])
        >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
        ['early', 'late']
    """
    across, ratios, pairs = as_array(strength, "strength", 1), as_array(ratio, "ratio", 1), as_array(two, "two", 2)
    shares = {name: as_array(values, f"one[{name!r}]", 2) for name, values in one.items()}
    for values, at in [(values, across) for values in shares.values()] + [(pairs, ratios)]:
        if values.shape[1] != len(at):
            raise ValueError(f"shares: one column for each of {len(at)} contexts is needed, got {values.shape[1]}")
    with house_style():
        figure, ((left, right),) = new_figure(1, 2, 2.8, sharey=True)
        for (name, values), colour in zip(shares.items(), (OKABE_ITO[1], OKABE_ITO[0]), strict=True):
            left.plot(across, values.T, ".", color=colour, markersize=1, alpha=0.4)
            left.plot([], [], "o", color=colour, label=name)
        left.set(xscale="log", xlabel="strength of the pair, $x_i\\,y_j$", ylabel="largest share", ylim=(0, 1.05))
        left.legend(loc="lower left")
        right.plot(ratios, pairs.T, ".", color=OKABE_ITO[0], markersize=3)
        fine = np.linspace(0, 1, 50)
        right.plot(fine, 1 / (1 + fine), color="#1a1a1a", linewidth=0.8)
        right.set(xlabel="weaker part / stronger part")
        for axis in (left, right):
            axis.axhline(0.8, color="#808080", linewidth=0.8, linestyle=":")
    return figure


def terms_against_strengths(
    terms: Float[Array, "contexts pairs"],
    relative: Float[Array, "contexts pairs"],
    alone: Float[Array, "contexts pairs"],
    shown: int = 400,
) -> Figure:
    """Each pair's term against the strengths of its features, as in Figure 6.

    Args:
        terms: of each pair's rank.
        relative: x_i times what the key has of feature j beyond the other keys.
        alone: x_i y_j.
        shown: how many contexts, the first ones.

    Raises:
        ValueError: for shapes that differ.

    Example:
        >>> terms = np.array([[24.0, 0.0], [12.0, 5.0]])
        >>> [axis.get_xlabel() for axis in terms_against_strengths(terms, terms / 24, terms / 30).axes]
        ['$x_i\\\\,(y_j-$ mean of other keys$)$', '$x_i\\\\,y_j$']
    """
    data = {"terms": terms, "relative": relative, "alone": alone}
    arrays = {name: as_array(values, name, 2)[:shown] for name, values in data.items()}
    if len({values.shape for values in arrays.values()}) > 1:
        raise ValueError(f"terms, relative and alone must have one shape, got {[v.shape for v in arrays.values()]}")
    with house_style():
        figure, (axes,) = new_figure(1, 2, 3.0, sharey=True)
        for k in range(arrays["terms"].shape[1]):
            for axis, name in zip(axes, ("relative", "alone"), strict=True):
                axis.plot(arrays[name][:, k], arrays["terms"][:, k], ".", color=OKABE_ITO[k], markersize=3,
                          label=f"pair {k + 1}")
        axes[0].set(xlabel="$x_i\\,(y_j-$ mean of other keys$)$", ylabel="term (logits)")
        axes[1].set(xlabel="$x_i\\,y_j$")
        axes[0].legend(loc="upper left", markerscale=2)
    return figure


def terms_needed(
    steps: Float[Array, " K"],
    counts: Float[Array, "K seeds"],
    some_steps: Float[Array, " L"],
    most: Float[Array, " L"],
) -> Figure:
    """How many terms it takes to reach relative attention along training: all of it, and 95 per cent of it.

    Args:
        steps: training steps of the counts.
        counts: N_sv of every seed; drawn are mean and standard deviation.
        some_steps: training steps of ``most``.
        most: terms for 95 per cent, of the first seed.

    Raises:
        ValueError: for lengths that differ.

    Example:
        >>> figure = terms_needed([0, 100], [[2.0, 4.0], [1.0, 1.0]], [0, 100], [2.0, 1.0])
        >>> figure.axes[0].lines[0].get_ydata().tolist()
        [3.0, 1.0]
    """
    across, some = as_array(steps, "steps", 1), as_array(some_steps, "some_steps", 1)
    every, first = as_array(counts, "counts", 2), as_array(most, "most", 1)
    if len(every) != len(across) or len(first) != len(some):
        raise ValueError(f"counts and most: {len(across)} and {len(some)} records are needed, one a step, got "
                         f"{len(every)} and {len(first)}")
    mean, spread = every.mean(1), every.std(1)
    with house_style():
        figure, ((axis,),) = new_figure(1, 1, 2.8)
        axis.plot(across, mean, color=OKABE_ITO[0], label="all of ρ ($N_{sv}$), all seeds")
        axis.fill_between(across, mean - spread, mean + spread, color=OKABE_ITO[0], alpha=0.2, linewidth=0)
        axis.plot(some, first, color=OKABE_ITO[1], label="95 % of ρ, first seed")
        axis.axhline(1, color="#808080", linewidth=0.8, linestyle=":")
        axis.set(xlabel="training step", ylabel="terms needed", ylim=(0, 5.5))
        axis.legend(loc="upper right")
    return figure
