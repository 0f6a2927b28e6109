"""The figures draw what they were given, and refuse what they cannot draw."""

import io
import os
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from PIL import Image

from svf_helpers.chapters.kit.curves import training_curves
from svf_helpers.chapters.kit.figures import (
    alignment_and_spectrum,
    alignment_heatmap,
    cosine_heatmap,
    draw_spectrum,
    gram_heatmap,
)
from svf_helpers.chapters.kit.style import DPI, house_style, new_figure
from tests.refusals import refuses


def images(figure: Figure) -> list[np.ndarray]:
    """The data of the heat maps in a figure, colour bars left out."""
    found = [im for ax in figure.axes if ax.get_label() != "<colorbar>" for im in ax.get_children()]
    return [np.asarray(im.get_array()) for im in found if isinstance(im, AxesImage)]


def tick_labels(axis) -> list[str]:
    return [tick.get_text() for tick in axis.get_ticklabels()]


def offsets(axis) -> list[np.ndarray]:
    return [np.asarray(dots.get_offsets()) for dots in axis.collections]


@pytest.fixture
def cosines():
    """Four features of which 1 and 3 are antipodal to 0 and 2."""
    W = torch.tensor([[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]])
    return W.T @ W


def test_cosine_heatmap_shows_the_matrix(cosines):
    figure = cosine_heatmap(cosines, title="four features")
    (shown,) = images(figure)
    assert np.allclose(shown, cosines)
    axis = figure.axes[0]
    assert axis.images[0].get_clim() == (-1, 1)  # one colour means one cosine in every figure
    assert (axis.get_xlabel(), axis.get_ylabel(), axis.get_title()) == ("feature", "feature", "four features")
    assert figure.axes[-1].get_ylabel() == "cosine similarity"
    assert tick_labels(axis.xaxis) == ["0", "1", "2", "3"]


def test_cosine_heatmap_order_moves_rows_columns_and_labels(cosines):
    figure = cosine_heatmap(cosines, order=[3, 1])
    places = [3, 1, 0, 2]
    assert np.allclose(images(figure)[0], cosines[places][:, places])
    assert tick_labels(figure.axes[0].yaxis) == ["3", "1", "0", "2"]
    two = cosine_heatmap([cosines, cosines], order=[[3, 1], []])
    assert [tick_labels(axis.yaxis) for axis in two.axes[:2]] == [["3", "1", "0", "2"], ["0", "1", "2", "3"]]
    assert np.array_equal(images(two)[0], images(figure)[0])
    assert np.array_equal(images(two)[1], cosines.numpy())


def test_cosine_heatmap_marks_query_and_key_features_on_both_edges(cosines):
    figure = cosine_heatmap(cosines, {(0, 3): 24.0}, order=[3])  # feature 3 stands first, 0 second
    rows_query, columns_query, rows_key, columns_key = offsets(figure.axes[0])
    assert rows_query[:, 1] == columns_query[:, 0] == 1
    assert rows_key[:, 1] == columns_key[:, 0] == 0
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["query feature of interest", "key feature of interest"]


def test_cosine_heatmap_side_by_side(cosines):
    figure = cosine_heatmap([cosines, torch.eye(4)], title=["before", "after"])
    first, second = images(figure)
    assert np.allclose(first, cosines)
    assert np.allclose(second, np.eye(4))
    assert [ax.get_title() for ax in figure.axes[:2]] == ["before", "after"]


def test_ticks_of_a_hundred_features_do_not_crowd():
    axis = cosine_heatmap(torch.eye(100)).axes[0]
    assert tick_labels(axis.xaxis) == [str(i) for i in range(0, 100, 5)]


def test_gram_heatmap_is_centred_on_zero():
    C = torch.tensor([[2.0, -0.5], [-0.5, 1.0]])
    figure = gram_heatmap(C)
    assert np.allclose(images(figure)[0], C)
    assert figure.axes[0].images[0].get_clim() == (-2, 2)
    assert figure.axes[0].get_xlabel() == "coordinate"


def test_alignment_heatmap_drops_signs_and_marks_each_side():
    query = torch.tensor([[1.0, 0.0], [0.0, -1.0], [0.1, 0.2]])
    key = torch.tensor([[0.0, 0.3], [0.0, 0.0], [-1.0, 0.0]])
    figure = alignment_heatmap(query, key, pairs=[(0, 2)])
    left, right = figure.axes[:2]
    assert np.allclose(images(figure)[0], query.abs())
    assert np.allclose(images(figure)[1], key.abs())
    assert (left.get_title(), right.get_title()) == ("query side", "key side")
    assert offsets(left)[0][:, 1].tolist() == [0]
    assert offsets(right)[0][:, 1].tolist() == [2]
    assert len(left.collections) == len(right.collections) == 1
    assert list(left.images[0].get_extent()) == [0.5, 2.5, 2.5, -0.5]  # ranks count from 1, features from 0
    assert tick_labels(left.xaxis) == ["1", "2"]
    assert "u_k" in left.get_xlabel()
    assert "v_k" in right.get_xlabel()


def spectrum(*values):
    axis = new_figure(1, 1, 2)[1][0, 0]
    draw_spectrum(axis, *values)
    return axis


def test_spectrum_draws_bars_and_sorted_targets():
    axis = spectrum(torch.tensor([3.0, 2.0, 0.0]), [1.5, 2.5])
    assert [bar.get_height() for bar in axis.patches] == [3, 2, 0]
    assert offsets(axis)[0].tolist() == [[1, 2.5], [2, 1.5]]
    assert "logits" in axis.get_ylabel()
    assert axis.get_ylim()[0] == 0
    assert not spectrum(torch.ones(1)).collections


def test_alignment_and_spectrum_has_a_dot_for_each_feature():
    query, key, S = np.array([-0.9, 0.8]), np.array([0.7, 0.6]), np.array([3.0, 2.0, 0.0])
    figure = alignment_and_spectrum(query, key, S, [3, 2], labels=["(0,4)", "(1,5)"])
    left, right = figure.axes
    assert offsets(left)[0][:, 1].tolist() == [0.9, 0.8]
    assert offsets(left)[1][:, 1].tolist() == [0.7, 0.6]
    assert tick_labels(left.xaxis) == ["(0,4)", "(1,5)"]
    assert len(right.patches) == 3
    assert len(right.collections) == 1


def test_training_curves():
    losses = {"reconstruction": np.array([3.0, 2.0, 1.0]), "attention": np.array([1.0, 1.0, 0.5])}
    axis = training_curves([0, 1, 2], losses).axes[0]
    assert [line.get_label() for line in axis.lines] == ["reconstruction", "attention"]
    assert axis.lines[1].get_ydata().tolist() == [1.0, 1.0, 0.5]
    assert axis.get_yscale() == "log"


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: cosine_heatmap(torch.ones(2, 3)), ("cosines", (2, 3))),
        (lambda: cosine_heatmap(3 * torch.eye(2)), ("cosines", [-1, 1], 3)),
        (lambda: cosine_heatmap(torch.full((2, 2), torch.nan)), ("cosines", 4)),
        (lambda: cosine_heatmap(torch.eye(2), pairs=[(0, 2)]), ("pairs", 0, 1)),
        (lambda: cosine_heatmap(torch.eye(2), order=[0, 0]), ("order", [0, 0])),
        (lambda: cosine_heatmap([torch.eye(2)] * 2, order=[[0]]), ("order", 2, 1)),
        (lambda: cosine_heatmap([torch.eye(2)] * 2, title="one"), ("title", 2, 1)),
        (lambda: gram_heatmap(torch.tensor([[1.0, 2.0], [0.0, 1.0]])), ("gram",)),
        (lambda: alignment_heatmap(torch.zeros(3, 2), torch.zeros(2, 2)), ("cos_query", "cos_key", (3, 2), (2, 2))),
        (lambda: alignment_heatmap(torch.zeros(3), torch.zeros(3)), ("cos_query", 2, (3,))),
        (lambda: spectrum([1.0, 2.0]), ("singular_values",)),
        (lambda: spectrum([-1.0]), ("singular_values",)),
        (lambda: spectrum([1.0], [1.0, 2.0]), ("targets", 1, 2)),
        (lambda: alignment_and_spectrum([1.0], [1.0, 1.0], [1.0]), ("cos_query", "cos_key", 1, 2)),
        (lambda: alignment_and_spectrum([1.0], [1.0], [1.0], labels=["a", "b"]), ("labels", 1, 2)),
        (lambda: training_curves([0, 1], {"a": [1.0, 0.0]}), ("'a'", "log=False")),
        (lambda: training_curves([0, 1], {"a": [1.0]}), ("'a'", 2, 1)),
        (lambda: training_curves([1, 0], {"a": [1.0, 1.0]}), ("steps",)),
        (lambda: training_curves([0, 1], {}), ("losses", 8, 0)),
    ],
)
def test_bad_input_is_refused_by_name(call, told):
    with refuses(ValueError, *told):
        call()


def test_a_png_is_small_fits_the_column_and_keeps_its_colours(tmp_path):
    torch.manual_seed(0)
    noise = torch.rand(100, 100) * 0.4 - 0.2
    noise.fill_diagonal_(1)
    figure = cosine_heatmap(noise)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight")
    assert buffer.tell() < 40_000
    image = np.asarray(Image.open(buffer).convert("RGB"), dtype=int)
    assert image.shape[1] <= 720
    red = np.array(mpl.colormaps["RdBu_r"](1.0)[:3]) * 255
    assert (np.abs(image - red).max(-1) <= 6).sum() > 100
    assert (image[0, 0] == 255).all()


def test_style_leaves_the_readers_settings_alone():
    before = dict(mpl.rcParams)
    gram_heatmap(torch.eye(2))
    with house_style():
        assert mpl.rcParams["figure.dpi"] == DPI
    assert dict(mpl.rcParams) == before


def test_figures_do_not_pile_up_in_pyplot():
    import matplotlib.pyplot as plt

    gram_heatmap(torch.eye(2))
    assert plt.get_fignums() == []


def test_a_cell_that_ends_in_a_figure_shows_it_exactly_once(tmp_path):
    """In a real kernel, where the inline backend also shows what pyplot holds open."""
    code = """
import nbformat, nbclient
book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(
    "import numpy as np\\nfrom svf_helpers.chapters.kit.figures import gram_heatmap\\ngram_heatmap(np.eye(2))"),
    nbformat.v4.new_code_cell("_ = gram_heatmap(np.eye(3))")])
nbclient.NotebookClient(book, timeout=120, kernel_name="python3").execute()
shown = [[sorted(output.get("data", {})) for output in cell.outputs] for cell in book.cells]
assert shown == [[["image/png", "text/plain"]], []], shown
"""
    environment = {k: v for k, v in os.environ.items() if k != "MPLBACKEND"} | {"IPYTHONDIR": str(tmp_path)}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=180)
    assert result.returncode == 0, result.stderr[-2000:]
