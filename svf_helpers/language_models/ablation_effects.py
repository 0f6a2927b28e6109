"""What a model does without some of its heads' terms: attention at the heads' token pairs, and the answer.

Ablating the terms that make up a head's relative attention takes that attention away by arithmetic. What is not
arithmetic is how few they are, what happens without as many others, what the head does with them alone, and what
becomes of the answer; so each choice of terms here comes with its opposite (:func:`select_terms`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..deprecation import renamed
from ..ioi import CircuitHead, Prompts
from .ablation import ablate_terms
from .answers import at_end, logit_difference
from .arguments import whole_number
from .bases import HeadBases
from .heads import check_head
from .recording import keep_in

__all__ = ["AblationEffect", "ablation_effect", "select_terms"]
__getattr__ = renamed(
    __name__, {"Effect": "AblationEffect", "effect_without": "ablation_effect", "choose_terms": "select_terms"}
)


class AblationEffect(NamedTuple):
    """What the model did in each prompt.

    ``attention``: each circuit head's weight on its key, at its token pair; ``difference``: the logit of the right name
    minus that of the wrong one; ``correct``: whether the right name is the likeliest of all tokens.

    Example:
        >>> from svf_helpers.language_models import head_bases, load_model
        >>> from svf_helpers.pocket import pocket_prompts
        >>> model, head = load_model("pocket-gpt2", device="cpu"), CircuitHead("END→S2", 0, 3, "END", "S2")
        >>> found = ablation_effect(model, pocket_prompts(4), [head], head_bases(model, "weights", [(0, 3)]))
        >>> found.attention.shape, found.correct  # with nothing ablated the model is right
        (torch.Size([1, 4]), tensor([True, True, True, True]))
    """

    attention: Float[Tensor, "heads prompts"]
    difference: Float[Tensor, "prompts"]
    correct: Bool[Tensor, "prompts"]


def ablation_effect(
    model,
    prompts: Prompts,
    circuit: Sequence[CircuitHead],
    bases: HeadBases,
    remove: Bool[Tensor, "heads prompts d_head"] | None = None,
    act_on: Sequence[int] | None = None,
) -> AblationEffect:
    """Run the model with some terms of some circuit heads ablated, each at the query of its own token pair.

    Args:
        model: a TransformerBridge.
        prompts: with roles.
        circuit: the heads that are watched.
        bases: of these heads; "weights", "whitened" or a random basis.
        remove: which terms to ablate, for each circuit head and prompt; None for none.
        act_on: numbers of the circuit heads whose terms are ablated, all by default; the others are only watched.

    Raises:
        ValueError: for no heads, a head that the model does not have, ``remove`` of another shape or type, numbers in
            ``act_on`` beyond the circuit's; or as ``ablate_terms``.

    Example:
        >>> from svf_helpers.language_models import head_bases, load_model
        >>> from svf_helpers.pocket import pocket_prompts
        >>> model, prompts = load_model("pocket-gpt2", device="cpu"), pocket_prompts(4)
        >>> head = CircuitHead("END→S2", 0, 3, "END", "S2")
        >>> bases = head_bases(model, "weights", [(0, 3)])
        >>> before, after = (ablation_effect(model, prompts, [head], bases, torch.full((1, 4, 16), ablated))
        ...                  for ablated in (False, True))
        >>> bool((before.attention > 0.3).all()), bool((after.attention < 0.1).all())  # all keys alike
        (True, True)
    """
    circuit = list(circuit)
    if not circuit:
        raise ValueError("the circuit names no heads")
    for watched in circuit:
        check_head(model, watched.layer, watched.head)
    acted_on = _acted_on(act_on, len(circuit))
    if not isinstance(bases, HeadBases):
        raise ValueError(f"bases are {type(bases).__name__}: give the result of head_bases")
    if remove is not None and getattr(remove, "dtype", None) != torch.bool:
        what = remove.dtype if isinstance(remove, Tensor) else type(remove).__name__
        raise ValueError(f"remove is {what}: True and False for each circuit head, prompt and term")
    d_head = next(iter(bases.layers.values())).heads.d_head
    expected = (len(circuit), len(prompts), d_head)
    if remove is not None and tuple(remove.shape) != expected:
        raise ValueError(f"remove has shape {tuple(remove.shape)}: expected [heads, prompts, d_head] = {expected}")
    places = [(prompts.at(head.destination), prompts.at(head.source)) for head in circuit]
    patterns: dict[int, Tensor] = {}
    device = model.cfg.device
    hooks = [(f"blocks.{layer}.attn.hook_pattern", keep_in(patterns, layer)) for layer in {h.layer for h in circuit}]
    with ExitStack() as stack:
        if remove is not None:
            # a head may look from one query at two keys: what is ablated for either is ablated in that query's scores
            chosen: dict[tuple[int, int, str], Tensor] = {}
            for number in acted_on:
                place = circuit[number].layer, circuit[number].head, circuit[number].destination
                chosen[place] = chosen.get(place, torch.zeros_like(remove[number])) | remove[number]
            for (layer, head, destination), mask in chosen.items():
                query = prompts.at(destination).to(device)
                stack.enter_context(ablate_terms(model, layer, head, query, mask.to(device), bases))
        stack.enter_context(torch.no_grad())
        stack.enter_context(model.hooks(fwd_hooks=hooks))
        logits = model(prompts.tokens.to(device)).cpu()
    last, rows = at_end(logits, prompts), torch.arange(len(prompts), device="cpu")
    attention = torch.stack([
        patterns[head.layer].cpu()[rows, head.head, query, key]
        for head, (query, key) in zip(circuit, places, strict=True)
    ])
    return AblationEffect(attention, logit_difference(last, prompts), last.argmax(-1) == prompts.answers)


def _acted_on(act_on: Sequence[int] | None, heads: int) -> list[int]:
    if act_on is None:
        return list(range(heads))
    try:
        numbers = [whole_number("act_on", number, least=0) for number in act_on]
    except TypeError:
        raise ValueError(f"act_on = {act_on!r}: a list of numbers of circuit heads") from None
    for number in numbers:
        if number >= heads:
            raise ValueError(f"act_on holds {number}: the circuit's heads are numbered 0 to {heads - 1}")
    return numbers


def select_terms(
    terms: Float[Tensor, "... d_head"],
    counts: Int[Tensor, "..."],
    how: str = "largest",
    generator: torch.Generator | None = None,
) -> Bool[Tensor, "... d_head"]:
    """Which terms to ablate: the given number of them, the largest or random ones, marked True.

    Args:
        terms: of a relative attention.
        counts: how many, e.g. ``n_sv(terms)``.
        how: "largest" (by value, not by size: those that N_sv counts) or "random".
        generator: for "random"; on the CPU.

    Raises:
        ValueError: for another choice, or counts that are no whole numbers, of another shape, or beyond the number of
            terms.

    Example:
        >>> select_terms(torch.tensor([[1.0, -5.0, 3.0], [2.0, 0.0, 1.0]]), torch.tensor([1, 2]))
        tensor([[False, False,  True],
                [ True, False,  True]])
    """
    if not isinstance(counts, Tensor) or counts.is_floating_point() or counts.dtype == torch.bool:
        what = counts.dtype if isinstance(counts, Tensor) else repr(counts)
        raise ValueError(f"counts are {what}: whole numbers, in a tensor of shape {tuple(terms.shape[:-1])}")
    if counts.shape != terms.shape[:-1]:
        raise ValueError(f"counts have shape {tuple(counts.shape)}: expected {tuple(terms.shape[:-1])}, one for each")
    if ((counts < 0) | (counts > terms.shape[-1])).any():
        raise ValueError(f"counts from {int(counts.min())} to {int(counts.max())}: there are {terms.shape[-1]} terms")
    if how == "random":
        drawn = torch.rand(terms.shape, generator=generator, dtype=torch.float32, device="cpu")
        terms = drawn.to(terms.device)
    elif how != "largest":
        raise ValueError(f"how = {how!r}: 'largest' or 'random'")
    place = terms.sort(stable=True, dim=-1, descending=True).indices.argsort(-1)
    return place < counts[..., None].to(place)
