"""The chapter on attention along training: its figures, and that it shows Pythia's own result once there is one."""

import json
import re
import shutil

import numpy as np

from svf_helpers.chapters.kit.style import new_figure, step_axis
from svf_helpers.chapters.sad_pythia.along import curves_along, running_mean
from svf_helpers.chapters.sad_pythia.figures import head_panels
from svf_helpers.experiments import cli, load
from svf_helpers.ioi import PYTHIA_HEADS
from svf_helpers.pocket import pocket_folder, revisions
from tests.executed_chapter import BOOK, executed
from tests.results import store_large

SOURCE = (BOOK / "sad_pythia.md").read_text()
STEPS = np.array([0, 1])


def large_result(folder):
    """A result as `run pythia-ioi` leaves it: Pythia's 154 checkpoints, the paper's heads of 64 dimensions; the numbers
    are made up, with terms that grow sparse and counts that fall."""
    K, H, P, m = 154, len(PYTHIA_HEADS), 6, 64
    steps = np.array([0, *(2**k for k in range(10)), *(1000 * k for k in range(1, K - 10))])
    rng = np.random.default_rng(0)
    falling = np.linspace(0.02, 1.5, K)[:, None, None, None]
    terms = rng.normal(size=(K, H, P, m)) * np.exp(falling * rng.normal(size=(K, H, P, m)))
    terms[..., 0] += terms.std(-1) * np.linspace(0, 40, K)[:, None, None]
    store_large(folder, "pythia-ioi", PYTHIA_HEADS, terms, bases=("weights", "whitened", "offset"),
                config={"model": "EleutherAI/pythia-160m", "prompts": P}, step=steps,
                correct=np.arange(K)[:, None] > np.full(P, K // 2),
                summary_logit_difference=np.linspace(-1, 5, K)[:, None] + np.zeros(P))


def test_without_pythias_result_the_chapter_shows_the_bundled_model_and_says_so(elsewhere, monkeypatch):
    glued, pictures = executed("sad_pythia", monkeypatch)
    assert set(re.findall(r"\{glue:text\}`([^`]+)`", SOURCE)) <= set(glued)
    assert "No result pythia-ioi is stored here yet" in glued["shown"]
    assert "pocket-pythia in its place" in glued["shown"]
    assert (glued["K"], glued["H"], glued["m"]) == ("24", "10", "16")
    assert glued["label"].startswith("pocket-pythia, paper scale")
    stored = load("pocket-pythia-ioi")
    line = pictures["sparsity"].axes[0].lines[0]
    np.testing.assert_allclose(line.get_ydata(), stored["summary_sparsity_weights"].mean((1, 2)), rtol=1e-5)
    assert len(pictures["all"].axes) == 3 * 10
    notebook = json.loads((BOOK / "sad_pythia.ipynb").read_text())
    assert glued["shown"] in "".join("".join(cell["source"]) for cell in notebook["cells"])


def test_pythias_result_appears_without_a_change_in_the_chapter(elsewhere, monkeypatch):
    large_result(elsewhere)
    glued, pictures = executed("sad_pythia", monkeypatch)
    made = load("pythia-ioi")
    assert set(re.findall(r"\{glue:text\}`([^`]+)`", SOURCE)) <= set(glued)
    assert glued["shown"] == "The figures below show the result pythia-ioi, made from pythia-160m"
    assert (glued["K"], glued["H"], glued["P"], glued["m"]) == ("154", "12", "6", "64")
    assert glued["whose"] == "the paper's own"
    assert glued["label"].startswith("pythia-160m, paper scale")
    assert glued["command"].startswith("python -m svf_helpers.experiments run pythia-ioi")
    assert "as in the paper" in glued["smoothing"]
    S = made["summary_sparsity_weights"].mean((1, 2))
    assert glued["S-moves"] == f"falls from {S[0]:.2f} to {S[-1]:.2f}"
    assert "too, the decline disappears" in glued["null-verdict"]
    assert glued["N-verdict"].startswith("It falls, as in the paper")
    line = pictures["sparsity"].axes[0].lines[0]
    np.testing.assert_array_equal(line.get_xdata(), made["step"])
    np.testing.assert_allclose(line.get_ydata(), running_mean(S, 8, start=11), rtol=1e-4)
    titles = [axis.get_title() for axis in pictures["all"].axes if axis.get_title()]
    assert titles == [f"{head.layer}.{head.head} {head.destination}→{head.source}" for head in PYTHIA_HEADS]
    bars = [bar.get_height() for bar in pictures["all"].axes[0].patches]
    np.testing.assert_allclose(bars, made["terms_weights"][0, 0], rtol=1e-5)
    assert "pocket" not in " ".join(glued[name] for name in ("shown", "label", "model", "command", "whose"))
    assert glued["pocket-N-moves"] == "rises from 2.4 to 2.7"  # what is said of the bundled model stays


def test_a_result_made_from_a_local_folder_is_added_and_appears(elsewhere, tmp_path, monkeypatch):
    """The whole way: the command on a GPT-NeoX model with three revisions, `add`, and the chapter as it is."""
    home, names = tmp_path / "somebodys-model", revisions("pocket-pythia")
    for name in (names[0], names[-2], names[-1]):
        shutil.copytree(pocket_folder("pocket-pythia", name), home / name, ignore=shutil.ignore_patterns("steps"))
    out = tmp_path / "out"
    run = ["run", "pythia-ioi", "--scale", "paper", "--model", str(home), "--out", str(out), "--device", "cpu"]
    assert cli.main(run) == 0
    assert cli.main(["add", str(out / "pythia-ioi.npz"), "--out", str(elsewhere)]) == 0
    glued, pictures = executed("sad_pythia", monkeypatch)
    made = load("pythia-ioi")
    assert set(re.findall(r"\{glue:text\}`([^`]+)`", SOURCE)) <= set(glued)
    assert glued["shown"] == "The figures below show the result pythia-ioi, made from somebodys-model"
    assert (glued["K"], glued["H"]) == ("3", str(len(made["layer"])))
    assert glued["whose"].startswith("found by where heads look")
    line = pictures["sparsity"].axes[0].lines[0]
    np.testing.assert_allclose(line.get_ydata(), made["summary_sparsity_weights"].mean((1, 2)), rtol=1e-5)


def test_means_are_over_what_is_there():
    values = np.array([1.0, np.nan, 3.0, 5.0])
    np.testing.assert_allclose(running_mean(values, 1), values)
    np.testing.assert_allclose(running_mean(values, 3), [1, 2, 4, 4])


def test_bands_are_spread_over_heads_not_prompts():
    heads = np.array([1.0, 3.0])[None, :, None] + np.array([-9.0, 9.0])  # one checkpoint, two heads, two prompts
    axis = new_figure(1, 1, 2)[1][0, 0]
    curves_along(axis, STEPS, {"S": np.concatenate([heads, heads])})
    band = axis.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (1, 3)


def test_only_evenly_spaced_checkpoints_are_averaged():
    """Pythia's first checkpoints are at 0, 1, 2, 4, ..., 512: a window over them would mix quite different models."""
    steps = np.array([0, *(2**k for k in range(10)), *range(1000, 144_000, 1000)])
    values = np.r_[np.linspace(9, 5, 11), np.tile([1.0, 3.0], 72)[:143]]
    axis = new_figure(1, 1, 2)[1][0, 0]
    curves_along(axis, steps, {"S": values})
    drawn = axis.lines[0].get_ydata()
    np.testing.assert_allclose(drawn[:11], values[:11])
    np.testing.assert_allclose(drawn[15:-8], 2)  # a window of eight holds four of each
    assert drawn[11] < 3  # the first of the even ones sees none of those before it


def test_bands_are_drawn_for_the_curves_named():
    axis = new_figure(1, 1, 2)[1][0, 0]
    curves_along(axis, STEPS, {"a": np.eye(2), "b": np.eye(2), "c": np.eye(2)}, band=["b"])
    assert len(axis.collections) == 1
    assert len({line.get_marker() for line in axis.lines}) == 3


def test_even_steps_stay_linear():
    axis = new_figure(1, 1, 2)[1][0, 0]
    step_axis(axis, np.array([0, 1000, 2000]))
    assert axis.get_xscale() == "linear"


def test_the_largest_term_is_marked_with_its_rank_by_singular_value():
    terms = np.array([[1.0, -4.0, 2.0], [3.0, 0.5, 0.0]])
    figure = head_panels({"last": terms}, titles=["a", "b"])
    for axis, values, rank in zip(figure.axes, terms, ("2", "1"), strict=True):
        assert [bar.get_height() for bar in axis.patches] == values.tolist()
        colours = [bar.get_facecolor() for bar in axis.patches]
        assert [colours.count(colour) == 1 for colour in colours].index(True) == int(rank) - 1
        assert {text.get_text() for text in axis.texts} == {rank, f"sum {values.sum():.1f}".replace("-", "−")}
