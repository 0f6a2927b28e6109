"""Figures and tables of the chapter on the whitened basis: bases side by side, along training, what whitening needs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from svf_helpers.chapters.kit.style import GREY, MARKERS, OKABE_ITO, house_style, new_figure, step_axis
from svf_helpers.chapters.kit.words import table
from svf_helpers.chapters.whitened.compared_bases import COMPARED, TAKEN
from svf_helpers.chapters.whitened.four_models import PLAIN, SPLIT, SPLIT_WHITE, WHITE, Measures, along_training
from svf_helpers.experiments import load
from svf_helpers.experiments.store import Result

#: How the figure of removed terms calls what was taken out -> its name in ``TAKEN``.
_TAKEN = {
    "none": "nothing",
    "largest": "first",
    "N_sv\nlargest": "top",
    "N_sv\nrandom": "random",
    "all but\nthese": "all but top",
}


def sparsity_figure(models: Mapping[str, Measures]) -> Figure:
    """Every head-pair's sparsity, and its distance from its null, in the plain basis against the whitened one."""
    measures = {
        "sparsity S": [found["sparsity"] for found in models.values()],
        "null minus S": [found["null"] - found["sparsity"] for found in models.values()],
    }
    with house_style():
        figure, axes = new_figure(1, 2, 3.3)
        for axis, (title, values) in zip(axes[0], measures.items(), strict=True):
            for number, (name, of) in enumerate(zip(models, values, strict=True)):
                axis.plot(of[PLAIN], of[WHITE], MARKERS[number], color=OKABE_ITO[number], label=name, markersize=5.5,
                          alpha=0.85)
            both = np.concatenate([of[[PLAIN, WHITE]] for of in values], 1)
            low, high = min(0.0, float(both.min())), max(0.0, float(both.max()))
            margin = 0.08 * (high - low)
            ends = (low - margin if low < 0 else 0.0, high + margin)
            axis.plot(ends, ends, "-", color=GREY, linewidth=0.9, zorder=0)
            if low < 0:  # where the sign says something, zero is drawn
                axis.axhline(0, color=GREY, linewidth=0.6, linestyle=":", zorder=0)
                axis.axvline(0, color=GREY, linewidth=0.6, linestyle=":", zorder=0)
            axis.set(title=title, xlabel="plain basis", ylabel="whitened basis", xlim=ends, ylim=ends, aspect="equal")
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def training_figure(large: Result) -> Figure:
    """Sparsity, N_sv and agreement with known kinds along training, in both bases, with nulls and a random split.

    A basis has one colour in all panels; nulls are dashed. NaN leaves a gap. ``large`` is "bases-pocket-pythia".
    """
    found = along_training(large)
    panels = {
        "sparsity S": (found.sparsity.mean(2), found.null.mean(2), ()),
        "N_sv": (np.nanmean(found.n_sv, 2), None, (SPLIT,)),
        "|cos| with a known kind": (found.cosine, found.cosine_null, ()),
    }
    names = {PLAIN: "plain", WHITE: "whitened", SPLIT: "random split"}
    with house_style():
        figure, axes = new_figure(1, len(panels), 3.0)
        for axis, (label, (values, null, more)) in zip(axes[0], panels.items(), strict=True):
            for number, b in enumerate((PLAIN, WHITE, *more)):
                axis.plot(found.step, values[:, b], color=OKABE_ITO[number], label=names[b], marker=MARKERS[number],
                          markersize=3.5)
            for number, b in enumerate((PLAIN, WHITE) if null is not None else ()):
                axis.plot(found.step, null[:, b], "--", color=OKABE_ITO[number], label=f"{names[b]}, null")
            step_axis(axis, found.step)
            axis.set(ylabel=label, ylim=(0, None))
        shown = {text: handle for axis in axes[0]
                 for handle, text in zip(*axis.get_legend_handles_labels(), strict=True)}
        figure.legend(shown.values(), shown.keys(), loc="outside upper center", ncols=3)
    return figure


def removal_figure(models: Mapping[str, Measures]) -> Figure:
    """Attention of the circuits' heads on their keys without some of their terms, a panel for each model.

    One group of bars for each choice of terms, one bar for each basis.
    """
    bases = (PLAIN, WHITE, SPLIT, SPLIT_WHITE)
    taken, width = [TAKEN.index(name) for name in _TAKEN.values()], 0.8 / len(bases)
    with house_style():
        figure, axes = new_figure(1, len(models), 3.1, sharey=True)
        for axis, (title, found) in zip(axes[0], models.items(), strict=True):
            for number, b in enumerate(bases):
                at = np.arange(len(taken)) + (number - (len(bases) - 1) / 2) * width
                axis.bar(at, found["attention"][b, taken].mean(-1), width=0.92 * width, color=OKABE_ITO[number],
                         label=COMPARED[b])
            axis.set_xticks(np.arange(len(taken)), list(_TAKEN), rotation=0)
            axis.set_title(title)
        axes[0, 0].set_ylabel("attention on the key")
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(bases))
    return figure


def sizes_figure(small: Result, large: Result) -> Figure:
    """The whitened basis with moments from samples of growing size: a line through the means, dots for single draws.

    In both bundled models, of "bases-pocket-gpt2" and "bases-pocket-pythia".
    """
    sizes, results = large.info["config"]["sizes"], {"pocket-gpt2": small, "pocket-pythia": large}
    with house_style():
        figure, axes = new_figure(1, 2, 2.8)
        for number, (name, result) in enumerate(results.items()):
            colour = OKABE_ITO[number]
            measures = result["size_sparsity"].mean(2), result["size_same"].mean((2, 3))  # [sizes, draws]
            for axis, values in zip(axes[0], measures, strict=True):
                of_draws = values.astype(float)
                axis.plot(sizes, of_draws.mean(1), label=name, color=colour)
                axis.plot(np.repeat(sizes, of_draws.shape[1]), of_draws.ravel(), MARKERS[number], markersize=3.5,
                          alpha=0.6, color=colour)
        for axis, label in zip(axes[0], ("sparsity S", "|cos| with the largest sample"), strict=True):
            axis.set(xscale="log", xlabel="tokens in the sample", ylabel=label)
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def measures_table(models: Mapping[str, Measures]) -> str:
    """Sparsity with its null, and N_sv, for each model and basis: means over head-pairs.

    Example:
        >>> flat = np.full((5, 2), 0.25)
        >>> print(measures_table({"toy": {"sparsity": flat, "null": 2 * flat, "n_sv": 8 * flat}}).splitlines()[2])
        | toy, 2 pairs | S (null) | 0.250 (0.50) | 0.250 (0.50) | 0.250 (0.50) | 0.250 (0.50) | 0.250 (0.50) |
    """
    rows = []
    for name, found in models.items():
        S, null, N = (found[what] for what in ("sparsity", "null", "n_sv"))
        of_null = [f"{s:.3f} ({z:.2f})" for s, z in zip(S.mean(1), null.mean(1), strict=True)]
        rows += [[f"{name}, {S.shape[1]} pairs", "S (null)", *of_null],
                 ["", "N_sv", *(f"{n:.1f}" for n in np.nanmean(N, 1))]]
    return table(["Mean over head-pairs", "", *COMPARED], rows)


def answers_table(models: Mapping[str, Measures]) -> str:
    """The share of prompts answered right with terms taken out of all circuit heads at once.

    Example:
        >>> print(answers_table({"toy": {"correct": np.eye(5, 6)}}).splitlines()[3])
        | toy | whitened | 0.00 | 1.00 | 0.00 | 0.00 | 0.00 | 0.00 |
    """
    rows = ([name, COMPARED[basis], *(f"{share:.2f}" for share in found["correct"][basis])]
            for name, found in models.items() for basis in (PLAIN, WHITE, SPLIT))
    return table(["Answers right", "Basis", *TAKEN], rows)


def stored_run_table(result: str = "bases-model") -> str:
    """A stored run on a model that the reader has named, or one sentence where there is none."""
    try:
        yours = load(result)
    except FileNotFoundError:
        return f"No result `{result}` is stored here yet, so nothing is said about a large model."
    none, first, top = (TAKEN.index(taken) for taken in ("nothing", "first", "top"))
    rows = []
    for b, name in enumerate(COMPARED):
        S, null, N, kept = (yours[f"summary_{what}"][b] for what in ("sparsity", "null", "n_sv", "attention"))
        rows.append([name, f"{S.mean():.3f} ({null.mean():.2f})", f"{np.nanmean(N):.1f}", f"{kept[none].mean():.2f}",
                     f"{kept[first].mean():.2f}", f"{yours['summary_correct'][b, top]:.2f}"])
    titles = ["Basis", "S (null)", "N_sv", "attention", "without the largest term", "right without the N_sv largest"]
    said = f"Stored is a run of {yours.info['config']['model']}, {len(yours['layer'])} head-pairs, means:"
    return f"{said}\n\n{table(titles, rows)}"
