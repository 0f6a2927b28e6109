"""Every number in the prose of the chapter on sparse attention decomposition: of stored runs, and of its live terms."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from torch import Tensor

from svf_helpers.chapters.sad_toy.terms import largest_share, needed
from svf_helpers.experiments import Result

DOMINATES = 0.8  # share of all sizes from which one term carries a context
PLAIN, WHITENED = 0, 1  # bases of the stored summaries
NONE, ONE, TWO = 0, 1, 2  # pairs present
IN_USE = 4  # singular vectors that the head uses at the end of training, one a pair
MIDDLE = 4_000  # the step at which the text looks at crumbs and counts


def numbers(
    result: Result,
    *,
    one_early: Float[Tensor, "seeds pairs planted ranks"],
    one_late: Float[Tensor, "seeds pairs planted ranks"],
    two_late: Float[Tensor, "seeds two ranks"],
    none_late: Float[Tensor, "seeds none ranks"],
    strength: Float[Tensor, "pairs planted"],
    ratio: Float[Tensor, " two"],
    crumbs: Float[Tensor, "crumbs ranks"],
    crumb_S: Float[Tensor, " ranks"],
    reached: Float[Tensor, " ranks"],
    start: Float[Tensor, "one ranks"],
    centred: float,
) -> dict[str, str]:
    """The numbers of the chapter, as a reader sees them.

    Args:
        result: the runs ``sad-toy``.
        one_early: terms early in training with one pair present, by planted pair.
        one_late: the same at the end.
        two_late: terms at the end with two pairs present.
        none_late: terms at the end with no pair present.
        strength: x_i y_j of the planted pair, of the contexts with one pair.
        ratio: weaker over stronger part of the contexts with two pairs.
        crumbs: terms of the first seed at step 4,000 with no pair present.
        crumb_S: its singular values there.
        reached: how far queries reach along each of its left singular vectors there.
        start: terms of the first seed before training with one pair present.
        centred: sparsity with one pair if both sides are whitened by covariances.

    Example:
        >>> import torch
        >>> from svf_helpers.experiments import load
        >>> live = {"one_early": torch.rand(3, 4, 5, 10), "one_late": torch.rand(3, 4, 5, 10),
        ...         "two_late": torch.rand(3, 6, 10), "none_late": torch.rand(3, 6, 10), "strength": torch.rand(4, 5),
        ...         "ratio": torch.rand(6), "crumbs": torch.rand(6, 10), "crumb_S": torch.ones(10),
        ...         "start": torch.rand(6, 10)}
        >>> found = numbers(load("sad-toy"), **live, reached=torch.ones(10), centred=0.1234)
        >>> found["seeds"], found["late-count"], found["white-covariance"]
        ('10', '60', '0.123')
    """
    return (
        run_numbers(result)
        | one_pair_numbers(one_early, one_late)
        | weakest_numbers(one_late, strength)
        | two_pair_numbers(two_late, ratio)
        | reading_numbers(result)
        | absent_numbers(one_late, none_late)
        | sparsity_numbers(result)
        | dip_numbers(result)
        | crumb_numbers(crumbs, crumb_S, reached)
        | count_numbers(result)
        | need_numbers(one_late, two_late)
        | start_numbers(start)
        | {"white-covariance": f"{centred:.3f}"}
    )


def run_numbers(result: Result) -> dict[str, str]:
    """Which runs these are, and in how many per cent of contexts one term dominates before training."""
    return {
        "label": result.label(),
        "seeds": f"{len(result.seeds)}",
        "early-step": f"{int(result['step_early']):,}",
        "start-over": f"{100 * result['summary_dominated'][0, :, PLAIN, ONE].mean():.0f}",
    }


def one_pair_numbers(
    early: Float[Tensor, "seeds pairs planted ranks"], late: Float[Tensor, "seeds pairs planted ranks"]
) -> dict[str, str]:
    """With one pair: the least share of the largest term at the end, and how often one dominates early, in per cent."""
    dominated, at_end = (largest_share(early) > DOMINATES).double(), largest_share(late)
    by_seed = dominated.mean((1, 2))
    return {
        "late-min": f"{100 * at_end.min():.0f}",
        "late-count": f"{at_end.numel():,}",
        "early-over": f"{100 * dominated.mean():.0f}",
        "early-over-range": _percent_range(by_seed),
    }


def weakest_numbers(
    late: Float[Tensor, "seeds pairs planted ranks"], strength: Float[Tensor, "pairs planted"]
) -> dict[str, str]:
    """The least strength that was planted, and the least share of the largest term with it, in per cent."""
    mantissa, power = f"{strength.min():.0e}".split("e")
    share = largest_share(late)[:, strength == strength.min()].min()
    return {"weakest": f"{mantissa}e{int(power)}", "weakest-share": f"{100 * share:.0f}"}


def two_pair_numbers(late: Float[Tensor, "seeds contexts ranks"], ratio: Float[Tensor, " contexts"]) -> dict[str, str]:
    """With two pairs: per cent of contexts in which one term dominates, and how far shares are from 1 / (1 + ratio)."""
    share = largest_share(late)
    return {
        "two-over": f"{100 * (share > DOMINATES).double().mean():.0f}",
        "two-error": f"{(share - 1 / (1 + ratio)).abs().max():.3f}",
    }


def reading_numbers(result: Result) -> dict[str, str]:
    """How terms follow strengths: correlations of all seeds, and the slopes of the first seed's four lines."""
    alone, least = result["summary_correlation_alone"], result["summary_correlation_relative"].min()
    points = zip(result["points_strength"].T, result["points_term"].T, strict=True)
    return {
        "r-relative": f"{np.floor(1e4 * least) / 1e4:.4f}",  # "at least": rounded down
        "r-alone": f"{alone.min():.2f} to {alone.max():.2f}",
        "slopes": ", ".join(f"{np.polyfit(strength, term, 1)[0]:.1f}" for strength, term in points),
    }


def absent_numbers(
    one: Float[Tensor, "seeds pairs planted ranks"], none: Float[Tensor, "seeds contexts ranks"]
) -> dict[str, str]:
    """At the end without any pair: how large crumbs are beside terms of one pair, on which ranks, in which shape."""
    size, by_seed = none.abs().sum(-1), (largest_share(none) > DOMINATES).double().mean(-1)
    unused = none[..., IN_USE:].abs().sum(-1) / size
    by_rank = none.abs().mean(1) / none.abs().mean(1).sum(-1, keepdim=True)
    return {
        "tail": f"{100 * unused.mean():.0f}",
        "size-one": f"{one.abs().sum(-1).median():.1f}",
        "size-none": f"1e{int(np.floor(np.log10(size.median().item())))}",
        "none-over": f"{100 * by_seed.mean():.0f}",
        "none-over-range": _percent_range(by_seed),
        "end-part": f"{100 * by_rank.amax(-1).median():.0f}",
    }


def sparsity_numbers(result: Result) -> dict[str, str]:
    """Sparsity S at the end with 0, 1 and 2 pairs, beside the rotated null, in the plain and the whitened basis."""
    S, null = result["summary_sparsity"], result["summary_null"]
    found = {f"end-{name}": f"{S[-1, :, PLAIN, k].mean():.3f}" for k, name in enumerate(("none", "one", "two"))}
    return found | {
        "null-start": f"{null[0, :, PLAIN].mean():.2f}",
        "null-end": f"{null[-1, :, PLAIN].mean():.2f}",
        "white-one": f"{S[-1, :, WHITENED, ONE].mean():.3f}",
        "white-null": f"{null[-1, :, WHITENED, ONE].mean():.2f}",
    }


def dip_numbers(result: Result) -> dict[str, str]:
    """Where S without any pair is lowest, what it is beside, and how many seeds have the paper's order 1 < 2 < 0."""
    S, null, step = result["summary_sparsity"][:, :, PLAIN], result["summary_null"][:, :, PLAIN], result["step"]
    lowest = int(S[..., NONE].mean(1).argmin())
    ordered = ((S[..., ONE] < S[..., TWO]) & (S[..., TWO] < S[..., NONE])).sum(1)
    always = np.logical_and.accumulate((ordered == S.shape[1])[::-1])[::-1]
    return {
        "dip-step": f"{int(step[lowest]):,}",
        "dip": f"{S[lowest, :, NONE].mean():.2f}",
        "dip-two": f"{S[lowest, :, TWO].mean():.2f}",
        "dip-null": f"{null[lowest, :, NONE].mean():.2f}",
        "dip-under": f"{int((S[lowest, :, NONE] < null[lowest, :, NONE]).sum())}",
        "order-dip": f"{ordered[lowest]}",
        "order-end": f"{ordered[-1]}",
        "order-since": f"{int(step[always.argmax()]):,}",
    }


def crumb_numbers(
    crumbs: Float[Tensor, "contexts ranks"], S: Float[Tensor, " ranks"], reached: Float[Tensor, " ranks"]
) -> dict[str, str]:
    """What crumbs are made of at step 4,000: sizes by rank, the fifth singular value, and how far queries reach."""
    by_rank = crumbs.abs().mean(0) / crumbs.abs().mean(0).sum()
    fifth = IN_USE  # counted from 0: the first that the head does not use
    return {
        "first-four": f"{100 * by_rank[:IN_USE].sum():.1f}",
        "fifth-part": f"{100 * by_rank[fifth]:.0f}",
        "fifth": f"{S[fifth]:.3f}",
        "fifth-ratio": f"{S[fifth] / S[fifth + 1]:.1f}",
        "sees-query": f"{reached[fifth] / reached[fifth + 1:].max():.1f}",
        "crumb-size": f"{crumbs.abs().sum(-1).median():.3f}",
    }


def count_numbers(result: Result) -> dict[str, str]:
    """N_sv before training, at step 4,000 and at the end; and the largest term's share in between, in per cent."""
    counts, middle = result["summary_n_sv"][:, :, PLAIN].mean(1), int(np.flatnonzero(result["step"] == MIDDLE)[0])
    return {
        "nsv-start": f"{counts[0, ONE]:.1f}",
        "nsv-middle": f"{counts[middle, ONE]:.1f}",
        "nsv-end": f"{counts[-1, ONE]:.1f}",
        "nsv-end-two": f"{counts[-1, TWO]:.1f}",
        "middle-share": f"{100 * result['summary_top_share'][middle, :, PLAIN, ONE].mean():.0f}",
    }


def need_numbers(
    one: Float[Tensor, "seeds pairs planted ranks"], two: Float[Tensor, "seeds contexts ranks"]
) -> dict[str, str]:
    """How many terms make up 95 % of relative attention at the end, with one pair and with two."""
    return {f"needed-{name}": f"{needed(terms, 0.95).double().mean():.2f}"
            for name, terms in (("one", one), ("two", two))}


def start_numbers(start: Float[Tensor, "contexts ranks"]) -> dict[str, str]:
    """Before training, in per cent: contexts with a relative attention of 0 or less, and the negative part of sizes."""
    negative = start.clamp(max=0).abs().sum(-1) / start.abs().sum(-1)
    return {"below": f"{100 * (start.sum(-1) <= 0).double().mean():.0f}", "negative": f"{100 * negative.mean():.0f}"}


def _percent_range(shares: Float[Tensor, " seeds"]) -> str:
    return f"{100 * shares.min():.0f} to {100 * shares.max():.0f}"
