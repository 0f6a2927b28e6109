"""The chapter on the whitened basis: a model that the reader names, from a local folder to the table on the page."""

import shutil
from pathlib import Path

import jupytext
import numpy as np

from svf_helpers.chapters.whitened.compared_bases import COMPARED, TAKEN
from svf_helpers.experiments import load, runner, store
from svf_helpers.pocket import pocket_folder

SOURCE = (Path(__file__).parents[3] / "book" / "whitened.md").read_text()


def shown():
    """What the chapter's cell on the reader's model ends with."""
    cell = next(cell for cell in jupytext.reads(SOURCE, fmt="md:myst").cells if '"bases-model"' in cell.source)
    space = {"Markdown": str}
    exec(cell.source.replace("Markdown(", "said = Markdown("), space)
    return space["said"]


def test_without_such_a_run_the_page_says_so(elsewhere):
    assert shown() == "No result `bases-model` is stored here yet, so nothing is said about a large model."


def test_a_model_in_a_folder_is_compared_and_appears_on_the_page(elsewhere, tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(pocket_folder("pocket-gpt2"), folder, ignore=shutil.ignore_patterns("steps"))
    runner.run("bases-model", "quick", "cpu", tmp_path / "out", options={"model": str(folder)})
    made = store.read(tmp_path / "out", "bases-model", "quick")
    heads = len(made["layer"])
    assert made.info["config"]["model"] == str(folder)
    assert made["summary_sparsity"].shape == (len(COMPARED), heads)
    assert made["summary_attention"].shape == (len(COMPARED), len(TAKEN), heads)
    assert list(zip(made["layer"].tolist(), made["head"].tolist(), strict=True))[0] == (0, 3)
    own = load("bases-pocket-gpt2")
    np.testing.assert_allclose(made["summary_sparsity"][0], own["summary_sparsity"][-1, 0], atol=0.05)
    store.save(elsewhere, "bases-model", "paper", made.arrays, {"config": made.info["config"]})
    lines = shown().splitlines()
    assert lines[0] == f"Stored is a run of {folder}, {heads} head-pairs, means:"
    assert [line.split(" | ")[0].strip("| ") for line in lines[4:]] == list(COMPARED)
    S, null = (made[f"summary_{what}"][0].mean() for what in ("sparsity", "null"))
    assert f"| weights | {S:.3f} ({null:.2f}) |" in lines[4]
