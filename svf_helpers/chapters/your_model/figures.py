"""The figure of the chapter on a model of the reader's own: where a head looks, and its terms beside their null."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from svf_helpers.chapters.kit.style import GREY, OKABE_ITO, Array, as_array, as_labels, house_style, new_figure

__all__ = ["term_picture"]

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

    Args:
        words: the tokens as text, at least those that the query sees.
        attention: of the query on each of them.
        key: which of them the terms are about.
        bases: name of a basis -> (terms, the same under rotations, from ``null_terms``).

    Raises:
        ValueError: for a key outside the tokens, no bases, or lengths that do not fit.

    Example:
        >>> figure = term_picture(["a", "b"], np.array([0.9, 0.1]), 0, {"plain": (np.eye(3)[0], np.eye(3))})
        >>> len(figure.axes)
        2
    """
    looks = as_array(attention, "attention", 1)
    labels = as_labels(list(words)[: len(looks)], len(looks), "words", "{}")
    if not 0 <= key < len(looks):
        raise ValueError(f"key = {key}: the tokens are 0 to {len(looks) - 1}")
    if not bases:
        raise ValueError("bases: at least one is needed")
    rows = {name: (as_array(t, name, 1), as_array(rotated, name, 2)) for name, (t, rotated) in bases.items()}
    for name, (terms, rotated) in rows.items():
        if rotated.shape[1] != len(terms):
            raise ValueError(f"{name}: {len(terms)} terms, but {rotated.shape[1]} under rotation")
    with house_style():
        figure, axes = new_figure(1 + len(rows), 1, 1.9 + 1.45 * len(rows))
        _looks(axes[0, 0], labels, looks, key)
        for axis, (name, (terms, rotated)) in zip(axes[1:, 0], rows.items(), strict=True):
            _terms(axis, name, terms, rotated)
        axes[-1, 0].set_xlabel("rank of the singular value")
    return figure


def _looks(axis: Axes, labels: list[str], looks: np.ndarray, key: int) -> None:
    first = max(0, len(looks) - FIT)
    places = np.arange(first, len(looks))
    axis.bar(places, looks[first:], width=0.8, color=[OKABE_ITO[1] if at == key else OKABE_ITO[0] for at in places])
    # a dollar sign would start a formula, and some start-of-text tokens are long
    shown = [labels[at].replace("$", r"\$") for at in places]
    shown = [word if len(word) <= 12 else word[:11] + "…" for word in shown]
    axis.set_xticks(places, shown, rotation=60, ha="right", rotation_mode="anchor", fontsize=7.5)
    axis.set(ylabel="attention", ylim=(0, None))


def _terms(axis: Axes, name: str, terms: np.ndarray, rotated: np.ndarray) -> None:
    m, top = len(terms), int(np.abs(terms).argmax())
    ranks = np.arange(1, m + 1)
    axis.bar(ranks, terms, width=0.75, color=[OKABE_ITO[1] if k == top else OKABE_ITO[0] for k in range(m)])
    by_chance = np.abs(rotated).mean(0)
    for side in (1, -1):
        label = "mean size under rotation" if side > 0 else None
        axis.step(ranks, side * by_chance, where="mid", color=GREY, linewidth=0.9, label=label)
    axis.axhline(0, color="#4d4d4d", linewidth=0.6)
    high, low = max(float(terms.max()), float(by_chance.max())), min(float(terms.min()), -float(by_chance.max()))
    room = (high - low) or 1.0
    axis.set_ylim(low - 0.15 * room, high + 0.25 * room)
    axis.annotate(f"{top + 1}", (top + 1, terms[top]), (0, 2 if terms[top] > 0 else -10), textcoords="offset points",
                  ha="center", fontsize=8, color=OKABE_ITO[1])  # fmt: skip
    axis.set_xticks(ranks if m <= 16 else [1, *range(m // 8, m + 1, m // 8)])
    axis.set_ylabel(f"{name},\nterms (logits)")
    axis.legend(loc="upper right", title=f"sum {terms.sum():.2g}", title_fontsize=8, fontsize=7.5, alignment="right")
