"""A picture of features and singular vectors in two dimensions, where nothing has to be projected to be seen."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from svf_helpers.chapters.kit.style import KEY, QUERY, Array, as_array, as_labels, house_style, new_figure

OTHER = "#8c96a0"  # features that the head is not asked to read


def feature_plane(
    W: Float[Array, "P 2 n"],
    u: Float[Array, "P 2"],
    v: Float[Array, "P 2"],
    pair: tuple[int, int],
    *,
    title: Sequence[str] | None = None,
) -> Figure:
    """Features as arrows in the plane, with the lines of one left and one right singular vector, panel by panel.

    A singular vector is drawn as a whole line through the origin: its sign is arbitrary, its line is not.

    Args:
        W: one dictionary a panel, features as columns; token dimension 2.
        u: the left singular vector (query side) of each panel.
        v: the right one (key side).
        pair: (query feature, key feature) of interest; they get the colours of u and v.
        title: one for each panel.

    Raises:
        ValueError: for a token dimension other than 2, vectors that do not fit or have length 0, a pair outside the
            features.

    Example:
        >>> import torch
        >>> axes = torch.eye(2)
        >>> len(feature_plane(axes[None], axes[:1], axes[1:], pair=(0, 1)).axes)
        1
    """
    panels, lines = as_array(W, "W", 3), [as_array(u, "u", 2), as_array(v, "v", 2)]
    count, d, n = panels.shape
    if d != 2 or any(line.shape != (count, 2) for line in lines):
        raise ValueError(f"W [panels, 2, features] and u, v [panels, 2] are needed, got {panels.shape}, "
                         f"{lines[0].shape} and {lines[1].shape}")
    if any((np.linalg.norm(line, axis=1) == 0).any() for line in lines):
        raise ValueError("u and v: a vector of length 0 has no direction")
    if any(not 0 <= i < n for i in pair):
        raise ValueError(f"pair: features run from 0 to {n - 1}, got {tuple(pair)}")
    titles = [""] * count if title is None else as_labels(title, count, "title", "{}")
    reach = 1.25 * np.linalg.norm(panels, axis=1).max()
    colours = {pair[0]: QUERY, pair[1]: KEY}
    with house_style():
        figure, axes = new_figure(1, count, 3.5, width=3.2 * count)
        for k, axis in enumerate(axes[0]):
            for line, colour in zip(lines, (QUERY, KEY), strict=True):
                axis.axline((0, 0), line[k], color=colour, linewidth=1.1, linestyle=(0, (5, 3)))
            for i, (x, y) in enumerate(panels[k].T):
                colour = colours.get(i, OTHER)
                axis.annotate("", (x, y), (0, 0), arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 2.2,
                                                              "shrinkA": 0, "shrinkB": 0, "mutation_scale": 12})
                along = np.array([x, y]) / max(np.hypot(x, y), 1e-9)
                beside = 6 * along + 9 * np.array([along[1], -along[0]])  # off the line that may run through the arrow
                axis.annotate(f"$f_{{{i}}}$", (x, y), beside, color=colour,
                              textcoords="offset points", ha="center", va="center")
            axis.set(xlim=(-reach, reach), ylim=(-reach, reach), title=titles[k], aspect="equal",
                     xlabel="token coordinate 1", ylabel="token coordinate 2" if k == 0 else "")
        named = {"query feature": (QUERY, "-", 2.2), "$u_1$": (QUERY, (0, (5, 3)), 1.1),
                 "key feature": (KEY, "-", 2.2), "$v_1$": (KEY, (0, (5, 3)), 1.1)}
        if n > len(colours):
            named["other features"] = (OTHER, "-", 2.2)
        handles = [Line2D([], [], color=colour, linestyle=style, linewidth=width, label=name)
                   for name, (colour, style, width) in named.items()]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def opening_picture() -> Figure:
    """The picture of the introduction and of the README: a head of two features, before and after training."""
    from svf_helpers.qk import qk_svd
    from svf_helpers.toy import ToyConfig, train

    config = ToyConfig(n=4, d=2, r=2, p=0.05, pairs={(0, 1): 4.0})
    history = train(config, steps=3000, seed=5, record=[0, 3000]).history
    U, _, V = qk_svd(history.W_Q[:, 0], history.W_K[:, 0])
    return feature_plane(
        history.W[:, 0], U[..., 0], V[..., 0], (0, 1), title=["before training", "after 3,000 steps"]
    )


if __name__ == "__main__":
    opening_picture().savefig("book/assets/one_pair.png", dpi=141)
