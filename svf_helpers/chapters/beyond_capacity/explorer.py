"""The explorer of the chapter beyond capacity: which pair has which singular vector, and what the head confuses.

Every frame is computed from the stored result ``beyond-capacity`` (paper, appendix E, Figure 23a): seed 0, as trained
or rewritten as a tight frame, which changes no logit. Nothing is trained or interpolated.
"""

import functools
from typing import NamedTuple

import numpy as np

from svf_helpers.alignment import vector_cosines
from svf_helpers.chapters.beyond_capacity.capacity import wrong_attention
from svf_helpers.chapters.beyond_capacity.stored_heads import ON, Heads, stored_heads
from svf_helpers.chapters.kit import svg
from svf_helpers.chapters.kit.readout import readout, says
from svf_helpers.chapters.kit.scene import Frame, FrameExplorer, Slider, rounded
from svf_helpers.experiments import load
from svf_helpers.qk import qk_svd


class CapacityState(NamedTuple):
    """Of N pairs: |cos| with each singular vector on both sides, sigma, logits between pairs, and wrong attention."""

    query: list[list[float]]
    key: list[list[float]]
    S: list[float]
    logits: list[list[float]]
    wrong: list[list[float]]

    @property
    def vectors(self) -> list[int]:
        """For each pair the vector, counted from 1, on which both its features lie (|cos| above .9); 0 for none."""
        both = np.minimum(self.query, self.key)
        return [int(row.argmax()) + 1 if row.max() > ON else 0 for row in both]


def capacity_state(pairs: int, lam: float, steps: int, frame: int) -> CapacityState:
    """What one stored head looks like, as trained (``frame`` 0) or in the coordinates of a tight frame (1).

    Example:
        >>> capacity_state(5, 4, 20_000, 0).vectors  # room for all
        [1, 2, 3, 4, 5]
    """
    heads = _heads(frame)
    i, (query, key) = heads.find(lam, steps, pairs), map(list, zip(*heads.pairs[:pairs], strict=True))
    W, svd, M = heads.W[i], qk_svd(heads.W_Q[i], heads.W_K[i]), heads.logits()[i, :pairs, :pairs]
    on_u, on_v = vector_cosines(W[:, query], svd.U), vector_cosines(W[:, key], svd.V)
    return CapacityState(*(part.tolist() for part in (on_u, on_v, svd.S, M, wrong_attention(M))))


def capacity_frame(pairs: float, lam: float, steps: float, frame: float) -> Frame:
    """What the picture shows at one setting: the numbers of :func:`capacity_state`, as attributes and words.

    Example:
        >>> capacity_frame(5, 4, 20_000, 0)["query-2-2"]
        {'fill-opacity': 1}
    """
    N, heads, shown = round(pairs), _heads(0), Frame()
    state = capacity_state(N, lam, round(steps), round(frame))
    most, r = heads.counts[-1], heads.r
    for name, values, width in (("query", state.query, r), ("key", state.key, r), ("wrong", state.wrong, most)):
        for i, j in np.ndindex(most, width):
            value = values[i][j] if i < N and j < len(values[i]) else 0.0
            shown[f"{name}-{i}-{j}"] = {"fill-opacity": rounded(value, 2)}
        across = N if name == "wrong" else width
        shown[f"{name}-edge"] = {"height": N * _CELL, "width": across * _CELL}
    vectors = state.vectors
    own = [k + 1 for k, v in enumerate(vectors) if v and vectors.count(v) == 1]
    shared = [k + 1 for k, v in enumerate(vectors) if v and vectors.count(v) > 1]
    first, last = (f"{state.logits[k][k]:.1f} of {heads.targets[k]:g}" for k in (0, N - 1))
    half = sum(value >= 0.5 for row in state.wrong for value in row)
    return shown | says(own=_list(own), shared=_list(shared), sigma=", ".join(f"{value:.1f}" for value in state.S),
                        first=first, last=last, wrong=f"{half} of {N * (N - 1)}")


def capacity_frames() -> FrameExplorer:
    """Vectors and confusions for every stored number of pairs, for a page without a kernel. End a cell with the call.

    Example:
        >>> capacity_frames()
        <FrameExplorer 'More pairs than dimensions', 48 frames>
    """
    heads = _heads(0)
    lam, steps = (tuple(sorted({int(value) for value in values})) for values in zip(*heads.settings, strict=True))
    sliders = (
        Slider("pairs", f"pairs of interest (head dimension {heads.r})", tuple(heads.counts), heads.counts[-1]),
        Slider("lam", "weight λ of the attention loss", lam, lam[-1]),
        Slider("steps", "training steps", steps, steps[0]),
        Slider("frame", "coordinates", (0, 1), 0, words={0: "as trained", 1: "tight frame"}),
    )
    return FrameExplorer("More pairs than dimensions", sliders, _picture(), capacity_frame, readout=_READOUT)


_CELL, _TOP = 20, 40
_READOUT = readout(
    "Pairs with a vector to themselves: {own}. Pairs that share one: {shared}. (On a vector: |cos| above .9 on both "
    "sides.) Singular values {sigma}.",
    "Logit of the first pair {first}, of the last {last}. The wrong key draws half of the attention or more in {wrong} "
    "cases.",
)


@functools.cache
def _heads(frame: int) -> Heads:
    heads = stored_heads(load("beyond-capacity"))
    return heads.tight_frame() if frame else heads


def _list(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"


@functools.cache
def _picture() -> str:
    most = _heads(0).counts[-1]
    pairs, vectors = ([str(k + 1) for k in range(size)] for size in (most, _heads(0).r))
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
