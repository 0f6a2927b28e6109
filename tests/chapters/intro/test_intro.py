"""What the introduction shows: the check of a machine, and features and singular vectors in the plane."""

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from svf_helpers.chapters.intro.environment import LIVE, PACE, Machine, paper_seconds, report, this_machine
from svf_helpers.chapters.intro.figures import feature_plane
from svf_helpers.chapters.kit.style import KEY, QUERY
from svf_helpers.experiments.registry import discover
from tests.refusals import refuses

GOOD = Machine((3, 12, 1), "2.13.0+cpu", 8, 16.0, None, False, pace=PACE)


def changed(**fields) -> dict[str, str]:
    """The report's lines for a machine that differs from a good one, by their first word."""
    lines = report(Machine(**(GOOD.__dict__ | fields)), {"one_pair": 600.0, "dynamics": 7200.0})
    return {line.split()[0]: line for line in lines if line}


def test_a_good_machine_can_do_everything():
    lines = changed()
    assert lines["Python"].endswith("3.12.1, fine")
    assert lines["PyTorch"].endswith("2.13.0, fine")  # the build's label says nothing to a reader
    assert "8 cores, 16 GB" in lines["processor"]
    assert "none is needed" in lines["GPU"]
    assert lines["one_pair"].split()[1:] == ["within", "a", "minute", "about", "10", "minutes"]
    assert lines["dynamics"].endswith("about 2 hours")


@pytest.mark.parametrize(
    ("field", "value", "row", "says"),
    [
        ("python", (3, 9, 2), "Python", "3.9.2 is too old: the book needs 3.11 or newer"),
        ("python", (4, 0, 0), "Python", "fine"),
        ("torch", "2.5.1", "PyTorch", "2.5.1 is too old: the book needs 2.6 or newer"),
        ("torch", "2.10.0a0+git1", "PyTorch", "2.10.0a0, fine"),
        ("cores", 1, "processor", "1 core,"),
        ("memory", None, "processor", "8 cores"),
        ("gpu", 15.8, "GPU", "one with 16 GB"),
        ("language_models", True, "language", "is installed"),
        ("language_models", False, "language", "no transformer_lens"),
    ],
)
def test_each_property_has_its_words(field, value, row, says):
    assert says in changed(**{field: value})[row]


def test_times_follow_the_pace_but_promise_no_more_than_was_measured():
    slow, fast = changed(pace=4 * PACE), changed(pace=PACE / 10)
    assert "within 4 minutes" in slow["one_pair"]
    assert "about 40 minutes" in slow["one_pair"]
    assert fast["one_pair"] == changed()["one_pair"]
    assert LIVE == 60


def test_paper_scale_times_come_from_the_registry():
    """Every chapter with runs of its own is there, those that only a hub makes possible left out."""
    times, runs = paper_seconds(), list(discover().values())
    assert set(times) == {run.chapter for run in runs if not run.hub}
    assert list(times.values()) == sorted(times.values())
    assert times["beyond_capacity"] == sum(run.seconds["paper"] for run in runs if run.chapter == "beyond_capacity")


def test_this_machine_is_looked_at():
    machine = this_machine()
    assert machine.python >= (3, 11)
    assert machine.torch == torch.__version__
    assert machine.cores >= 1
    assert 0 < machine.pace < 1000
    assert len(report(machine, {})) == 7


def arrows(axis) -> dict[str, np.ndarray]:
    """Tips of the arrows in a panel, by colour."""
    drawn = [text for text in axis.texts if text.arrow_patch is not None]
    return {to_hex(text.arrow_patch.get_edgecolor()).upper(): np.array(text.xy) for text in drawn}


def test_feature_plane_draws_features_and_the_lines_of_both_vectors():
    W = torch.tensor([[[3.0, 0.0, -1.0], [0.0, 2.0, -1.0]], [[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]]])
    u, v = torch.tensor([[1.0, 0.0], [0.6, 0.8]]), torch.tensor([[0.0, 1.0], [-0.8, 0.6]])
    figure = feature_plane(W, u, v, pair=(1, 0), title=["early", "late"])
    early, late = figure.axes
    assert [axis.get_title() for axis in (early, late)] == ["early", "late"]
    assert arrows(early)[QUERY].tolist() == [0, 2]
    assert arrows(early)[KEY].tolist() == [3, 0]
    assert len(arrows(early)) == 3
    directions = {to_hex(line.get_color()).upper(): np.array(line.get_xy2()) for line in late.lines}
    assert np.allclose(directions[QUERY], u[1])
    assert np.allclose(directions[KEY], v[1])
    assert early.get_xlim() == late.get_ylim()  # one scale, so that lengths can be compared
    assert early.get_aspect() == 1
    assert [text.get_text() for text in figure.legends[0].get_texts()][-1] == "other features"
    assert len(feature_plane(W[:1, :, :2], u[:1], v[:1], (0, 1), title=["one"]).legends[0].get_texts()) == 4


@pytest.mark.parametrize(("shape", "pair", "told"), [((1, 3, 4), (0, 1), (3,)), ((1, 2, 4), (0, 4), ("pair", 3, 4))])
def test_feature_plane_refuses_what_it_cannot_draw(shape, pair, told):
    with refuses(ValueError, *told):
        feature_plane(torch.ones(shape), torch.ones(1, 2), torch.ones(1, 2), pair, title=["one"])
