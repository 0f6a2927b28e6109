"""Figures over training steps: how vectors and features settle (Figure 3), when pairs lock, what a logit is made of."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from svf_helpers.chapters.kit.curves import _steps
from svf_helpers.chapters.kit.style import (
    MARKERS,
    OKABE_ITO,
    Array,
    as_array,
    as_cosines,
    as_labels,
    house_style,
    new_figure,
)

LOCKED = 0.9  # |cos| from which the book calls a vector locked in place


def dynamics(
    steps: Float[Array, " K"],
    vector_with_final: Float[Array, "K m"],
    feature_with_final: Float[Array, "K m"],
    vector_with_feature: Float[Array, "K m"],
    *,
    labels: Sequence[str] | None = None,
    log: bool = False,
) -> Figure:
    """How singular vectors and features settle during training, as in Figure 3: three panels over one axis of steps.

    One line for each pair of interest, by falling target; the dotted line is the |cos| of .9 from which a vector counts
    as locked. The signs of all cosines are dropped.

    Args:
        steps: training steps of the records, rising.
        vector_with_final: cosine of u_k with the final u_k (top panel).
        feature_with_final: cosine of the pair's query feature with its final direction (middle).
        vector_with_feature: cosine of u_k with that feature at the same step (bottom).
        labels: names of the m pairs; pair 1, 2, ... by default.
        log: a logarithmic axis of steps (linear below the first positive one, so that step 0 has a place).

    Raises:
        ValueError: for shapes that do not match, or more than eight pairs (more lines cannot be told apart).

    Example:
        >>> cosines = [[0.1, 0.2], [0.9, 0.3], [1.0, 1.0]]
        >>> len(dynamics([0, 100, 200], cosines, cosines, cosines).axes)
        3
    """
    at = _steps(steps)
    panels = {
        "$u_k$ with its\nfinal direction": as_cosines(vector_with_final, "vector_with_final", 2),
        "feature with its\nfinal direction": as_cosines(feature_with_final, "feature_with_final", 2),
        "$u_k$ with its\nfeature": as_cosines(vector_with_feature, "vector_with_feature", 2),
    }
    shapes = {panel.shape for panel in panels.values()}
    if len(shapes) > 1 or next(iter(shapes))[0] != len(at):
        raise ValueError(f"three arrays of one shape [{len(at)} steps, pairs] are needed, got {sorted(shapes)}")
    m = next(iter(shapes))[1]
    if m > len(OKABE_ITO):
        raise ValueError(f"at most {len(OKABE_ITO)} pairs can be told apart by colour, got {m}; pass fewer columns")
    names = as_labels(labels, m, "labels", "pair {}")
    with house_style():
        figure, axes = new_figure(3, 1, 5.2, sharex=True)
        for axis, (name, panel) in zip(axes[:, 0], panels.items(), strict=True):
            for k in range(m):
                axis.plot(at, np.abs(panel[:, k]), color=OKABE_ITO[k], label=names[k],
                          marker=MARKERS[k], markersize=3.5, markevery=(k * len(at) // (8 * m), max(1, len(at) // 8)))
            axis.axhline(LOCKED, color="#808080", linewidth=0.8, linestyle=":")
            axis.set(ylim=(0, 1.05), ylabel=f"|cosine| of\n{name}")
        axes[-1, 0].set_xlabel("training step")
        if log:
            axes[-1, 0].set_xscale("symlog", linthresh=max(1.0, float(at[at > 0].min())))
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=min(m, 4))
    return figure


def lock_times(
    times: Float[Array, "seeds m"],
    *,
    labels: Sequence[str] | None = None,
    total: int | None = None,
    xlabel: str = "training step at which |cosine| first passes 0.9",
) -> Figure:
    """When each pair locks: the step at which |cos| first passes .9, one dot a seed, the median as a bar.

    Args:
        times: training steps, NaN where a pair never locked.
        labels: names of the m pairs.
        total: the length of training. Pairs that never locked are drawn there as open circles and counted, so it is
            needed if there are any.
        xlabel: what the steps are, where they are not first crossings.

    Raises:
        ValueError: for negative steps, NaN without ``total``, or a lock after the end of training.

    Example:
        >>> figure = lock_times([[900.0, 2000.0], [1100.0, float("nan")]], total=5000)
        >>> figure.axes[0].texts[0].get_text()
        '1 of 2 never'
    """
    times = as_array(times, "times", 2, finite=False)
    if np.isinf(times).any() or (times < 0).any():
        raise ValueError("times: steps must be 0 or more, and NaN for a pair that never locked")
    never = np.isnan(times)
    if never.any() and total is None:
        raise ValueError(f"times: {int(never.sum())} pair(s) never locked (NaN); give total, the length of training")
    if total is not None and not never.all() and total < np.nanmax(times):
        raise ValueError(f"total: training of {total} steps is shorter than a lock at step {np.nanmax(times):.0f}")
    seeds, m = times.shape
    names = as_labels(labels, m, "labels", "pair {}")
    with house_style():
        figure, axes = new_figure(1, 1, 1.1 + 0.42 * m)
        axis = axes[0, 0]
        spread = np.linspace(-0.22, 0.22, seeds) if seeds > 1 else np.zeros(1)
        for k in range(m):
            colour = OKABE_ITO[k % len(OKABE_ITO)]
            seen = ~never[:, k]
            if seen.any():
                inside = times[seen, k]
                axis.plot([inside.min(), inside.max()], [k, k], color=colour, linewidth=5, alpha=0.25,
                          solid_capstyle="round")
                axis.scatter(inside, k + spread[seen], s=18, color=colour, zorder=3, linewidth=0)
            if seen.mean() > 0.5:  # the median over all seeds exists only if most of them locked
                middle = np.median(np.where(never[:, k], np.inf, times[:, k]))
                axis.plot([middle, middle], [k - 0.32, k + 0.32], color="#1a1a1a", linewidth=1.6)
            if not seen.all():
                axis.scatter(np.full((~seen).sum(), float(total)), k + spread[~seen], s=18, facecolor="white",
                             edgecolor=colour, zorder=3)
                axis.annotate(f"{(~seen).sum()} of {seeds} never", (total, k), xytext=(8, 0),
                              textcoords="offset points", va="center", fontsize=8, annotation_clip=False)
        axis.set_yticks(range(m), names)
        axis.set(ylim=(m - 0.5, -0.5), xlabel=xlabel)
        axis.set_xlim(left=0, right=None if total is None else total * 1.02)
        axis.grid(axis="x", color="#e5e5e5", linewidth=0.7)
        axis.set_axisbelow(True)
    return figure


def runs_side_by_side(
    steps: Float[Array, " K"], cosines: Float[Array, "K runs m"], *, title: Sequence[str] | None = None
) -> Figure:
    """|cos| of each pair with the vector of its rank, run by run, with the level from which a vector is locked.

    Args:
        steps: training steps of the records, rising.
        cosines: of each record, run and pair; signs are dropped.
        title: one for each run; run 1, 2, ... by default.

    Raises:
        ValueError: for shapes that do not match.

    Example:
        >>> figure = runs_side_by_side([0, 100], [[[0.1, 0.2], [0.3, 0.1]], [[0.9, 0.8], [0.9, 1.0]]])
        >>> [axis.get_title() for axis in figure.axes]
        ['run 1', 'run 2']
    """
    values = np.abs(as_cosines(cosines, "cosines", 3))
    titles = as_labels(title, values.shape[1], "title", "run {}")
    with house_style():
        figure, axes = new_figure(1, values.shape[1], 2.6, sharey=True)
        for k, axis in enumerate(axes[0]):
            _pair_lines(axis, steps, values[:, k])
            axis.axhline(LOCKED, color="#808080", linewidth=0.8, linestyle=":")
            axis.set(xlabel="training step", title=titles[k], ylim=(0, 1.05))
        axes[0, 0].set_ylabel("|cosine| with its vector")
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def factors_of_logits(
    steps: Float[Array, " K"], factors: Mapping[str, Float[Array, "K m"]], targets: Float[Array, " m"]
) -> Figure:
    """What each pair's logit is made of, one panel for each of ``factors``; the targets are dotted in the first.

    Args:
        steps: training steps of the records, rising.
        factors: title of a panel -> its values for each record and pair. The first are the logits themselves.
        targets: target logits.

    Raises:
        ValueError: for shapes that do not match, or no factor.

    Example:
        >>> logits, lengths = [[1.0, 1.0], [24.0, 21.0]], [[1.0, 1.0], [2.0, 2.0]]
        >>> figure = factors_of_logits([0, 100], {"logit": logits, "product of lengths": lengths}, [24.0, 21.0])
        >>> [len(axis.lines) for axis in figure.axes]  # two pairs, and two targets in the first panel
        [4, 2]
    """
    if not factors:
        raise ValueError("factors: at least the logits are needed")
    at = _steps(steps)
    with house_style():
        figure, axes = new_figure(1, len(factors), 2.7)
        for axis, (title, values) in zip(axes[0], factors.items(), strict=True):
            _pair_lines(axis, at, as_array(values, f"factors[{title!r}]", 2))
            axis.set(xlabel="training step", title=title, ylim=(0, None), xticks=np.linspace(at[0], at[-1], 3))
        for target in as_array(targets, "targets", 1):
            axes[0, 0].axhline(target, color="#808080", linewidth=0.8, linestyle=":")
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def head_and_best_head(
    steps: Float[Array, " K"], trained: Float[Array, "K m"], best: Float[Array, "K m"], *, until: int | None = None
) -> Figure:
    """|cos| of each query feature with the vector of its rank: of the trained head (lines) and of the best one (dots).

    Args:
        steps: training steps of the records, rising.
        trained: of each record and pair.
        best: the same for the best head that the features of the moment allow; every fourth record is drawn.
        until: the last step shown; all by default.

    Raises:
        ValueError: for shapes that do not match, or values that are no cosines.

    Example:
        >>> cosines = [[0.1, 0.2], [0.9, 0.8]]
        >>> figure = head_and_best_head([0, 100], cosines, cosines, until=100)
        >>> [line.get_marker() for line in figure.axes[0].lines]
        ['None', 'None', '.', '.']
    """
    at, dots = _steps(steps), np.abs(as_cosines(best, "best", 2))
    with house_style():
        figure, ((axis,),) = new_figure(1, 1, 3.2)
        _pair_lines(axis, at, np.abs(as_cosines(trained, "trained", 2)))
        if dots.shape != (len(at), len(axis.lines)):
            raise ValueError(f"best: {(len(at), len(axis.lines))} values are needed, as in trained, got {dots.shape}")
        for k in range(dots.shape[1]):
            axis.plot(at[::4], dots[::4, k], ".", color=OKABE_ITO[k], markersize=6, markerfacecolor="white")
        axis.set(xlabel="training step", ylabel="|cosine| with its vector", ylim=(0, 1.05),
                 xlim=(0, at[-1] if until is None else until))
        axis.legend(loc="lower right")
    return figure


def _pair_lines(axis: Axes, steps: Float[Array, " K"], values: Float[np.ndarray, "K m"]) -> None:
    """One line for each pair, in the pairs' colours; ``ValueError`` unless there is a value for each step."""
    at = _steps(steps)
    if len(values) != len(at) or values.shape[1] > len(OKABE_ITO):
        raise ValueError(f"{len(at)} steps and at most {len(OKABE_ITO)} pairs can be drawn, got {values.shape}")
    for k in range(values.shape[1]):
        axis.plot(at, values[:, k], color=OKABE_ITO[k], label=f"pair {k + 1}")
