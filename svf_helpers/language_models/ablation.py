"""Ablating terms of a head's score while the model runs: an intervention, not a correlation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from einops import einsum
from jaxtyping import Bool, Int
from torch import Tensor

from .arguments import whole_positions
from .bases import Basis, HeadBases, head_bases
from .moments import HeadMoments
from .recording import is_attention, keep_in, scores_and_visible
from .terms import ROUNDING, SUM_TOLERANCE


@contextmanager
def ablate_terms(
    model,
    layer: int,
    head: int,
    query: int | Int[Tensor, "batch"],
    remove: Bool[Tensor, "... d_head"],
    basis: Basis | HeadBases = "weights",
    moments: HeadMoments | None = None,
    key: int | Int[Tensor, "batch"] | None = None,
) -> Iterator:
    """A context in which one head scores the keys of one query without some of its terms.

    The terms are those of :func:`~svf_helpers.language_models.head_terms`, computed from the activations of the run
    itself: the chosen ones are subtracted from each score of this query, at every key that it sees. Attention and all
    that follows are then the model's own. Contexts can be nested, for several heads. Call ``model(tokens)`` or
    ``model.run_with_cache(tokens)`` inside.

    Unlike mean ablation (:func:`~svf_helpers.language_models.circuits.circuit_table`) and activation patching, this
    puts no mean and nothing from another prompt in place of an activation: at the level of scores it is exact.

    Args:
        model: a TransformerBridge.
        layer: which layer.
        head: which of its heads.
        query: position of the query, one or one for each prompt.
        remove: which terms to ablate, as True: [d_head], or [batch, d_head] for a choice in each prompt.
        basis: "weights", "offset", "whitened", or the result of ``head_bases``.
        moments: for "whitened".
        key: position of the key, for "offset", whose basis is that of the pair.

    Raises:
        ValueError: as ``head_terms``; for ``remove`` of another shape; a basis "offset" without a key, or with one
            after its query; positions that are no whole numbers; in the run, for positions outside the prompts, and for
            a model whose bridge shows scores without letting them be changed.
        ArithmeticError: in the run, where the terms are not those of the model's own scores.

    Example:
        >>> from . import load_model
        >>> model, tokens = load_model("pocket-gpt2", device="cpu"), torch.tensor([[0, 5, 7, 5]])
        >>> with ablate_terms(model, layer=0, head=3, query=3, remove=torch.ones(16, dtype=torch.bool)):
        ...     _, cache = model.run_with_cache(tokens)
        >>> cache["blocks.0.attn.hook_pattern"][0, 3, 3]  # without any terms, all four keys are alike
        tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """
    remove = torch.as_tensor(remove, device=getattr(remove, "device", "cpu"))
    if remove.dtype != torch.bool:
        raise ValueError(f"remove is {remove.dtype}: True and False for each of the head's terms")
    bases = basis if isinstance(basis, HeadBases) else head_bases(model, basis, [(layer, head)], moments)
    of_layer, number = bases.of_head(layer, head)
    if bases.basis == "offset" and key is None:
        raise ValueError("basis 'offset' belongs to a pair: give key, too")
    query = whole_positions("query", query)
    if key is not None:
        key = whole_positions("key", key)
        if bases.basis == "offset" and _after(key, query):
            raise ValueError(f"key {key.tolist()} comes after its query {query.tolist()}: a query sees no later key")
    if remove.shape[-1:] != (of_layer.heads.d_head,) or remove.ndim > 2:
        raise ValueError(f"remove has shape {tuple(remove.shape)}: expected [d_head] or [batch, d_head], d_head = "
                         f"{of_layer.heads.d_head}")
    seen: dict[str, Tensor] = {}

    def change(scores: Tensor, hook=None) -> Tensor:
        if is_attention(scores):
            kind = type(model.blocks[layer].attn.original_component).__name__
            raise ValueError(f"layer {layer} ({kind}): TransformerLens shows its scores and cannot change them")
        q, k = seen["query"], seen["key"]
        batch, length = q.shape[:2]
        rows = torch.arange(batch, device=q.device)
        at = _positions("query", query, batch, length, q.device)
        pair_key = at if key is None else _positions("key", key, batch, length, q.device)
        if remove.ndim == 2 and remove.shape[0] != batch:
            raise ValueError(f"remove is for {remove.shape[0]} prompts, the model runs on {batch}")
        queries, origins = (part[:, None].expand(batch, length) for part in (at, pair_key))
        turned = of_layer.turned_back(of_layer.turned_keys(k), queries, origins)
        of_query = q[rows, at][:, None, of_layer.numbers].double().expand(-1, length, -1, -1)
        x, S, y = (part[:, :, number] for part in of_layer.coordinates(of_query, turned, queries - origins))
        terms = x * S * y
        visible = scores_and_visible(scores)[1][rows, head, at]
        _check_scores(terms, scores[rows, head, at], visible, f"layer {layer} head {head}")
        ablated = einsum(terms, remove.to(x).expand(batch, -1), "b l r, b r -> b l")
        new = scores.clone()
        new[rows, head, at] = torch.where(visible, new[rows, head, at] - ablated.to(new), new[rows, head, at])
        return new

    place = f"blocks.{layer}.attn."
    hooks = [(place + f"hook_{name[0]}", keep_in(seen, name)) for name in ("query", "key")]
    with model.hooks(fwd_hooks=[*hooks, (place + "hook_attn_scores", change)]):
        yield model


def _check_scores(terms: Tensor, scores: Tensor, visible: Tensor, where: str) -> None:
    """Raise where the sums of terms [batch, pos] and the scores differ by more than a constant for each query."""
    sizes = terms.abs().sum(-1)
    off = torch.where(visible, terms.sum(-1) - scores.double(), 0.0)
    off = torch.where(visible, off - off.sum(-1, keepdim=True) / visible.sum(-1, keepdim=True), 0.0).abs().amax(-1)
    largest = torch.where(visible, scores, 0.0).abs().amax(-1)
    allowed = SUM_TOLERANCE * torch.where(visible, sizes, 0.0).amax(-1) + ROUNDING * largest
    if not (off <= allowed).all():
        worst = float(off.detach().max())
        raise ArithmeticError(
            f"{where}: its scores differ from the sums of its terms by up to {worst:.2g}: other terms of "
            "this head and query are already ablated (ablate all in one context), or the model is in half precision "
            "(load it in float32)"
        )


def _after(key: Tensor, query: Tensor) -> bool:
    """Whether any key comes after its query; False where the two do not fit together, as a run will tell."""
    try:
        return bool((key.to(query.device) > query).any())
    except RuntimeError:
        return False


def _positions(name: str, value, batch: int, length: int, device: torch.device) -> Int[Tensor, "batch"]:
    positions = torch.as_tensor(value, device=device)
    if positions.ndim > 1 or (positions.ndim and len(positions) != batch):
        raise ValueError(f"{name} has shape {tuple(positions.shape)}: one position, or one for each of {batch} prompts")
    if ((positions < 0) | (positions >= length)).any():
        raise ValueError(f"{name} = {positions.tolist()}: positions are 0 to {length - 1}")
    return positions.expand(batch)
