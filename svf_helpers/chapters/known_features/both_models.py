"""Stored results of both bundled models' circuits, joined: a row for each head, the second model below the first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from svf_helpers.chapters.kit.circuits import head_titles, heads_of
from svf_helpers.chapters.kit.known_features import KINDS
from svf_helpers.chapters.kit.leading_terms import FAMILIES, WAYS
from svf_helpers.experiments.store import Result

#: What arrays of the stored results call a model -> its name.
MODELS = {"gpt2": "pocket-gpt2", "pythia": "pocket-pythia"}
#: What the chapter calls a basis -> what the library and the stored results call it.
BASES = {"plain": "weights", "whitened": "whitened"}
_ALL, _KINDS_ALONE = (list(FAMILIES).index(family) for family in ("all", "kinds"))


class Leaning(NamedTuple):
    """How the leading direction of each side of each head leans to the kind chosen for it on other sentences.

    ``cosine`` is the judged |cos| with that kind, ``rotated`` the same for rotated bases, each with a kind of its own.
    """

    cosine: Float[np.ndarray, "heads sides"]
    rotated: Float[np.ndarray, "heads sides draws"]
    kind: Int[np.ndarray, "heads sides"]


def of_both(result: Result, what: str, axis: int = 0, models: Sequence[str] = tuple(MODELS)) -> np.ndarray:
    """One array ("..." of "gpt2_..." and "pythia_...") of both models, or of some, with their heads in a row."""
    return np.concatenate([result[f"{short}_{what}"] for short in models], axis)


def head_labels(result: Result) -> list[str]:
    """What the figures call each head: model, layer and head, and the pair of tokens it looks between.

    Example:
        >>> from svf_helpers.experiments import load
        >>> head_labels(load("known-features"))[0]
        'gpt2 0.3 END→S2'
    """
    return [f"{short} {title}" for short in MODELS for title in head_titles(heads_of(result, f"{short}_"))]


def second_model(result: Result) -> int:
    """The row in which the heads of the second model begin."""
    return len(result[f"{next(iter(MODELS))}_layer"])


def leaning(result: Result, basis: str, way: str = "reading", models: Sequence[str] = tuple(MODELS)) -> Leaning:
    """How the leading directions lean to the eight kinds, in one basis, each a direction of one of ``WAYS``.

    ``result`` is "known-features"; another way is a ``ValueError``, another basis a ``KeyError``.

    Example:
        >>> from svf_helpers.experiments import load
        >>> found = leaning(load("known-features"), "weights")
        >>> bool(found.cosine.mean() > found.rotated.mean())  # above chance, on average
        True
    """
    if way not in WAYS:
        raise ValueError(f"way {way!r}: one of {', '.join(WAYS)}")
    at = (slice(None), slice(None), WAYS.index(way), _KINDS_ALONE)
    cosine, rotated, kind = (
        of_both(result, f"{what}_{basis}", models=models)[at] for what in ("cosine", "rotated", "feature")
    )
    return Leaning(cosine, rotated.astype(float), kind)


class OfAll(NamedTuple):
    """The feature chosen among kinds and single names: whether it is a name, and its |cos| when chosen and judged."""

    single: Bool[np.ndarray, "heads sides"]
    chosen: Float[np.ndarray, "heads sides"]
    judged: Float[np.ndarray, "heads sides"]


def best_of_all(result: Result, model: str) -> OfAll:
    """What each leading direction leans to most, with every single name to choose from (plain basis, readings).

    Example:
        >>> from svf_helpers.experiments import load
        >>> found = best_of_all(load("known-features"), "pythia")
        >>> drop = found.chosen - found.judged  # a single name does not hold up on other sentences
        >>> bool(drop[found.single].mean() > 0.1 > drop[~found.single].mean())
        True
    """
    reading = WAYS.index("reading")
    feature = result[f"{model}_feature_weights"][:, :, reading, _ALL]
    chosen, judged = (
        np.take_along_axis(result[f"{model}_{when}_weights"][:, :, reading], feature[..., None], -1)[..., 0]
        for when in ("chosen", "judged")
    )
    single = ~np.isin(result[f"{model}_feature_names"][feature], KINDS)
    return OfAll(single, chosen.astype(float), judged.astype(float))


def attention_without(result: Result, basis: str) -> dict[str, Float[np.ndarray, " heads"]]:
    """Attention of each head on its key, mean over prompts, without some of its terms, by what was taken out.

    ``result`` is "known-features", the basis "weights", "whitened" or "split".
    """
    values = np.concatenate([result[f"{short}_attention_{basis}"].mean(-1) for short in MODELS], 1)
    return dict(zip(result.info["config"]["removed"], values, strict=True))


def mean_counts(result: Result, model: str) -> dict[str, float]:
    """N_sv where ρ > 0, mean over heads and prompts: in both bases and in random splits.

    Example:
        >>> from svf_helpers.experiments import load
        >>> list(mean_counts(load("known-features"), "gpt2"))
        ['plain', 'whitened', 'random splits']
    """
    counts = {label: result[f"{model}_n_sv_{basis}"] for label, basis in BASES.items()}
    counts["random splits"] = result[f"{model}_n_sv_splits"]
    return {label: float(of[of > 0].mean()) for label, of in counts.items()}


def attention_lost(erased: Result, what: str = "attention") -> Float[np.ndarray, "sides heads kinds"]:
    """The share of its attention that a head loses when one kind is taken out of its queries or its keys.

    Read from "erased-features"; ``what`` is "control" for as much taken out along a random direction.

    Example:
        >>> from svf_helpers.experiments import load
        >>> erased = load("erased-features")
        >>> bool(attention_lost(erased).mean() > attention_lost(erased, "control").mean())
        True
    """
    lost = [1 - erased[f"{short}_{what}"].mean(-1) / erased[f"{short}_before"].mean(-1) for short in MODELS]
    return np.concatenate(lost, 2).transpose(0, 2, 1)
