"""A picture of features and singular vectors in two dimensions, where nothing has to be projected to be seen."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from svf_helpers.chapters.kit.style import KEY, QUERY, house_style, new_figure

OTHER = "#8c96a0"  # features that the head is not asked to read


def feature_plane(
    W: Float[Tensor, "panels 2 n"],
    u: Float[Tensor, "panels 2"],
    v: Float[Tensor, "panels 2"],
    pair: tuple[int, int],
    *,
    title: Sequence[str],
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
        ValueError: for a token dimension other than 2, or a pair outside the features.
    """
    if W.shape[1] != 2:
        raise ValueError(f"W [panels, 2, features] is needed, a plane of tokens to look at; got {tuple(W.shape)}")
    if any(not 0 <= i < W.shape[2] for i in pair):
        raise ValueError(f"pair: features run from 0 to {W.shape[2] - 1}, got {tuple(pair)}")
    reach = 1.25 * float(W.double().norm(dim=1).max())
    arrow = {"arrowstyle": "-|>", "linewidth": 2.2, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 12}
    solid: dict[str, Any] = {"linewidth": 2.2}
    dashed: dict[str, Any] = {"linewidth": 1.1, "linestyle": (0, (5, 3))}
    with house_style():
        figure, axes = new_figure(1, len(title), 3.5, width=3.2 * len(title))
        for axis, F, left, right, name in zip(axes[0], W, u, v, title, strict=True):
            for line, colour in ((left, QUERY), (right, KEY)):
                axis.axline((0, 0), line.tolist(), color=colour, **dashed)
            for i, (x, y) in enumerate(F.mT.tolist()):
                colour = {pair[0]: QUERY, pair[1]: KEY}.get(i, OTHER)
                axis.annotate("", (x, y), (0, 0), arrowprops=arrow | {"color": colour})
                along = np.array([x, y]) / max(np.hypot(x, y), 1e-9)
                beside = 6 * along + 9 * np.array([along[1], -along[0]])  # off the line that may run through the arrow
                axis.annotate(f"$f_{{{i}}}$", (x, y), beside, color=colour, textcoords="offset points", ha="center",
                              va="center")
            axis.set(xlim=(-reach, reach), ylim=(-reach, reach), title=name, aspect="equal",
                     xlabel="token coordinate 1")
        axes[0, 0].set_ylabel("token coordinate 2")
        named = {"query feature": solid | {"color": QUERY}, "$u_1$": dashed | {"color": QUERY},
                 "key feature": solid | {"color": KEY}, "$v_1$": dashed | {"color": KEY}}
        if W.shape[2] > 2:
            named["other features"] = solid | {"color": OTHER}
        handles = [Line2D([], [], label=name, **look) for name, look in named.items()]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def opening_picture() -> Figure:
    """The picture of the introduction and of the README: a head of two features, before and after training."""
    from svf_helpers.qk import qk_svd
    from svf_helpers.toy import ToyConfig, train

    config = ToyConfig(n=4, d=2, r=2, p=0.05, pairs={(0, 1): 4.0})
    history = train(config, steps=3000, seed=5, record=[0, 3000]).history
    assert history is not None  # it was asked to record
    U, _, V = qk_svd(history.W_Q[:, 0], history.W_K[:, 0])
    return feature_plane(
        history.W[:, 0], U[..., 0], V[..., 0], (0, 1), title=["before training", "after 3,000 steps"]
    )


if __name__ == "__main__":
    opening_picture().savefig("book/assets/one_pair.png", dpi=141)
