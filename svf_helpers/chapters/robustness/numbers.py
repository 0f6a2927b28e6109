"""Every number in the prose of the chapter on robustness, as the reader sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float

from svf_helpers.chapters.robustness.figures import stored_sweeps
from svf_helpers.chapters.robustness.map_outcomes import largest_overlaps, outcomes, sharing_pairs
from svf_helpers.chapters.robustness.outcomes import shared_pairs
from svf_helpers.experiments import Result

#: From here on two features of interest are said to overlap.
OVERLAP = 0.2


def numbers(
    result: Result,
    stored: Result,
    past: Result,
    *,
    ratios: Sequence[float],
    zones: Mapping[str, Bool[np.ndarray, "P L seeds"]],
    fair: Float[np.ndarray, " P"],
    fair_rare: float,
    crossing: float,
    rebuilt: Float[np.ndarray, " D"],
    attention: Float[np.ndarray, " D"],
    when: Float[np.ndarray, "X seeds"],
    clock: Float[np.ndarray, " X"],
) -> dict[str, str]:
    """Every number that the chapter's prose uses, name -> text.

    Args:
        result: the stored sweeps, ``robustness``.
        stored: the stored map, ``phase-map``.
        past: ``shared-vectors``, whose dictionaries at p = .14 the chapter prices.
        ratios: how much larger a lambda twice the steps make up for.
        zones: which runs of the map lie ``below`` the predicted line, ``between`` it and four times it, and ``above``.
        fair: lambda at which sharing and not sharing cost the same, for each p of the map; NaN where sharing never
            pays.
        fair_rare: the same for p = .02.
        crossing: the same as measured on the dictionaries at p = .14.
        rebuilt: reconstruction loss of each of those dictionaries, with its best biases.
        attention: its attention loss.
        when: step from which each run over p stays aligned, NaN for never.
        clock: the median step that AdamW's clock predicts for each p.

    Example:
        >>> from svf_helpers.experiments import load
        >>> results = load("robustness"), load("phase-map"), load("shared-vectors")
        >>> nowhere = {name: np.zeros((12, 12, 2), dtype=bool) for name in ("below", "between", "above")}
        >>> found = numbers(*results, ratios=[4, 6], zones=nowhere, fair=np.ones(12), fair_rare=1.0, crossing=0.1,
        ...                 rebuilt=np.zeros(10), attention=np.zeros(10), when=np.ones((7, 5)), clock=np.ones(7))
        >>> found["seeds"], found["lam-ratio"], found["range-r"]
        ('5', '4 to 6', '10, 8, 6, 4')
    """
    return (
        _settings(result)
        | _sweeps(result)
        | _map_and_regions(stored)
        | {
            "lam-ratio": f"{min(ratios):.0f} to {max(ratios):.0f}",
            "lam-exponent": f"{np.log(2) / np.log(np.mean(ratios)):.1f}",
        }
        | _beside_the_line(stored, zones)
        | _trap(past, crossing, rebuilt, attention)
        | _prices(stored, fair, fair_rare)
        | _training_over_p(result, when, clock)
        | _failures_over_p(result)
    )


def _settings(result: Result) -> dict[str, str]:
    """The table of settings, the pairs' targets, seeds and the label of the sweeps."""
    config = result.info["config"]
    model, swept, steps_of = config["model"], config["swept"], config["steps_of"]
    found = {"label": result.label(), "seeds": str(len(result.seeds))}
    found["targets"] = ", ".join(f"({i}, {j}): {target:g}" for i, j, target in model["pairs"])
    for name in ("n", "d", "r", "lam", "c", "p"):
        found[f"default-{name}"] = f"{model[name]:.3g}"
        found[f"range-{name}"] = ", ".join(f"{value:.3g}" for value in swept.get(name, [])) or "not varied"
        found[f"steps-{name}"] = f"{steps_of[name]:,}" if name in steps_of else "–"
    return found


def _sweeps(result: Result) -> dict[str, str]:
    """What the six panels say: settings at which nothing fails, their worst |cos|, and the failures over lambda."""
    panels, seeds = stored_sweeps(result), len(result.seeds)
    swept = result.info["config"]["swept"]
    raw = max(np.abs(result[f"summary_{name}_raw"] - result[f"summary_{name}_cosine"]).max() for name in swept)
    whole = [name for name in swept if not panels[name].failed.any()]
    worst = min(float(result[f"summary_{name}_cosine"].min()) for name in whole)
    # The default model is one of the runs in each of these sweeps, and counts once.
    runs = sum(panels[name].failed.size for name in whole) - (len(whole) - 1) * seeds
    return {
        "raw-bound": "under .0001" if raw < 1e-4 else f"up to {raw:.4f}",
        "whole-worst": f"{worst:.4f}",
        "whole-runs": str(runs),
        "seeds-worst": f"{np.floor(1e4 * panels['seed'].cosine.min()) / 1e4:.4f}",
        "lam-failed": str(panels["lam"].failed.sum()),
        "none-of-five": f"{100 * (1 - 0.025 ** (1 / seeds)):.0f} %",
    }


def _map_and_regions(stored: Result) -> dict[str, str]:
    """Size and label of the map; how many runs are mixed at its right edge and left of it, and how many overlap."""
    p, lam = stored["p"], stored["lam"]
    mixed, apart = outcomes(stored) == "mixed", largest_overlaps(stored) < OVERLAP
    found = {
        "map-label": stored.label(),
        "map-cells": f"{len(p)} × {len(lam)}",
        "edge-left": f"{lam[lam < 2].max():.1f}",
        "edge-right": f"{lam[lam > 2].min():.1f}",
        "share-runs": str((sharing_pairs(stored) > 0).sum()),
    }
    at_right = (lam > 2)[None, :, None]
    right, left = mixed & at_right, mixed & ~at_right
    for name, where in (("right", right), ("left", left)):
        found[f"{name}-mixed"] = str(where.sum())
        found[f"{name}-apart"] = str((where & apart).sum())
    return found | {"left-overlap": str((left & ~apart).sum())}


def _beside_the_line(stored: Result, zones: Mapping[str, Bool[np.ndarray, "P L seeds"]]) -> dict[str, str]:
    """How many runs lie in each zone and share a vector; what the runs below the line do instead of sharing."""
    ends, shares = outcomes(stored), sharing_pairs(stored) > 0
    found = {}
    for name, inside in zones.items():
        found |= {f"zone-{name}": str(inside.sum()), f"shared-{name}": str(shares[inside].sum())}
    below = zones["below"]
    return found | {
        "own-below": str((ends[below] == "own").sum()),
        "swapped-below": str((ends[below] == "swapped").sum()),
        "other-below": str(((ends == "mixed") & ~shares)[below].sum()),
    }


def _trap(
    past: Result, crossing: float, rebuilt: Float[np.ndarray, " D"], attention: Float[np.ndarray, " D"]
) -> dict[str, str]:
    """Dictionaries of p = .14: lambda at which sharing costs the same, and how many of lambda = .2 are stuck in it."""
    pick = np.flatnonzero(past["p"] == 0.14)
    on = past["vector"][pick, :, 0].tolist()
    shares = np.array([len(set(vectors)) < len(vectors) for vectors in on])
    low = past["lam"][pick] == 0.2
    total = rebuilt + 0.2 * attention
    lower = total[low & ~shares].max() < total[low & shares].min()
    return {
        "crossing": f"{crossing:.2f}",
        "stuck": f"{(shares & low).sum()} of {low.sum()}",
        "lower": "lower" if lower else "not lower",
    }


def _prices(stored: Result, fair: Float[np.ndarray, " P"], fair_rare: float) -> dict[str, str]:
    """What the price list says at p = .14, .038 and .02."""
    at = {name: float(fair[np.abs(stored["p"] - p).argmin()]) for name, p in (("14", 0.14), ("038", 0.038))}
    return {
        "fair-14": f"{at['14']:.2f}",
        "fair-038": f"{at['038']:.1f}",
        "fair-rare": f"{fair_rare:.1f}",
        "fair-four": f"{4 * fair_rare:.0f}",
        "rare-times": f"{4 / at['038']:.0f}",
    }


def _training_over_p(
    result: Result, when: Float[np.ndarray, "X seeds"], clock: Float[np.ndarray, " X"]
) -> dict[str, str]:
    """Steps that alignment takes at large p, and at the three smallest beside what AdamW's clock predicts."""
    values, middle = result["p_value"], np.nanmedian(when, 1)
    often = values > 0.1
    found = {
        "often-steps": f"{middle[often].min():,.0f} to {middle[often].max():,.0f}",
        "often-factor": f"{values[often].max() ** 2 / values[often].min() ** 2:.0f}",
    }
    for name, p in (("one", 1), ("quick", 0.14)):
        steps = when[np.abs(values - p).argmin()]
        found[f"{name}-range"] = f"{steps.min():,.0f} to {steps.max():,.0f}"
    for name, k in _rare_places(result).items():
        found |= {f"{name}-clock": f"{clock[k]:,.0f}", f"{name}-step": f"{middle[k]:,.0f}"}
    return found


def _failures_over_p(result: Result) -> dict[str, str]:
    """Which runs over p fail, which of them share a vector, and how little the failed ones move at the end."""
    panel, values, step = stored_sweeps(result)["p"], result["p_value"], result["step"]
    failed, best, vector = panel.failed, result["summary_p_best"], result["p_vector"]
    shares = [bool(shared_pairs(best[at], vector[at])) for at in np.ndindex(failed.shape)]
    shares = np.array(shares).reshape(failed.shape)
    fine, rare = ~failed[values > 0.07], values < 0.07
    along = result["along_cosine"].astype(float).mean((-2, -1))
    late = np.abs(along[:, -1] - along[:, step.tolist().index(20_000)])[rare][failed[rare]]
    found = {
        "often-all": f"{fine.sum()} of {fine.size}",
        "failed-share": f"{(failed & shares).sum()} of {failed.sum()}",
        "fine-share": f"{(~failed & shares).sum()} of {(~failed).sum()}",
        "failed-late": f"{late.max():.2f}",
    }
    for name, k in _rare_places(result).items():
        if name != "some":  # there no run fails
            found[f"{name}-own"] = str((~failed[k]).sum())
            found[f"{name}-failed"] = str(failed[k].sum())
            found[f"{name}-mean"] = f"{panel.cosine[k].mean():.2f}"
    return found


def _rare_places(result: Result) -> dict[str, int]:
    """Where the three smallest p stand in the sweep: .074 is ``some``, .038 ``rare`` and .02 ``rarest``."""
    values = result["p_value"]
    return {name: int(np.abs(values - p).argmin()) for name, p in (("some", 0.074), ("rare", 0.038), ("rarest", 0.02))}
