"""Figures of rotary heads: the bands that features use (Figure 22), what changes with the offset, the counterweight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from svf_helpers.chapters.kit.style import (
    MARKERS,
    OKABE_ITO,
    SEQUENTIAL,
    Array,
    as_array,
    as_labels,
    colour_bar,
    house_style,
    new_figure,
)


def band_shares(
    query: Float[Array, "m bands"],
    key: Float[Array, "m bands"],
    *,
    query_labels: Sequence[str] | None = None,
    key_labels: Sequence[str] | None = None,
) -> Figure:
    """Share of each feature's head vector in each band, query and key side, as in Figure 22; numbers in the cells.

    Args:
        query: shares of the query features of interest, one row a pair; see :func:`svf_helpers.rope.band_energy`.
        key: the same for the key features.
        query_labels: names of the query features.
        key_labels: names of the key features.

    Raises:
        ValueError: for shapes that differ, or values outside [0, 1].

    Example:
        >>> figure = band_shares([[0.0, 1.0]], [[0.1, 0.9]])
        >>> [text.get_text() for text in figure.axes[1].texts]
        ['0.10', '0.90']
    """
    sides = [as_array(values, name, 2) for values, name in ((query, "query"), (key, "key"))]
    if sides[0].shape != sides[1].shape:
        raise ValueError(f"query and key must have one shape, got {sides[0].shape} and {sides[1].shape}")
    if min(side.min() for side in sides) < 0 or max(side.max() for side in sides) > 1 + 1e-4:
        raise ValueError("query, key: shares lie between 0 and 1")
    m, bands = sides[0].shape
    names = [as_labels(labels, m, "labels", "pair {}") for labels in (query_labels, key_labels)]
    with house_style():
        figure, axes = new_figure(1, 2, 1.3 + 0.36 * m)
        for axis, side, labels, title in zip(axes[0], sides, names, ("query side", "key side"), strict=True):
            image = axis.imshow(side, cmap=SEQUENTIAL, vmin=0, vmax=1, aspect="auto")
            for (row, band), value in np.ndenumerate(side):
                axis.text(band, row, f"{value:.2f}", ha="center", va="center", fontsize=8,
                          color="white" if value > 0.6 else "#1a1a1a")
            axis.set_xticks(range(bands))
            axis.set_yticks(range(m), labels)
            axis.set(xlabel="band $b$ (0 turns fastest)", title=title)
        colour_bar(figure, image, "share of squared length", shrink=0.9)
    return figure


def over_offsets(
    offsets: Float[Array, " K"],
    singular_values: Float[Array, "K m"],
    turns: Float[Array, "K m"],
    *,
    targets: Float[Array, "K m"] | None = None,
    labels: Sequence[str] | None = None,
) -> Figure:
    """Singular values (left) and how far their vectors have turned (right), against the offset; one line a pair.

    Args:
        offsets: query position minus key position, rising.
        singular_values: of the QK matrix at each offset.
        turns: degrees between a singular vector and the one it was at offset 0.
        targets: what each pair's score should be at each offset; its size is drawn as a dotted line.
        labels: names of the pairs.

    Raises:
        ValueError: for shapes that do not match, more than eight pairs, or values that are negative.

    Example:
        >>> figure = over_offsets([0, 1], [[2.0], [1.0]], [[0.0], [3.0]])
        >>> [axis.get_ylabel() for axis in figure.axes]
        ['singular value (logits)', 'turned by (degrees)']
    """
    at = as_array(offsets, "offsets", 1)
    panels = [as_array(values, name, 2) for values, name in ((singular_values, "singular_values"), (turns, "turns"))]
    wanted = None if targets is None else np.abs(as_array(targets, "targets", 2))
    shapes = {panel.shape for panel in panels} | ({wanted.shape} if wanted is not None else set())
    if len(shapes) > 1 or next(iter(shapes))[0] != len(at):
        raise ValueError(f"arrays of one shape [{len(at)} offsets, pairs] are needed, got {sorted(shapes)}")
    if min(panel.min() for panel in panels) < 0:
        raise ValueError("singular_values, turns: they cannot be negative")
    m = panels[0].shape[1]
    if m > len(OKABE_ITO):
        raise ValueError(f"at most {len(OKABE_ITO)} pairs can be told apart by colour, got {m}")
    names = as_labels(labels, m, "labels", "pair {}")
    with house_style():
        figure, axes = new_figure(1, 2, 2.9)
        for axis, panel, title in zip(
            axes[0], panels, ("singular value (logits)", "turned by (degrees)"), strict=True
        ):
            for k in range(m):
                axis.plot(at, panel[:, k], color=OKABE_ITO[k], label=names[k], marker=MARKERS[k], markersize=4,
                          markevery=(k, max(1, len(at) // 6)))
            axis.set(xlabel=r"offset $\Delta$", ylabel=title)
            axis.set_ylim(bottom=0)
        if wanted is not None:
            axes[0, 0].plot(at, wanted, color="#1a1a1a", linestyle=":", linewidth=1)
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=min(m, 4))
    return figure


def counterweight(slopes: Mapping[str, tuple[Float[Array, " E"], Float[Array, " E"]]]) -> Figure:
    """Slope of the cross-talk from bands 3 and 4 (across) against that from band 2 (up), one dot for two pairs.

    On the falling dotted line the two cancel; on the level line band 2 does nothing.

    Args:
        slopes: name of a kind of models -> slopes from bands 3 and 4, and from band 2, in logits per position.

    Raises:
        ValueError: for no kind or too many, or for slopes of different numbers.

    Example:
        >>> axis = counterweight({"cancels": ([1.0, 2.0], [-1.0, -2.0])}).axes[0]
        >>> axis.lines[0].get_ydata().tolist()
        [-1.0, -2.0]
    """
    if not 0 < len(slopes) <= len(OKABE_ITO):
        raise ValueError(f"slopes: between 1 and {len(OKABE_ITO)} kinds are needed, got {len(slopes)}")
    dots = {name: [as_array(each, f"slopes[{name!r}]", 1) for each in both] for name, both in slopes.items()}
    for name, (slow, second) in dots.items():
        if slow.shape != second.shape:
            raise ValueError(f"slopes[{name!r}]: as many of one as of the other, got {len(slow)} and {len(second)}")
    with house_style():
        figure, axes = new_figure(1, 1, 3.2, width=4.8)
        axis = axes[0, 0]
        for (name, both), marker, colour in zip(dots.items(), MARKERS, OKABE_ITO, strict=False):
            axis.plot(*both, marker, color=colour, markersize=5, label=name, alpha=0.8)
        axis.axline((0, 0), slope=-1, color="#808080", linestyle=":", linewidth=1)
        axis.axhline(0, color="#cccccc", linewidth=0.8, zorder=0)
        axis.set(xlabel="slope from bands 3 and 4 (logits per position)",
                 ylabel="slope from band 2 (logits per position)")
        axis.legend()
    return figure
