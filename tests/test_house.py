"""The rules of the house: what may import what, how long modules and cells may be. One command shows them all."""

import ast
import importlib.util
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import jupytext
import pytest

from tests.prose import names_in_prose

ROOT = Path(__file__).resolve().parent.parent
PACKAGE, TOOLS, BOOK = ROOT / "svf_helpers", ROOT / "book" / "tools", ROOT / "book"
LONGEST_MODULE, LONGEST_CELL, LONGEST_LINE = 300, 15, 79
CHAPTERS = sorted(path.stem for path in BOOK.glob("*.md"))


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name, and the book's tools by their bare ones."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found | {path.stem: path for path in TOOLS.glob("*.py")}


MODULES = modules()


def imports(name: str, path: Path) -> set[str]:
    """Modules of the house that a module imports, anywhere in it: at its top, in functions, for type checkers."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            dots = "." * node.level
            base = importlib.util.resolve_name(dots + (node.module or ""), package) if dots else node.module
            named = {f"{base}.{alias.name}" for alias in node.names}
            found |= named | ({base} if named - set(MODULES) else set())
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
            found |= {argument.value for argument in node.args if isinstance(argument, ast.Constant)}
    return found & set(MODULES) - {name}


ARROWS = {name: imports(name, path) for name, path in MODULES.items()}


def room(name: str) -> str | None:
    """The chapter that a module belongs to, "kit", or None outside the chapters."""
    parts = name.split(".")
    return parts[2] if parts[:2] == ["svf_helpers", "chapters"] and len(parts) > 2 else None


def is_library(name: str) -> bool:
    inside = name.split(".")[1] if name.startswith("svf_helpers.") else ""
    return name == "svf_helpers" or bool(inside) and inside not in ("chapters", "experiments")


def test_arrows_are_found():
    """What the other tests rest on: relative, local and package imports are seen."""
    assert "svf_helpers.factored_svd" in ARROWS["svf_helpers.qk"]
    assert "svf_helpers.toy" in ARROWS["svf_helpers.chapters.rope.runs"]  # in a function
    assert "myst_parse" in ARROWS["notebooks"]


def test_the_library_knows_nothing_of_the_book():
    wrong = {name: sorted(to for to in ARROWS[name] if not is_library(to))
             for name in MODULES if is_library(name)}
    assert {name: to for name, to in wrong.items() if to} == {}


def test_the_result_store_knows_no_chapter_and_no_model():
    """It finds runs by their place, and imports them by name when it is asked to; files and devices are anybody's."""
    anybodys = {"svf_helpers", "svf_helpers.device", "svf_helpers.files"}
    store = {name: ARROWS[name] for name in MODULES if name.startswith("svf_helpers.experiments")}
    wrong = {name: sorted(to for to in there if not to.startswith("svf_helpers.experiments") and to not in anybodys)
             for name, there in store.items()}
    assert {name: to for name, to in wrong.items() if to} == {}


def test_no_chapter_imports_another():
    wrong = {name: sorted(to for to in ARROWS[name] if room(to) not in (None, "kit", room(name)))
             for name in MODULES if room(name)}
    assert {name: to for name, to in wrong.items() if to} == {}
    assert ARROWS["svf_helpers.chapters"] == set()  # what stands there would be imported with every room


def test_nothing_imports_in_a_circle():
    try:
        TopologicalSorter(ARROWS).prepare()
    except CycleError as error:
        pytest.fail("a circle of imports: " + " -> ".join(error.args[1]))


def test_every_room_belongs_to_a_chapter():
    rooms = {room(name) for name in MODULES} - {None, "kit"}
    assert rooms <= set(CHAPTERS)


def test_no_module_has_grown_past_its_idea():
    lengths = {name: len(path.read_text(encoding="utf8").splitlines()) for name, path in MODULES.items()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_the_qk_matrix_needs_neither_figures_nor_transformers():
    code = "import sys, svf_helpers.qk; print([m for m in ('matplotlib', 'transformer_lens') if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_cell_fits_a_page(chapter):
    """At 1280 pixels, and in print, a line holds 79 characters; a cell of more than 15 lines shows no single idea."""
    cells = jupytext.read(BOOK / f"{chapter}.md", fmt="md:myst").cells
    long_cells, long_lines = [], []
    for cell in cells:
        if cell.cell_type != "code":
            continue
        lines = cell.source.splitlines()
        if len(lines) > LONGEST_CELL:
            long_cells.append(f"{len(lines)} lines: {lines[0]}")
        long_lines += [line for line in lines if len(line) > LONGEST_LINE]
    assert (long_cells, long_lines) == ([], [])


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_shows_no_bookkeeping(chapter):
    """Numbers of sentences come from ``numbers.py`` by one hidden cell, and by nothing else."""
    cells = jupytext.read(BOOK / f"{chapter}.md", fmt="md:myst").cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert [cell.source for cell in code if re.search(r"(?<!\w)glue\(|myst_nb", cell.source)] == []
    shown = [cell for cell in code if re.search(r"show_numbers\(|(?<!\w)numbers\(", cell.source)]
    assert [cell.metadata.get("tags") for cell in shown] == [["remove-cell"]] * bool(names_in_prose(chapter))
    assert all(f"svf_helpers.chapters.{chapter}.numbers import" in cell.source for cell in shown)
