"""One head's leading directions and the kinds they lean to, with and without the confounder in the list of features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from svf_helpers.chapters.kit.known_features import KINDS, KnownFeatures, agreement
from svf_helpers.chapters.kit.leading_terms import Sample
from svf_helpers.pocket.facts import Facts


def kind_cosines(direction: Float[Tensor, " d_model"], measured: Sample, layer: int) -> dict[str, float]:
    """|cos| of one direction with each kind of feature, as measured on sentences in front of one layer's heads."""
    cosines = agreement(direction[:, None], measured.directions[layer])[0]
    return {name: float(cosines[k]) for k, name in enumerate(measured.features.names) if name in KINDS}


def leave_out(features: KnownFeatures, name: str) -> KnownFeatures:
    """The same features without one of them; ``ValueError`` for one that is not there."""
    if name not in features.names:
        raise ValueError(f"no feature {name!r}: there are {', '.join(features.names[:9])}, ...")
    kept = [number for number, other in enumerate(features.names) if other != name]
    names = tuple(features.names[k] for k in kept)
    return features._replace(names=names, value=features.value[..., kept], among=features.among[..., kept])


def lengths_of_effect(kind: str, measured: Sample, table: Facts) -> dict[str, float]:
    """How far one kind moves a token, by least squares with ever longer lists of what else may move it.

    Tokens are those in front of layer 0; ``measured`` are the sentences of ``table`` with their features and tokens.
    "then" is with the features but the position, "now" with all of them, "all" with every word and every place.
    """
    counted = measured.features.tokens
    places, words = counted.nonzero()[:, 1], torch.from_numpy(table.tokens)[counted]
    lists = {
        "then": [_columns(leave_out(measured.features, "position"))],
        "now": [_columns(measured.features)],
        "all": [_columns(measured.features), *(torch.nn.functional.one_hot(of).double() for of in (words, places))],
    }
    number = measured.features.names.index(kind)  # the position comes after the other kinds, so it is the same in all
    return {name: _length(measured.tokens[0], columns, number) for name, columns in lists.items()}


def _columns(features: KnownFeatures) -> Float[Tensor, "tokens features"]:
    """Each feature's value at each token, 0 where it has no meaning, and 0 on average where it has one."""
    value, among = (part[features.tokens].double() for part in (features.value, features.among))
    return (value - value.sum(0) / among.sum(0)) * among


def _length(tokens: Float[Tensor, "tokens d_model"], parts: Sequence[Float[Tensor, "tokens _"]], number: int) -> float:
    """The length of what one column adds to a token, all columns fitted at once."""
    columns = torch.cat(list(parts), 1)
    columns = columns - columns.mean(0)
    gram, cross = columns.mT @ columns, columns.mT @ tokens
    return float((torch.linalg.pinv(gram, rtol=1e-10, hermitian=True) @ cross)[number].norm())
