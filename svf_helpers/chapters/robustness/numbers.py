"""Every number in the prose of the chapter on robustness, as the reader sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float

from svf_helpers.chapters.kit.words import low_to_high, so_many
from svf_helpers.chapters.robustness.figures import stored_sweeps
from svf_helpers.chapters.robustness.outcomes import outcome, sharing_pairs
from svf_helpers.experiments import Result

OVERLAP = 0.2  # |cos| from which two features of interest are said to overlap
RARE = {"some": 0.074, "rare": 0.038, "rarest": 0.02}  # the three smallest p of the sweep


def numbers(
    result: Result,
    stored: Result,
    past: Result,
    *,
    ratios: Sequence[float],
    zones: Mapping[str, Bool[np.ndarray, "P L repeats"]],
    fair: Float[np.ndarray, " P"],
    fair_rare: float,
    crossing: float,
    rebuilt: Float[np.ndarray, " D"],
    attention: Float[np.ndarray, " D"],
    when: Float[np.ndarray, "X seeds"],
    clock: Float[np.ndarray, " X"],
) -> dict[str, str]:
    """The chapter's numbers by the names under which its text asks for them.

    Args:
        result: the stored sweeps, ``robustness``.
        stored: the stored map, ``phase-map``.
        past: ``shared-vectors``, whose dictionaries at p = .14 the chapter prices.
        ratios: how much larger a lambda twice the steps make up for.
        zones: which runs of the map lie ``below`` the predicted line, ``between`` it and four times it, and ``above``.
        fair: lambda at which sharing and not sharing cost the same, for each p of the map; NaN where it never pays.
        fair_rare: the same for p = .02.
        crossing: the same as measured on the dictionaries at p = .14.
        rebuilt: reconstruction loss of each of those dictionaries, with its best biases.
        attention: its attention loss.
        when: step from which each run over p stays aligned, NaN for never.
        clock: the median step that AdamW's clock predicts for each p.
    """
    ratio = {"lam-ratio": low_to_high(ratios), "lam-exponent": f"{np.log(2) / np.log(np.mean(ratios)):.1f}"}
    return (
        _settings(result)
        | _sweeps(result)
        | ratio
        | _map(stored, zones)
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
    panels, seeds, swept = stored_sweeps(result), len(result.seeds), result.info["config"]["swept"]
    raw = max(np.abs(result[f"summary_{name}_raw"] - result[f"summary_{name}_cosine"]).max() for name in swept)
    whole = [name for name in swept if not panels[name].failed.any()]
    worst = min(result[f"summary_{name}_cosine"].min() for name in whole)
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


def _map(stored: Result, zones: Mapping[str, Bool[np.ndarray, "P L repeats"]]) -> dict[str, str]:
    """Size of the map; mixed runs at its right edge and left of it, how many overlap; what the runs of each zone do."""
    lam, best, vector = stored["lam"], stored["summary_best"], stored["vector"]
    ends, shares = outcome(stored["summary_cosine"], best, vector), sharing_pairs(best, vector) > 0
    overlaps = np.abs(stored["feature_cosine"].astype(float) - np.eye(8)).max((-2, -1))
    mixed, apart, at_right = ends == "mixed", overlaps < OVERLAP, (lam > 2)[None, :, None]
    right, left, below = mixed & at_right, mixed & ~at_right, zones["below"]
    found = {
        "map-label": stored.label(),
        "map-cells": f"{len(stored['p'])} × {len(lam)}",
        "edge-left": f"{lam[lam < 2].max():.1f}",
        "edge-right": f"{lam[lam > 2].min():.1f}",
    }
    counted = {
        "share-runs": shares, "right-mixed": right, "right-apart": right & apart, "left-mixed": left,
        "left-apart": left & apart, "left-overlap": left & ~apart, "own-below": below & (ends == "own"),
        "swapped-below": below & (ends == "swapped"), "other-below": below & mixed & ~shares,
    }
    for name, inside in zones.items():
        counted |= {f"zone-{name}": inside, f"shared-{name}": inside & shares}
    return found | {name: str(hits.sum()) for name, hits in counted.items()}


def _trap(
    past: Result, crossing: float, rebuilt: Float[np.ndarray, " D"], attention: Float[np.ndarray, " D"]
) -> dict[str, str]:
    """Dictionaries of p = .14: lambda at which sharing costs the same, and how many of lambda = .2 are stuck in it."""
    pick = past["p"] == 0.14
    on, low = np.sort(past["vector"][pick, :, 0]), past["lam"][pick] == 0.2
    shares = (np.diff(on) == 0).any(1)
    total = rebuilt + 0.2 * attention
    lower = total[low & ~shares].max() < total[low & shares].min()
    return {
        "crossing": f"{crossing:.2f}",
        "stuck": so_many(shares[low]),
        "lower": "lower" if lower else "not lower",
    }


def _prices(stored: Result, fair: Float[np.ndarray, " P"], fair_rare: float) -> dict[str, str]:
    """What the price list says at p = .14, .038 and .02."""
    at_14, at_038 = (fair[_place(stored["p"], p)] for p in (0.14, 0.038))
    return {
        "fair-14": f"{at_14:.2f}",
        "fair-038": f"{at_038:.1f}",
        "fair-rare": f"{fair_rare:.1f}",
        "fair-four": f"{4 * fair_rare:.0f}",
        "rare-times": f"{4 / at_038:.0f}",
    }


def _training_over_p(
    result: Result, when: Float[np.ndarray, "X seeds"], clock: Float[np.ndarray, " X"]
) -> dict[str, str]:
    """Steps that alignment takes at large p, and at the three smallest beside what AdamW's clock predicts."""
    values, middle = result["p_value"], np.nanmedian(when, 1)
    often = values[values > 0.1]
    found = {
        "often-steps": low_to_high(middle[values > 0.1], ",.0f"),
        "often-factor": f"{often.max() ** 2 / often.min() ** 2:.0f}",
    }
    for name, p in (("one", 1), ("quick", 0.14)):
        found[f"{name}-range"] = low_to_high(when[_place(values, p)], ",.0f")
    for name, p in RARE.items():
        k = _place(values, p)
        found |= {f"{name}-clock": f"{clock[k]:,.0f}", f"{name}-step": f"{middle[k]:,.0f}"}
    return found


def _failures_over_p(result: Result) -> dict[str, str]:
    """Which runs over p fail, which of them share a vector, and how little the failed ones move at the end."""
    panel, values, step = stored_sweeps(result)["p"], result["p_value"], result["step"]
    failed, shares = panel.failed, sharing_pairs(result["summary_p_best"], result["p_vector"]) > 0
    along = result["along_cosine"].astype(float).mean((-2, -1))
    late = np.abs(along[:, -1] - along[:, step.tolist().index(20_000)])
    found = {
        "often-all": so_many(~failed[values > 0.07]),
        "failed-share": so_many(shares[failed]),
        "fine-share": so_many(shares[~failed]),
        "failed-late": f"{late[failed & (values < 0.07)[:, None]].max():.2f}",
    }
    for name in ("rare", "rarest"):
        k = _place(values, RARE[name])
        found[f"{name}-own"] = str((~failed[k]).sum())
        found[f"{name}-failed"] = str(failed[k].sum())
        found[f"{name}-mean"] = f"{panel.cosine[k].mean():.2f}"
    return found


def _place(values: Float[np.ndarray, " X"], p: float) -> int:
    return int(np.abs(values - p).argmin())
