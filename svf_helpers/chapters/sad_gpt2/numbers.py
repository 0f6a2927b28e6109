"""Every number of the chapter on counts of terms over many prompts, as the reader sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Num, Shaped
from torch import Tensor

from svf_helpers.chapters.kit.circuits import about_result, head_number, heads_of, is_circuit, model_of
from svf_helpers.chapters.kit.words import listed, low_to_high, percent
from svf_helpers.experiments import Result
from svf_helpers.ioi import GPT2_HEADS, ORDERS, CircuitHead
from svf_helpers.language_models.circuits import CircuitTable

#: From the paper: up to four terms are typically enough.
FEW = 4
SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
#: A head's cases in one way of counting: the share of sizes left by cancellation, and the counts.
Cases = Mapping[str, tuple[Num[Tensor, " cases"], Num[Tensor, " cases"]]]


def numbers(
    result: Result,
    pocket: Result,
    *,
    constant_shares: Sequence[float],
    table: CircuitTable,
    ours: Sequence[float],
    random: Sequence[Sequence[float]],
    by_way: Mapping[str, Cases],
) -> dict[str, str]:
    """Every number of the prose, by name.

    ``result`` is the stored one that the figures show, GPT-2's or the bundled model's. Of the bundled model are: the
    constant's share of relative attention in each head of its circuit; the ``table`` of all heads; mean N_sv of each
    head of its circuit, ``ours``, and in several ``random`` splits of each; and for each way to count (N_sv, then the
    effective number by size) the cases of each head.
    """
    circuit = heads_of(pocket)
    return (
        of_the_constant(circuit, constant_shares)
        | of_the_result(result)
        | of_counts(result)
        | of_the_orders(pocket)
        | of_the_small_circuit(table)
        | of_random_splits(circuit, ours, random)
        | of_cancellation(by_way)
        | of_the_whitened_basis(result)
    )


def of_the_constant(circuit: Sequence[CircuitHead], shares: Sequence[float]) -> dict[str, str]:
    """How much of relative attention the constant makes, at least and at most, and in which head the most."""
    return {
        "constant-low": percent(min(shares)),
        "constant-high": percent(max(shares)),
        "constant-high-head": head_number(circuit[int(np.argmax(shares))]),
    }


def of_the_result(result: Result) -> dict[str, str]:
    """Which model, prompts and circuit the figures show, and how well the model does the task."""
    found = "found by where heads look (mean attention of .3 or more from one of the roles to another)"
    return about_result(result, "gpt2-ioi", "pocket-gpt2") | {
        "label": f"{model_of(result)}, {result.scale} scale",
        "right": percent(result["correct"].mean()),
        "difference": f"{result['summary_logit_difference'].mean():.1f}",
        "whose": "the published one" if is_circuit(result, GPT2_HEADS) else found,
    }


def counts_by_order(
    counts: Num[np.ndarray, "heads prompts"],
    attends: Bool[np.ndarray, "heads prompts"],
    order: Shaped[np.ndarray, " prompts"],
) -> dict[str, list[Num[np.ndarray, " cases"]]]:
    """Each head's counts over the prompts in which it attends, for ABBA and BABA prompts separately.

    Example:
        >>> attends = np.array([[True, False, True]])
        >>> by_order = counts_by_order(np.array([[1, 0, 3]]), attends, np.array(["ABBA", "ABBA", "BABA"]))
        >>> {kind: [row.tolist() for row in rows] for kind, rows in by_order.items()}
        {'ABBA': [[1]], 'BABA': [[3]]}
    """
    return {kind: [row[here & (order == kind)] for row, here in zip(counts, attends, strict=True)] for kind in ORDERS}


def of_counts(result: Result) -> dict[str, str]:
    """How many terms are needed where a head attends, and in which cases none does."""
    counts, S, null = (result[f"summary_{name}_weights"][-1] for name in ("n_sv", "sparsity", "null"))
    attends = result["relative"][-1] > 0
    pooled = counts[attends]
    medians = [np.median(row[here]) for row, here in zip(counts, attends, strict=True) if here.any()]
    few = float((pooled <= FEW).mean())
    by_order = counts_by_order(counts, attends, result["order"])
    empty = [f"{head_number(head)} in {kind}" for kind, rows in by_order.items()
             for head, row in zip(heads_of(result), rows, strict=True) if not len(row)]
    return {
        "median": f"{np.median(pooled):.0f}",
        "four": percent(few),
        "few": "As in the paper, few terms are enough" if few > 0.75
        else "Unlike in the paper, few terms are often not enough",
        "largest": str(int(pooled.max())),
        "median-range": low_to_high(medians),
        "not": percent((~attends).mean()),
        "below-null": str(int((S.mean(1) < null.mean(1)).sum())),
        "empty": f"No prompt has ρ > 0 for {listed(empty)}. So a head may be in the circuit and not attend along its "
        "pair in half of the prompts" if empty
        else "Every head has ρ > 0 in prompts of both orders, but it need not be so",
    }


def of_the_orders(pocket: Result) -> dict[str, str]:
    """The head of the bundled model that attends in the fewest ABBA prompts, and in how many of each order it does."""
    positive, order = pocket["relative"][-1] > 0, pocket["order"]
    share = {kind: positive[:, order == kind].mean(1) for kind in ORDERS}
    worst = int(np.argmin(share["ABBA"]))
    at = {"one-sided": head_number(heads_of(pocket)[worst])}
    return at | {f"one-sided-{kind.lower()}": percent(share[kind][worst]) for kind in ORDERS}


def of_the_small_circuit(table: CircuitTable) -> dict[str, str]:
    """Effects of the bundled model's most important head, of the next one, and of the one that works against it."""
    by_effect = table.ablation_effect.flatten().argsort(descending=True)
    second, against = (divmod(int(place), table.ablation_effect.shape[1]) for place in (by_effect[1], by_effect[-1]))
    return {
        "main-direct": f"{table.direct[0, 3]:.1f}",
        "main-total": f"{table.ablation_effect[0, 3]:.1f}",
        "main-difference": f"{table.logit_difference:.1f}",
        "second": "{}.{}".format(*second),
        "second-total": f"{table.ablation_effect[second]:.1f}",
        "against": "{}.{}".format(*against),
        "against-total": f"{-table.ablation_effect[against]:.1f}",
        "against-surprise": f"{table.log_probability_drop[against]:.1f}",
    }


def of_random_splits(
    circuit: Sequence[CircuitHead], ours: Sequence[float], random: Sequence[Sequence[float]]
) -> dict[str, str]:
    """Mean counts along singular vectors and along random directions, and the heads in which they overlap."""
    means = [np.mean(draws) for draws in random]
    overlap = [head_number(head) for head, own, draws in zip(circuit, ours, random, strict=True) if min(draws) <= own]
    draws = len(random[0])
    written = SMALL[draws] if draws < len(SMALL) else str(draws)
    return {
        "ours": low_to_high(ours, ".1f"),
        "random": low_to_high(means, ".1f"),
        "overlap": f"one of {written} random splits or more needs as few in {listed(overlap)}" if overlap
        else "no random split of any head needs as few",
    }


def of_cancellation(by_way: Mapping[str, Cases]) -> dict[str, str]:
    """How two counts go with the share of sizes that survives: rank correlations, and means at low and high shares."""
    told = {}
    for letter, heads in zip(("N", "S"), by_way.values(), strict=True):
        cases = [tuple(np.asarray(values, dtype=float) for values in pair) for pair in heads.values()]
        told[f"trend-{letter}"] = listed(f"{np.corrcoef(_ranks(c), _ranks(n))[0, 1]:+.1f}" for c, n in cases)
        c, n = (np.concatenate(values) for values in zip(*cases, strict=True))
        told[f"low-{letter}"] = f"{n[c < 0.5].mean():.1f}"
        told[f"high-{letter}"] = f"{n[c >= 0.5].mean():.1f}"
    return told


def of_the_whitened_basis(result: Result) -> dict[str, str]:
    """How many terms the same attention needs in the whitened basis."""
    attends = result["relative"][-1] > 0
    plain, white = (result[f"summary_n_sv_{basis}"][-1][attends] for basis in ("weights", "whitened"))
    return {
        "white-median": f"{np.median(white):.0f}",
        "white-four": percent((white <= FEW).mean()),
        "white-more": percent((white > plain).mean()),
        "white-fewer": percent((white < plain).mean()),
    }


def _ranks(values: Num[np.ndarray, " cases"]) -> Float[np.ndarray, " cases"]:
    """Ranks; equal values share the mean of theirs."""
    rising = np.sort(values)
    return (np.searchsorted(rising, values, "left") + np.searchsorted(rising, values, "right")) / 2
