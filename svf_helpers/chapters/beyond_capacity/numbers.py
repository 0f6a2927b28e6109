"""Every number in the prose of the chapter beyond capacity, as the reader sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float

from svf_helpers.chapters.beyond_capacity.capacity import least_squares_logits, wrong_attention
from svf_helpers.chapters.beyond_capacity.stored_heads import OPPOSITE, Heads, stored_heads
from svf_helpers.chapters.kit.words import low_to_high, so_many
from svf_helpers.experiments import Result
from svf_helpers.qk import qk_svd

LONG, SHORT = 80_000, 20_000


def numbers(
    result: Result,
    wide_result: Result,
    *,
    errors: Mapping[tuple[float, int], tuple[float, float]],
    arrangements: Mapping[int, tuple[float, float]],
    merged: Float[np.ndarray, "6 6"],
    dropped: Sequence[float],
    best_six: float,
    splits: Sequence[float],
    right_first: Mapping[int, float],
    spreads: Mapping[str, Sequence[Sequence[float]]],
) -> dict[str, str]:
    """The chapter's numbers by the names under which its text asks for them.

    Args:
        result: the stored result ``beyond-capacity``.
        wide_result: ``beyond-capacity-wide``.
        errors: (lambda, steps) -> reconstruction error of the head with ten pairs, as trained and as a tight frame.
        arrangements: seed -> attention cost and reconstruction error of ten pairs at lambda = 1: seed 0 has one
            shared vector, seed 1 opposites.
        merged: cost of putting pairs i > j of six on one vector, NaN elsewhere.
        dropped: cost of dropping each of the six instead.
        best_six: the least cost of any matrix of rank 5 for six pairs.
        splits: costs of the seven arrangements of four pairs on two vectors.
        right_first: number of pairs -> share of contexts in which the head's favourite key is the target's.
        spreads: kind of heads -> for each number of pairs, sparsity in contexts and of their null, first of all.
    """
    heads, wide = stored_heads(result), stored_heads(wide_result)
    return (
        {"runs": f"{result.scale} scale, {_plan(result)}", "wide-runs": _plan(wide_result)}
        | _tallies(heads)
        | _two_heads(heads)
        | {f"gain-{lam:g}-{steps}": f"{100 * (1 - after / before):.1f}"
           for (lam, steps), (before, after) in errors.items()}
        | _opposites(heads)
        | _arrangements(arrangements)
        | _wide(wide)
        | _likeness(heads)
        | _mergers(merged, dropped, best_six, splits)
        | _confusions(heads)
        | {f"first-{count}": f"{100 * right_first[count]:.0f}" for count in (5, 10)}
        | _sparsities(spreads)
    )


def _plan(result: Result) -> str:
    """What was run: ``3 seeds at 20,000 steps, 1 seed at 80,000 steps``."""
    plan = {steps: len(seeds) for steps, seeds in result.info["config"]["seeds_of"].items()}
    return ", ".join(f"{seeds} seed{'s' * (seeds > 1)} at {int(steps):,} steps" for steps, seeds in plan.items())


def _tallies(heads: Heads) -> dict[str, str]:
    """Strong pairs on their own vectors and weak ones that lean to the last, as trained and as tight frames."""
    found: dict[str, str] = {}
    for (lam, steps), (own, last) in heads.tallies().items():
        found |= {f"own-{lam:g}-{steps}": own, f"last-{lam:g}-{steps}": last}
        if steps == SHORT:  # the seed that was also trained for long
            zero = heads.tally(heads.beyond & (heads.lam == lam) & (heads.steps == SHORT) & (heads.seed == 0))
            found[f"zero-{lam:g}"] = " and ".join(zero)
    tight = heads.tight_frame().tallies()
    wanted = (4, LONG), (4, SHORT), (1, SHORT)
    return found | {f"tight-{lam}-{steps}": " and ".join(tight[lam, steps]) for lam, steps in wanted}


def _two_heads(heads: Heads) -> dict[str, str]:
    """The heads of ten pairs after long training at lambda 4 and 1: logits, and lengths of query features."""
    logits, lengths = heads.logits(), heads.W.norm(dim=1)
    queries = slice(heads.W.shape[-1] // 2)  # the first half of the features
    messy, tidy, six = heads.find(4, LONG, 10), heads.find(1, LONG, 10), heads.find(1, LONG, 6)
    return {
        "largest-difference": f"{(logits[messy] - logits[tidy]).abs().max():.2f}",
        "top-logit": f"{logits[messy].max():.1f}",
        "lengths-messy": f"{lengths[messy, queries].max():.2f}",
        "lengths-tidy": f"{lengths[tidy, queries].max():.2f}",
        "one-too-many": f"{100 * (1 - logits[six, 0, 0] / heads.targets[0]):.0f}",
        "last-logit": f"{logits[tidy, 9, 9]:.1f}",
        "last-length": f"{lengths[tidy, 9]:.2f}",
    }


def _opposites(heads: Heads) -> dict[str, str]:
    """How many heads have two weak pairs on opposite sides of a vector, their cosines, and the tally of the others."""
    tight = heads.tight_frame()
    lowest, beyond, long = tight.lowest_cosines(), heads.beyond, heads.steps == LONG
    found, zero = lowest < OPPOSITE, heads.seed == 0
    own, last = tight.tally(beyond & ~found)
    return {
        "opposite-short": so_many(found[beyond & ~long]),
        "opposite-zero": so_many(found[beyond & ~long & zero]),
        "opposite-long": so_many(found[beyond & long]),
        "opposite-cosines": low_to_high(lowest[beyond & found], ".2f"),
        "same-side": f"{lowest[beyond & ~found].min():.2f}",
        "one-own": own,
        "one-last": last,
    }


def _arrangements(costs: Mapping[int, tuple[float, float]]) -> dict[str, str]:
    """What one shared vector (0) and opposites (1) cost."""
    return {f"kind-{name}-{seed}": f"{value:.{digits}f}" for seed, both in costs.items()
            for name, value, digits in zip(("cost", "rec"), both, (3, 4), strict=True)}


def _wide(wide: Heads) -> dict[str, str]:
    """The same counts for ten dimensions, and the heads that have exactly as many pairs as dimensions."""
    tight = wide.tight_frame()
    found: dict[str, str] = {}
    for frame, heads in (("plain", wide), ("tight", tight)):
        for (lam, steps), (own, last) in heads.tallies().items():
            if steps == LONG:
                found |= {f"wide-{frame}-own-{lam:g}": own, f"wide-{frame}-last-{lam:g}": last}
    opposite, beyond, long = tight.lowest_cosines() < OPPOSITE, wide.beyond, wide.steps == LONG
    own, last = tight.tally(beyond & ~opposite)
    aligned = np.array([bool((each.diagonal() > 0.9).all()) for each in tight.worse_side()])
    full = wide.count == wide.r
    idle = torch.from_numpy(full & ~aligned)
    S = qk_svd(tight.W_Q[idle], tight.W_K[idle]).S
    return found | {
        "wide-opposite": so_many(opposite[beyond & ~long]),
        "wide-opposite-long": so_many(opposite[beyond & long]),
        "wide-one-own": own,
        "wide-one-last": last,
        "wide-full": so_many(aligned[full]),
        "wide-idle": f"{100 * (S[:, -1] / S[:, -2]).max():.0f}",
    }


def _likeness(heads: Heads) -> dict[str, str]:
    """Correlation of the closed form's wrong logits with the trained heads', without and with opposites."""
    logits, opposite = heads.logits(), heads.tight_frame().lowest_cosines() < OPPOSITE
    alike = np.full(len(opposite), np.nan)
    for i in np.flatnonzero(heads.beyond):
        n = int(heads.count[i])
        theory, wrong = least_squares_logits(heads.targets[:n], heads.r), ~torch.eye(n, dtype=torch.bool)
        alike[i] = np.corrcoef(theory[wrong], logits[i, :n, :n][wrong])[0, 1]
    same, other = alike[heads.beyond & ~opposite], alike[heads.beyond & opposite]
    return {
        "likeness": f"{low_to_high(same, '.2f')} (median {np.median(same):.2f})",
        "likeness-opposite": low_to_high(other, ".2f"),
    }


def _mergers(
    merged: Float[np.ndarray, "6 6"], dropped: Sequence[float], best_six: float, splits: Sequence[float]
) -> dict[str, str]:
    """Costs of merging two of six pairs, of dropping one, and of splitting four pairs between two vectors."""
    i, j = np.nonzero(~np.isnan(merged))
    costs = merged[i, j]
    order = sorted(splits)
    return {
        # The targets fall by one from pair to pair, so that their sums fall as the pairs' numbers rise.
        "merge-likeness": f"{np.corrcoef(-(i + j), costs)[0, 1]:.2f}",
        "merge-cheap": f"{costs.min():.3f}",
        "merge-dear": f"{costs.max():.3f}",
        "drop": f"{min(dropped):.3f}",
        "best-six": f"{best_six:.3f}",
        "split-first": f"{order[0]:.3f}",
        "split-second": f"{order[1]:.3f}",
        "split-last": f"{order[-1]:.3f}",
    }


def _confusions(heads: Heads) -> dict[str, str]:
    """What the tidy head with ten pairs gives to wrong keys: of strong pairs' queries, and from the sixth on."""
    wrong = wrong_attention(heads.logits()[heads.find(1, LONG, 10)])
    lost = wrong[5:]
    lured = sorted({int(k) + 1 for k in lost.argmax(1)})
    return {
        "safe": f"{100 * wrong[:4].max():.1f}",
        "confused": so_many(wrong[~torch.eye(len(wrong), dtype=torch.bool)] >= 0.5),
        "lured": " or ".join(map(str, lured)),
        "lure-most": f"{100 * wrong.max():.0f}",
        "lure-least": f"{100 * lost[lost > 0].min():.0f}",
    }


def _sparsities(spreads: Mapping[str, Sequence[Sequence[float]]]) -> dict[str, str]:
    """Mean sparsity in contexts with the fewest and the most pairs, beside the null."""
    trained = spreads["lam 4, as trained"]
    return {
        "spread-five": f"{trained[0][0]:.2f}",
        "spread-ten": f"{trained[-1][0]:.2f}",
        "spread-null": f"{trained[-1][1]:.2f}",
        "spread-tight": f"{spreads['lam 4, tight frame'][-1][0]:.2f}",
        "spread-tidy": f"{spreads['lam 1, as trained'][-1][0]:.2f}",
    }
