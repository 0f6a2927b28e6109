"""Pieces of pictures: what they draw, and whether it can be seen on light pages and on dark ones."""

import re
from xml.etree import ElementTree

import pytest

from svf_helpers.chapters.kit.readout import readout, says, signed
from svf_helpers.chapters.kit.scene import FrameExplorer, Slider
from svf_helpers.chapters.kit.svg import (
    COLOURS,
    SHARE_IN_WORDS,
    Scale,
    arrow,
    column,
    curve,
    element,
    levels,
    matrix,
    picture,
    place,
    plane,
    ticks,
    words,
)

WHITE, GREY_OF_THE_THEME, BLACK = "#ffffff", "#ced6dd", "#121212"


def luminance(channels):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def channels(code):
    return [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("ground", [WHITE, GREY_OF_THE_THEME, BLACK])
def test_colours_stand_out_on_light_and_dark_pages(colour, ground):
    assert contrast(channels(colour), channels(ground)) >= 3


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(("ground", "text"), [(WHITE, "#323232"), (GREY_OF_THE_THEME, "#14181e"), (BLACK, "#ced6dd")])
def test_coloured_words_can_be_read_everywhere(colour, ground, text):
    (share,) = map(int, re.findall(rf"{colour} (\d+)%, currentColor", words(0, 0, "u", colour=colour)))
    assert share == SHARE_IN_WORDS
    mixed = [share / 100 * a + (1 - share / 100) * b for a, b in zip(channels(colour), channels(text), strict=True)]
    assert contrast(mixed, channels(ground)) >= 4.5


def test_bars_stand_on_the_floor_or_hang_from_it():
    up = Scale(-10, 10, 200, 100)
    assert up.bar(4) == {"y": 130, "height": 20}
    assert up.bar(-4) == {"y": 150, "height": 20}
    assert up.bar(0) == {"y": 150, "height": 0}
    assert up.bar(1.234)["y"] + up.bar(1.234)["height"] == 150


def drawn(*pieces):
    return list(ElementTree.fromstring(picture(100, *pieces)))


def test_levels_and_ticks_stand_at_their_values():
    up, across = Scale(0, 4, 90, 10), Scale(-1, 1, 40, 140)
    lines = [piece for piece in drawn(levels(up, (0, 2), 40, 140)) if piece.tag == "line"]
    assert [line.get("y1") for line in lines] == [line.get("y2") for line in lines] == ["90", "50"]
    assert [line.get("stroke-opacity") for line in lines] == ["1", "0.2"]
    labels = [(piece.get("x"), piece.text) for piece in drawn(ticks(across, (-1, 0, 1), 90))]
    assert labels == [("40", "−1"), ("90", "0"), ("140", "1")]


def test_cells_stand_in_rows_and_columns_under_their_names():
    look = lambda i, j: {"part": f"c{i}{j}", "width": 19}  # noqa: E731
    pieces = drawn(matrix(50, 30, 20, ["a", ""], ["x", "y", "z"], look))
    cells = {piece.get("data-part"): piece for piece in pieces if piece.tag == "rect"}
    assert len(cells) == 6
    assert [cells["c12"].get(key) for key in ("x", "y", "width", "height")] == ["90", "50", "19", "20"]
    names = {piece.text: (float(piece.get("x")), float(piece.get("y"))) for piece in pieces if piece.tag == "text"}
    assert names == {"a": (44, 44), "x": (60, 24), "y": (80, 24), "z": (100, 24)}
    below = drawn(matrix(50, 30, 20, ["a", ""], ["x"], look, below=True))
    assert [piece.get("y") for piece in below if piece.text == "x"] == ["86"]


def test_a_direction_is_drawn_counter_clockwise():
    assert place(0, 10) == {"x": 10, "y": 4}
    assert place(90, 10) == {"x": 0, "y": -6}
    assert curve([(0, 0), (1.26, -1)]) == "M0 0L1.3 -1"


def test_pieces_fit_together_into_a_picture_that_frames_move():
    drawing = picture(200, plane(100, 100, "a plane", element("g", arrow(80), part="turn"), circle=80),
                  (column(f"bar{k}", 300 + 50 * k, 20, COLOURS[k], f"σ{k}", 190) for k in range(2)))
    up = Scale(0, 9, 170, 20)
    render = lambda x: {"turn": {"transform:rotate": -x}, "bar1": up.bar(x)} | says(x=signed(-x))  # noqa: E731
    some = FrameExplorer("Both", [Slider("x", "x", (3, 6), 3)], drawing, render, readout=readout("It is {x}.", "{x}"))
    shown = some.frame_html(x=6)
    assert '<g data-part="turn" transform="rotate(-6)">' in shown
    assert shown.count('<span data-part="say-x">−6.0</span>') == 2
