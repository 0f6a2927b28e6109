"""Figures of the chapter on Theorem 1: fitted heads against the closed form, moments, and heads of a strict teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from svf_helpers.chapters.kit.style import KEY, OKABE_ITO, QUERY, Array, as_array, as_labels, house_style, new_figure
from svf_helpers.theory import SampleMoment


def fits(
    errors: Float[Array, "settings seeds"],
    raw: Float[Array, "settings seeds"],
    anti_whitened: Float[Array, "settings seeds"],
    labels: Sequence[str],
    limit: float = 1e-6,
) -> Figure:
    """Heads fitted to a teacher: how far they end from the closed form, and whether u or C u is the feature.

    Args:
        errors: relative to the size of Omega; those below 1e-17 are drawn there.
        raw: |cos| of the feature with the singular vector.
        anti_whitened: |cos| of the feature with C times the singular vector.
        labels: names of the settings, from top to bottom.
        limit: errors below it count as none; a dashed line.

    Raises:
        ValueError: for shapes that differ, or labels that do not match them.

    Example:
        >>> figure = fits([[1e-15, 1e-14]], [[0.7, 0.9]], [[1.0, 1.0]], labels=["d=4"])
        >>> [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
        ['u', 'anti-whitened u']
    """
    groups = {"errors": errors, "raw": raw, "anti_whitened": anti_whitened}
    arrays = {name: as_array(values, name, 2) for name, values in groups.items()}
    shapes = {values.shape for values in arrays.values()}
    if len(shapes) > 1:
        raise ValueError(f"errors, raw and anti_whitened must have one shape, got {sorted(shapes)}")
    rows, seeds = shapes.pop()
    labels = as_labels(labels, rows, "labels", "{}")
    kinds = (("raw", KEY, "o", "u"), ("anti_whitened", QUERY, "D", "anti-whitened u"))
    with house_style():
        figure, ((left, right),) = new_figure(1, 2, 3.3, sharey=True)
        for row in range(rows):
            left.scatter(arrays["errors"][row].clip(1e-17), [row] * seeds, color=QUERY, s=22)
            for name, colour, marker, label in kinds:
                right.scatter(arrays[name][row], [row] * seeds, color=colour, marker=marker, s=22,
                              label=label if row == 0 else None)
        left.axvline(limit, color="#4d4d4d", linestyle="--", linewidth=1)
        left.set(xscale="log", xlim=(1e-17, 10 * limit), xlabel="relative error of $\\Omega$")
        left.set_yticks(range(rows), labels)
        right.set(xlim=(0, 1.05), ylim=(rows - 0.5, -0.5), xlabel="|cos| with the feature")
        right.legend(loc="lower left")
    return figure


def moments(
    queries: tuple[SampleMoment, Float[Array, "d d"]],
    keys: tuple[SampleMoment, Float[Array, "d d"]],
    wrong: Float[Array, "d d"],
) -> Figure:
    """Second moments in a sample against their formulas, entry by entry on and above the diagonal.

    Bars are two standard errors; where a formula is right the dots lie on the diagonal.

    Args:
        queries: the sample's moment of queries, and its formula.
        keys: the same of keys.
        wrong: another formula for queries, drawn as hollow squares.

    Raises:
        ValueError: for matrices of different shapes.

    Example:
        >>> import torch
        >>> from svf_helpers.theory import query_moment, sample_contexts, sample_query_moment
        >>> F = torch.eye(2)
        >>> seen = sample_contexts(F, F, p=0.5, keys=2, contexts=50)
        >>> one_side = sample_query_moment(seen.queries), query_moment(F, 0.5)
        >>> [axis.get_title() for axis in moments(one_side, one_side, wrong=torch.eye(2)).axes]
        ['queries', 'keys, minus their mean']
    """
    wrong = as_array(wrong, "wrong", 2)
    upper = np.triu(np.ones(wrong.shape, dtype=bool))
    sides = (("queries", *queries, QUERY), ("keys, minus their mean", *keys, KEY))
    with house_style():
        figure, (axes,) = new_figure(1, 2, 3.1)
        for axis, (name, sample, formula, colour) in zip(axes, sides, strict=True):
            parts = {"mean": sample.mean, "standard error": sample.standard_error, "formula": formula}
            arrays = {part: as_array(values, f"{part} of {name}", 2) for part, values in parts.items()}
            for part, values in arrays.items():
                if values.shape != wrong.shape:
                    raise ValueError(f"{part} of {name} has shape {values.shape}, wrong has {wrong.shape}")
            up, bar = arrays["mean"][upper], 2 * arrays["standard error"][upper]
            axis.axline((0, 0), slope=1, color="#4d4d4d", linewidth=0.8)
            if colour == QUERY:
                axis.scatter(wrong[upper], up, marker="s", facecolor="none", edgecolor="#777777", s=20)
            axis.errorbar(arrays["formula"][upper], up, bar, fmt="o", color=colour, markersize=4, linewidth=1)
            axis.set(title=name, xlabel="formula", ylabel="sample mean")
    return figure


def strict_fits(fitted: Mapping[int, Mapping[str, Array]], d: int) -> Figure:
    r"""Heads fitted to the strict teacher: both sides' anti-whitened |cos|, and $\sigma_2 / \sigma_1$.

    Args:
        fitted: number of features -> "query" and "key", the |cos| of each dictionary, and "ratio", one number each.
        d: dimensions, for the axis.

    Raises:
        ValueError: for an empty mapping, or measures that are missing.

    Example:
        >>> figure = strict_fits({7: {"query": [0.9, 0.4], "key": [1.0, 0.9], "ratio": [0.1, 0.2]}}, d=6)
        >>> figure.axes[0].get_xlabel()
        'features in 6 dimensions'
    """
    names = ("query", "key", "ratio")
    if not fitted or not all(set(names) <= set(heads) for heads in fitted.values()):
        raise ValueError("fitted: at least one number of features is needed, each with 'query', 'key' and 'ratio'")
    with house_style():
        figure, ((left, right),) = new_figure(1, 2, 3.1)
        for at, heads in enumerate(fitted.values()):
            query, key, ratio = (as_array(heads[name], name, 1) for name in names)
            jitter = np.linspace(-0.05, 0.05, len(query))
            left.scatter(at - 0.14 + jitter, query, color=QUERY, s=16, label=None if at else "query side")
            left.scatter(at + 0.14 + jitter, key, color=KEY, marker="s", s=16, label=None if at else "key side")
            right.scatter(at + 2 * jitter, ratio, color=OKABE_ITO[2], marker="^", s=16)
        for axis in (left, right):
            axis.set_xticks(range(len(fitted)), list(fitted))
            axis.set_xlabel(f"features in {d} dimensions")
        left.set(ylim=(0, 1.05), ylabel="anti-whitened |cos|")
        left.legend(loc="lower left")
        right.set(ylim=(0, 0.5), ylabel="$\\sigma_2 / \\sigma_1$")
    return figure
