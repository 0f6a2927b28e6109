"""Pieces of SVG that the explorers' pictures are made of: words, lines, axes, bars, matrices, arrows, planes, curves.

Every function returns markup, and takes markup for what goes inside. ``part`` is the name by which a frame moves an
element (see ``kit.scene``). What has no colour of its own has that of the text around, in light pages and in dark ones.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from svf_helpers.chapters.kit.scene import rounded

# Each colour has a contrast of 3 or more with white, with the grey on which the theme sets output in its dark mode,
# and with near-black.
BLUE, ORANGE, GREEN, PURPLE, GREY = COLOURS = ("#0072B2", "#C24E00", "#00805F", "#9B4F96", "#6B6B6B")
SHARE_IN_WORDS = 60  # per cent of its colour in a coloured word; the rest is the text's, so that it can be read


class Scale(NamedTuple):
    """Where a value stands in a picture: ``low`` at pixel ``start``, ``high`` at pixel ``end``.

    Example:
        >>> up = Scale(0, 10, 200, 100)
        >>> up(2.5), up.bar(2.5)
        (175.0, {'y': 175, 'height': 25})
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (self.end - self.start) * (value - self.low) / (self.high - self.low)

    def bar(self, value: float) -> dict[str, float | str]:
        """The changes of a frame that make a ``rect`` a bar from 0 to ``value``, above the floor or below it."""
        height = rounded(abs(self(value) - self(0)))
        return {"y": rounded(self(0) - height if value > 0 else self(0)), "height": height}


def element(name: str, *inside: str | Iterable[str], part: str | None = None, **attributes: object) -> str:
    """One element; an attribute that is None is left out, and ``_`` in its name stands for ``-``.

    Example:
        >>> element("circle", part="dot", r=2.50, stroke_width=None, fill_opacity=0.3)
        '<circle data-part="dot" r="2.5" fill-opacity="0.3"/>'
        >>> element("g", (element("path", d=d) for d in ("M0 0", "M1 1")))
        '<g><path d="M0 0"/><path d="M1 1"/></g>'
    """
    given = {"data-part": part, **{key.replace("_", "-"): value for key, value in attributes.items()}}
    look = "".join(
        f' {key}="{value if isinstance(value, str) else f"{value:g}"}"' for key, value in given.items()
        if value is not None
    )
    content = "".join(piece if isinstance(piece, str) else "".join(piece) for piece in inside)
    return f"<{name}{look}>{content}</{name}>" if content else f"<{name}{look}/>"


def picture(height: float, *inside: str | Iterable[str]) -> str:
    """The whole picture, 700 pixels wide.

    Example:
        >>> picture(200, line(0, 0, 1, 1))[:28]
        '<svg viewBox="0 0 700 200"><'
    """
    return element("svg", *inside, viewBox=f"0 0 700 {height:g}")


def words(
    x: float | None, y: float | None, said: str = "", *, anchor: str = "middle", part: str | None = None,
    colour: str | None = None,
) -> str:
    """A word or two, with the middle of the line's foot (or its start, or end) at a place; coloured ones are bold.

    Example:
        >>> words(10, 20, "σ₁")
        '<text x="10" y="20" text-anchor="middle">σ₁</text>'
    """
    style = colour and f"fill:color-mix(in srgb, {colour} {SHARE_IN_WORDS}%, currentColor);font-weight:600"
    return element("text", said, part=part, x=x, y=y, text_anchor=anchor, style=style)


def line(
    x1: float | None, y1: float | None, x2: float | None, y2: float | None, *, colour: str = "currentColor",
    width: float | None = None, opacity: float | None = None, dash: str | None = None, cap: str | None = None,
    part: str | None = None,
) -> str:
    """A straight line; None for an end that the frames set.

    Example:
        >>> line(0, 0, 5, None, part="shaft", opacity=0.2)
        '<line data-part="shaft" x1="0" y1="0" x2="5" stroke="currentColor" stroke-opacity="0.2"/>'
    """
    return element("line", part=part, x1=x1, y1=y1, x2=x2, y2=y2, stroke=colour, stroke_width=width,
                   stroke_opacity=opacity, stroke_dasharray=dash, stroke_linecap=cap)


def curve(points: Iterable[tuple[float, float]]) -> str:
    """The ``d`` of a path through these points.

    Example:
        >>> curve([(0, 1), (2.04, 3)])
        'M0 1L2 3'
    """
    return "M" + "L".join(f"{rounded(x)} {rounded(y)}" for x, y in points)


def levels(
    up: Scale, values: Sequence[float] | Mapping[float, str], left: float, right: float, floor: float = 0
) -> str:
    """Horizontal lines at these values with their labels on the left; that at ``floor`` is the axis.

    Example:
        >>> levels(Scale(0, 1, 90, 10), {0: "0", 1: "all"}, 40, 140).count("<line")
        2
    """
    labels = values if isinstance(values, Mapping) else {value: f"{value:g}".replace("-", "−") for value in values}
    return "".join(
        line(left, up(value), right, up(value), opacity=1 if value == floor else 0.2)
        + words(left - 6, up(value) + 4, label, anchor="end") for value, label in labels.items()
    )


def ticks(across: Scale, values: Sequence[float] | Mapping[float, str], y: float) -> str:
    """Labels of a horizontal axis.

    Example:
        >>> ticks(Scale(0, 1, 40, 140), (0, 1), 90)
        '<text x="40" y="90" text-anchor="middle">0</text><text x="140" y="90" text-anchor="middle">1</text>'
    """
    labels = values if isinstance(values, Mapping) else {value: f"{value:g}".replace("-", "−") for value in values}
    return "".join(words(across(value), y, label) for value, label in labels.items())


def column(part: str, middle: float, width: float, colour: str | None, name: str = "", foot: float = 0) -> str:
    """A bar whose height the frames set (:meth:`Scale.bar`), and its name with its foot at ``foot``.

    Example:
        >>> column("bar", 50, 20, BLUE, "σ₁", 110)
        '<rect data-part="bar" x="40" width="20" fill="#0072B2"/><text x="50" y="110" text-anchor="middle">σ₁</text>'
    """
    bar = element("rect", part=part, x=middle - width / 2, width=width, fill=colour)
    return bar + (words(middle, foot, name) if name else "")


def matrix(
    left: float, top: float, side: float, rows: Sequence[str], columns: Sequence[str],
    look: Callable[[int, int], Mapping[str, Any]], *, below: bool = False,
) -> str:
    """Square cells with names of rows at the left and of columns above (or below); ``look`` gives a cell's attributes.

    Example:
        >>> matrix(50, 50, 20, ["f₁"], ["u₁", "u₂"], lambda i, j: {"part": f"cell-{i}-{j}"}).count("<rect")
        2
    """
    foot = top + len(rows) * side + 16 if below else top - 6
    cells = (
        element("rect", **{"x": left + j * side, "y": top + i * side, "width": side, "height": side, **look(i, j)})
        for i in range(len(rows)) for j in range(len(columns))
    )
    names = [words(left - 6, top + (i + 0.5) * side + 4, name, anchor="end") for i, name in enumerate(rows) if name]
    names += [words(left + (j + 0.5) * side, foot, name) for j, name in enumerate(columns) if name]
    return "".join([*cells, *names])


def plane(x: float, y: float, title: str, *inside: str | Iterable[str], circle: float | None = None) -> str:
    """A plane with its origin at a place: inside, coordinates count from there. ``circle`` is the radius of the unit.

    Example:
        >>> plane(100, 150, "queries", arrow(90), circle=90).startswith('<text x="100" y="20"')
        True
    """
    unit = element("circle", r=circle, fill="none", stroke="currentColor", stroke_opacity=0.25) if circle else ""
    return words(x, 20, title) + element("g", unit, *inside, transform=f"translate({x:g} {y:g})")


def arrow(length: float, colour: str = "currentColor", width: float = 2) -> str:
    """An arrow from the origin to the right; turn it with a ``g`` around it.

    Example:
        >>> arrow(90).count("<")
        2
    """
    return line(0, 0, length - 8, 0, colour=colour, width=width) + arrow_head(length, colour)


def arrow_head(tip: float, colour: str = "currentColor", part: str | None = None) -> str:
    """The head of an arrow that points to the right.

    Example:
        >>> arrow_head(90)
        '<path d="M90 0l-11 -5v10z" fill="currentColor"/>'
    """
    return element("path", part=part, d=f"M{tip:g} 0l-11 -5v10z", fill=colour)


def place(degrees: float, radius: float) -> dict[str, float]:
    """Where to put a word in a plane: a frame's changes for a direction, counter-clockwise, and a radius in pixels.

    Example:
        >>> place(90, 50)  # y points down, and letters stand on their foot
        {'x': 0, 'y': -46}
    """
    turn = math.radians(degrees)
    return {"x": rounded(radius * math.cos(turn)), "y": rounded(4 - radius * math.sin(turn))}
