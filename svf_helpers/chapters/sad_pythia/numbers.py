"""Every number of the chapter on attention along training, as the reader sees it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Int, Num
from torch import Tensor

from svf_helpers.attention import sparsity
from svf_helpers.chapters.kit.circuits import about_result, heads_of, is_circuit, model_of
from svf_helpers.chapters.kit.style import Array
from svf_helpers.chapters.kit.words import listed, low_to_high
from svf_helpers.chapters.sad_pythia import pocket_numbers
from svf_helpers.chapters.sad_pythia.along import mean_along, moves, smoothing_window
from svf_helpers.chapters.sad_pythia.circuit import by_route, sparsity_in_other_bases
from svf_helpers.experiments import Result
from svf_helpers.ioi import PYTHIA_HEADS

#: From the paper: up to four terms are typically enough.
FEW = 4


def numbers(
    result: Result,
    pocket: Result,
    *,
    four: Int[np.ndarray, " shown"],
    terms: Float[Tensor, "K heads prompts m"],
    singular: Float[Tensor, "K heads prompts m"],
    parts: Mapping[str, Float[Array, "K heads _"]],
    flat: float,
    chance: Float[Tensor, "K heads prompts"],
    most: Num[Tensor, "K heads prompts"],
    moved: Mapping[int, Float[Tensor, " m"]],
    unmoved: Float[Tensor, " m"],
    turned: int,
) -> dict[str, str]:
    """Every number of the prose, by name.

    ``result`` is the stored one that the figures show, Pythia's or the bundled model's, and ``four`` the places in its
    circuit of the heads that are shown term by term. The rest is of the bundled model's checkpoints: terms of relative
    attention and their singular values; sparsity of terms made of some of their ``parts``, and of random ones with a
    ``flat`` spectrum; mean N_sv by ``chance``, with the same spectrum and cancellation; how many terms carry ``most``
    (95 %) of relative attention; and terms of one pair of vectors turned by absolute positions (``moved``, by shift) or
    relative to the query (``unmoved``), with how many dimensions are turned.
    """
    return (
        of_the_result(result)
        | of_sparsity(result)
        | of_the_task(result)
        | of_single_terms(result, four)
        | of_counts(result)
        | of_other_bases(result)
        | pocket_numbers.of_its_circuit(pocket)
        | pocket_numbers.of_its_two_stages(pocket)
        | pocket_numbers.of_ingredients(terms, singular, parts, flat)
        | pocket_numbers.of_chance(terms, chance, most)
        | pocket_numbers.of_positions(moved, unmoved, turned)
    )


def of_the_result(result: Result) -> dict[str, str]:
    """Which model, checkpoints, prompts and circuit the figures show, and how their curves are smoothed."""
    model, circuit = model_of(result), heads_of(result)
    found = (
        "found by where heads look (mean attention of .3 or more from one of the roles to another, "
        "at the last checkpoint)"
    )
    window = smoothing_window(result["step"])
    if window > 1:
        smoothing = f"averaged over {window} evenly spaced checkpoints, as in the paper (dots: raw)"
    else:
        smoothing = "not smoothed (the paper averages over 8 checkpoints, 1,000 steps apart)"
    return about_result(result, "pythia-ioi", "pocket-pythia") | {
        "model": model,
        "K": str(len(result["step"])),
        "heads": str(len({(head.layer, head.head) for head in circuit})),
        "label": f"{model}, {result.label()}",
        "whose": "the paper's own" if is_circuit(result, PYTHIA_HEADS) else found,
        "smoothing": smoothing,
    }


def of_sparsity(result: Result) -> dict[str, str]:
    """What sparsity and its rotated null do, and how much of it the spectrum accounts for."""
    S = result["summary_sparsity_weights"]
    S_of_heads, null_of_heads = S.mean(2), result["summary_null_weights"].mean(2)
    mean, mean_null = S_of_heads.mean(1), null_of_heads.mean(1)
    fall, null_fall = mean[0] - mean[-1], mean_null[0] - mean_null[-1]
    squares = torch.tensor(result["S_weights"]).double().square()
    effective = squares.sum(-1).square() / squares.square().sum(-1)
    return {
        "S-moves": moves(mean),
        "null-moves": moves(mean_null),
        "fallen": str(int((S_of_heads[-1] < S_of_heads[0]).sum())),
        "below": str(int((S_of_heads[-1] < null_of_heads[-1]).sum())),
        "null-share": f"{100 * null_fall / fall:.0f} % of the fall of S" if min(fall, null_fall) > 0
        else "none of the change of S",
        "null-verdict": "here the decline does not disappear under rotation, it gets smaller" if null_fall > 0.02
        else "here, too, the decline disappears under rotation",
        "positive-S": f"{S[-1][result['relative'][-1] > 0].mean():.2f}",
        "rank-moves": moves(effective.mean(1), 1),
    }


def of_the_task(result: Result) -> dict[str, str]:
    """When the task is learned, and when attention grows sparse: half of each change, and which comes first."""
    S, steps = result["summary_sparsity_weights"], result["step"].tolist()
    accuracy, difference = result["correct"].mean(1), result["summary_logit_difference"].mean(1)
    half, solved = half_way(S.mean(2).mean(1)), half_way(-accuracy)
    of_routes = {route: half_way(part.mean((1, 2))) for route, part in by_route(S, heads_of(result)).items()}
    return {
        "accuracy-moves": moves(accuracy),
        "difference-moves": moves(difference, 1),
        "S-half": "never falls" if half is None else f"has made half of its fall by step {steps[half]:,}",
        "solved": "at no step" if solved is None else f"by step {steps[solved]:,}",
        "relation": _which_comes_first(half, solved),
        "route-halves": listed(f"{route} {'never' if at is None else f'by step {steps[at]:,}'}"
                               for route, at in of_routes.items()),
    }


def half_way(values: Num[np.ndarray, " K"]) -> int | None:
    """The first checkpoint at which half of the whole fall is made; None where the end is not below the start.

    Example:
        >>> half_way(np.array([1.0, 0.9, 0.4, 0.5, 0.0])), half_way(np.array([0.0, 1.0]))
        (2, None)
    """
    values = np.asarray(values, dtype=float)
    return int((values <= (values[0] + values[-1]) / 2).argmax()) if values[-1] < values[0] else None


def _which_comes_first(half: int | None, solved: int | None) -> str:
    if half is None or solved is None:
        return "One of the two never gets half-way, so there is no order to speak of"
    apart = abs(solved - half)
    distance = f"{apart} checkpoint{'s' * (apart > 1)} {'before' if solved > half else 'after'}"
    order = distance if apart else "at the same checkpoint as"
    return f"Half of sparsity's fall comes {order} half of accuracy's rise"


def of_single_terms(result: Result, four: Int[np.ndarray, " shown"]) -> dict[str, str]:
    """How sparse the terms of the paper's prompt are, and to which singular values the largest of them belong."""
    terms, rotated = result["terms_weights"], result["rotated_weights"][-1]  # [K, heads, m], [heads, m]
    S_start, S_end = (sparsity(torch.tensor(terms[k])) for k in (0, -1))
    start, end, turned = (np.abs(x).argmax(-1) + 1 for x in (terms[0], terms[-1], rotated))
    m = terms.shape[-1]
    return {
        "four-S": listed(f"{S_end[h]:.2f}" for h in four),
        "sparser-heads": str(int((S_end < S_start).sum())),
        "carry": moves(carrying(terms).mean(1), 1),
        "carry-turned": f"{carrying(rotated).mean():.1f}",
        "not-first": str(int((end > 1).sum())),
        "start-ranks": low_to_high(start),
        "turned-ranks": low_to_high(turned),
        "smallest": f"number {end.max()} of {m}",
        "rank-verdict": "Such heads are here, too" if end.max() > 0.75 * m else "There is no such head here",
    }


def carrying(terms: Float[np.ndarray, "*of m"], share: float = 0.8) -> Int[np.ndarray, "*of"]:
    """How many of the largest terms carry this share of the sum of all sizes.

    Example:
        >>> carrying(np.array([[-6.0, 1, 2, 1], [1, 1, 1, 1]])).tolist()
        [2, 4]
    """
    sizes = -np.sort(-np.abs(terms), -1)
    return (sizes.cumsum(-1) < share * sizes.sum(-1, keepdims=True)).sum(-1) + 1


def of_counts(result: Result) -> dict[str, str]:
    """What counts of terms do where heads attend, where they still do at the end, and with zeros elsewhere."""
    counts, attended = result["summary_n_sv_weights"], result["relative"] > 0
    along = mean_along(counts, attended)
    peak = int(np.nanargmax(along))
    falls = round(along[-1], 1) < round(along[0], 1)
    return {
        "N-moves": moves(along, 1),
        "N-kept-moves": moves(mean_along(counts, attended & attended[-1:]), 1),
        "N-zero-moves": moves(counts.mean((1, 2)), 1),
        "N-peak": f"{along[peak]:.1f}",
        "N-peak-step": f"{int(result['step'][peak]):,}",
        "few-end": f"{100 * (counts[-1][attended[-1]] <= FEW).mean():.0f}",
        "N-verdict": "It falls, as in the paper" if falls
        else "It does not fall, and here our run differs from the paper",
        "attended-start": f"{100 * attended[0].mean():.0f}",
        "attended-end": f"{100 * attended[-1].mean():.0f}",
    }


def of_other_bases(result: Result) -> dict[str, str]:
    """Sparsity beside its null in the basis of each offset and in the whitened one."""
    plain = result["summary_sparsity_weights"], result["summary_null_weights"]
    others = sparsity_in_other_bases(result)
    means = {basis: [part.mean((1, 2)) for part in pair] for basis, pair in others.items()}
    leads = {basis: null[-1].mean() - S[-1].mean() for basis, (S, null) in {"plain": plain, **others}.items()}
    gap = "no rotary heads here"
    if "offset" in others:
        gap = f"{np.abs(others['offset'][0] - plain[0]).mean((1, 2)).max():.2f}"
    white, white_null = others["whitened"]
    return {
        "bases": "; ".join(f"{basis}: S {moves(S)}, null {moves(null)}" for basis, (S, null) in means.items()),
        "offset-gap": gap,
        "leads": listed(f"{lead:.2f} ({basis})" for basis, lead in leads.items()),
        "white-start": f"{white[0].mean():.2f}",
        "white-null": f"{white_null[0].mean():.2f}",
    }
