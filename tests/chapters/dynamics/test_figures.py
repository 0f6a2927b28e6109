"""What the figures of the chapter on dynamics show."""

import numpy as np
import pytest
import torch

from svf_helpers.chapters.dynamics.figures import (
    dynamics,
    factors_of_logits,
    head_and_best_head,
    lock_times,
    runs_side_by_side,
)
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


def test_the_three_panels_of_figure_3_have_a_line_for_each_pair():
    steps = torch.arange(0, 50, 10)
    u, f, uf = (torch.rand(5, 2) for _ in range(3))
    figure = dynamics(steps, -u, f, uf)
    for axis, panel in zip(figure.axes, (u, f, uf), strict=True):
        for k in range(2):
            assert np.allclose(axis.lines[k].get_xydata(), torch.stack([steps, panel[:, k]], 1))
        assert axis.get_ylim() == (0, 1.05)
        assert "|cosine|" in axis.get_ylabel()
    assert figure.axes[-1].get_xlabel() == "training step"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["pair 1", "pair 2"]


def test_lock_times_shows_every_seed_the_median_and_those_that_never_locked():
    times = torch.tensor([[100.0, 300.0], [200.0, torch.nan], [300.0, 500.0]])
    axis = lock_times(times, total=1000).axes[0]
    dots = [np.asarray(found.get_offsets()) for found in axis.collections]
    assert dots[0][:, 0].tolist() == [100, 200, 300]
    assert dots[1][:, 0].tolist() == [300, 500]
    assert dots[2][:, 0].tolist() == [1000]
    medians = [line.get_xdata()[0] for line in axis.lines if line.get_xdata()[0] == line.get_xdata()[1]]
    assert medians == [200, 500]  # the middle of 300, 500 and never
    assert [text.get_text() for text in axis.texts] == ["1 of 3 never"]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["pair 1", "pair 2"]
    assert "0.9" in axis.get_xlabel()


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: dynamics([0, 1], torch.zeros(3, 1), torch.zeros(3, 1), torch.zeros(3, 1)), (2,)),
        (lambda: dynamics([1, 0], *[torch.zeros(2, 1)] * 3), ("steps",)),
        (lambda: dynamics([0, 1], *[torch.zeros(2, 9)] * 3), (8,)),
        (lambda: lock_times([[float("nan")]]), ("total",)),
        (lambda: lock_times([[50.0]], total=10), ("total", 10, 50)),
        (lambda: lock_times([[-1.0]]), ("times",)),
    ],
)
def test_bad_input_is_refused_by_name(call, told):
    with refuses(ValueError, *told):
        call()
