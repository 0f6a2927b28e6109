"""The chapter on counts of terms over prompts: its figures, and that GPT-2's own result appears once there is one."""

import json
import re

import numpy as np
import pytest

from svf_helpers.chapters.sad_gpt2.figures import AREA, count_dots
from svf_helpers.experiments import load
from svf_helpers.ioi import GPT2_HEADS
from tests.executed_chapter import BOOK, executed
from tests.results import store_large

SOURCE = (BOOK / "sad_gpt2.md").read_text()
P, M = 12, 64


def large_result(folder):
    """A result as `run gpt2-ioi` leaves it: the published heads, of 64 dimensions; the numbers are made up."""
    terms = np.random.default_rng(0).normal(size=(1, len(GPT2_HEADS), P, M))
    terms[..., 0] += 12
    terms[0, 0] = -terms[0, 0]  # a head that never attends
    store_large(folder, "gpt2-ioi", GPT2_HEADS, terms, config={"model": "gpt2"}, bases=("weights", "whitened"),
                step=np.zeros(1, dtype=int), correct=np.ones((1, P), dtype=bool),
                summary_logit_difference=np.full((1, P), 3.0))


def test_without_gpt2s_result_the_chapter_shows_the_bundled_model_and_says_so(elsewhere, monkeypatch):
    glued, pictures = executed("sad_gpt2", monkeypatch)
    assert set(re.findall(r"\{glue:text\}`([^`]+)`", SOURCE)) <= set(glued)
    assert "No result gpt2-ioi is stored here yet" in glued["shown"]
    assert "pocket-gpt2 in its place" in glued["shown"]
    assert glued["label"].startswith("pocket-gpt2, paper scale")
    stored = load("pocket-gpt2-ioi")
    assert (glued["H"], glued["P"], glued["m"]) == (str(len(stored["layer"])), "128", "16")
    pooled = stored["summary_n_sv_weights"][-1][stored["relative"][-1] > 0]
    assert glued["median"] == f"{np.median(pooled):.0f}"
    assert glued["largest"] == str(int(pooled.max()))  # counts are stored as float32
    assert len(pictures["counts"].axes[0].get_xticklabels()) == len(stored["layer"])
    notebook = json.loads((BOOK / "sad_gpt2.ipynb").read_text())
    assert glued["shown"] in "".join("".join(cell["source"]) for cell in notebook["cells"])


def test_gpt2s_result_appears_without_a_change_in_the_chapter(elsewhere, monkeypatch):
    large_result(elsewhere)
    glued, pictures = executed("sad_gpt2", monkeypatch)
    made = load("gpt2-ioi")
    assert set(re.findall(r"\{glue:text\}`([^`]+)`", SOURCE)) <= set(glued)
    assert glued["shown"] == "The figures below show the result gpt2-ioi, made from gpt2"
    assert (glued["H"], glued["P"], glued["m"]) == (str(len(GPT2_HEADS)), str(P), str(M))
    assert glued["whose"] == "the published one"
    assert glued["command"].startswith("python -m svf_helpers.experiments run gpt2-ioi")
    titles = [text.get_text() for text in pictures["counts"].axes[0].get_xticklabels()]
    assert titles == [f"{head.layer}.{head.head} {head.destination}→{head.source}" for head in GPT2_HEADS]
    pooled = made["summary_n_sv_weights"][-1][made["relative"][-1] > 0]
    assert glued["median"] == f"{np.median(pooled):.0f}"
    first = GPT2_HEADS[0]
    assert f"{first.layer}.{first.head} in ABBA" in glued["empty"]  # the head that never attends is named, not dropped
    assert "pocket" not in " ".join(glued[name] for name in ("shown", "label", "command", "whose"))


def test_areas_are_shares_and_bars_medians():
    figure = count_dots({"ABBA": [np.array([1, 1, 1, 4]), np.array([], int)]}, heads=["a", "b"])
    axis = figure.axes[0]
    sizes = {tuple(dot.get_offsets()[k]): dot.get_sizes()[k] for dot in axis.collections
             for k in range(len(dot.get_offsets()))}
    assert sizes == {(0.0, 1.0): pytest.approx(AREA * 0.75), (0.0, 4.0): pytest.approx(AREA * 0.25)}
    assert list(axis.lines[0].get_ydata()) == [1, 1]
