"""What the figures of the chapter on superposition show."""

import pytest

from svf_helpers.chapters.superposition.figures import line_landscape, model_diagram
from tests.chapters.superposition.test_numbers import LENGTHS, two_valleys
from tests.refusals import refuses


def test_model_diagram_names_every_part():
    words = " ".join(text.get_text() for text in model_diagram().axes[0].texts)
    parts = "$W$", "t_q = Wx", "t_k = Wy", "W_Q", "W_K", "ReLU", "L_{rec}", "lambda", "L_{attn}", "T_{ij}", "softmax"
    for part in parts:
        assert part in words, part


def test_model_diagram_keeps_text_inside_its_boxes():
    figure = model_diagram()
    figure.canvas.draw()
    axis = figure.axes[0]
    boxes = [patch.get_window_extent() for patch in axis.patches if hasattr(patch, "get_boxstyle")]
    checked = 0
    for text in axis.texts:
        extent = text.get_window_extent()
        for box in boxes:
            if text.get_ha() == "center" and box.contains((extent.x0 + extent.x1) / 2, (extent.y0 + extent.y1) / 2):
                checked += 1
                assert box.x0 <= extent.x0 <= extent.x1 <= box.x1, text
                assert box.y0 <= extent.y0 <= extent.y1 <= box.y1, text
    assert checked >= 10


def test_the_picture_of_the_line_marks_minima_by_side_and_keeps_the_axes_apart():
    axis = line_landscape(LENGTHS, two_valleys(0.1, 0.15)).axes[0]
    marks = {line.get_marker(): (line.get_xdata()[0], line.get_ydata()[0]) for line in axis.lines}
    assert marks == {"x": pytest.approx((1, -1)), "o": pytest.approx((1, 0.5))}


def test_a_landscape_that_lies_above_all_colours_is_refused():
    with refuses(ValueError, "landscape", 0.5):
        line_landscape(LENGTHS, two_valleys(0.5, 0.5))
