r"""Terms of a transformer's relative attention, for many prompts, heads and token pairs at once (paper, section 5).

The head of a real model has biases, rotates by position and may share its keys with other heads. All of that is in its
actual query and key vectors, which are recorded; the basis comes from its weights, or from moments of those vectors:

* ``"weights"``: the SVD of the plain QK matrix. In a rotary head the query stays as it is and every key gets the
  rotation relative to the query, so that moving a pair along the text changes nothing.
* ``"offset"``: the SVD of $W_Q R_\Delta^\top W_K^\top$ at the pair's own offset $\Delta$. The pair itself then needs no
  rotation; the keys it is compared with get theirs relative to the pair's key.
* ``"whitened"``: the SVD between frames in which the vectors of a sample are white
  (:mod:`svf_helpers.language_models.moments`).

In each, the terms sum to the model's own relative attention, which is checked for every pair.

Four calls lead to the arithmetic: :func:`head_terms` checks one case; :func:`head_terms_batch` runs the model once;
:func:`terms_of_record` takes what one layer recorded, and makes the key relative; ``LayerBasis.coordinates`` multiplies
query and key by the singular vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from einops import einsum
from jaxtyping import Float, Int
from torch import Tensor

from .bases import Basis, HeadBases, head_bases
from .moments import HeadMoments
from .recording import LayerRecord, check_tokens, run_and_record
from .token_pairs import token_pairs

# How far the sum of terms may miss the recorded relative attention: a share of the terms' sizes, and of the largest
# score for the rounding of scores that the model computes in float32.
SUM_TOLERANCE, ROUNDING = 1e-4, 16 * torch.finfo(torch.float32).eps


class HeadTerms(NamedTuple):
    """Terms for pairs of tokens [...] (the shape of the queries and keys asked for) and heads, in the order asked for.

    ``terms = query * S * key``: coordinates of the query and of the relative key, and the singular values times the
    head's attention scale. ``relative`` is the model's recorded relative attention, the sum of the terms.

    Example:
        >>> from . import load_model
        >>> model = load_model("pocket-gpt2", device="cpu")
        >>> found = head_terms_batch(model, torch.tensor([[0, 5, 7, 5]]), query=3, key=1, heads=[(0, 3)])
        >>> torch.allclose(found.terms, found.query * found.S * found.key)
        True
        >>> torch.allclose(found.terms.sum(-1), found.relative, atol=1e-4)
        True
    """

    terms: Float[Tensor, "... heads d_head"]
    relative: Float[Tensor, "... heads"]
    query: Float[Tensor, "... heads d_head"]
    S: Float[Tensor, "... heads d_head"]
    key: Float[Tensor, "... heads d_head"]
    heads: tuple[tuple[int, int], ...]


def head_terms(
    model,
    tokens: Int[Tensor, "1 pos"],
    layer: int,
    head: int,
    query: int,
    key: int,
    basis: Basis | HeadBases = "weights",
    moments: HeadMoments | None = None,
) -> Float[Tensor, "d_head"]:
    """Terms of one head's relative attention at one token pair: :func:`head_terms_batch` for a single case.

    Args:
        model: a TransformerBridge, from ``load_model``.
        tokens: one prompt, as ``model.to_tokens(text)`` returns it.
        layer: which layer, from 0.
        head: which of its heads, from 0.
        query: position of the query.
        key: position of the key, not after the query.
        basis: "weights", "offset" or "whitened", or the result of :func:`head_bases`.
        moments: for "whitened", from ``head_moments(model, token_batches)``.

    Raises:
        ValueError, ArithmeticError, MemoryError: as :func:`head_terms_batch`.

    Example:
        >>> from . import load_model
        >>> model = load_model("pocket-gpt2", device="cpu")
        >>> text = "Then, Simon and Andrew were at the school. Simon gave a drink to"
        >>> tokens = model.to_tokens(text, prepend_bos=True)
        >>> terms = head_terms(model, tokens, layer=0, head=3, query=15, key=11)  # from "to" to the second "Simon"
        >>> terms.shape, terms.argmax().item()  # sixteen terms, and the first is the largest
        (torch.Size([16]), 0)
    """
    if isinstance(tokens, Tensor) and (tokens.ndim != 2 or tokens.shape[0] != 1):
        shape = tuple(tokens.shape)
        raise ValueError(f"tokens have shape {shape}: one prompt is [1, pos]; for many there is head_terms_batch")
    for name, value in (("query", query), ("key", key)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"{name} = {value!r}: one position, a whole number")
    if isinstance(basis, HeadBases):
        basis.of_head(layer, head)  # refuses a head that is not there
    found = head_terms_batch(model, tokens, query, key, [(layer, head)], basis, moments)
    return found.terms[0, found.heads.index((layer, head))]


def head_terms_batch(
    model,
    tokens: Int[Tensor, "batch pos"],
    query: int | Int[Tensor, "batch ..."],
    key: int | Int[Tensor, "batch ..."],
    heads: Sequence[tuple[int, int]] | None = None,
    basis: Basis | HeadBases = "weights",
    moments: HeadMoments | None = None,
) -> HeadTerms:
    """Terms of the relative attention of many heads at many token pairs, in one forward pass.

    Args:
        model: a TransformerBridge.
        tokens: prompts. Shorter ones may be padded on the right with any token: no query before sees it.
        query: positions of the queries: one for all prompts, or [batch] or [batch, pairs].
        key: positions of the keys, likewise; none may come after its query.
        heads: as (layer, head); all by default. Bases that are given bring their own heads.
        basis: "weights", "offset", "whitened", or the result of :func:`head_bases`.
        moments: for "whitened".

    Returns:
        Terms [batch, heads, d_head] or [batch, pairs, heads, d_head], with all that they come from.
        Keys that the model masks (outside a sliding window) are not among those that the key is compared with.

    Raises:
        ValueError: for a key after its query, a query that sees a single key, a key that is masked, or what
            :func:`head_bases` refuses.
        ArithmeticError: where terms do not sum to the model's own relative attention, to 1e-4 of their sizes.
        MemoryError: where memory runs out, with the size of batch to try.

    Example:
        >>> from . import load_model
        >>> model, tokens = load_model("pocket-pythia", device="cpu"), torch.tensor([[0, 5, 7, 5], [0, 8, 9, 6]])
        >>> pairs = torch.tensor([[1, 2], [1, 2]])  # two keys in each of two prompts
        >>> head_terms_batch(model, tokens, query=torch.full((2, 2), 3), key=pairs, heads=[(1, 0), (2, 3)]).terms.shape
        torch.Size([2, 2, 2, 16])
    """
    queries, keys, lead = token_pairs(tokens, query, key)
    tokens = check_tokens(model, tokens)
    bases = basis if isinstance(basis, HeadBases) else head_bases(model, basis, heads, moments)
    queries, keys = queries.to(tokens.device), keys.to(tokens.device)
    d_head = next(iter(bases.layers.values())).heads.d_head
    shape = (*queries.shape, len(bases.heads), d_head)
    x, S, y = (torch.empty(shape, dtype=torch.float64, device=tokens.device) for _ in range(3))
    relative = torch.empty(shape[:-1], dtype=torch.float64, device=tokens.device)

    def visit(layer: int, record: LayerRecord) -> None:
        where = [index for index, (of, _) in enumerate(bases.heads) if of == layer]  # in the order of its numbers
        parts = terms_of_record(record, bases, layer, queries, keys)
        for whole, part in zip((x, S, y, relative), parts, strict=True):
            whole[:, :, where] = part

    run_and_record(model, tokens, list(bases.layers), visit)
    dtype = torch.float64 if model.cfg.dtype == torch.float64 else torch.float32

    def shaped(part: Tensor) -> Tensor:
        return part.reshape(*lead, *part.shape[2:]).to(dtype)

    return HeadTerms(shaped(x * S * y), shaped(relative), shaped(x), shaped(S), shaped(y), bases.heads)


def terms_of_record(
    record: LayerRecord,
    bases: HeadBases,
    layer: int,
    queries: Int[Tensor, "batch pairs"],
    keys: Int[Tensor, "batch pairs"],
) -> tuple[
    Float[Tensor, "batch pairs heads d_head"],
    Float[Tensor, "batch pairs heads d_head"],
    Float[Tensor, "batch pairs heads d_head"],
    Float[Tensor, "batch pairs heads"],
]:
    """The factors of the terms, from one layer's recorded activations.

    Returns:
        Coordinates of the queries, scaled singular values, coordinates of the relative keys, and relative attention, in
        float64.

    Raises:
        ValueError, ArithmeticError: as :func:`head_terms_batch`.

    Example:
        >>> from .bases import LayerBasis
        >>> from .frames import Frames, svd_between
        >>> from .heads import LayerHeads
        >>> one = torch.eye(2)[None].double()
        >>> basis = LayerBasis([0], LayerHeads(one, one, None, 1.0), Frames(one, one), svd_between(Frames(one, one)), 1)
        >>> q, k = torch.tensor([[0.0, 0.0], [1.0, 2.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> visible = torch.ones(2, 2).tril().bool()
        >>> record = LayerRecord(q[None, :, None], k[None, :, None], (q @ k.T)[None, None], visible[None, None])
        >>> bases = HeadBases("weights", ((0, 0),), {0: basis})
        >>> x, S, y, relative = terms_of_record(record, bases, 0, torch.tensor([[1]]), torch.tensor([[1]]))
        >>> (x * S * y).sum().item(), relative.item()
        (1.0, 1.0)
    """
    basis = bases.layers[layer]
    weights = _relative_weights(record, queries, keys, layer)
    rows = torch.arange(len(queries), device=queries.device)[:, None]
    scores = record.scores[rows, :, queries][:, :, basis.numbers].double()
    relative = einsum(scores, weights, "b p h l, b p l -> b p h")
    q = record.query[rows, queries][:, :, basis.numbers].double()
    # rotating is linear: rotate every key once by its position, add up, rotate the sum back to the pair's origin
    k = einsum(basis.turned_keys(record.key), weights, "b l h r, b p l -> b p h r")
    x, S, y = basis.coordinates(q, basis.turned_back(k, queries, keys), queries - keys)
    _check_sum(x * S * y, relative, scores.abs().amax(-1), layer, basis.numbers, queries, keys)
    return x, S, y, relative


def _relative_weights(
    record: LayerRecord, queries: Int[Tensor, "batch pairs"], keys: Int[Tensor, "batch pairs"], layer: int
) -> Float[Tensor, "batch pairs pos"]:
    """What makes a sum over keys relative: 1 for the key, minus the mean over the other keys that the query sees."""
    rows = torch.arange(len(queries), device=queries.device)[:, None]
    seen = record.visible[rows, :, queries]  # [batch, pairs, heads, pos]
    visible = seen[:, :, 0]
    if (seen != visible[:, :, None]).any():
        raise ValueError(f"layer {layer} shows its heads different keys (or their attention is exactly 0): not covered")
    if (visible & (torch.arange(visible.shape[-1], device=queries.device) > queries[..., None])).any():
        raise ValueError(f"layer {layer} scores later positions, too: relative attention here is for causal models")
    hidden = (~visible.gather(-1, keys[..., None])[..., 0]).nonzero()
    if len(hidden):
        prompt, pair = hidden[0].tolist()
        raise ValueError(
            f"layer {layer} masks key {int(keys[prompt, pair])} for query {int(queries[prompt, pair])} in prompt "
            f"{prompt}: it lies outside a sliding window, or its attention is exactly 0"
        )
    others = visible.double().scatter(-1, keys[..., None], 0.0)
    n_others = others.sum(-1, keepdim=True)
    if (n_others == 0).any():
        raise ValueError(f"layer {layer} shows a query the key asked for and no other: there is nothing to compare")
    return (-others / n_others).scatter(-1, keys[..., None], 1.0)


def _check_sum(
    terms: Tensor, relative: Tensor, largest: Tensor, layer: int, numbers: list[int], queries: Tensor, keys: Tensor
) -> None:
    """Raise where terms do not sum to the model's own relative attention."""
    off = (terms.sum(-1) - relative).abs()
    allowed = SUM_TOLERANCE * terms.abs().sum(-1) + ROUNDING * largest
    wrong = (~(off <= allowed)).nonzero()
    if len(wrong):
        prompt, pair, number = (worst := wrong[0]).tolist()
        told, got = (float(part[tuple(worst)]) for part in (relative, terms.sum(-1)))
        raise ArithmeticError(
            f"layer {layer} head {numbers[number]}, prompt {prompt}, query {int(queries[prompt, pair])}, key "
            f"{int(keys[prompt, pair])}: terms sum to {got:.6g}, the model's relative attention is {told:.6g}, off by "
            f"{float(off[tuple(worst)]):.2g} where {float(allowed[tuple(worst)]):.2g} is allowed ({len(wrong)} such "
            "cases). The model computes scores in a way that is not covered, or in half precision: load it in float32"
        )
