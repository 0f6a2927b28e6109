"""The figure of the chapter on a model of the reader's own: where a head looks, and its terms beside their null."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from svf_helpers.chapters.kit.style import GREY, OKABE_ITO, Array, as_array, bars_by_rank, house_style, new_figure

FIT = 40  # tokens that have room for their words; of longer texts the last ones are shown


def term_picture(
    words: Sequence[str],
    attention: Float[Array, " tokens"],
    key: int,
    bases: Mapping[str, tuple[Float[Array, " m"], Float[Array, "draws m"]]],
) -> Figure:
    """Attention of one head from one query, and below it the terms at one key, a row for each basis.

    Bars are terms in the order of singular values, the largest orange with its rank. The grey steps are the mean sizes
    of terms under rotations of the same basis, on both sides of 0.

    ``words`` are the tokens as text, at least those that the query sees; each basis has its terms, and the same under
    rotations, from ``null_terms``.

    Example:
        >>> figure = term_picture(["a", "b"], np.array([0.9, 0.1]), 0, {"plain": (np.eye(3)[0], np.eye(3))})
        >>> len(figure.axes)
        2
    """
    with house_style():
        figure, axes = new_figure(1 + len(bases), 1, 1.9 + 1.45 * len(bases))
        _looks(axes[0, 0], words, as_array(attention, "attention", 1), key)
        for axis, (name, (terms, rotated)) in zip(axes[1:, 0], bases.items(), strict=True):
            _terms(axis, name, as_array(terms, name, 1), as_array(rotated, name, 2))
        axes[-1, 0].set_xlabel("rank of the singular value")
    return figure


def _looks(axis: Axes, words: Sequence[str], looks: Float[np.ndarray, " tokens"], key: int) -> None:
    first = max(0, len(looks) - FIT)
    places = range(first, len(looks))
    axis.bar(places, looks[first:], width=0.8, color=[OKABE_ITO[1] if at == key else OKABE_ITO[0] for at in places])
    # a dollar sign would start a formula, and some start-of-text tokens are long
    shown = [words[at].replace("$", r"\$") for at in places]
    shown = [word if len(word) <= 12 else word[:11] + "…" for word in shown]
    axis.set_xticks(places, shown, rotation=60, ha="right", rotation_mode="anchor", fontsize=7.5)
    axis.set(ylabel="attention", ylim=(0, None))


def _terms(axis: Axes, name: str, terms: Float[np.ndarray, " m"], rotated: Float[np.ndarray, "draws m"]) -> None:
    m = len(terms)
    ranks = np.arange(1, m + 1)
    by_chance = np.abs(rotated).mean(0)
    for side in (1, -1):
        label = "mean size under rotation" if side > 0 else None
        axis.step(ranks, side * by_chance, where="mid", color=GREY, linewidth=0.9, label=label)
    bars_by_rank(axis, terms, width=0.75, fontsize=8)
    high, low = max(float(terms.max()), float(by_chance.max())), min(float(terms.min()), -float(by_chance.max()))
    room = (high - low) or 1.0
    axis.set_ylim(low - 0.15 * room, high + 0.25 * room)
    axis.set_xticks(ranks if m <= 16 else [1, *range(m // 8, m + 1, m // 8)])
    axis.set_ylabel(f"{name},\nterms (logits)")
    axis.legend(loc="upper right", title=f"sum {terms.sum():.2g}", title_fontsize=8, fontsize=7.5, alignment="right")
