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
    """|cos| of one direction with each kind of feature, as measured on one sample of sentences.

    Args:
        direction: of any length.
        measured: a sample, from ``kit.leading_terms.sample``.
        layer: in front of whose heads; the sample has to have it.

    Example:
        >>> from svf_helpers.chapters.kit.leading_terms import sample
        >>> from svf_helpers.language_models import load_model
        >>> from svf_helpers.pocket.facts import facts
        >>> measured = sample(load_model("pocket-gpt2", device="cpu"), facts(900, seed=0), [0])
        >>> round(kind_cosines(measured.directions[0][:, 0], measured, 0)["name"], 3)  # the first kind with itself
        1.0
    """
    cosines = agreement(direction[:, None], measured.directions[layer])[0]
    return {name: float(cosines[k]) for k, name in enumerate(measured.features.names) if name in KINDS}


def leave_out(features: KnownFeatures, name: str) -> KnownFeatures:
    """The same features without one of them.

    Raises:
        ValueError: for a feature that is not there.

    Example:
        >>> from svf_helpers.chapters.kit.known_features import known_features
        >>> from svf_helpers.pocket.facts import facts
        >>> features = known_features(facts(8, seed=0))
        >>> fewer = leave_out(features, "position")
        >>> set(features.names) - set(fewer.names), fewer.value.shape[-1] == features.value.shape[-1] - 1
        ({'position'}, True)
    """
    if name not in features.names:
        raise ValueError(f"no feature {name!r}: there are {', '.join(features.names[:9])}, ...")
    kept = [number for number, other in enumerate(features.names) if other != name]
    names = tuple(features.names[k] for k in kept)
    return features._replace(names=names, value=features.value[..., kept], among=features.among[..., kept])


def lengths_of_effect(kind: str, measured: Sample, table: Facts, layer: int = 0) -> dict[str, float]:
    """How far one kind moves a token, by least squares with ever longer lists of what else may move it.

    Args:
        kind: a name in ``KINDS``.
        measured: sentences with their features and tokens.
        table: the same sentences.
        layer: in front of whose heads.

    Returns:
        "then": with the features but the position; "now": with all of them; "all": with every word and every place.

    Example:
        >>> from svf_helpers.chapters.kit.leading_terms import sample
        >>> from svf_helpers.language_models import load_model
        >>> from svf_helpers.pocket.facts import facts
        >>> table = facts(900, seed=0)
        >>> measured = sample(load_model("pocket-gpt2", device="cpu"), table, [0])
        >>> found = lengths_of_effect("said before", measured, table)
        >>> found["then"] > found["now"] > found["all"]  # layer 0 has seen no other token
        True
    """
    counted = measured.features.tokens
    places, words = counted.nonzero()[:, 1], torch.from_numpy(table.tokens)[counted]
    lists = {
        "then": [_columns(leave_out(measured.features, "position"))],
        "now": [_columns(measured.features)],
        "all": [_columns(measured.features), *(torch.nn.functional.one_hot(of).double() for of in (words, places))],
    }
    number = measured.features.names.index(kind)  # the position comes after the other kinds, so it is the same in all
    return {name: _length(measured.tokens[layer], columns, number) for name, columns in lists.items()}


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
