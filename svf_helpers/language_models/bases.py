"""Bases in which the scores of a transformer's heads fall into terms, computed once for any number of prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from einops import einsum
from jaxtyping import Float
from torch import Tensor

from .frames import Frames, HeadSVD, frames_of_moments, frames_of_weights, svd_between
from .heads import LayerHeads, check_layer, read_layer
from .moments import HeadMoments

Basis = Literal["weights", "offset", "whitened"]


@dataclass(frozen=True)
class LayerBasis:
    """The basis of some heads of one layer.

    Example:
        >>> frames = Frames(torch.eye(2)[None], torch.eye(2)[None])
        >>> LayerBasis([5], None, frames, svd_between(frames), 12).numbers
        [5]
    """

    numbers: list[int]
    heads: LayerHeads
    frames: Frames
    svd: HeadSVD | None  # None where every offset has its own
    of: int  # heads of the layer

    def turned_keys(self, keys: Float[Tensor, "batch pos key_heads r"]) -> Float[Tensor, "batch pos heads r"]:
        """Recorded keys turned by their positions, in float64, one for each head of the basis.

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

    def turned_back(self, keys: Float[Tensor, "batch pairs heads r"], queries: Tensor, origins: Tensor) -> Tensor:
        """Sums of turned keys, turned back to the origin of their pair: its query, or its key in the basis "offset".

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
        self, q: Float[Tensor, "batch pairs heads r"], k: Float[Tensor, "batch pairs heads r"], offsets: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Coordinates of queries, singular values times the scale, coordinates of keys: all [batch, pairs, heads, r].

        Example:
            >>> frames = Frames(torch.eye(2)[None], torch.eye(2)[None])
            >>> heads = LayerHeads(torch.eye(2)[None], torch.eye(2)[None], None, 0.5)
            >>> q = k = torch.ones(1, 1, 1, 2)
            >>> x, S, y = LayerBasis([0], heads, frames, svd_between(frames), 1).coordinates(q, k, torch.tensor([[3]]))
            >>> (x * S * y).sum()
            tensor(1.)
        """
        if self.svd is not None:
            return self._along(self.svd, q, k)
        x, S, y = (torch.empty_like(q) for _ in range(3))
        for offset in offsets.unique():
            here = offsets == offset
            svd = svd_between(self.frames, self.heads.rotary, offset)
            x[here], S[here], y[here] = self._along(svd, q[here], k[here])
        return x, S, y

    def _along(self, svd: HeadSVD, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = einsum(svd.to_query, q, "h s r, ... h r -> ... h s")
        y = einsum(svd.to_key, k, "h s r, ... h r -> ... h s")
        return x, (svd.S * self.heads.scale).expand_as(x), y


@dataclass(frozen=True)
class HeadBases:
    """Bases of some heads, computed once for any number of batches: see :func:`head_bases`.

    Example:
        >>> HeadBases("weights", ((0, 3),), {}).heads
        ((0, 3),)
    """

    basis: Basis
    heads: tuple[tuple[int, int], ...]
    layers: dict[int, LayerBasis]


def head_bases(
    model, basis: Basis = "weights", heads: Sequence[tuple[int, int]] | None = None, moments: HeadMoments | None = None
) -> HeadBases:
    """The bases of some heads; give the result to :func:`head_terms_batch` in place of a basis' name.

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
        >>> head_bases(None, basis="colours")
        Traceback (most recent call last):
        ...
        ValueError: basis = 'colours': give one of ('weights', 'offset', 'whitened')
    """
    if basis not in get_args(Basis):
        raise ValueError(f"basis = {basis!r}: give one of {get_args(Basis)}")
    n_layers, n_heads = model.cfg.n_layers, model.cfg.n_heads
    if heads is None:
        heads = [(layer, head) for layer in range(n_layers) for head in range(n_heads)]
    heads = tuple((int(layer), int(head)) for layer, head in heads)
    if not heads:
        raise ValueError("heads is empty: give (layer, head) for at least one head")
    for layer, head in heads:
        check_layer(model, layer)
        if not 0 <= head < n_heads:
            raise ValueError(f"head = {head}: the model's heads are 0 to {n_heads - 1} in each layer")
    if basis == "whitened":
        if moments is None:
            raise ValueError("basis 'whitened' needs moments=head_moments(model, token_batches)")
        moments.check(model)
    layers = {}
    for layer in sorted({layer for layer, _ in heads}):
        numbers = [head for of_layer, head in heads if of_layer == layer]
        whole = read_layer(model, layer)
        some = LayerHeads(whole.W_Q[numbers], whole.W_K[numbers], whole.rotary, whole.scale)
        try:
            if basis == "whitened":
                sides = (side[layer, numbers].to(whole.W_Q.device) for side in (moments.query, moments.key))
                frames = frames_of_moments(*sides)
            else:
                frames = frames_of_weights(some)
        except ArithmeticError as error:
            raise ArithmeticError(f"layer {layer}, among its heads {numbers}: {error}") from error
        each_offset = basis == "offset" and some.rotary is not None
        layers[layer] = LayerBasis(numbers, some, frames, None if each_offset else svd_between(frames), n_heads)
    return HeadBases(basis, heads, layers)
