"""Every number in the prose of the chapter on the whitened basis, as the reader sees it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from svf_helpers.chapters.whitened.compared_bases import TAKEN
from svf_helpers.chapters.whitened.four_models import (
    CENTRED,
    PLAIN,
    SPLIT,
    SPLIT_WHITE,
    WHITE,
    Measures,
    above_null,
    along_training,
    four_models,
    of_all,
)
from svf_helpers.experiments.store import Result
from svf_helpers.language_models.moments import HeadMoments

_BASES = {"plain": PLAIN, "white": WHITE}  # as the glued names have it -> its place in COMPARED


def numbers(small: Result, large: Result, again: Result, moments: HeadMoments) -> dict[str, str]:
    """Every number of the chapter's prose and captions, by name.

    Stored are "bases-pocket-gpt2", "bases-pocket-pythia" and "bases-seeds"; the moments are those of ``pocket-gpt2``,
    gathered on the page.
    """
    models = four_models(small, large, again)
    return (
        {"judged-prompts": str(small.info["config"]["prompts"])}
        | measured_numbers(models)
        | change_numbers(models)
        | training_numbers(large)
        | standing_out_numbers(models, large)
        | centring_numbers(models, small, moments)
        | removal_numbers(models)
        | sample_numbers(small, large)
    )


def measured_numbers(models: Mapping[str, Measures]) -> dict[str, str]:
    """All head-pairs: sparsity, its null, the margin between them, and N_sv, in the plain and the whitened basis."""
    S, null, N = (of_all(models, what) for what in ("sparsity", "null", "n_sv"))
    margin = null - S
    found = {
        "pairs": str(S.shape[1]),
        "white-sparser": str((S[WHITE] < S[PLAIN]).sum()),
        "white-fewer": str((N[WHITE] < N[PLAIN]).sum()),
        "margin-better": str((margin[WHITE] > margin[PLAIN]).sum()),
        "split-N": f"{np.nanmean(N[[SPLIT, SPLIT_WHITE]]):.1f}",
    }
    for key, b in _BASES.items():
        found |= {
            f"mean-{key}": f"{S[b].mean():.3f}",
            f"null-{key}": f"{null[b].mean():.2f}",
            f"margin-{key}": f"{margin[b].mean():.2f}",
            f"{key}-N": f"{np.nanmean(N[b]):.1f}",
        }
    return found


def change_numbers(models: Mapping[str, Measures]) -> dict[str, str]:
    """By how much whitening changes sparsity, model by model, and whether any change is clear."""
    changes = {name: found["sparsity"][WHITE] - found["sparsity"][PLAIN] for name, found in models.items()}
    error = {name: change.std(ddof=1) / len(change) ** 0.5 for name, change in changes.items()}
    told = [
        f"{name} ({change.mean():+.3f} ± {error[name]:.3f})".replace("(-", "(−") for name, change in changes.items()
    ]
    clear = [name for name, change in changes.items() if abs(change.mean()) > 2 * error[name]]
    S = of_all(models, "sparsity")
    little = abs((S[WHITE] - S[PLAIN]).mean()) < 0.05
    return {
        "changes": ", ".join(told),
        "clear": ", ".join(clear) or "none of them",
        "headline": f"Whitening {'changes sparsity little' if little else 'makes terms sparser'}, on average",
    }


def training_numbers(large: Result) -> dict[str, str]:
    """``pocket-pythia`` along its training: before there is a circuit, and at the end."""
    found = along_training(large)
    early, ends = found.sparsity[: found.solved // 2], {"plain": PLAIN, "whitened": WHITE}
    return {
        "checkpoints": str(len(found.step)),
        "pythia-pairs": str(found.sparsity.shape[2]),
        "solves": f"{found.step[found.solved]:,}",
        "early-gap": f"{(early[:, PLAIN] - early[:, WHITE]).mean():.2f}",
        **{f"S-{name}-after": f"{found.sparsity[-1, b].mean():.2f}" for name, b in ends.items()},
        **{f"cos-{name}-after": f"{found.cosine[-1, b]:.2f}" for name, b in ends.items()},
        **{f"cos-null-{name}-after": f"{found.cosine_null[-1, b]:.2f}" for name, b in ends.items()},
    }


def standing_out_numbers(models: Mapping[str, Measures], large: Result) -> dict[str, str]:
    """Sides above the 95 % point of their null: at the end in all models, at the start and before solving in one."""
    above = np.concatenate([above_null(found) for found in models.values()], 1)  # [bases, heads, sides]
    along = above_null(large)  # [checkpoints, bases, heads, sides]
    unsolved = along[: along_training(large).solved].sum((2, 3))
    found = {"sides": str(above[0].size), "start-sides": str(along[0, 0].size)}
    for key, b in _BASES.items():
        found |= {
            f"above-{key}": str(above[b].sum()),
            f"start-{key}": str(along[0, b].sum()),
            f"early-{key}": str(unsolved[:, b].max()),
        }
    return found


def centring_numbers(models: Mapping[str, Measures], small: Result, moments: HeadMoments) -> dict[str, str]:
    """Queries whitened with their covariance instead of their raw second moment: how little that changes."""
    S = of_all(models, "sparsity")
    assert moments.query_mean is not None  # moments that were gathered from text have it
    share = moments.query_mean.square().sum(-1) / moments.query.diagonal(0, -2, -1).sum(-1)  # [layers, heads]
    of_circuit = share[small["layer"].tolist(), small["head"].tolist()]
    return {
        "centred-change": f"{np.abs(S[CENTRED] - S[WHITE]).mean():.3f}",
        "centred-mean": f"{S[CENTRED].mean():.3f}",
        "mean-share": f"{100 * of_circuit.max().item():.0f}",
    }


def removal_numbers(models: Mapping[str, Measures]) -> dict[str, str]:
    """What is left of attention and of answers without the largest term, and the model whose circuit is not needed."""
    attention = of_all(models, "attention")
    nothing, first, top = (TAKEN.index(taken) for taken in ("nothing", "first", "top"))
    left = attention[:, first] / attention[:, nothing]
    needed = {name: found["correct"][[PLAIN, WHITE, SPLIT], top].max() for name, found in models.items()}
    idle = max(needed, key=lambda name: needed[name])
    found = {
        "first-better": str((attention[WHITE, first] < attention[PLAIN, first]).sum()),
        "idle-seed": idle.split()[-1],
        "idle-right": f"{needed[idle]:.2f}",
        **{f"kept-{key}": f"{100 * left[b].mean():.0f}" for key, b in (_BASES | {"split": SPLIT}).items()},
    }
    for name, key in (("pocket-gpt2", "gpt2"), ("pocket-pythia", "pythia")):
        found |= {f"{key}-first-{basis}": f"{models[name]['correct'][b, first]:.2f}" for basis, b in _BASES.items()}
    return found


def sample_numbers(small: Result, large: Result) -> dict[str, str]:
    """How much text the moments need, and of which kind."""
    sizes, texts = (large.info["config"][what] for what in ("sizes", "texts"))
    enough = max(int(np.argmax(result["size_same"].mean((1, 2, 3)) > 0.99)) for result in (small, large))
    return {
        "least": f"{sizes[0]:,}",
        "most": f"{sizes[-1]:,}",
        "enough": f"{sizes[enough]:,}",
        "lowest-shuffled": f"{large['text_same'][texts.index('shuffled')].min():.2f}",
        "mean-uniform": f"{large['text_same'][texts.index('uniform')].mean():.2f}",
    }
