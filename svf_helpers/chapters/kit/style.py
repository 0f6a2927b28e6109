"""The house style of the book's figures: sizes, colours, and the checks that every figure makes of its input.

Nothing global changes at import. A figure is drawn inside :func:`house_style`, made by :func:`new_figure`, and comes
back as a plain ``matplotlib.figure.Figure`` that Jupyter shows exactly once.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Float, Num
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from PIL import Image

Array = torch.Tensor | np.ndarray  # what every figure takes

# Okabe and Ito's palette, which readers with any common form of colour blindness can tell apart (black comes last:
# it is kept for axes and for what is not data).
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
QUERY, KEY = OKABE_ITO[0], OKABE_ITO[1]
TARGET = "#000000"
GREY = "#6b6b6b"  # what a result is compared with: nulls, levels, guides
DIVERGING, SEQUENTIAL = "RdBu_r", "Blues"  # both are white at zero, so that "nothing there" looks the same everywhere
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")  # beside colours, for print in grey
WIDTH = 6.4  # inches: 704 pixels at DPI, the width of the book's text column
DPI = 110

_RC: Any = {  # matplotlib's own type of it lists every name that there is
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.facecolor": "white",
    "text.color": "#1a1a1a",
    "axes.edgecolor": "#4d4d4d",
    "axes.labelcolor": "#1a1a1a",
    "xtick.color": "#1a1a1a",
    "ytick.color": "#1a1a1a",
    "font.family": "DejaVu Sans",  # ships with matplotlib, so that figures come out the same on every machine
    "mathtext.fontset": "dejavusans",
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.labelsize": 9.5,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": plt.cycler(color=OKABE_ITO),
    "lines.linewidth": 1.6,
    "image.interpolation": "nearest",
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the book's style inside the ``with`` block; the reader's own matplotlib settings return after it.

    >>> import matplotlib as mpl
    >>> before = mpl.rcParams["figure.dpi"]
    >>> with house_style():
    ...     inside = mpl.rcParams["figure.dpi"]
    >>> inside, mpl.rcParams["figure.dpi"] == before
    (110.0, True)
    """
    with mpl.rc_context(_RC):
        yield


def new_figure(rows: int, columns: int, height: float, width: float = WIDTH, **options) -> tuple[Figure, np.ndarray]:
    """A figure of ``rows`` x ``columns`` axes, ``width`` x ``height`` inches, as ``(figure, axes [rows, columns])``.

    The figure is closed for pyplot at once: Jupyter would otherwise show it a second time at the end of the cell.

    Example:
        >>> figure, axes = new_figure(1, 2, height=3)
        >>> axes.shape, figure.get_size_inches().tolist()
        ((1, 2), [6.4, 3.0])
    """
    figure, axes = plt.subplots(rows, columns, figsize=(width, height), layout="constrained", squeeze=False, **options)
    plt.close(figure)
    _SmallPNG(figure)
    figure.get_layout_engine().set(wspace=0.05)
    return figure, axes


class _SmallPNG(FigureCanvasAgg):
    """Writes PNGs with a palette of 256 colours: a third of the size, and no difference that an eye can see.

    A notebook carries its figures as text, and a committed one must stay small.
    """

    def print_png(self, filename_or_obj, **_options):
        FigureCanvasAgg.draw(self)
        image = Image.fromarray(np.asarray(self.buffer_rgba())[..., :3])
        image = image.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        image.save(filename_or_obj, format="png", optimize=True, dpi=(self.figure.dpi, self.figure.dpi))


def as_array(values: object, name: str, ndim: int, *, finite: bool = True) -> np.ndarray:
    """``values`` (tensor on any device, array or nested list) as a float64 array of ``ndim`` dimensions.

    Raises ``ValueError`` for the wrong number of dimensions, an empty array, or values that are not finite.

    Example:
        >>> as_array([[1, 2], [3, 4]], "cosines", 2).tolist()
        [[1.0, 2.0], [3.0, 4.0]]
    """
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().double().numpy()
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != ndim or array.size == 0:
        raise ValueError(f"{name}: a non-empty array of {ndim} dimension(s) is needed, got shape {array.shape}")
    if finite and not np.isfinite(array).all():
        raise ValueError(f"{name}: {int((~np.isfinite(array)).sum())} value(s) are not finite; all must be numbers")
    return array


def as_cosines(values: object, name: str, ndim: int) -> np.ndarray:
    """Like :func:`as_array`, for cosines: values outside [-1, 1] by more than rounding raise ``ValueError``.

    Example:
        >>> as_cosines([0.5, 2.0], "cos_query", 1)
        Traceback (most recent call last):
        ...
        ValueError: cos_query: cosines lie in [-1, 1], got 2; divide by the vectors' lengths first
    """
    array = as_array(values, name, ndim)
    if np.abs(array).max() > 1 + 1e-4:
        worst = array.flat[np.abs(array).argmax()]
        raise ValueError(f"{name}: cosines lie in [-1, 1], got {worst:.4g}; divide by the vectors' lengths first")
    return array


def as_labels(labels: Sequence[str] | None, count: int, name: str, default: str) -> list[str]:
    """``labels`` as a list of ``count`` strings; ``default.format(k)`` for k = 1, 2, ... where none are given.

    Example:
        >>> as_labels(None, 2, "labels", "pair {}")
        ['pair 1', 'pair 2']
    """
    if labels is None:
        return [default.format(k + 1) for k in range(count)]
    labels = [str(label) for label in labels]
    if len(labels) != count:
        raise ValueError(f"{name}: {count} label(s) are needed, one for each series, got {len(labels)}")
    return labels


def step_axis(axis: Axes, steps: Num[Array, " K"]) -> None:
    """The x axis for these steps: linear where they are evenly spaced, else logarithmic with room for step 0.

    Example:
        >>> figure, axes = new_figure(1, 1, 2)
        >>> step_axis(axes[0, 0], np.array([0, 16, 20, 3600]))
        >>> axes[0, 0].get_xscale()
        'symlog'
    """
    at = as_array(steps, "steps", 1)
    gaps = np.diff(at)
    if len(gaps) and np.ptp(gaps) > 0:
        axis.set_xscale("symlog", linthresh=float(at[at > 0].min()), linscale=0.5)
        axis.set_xlim(left=-0.12 * float(at[at > 0].min()))
    axis.set_xlabel("training step")


def ranks_axis(axis: Axes, count: int, label: str) -> None:
    """Number the x axis by rank, 1 to ``count``, with at most about ten ticks.

    Example:
        >>> figure, axes = new_figure(1, 1, 2)
        >>> ranks_axis(axes[0, 0], 16, "rank")
        >>> axes[0, 0].get_xticks().tolist()
        [1, 3, 5, 7, 9, 11, 13, 15]
    """
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, count) if count / s <= 12)
    axis.set_xticks(range(1, count + 1, step) if step <= 2 else [1, *range(step, count + 1, step)])
    axis.set_xlabel(label)


def colour_bar(figure: Figure, image, label: str, shrink: float | None = None) -> Colorbar:
    """One colour bar for all panels drawn so far.

    Example:
        >>> figure, axes = new_figure(1, 1, 2)
        >>> colour_bar(figure, axes[0, 0].imshow(np.eye(2)), "|cosine|").ax.get_ylabel()
        '|cosine|'
    """
    axes = list(figure.axes)
    shrink = shrink or (0.85 if len(axes) == 1 else 0.62)
    return figure.colorbar(image, ax=axes, label=label, shrink=shrink, aspect=20)


def bars_by_rank(axis: Axes, terms: Float[np.ndarray, " m"], *, width: float, fontsize: float) -> int:
    """Bars of terms in the order of singular values, the largest in another colour with its rank, which is returned.

    Example:
        >>> figure, axes = new_figure(1, 1, 2)
        >>> bars_by_rank(axes[0, 0], np.array([1.0, -4.0, 2.0]), width=0.8, fontsize=8), len(axes[0, 0].patches)
        (2, 3)
    """
    top = int(np.abs(terms).argmax()) + 1
    ranks = range(1, len(terms) + 1)
    axis.bar(ranks, terms, width=width, color=[OKABE_ITO[1] if rank == top else OKABE_ITO[0] for rank in ranks])
    axis.axhline(0, color="#4d4d4d", linewidth=0.6)
    height = terms[top - 1]
    axis.annotate(f"{top}", (top, height), (0, 2 if height > 0 else -2 - fontsize), textcoords="offset points",
                  ha="center", fontsize=fontsize, color=OKABE_ITO[1])  # fmt: skip
    return top


def feature_order(first: list[int], n: int) -> list[int]:
    """The n features with those in ``first`` leading; ``ValueError`` if one is named twice or does not exist.

    Example:
        >>> feature_order([2, 0], 4)
        [2, 0, 1, 3]
    """
    if len(set(first)) != len(first) or not set(first) <= set(range(n)):
        raise ValueError(f"order: different features between 0 and {n - 1} are needed, got {first}")
    return first + [i for i in range(n) if i not in set(first)]


def feature_ticks(axis, shown: list[int], room: int = 20) -> None:
    """Every feature by its number where there is room, else every 2nd, 5th, 10th, ...

    Example:
        >>> figure, axes = new_figure(1, 1, 2)
        >>> feature_ticks(axes[0, 0].xaxis, [3, 1, 0, 2], room=2)
        >>> [label.get_text() for label in axes[0, 0].get_xticklabels()]
        ['3', '0']
    """
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, len(shown)) if len(shown) / s <= room)
    places = range(0, len(shown), step)
    axis.set_ticks(list(places), [str(shown[i]) for i in places])
    axis.set_tick_params(length=2, labelsize=7.5)
