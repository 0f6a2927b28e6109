r"""Features that generated the bundled models' sentences, as directions, and how well heads point along them.

In the toy model the dictionary is given. In a bundled model the *generators* are given: which tokens are names, who was
named before, which name stands here, and where. The direction in the residual stream that represents each of them is
measured, as the expected change of a token when the generator changes: by least squares over all features at once, or
one feature at a time.

A head reads a (normalised) token $t$ along directions $a_k$; its coordinate is $a_k^\top t$. In the plain basis
$a_k = u_k$ is also the estimate of the feature. Where tokens are not isotropic, the feature that a reading direction
picks up is $C\,a_k$, with the second moment $C$ of the tokens (chapter on anisotropy): :func:`patterns`.
This is the book's own; the paper could not check real models in this way.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from einops import einsum
from jaxtyping import Bool, Float, Int
from torch import Tensor

from svf_helpers.language_models.bases import reading_directions
from svf_helpers.language_models.heads import POST_NORM, check_layer
from svf_helpers.language_models.recording import keep_in
from svf_helpers.pocket.facts import ROLES, Facts
from svf_helpers.pocket.words import NAMES

__all__ = [
    "KINDS",
    "KnownFeatures",
    "agreement",
    "feature_directions",
    "head_inputs",
    "known_features",
    "patterns",
    "reading_directions",
]

#: Features that many tokens share; each of the names, here or one token before, is a feature as well. The position is
#: one of them because it goes with others: a name that was said before stands late, and so does END.
KINDS = ("name", "said before", "named first", "after a name", "END", "place", "object", "position")


class KnownFeatures(NamedTuple):
    """Which features each token of some sentences has.

    ``value`` and ``among``: a feature is present (1) or absent (0) among certain tokens ("said before" among names) and
    has no meaning elsewhere; the position is a number. ``tokens``: which tokens count (no padding, no start mark).

    Example:
        >>> from svf_helpers.pocket.facts import facts
        >>> found = known_features(facts(8, seed=0))
        >>> dict(zip(found.names[:4], found.value[0, 1, :4].tolist()))  # the first word after the start mark
        {'name': 0.0, 'said before': 0.0, 'named first': 0.0, 'after a name': 0.0}
    """

    names: tuple[str, ...]
    value: Float[Tensor, "batch pos features"]
    among: Bool[Tensor, "batch pos features"]
    tokens: Bool[Tensor, "batch pos"]


def known_features(table: Facts) -> KnownFeatures:
    """The features of the tokens of generated sentences: the kinds, then "name X", then "after X".

    Args:
        table: from :func:`svf_helpers.pocket.facts`, with the start mark.

    Example:
        >>> from svf_helpers.pocket.facts import facts
        >>> found = known_features(facts(8, seed=0, kinds=["ioi"]))
        >>> len(found.names), found.names[1], found.value[..., 1].sum(1).tolist()  # both names return
        (208, 'said before', [2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0])
    """
    place = np.arange(table.tokens.shape[1])
    tokens = (place > 0) & (place < table.length[:, None])
    name, first_said, after = table.name >= 0, table.occurrence == 1, table.previous >= 0
    kinds = {
        "name": (name, tokens),
        "said before": (table.duplicate == 1, name),
        "named first": (table.order == 0, name & first_said),
        "after a name": (after, tokens),
        "END": (table.role == ROLES.index("END"), tokens),
        "place": (table.place >= 0, tokens),
        "object": (table.object >= 0, tokens),
        "position": (np.broadcast_to(place, tokens.shape), tokens),
    }
    columns = [kinds[kind] for kind in KINDS]
    columns += [(table.name == number, name) for number in range(len(NAMES))]
    columns += [(table.previous == number, after) for number in range(len(NAMES))]
    value = torch.from_numpy(np.stack([column[0] for column in columns], -1).astype(np.float32))
    among = torch.from_numpy(np.stack([column[1] for column in columns], -1))
    names = (*KINDS, *(f"name {name}" for name in NAMES), *(f"after {name}" for name in NAMES))
    return KnownFeatures(names, value * among, among, torch.from_numpy(tokens))


def head_inputs(model, tokens: Int[Tensor, "batch pos"], layer: int) -> Float[Tensor, "batch pos d_model"]:
    """The tokens as a layer's heads read them: the residual stream, normalised (without gain), in float64.

    Raises:
        ValueError: for a layer that the model does not have, or one without a normalisation in front of its heads.

    Example:
        >>> from svf_helpers.language_models.loading import load_model
        >>> head_inputs(load_model("pocket-pythia", device="cpu"), torch.tensor([[1, 2, 3]]), 2).norm(dim=-1).round()
        tensor([[8., 8., 8.]], dtype=torch.float64)
    """
    check_layer(model, layer)
    seen: dict[str, Tensor] = {}
    place = f"blocks.{layer}.ln1.hook_normalized"
    if place not in model.hook_dict or model.cfg.architecture in POST_NORM:
        raise ValueError(f"layer {layer} has no normalisation in front of its heads whose output could be recorded")
    with torch.no_grad(), model.hooks(fwd_hooks=[(place, keep_in(seen, "normalised"))]):
        model(tokens.to(model.cfg.device), return_type=None, stop_at_layer=layer + 1)
    return seen["normalised"].double()


def feature_directions(
    inputs: Float[Tensor, "batch pos d_model"], features: KnownFeatures, method: str = "least squares"
) -> Float[Tensor, "d_model features"]:
    """A unit direction for each feature: how a token changes, on average, with the feature.

    Args:
        inputs: tokens, from :func:`head_inputs`.
        features: of the same sentences.
        method: "least squares" fits all features at once, which separates correlated features as far as the sentences
            allow; "difference of means" takes each feature alone, tokens with it minus tokens without it (for the
            position this is the slope).

    Raises:
        ValueError: for another method, inputs of other sentences, or a feature that is always the same.

    Example:
        >>> tokens = torch.tensor([[[1.0, 0.0], [0.0, 0.0]], [[1.0, 2.0], [0.0, 2.0]]]).double()
        >>> value = torch.tensor([[[1.0, 0.0], [0.0, 0.0]], [[1.0, 1.0], [0.0, 1.0]]])
        >>> everywhere = torch.ones_like(value).bool()
        >>> features = KnownFeatures(("a", "b"), value, everywhere, everywhere[..., 0])
        >>> feature_directions(tokens, features).abs().round()
        tensor([[1., 0.],
                [0., 1.]], dtype=torch.float64)
    """
    if inputs.shape[:2] != features.tokens.shape:
        shapes = f"{tuple(inputs.shape[:2])} and {tuple(features.tokens.shape)}"
        raise ValueError(f"inputs and features are of {shapes} sentences and positions: give those of one sample")
    value, among = (part[features.tokens].to(inputs) for part in (features.value, features.among))
    tokens = inputs[features.tokens.to(inputs.device)]
    centred = (value - value.sum(0) / among.sum(0)) * among  # 0 where the feature has no meaning
    poor = (~(centred.square().sum(0) > 1e-9)).nonzero().flatten().tolist()
    if poor:
        named = ", ".join(features.names[number] for number in poor[:3])
        raise ValueError(f"{named}: the same wherever it has a meaning in these sentences; draw more of them")
    if method == "least squares":
        # names exclude each other, so their columns sum to zero: of all solutions take the smallest
        columns = centred - centred.mean(0)
        gram, cross = (einsum(columns, other, "t f, t g -> f g") for other in (columns, tokens - tokens.mean(0)))
        found = (torch.linalg.pinv(gram, rtol=1e-10, hermitian=True) @ cross).mT
    elif method == "difference of means":
        found = einsum(tokens, centred, "t d, t f -> d f")  # that difference, but for its length
    else:
        raise ValueError(f"method {method!r}: 'least squares' or 'difference of means'")
    return found / found.norm(dim=0)


def patterns(
    inputs: Float[Tensor, "tokens d_model"], reading: Float[Tensor, "d_model d_head"], centred: bool = True
) -> Float[Tensor, "d_model d_head"]:
    r"""The feature that each reading direction picks up among these tokens, $C a_k$, without building $C$.

    Args:
        inputs: tokens.
        reading: directions $a_k$.
        centred: whether $C$ is the covariance, or the raw second moment.

    Example:
        >>> tokens = torch.tensor([[2.0, 1.0], [-2.0, -1.0]])
        >>> patterns(tokens, torch.tensor([[1.0], [0.0]]))
        tensor([[4.],
                [2.]])
    """
    if centred:
        inputs = inputs - inputs.mean(0)
    return einsum(inputs, inputs @ reading, "t d, t r -> d r") / len(inputs)


def agreement(
    directions: Float[Tensor, "... d_model r"], features: Float[Tensor, "d_model n"]
) -> Float[Tensor, "... r n"]:
    """|cos| between directions and features, whatever their lengths.

    Example:
        >>> agreement(torch.tensor([[3.0], [4.0]]), torch.tensor([[-1.0, 0.0], [0.0, 2.0]]))
        tensor([[0.6000, 0.8000]])
    """
    directions = directions / directions.norm(dim=-2, keepdim=True)
    return einsum(directions, features / features.norm(dim=0), "... d r, d n -> ... r n").abs()
