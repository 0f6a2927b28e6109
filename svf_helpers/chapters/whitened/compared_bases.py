"""One circuit in several bases: how sparse its attention is in each, and what the terms do (the book's own).

The bases: "weights" and "whitened" as elsewhere; "centred", whitened with a covariance for the queries as well; and
random rank-one bases, exact decompositions along directions that mean nothing, drawn in the coordinates of the plain
basis ("split") and of the whitened one ("split whitened"). Each of the first three also has its own rotated null.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from svf_helpers.ioi import CircuitHead, Prompts, distinct_heads
from svf_helpers.language_models.ablation_effects import ablation_effect, select_terms
from svf_helpers.language_models.bases import HeadBases, head_bases
from svf_helpers.language_models.circuit_terms import circuit_terms
from svf_helpers.language_models.moments import HeadMoments
from svf_helpers.language_models.random_basis import random_rank_one_basis

COMPARED = ("weights", "whitened", "centred", "split", "split whitened")
#: What is ablated in the scores: nothing; each prompt's largest term; the N_sv largest; as many random ones; all but
#: the largest; all but the N_sv largest.
TAKEN = ("nothing", "first", "top", "random", "all but first", "all but top")


class BasisComparison(NamedTuple):
    """What :func:`compare_bases` measures, bases in the order of ``COMPARED``, ablations in that of ``TAKEN``.

    Means over prompts, those of ``n_sv`` over prompts in which relative attention is positive (``positive`` is their
    share; where there are none it is nan). ``attention`` is each head's weight on its key when terms of this head alone
    are ablated; ``difference`` and ``correct`` are the answer's when they are ablated in all heads at once.

    Example:
        >>> from svf_helpers.language_models import head_moments, load_model
        >>> from svf_helpers.pocket import pocket_prompts
        >>> model, head = load_model("pocket-gpt2", device="cpu"), CircuitHead("END→S2", 0, 3, "END", "S2")
        >>> moments = head_moments(model, torch.arange(1, 241).reshape(8, 30))
        >>> found = compare_bases(model, [head], pocket_prompts(4), moments, draws=2)
        >>> found.attention[COMPARED.index("weights"), TAKEN.index("top"), 0] < 0.1  # its largest terms carry it
        tensor(True)
    """

    sparsity: Float[Tensor, "bases heads"]
    null: Float[Tensor, "bases heads"]
    n_sv: Float[Tensor, "bases heads"]
    positive: Float[Tensor, "heads"]
    attention: Float[Tensor, "bases ablations heads"]
    difference: Float[Tensor, "bases ablations"]
    correct: Float[Tensor, "bases ablations"]


def all_bases(
    model, heads: Sequence[tuple[int, int]], moments: HeadMoments, generator: torch.Generator | None = None
) -> dict[str, HeadBases]:
    """The bases of ``COMPARED`` for some heads.

    Args:
        model: a TransformerBridge.
        heads: as (layer, head).
        moments: from ``head_moments``.
        generator: for the random bases; on the CPU.

    Example:
        >>> from svf_helpers.language_models import head_moments, load_model
        >>> model = load_model("pocket-gpt2", device="cpu")
        >>> list(all_bases(model, [(0, 3)], head_moments(model, torch.arange(1, 241).reshape(8, 30))))
        ['weights', 'whitened', 'centred', 'split', 'split whitened']
    """
    found = {"weights": head_bases(model, "weights", heads), "whitened": head_bases(model, "whitened", heads, moments)}
    found["centred"] = head_bases(model, "whitened", heads, moments.centred())
    found["split"] = random_rank_one_basis(found["weights"], generator)
    found["split whitened"] = random_rank_one_basis(found["whitened"], generator)
    return found


def compare_bases(
    model,
    circuit: Sequence[CircuitHead],
    prompts: Prompts,
    moments: HeadMoments,
    *,
    draws: int = 16,
    seed: int = 0,
) -> BasisComparison:
    """Decompose a circuit's attention in every basis, and run the model with terms of each ablated.

    Args:
        model: a TransformerBridge.
        circuit: heads with their token pairs.
        prompts: with roles; other ones than the moments come from.
        moments: from ``head_moments``.
        draws: rotations for each null; random terms are drawn twice.
        seed: of rotations, random bases and random terms.

    Raises:
        ValueError: for no heads, and as ``head_terms_batch``.

    Example:
        >>> from svf_helpers.language_models import head_moments, load_model
        >>> from svf_helpers.pocket import pocket_prompts
        >>> model, head = load_model("pocket-gpt2", device="cpu"), CircuitHead("END→S2", 0, 3, "END", "S2")
        >>> moments = head_moments(model, torch.arange(1, 241).reshape(8, 30))
        >>> compare_bases(model, [head], pocket_prompts(4), moments, draws=2).sparsity.shape
        torch.Size([5, 1])
    """
    circuit = list(circuit)
    if not circuit:
        raise ValueError("the circuit names no heads")
    generator = torch.Generator().manual_seed(seed)
    every = all_bases(model, distinct_heads(circuit), moments, generator)
    rows: dict[str, list[Tensor]] = {name: [] for name in BasisComparison._fields}
    for bases in every.values():
        found = circuit_terms(model, prompts, circuit, bases, draws=draws, seed=seed)
        positive = found.n_sv > 0
        rows["sparsity"].append(found.sparsity.mean(1))
        rows["null"].append(found.null.mean(1))
        rows["n_sv"].append(found.n_sv.double().sum(1) / positive.sum(1))  # 0 / 0 is nan, as promised
        rows["positive"].append(positive.double().mean(1))
        one, zero = torch.ones_like(found.n_sv), torch.zeros_like(found.n_sv)
        first, top = (select_terms(found.terms, count) for count in (one, found.n_sv))
        random = [select_terms(found.terms, found.n_sv, "random", generator) for _ in range(2)]
        masks = {"nothing": [select_terms(found.terms, zero)], "first": [first], "top": [top], "random": random,
                 "all but first": [~first], "all but top": [~top]}
        effects = [_ablated(model, prompts, circuit, bases, masks[taken]) for taken in TAKEN]
        for name, values in zip(("attention", "difference", "correct"), zip(*effects, strict=True), strict=True):
            rows[name].append(torch.stack(values))
    rows["positive"] = rows["positive"][:1]  # the sum of terms is the same in all bases
    stacked = {name: torch.stack(values).double() for name, values in rows.items()}
    return BasisComparison(**(stacked | {"positive": stacked["positive"][0]}))


def _ablated(model, prompts, circuit, bases, masks) -> tuple[Tensor, Tensor, Tensor]:
    """Attention of each head with its own terms ablated [heads], logit difference and accuracy with those of all."""
    found = []
    for mask in masks:
        alone = [ablation_effect(model, prompts, circuit, bases, mask, [h]).attention[h] for h in range(len(circuit))]
        together = ablation_effect(model, prompts, circuit, bases, mask)
        found.append((torch.stack(alone).mean(1), together.difference.mean(), together.correct.double().mean()))
    attention, difference, correct = (torch.stack(values).double().mean(0) for values in zip(*found, strict=True))
    return attention, difference, correct
