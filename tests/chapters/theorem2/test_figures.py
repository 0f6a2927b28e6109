"""The figures of the chapter on Theorem 2 show what they are given."""

import numpy as np
import torch
from matplotlib.colors import to_hex

from svf_helpers.chapters.kit.style import KEY, OKABE_ITO, QUERY
from svf_helpers.chapters.theorem2.figures import bounds, random_dictionaries, used_room
from svf_helpers.theory import SILENT_ABOVE
from tests.refusals import refuses


def lines(axis) -> dict[str, np.ndarray]:
    return {line.get_label(): np.asarray(line.get_xydata()) for line in axis.lines}


def test_each_step_has_its_medians_and_its_name():
    shares = {"Wedin": np.array([[0.2, 0.9, 0.3], [0.4, 0.1, 0.5]]), "Weyl": np.array([[1.0] * 3, [0.5] * 3])}
    axis = used_room(np.array([0.1, 0.2]), shares).axes[0]
    drawn = {label: points.tolist() for label, points in lines(axis).items()}
    assert drawn == {r"sine of $\Vert\Delta\Vert/\sigma_1$ (Wedin)": [[0.1, 0.3], [0.2, 0.4]],
                     r"$1-\gamma$ of $\sigma_1$ (Weyl)": [[0.1, 1.0], [0.2, 0.5]]}


def test_the_sharp_bound_is_a_quarter_circle_and_theorem_2_ends_early():
    axis = bounds(np.array([0.6]), np.array([0.8])).axes[0]
    sharp, paper = lines(axis)["sharp bound (this book)"], lines(axis)["Theorem 2 (the paper)"]
    np.testing.assert_allclose((sharp**2).sum(1), 1)
    assert sharp[[0, -1], 0].tolist() == [0, 1]
    assert paper[-1, 0] == SILENT_ABOVE
    assert paper[-1, 1] < 0.05
    assert (paper[:, 1] <= np.sqrt(1 - paper[:, 0] ** 2) + 1e-12).all()
    assert np.asarray(axis.collections[0].get_offsets()).tolist() == [[0.6, 0.8]]


def test_dictionaries_are_coloured_by_their_dimensions():
    d, epsilons, measured = np.array([2, 10, 2, 3]), np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.9, 0.8, 0.7, 0.6])
    wide, corner = random_dictionaries(d, epsilons, measured).axes
    drawn = {group.get_label(): np.asarray(group.get_offsets()) for group in wide.collections}
    assert {name: points.tolist() for name, points in drawn.items()} == {
        "d = 10": [[0.2, 0.8]], "d = 3": [[0.4, 0.6]], "d = 2": [[0.1, 0.9], [0.3, 0.7]]}
    colours = {to_hex(group.get_facecolor()[0]).upper() for group in wide.collections}
    assert len(colours) == 3
    assert not colours & {QUERY, KEY}
    assert colours <= set(OKABE_ITO)
    assert corner.get_xlim() == (0, 0.2)


def test_more_dimensions_than_colours_are_refused():
    with refuses(ValueError, "dimensions", 5, 6):
        random_dictionaries(torch.arange(2, 8), torch.full((6,), 0.1), torch.full((6,), 0.9))
