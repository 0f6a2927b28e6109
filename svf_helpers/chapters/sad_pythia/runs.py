"""Stored runs of this chapter: every checkpoint of pocket-pythia and of Pythia-160M on the indirect-object task."""

from __future__ import annotations

from functools import partial
from typing import Any

from svf_helpers.chapters.kit.circuit_runs import circuit_run, complete
from svf_helpers.experiments.registry import Option, experiment

_pythia: dict[str, Any] = {"chapter": "sad_pythia", "compare": {"summary_*": 0.02}, "validate": complete}


@experiment("pocket-pythia-ioi", figures=(), seconds={"quick": 30, "paper": 200}, **_pythia)
def pocket_pythia_ioi(scale, device, progress, workdir):
    """All checkpoints of pocket-pythia on the indirect-object task."""
    run = partial(circuit_run, model="pocket-pythia", revisions="all", discard_weights=False)
    return run(scale, device, progress, workdir, counts={"quick": 8, "paper": 64})


@experiment(
    "pythia-ioi",
    figures=("Fig 7b", "Fig 8", "Fig 9b", "Fig 25", "Table 2"),
    seconds={"quick": 600, "paper": 30_000},
    options={
        "model": Option("EleutherAI/pythia-160m", "a name on the hub or a local folder"),
        "revisions": Option("all", "checkpoints: all, last, 'every 1000', or step0,step1000,..."),
        "discard_weights": Option(False, "keep one checkpoint at a time on disk"),
    },
    hub=True,
    **_pythia,
)
def pythia_ioi(scale, device, progress, workdir, model, revisions, discard_weights):
    """All checkpoints of Pythia-160M (or of another model) on the indirect-object task."""
    run = partial(circuit_run, model=model, revisions=revisions, discard_weights=discard_weights)
    return run(scale, device, progress, workdir, counts={"quick": 8, "paper": 32})
