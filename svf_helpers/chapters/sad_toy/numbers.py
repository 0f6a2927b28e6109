"""Every number in the prose of the chapter on sparse attention decomposition: of stored runs, and of its live terms."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from svf_helpers.chapters.kit.curves import stays_above
from svf_helpers.chapters.kit.words import low_to_high, percent
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

    ``result`` are the runs ``sad-toy``. Terms are of all seeds, early or late in training, with one pair present (by
    planted pair), two or none; ``strength`` is x_i y_j of the planted pair, ``ratio`` the weaker over the stronger part
    of two. Of the first seed are: ``crumbs``, terms without a pair at step 4,000, with the head's singular values there
    and how far queries reach along each u; and ``start``, terms of one pair before training. ``centred`` is sparsity
    with one pair if both sides are whitened by covariances.
    """
    return (
        one_pair_numbers(result, one_early, one_late, strength)
        | two_pair_numbers(two_late, ratio)
        | reading_numbers(result)
        | absent_numbers(one_late, none_late)
        | sparsity_numbers(result)
        | dip_numbers(result)
        | crumb_numbers(crumbs, crumb_S, reached)
        | count_numbers(result, one_late, two_late, start)
        | {"label": result.label(), "seeds": f"{len(result.seeds)}", "white-covariance": f"{centred:.3f}"}
    )


def dominated(terms: Float[Tensor, "seeds *contexts ranks"]) -> Float[Tensor, "seeds *contexts"]:
    """1 where one term carries the context, else 0."""
    return (largest_share(terms) > DOMINATES).double()


def in_order(result: Result) -> tuple[Bool[np.ndarray, "K seeds"], str | None]:
    """Where one pair is sparser than two, and two than none; and the step from which on that is so in all seeds."""
    none, one, two = np.moveaxis(result["summary_sparsity"][:, :, PLAIN], -1, 0)
    ordered = (one < two) & (two < none)
    since = float(stays_above(ordered.all(1).astype(float), result["step"], 0.5))
    return ordered, None if np.isnan(since) else f"{since:,.0f}"


def one_pair_numbers(
    result: Result,
    early: Float[Tensor, "seeds pairs planted ranks"],
    late: Float[Tensor, "seeds pairs planted ranks"],
    strength: Float[Tensor, "pairs planted"],
) -> dict[str, str]:
    """With one pair: how often one term dominates, the least share at the end, and that with the weakest pair."""
    share, by_seed = largest_share(late), dominated(early).mean((1, 2))
    mantissa, power = f"{strength.min():.0e}".split("e")
    return {
        "early-step": f"{int(result['step_early']):,}",
        "start-over": percent(result["summary_dominated"][0, :, PLAIN, ONE].mean()),
        "early-over": percent(by_seed.mean()),
        "early-over-range": low_to_high(100 * by_seed),
        "late-min": percent(share.min()),
        "late-count": f"{share.numel():,}",
        "weakest": f"{mantissa}e{int(power)}",
        "weakest-share": percent(share[:, strength == strength.min()].min()),
    }


def two_pair_numbers(late: Float[Tensor, "seeds two ranks"], ratio: Float[Tensor, " two"]) -> dict[str, str]:
    """With two pairs: how often one term dominates, and how far shares are from 1 / (1 + ratio)."""
    return {
        "two-over": percent(dominated(late).mean()),
        "two-error": f"{(largest_share(late) - 1 / (1 + ratio)).abs().max():.3f}",
    }


def reading_numbers(result: Result) -> dict[str, str]:
    """How terms follow strengths: correlations of all seeds, and the slopes of the first seed's four lines."""
    alone, least = result["summary_correlation_alone"], result["summary_correlation_relative"].min()
    points = zip(result["points_strength"].T, result["points_term"].T, strict=True)
    return {
        "r-relative": f"{np.floor(1e4 * least) / 1e4:.4f}",  # "at least": rounded down
        "r-alone": low_to_high(alone.ravel(), ".2f"),
        "slopes": ", ".join(f"{np.polyfit(strength, term, 1)[0]:.1f}" for strength, term in points),
    }


def absent_numbers(
    one: Float[Tensor, "seeds pairs planted ranks"], none: Float[Tensor, "seeds none ranks"]
) -> dict[str, str]:
    """At the end without any pair: how large crumbs are beside terms of one pair, on which ranks, in which shape."""
    size, by_seed = none.abs().sum(-1), dominated(none).mean(-1)
    by_rank = none.abs().mean(1) / none.abs().mean(1).sum(-1, keepdim=True)
    return {
        "tail": percent((none[..., IN_USE:].abs().sum(-1) / size).mean()),
        "size-one": f"{one.abs().sum(-1).median():.1f}",
        "size-none": f"1e{int(np.floor(np.log10(size.median().item())))}",
        "none-over": percent(by_seed.mean()),
        "none-over-range": low_to_high(100 * by_seed),
        "end-part": percent(by_rank.amax(-1).median()),
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
    S, null = (result[f"summary_{name}"][:, :, PLAIN] for name in ("sparsity", "null"))
    lowest, (ordered, since) = int(S[..., NONE].mean(1).argmin()), in_order(result)
    return {
        "dip-step": f"{int(result['step'][lowest]):,}",
        "dip": f"{S[lowest, :, NONE].mean():.2f}",
        "dip-two": f"{S[lowest, :, TWO].mean():.2f}",
        "dip-null": f"{null[lowest, :, NONE].mean():.2f}",
        "dip-under": f"{int((S[lowest, :, NONE] < null[lowest, :, NONE]).sum())}",
        "order-dip": f"{ordered[lowest].sum()}",
        "order-end": f"{ordered[-1].sum()}",
        "order-since": since or "none",
    }


def crumb_numbers(
    crumbs: Float[Tensor, "crumbs ranks"], S: Float[Tensor, " ranks"], reached: Float[Tensor, " ranks"]
) -> dict[str, str]:
    """What crumbs are made of at step 4,000: sizes by rank, the fifth singular value, and how far queries reach."""
    by_rank = crumbs.abs().mean(0) / crumbs.abs().mean(0).sum()
    fifth = IN_USE  # counted from 0: the first that the head does not use
    return {
        "first-four": f"{100 * by_rank[:IN_USE].sum():.1f}",
        "fifth-part": percent(by_rank[fifth]),
        "fifth": f"{S[fifth]:.3f}",
        "fifth-ratio": f"{S[fifth] / S[fifth + 1]:.1f}",
        "sees-query": f"{reached[fifth] / reached[fifth + 1:].max():.1f}",
        "crumb-size": f"{crumbs.abs().sum(-1).median():.3f}",
    }


def count_numbers(
    result: Result,
    one: Float[Tensor, "seeds pairs planted ranks"],
    two: Float[Tensor, "seeds two ranks"],
    start: Float[Tensor, "one ranks"],
) -> dict[str, str]:
    """N_sv along training and terms for 95 % of ρ at the end; and why N_sv is low before training: terms cancel."""
    counts, middle = result["summary_n_sv"][:, :, PLAIN].mean(1), result["step"].tolist().index(MIDDLE)
    negative = start.clamp(max=0).abs().sum(-1) / start.abs().sum(-1)
    return {
        "nsv-start": f"{counts[0, ONE]:.1f}",
        "nsv-middle": f"{counts[middle, ONE]:.1f}",
        "nsv-end": f"{counts[-1, ONE]:.1f}",
        "nsv-end-two": f"{counts[-1, TWO]:.1f}",
        "middle-share": percent(result["summary_top_share"][middle, :, PLAIN, ONE].mean()),
        "needed-one": f"{needed(one, 0.95).double().mean():.2f}",
        "needed-two": f"{needed(two, 0.95).double().mean():.2f}",
        "below": percent((start.sum(-1) <= 0).double().mean()),
        "negative": percent(negative.mean()),
    }
