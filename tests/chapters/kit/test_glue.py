"""`glue` leaves the record that the book's builder reads, and does nothing where no notebook runs."""

import ast
import os
import subprocess
import sys

import nbformat
import numpy as np
import pytest
import torch
from nbclient import NotebookClient

from svf_helpers.chapters.kit.glue import glue
from tests.refusals import refuses


def run_cell(source: str) -> nbformat.NotebookNode:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    return notebook


@pytest.fixture(scope="module")
def records() -> list:
    source = "\n".join(
        [
            "from svf_helpers.chapters.kit.glue import glue",
            "import numpy as np",
            "glue('cosine', f'{0.93:.3f}')",
            "glue('count', np.int64(12))",
            "glue('words', \"it's 'so'\")",
        ]
    )
    return run_cell(source).cells[0].outputs


def test_records_have_the_form_that_the_builder_reads(records: list) -> None:
    from myst_nb.core.variables import format_plain_text
    from myst_nb.ext.glue import extract_glue_data_cell

    cell = nbformat.v4.new_code_cell(outputs=[nbformat.from_dict(dict(r)) for r in records])
    data = dict(extract_glue_data_cell(cell))
    shown = {name: format_plain_text(output["data"]["text/plain"], "s") for name, output in data.items()}
    assert shown == {"cosine": "0.930", "count": "12", "words": "it's 'so'"}
    assert cell.outputs == []  # nothing of it is shown on the page


def test_same_record_as_the_builders_own_function(records: list) -> None:
    theirs = run_cell("from myst_nb import glue\nglue('cosine', '0.930', display=False)").cells[0].outputs
    assert theirs == records[:1]


def test_value_stands_where_nbval_compares_it(records: list) -> None:
    # nbval compares everything in an output's data except pictures and widgets, and nothing in its metadata.
    assert [list(r.data) for r in records] == [["application/papermill.record/text/plain"]] * 3
    assert [ast.literal_eval(r.data["application/papermill.record/text/plain"]) for r in records][:2] == ["0.930", 12]


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), torch.tensor(0.5), torch.tensor(2), True, None, "", "  ", [1]])
def test_refuses_what_is_not_ready_to_read(value: object) -> None:
    with refuses(ValueError, "'x'"):
        glue("x", value)


@pytest.mark.parametrize("name", ["", "a b", "a::b", "a:b", "`a", None, 3])
def test_refuses_names_that_the_role_could_not_read(name: object) -> None:
    with refuses(ValueError, repr(name)):
        glue(name, "1")


def test_outside_a_notebook_it_prints_nothing(capfd: pytest.CaptureFixture) -> None:
    assert glue("x", "0.5") is None
    assert capfd.readouterr() == ("", "")


def test_needs_neither_ipython_nor_sphinx(tmp_path) -> None:
    code = (
        "import sys\n"
        "for name in ('IPython', 'sphinx', 'myst_nb'): sys.modules[name] = None\n"
        "from svf_helpers.chapters.kit.glue import glue\n"
        "glue('x', '0.5')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ, cwd=tmp_path)
