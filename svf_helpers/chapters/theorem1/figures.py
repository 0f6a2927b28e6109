"""Figures of the chapter on Theorem 1: fitted heads against the closed form, moments, and heads of a strict teacher."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from svf_helpers.chapters.kit.style import KEY, OKABE_ITO, QUERY, Array, as_array, house_style, new_figure
from svf_helpers.theory import SampleMoment

LIMIT, LEAST = 1e-6, 1e-17  # errors below the first count as none; those below the second are drawn there


def fits(
    errors: Float[Array, "settings seeds"],
    raw: Float[Array, "settings seeds"],
    anti_whitened: Float[Array, "settings seeds"],
    labels: Sequence[str],
) -> Figure:
    """Heads fitted to a teacher: how far they end from the closed form, and whether u or C u is the feature.

    ``errors`` are relative to the size of Omega; ``raw`` and ``anti_whitened`` are |cos| of the feature with the
    singular vector, and with C times it. Settings stand from top to bottom, under their ``labels``.
    """
    errors, raw, anti_whitened = (as_array(part, "fits", 2) for part in (errors, raw, anti_whitened))
    rows = np.indices(errors.shape)[0]
    with house_style():
        figure, ((left, right),) = new_figure(1, 2, 3.3, sharey=True)
        left.scatter(errors.clip(LEAST), rows, color=QUERY, s=22)
        right.scatter(raw, rows, color=KEY, marker="o", s=22, label="u")
        right.scatter(anti_whitened, rows, color=QUERY, marker="D", s=22, label="anti-whitened u")
        left.axvline(LIMIT, color="#4d4d4d", linestyle="--", linewidth=1)
        left.set(xscale="log", xlim=(LEAST, 10 * LIMIT), xlabel="relative error of $\\Omega$")
        left.set_yticks(range(len(rows)), labels)
        right.set(xlim=(0, 1.05), ylim=(len(rows) - 0.5, -0.5), xlabel="|cos| with the feature")
        right.legend(loc="lower left")
    return figure


def moments(
    queries: tuple[SampleMoment, Float[Array, "d d"]],
    keys: tuple[SampleMoment, Float[Array, "d d"]],
    wrong: Float[Array, "d d"],
) -> Figure:
    """Second moments in a sample against their formulas, entry by entry on and above the diagonal.

    Bars are two standard errors; where a formula is right the dots lie on the diagonal. ``wrong`` is another formula
    for queries, drawn as hollow squares.
    """
    upper = np.triu_indices(len(wrong))
    sides = (("queries", *queries, QUERY), ("keys, minus their mean", *keys, KEY))
    with house_style():
        figure, (axes,) = new_figure(1, 2, 3.1)
        for axis, (name, sample, formula, colour) in zip(axes, sides, strict=True):
            up, bar = sample.mean[upper], 2 * sample.standard_error[upper]
            axis.axline((0, 0), slope=1, color="#4d4d4d", linewidth=0.8)
            if name == "queries":
                axis.scatter(wrong[upper], up, marker="s", facecolor="none", edgecolor="#777777", s=20)
            axis.errorbar(formula[upper], up, bar, fmt="o", color=colour, markersize=4, linewidth=1)
            axis.set(title=name, xlabel="formula", ylabel="sample mean")
    return figure


def strict_fits(fitted: Mapping[int, Mapping[str, Array]], d: int) -> Figure:
    r"""Heads fitted to the strict teacher: both sides' anti-whitened |cos|, and $\sigma_2 / \sigma_1$.

    ``fitted``: number of features in ``d`` dimensions -> "query" and "key", the |cos| of each dictionary, and "ratio".
    """
    with house_style():
        figure, ((left, right),) = new_figure(1, 2, 3.1)
        for at, heads in enumerate(fitted.values()):
            jitter = np.linspace(-0.05, 0.05, len(heads["query"]))
            names = (None, None) if at else ("query side", "key side")
            left.scatter(at - 0.14 + jitter, heads["query"], color=QUERY, s=16, label=names[0])
            left.scatter(at + 0.14 + jitter, heads["key"], color=KEY, marker="s", s=16, label=names[1])
            right.scatter(at + 2 * jitter, heads["ratio"], color=OKABE_ITO[2], marker="^", s=16)
        for axis in (left, right):
            axis.set_xticks(range(len(fitted)), list(fitted))
            axis.set_xlabel(f"features in {d} dimensions")
        left.set(ylim=(0, 1.05), ylabel="anti-whitened |cos|")
        left.legend(loc="lower left")
        right.set(ylim=(0, 0.5), ylabel="$\\sigma_2 / \\sigma_1$")
    return figure
