"""The explorer of the chapter on anisotropy: four measures of alignment as a dictionary is stretched (paper, C.3).

Every frame is read off the stored result ``anisotropy``; nothing is trained or interpolated.
"""

import functools
from typing import NamedTuple

from svf_helpers.chapters.kit import svg
from svf_helpers.chapters.kit.readout import readout, says
from svf_helpers.chapters.kit.scene import Frame, FrameExplorer, Slider
from svf_helpers.experiments import Result, load

MEASURES = ("all_columns", "signal_columns", "anti_whitened", "whitened")
NAMES = ("plain, all columns", "plain, σ > 0", "anti-whitened", "whitened SVD")
COLOURS = (svg.BLUE, svg.ORANGE, svg.GREEN, svg.PURPLE)


class DeltaState(NamedTuple):
    """|cos| of each measure for four pairs (mean of query and key side), and the best columns with sigma of 0, of 8."""

    cosines: tuple[tuple[float, ...], ...]
    unused: int


def delta_state(delta: float, direction: int) -> DeltaState:
    """What the stored heads say at one of the stored stretches and one of the five directions v, counted from 1."""
    stored = _stored()
    at = stored["delta"].tolist().index(delta), direction - 1
    cosines = tuple(tuple(stored[f"summary_four_{name}"][at].mean(-1).tolist()) for name in MEASURES)
    return DeltaState(cosines, int((stored["picked_four"][at] >= 4).sum()))


def delta_frame(delta: float, direction: int) -> Frame:
    """What the picture shows at one setting: the numbers of :func:`delta_state`, as attributes and words."""
    state = delta_state(delta, direction)
    frame: Frame = {}
    for m, values in enumerate(state.cosines):
        for k, value in enumerate(values):
            frame[f"bar-{m}-{k}"] = _UP.bar(value)
        frame[f"mean-{m}"] = {"text": f"{sum(values) / len(values):.2f}"}
    return frame | says(delta=f"{delta:g}", unused=str(state.unused))


def delta_frames() -> FrameExplorer:
    """Four measures at every stored stretch, for a page without a kernel. End a cell with the call."""
    stored = _stored()
    deltas = tuple(int(value) if value == int(value) else value for value in stored["delta"].tolist())
    directions = tuple(range(1, len(stored["v"]) + 1))
    sliders = (Slider("delta", "stretch δ", deltas, 0), Slider("direction", "direction v", directions, 1))
    return FrameExplorer("Four ways to read one head", sliders, _picture(), delta_frame, readout=_READOUT)


_UP = svg.Scale(0, 1, 230, 30)
_READOUT = readout(
    "At δ = {delta} the maximum over all columns picks a column with σ = 0, which the head does not use, in {unused} "
    "of 8 cases."
)


@functools.cache
def _stored() -> Result:
    return load("anisotropy")


@functools.cache
def _picture() -> str:
    bars = (
        svg.column(f"bar-{m}-{k}", 73 + 162 * m + 32 * k, 26, colour, str(target), 246)
        for m, colour in enumerate(COLOURS) for k, target in enumerate((24, 21, 18, 15))
    )
    names = (
        svg.words(121 + 162 * m, 266, name, colour=colour)
        + svg.words(121 + 162 * m, 18, "mean " + svg.element("tspan", part=f"mean-{m}"))
        for m, (name, colour) in enumerate(zip(NAMES, COLOURS, strict=True))
    )
    titles = svg.words(39, 18, "|cos|", anchor="end") + svg.words(45, 246, "target", anchor="end")
    return svg.picture(280, svg.levels(_UP, (0, 0.25, 0.5, 0.75, 1), 45, 690), titles, bars, names)
