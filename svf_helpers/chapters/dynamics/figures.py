"""Figures over training steps: how vectors and features settle (Figure 3), when pairs lock, what a logit is made of."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from svf_helpers.chapters.dynamics.locking import LOCKED
from svf_helpers.chapters.kit.curves import as_steps
from svf_helpers.chapters.kit.style import MARKERS, OKABE_ITO, Array, as_array, house_style, new_figure

Steps = Int[Array, " K"] | Sequence[int]


def dynamics(
    steps: Steps,
    vector_with_final: Float[Array, "K m"],
    feature_with_final: Float[Array, "K m"],
    vector_with_feature: Float[Array, "K m"],
) -> Figure:
    """How singular vectors and features settle during training, as in Figure 3: three panels over one axis of steps.

    One line for each pair of interest, by falling target; the dotted line is the |cos| of .9 from which a vector counts
    as locked. The signs of all cosines are dropped.

    Args:
        steps: training steps of the records, rising.
        vector_with_final: cosine of u_k with the final u_k (top panel).
        feature_with_final: cosine of the pair's query feature with its final direction (middle).
        vector_with_feature: cosine of u_k with that feature at the same step (bottom).
    """
    panels = {
        "$u_k$ with its\nfinal direction": vector_with_final,
        "feature with its\nfinal direction": feature_with_final,
        "$u_k$ with its\nfeature": vector_with_feature,
    }
    with house_style():
        figure, axes = new_figure(3, 1, 5.2, sharex=True)
        for axis, (name, panel) in zip(axes[:, 0], panels.items(), strict=True):
            lines = _cosine_lines(axis, steps, panel)
            for k, line in enumerate(lines):
                count, m = len(line.get_xdata()), len(lines)
                line.set(marker=MARKERS[k], markersize=3.5, markevery=(k * count // (8 * m), max(1, count // 8)))
            axis.set_ylabel(f"|cosine| of\n{name}")
        axes[-1, 0].set_xlabel("training step")
        _legend(figure)
    return figure


def lock_times(
    times: Float[Array, "seeds m"],
    *,
    total: int | None = None,
    xlabel: str = "training step at which |cosine| first passes 0.9",
) -> Figure:
    """When each pair locks: one dot a seed, the median as a bar.

    Args:
        times: training steps, NaN where a pair never locked.
        total: the length of training. Pairs that never locked are drawn there as open circles and counted, so it is
            needed if there are any.
        xlabel: what the steps are, where they are not first crossings.
    """
    times = as_array(times, "times", 2, finite=False)
    if np.isinf(times).any() or (times < 0).any():
        raise ValueError("times: steps must be 0 or more, and NaN for a pair that never locked")
    never, (seeds, m) = np.isnan(times), times.shape
    end = np.inf if total is None else float(total)
    if never.any() and total is None:
        raise ValueError(f"times: {int(never.sum())} pair(s) never locked (NaN); give total, the length of training")
    if end < np.nanmax(times, initial=0):
        raise ValueError(f"total: training of {total} steps is shorter than a lock at step {np.nanmax(times):.0f}")
    with house_style():
        figure, ((axis,),) = new_figure(1, 1, 1.1 + 0.42 * m)
        spread = np.linspace(-0.22, 0.22, seeds)
        for k, colour in enumerate(OKABE_ITO[:m]):
            seen = ~never[:, k]
            inside, lost = times[seen, k], int(never[:, k].sum())
            if len(inside):
                axis.plot([inside.min(), inside.max()], [k, k], color=colour, linewidth=5, alpha=0.25,
                          solid_capstyle="round")
                axis.scatter(inside, k + spread[seen], s=18, color=colour, zorder=3, linewidth=0)
            if seen.mean() > 0.5:  # the median over all seeds exists only if most of them locked
                middle = np.median(np.where(seen, times[:, k], np.inf))
                axis.plot([middle, middle], [k - 0.32, k + 0.32], color="#1a1a1a", linewidth=1.6)
            if lost:
                axis.scatter(np.full(lost, end), k + spread[~seen], s=18, facecolor="white", edgecolor=colour, zorder=3)
                axis.annotate(f"{lost} of {seeds} never", (end, k), xytext=(8, 0), textcoords="offset points",
                              va="center", fontsize=8, annotation_clip=False)
        axis.set_yticks(range(m), [f"pair {k + 1}" for k in range(m)])
        axis.set(ylim=(m - 0.5, -0.5), xlabel=xlabel)
        axis.set_xlim(left=0, right=None if total is None else total * 1.02)
        axis.grid(axis="x", color="#e5e5e5", linewidth=0.7)
        axis.set_axisbelow(True)
    return figure


def runs_side_by_side(steps: Steps, cosines: Float[np.ndarray, "K runs m"], *, title: Sequence[str]) -> Figure:
    """|cos| of each pair with the vector of its rank, run by run, with the level from which a vector is locked."""
    with house_style():
        figure, axes = new_figure(1, len(title), 2.6, sharey=True)
        for k, (axis, name) in enumerate(zip(axes[0], title, strict=True)):
            _cosine_lines(axis, steps, cosines[:, k])
            axis.set(xlabel="training step", title=name)
        axes[0, 0].set_ylabel("|cosine| with its vector")
        _legend(figure)
    return figure


def factors_of_logits(
    steps: Steps, factors: Mapping[str, Float[Tensor, "K m"]], targets: Float[Tensor, " m"]
) -> Figure:
    """What each pair's logit is made of, one panel for each of ``factors``; the targets are dotted in the first.

    ``factors`` are values for each record and pair by the title of their panel, first of all the logits themselves.
    """
    with house_style():
        figure, axes = new_figure(1, len(factors), 2.7)
        for axis, (title, values) in zip(axes[0], factors.items(), strict=True):
            _pair_lines(axis, steps, values)
            axis.set(xlabel="training step", title=title, ylim=(0, None), xticks=np.linspace(steps[0], steps[-1], 3))
        for target in targets:
            _level(axes[0, 0], float(target))
        _legend(figure)
    return figure


def head_and_best_head(
    steps: Steps, trained: Float[np.ndarray, "K m"], best: Float[np.ndarray, "K m"], *, until: int
) -> Figure:
    """|cos| of each query feature with the vector of its rank: of the trained head (lines) and of the best one (dots).

    ``best`` is the best head that the features of the moment allow; every fourth record is drawn, up to step ``until``.
    """
    with house_style():
        figure, ((axis,),) = new_figure(1, 1, 3.2)
        _pair_lines(axis, steps, np.abs(trained))
        for dots, colour in zip(np.abs(best).T, OKABE_ITO, strict=False):
            axis.plot(steps[::4], dots[::4], ".", color=colour, markersize=6, markerfacecolor="white")
        axis.set(xlabel="training step", ylabel="|cosine| with its vector", ylim=(0, 1.05), xlim=(0, until))
        axis.legend(loc="lower right")
    return figure


def _pair_lines(axis: Axes, steps: Steps, values: Float[Array, "K m"]) -> list:
    """One line for each pair, in the pairs' colours; ``ValueError`` unless steps rise and there is a value for each."""
    at, values = as_steps(steps), as_array(values, "values", 2)
    if len(values) != len(at) or values.shape[1] > len(OKABE_ITO):
        raise ValueError(f"{len(at)} steps and at most {len(OKABE_ITO)} pairs can be drawn, got {values.shape}")
    return [axis.plot(at, line, color=OKABE_ITO[k], label=f"pair {k + 1}")[0] for k, line in enumerate(values.T)]


def _cosine_lines(axis: Axes, steps: Steps, values: Float[Array, "K m"]) -> list:
    """|cos| of each pair, and the level from which a vector is locked."""
    lines = _pair_lines(axis, steps, np.abs(as_array(values, "values", 2)))
    _level(axis, LOCKED)
    axis.set_ylim(0, 1.05)
    return lines


def _level(axis: Axes, height: float) -> None:
    axis.axhline(height, color="#808080", linewidth=0.8, linestyle=":")


def _legend(figure: Figure) -> None:
    """Names of the pairs above all panels."""
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
