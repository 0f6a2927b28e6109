"""A circuit's heads at their token pairs, over many prompts: terms, sparsity, N_sv and null (paper, section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..attention import n_sv, null_terms, sparsity
from ..ioi import CircuitHead, Prompts, distinct_heads
from .arguments import whole_number
from .bases import Basis, HeadBases, head_bases
from .moments import HeadMoments
from .terms import head_terms_batch


class CircuitTerms(NamedTuple):
    """What each head of a circuit does at its token pair in each prompt, in one basis.

    ``sparsity`` is the participation ratio of the terms' sizes, divided by their number
    (:func:`svf_helpers.attention.sparsity`). ``n_sv`` is 0 where the head attends to its key no more than to the
    others. ``null`` is the mean sparsity over random rotations of this basis, each head with rotations of its own that
    all prompts share; ``rotated`` holds the terms under the first of them.

    Example:
        >>> from svf_helpers.language_models import load_model
        >>> from svf_helpers.pocket import pocket_prompts
        >>> model, head = load_model("pocket-gpt2", device="cpu"), CircuitHead("END→S2", 0, 3, "END", "S2")
        >>> found = circuit_terms(model, pocket_prompts(4), [head])
        >>> found.n_sv  # two or three of sixteen terms are enough, in each of four prompts
        tensor([[2, 2, 2, 3]])
        >>> bool((found.sparsity < found.null).all())  # and random directions would be less sparse
        True
    """

    terms: Float[Tensor, "heads prompts d_head"]
    relative: Float[Tensor, "heads prompts"]
    S: Float[Tensor, "heads prompts d_head"]
    sparsity: Float[Tensor, "heads prompts"]
    null: Float[Tensor, "heads prompts"]
    n_sv: Int[Tensor, "heads prompts"]
    rotated: Float[Tensor, "heads prompts d_head"]


def circuit_terms(
    model,
    prompts: Prompts,
    circuit: Sequence[CircuitHead],
    basis: Basis | HeadBases = "weights",
    moments: HeadMoments | None = None,
    *,
    draws: int = 16,
    seed: int = 0,
) -> CircuitTerms:
    """Decompose the relative attention of a circuit's heads, each at its own destination and source token.

    Args:
        model: a TransformerBridge.
        prompts: with the places of the roles that the circuit names.
        circuit: heads, e.g. ``ioi.PYTHIA_HEADS``.
        basis: "weights", "offset", "whitened", or the result of ``head_bases`` for (at least) these heads.
        moments: for "whitened", from ``head_moments``.
        draws: random rotations for the null.
        seed: of the rotations.

    Raises:
        ValueError: for no heads, a head that the model or the given bases do not have, or no draws; and as
            ``head_terms_batch``.

    Example:
        >>> from svf_helpers.language_models import load_model
        >>> from svf_helpers.pocket import pocket_prompts
        >>> circuit = [CircuitHead("END→S2", 0, 3, "END", "S2"), CircuitHead("S2→S1+1", 2, 1, "S2", "S1+1")]
        >>> circuit_terms(load_model("pocket-gpt2", device="cpu"), pocket_prompts(4), circuit).terms.shape
        torch.Size([2, 4, 16])
    """
    circuit = list(circuit)
    if not circuit:
        raise ValueError("the circuit names no heads")
    draws = whole_number("draws", draws, least=1)
    pairs = list(dict.fromkeys((head.destination, head.source) for head in circuit))
    heads = distinct_heads(circuit)
    query, key = (torch.stack([prompts.at(pair[side]) for pair in pairs], 1) for side in (0, 1))
    bases = basis if isinstance(basis, HeadBases) else head_bases(model, basis, heads, moments)
    for layer, head in heads:
        bases.of_head(layer, head)  # refuses a head that is not there
    found = head_terms_batch(model, prompts.tokens, query, key, basis=bases)  # [prompts, pairs, heads, d_head]
    pair_of = [pairs.index((head.destination, head.source)) for head in circuit]
    place = [found.heads.index((head.layer, head.head)) for head in circuit]
    at = lambda array: array.cpu()[:, pair_of, place].transpose(0, 1)  # noqa: E731 - [heads, prompts, ...]
    terms, x, S, y = (at(array) for array in (found.terms, found.query, found.S, found.key))
    # one rotation for each head: its prompts stand before it, as null_terms wants dimensions that share a rotation
    generator = torch.Generator().manual_seed(seed)
    if bases.basis == "offset":
        turned = null_terms(x, S, y, draws=draws, generator=generator).transpose(1, 2)
    else:
        turned = null_terms(x.transpose(0, 1), S[:, 0], y.transpose(0, 1), draws=draws, generator=generator)
    null = sparsity(turned).mean(0).transpose(0, 1)
    return CircuitTerms(terms, at(found.relative), S, sparsity(terms), null, n_sv(terms), turned[0].transpose(0, 1))


def by_length(prompts: Prompts) -> list[Int[Tensor, "_batch _pos"]]:
    """The prompts' tokens without padding, one batch for each length, as ``head_moments`` takes them.

    Example:
        >>> from svf_helpers.ioi import Prompt
        >>> some = Prompts([Prompt("", torch.arange(n), {"END": n - 1}, 7, 8, "ABBA") for n in (2, 3, 2)])
        >>> [tuple(batch.shape) for batch in by_length(some)]
        [(2, 2), (1, 3)]
    """
    lengths = sorted({len(prompt.tokens) for prompt in prompts})
    return [torch.stack([prompt.tokens for prompt in prompts if len(prompt.tokens) == n]) for n in lengths]
