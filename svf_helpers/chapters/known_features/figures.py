"""Figures and tables of the chapter on known features: agreement against its nulls, attention and answers without."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from svf_helpers.chapters.kit.known_features import KINDS
from svf_helpers.chapters.kit.style import GREY, MARKERS, OKABE_ITO, SEQUENTIAL, colour_bar, house_style, new_figure
from svf_helpers.chapters.kit.words import table
from svf_helpers.chapters.known_features.both_models import (
    BASES,
    MODELS,
    attention_lost,
    attention_without,
    head_labels,
    leaning,
    second_model,
)
from svf_helpers.chapters.known_features.significance import standing_out
from svf_helpers.experiments.store import Result

#: How the figure of removed terms calls what was taken out -> how the stored result calls it.
TAKEN = {
    "as it is": "nothing",
    "without the N_sv largest": "top",
    "without N_sv random ones": "random",
    "with the N_sv largest alone": "all but top",
    "without a fixed set": "fixed",
}
SAY = 0.2  # shares of attention lost from which on the map says them as numbers


def leaning_figure(result: Result) -> Figure:
    """How the leading direction of every head leans to the kind chosen for it, over the middle 90 % of its null."""
    labels = head_labels(result)
    with house_style():
        figure, axes = new_figure(1, 2, 1.0 + 0.27 * len(labels), sharey=True)
        for side, (axis, title) in enumerate(zip(axes[0], ("query side", "key side"), strict=True)):
            for number, (name, basis) in enumerate(BASES.items()):
                found, y = leaning(result, basis), np.arange(len(labels)) + (-0.18, 0.18)[number]
                low, high = np.quantile(found.rotated[:, side], (0.05, 0.95), axis=1)
                axis.hlines(y, low, high, color=OKABE_ITO[number], alpha=0.3, linewidth=5)
                axis.plot(found.cosine[:, side], y, MARKERS[number], color=OKABE_ITO[number], markersize=5, label=name)
            axis.axhline(second_model(result) - 0.5, color=GREY, linewidth=0.7)
            axis.set(title=title, xlabel="|cosine|", xlim=(0, 1))
        axes[0, 0].set_yticks(np.arange(len(labels)), labels)
        axes[0, 0].set_ylim(len(labels) - 0.5, -0.5)
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def without_terms_figure(result: Result) -> Figure:
    """Attention of every head on its key as it is, and without some of its terms (plain basis)."""
    left, labels = attention_without(result, "weights"), head_labels(result)
    heads, shifts = np.arange(len(labels)), np.linspace(-0.24, 0.24, len(TAKEN))
    with house_style():
        figure, ((axis,),) = new_figure(1, 1, 3.6)
        for number, (label, taken) in enumerate(TAKEN.items()):
            axis.plot(heads + shifts[number], left[taken], MARKERS[number], color=OKABE_ITO[number], label=label,
                      markersize=5)
        axis.axvline(second_model(result) - 0.5, color=GREY, linewidth=0.7)
        axis.set_xticks(heads, labels, rotation=90)
        axis.set(ylabel="attention on the key", xlim=(-0.6, len(labels) - 0.4), ylim=(0, None))
        axis.grid(axis="x", color=GREY, alpha=0.15)
        figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def without_kinds_figure(erased: Result) -> Figure:
    """How much of every head's attention goes when one kind is taken out of its queries, or out of its keys.

    Gains show as none.
    """
    labels = head_labels(erased)
    with house_style():
        figure, axes = new_figure(1, 2, 1.6 + 0.27 * len(labels), sharey=True)
        for axis, side, lost in zip(axes[0], ("queries", "keys"), attention_lost(erased), strict=True):
            image = axis.imshow(100 * lost, cmap=SEQUENTIAL, vmin=0, vmax=100, aspect="auto")
            for (row, column), share in np.ndenumerate(lost):
                if share >= SAY:
                    axis.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=7.5,
                              color="white" if share > 0.6 else "#1a1a1a")
            axis.axhline(second_model(erased) - 0.5, color=GREY, linewidth=0.9)
            axis.set_xticks(np.arange(len(KINDS)), KINDS, rotation=90)
            axis.set_title(f"taken out of {side}")
        axes[0, 0].set_yticks(np.arange(len(labels)), labels)
        colour_bar(figure, image, "attention lost (%)", shrink=0.8)
    return figure


def kinds_table(result: Result) -> str:
    """For each head, side and basis the kind chosen and the judged |cos|, bold where it stands out after correction."""
    found = {basis: (leaning(result, basis), standing_out(result, basis)) for basis in BASES.values()}

    def cell(head: int, side: int, basis: str) -> str:
        leans, held = found[basis]
        mark = "**" if held[head, side] else ""
        return f"{KINDS[leans.kind[head, side]]} {mark}{leans.cosine[head, side]:.2f}{mark}"

    rows = ([label, *(cell(head, side, basis) for side in range(2) for basis in BASES.values())]
            for head, label in enumerate(head_labels(result)))
    return table(["Head", "Query: plain", "whitened", "Key: plain", "whitened"], rows)


def answers_table(result: Result) -> str:
    """The share of prompts answered right with terms taken out: each job's heads in the plain basis, all in the others.

    Example:
        >>> from svf_helpers.experiments import load
        >>> print(answers_table(load("known-features")).splitlines()[0].split(" | ")[:4])
        ['| Model', 'Basis', 'Heads', 'nothing']
    """
    rows = []
    for short, name in MODELS.items():
        for basis in ("weights", "whitened", "split"):
            groups, right = result[f"{short}_group_{basis}"], result[f"{short}_joint_correct_{basis}"].mean(-1)
            for number, group in enumerate(groups):
                if basis == "weights" or group == "all":
                    rows.append([name, basis, group, *(f"{share:.2f}" for share in right[:, number])])
    return table(["Model", "Basis", "Heads", *result.info["config"]["removed"]], rows)
