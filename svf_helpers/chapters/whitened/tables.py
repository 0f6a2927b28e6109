"""The chapter's tables, in Markdown: what each basis gives, answers without some terms, and a run of the reader's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from svf_helpers.chapters.whitened.compared_bases import COMPARED, TAKEN
from svf_helpers.chapters.whitened.four_models import PLAIN, SPLIT, WHITE, Measures
from svf_helpers.experiments import load


def measures_table(models: Mapping[str, Measures]) -> str:
    """Sparsity with its null, and N_sv, for each model and basis: means over head-pairs.

    Args:
        models: from ``four_models``.

    Example:
        >>> flat = np.full((5, 2), 0.25)
        >>> print(measures_table({"toy": {"sparsity": flat, "null": 2 * flat, "n_sv": 8 * flat}}).splitlines()[2])
        | toy, 2 pairs | S (null) | 0.250 (0.50) | 0.250 (0.50) | 0.250 (0.50) | 0.250 (0.50) | 0.250 (0.50) |
    """
    rows = [f"| Mean over head-pairs | | {' | '.join(COMPARED)} |", "|---" * (2 + len(COMPARED)) + "|"]
    for name, found in models.items():
        S, null, N = (found[what] for what in ("sparsity", "null", "n_sv"))
        of_null = [f"{s:.3f} ({z:.2f})" for s, z in zip(S.mean(1), null.mean(1), strict=True)]
        rows.append(f"| {name}, {S.shape[1]} pairs | S (null) | {' | '.join(of_null)} |")
        rows.append(f"| | N_sv | {' | '.join(f'{n:.1f}' for n in np.nanmean(N, 1))} |")
    return "\n".join(rows)


def answers_table(models: Mapping[str, Measures]) -> str:
    """The share of prompts answered right with terms taken out of all circuit heads at once.

    Args:
        models: from ``four_models``.

    Example:
        >>> print(answers_table({"toy": {"correct": np.eye(5, 6)}}).splitlines()[3])
        | toy | whitened | 0.00 | 1.00 | 0.00 | 0.00 | 0.00 | 0.00 |
    """
    rows = [f"| Answers right | Basis | {' | '.join(TAKEN)} |", "|---" * (2 + len(TAKEN)) + "|"]
    for name, found in models.items():
        for basis in (PLAIN, WHITE, SPLIT):
            shares = " | ".join(f"{share:.2f}" for share in found["correct"][basis])
            rows.append(f"| {name} | {COMPARED[basis]} | {shares} |")
    return "\n".join(rows)


def stored_run_table(result: str = "bases-model") -> str:
    """A stored run on a model that the reader has named, or one sentence where there is none.

    Args:
        result: its name.

    Example:
        >>> stored_run_table().splitlines()[0].split(" ")[0] in ("Stored", "No")
        True
    """
    try:
        yours = load(result)
    except FileNotFoundError:
        return f"No result `{result}` is stored here yet, so nothing is said about a large model."
    none, first, top = (TAKEN.index(taken) for taken in ("nothing", "first", "top"))
    rows = [
        f"Stored is a run of {yours.info['config']['model']}, {len(yours['layer'])} head-pairs, means:",
        "",
        "| Basis | S (null) | N_sv | attention | without the largest term | right without the N_sv largest |",
        "|---|---|---|---|---|---|",
    ]
    for b, name in enumerate(COMPARED):
        S, null, N, kept = (yours[f"summary_{what}"][b] for what in ("sparsity", "null", "n_sv", "attention"))
        rows.append(
            f"| {name} | {S.mean():.3f} ({null.mean():.2f}) | {np.nanmean(N):.1f} | {kept[none].mean():.2f} |"
            f" {kept[first].mean():.2f} | {yours['summary_correct'][b, top]:.2f} |"
        )
    return "\n".join(rows)
