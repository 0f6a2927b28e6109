"""Bases in which the scores of a transformer's heads fall into terms, computed once for any number of prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from einops import einsum
from jaxtyping import Float, Int
from torch import Tensor

from ..factored_svd import seen_from
from .arguments import whole_number
from .frames import Frames, HeadSVD, frames_of_moments, frames_of_weights, svd_between
from .heads import LayerHeads, check_head, read_layer
from .moments import HeadMoments

Basis = Literal["weights", "offset", "whitened"]


@dataclass(frozen=True)
class LayerBasis:
    """The basis of some heads of one layer.

    Args:
        numbers: which heads of the layer these are.
        heads: their weights, rotation and scale.
        frames: their triangular frames.
        svd: between the frames; None where every offset has its own.
        of: how many heads the layer has.

    Example:
        >>> from . import head_bases, load_model
        >>> basis = head_bases(load_model("pocket-gpt2", device="cpu"), "weights", [(1, 0), (1, 2)]).layers[1]
        >>> basis.numbers, basis.svd.S.shape
        ([0, 2], torch.Size([2, 16]))
    """

    numbers: list[int]
    heads: LayerHeads
    frames: Frames
    svd: HeadSVD | None
    of: int

    def turned_keys(self, keys: Float[Tensor, "batch pos key_heads r"]) -> Float[Tensor, "batch pos heads r"]:
        """Recorded keys rotated by their positions, in float64: one for each head of the basis.

        Example:
            >>> frames = Frames(torch.eye(2)[None], torch.eye(2)[None])
            >>> basis = LayerBasis([1], LayerHeads(torch.eye(2)[None], torch.eye(2)[None], None, 1.0), frames, None, 2)
            >>> basis.turned_keys(torch.ones(1, 4, 1, 2)).shape  # two heads share one key
            torch.Size([1, 4, 1, 2])
        """
        shared = [head * keys.shape[2] // self.of for head in self.numbers]
        keys = keys[:, :, shared].double()
        if self.heads.rotary is None:
            return keys
        return self.heads.rotary.rotate(keys, torch.arange(keys.shape[1], device=keys.device)[:, None])

    def turned_back(
        self,
        keys: Float[Tensor, "batch pairs heads r"],
        queries: Int[Tensor, "batch pairs"],
        origins: Int[Tensor, "batch pairs"],
    ) -> Float[Tensor, "batch pairs heads r"]:
        """Sums of rotated keys, rotated back to the origin of their pair: its query, or its key in the basis "offset".

        Example:
            >>> from ..rope import Rotary
            >>> frames = Frames(torch.eye(2)[None], torch.eye(2)[None])
            >>> heads = LayerHeads(torch.eye(2)[None], torch.eye(2)[None], Rotary.of(2), 1.0)
            >>> basis = LayerBasis([0], heads, frames, svd_between(frames), 1)
            >>> key = heads.rotary.rotate(torch.tensor([[[[1.0, 0.0]]]]), 7)
            >>> basis.turned_back(key, torch.tensor([[7]]), torch.tensor([[2]])).round()
            tensor([[[[1., 0.]]]])
        """
        if self.heads.rotary is None:
            return keys
        return self.heads.rotary.rotate(keys, -(origins if self.svd is None else queries)[..., None])

    def coordinates(
        self,
        q: Float[Tensor, "batch pairs heads r"],
        k: Float[Tensor, "batch pairs heads r"],
        offsets: Int[Tensor, "batch pairs"],
    ) -> tuple[
        Float[Tensor, "batch pairs heads r"], Float[Tensor, "batch pairs heads r"], Float[Tensor, "batch pairs heads r"]
    ]:
        """Coordinates of queries, singular values times the scale, coordinates of keys.

        Their product is the terms, which sum to the score: this is eq. (1), and all the arithmetic there is.

        Example:
            >>> frames = Frames(torch.eye(2)[None], torch.eye(2)[None])
            >>> heads = LayerHeads(torch.eye(2)[None], torch.eye(2)[None], None, scale=0.5)
            >>> q = k = torch.ones(1, 1, 1, 2)
            >>> x, S, y = LayerBasis([0], heads, frames, svd_between(frames), 1).coordinates(q, k, torch.tensor([[3]]))
            >>> (x * S * y).sum()
            tensor(1.)
        """
        if self.svd is None:
            x, S, y = (torch.empty_like(q) for _ in range(3))
            for offset in offsets.unique():
                here = offsets == offset
                svd = svd_between(self.frames, self.heads.rotary, offset, seen_from(self.heads.W_Q))
                x[here] = einsum(svd.to_query, q[here], "h s r, n h r -> n h s")
                y[here] = einsum(svd.to_key, k[here], "h s r, n h r -> n h s")
                S[here] = svd.S * self.heads.scale
            return x, S, y
        x = einsum(self.svd.to_query, q, "h s r, b p h r -> b p h s")
        y = einsum(self.svd.to_key, k, "h s r, b p h r -> b p h s")
        return x, (self.svd.S * self.heads.scale).expand_as(x), y


@dataclass(frozen=True)
class HeadBases:
    """Bases of some heads, computed once for any number of batches: see :func:`head_bases`.

    Example:
        >>> from . import load_model
        >>> bases = head_bases(load_model("pocket-gpt2", device="cpu"), "weights", [(0, 3), (2, 1)])
        >>> bases.basis, bases.heads, sorted(bases.layers)
        ('weights', ((0, 3), (2, 1)), [0, 2])
    """

    basis: Basis
    heads: tuple[tuple[int, int], ...]
    layers: dict[int, LayerBasis]

    def of_head(self, layer: int, head: int) -> tuple[LayerBasis, int]:
        """The basis of a head's layer, and the head's place in it.

        Raises:
            ValueError: for a head that these bases are not of, or what is no whole number.

        Example:
            >>> from . import load_model
            >>> bases = head_bases(load_model("pocket-gpt2", device="cpu"), "weights", [(1, 0), (1, 2)])
            >>> bases.of_head(1, 2)[1]
            1
        """
        layer, head = whole_number("layer", layer), whole_number("head", head)
        if (layer, head) not in self.heads:
            raise ValueError(f"the bases given are of heads {self.heads}, not of {(layer, head)}")
        return self.layers[layer], self.layers[layer].numbers.index(head)


def head_bases(
    model, basis: Basis = "weights", heads: Sequence[tuple[int, int]] | None = None, moments: HeadMoments | None = None
) -> HeadBases:
    """The bases of some heads, to be given to :func:`head_terms_batch` in place of a basis' name.

    Args:
        model: a TransformerBridge.
        basis: "weights", "offset" or "whitened".
        heads: as (layer, head), in any order; all by default.
        moments: from ``head_moments(model, token_batches)``, for "whitened".

    Raises:
        ValueError: for an unknown basis or head, missing moments or those of another model, or an attention that is not
            covered (:func:`svf_helpers.language_models.heads.read_layer`).
        ArithmeticError: for a head that has no such basis (weights or moments without full rank).

    Example:
        >>> from . import head_terms_batch, load_model
        >>> model = load_model("pocket-gpt2", device="cpu")
        >>> bases = head_bases(model, "weights", [(0, 3), (2, 1)])
        >>> head_terms_batch(model, torch.tensor([[0, 5, 7, 5]]), query=3, key=1, basis=bases).terms.shape
        torch.Size([1, 2, 16])
    """
    if basis not in get_args(Basis):
        raise ValueError(f"basis = {basis!r}: give one of {get_args(Basis)}")
    heads = _checked_heads(model, heads)
    if moments is not None and not isinstance(moments, HeadMoments):
        raise ValueError(f"moments are {type(moments).__name__}: give head_moments(model, token_batches)")
    if basis != "whitened":
        moments = None
    elif moments is None:
        raise ValueError("basis 'whitened' needs moments=head_moments(model, token_batches)")
    else:
        moments.check(model)
    layers = {}
    for layer in sorted({layer for layer, _ in heads}):
        numbers = [head for of_layer, head in heads if of_layer == layer]
        whole = read_layer(model, layer)
        some = LayerHeads(whole.W_Q[numbers], whole.W_K[numbers], whole.rotary, whole.scale)
        try:
            if moments is None:
                frames = frames_of_weights(some)
            else:
                sides = (side[layer, numbers].to(whole.W_Q.device) for side in (moments.query, moments.key))
                frames = frames_of_moments(*sides)
        except ArithmeticError as error:
            raise ArithmeticError(f"layer {layer}, among its heads {numbers}: {error}") from error
        each_offset = basis == "offset" and some.rotary is not None
        svd = None if each_offset else svd_between(frames, toward=seen_from(some.W_Q))
        layers[layer] = LayerBasis(numbers, some, frames, svd, model.cfg.n_heads)
    return HeadBases(basis, heads, layers)


def _checked_heads(model, heads: Sequence[tuple[int, int]] | None) -> tuple[tuple[int, int], ...]:
    n_layers, n_heads = model.cfg.n_layers, model.cfg.n_heads
    if heads is None:
        heads = [(layer, head) for layer in range(n_layers) for head in range(n_heads)]
    try:
        pairs = [tuple(pair) for pair in heads]
    except TypeError:
        pairs = [()]
    if not pairs:
        raise ValueError("heads is empty: give (layer, head) for at least one head")
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"heads = {heads!r}: give (layer, head) for each head, as in [(0, 3), (1, 2)]")
    return tuple(check_head(model, layer, head) for layer, head in pairs)


def reading_directions(
    bases: HeadBases, layer: int, head: int, offset: int = 0
) -> tuple[Float[Tensor, "d_model d_head"], Float[Tensor, "d_model d_head"]]:
    r"""The directions along which a head reads its query's and its key's normalised token, one for each term.

    In the basis "weights", at offset 0, these are the singular vectors $u_k$ and $v_k$ that
    :func:`svf_helpers.qk.qk_svd` gives, signs included.

    Args:
        bases: "weights" or "whitened", or a random basis made from them.
        layer: which layer.
        head: which of its heads, among those of ``bases``.
        offset: in a rotary head, how far the key stands before the query.

    Raises:
        ValueError: for a head that the bases lack, or bases "offset" of a rotary head.

    Example:
        >>> from . import load_model
        >>> bases = head_bases(load_model("pocket-gpt2", device="cpu"), "weights", [(1, 2)])
        >>> U, V = reading_directions(bases, 1, 2)
        >>> torch.dist(U.mT @ U, torch.eye(16)).item() < 1e-9  # orthonormal, as singular vectors are
        True
    """
    of_layer, number = bases.of_head(layer, head)
    if of_layer.svd is None:
        raise ValueError("bases 'offset' have other directions at each offset: take 'weights' or 'whitened'")
    to_key = of_layer.svd.to_key[number]
    if of_layer.heads.rotary is not None:  # the key is turned back by the offset, so its direction forward
        to_key = of_layer.heads.rotary.rotate(to_key, offset)
    return of_layer.heads.W_Q[number] @ of_layer.svd.to_query[number].mT, of_layer.heads.W_K[number] @ to_key.mT
