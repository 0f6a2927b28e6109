"""The figures of the chapter on Theorem 1 show what they are given."""

import numpy as np
import torch
from matplotlib.colors import to_hex

from svf_helpers.chapters.kit.style import QUERY
from svf_helpers.chapters.theorem1.figures import fits, moments, strict_fits
from svf_helpers.theory import SampleMoment

SAMPLE = SampleMoment(torch.tensor([[1.0, 2.0], [2.0, 3.0]]), torch.full((2, 2), 0.1))
FORMULA, WRONG = torch.tensor([[1.1, 2.1], [2.1, 3.1]]), torch.tensor([[5.0, 6.0], [6.0, 7.0]])


def dots(axis) -> list[np.ndarray]:
    return [np.asarray(group.get_offsets()) for group in axis.collections if len(group.get_offsets())]


def test_fits_are_where_their_numbers_are():
    errors = torch.tensor([[1e-15, 0.0], [1e-8, 1e-9]], dtype=torch.float64)
    raw, back = torch.tensor([[0.3, 0.5], [0.4, 0.6]]), torch.tensor([[1.0, 0.99], [0.98, 0.97]])
    left, right = fits(errors, raw, back, ["a", "b"]).axes
    np.testing.assert_allclose(dots(left)[0], [[1e-15, 0], [1e-17, 0], [1e-8, 1], [1e-9, 1]])  # 0 is drawn at the edge
    np.testing.assert_allclose([points[:, 0] for points in dots(right)], [raw.flatten(), back.flatten()])
    assert [label.get_text() for label in left.get_yticklabels()] == ["a", "b"]
    assert left.get_ylim() == (1.5, -0.5)  # the first setting is on top


def test_moments_are_drawn_on_and_above_the_diagonal():
    queries, keys = moments((SAMPLE, FORMULA), (SAMPLE, FORMULA), WRONG).axes
    np.testing.assert_allclose(dots(queries)[0], [[5, 1], [6, 2], [7, 3]])  # the wrong formula, hollow
    assert not [points for points in dots(keys) if len(points) == 3]
    np.testing.assert_allclose(queries.lines[1].get_xydata(), [[1.1, 1], [2.1, 2], [3.1, 3]])
    bars = queries.collections[-1].get_segments()
    np.testing.assert_allclose([bar[1, 1] - bar[0, 1] for bar in bars], 0.4)  # two errors to either side
    assert to_hex(queries.lines[1].get_color()).upper() == QUERY


def test_heads_of_the_strict_teacher_stand_at_their_number_of_features():
    names = ("query", "key", "ratio")
    heads = {n: dict(zip(names, torch.tensor(values)[:, None].double(), strict=True))
             for n, values in {7: (0.9, 0.99, 0.1), 18: (0.4, 0.98, 0.3)}.items()}
    left, right = strict_fits(heads, d=5).axes
    np.testing.assert_allclose([points[0, 1] for points in dots(left)], [0.9, 0.99, 0.4, 0.98])
    np.testing.assert_allclose([points[0, 1] for points in dots(right)], [0.1, 0.3])
    assert [label.get_text() for label in left.get_xticklabels()] == ["7", "18"]
    assert right.get_xlabel() == "features in 5 dimensions"
