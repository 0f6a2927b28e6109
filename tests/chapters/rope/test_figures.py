"""The figures of the chapter on RoPE draw what they are given."""

import numpy as np
import torch

from svf_helpers.chapters.rope.figures import band_shares, counterweight, over_offsets


def test_shares_stand_in_their_cells():
    query, key = np.array([[0.0, 1.0], [0.75, 0.25]]), np.array([[0.1, 0.9], [0.5, 0.5]])
    figure = band_shares(query, key, query_labels=["a", "b"], key_labels=["c", "d"])
    for axis, side, labels in zip(figure.axes, (query, key), (["a", "b"], ["c", "d"]), strict=False):
        assert {text.get_position(): text.get_text() for text in axis.texts} == {
            (band, row): f"{value:.2f}" for (row, band), value in np.ndenumerate(side)}
        assert [label.get_text() for label in axis.get_yticklabels()] == labels


def test_each_pair_has_a_line_and_the_size_of_its_target_is_dotted():
    sigma, turns = torch.tensor([[2.0, 1.0], [1.5, 0.5]]), torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    figure = over_offsets(torch.arange(2), sigma, turns, targets=torch.tensor([[2.0, 1.0], [1.5, -0.5]]),
                          labels=["a", "b"])
    left, right = figure.axes
    assert [list(line.get_ydata()) for line in left.lines] == [[2, 1.5], [1, 0.5], [2, 1.5], [1, 0.5]]
    assert [list(line.get_ydata()) for line in right.lines] == [[0, 3], [0, 4]]
    assert [line.get_linestyle() for line in left.lines] == ["-", "-", ":", ":"]


def test_dots_of_the_counterweight_lie_where_they_are_given():
    slopes = {"free": (torch.tensor([1.0, -2.0]), torch.tensor([-1.0, 2.0])), "taken": (torch.ones(1), torch.zeros(1))}
    axis = counterweight(slopes).axes[0]
    dots = {line.get_label(): line for line in axis.lines if line.get_label() in slopes}
    assert list(dots["free"].get_xdata()) == [1, -2]
    assert list(dots["taken"].get_ydata()) == [0]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["free", "taken"]
