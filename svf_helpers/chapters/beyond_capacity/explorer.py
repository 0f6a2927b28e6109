"""The explorer of the chapter beyond capacity: which pair has which singular vector, and what the head confuses.

Every frame is computed from the stored result ``beyond-capacity`` (paper, appendix E, Figure 23a): seed 0, as trained
or rewritten as a tight frame, which changes no logit. Nothing is trained or interpolated.
"""

import functools
from typing import NamedTuple

import numpy as np
import torch

from svf_helpers.alignment import vector_cosines
from svf_helpers.chapters.beyond_capacity.capacity import pair_logits, tight_frame, wrong_attention
from svf_helpers.chapters.kit import svg
from svf_helpers.chapters.kit.readout import readout, says
from svf_helpers.chapters.kit.scene import Frame, FrameExplorer, Slider, rounded
from svf_helpers.experiments import load
from svf_helpers.qk import qk_svd

OWN = 0.9  # |cos| on both sides from which a pair counts as lying on a vector


class CapacityState(NamedTuple):
    """Of N pairs: |cos| with each singular vector on both sides, sigma, logits between pairs, and wrong attention."""

    query: tuple[tuple[float, ...], ...]
    key: tuple[tuple[float, ...], ...]
    S: tuple[float, ...]
    logits: tuple[tuple[float, ...], ...]
    wrong: tuple[tuple[float, ...], ...]

    @property
    def vectors(self) -> tuple[int, ...]:
        """For each pair the vector, counted from 1, on which both its features lie (|cos| above .9); 0 for none."""
        both = np.minimum(self.query, self.key)
        return tuple(int(row.argmax()) + 1 if row.max() > OWN else 0 for row in both)


def capacity_state(pairs: float, lam: float, steps: float, frame: float) -> CapacityState:
    """What one stored head looks like.

    Args:
        pairs: number of pairs of interest; the head has 5 dimensions.
        lam: weight of the attention loss.
        steps: training steps.
        frame: 0 for the head as trained, 1 for the same head in the coordinates of a tight frame.

    Raises:
        ValueError: for a setting that was not run, or another frame.

    Example:
        >>> capacity_state(5, 4, 20_000, 0).vectors  # room for all
        (1, 2, 3, 4, 5)
    """
    stored = _stored()
    wanted = {"pairs": pairs, "lam": lam, "steps": steps, "seed": 0}
    found = np.flatnonzero(np.all([stored[name] == value for name, value in wanted.items()], axis=0))
    if not len(found):
        settings = "; ".join(f"{name}: {', '.join(f'{v:g}' for v in values)}" for name, values in _settings().items())
        raise ValueError(f"pairs = {pairs:g}, lam = {lam:g}, steps = {steps:g} was not run. Stored are {settings}")
    if frame not in (0, 1):
        raise ValueError(f"frame = {frame}: 0 (as trained) or 1 (tight frame)")
    model = [torch.tensor(stored[name][found[0]]).double() for name in ("W", "W_Q", "W_K")]
    W, W_Q, W_K = tight_frame(*model) if frame else model
    N, half = int(pairs), model[0].shape[-1] // 2
    svd = qk_svd(W_Q, W_K)
    M = pair_logits(W, W_Q, W_K, [(k, k + half) for k in range(N)])
    sides = (vector_cosines(W[:, at : at + N], vectors) for at, vectors in ((0, svd.U), (half, svd.V)))
    query, key, logits, wrong = (tuple(map(tuple, each.tolist())) for each in (*sides, M, wrong_attention(M)))
    return CapacityState(query, key, tuple(svd.S.tolist()), logits, wrong)


def capacity_frame(pairs: float, lam: float, steps: float, frame: float) -> Frame:
    """What the picture shows at one setting: the numbers of :func:`capacity_state`, as attributes and words.

    Example:
        >>> capacity_frame(5, 4, 20_000, 0)["query-2-2"]
        {'fill-opacity': 1}
    """
    state, shown = capacity_state(pairs, lam, steps, frame), {}
    N, most, r = int(pairs), int(_settings()["pairs"][-1]), len(state.S)
    for name, values, width in (("query", state.query, r), ("key", state.key, r), ("wrong", state.wrong, most)):
        for i in range(most):
            for j in range(width):
                value = values[i][j] if i < N and j < len(values[i]) else 0.0
                shown[f"{name}-{i}-{j}"] = {"fill-opacity": rounded(value, 2)}
        across = N if name == "wrong" else width
        shown[f"{name}-edge"] = {"height": N * _CELL, "width": across * _CELL}
    vectors = state.vectors
    own = [k + 1 for k, v in enumerate(vectors) if v and vectors.count(v) == 1]
    shared = [k + 1 for k, v in enumerate(vectors) if v and vectors.count(v) > 1]
    target = lambda k: int(_first_target()) - k  # noqa: E731
    first, last = (f"{state.logits[k][k]:.1f} of {target(k)}" for k in (0, N - 1))
    half = sum(value >= 0.5 for row in state.wrong for value in row)
    return shown | says(own=_list(own), shared=_list(shared), sigma=", ".join(f"{value:.1f}" for value in state.S),
                        first=first, last=last, wrong=f"{half} of {N * (N - 1)}")


def capacity_frames() -> FrameExplorer:
    """Vectors and confusions for every stored number of pairs, for a page without a kernel. End a cell with the call.

    Example:
        >>> capacity_frames()
        <FrameExplorer 'More pairs than dimensions', 48 frames>
    """
    at = _settings()
    most = int(at["pairs"][-1])
    sliders = (
        Slider("pairs", f"pairs of interest (head dimension {_stored()['summary_S'].shape[-1]})", at["pairs"], most),
        Slider("lam", "weight λ of the attention loss", at["lam"], at["lam"][-1]),
        Slider("steps", "training steps", at["steps"], at["steps"][0]),
        Slider("frame", "coordinates", (0, 1), 0, words={0: "as trained", 1: "tight frame"}),
    )
    return FrameExplorer("More pairs than dimensions", sliders, _picture(), capacity_frame, readout=_READOUT)


def capacity_explorer():
    """The same explorer with ipywidgets, where a kernel runs.

    Example:
        >>> type(capacity_explorer()).__name__
        'VBox'
    """
    return capacity_frames().live()


_CELL, _TOP = 20, 40
_READOUT = readout(
    "Pairs with a vector to themselves: {own}. Pairs that share one: {shared}. (On a vector: |cos| above .9 on both "
    "sides.) Singular values {sigma}.",
    "Logit of the first pair {first}, of the last {last}. The wrong key draws half of the attention or more in {wrong} "
    "cases.",
)


@functools.cache
def _stored():
    return load("beyond-capacity")


@functools.cache
def _settings() -> dict[str, tuple[int, ...]]:
    """The values of each slider, whole numbers all of them."""
    return {name: tuple(int(v) for v in np.unique(_stored()[name])) for name in ("pairs", "lam", "steps")}


def _first_target() -> int:
    return _stored()["W"].shape[-1] + 1


def _list(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"


@functools.cache
def _picture() -> str:
    most, r = int(_settings()["pairs"][-1]), _stored()["summary_S"].shape[-1]
    pairs, vectors = ([str(k + 1) for k in range(size)] for size in (most, r))
    foot, parts = _TOP + most * _CELL + 20, []
    for name, left, columns, colour, title, across in (
        ("query", 70, vectors, svg.BLUE, "|cos|, query side", "vector u"),
        ("key", 250, vectors, svg.ORANGE, "|cos|, key side", "vector v"),
        ("wrong", 450, pairs, svg.PURPLE, "attention on the wrong key", "key of pair"),
    ):
        look = lambda i, j, name=name, colour=colour: {  # noqa: E731
            "part": f"{name}-{i}-{j}", "width": _CELL - 1, "height": _CELL - 1, "fill": colour}
        middle = left + len(columns) * _CELL / 2
        parts += [svg.words(middle, 16, title), svg.words(middle, foot, f"{across} (rows: pairs)"),
                  svg.matrix(left, _TOP, _CELL, pairs, columns, look),
                  svg.element("rect", part=f"{name}-edge", x=left - 1, y=_TOP - 1, fill="none", stroke="currentColor")]
    return svg.picture(foot + 10, parts)
