"""A chapter's code executed in this process, with stored results that a test puts in place."""

import ast
import functools
from pathlib import Path

import jupytext
from matplotlib.figure import Figure

import svf_helpers.chapters.kit.glue
from svf_helpers import language_models

BOOK = Path(__file__).parents[1] / "book"
load_model = functools.cache(language_models.load_model)  # executions share the bundled models


def executed(chapter: str, monkeypatch) -> tuple[dict[str, str], dict[str, Figure]]:
    """What the chapter's code glues, and the pictures that its cells end with, by name (without ``fig-chapter-``)."""
    glued, pictures, prefix = {}, {}, f"fig-{chapter.replace('_', '-')}-"
    monkeypatch.setattr(svf_helpers.chapters.kit.glue, "glue", lambda name, value: glued.__setitem__(name, str(value)))
    monkeypatch.setattr(language_models, "load_model", load_model)
    space = {"__name__": "chapter"}
    for cell in jupytext.read(BOOK / f"{chapter}.md", fmt="md:myst").cells:
        if cell.cell_type != "code":
            continue
        tree = ast.parse(cell.source)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, f"{chapter}.md", "exec"), space)
        value = eval(compile(ast.Expression(last.value), f"{chapter}.md", "eval"), space) if last else None
        if isinstance(value, Figure):
            pictures[cell.metadata["mystnb"]["figure"]["name"].removeprefix(prefix)] = value
    return glued, pictures
