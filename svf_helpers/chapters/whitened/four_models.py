"""Stored comparisons of bases: four trained models side by side, and one of them along its training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from svf_helpers.chapters.kit.leading_terms import FAMILIES, WAYS
from svf_helpers.chapters.whitened.compared_bases import COMPARED, TAKEN
from svf_helpers.experiments.store import Result

PLAIN, WHITE, CENTRED, SPLIT, SPLIT_WHITE = range(len(COMPARED))
#: One trained model: name of a measure -> its values, bases in the order of ``COMPARED``, removals of ``TAKEN``.
Measures = dict[str, np.ndarray]
_KINDS_ALONE = list(FAMILIES).index("kinds")


def four_models(small: Result, large: Result, again: Result) -> dict[str, Measures]:
    """What was measured in each trained model at the end of its training.

    Read from "bases-pocket-gpt2", "bases-pocket-pythia" and "bases-seeds", the same recipe from other seeds. For each
    model there are "sparsity", "null", "n_sv" [bases, heads], "attention" [bases, removals, heads], "correct" [bases,
    removals], "cosine" and "cosine_high" [bases, heads, sides, ways, families].

    Example:
        >>> from svf_helpers.experiments import load
        >>> list(four_models(*(load(f"bases-{name}") for name in ("pocket-gpt2", "pocket-pythia", "seeds"))))
        ['pocket-gpt2', 'pocket-pythia', 'pythia, seed 1', 'pythia, seed 2']
    """
    places = {"pocket-gpt2": (small, ""), "pocket-pythia": (large, "")}
    places |= {f"pythia, seed {seed}": (again, f"seed{seed}_") for seed in again.info["config"]["seeds"]}
    names = [name for name in small.arrays if name.startswith("summary_")] + ["cosine", "cosine_high"]
    return {
        model: {name.removeprefix("summary_"): result[prefix + name][-1] for name in names}
        for model, (result, prefix) in places.items()
    }


def of_all(models: Mapping[str, Measures], what: str) -> Float[np.ndarray, "... heads"]:
    """One measure ("sparsity", "null", "n_sv" or "attention") of all models, with their heads one after the other."""
    return np.concatenate([found[what] for found in models.values()], -1)


def above_null(found: Mapping[str, np.ndarray] | Result, way: str = "reading") -> Bool[np.ndarray, "*of heads sides"]:
    """Whether a leading direction's |cos| with the kind chosen for it is above the 95 % point of rotated bases.

    Of one of :func:`four_models`, or of a stored result with all of its checkpoints; for "weights", "whitened" and
    "centred", the bases that have a null of their own.

    Example:
        >>> from svf_helpers.experiments import load
        >>> above_null(load("bases-pocket-pythia")).shape  # checkpoints, bases, heads, sides
        (24, 3, 10, 2)
    """
    return (found["cosine"] > found["cosine_high"])[..., WAYS.index(way), _KINDS_ALONE]


class Training(NamedTuple):
    """One model at each of its checkpoints; ``solved`` is the number of the first that solves the task."""

    step: Int[np.ndarray, " checkpoints"]
    sparsity: Float[np.ndarray, "checkpoints bases heads"]
    null: Float[np.ndarray, "checkpoints bases heads"]
    n_sv: Float[np.ndarray, "checkpoints bases heads"]
    cosine: Float[np.ndarray, "checkpoints _"]
    cosine_null: Float[np.ndarray, "checkpoints _"]
    solved: int


def along_training(large: Result) -> Training:
    """The measures of "bases-pocket-pythia" along training; cosines are means over heads and sides, for readings.

    Example:
        >>> from svf_helpers.experiments import load
        >>> found = along_training(load("bases-pocket-pythia"))
        >>> int(found.step[found.solved])  # more than nine answers in ten are right from here on
        1345
    """
    cosine, null = (
        large[what][..., WAYS.index("reading"), _KINDS_ALONE].mean((2, 3)) for what in ("cosine", "cosine_null")
    )
    correct = large["summary_correct"][:, PLAIN, TAKEN.index("nothing")]
    S, of_null, N = (large[f"summary_{what}"] for what in ("sparsity", "null", "n_sv"))
    return Training(large["step"], S, of_null, N, cosine, null, int(np.argmax(correct > 0.9)))
