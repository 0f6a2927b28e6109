"""Stored runs of this chapter: pocket-gpt2 and GPT-2 small on the indirect-object task."""

from __future__ import annotations

from functools import partial
from typing import Any

from svf_helpers.chapters.kit.circuit_runs import circuit_run, complete
from svf_helpers.experiments.registry import Option, experiment

_gpt2: dict[str, Any] = {"chapter": "sad_gpt2", "compare": {"summary_*": 0.02}, "validate": complete}


@experiment("pocket-gpt2-ioi", figures=(), seconds={"quick": 15, "paper": 30}, **_gpt2)
def pocket_gpt2_ioi(scale, device, progress, workdir):
    """pocket-gpt2 on 128 prompts of the indirect-object task."""
    run = partial(circuit_run, model="pocket-gpt2", revisions="main", discard_weights=False)
    return run(scale, device, progress, workdir, counts={"quick": 8, "paper": 128})


@experiment(
    "gpt2-ioi",
    figures=("Fig 9a",),
    seconds={"quick": 60, "paper": 300},
    options={"model": Option("gpt2", "a name on the hub or a local folder")},
    hub=True,
    **_gpt2,
)
def gpt2_ioi(scale, device, progress, workdir, model):
    """GPT-2 small (or another model) on 128 prompts of the indirect-object task."""
    run = partial(circuit_run, model=model, revisions="main", discard_weights=False)
    return run(scale, device, progress, workdir, counts={"quick": 8, "paper": 128})
