"""Claims of the chapter on attention along training: Figures 7(b), 8, 9(b), 25 and Table 2, on the bundled model."""

import numpy as np
import torch

from svf_helpers.attention import sparsity
from svf_helpers.chapters.kit.circuits import heads_of
from svf_helpers.chapters.kit.claims import Verdict, claim
from svf_helpers.chapters.kit.words import list_of
from svf_helpers.chapters.sad_pythia.along import mean_along
from svf_helpers.chapters.sad_pythia.circuit import routes
from svf_helpers.chapters.sad_pythia.numbers import FEW, carrying, of_counts
from svf_helpers.experiments import Result
from svf_helpers.ioi import ORDERS, PYTHIA_HEADS

RESULT, STAND_IN = "pocket-pythia-ioi", "pocket-pythia"


@claim("Fig 7b", "over training, attention of the circuit's heads grows sparser, and ends below the rotated null",
       RESULT, on=STAND_IN)
def sparsity_falls(result: Result) -> Verdict:
    """Mean over heads and prompts, and in how many pairings of a head with its tokens it holds."""
    S, null = (result[f"summary_{name}_weights"].mean(2) for name in ("sparsity", "null"))
    first, last = float(S[0].mean()), float(S[-1].mean())
    sparser, below = int((S[-1] < S[0]).sum()), int((S[-1] < null[-1]).sum())
    measured = (
        f"S from {first:.2f} to {last:.2f}; sparser at the end in {sparser} of {S.shape[1]} pairings of head and "
        f"tokens, below the null ({null[-1].mean():.2f}) in {below}"
    )
    return Verdict(last < first and sparser == below == S.shape[1], measured, last, "not in all of the circuit")


@claim("Fig 7b", "under rotated U and V the decline of S disappears", RESULT, "differs", (0.2, 0.5), on=STAND_IN)
def null_is_flat(result: Result) -> Verdict:
    """The null's fall as a share of that of S."""
    S, null = (result[f"summary_{name}_weights"].mean((1, 2)) for name in ("sparsity", "null"))
    share = float((null[0] - null[-1]) / (S[0] - S[-1]))
    measured = f"the null falls, too, from {null[0]:.2f} to {null[-1]:.2f}: {share:.0%} of the fall of S"
    return Verdict(share < 0.1, measured, share,
                   "the spectrum grows steeper, and the null knows nothing but the spectrum")


@claim("Fig 8", "for four heads, few singular vectors come to carry most of relative attention", RESULT, on=STAND_IN)
def few_terms_carry_four_heads(result: Result) -> Verdict:
    """Of the pairings with rho > 0 at the end: the sparsest, the least sparse, and two between; 80 % of the sizes."""
    terms = result["terms_weights"]
    attending = np.flatnonzero(result["relative"][-1, :, 0] > 0)
    ranked = attending[sparsity(torch.tensor(terms[-1, attending])).argsort()]
    four = ranked[np.linspace(0, len(ranked) - 1, 4).round().astype(int)]
    first, last = (carrying(terms[k, four]) for k in (0, -1))
    start, end = (list_of(counts, ".0f") for counts in (first, last))
    measured = f"terms that carry 80 % of the sizes: {start} at the start, {end} at the end"
    held = bool((last < first).all() and last.max() <= terms.shape[-1] // 4)
    return Verdict(held, measured, float(last.max()), "not few, or not fewer than at the start")


@claim("Fig 8", "the largest term need not belong to the largest singular value", RESULT, on=STAND_IN)
def largest_term_is_not_first(result: Result) -> Verdict:
    """On the paper's prompt, at the last checkpoint."""
    rank = np.abs(result["terms_weights"][-1]).argmax(-1) + 1
    later = int((rank > 1).sum())
    measured = f"it does not in {later} of {len(rank)} pairings of head and tokens"
    return Verdict(later > 0, measured, later, "it always does")


@claim("Fig 8", "the largest term can belong to one of the smallest singular values", RESULT, "differs", (1, 4),
       on=STAND_IN)
def largest_term_can_be_last(result: Result) -> Verdict:
    """The largest rank that the largest term of any head has at the last checkpoint."""
    terms = result["terms_weights"][-1]
    worst, m = int((np.abs(terms).argmax(-1) + 1).max()), terms.shape[-1]
    measured = f"it is never beyond singular value {worst} of {m}"
    return Verdict(worst > 0.75 * m, measured, worst, "in these heads large terms go with large singular values")


@claim("Fig 9b", "the number of singular vectors needed falls over training", RESULT, "differs", (-0.1, 1.0),
       on=STAND_IN)
def counts_fall(result: Result) -> Verdict:
    """Mean N_sv over cases with rho > 0, last checkpoint less first."""
    along, told = mean_along(result["summary_n_sv_weights"], result["relative"] > 0), of_counts(result)
    change = float(along[-1] - along[0])
    measured = (
        f"mean N_sv {along[0]:.1f} at the start, {told['N-peak']} at step {told['N-peak-step']}, {along[-1]:.1f} at "
        "the end"
    )
    return Verdict(change < -0.1, measured, change, "it starts low because terms cancel; beside chance it falls")


@claim("Fig 9b", "at the end, 1 to 4 singular vectors are typically enough", RESULT, on=STAND_IN)
def few_are_needed(result: Result) -> Verdict:
    """Share of the attended cases (rho > 0) of the last checkpoint."""
    counts = result["summary_n_sv_weights"][-1][result["relative"][-1] > 0]
    share = float((counts <= FEW).mean())
    measured = f"in {share:.0%} of {len(counts)} cases with rho > 0; median {np.median(counts):.0f}"
    return Verdict(share > 0.75, measured, share, "more are needed")


@claim("Fig 25", "relative attention of the circuit's heads grows sparser on the paper's prompt, in every one of them",
       RESULT, on=STAND_IN)
def every_head_grows_sparser(result: Result) -> Verdict:
    """First against last checkpoint, and against one rotation."""
    first, last, turned = (
        sparsity(torch.tensor(result[name][at]))
        for name, at in (("terms_weights", 0), ("terms_weights", -1), ("rotated_weights", -1))
    )
    sparser, under = int((last < first).sum()), int((last < turned).sum())
    measured = (
        f"in {sparser} of {len(last)} pairings of head and tokens (S {first.min():.2f} to {first.max():.2f} at the "
        f"start, {last.min():.2f} to {last.max():.2f} at the end); below one rotation in {under}"
    )
    return Verdict(sparser == len(last), measured, sparser, "not in every one")


@claim("Table 2", "the circuit's heads look along END→IO, END→S2, S2→S1+1 and S1+1→S1", RESULT, "differs", (1, 3),
       on=STAND_IN)
def circuit_looks_as_the_papers(result: Result) -> Verdict:
    """How many of the paper's pairs of destination and source the found circuit has, with mean rho > 0."""
    attending = result["relative"][-1].mean(1) > 0
    found = set(routes(head for head, there in zip(heads_of(result), attending, strict=True) if there))
    paper = set(routes(PYTHIA_HEADS))
    common, besides = (", ".join(sorted("→".join(pair) for pair in pairs))
                       for pairs in (paper & found, found - paper))
    measured = f"shared are {common}; the found circuit has {besides or 'nothing'} besides"
    return Verdict(paper <= found, measured, len(paper & found), "another model, with a circuit of its own")


@claim("Table 2", "each head of the circuit attends to its source above the other keys at the end of training", RESULT,
       "differs", (0.7, 0.95), on=STAND_IN)
def heads_attend_where_listed(result: Result) -> Verdict:
    """Share of prompts with rho > 0, by order of the names."""
    positive = result["relative"][-1] > 0
    share = float(positive.mean())
    abba, baba = (positive[:, result["order"] == kind] for kind in ORDERS)
    never = int((~abba.any(1)).sum())
    measured = (
        f"in {share:.0%} of cases (ABBA {abba.mean():.0%}, BABA {baba.mean():.0%}); {never} of "
        f"{len(positive)} pairings of head and tokens do so in no ABBA prompt"
    )
    return Verdict(share > 0.99, measured, share, 'the token after S1 is a name\'s "and" in one order only')
