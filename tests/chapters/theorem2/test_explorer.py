"""The stretched plane: its numbers against the definition, its frames against its numbers, and its page."""

import math

import pytest
import torch

from svf_helpers.chapters.theorem2.explorer import (
    stretched_plane,
    stretched_plane_frame,
    stretched_plane_frames,
)
from svf_helpers.theory import SILENT_ABOVE
from tests.html_reader import Reader

# ---- the science


@pytest.mark.parametrize("delta", [0.0, 0.2, 3.0, 50.0])
@pytest.mark.parametrize("direction", [0.0, 17.0, 45.0, 90.0])
def test_numbers_follow_from_the_features(delta, direction):
    plane = stretched_plane(delta, direction)
    W = plane.features
    C = W @ W.T
    eigenvalues = torch.linalg.eigvalsh(C)
    assert float(eigenvalues.mean()) == pytest.approx(1)
    assert float(eigenvalues[1] / eigenvalues[0]) == pytest.approx(1 + delta) == plane.kappa
    assert float(torch.linalg.matrix_norm(C - torch.eye(2), 2)) == pytest.approx(plane.epsilon, abs=1e-12)
    u = torch.linalg.solve(C, W[:, 0])
    assert torch.allclose(u / u.norm(), plane.u)
    assert torch.allclose(W[:, 0] / W[:, 0].norm(), plane.anti_whitened)
    assert plane.cosine == pytest.approx(float(W[:, 0] @ u / (W[:, 0].norm() * u.norm())))
    assert plane.sharp == pytest.approx(math.sqrt(1 - plane.epsilon**2))
    assert plane.cosine >= max(plane.sharp, plane.theorem2) - 1e-12
    assert (plane.theorem2 > 0) == (plane.epsilon < SILENT_ABOVE)


def test_the_worst_direction_is_half_way_and_the_axes_are_harmless():
    for delta in (0.5, 8.0, 50.0):
        assert stretched_plane(delta, 45.0).cosine == pytest.approx(stretched_plane(delta, 45.0).sharp, abs=1e-12)
        assert stretched_plane(delta, 40.0).cosine > stretched_plane(delta, 40.0).sharp + 1e-4
        assert stretched_plane(delta, 0.0).cosine == pytest.approx(1)
        assert stretched_plane(delta, 90.0).cosine == pytest.approx(1)


# ---- its frames


def test_a_frame_shows_the_numbers():
    frame, plane = stretched_plane_frame(3, 30), stretched_plane(3, 30)
    for part, vector in (("f0", plane.features[:, 0]), ("f2", plane.features[:, 2]), ("u", plane.u),
                         ("anti", plane.anti_whitened)):
        turn = math.radians(-frame[part]["transform:rotate"])  # SVG turns clockwise
        drawn = torch.tensor([math.cos(turn), math.sin(turn)], dtype=torch.float64)
        assert float(drawn @ vector / vector.norm()) > 1 - 1e-5
    assert frame["ellipse"]["rx"] / frame["ellipse"]["ry"] == pytest.approx(2, abs=0.01)  # the root of kappa
    assert frame["say-cosine"]["text"] == f"{plane.cosine:.2f}"
    assert frame["measured"]["cy"] < frame["sharp"]["cy"]  # above the bound, and y points down


@pytest.mark.parametrize(
    ("setting", "words"),
    [((0, 20), "A tight frame"), ((5, 0), "however strong"), ((5, 90), "however strong"), ((5, 45), "is attained"),
     ((5, 20), "back on the feature")],
)
def test_the_note_says_what_is_special(setting, words):
    assert words in stretched_plane_frame(*setting)["say-note"]["text"]


def test_theorem_2_is_silent_where_it_is():
    assert stretched_plane_frame(0.2, 20)["say-paper"]["text"].startswith("cosine at least 0.9")
    assert stretched_plane_frame(0.6, 20)["say-paper"]["text"] == "silent"


# ---- the page


def test_the_page_is_small_and_has_every_frame():
    page = stretched_plane_frames().to_html()
    assert len(page.encode()) < 120_000
    assert {len(channel["values"]) for channel in Reader(page).channels()} == {304}


def test_sliders_move_the_live_picture():
    delta, direction, picture = stretched_plane_frames().live().children
    delta.value, direction.value = 8, 45
    assert "is attained" in picture.value
