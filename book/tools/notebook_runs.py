"""Executes the code of a notebook in a process of its own, under a time limit, and returns what it leaves behind."""

import json
import os
import subprocess
import sys
import tempfile
import time

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from patient_threads import SETTINGS


class ChapterError(Exception):
    """A chapter that could not be executed, or whose outputs must not be kept."""


def execute(sources: list[str], timeout: float) -> tuple[nbformat.NotebookNode, float]:
    """Execute code cells in order; returns the notebook and the seconds it took.

    It runs in an empty folder, as in Colab: a path that is relative to the book fails here, and not at the reader's.
    """
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            cwd=folder,
            env=SETTINGS | os.environ | {"PYDEVD_DISABLE_FILE_VALIDATION": "1", "PYTHONHASHSEED": "0"},
        )
        begin = time.perf_counter()
        try:
            answer, complaint = process.communicate(json.dumps({"sources": sources, "timeout": timeout}), timeout + 30)
        except subprocess.TimeoutExpired:
            process.kill()  # its kernel notices, and ends too
            process.communicate()
            raise ChapterError(f"did not end within {timeout:g} s") from None
        seconds = time.perf_counter() - begin
    if process.returncode:
        raise ChapterError(complaint.strip().splitlines()[-1] if complaint.strip() else "the process ended early")
    result = json.loads(answer)
    if "error" in result:
        raise ChapterError(result["error"])
    return nbformat.from_dict(result["notebook"]), seconds


def _run(sources: list[str], timeout: float) -> dict:
    """Runs in the process that `execute` starts."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    # Each cell gets what is left of the chapter's time.
    end = time.monotonic() + timeout
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout_func=lambda cell: max(1, int(end - time.monotonic())),
        startup_timeout=60,
        store_widget_state=False,
        record_timing=False,
        coalesce_streams=True,
    )
    try:
        client.execute()
    except CellExecutionError as error:
        done = sum(cell.execution_count is not None for cell in cells)
        return {"error": f"code cell {done}: {error.ename}: {error.evalue}"}
    except TimeoutError:
        return {"error": f"did not end within {timeout:g} s"}
    for cell in cells:
        # A live widget is a reference to a kernel that is gone, under another name in each run.
        cell.outputs = [o for o in cell.outputs if "application/vnd.jupyter.widget-view+json" not in o.get("data", {})]
        for output in cell.outputs:
            output.pop("transient", None)
    return {"notebook": notebook}


if __name__ == "__main__":
    question = json.load(sys.stdin)
    print(json.dumps(_run(question["sources"], question["timeout"])))
