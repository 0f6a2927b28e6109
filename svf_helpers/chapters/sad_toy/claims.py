"""Claims of the chapter on sparse attention decomposition in the toy model: Figures 5, 6, 7(a) and 24."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from svf_helpers.chapters.kit.claims import Verdict, claim
from svf_helpers.chapters.sad_toy.numbers import (
    DOMINATES,
    NONE,
    ONE,
    PLAIN,
    dip_numbers,
    dominated,
    in_order,
    sparsity_numbers,
)
from svf_helpers.chapters.sad_toy.terms import largest_share, terms_of_heads, with_pairs
from svf_helpers.experiments import Result
from svf_helpers.toy import ToyConfig

CONTEXTS = 120  # of each choice of pairs


@claim("Fig 5", "late in training, with one pair present, one term carries more than 80 %, in every context", "sad-toy")
def one_term_carries_one_pair(result: Result) -> Verdict:
    """The smallest share over seeds, planted pairs and contexts, whatever the strengths; and whose term it is."""
    terms = _terms(result, 1)
    shares, own = largest_share(terms), terms.abs().argmax(-1) == torch.arange(4).repeat_interleave(CONTEXTS)
    worst, hits = float(shares.min()), float(own.double().mean())
    measured = f"smallest share {worst:.3f} in {shares.numel():,} contexts; the pair's own term leads in {hits:.1%}"
    held = worst > DOMINATES and hits == 1
    return Verdict(held, measured, worst, "some contexts have no such term, or another pair's")


@claim("Fig 5", "before training, and early in it, most contexts with one pair present have no such term", "sad-toy")
def early_terms_are_spread(result: Result) -> Verdict:
    """At the first record, and at the early one that is stored (step 1,000)."""
    before = float(result["summary_dominated"][0, :, PLAIN, ONE].mean())
    early = dominated(_terms(result, 1, "_early")).mean(-1)
    measured = (
        f"one term above 80 % in {before:.0%} of contexts at step 0, in {float(early.mean()):.0%} at step "
        f"{int(result['step_early']):,} ({float(early.min()):.0%} to {float(early.max()):.0%} by seed)"
    )
    held = before < 0.5 and float(early.mean()) < 0.5
    return Verdict(held, measured, float(early.mean()), "terms concentrate earlier")


@claim("Fig 24", "late in training, with no pair present, no term of any size is left (all sizes sum below .001)",
       "sad-toy")
def without_pairs_no_term_has_a_size(result: Result) -> Verdict:
    """Against the median size with one pair, in the same heads."""
    largest = float(_terms(result, 0).abs().sum(-1).max())
    present = float(_terms(result, 1).abs().sum(-1).median())
    measured = f"sizes sum to less than 1e-3 in every context, against a median of {present:.1f} with one pair"
    held = largest < 1e-3
    return Verdict(held, measured if held else f"up to {largest:.1e}", largest, "some terms are left")


@claim("Fig 24", "late in training, with no pair present, no term carries more than 80 % of what is left", "sad-toy",
       "differs", (0.005, 0.12))
def without_pairs_no_term_dominates(result: Result) -> Verdict:
    """Share of contexts with such a term; recorded is the range in which it may lie."""
    by_seed = dominated(_terms(result, 0)).mean(-1)
    share = float(by_seed.mean())
    measured = f"in {share:.1%} of contexts one does ({float(by_seed.min()):.0%} to {float(by_seed.max()):.0%} by seed)"
    return Verdict(share == 0, measured, share, "what is left is of the size of rounding, and has a shape of its own")


@claim("Fig 24", "attention never becomes sparse without features of interest: S stays at or above the rotated null",
       "sad-toy", "differs", (0.10, 0.21))
def without_pairs_never_sparse(result: Result) -> Verdict:
    """The lowest mean sparsity over the records of training, and how many seeds are under their null there."""
    S, told = result["summary_sparsity"][:, :, PLAIN, NONE], dip_numbers(result)
    null = result["summary_null"][-1, :, PLAIN, NONE].mean()
    measured = (
        f"S falls to {told['dip']} at step {told['dip-step']}, under the null ({told['dip-null']}) in "
        f"{told['dip-under']} of {S.shape[1]} seeds; {S[-1].mean():.2f} at the end (null {null:.2f})"
    )
    held = told["dip-under"] == "0"
    return Verdict(held, measured, float(S.mean(1).min()), "what is left has next to no size, but a shape of its own")


@claim("Fig 6", "the term of a pair follows x_i (y_j - mean over the other keys), r > .95 in each seed", "sad-toy")
def terms_follow_strengths(result: Result) -> Verdict:
    """The lowest correlation over seeds and pairs, with that against x_i y_j alone beside it."""
    relative, alone = (result[f"summary_correlation_{name}"] for name in ("relative", "alone"))
    lowest = float(relative.min())
    measured = f"lowest r {lowest:.4f}; against x_i y_j alone {alone.min():.2f} to {alone.max():.2f}"
    return Verdict(lowest > 0.95, measured, lowest, "some terms do not follow")


@claim("Fig 7a", "at the end one pair is sparser than two, and two than none, in every seed", "sad-toy")
def one_two_none(result: Result) -> Verdict:
    """Seeds in this order at the last record, and the first record from which all are."""
    ordered, since = in_order(result)
    hits, seeds, told = int(ordered[-1].sum()), ordered.shape[1], sparsity_numbers(result)
    means = ", ".join(told[f"end-{name}"] for name in ("one", "two", "none"))
    measured = f"in {hits} of {seeds} seeds (means {means})" + (f"; in all of them from step {since}" if since else "")
    return Verdict(hits == seeds, measured, hits / seeds, "not in every seed")


@claim("Fig 7a", "with one or two pairs present, attention ends sparser than under the rotated null, in every seed",
       "sad-toy")
def sparser_than_the_null(result: Result) -> Verdict:
    """The smallest margin; the null has fallen too, because a head with four singular values has four terms."""
    values, null = (result[f"summary_{name}"][:, :, PLAIN, ONE:] for name in ("sparsity", "null"))
    margin = float((null[-1] - values[-1]).min())
    measured = f"smallest margin {margin:.3f}; the null itself falls from {null[0].mean():.2f} to {null[-1].mean():.2f}"
    return Verdict(margin > 0, measured, margin, "not sparser than the null")


def _terms(result: Result, present: int, when: str = "") -> Float[Tensor, "seeds contexts ranks"]:
    """Terms with so many pairs present, every choice of pairs as often."""
    config = ToyConfig()
    count = CONTEXTS * math.comb(len(config.ranked_pairs), present)
    contexts = with_pairs(config, present, count, torch.Generator().manual_seed(1))
    return terms_of_heads(contexts, *(result[f"{name}{when}"] for name in ("W", "W_Q", "W_K")))
