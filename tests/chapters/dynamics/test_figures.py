"""What the figures of the chapter on dynamics show."""

import numpy as np
import torch

from svf_helpers.chapters.dynamics.figures import factors_of_logits, head_and_best_head, runs_side_by_side
from svf_helpers.chapters.dynamics.locking import LOCKED
from svf_helpers.chapters.kit.style import OKABE_ITO
from tests.refusals import refuses

STEPS = np.arange(0, 900, 100)
PAIRS = np.linspace(0, 1, 18).reshape(9, 2)


def test_each_run_has_a_panel_with_a_line_for_each_pair_and_the_level():
    figure = runs_side_by_side(STEPS, np.stack([PAIRS, -PAIRS[::-1]], 1), title=["seed 4", "seed 7"])
    first, second = figure.axes
    assert [axis.get_title() for axis in (first, second)] == ["seed 4", "seed 7"]
    assert np.allclose(first.lines[1].get_ydata(), PAIRS[:, 1])
    assert np.allclose(second.lines[0].get_ydata(), PAIRS[::-1, 0])  # without its sign
    assert first.lines[2].get_ydata()[0] == LOCKED
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["pair 1", "pair 2"]


def test_targets_are_dotted_where_the_logits_are_and_nowhere_else():
    values = torch.from_numpy(PAIRS)
    figure = factors_of_logits(
        STEPS, {"logit": 24 * values, "singular value": 12 * values}, torch.tensor([24.0, 21.0]))
    left, right = figure.axes
    assert [line.get_ydata()[0] for line in left.lines[2:]] == [24, 21]
    assert np.allclose(right.lines[0].get_ydata(), 12 * PAIRS[:, 0])
    assert len(right.lines) == 2
    assert left.get_xticks().tolist() == [0, 400, 800]


def test_dots_are_the_best_head_at_every_fourth_record_in_the_pairs_colour():
    axis = head_and_best_head(STEPS, PAIRS, PAIRS[::-1], until=600).axes[0]
    line, dots = axis.lines[1], axis.lines[3]
    assert np.allclose(line.get_ydata(), PAIRS[:, 1])
    assert dots.get_xdata().tolist() == [0, 400, 800]
    assert np.allclose(dots.get_ydata(), PAIRS[::-1][::4, 1])
    assert dots.get_color() == line.get_color() == OKABE_ITO[1]
    assert axis.get_xlim() == (0, 600)


def test_pairs_that_colours_cannot_tell_apart_are_refused():
    with refuses(ValueError, 9, 8):
        factors_of_logits(STEPS, {"logit": torch.zeros(9, 9)}, torch.ones(9))
