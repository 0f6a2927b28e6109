"""Figures of features and singular vectors: cosines, Gram matrices, spectra, and how the two align."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Real
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from svf_helpers.chapters.kit.style import (
    DIVERGING,
    KEY,
    QUERY,
    SEQUENTIAL,
    TARGET,
    WIDTH,
    Array,
    as_array,
    as_cosines,
    as_labels,
    colour_bar,
    feature_order,
    feature_ticks,
    house_style,
    new_figure,
    ranks_axis,
)

__all__ = ["alignment_and_spectrum", "alignment_heatmap", "cosine_heatmap", "draw_spectrum", "gram_heatmap"]


def cosine_heatmap(
    cosines: Float[Array, "n n"] | Sequence[Float[Array, "n n"]],
    pairs: Iterable[tuple[int, int]] = (),
    *,
    title: str | Sequence[str] | None = None,
    order: Iterable[int] | Sequence[Iterable[int]] = (),
) -> Figure:
    """Cosines between all features, as in Figures 1(a) to 1(c): red for +1, white for 0, blue for -1.

    Args:
        cosines: [n, n], or several such matrices to show side by side.
        pairs: (query feature, key feature) of interest, for instance ``config.pairs``: marked along the edges.
        title: one for each matrix.
        order: features to place first, in that order; the others follow by number. Or one such list for each matrix.

    Raises:
        ValueError: for matrices that are not square, values that are no cosines, features that do not exist.

    Example:
        >>> import torch
        >>> figure = cosine_heatmap(torch.eye(4), pairs=[(0, 1)], title="four orthogonal features")
        >>> figure.axes[0].get_xlabel()
        'feature'
    """
    panels = [as_cosines(c, "cosines", 2) for c in _panels(cosines)]
    titles = _titles(title, len(panels))
    pairs, orders = list(pairs), _orders(order, len(panels))
    with house_style():
        figure, axes = _side_by_side(len(panels), 4.3)
        for axis, panel, name, first in zip(axes[0], panels, titles, orders, strict=True):
            n = _square(panel, "cosines")
            shown = feature_order(first, n)
            image = axis.imshow(panel[np.ix_(shown, shown)], cmap=DIVERGING, vmin=-1, vmax=1)
            feature_ticks(axis.xaxis, shown, 20 // len(panels))
            feature_ticks(axis.yaxis, shown, 20 // len(panels))
            axis.set(xlabel="feature", ylabel="feature", title=name)
            _mark_features(axis, shown, pairs, both=True)
        colour_bar(figure, image, "cosine similarity").set_ticks([-1, -0.5, 0, 0.5, 1])
        if pairs:
            _mark_legend(figure)
    return figure


def gram_heatmap(
    gram: Float[Array, "d d"] | Sequence[Float[Array, "d d"]], *, title: str | Sequence[str] | None = None
) -> Figure:
    """The Gram matrix C = W W^T of the features, as in Figure 19; isotropic features give a multiple of the identity.

    Args:
        gram: [d, d], or several such matrices to show side by side on one colour scale, centred on zero.
        title: one for each matrix.

    Raises:
        ValueError: for a matrix that is not square or not symmetric.

    Example:
        >>> import torch
        >>> len(gram_heatmap([torch.eye(2), 2 * torch.eye(2)]).axes)  # two panels and the colour bar
        3
    """
    panels = [as_array(c, "gram", 2) for c in _panels(gram)]
    titles = _titles(title, len(panels))
    for panel in panels:
        _square(panel, "gram")
        if not np.allclose(panel, panel.T, atol=1e-4 * max(1.0, np.abs(panel).max())):
            raise ValueError("gram: C = W W^T is symmetric, the given matrix is not")
    limit = max(float(np.abs(p).max()) for p in panels) or 1.0
    with house_style():
        figure, axes = _side_by_side(len(panels), 3.6)
        for axis, panel, name in zip(axes[0], panels, titles, strict=True):
            image = axis.imshow(panel, cmap=DIVERGING, vmin=-limit, vmax=limit)
            feature_ticks(axis.xaxis, list(range(len(panel))), 20 // len(panels))
            feature_ticks(axis.yaxis, list(range(len(panel))), 20 // len(panels))
            axis.set(xlabel="coordinate", ylabel="coordinate", title=name)
        colour_bar(figure, image, r"entry of $C = WW^\top$")
    return figure


def alignment_heatmap(
    cos_query: Float[Array, "n r"], cos_key: Float[Array, "n r"], pairs: Iterable[tuple[int, int]] = ()
) -> Figure:
    """|cos| of every feature with every singular vector, query side (U) and key side (V), as in Figure 11.

    Args:
        cos_query: cosines of features and columns of U, by falling singular value. Signs are dropped: a singular
            vector's sign is arbitrary.
        cos_key: the same with the columns of V.
        pairs: (query feature, key feature) of interest, marked on the side where they are used.

    Raises:
        ValueError: for shapes that differ, values that are no cosines, features that do not exist.

    Example:
        >>> import torch
        >>> figure = alignment_heatmap(torch.eye(4)[:, :2], torch.eye(4)[:, 2:], pairs=[(0, 2), (1, 3)])
        >>> [axis.get_title() for axis in figure.axes[:2]]
        ['query side', 'key side']
    """
    sides = [np.abs(as_cosines(c, name, 2)) for c, name in ((cos_query, "cos_query"), (cos_key, "cos_key"))]
    if sides[0].shape != sides[1].shape:
        raise ValueError(f"cos_query and cos_key must have one shape, got {sides[0].shape} and {sides[1].shape}")
    n, r = sides[0].shape
    pairs = list(pairs)
    with house_style():
        figure, axes = new_figure(1, 2, float(np.clip(1.1 + 0.14 * n, 3.0, 5.2)))
        for side, (axis, panel) in enumerate(zip(axes[0], sides, strict=True)):
            extent = (0.5, r + 0.5, n - 0.5, -0.5)  # ranks start at 1, features at 0
            image = axis.imshow(panel, cmap=SEQUENTIAL, vmin=0, vmax=1, aspect="auto", extent=extent)
            feature_ticks(axis.yaxis, list(range(n)))
            ranks_axis(axis, r, f"rank $k$ of singular vector ${'uv'[side]}_k$")
            axis.set(ylabel="feature", title=("query side", "key side")[side])
            _mark_features(axis, list(range(n)), pairs, side=side)
        colour_bar(figure, image, "|cosine|", shrink=0.85)
        if pairs:
            _mark_legend(figure)
    return figure


def draw_spectrum(
    axis: Axes, singular_values: Float[Array, " r"], targets: Sequence[float] | Real[Array, " m"] | None = None
) -> None:
    """Singular values of the QK matrix as bars, with the pairs' target logits as diamonds (right half of Figure 2).

    Args:
        axis: where to draw, inside :func:`house_style`.
        singular_values: descending, in logits per unit of both features' strengths.
        targets: target logits, m <= r, in any order; they are drawn in descending order.

    Raises:
        ValueError: for values that are negative or not in descending order, or more targets than values.

    Example:
        >>> figure, axes = new_figure(1, 1, 2)
        >>> draw_spectrum(axes[0, 0], np.array([24.0, 21.0, 0.0]), targets=[24, 21])
        >>> len(axes[0, 0].patches)
        3
    """
    values = as_array(singular_values, "singular_values", 1)
    if (values < 0).any() or (np.diff(values) > 1e-4 * values.max()).any():
        raise ValueError("singular_values: they must be non-negative and in descending order, as an SVD returns them")
    wanted = None if targets is None else np.sort(as_array(targets, "targets", 1))[::-1]
    if wanted is not None and len(wanted) > len(values):
        raise ValueError(f"targets: at most one for each of the {len(values)} singular values, got {len(wanted)}")
    axis.bar(np.arange(1, len(values) + 1), values, width=0.75, color="#9aa5b1", label="singular value")
    if wanted is not None:
        size = 26 if len(wanted) <= 12 else 9
        axis.scatter(np.arange(1, len(wanted) + 1), wanted, s=size, marker="D", zorder=3, label="target logit",
                     facecolor="white", edgecolor=TARGET, linewidth=1.1)
        axis.legend()
    ranks_axis(axis, len(values), "rank $k$")
    axis.set_ylabel(r"singular value $\sigma_k$ (logits)")
    axis.set_ylim(bottom=0)


def alignment_and_spectrum(
    cos_query: Float[Array, " m"],
    cos_key: Float[Array, " m"],
    singular_values: Float[Array, " r"],
    targets: Sequence[float] | Real[Array, " m"] | None = None,
    *,
    labels: Sequence[str] | None = None,
) -> Figure:
    """Each feature of interest with the singular vector of its own rank, and the spectrum (Figures 2(a) and 2(b)).

    Args:
        cos_query: cos(f_i, u_k) of the k-th pair (i, j) by falling target; signs are dropped.
        cos_key: cos(f_j, v_k) of the same pairs.
        singular_values: descending.
        targets: target logits of the pairs.
        labels: names of the pairs, for the axis; their ranks by default.

    Raises:
        ValueError: for lengths that differ, values that are no cosines, or what :func:`draw_spectrum` refuses.

    Example:
        >>> query, key, S = np.array([1.0, 0.98]), np.array([0.99, 1.0]), np.array([24.0, 21.0, 0.0])
        >>> figure = alignment_and_spectrum(query, key, S, targets=[24, 21])
        >>> [axis.get_xlabel() for axis in figure.axes]
        ['pair of interest, by target', 'rank $k$']
    """
    query, key = (np.abs(as_cosines(c, name, 1)) for c, name in ((cos_query, "cos_query"), (cos_key, "cos_key")))
    if query.shape != key.shape:
        raise ValueError(f"cos_query and cos_key must have one length, got {len(query)} and {len(key)}")
    m = len(query)
    if labels is not None:
        labels = as_labels(labels, m, "labels", "{}")
    with house_style():
        figure, axes = new_figure(1, 2, 2.9)
        left, right = axes[0]
        ranks = np.arange(1, m + 1)
        # Side by side rather than one on the other: aligned pairs lie within a dot's width of each other.
        left.scatter(ranks - 0.14, query, s=30, color=QUERY, marker="o", label="query feature, $u_k$")
        left.scatter(ranks + 0.14, key, s=30, color=KEY, marker="s", label="key feature, $v_k$")
        ranks_axis(left, m, "pair of interest, by target")
        if labels is not None:
            left.set_xticks(ranks, labels)
        left.set(ylim=(0, 1.05), xlim=(0.4, m + 0.6) if m > 1 else (0, 2), ylabel="|cosine| with its singular vector")
        left.grid(axis="y", color="#e5e5e5", linewidth=0.7)
        left.set_axisbelow(True)
        left.legend(loc="lower center")
        draw_spectrum(right, singular_values, targets)
    return figure


def _panels(values: Array | Sequence[Array]) -> list[Array]:
    return [values] if isinstance(values, Array) else list(values)


def _titles(title: str | Sequence[str] | None, count: int) -> list[str]:
    if title is None:
        return [""] * count
    return as_labels([title] if isinstance(title, str) else title, count, "title", "{}")


def _orders(order: Iterable, count: int) -> list[list[int]]:
    """One order serves all panels; several must be as many as there are panels."""
    order = list(order)
    if not any(np.ndim(first) for first in order):
        return [order] * count
    if len(order) != count:
        raise ValueError(f"order: one list for each of the {count} matrices is needed, got {len(order)}")
    return [list(first) for first in order]


def _side_by_side(count: int, alone: float) -> tuple[Figure, np.ndarray]:
    """Panels for square matrices; a single one is ``alone`` inches high."""
    return new_figure(1, 1, alone, 5.2) if count == 1 else new_figure(1, count, 0.75 + 0.82 * WIDTH / count)


def _square(matrix: np.ndarray, name: str) -> int:
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"{name}: a square matrix is needed, got shape {matrix.shape}")
    return matrix.shape[0]


def _mark_features(axis: Axes, shown: list[int], pairs: list, both: bool = False, side: int | None = None) -> None:
    """Small markers outside the left (and top) edge beside the features of interest; circle: query, square: key."""
    features = {i for pair in pairs for i in pair}
    if not features <= set(shown):
        raise ValueError(f"pairs: features run from 0 to {len(shown) - 1}, got {sorted(features - set(shown))}")
    size = 16 if len(shown) <= 30 else 4
    for role, colour, marker in ((0, QUERY, "o"), (1, KEY, "s")):
        if side not in (None, role) or not pairs:
            continue
        at = np.array([shown.index(pair[role]) for pair in pairs], dtype=float)
        style: dict[str, Any] = {"s": size, "color": colour, "marker": marker, "clip_on": False, "linewidth": 0}
        axis.scatter(np.full(len(at), 1.03), at, transform=axis.get_yaxis_transform(), **style)
        if both:
            axis.scatter(at, np.full(len(at), 1.03), transform=axis.get_xaxis_transform(), **style)


def _mark_legend(figure: Figure) -> None:
    """Says below the panels what the markers of the features mean."""
    handles = [
        Line2D([], [], linestyle="", marker=marker, color=colour, markersize=5, label=f"{role} feature of interest")
        for role, colour, marker in (("query", QUERY, "o"), ("key", KEY, "s"))
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
