"""Numbers that the chapter tells of the bundled model alone, whichever model its figures show."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Num
from torch import Tensor

from svf_helpers.attention import n_sv, sparsity
from svf_helpers.chapters.kit.circuits import head_number, heads_of
from svf_helpers.chapters.kit.style import Array
from svf_helpers.chapters.kit.words import listed, low_to_high
from svf_helpers.chapters.sad_pythia.along import mean_along, moves
from svf_helpers.chapters.sad_pythia.circuit import routes
from svf_helpers.experiments import Result
from svf_helpers.ioi import PYTHIA_HEADS, paper_prompt
from svf_helpers.pocket import pocket_prompts, pocket_tokenizer


def of_its_circuit(pocket: Result) -> dict[str, str]:
    """Which routes it shares with the paper's circuit, and which of its heads attend in prompts of one order only."""
    circuit = heads_of(pocket)
    own, paper = routes(circuit), routes(PYTHIA_HEADS)
    positive, abba = pocket["relative"][-1] > 0, pocket["order"] == "ABBA"
    never = [h for h in range(len(positive)) if not positive[h, abba].any()]
    joined = share_of_and()
    return {
        "shared-routes": listed("→".join(route) for route in paper if route in own),
        "absent-routes": listed("→".join(route) for route in paper if route not in own),
        "never-abba": str(len(never)),
        "never-names": listed(head_number(circuit[h]) for h in never),
        "never-routes": listed("→".join(route) for route in routes(circuit[h] for h in never)),
        "never-baba": f"{100 * positive[never][:, ~abba].mean():.0f}",
        "last-abba": str(int(abba.sum())),
        "and-baba": f"{100 * joined['BABA']:.0f}",
        "and-abba": f"{100 * joined['ABBA']:.0f}",
    }


def share_of_and(count: int = 64) -> dict[str, float]:
    """In which share of the bundled models' prompts the token after S1 is "and", for each order of names."""
    example, prompts = paper_prompt(pocket_tokenizer()), pocket_prompts(count)
    after = prompts.tokens.gather(1, prompts.at("S1+1")[:, None])[:, 0]
    joined = after == example.tokens[example.roles["S1+1"]]  # "Simon and Andrew"
    order = np.array([prompt.order for prompt in prompts])
    return {kind: float(joined[torch.tensor(order == kind)].double().mean()) for kind in ("ABBA", "BABA")}


def of_its_two_stages(pocket: Result) -> dict[str, str]:
    """What sparsity has come to by the last checkpoint before any task is solved."""
    S, null, rho = pocket["summary_sparsity_weights"], pocket["summary_null_weights"], pocket["relative"]
    right, mean = pocket["correct"].mean(1), S.mean((1, 2))
    k = int((right > 0.1).argmax()) - 1
    attends = rho[k] > 0
    white_lead = (pocket["summary_null_whitened"] - pocket["summary_sparsity_whitened"])[k].mean()
    return {
        "blind-step": f"{int(pocket['step'][k]):,}",
        "blind-accuracy": f"{100 * right[: k + 1].max():.0f}",
        "blind-share": f"{100 * (mean[0] - mean[k]) / (mean[0] - mean[-1]):.0f}",
        "blind-rho": f"{rho[k].mean():.1f}",
        "end-rho": f"{rho[-1].mean():.1f}",
        "blind-held": f"{100 * attends.mean():.0f}",
        "blind-S-not": f"{S[k][~attends].mean():.2f}",
        "blind-S": f"{mean[k]:.2f}",
        "blind-null": f"{null[k].mean():.2f}",
        "plain-lead": f"{(null - S)[k].mean():.2f}",
        "white-lead": f"{white_lead:.2f}",
    }


def of_ingredients(
    terms: Float[Tensor, "K heads prompts m"],
    singular: Float[Tensor, "K heads prompts m"],
    parts: Mapping[str, Float[Array, "K heads _"]],
    flat: float,
) -> dict[str, str]:
    """What the ingredients of the terms account for, and how well coordinates and singular values match.

    ``parts`` are sparsities of all, of the coordinates alone, of mismatched ones, and of the spectrum alone, in this
    order; ``flat`` is that of random terms with a flat spectrum.
    """
    along = dict(zip(("all", "coord", "mixed", "sigma"), (S.mean((1, 2)) for S in parts.values()), strict=True))
    falls = {short: S[0] - S[-1] for short, S in along.items()}
    told = {f"part-{short}": moves(S) for short, S in along.items()}
    # correlation within each case: the sizes of heads do not count
    logs = [x.abs().log() for x in (singular, terms / singular)]
    of_sigma, of_coordinates = ((x - x.mean(-1, keepdim=True)).flatten(1).numpy() for x in logs)
    match = {name: np.corrcoef(of_sigma[k], of_coordinates[k])[0, 1] for name, k in (("start", 0), ("end", -1))}
    return told | {
        "end-all": f"{along['all'][-1]:.2f}",
        "end-mixed": f"{along['mixed'][-1]:.2f}",
        "mixed-share": f"{100 * falls['mixed'] / falls['all']:.0f}",
        "match-start": f"{match['start']:.2f}",
        "match-end": f"{match['end']:.2f}",
        "flat": f"{flat:.2f}",
    }


def of_chance(
    terms: Float[Tensor, "K heads prompts m"],
    chance: Float[Tensor, "K heads prompts"],
    most: Num[Tensor, "K heads prompts"],
) -> dict[str, str]:
    """Counts beside what chance gives with the same spectrum and the same cancellation, where heads attend."""
    relative, counts, m = terms.sum(-1), n_sv(terms), terms.shape[-1]
    share, held = relative / terms.abs().sum(-1), relative > 0
    return {
        "one-m": str(m),
        "pocket-m": str(m),
        "c-moves": moves(mean_along(share, held)),
        "pocket-N-moves": moves(mean_along(counts, held), 1),
        "chance-moves": moves(mean_along(chance, held), 1),
        "most-moves": moves(mean_along(most, held), 1),
        "ratio-moves": moves(mean_along(counts / chance, held)),
        "flat-moves": moves(mean_along((m * share).ceil(), held), 1),
        "missing": f"{100 * (held & ~chance.isfinite()).sum() / held.sum():.1f}",
    }


def of_positions(
    moved: Mapping[int, Float[Tensor, " m"]], unmoved: Float[Tensor, " m"], turned: int
) -> dict[str, str]:
    """How sparsity depends on where a pair stands, if vectors are turned by absolute positions, and if not."""
    spread = [float(sparsity(terms)) for terms in moved.values()]
    return {
        "naive-range": low_to_high(spread, ".2f"),
        "default-S": f"{float(sparsity(unmoved)):.2f}",
        "turned-dims": str(turned),
    }
