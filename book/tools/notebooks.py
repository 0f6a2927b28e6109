"""Makes book/NAME.ipynb from book/NAME.md by executing it, and checks that the two agree.

    python book/tools/notebooks.py [NAME ...] [--jobs 2] [--timeout 120]
    python book/tools/notebooks.py [NAME ...] --check    # executes nothing
    python book/tools/notebooks.py [NAME ...] --text     # new text around stored outputs

The .md is the only source. A notebook is a pure function of the book's text and its own outputs, so that --check can
build it again and compare it byte for byte. It is in plain Markdown, for readers without MyST (myst_to_plain.py).
"""

import argparse
import ast
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from myst_labels import Book, chapter_names, load_book
from myst_parse import SourceCell, source_cells, title_end
from myst_to_plain import Plain, leftovers
from notebook_runs import ChapterError, execute

ROOT = Path(__file__).resolve().parents[2]
COLAB_CELL = """\
# In Colab this installs the book's package, once. Anywhere else it does nothing.
import importlib.util
import sys

if "google.colab" in sys.modules and importlib.util.find_spec("{probe}") is None:
    %pip install -q "svf-helpers{extra} @ git+{repository}@{branch}"
    importlib.invalidate_caches()"""
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


@dataclass
class Run:
    """What the execution of one code cell has left: its place in the order of execution, and its outputs."""

    count: int | None = None
    outputs: list = field(default_factory=list)


def colab_cell(book: Book, text: str = "") -> str:
    """The source of a notebook's first code cell; chapters with language models need more, which Colab has not."""
    loads = re.search(r"load_model\(|transformer_lens", text)
    probe, extra = ("transformer_lens", "[models]") if loads else ("svf_helpers", "")
    return COLAB_CELL.format(repository=book.repository, branch=book.branch, probe=probe, extra=extra)


def code_sources(text: str, book: Book) -> list[str]:
    """The code of a notebook, cell by cell: the Colab cell, then the chapter's."""
    return [colab_cell(book, text), *(cell.source for cell in source_cells(text) if cell.kind == "code")]


def glued_values(runs: list[Run]) -> dict[str, str]:
    """What the cells have stored for the text, by name."""
    values: dict[str, str] = {}
    for run in runs:
        for output in run.outputs:
            record = output.get("metadata", {}).get("scrapbook")
            if record:
                if record["name"] in values:
                    raise ValueError(f"glue: the name {record['name']!r} is used twice")
                plain = output["data"][record["mime_prefix"] + "text/plain"]
                values[record["name"]] = str(ast.literal_eval(plain))
    return values


def build(name: str, text: str, runs: list[Run], book: Book) -> nbformat.NotebookNode:
    """The notebook of a chapter from its source and the outputs of its code cells (the Colab cell's first)."""
    cells = source_cells(text)
    if len(runs) != 1 + sum(cell.kind == "code" for cell in cells):
        raise ValueError(f"{len(runs)} code cells stored; {name}.md and the cell for Colab have another number")
    plain = Plain(book, f"book/{name}", glued_values(runs))
    left = iter(runs)
    end = title_end(cells[0].source) if cells and cells[0].kind == "markdown" else 0
    if not end:
        raise ValueError(f"{name}.md: a chapter begins with its title, '# ...'")
    lines = cells[0].source.splitlines()
    title, rest = "\n".join(lines[:end]), "\n".join(lines[end:])
    made = [nbformat.v4.new_markdown_cell(f"{plain.markdown(title, cells[0].line)}\n\n{_badges(name, book)}")]
    made.append(_code_cell(SourceCell("code", colab_cell(book, text), {"tags": ["remove-cell"]}, 0), next(left), ""))
    for cell in [SourceCell("markdown", rest, cells[0].metadata, cells[0].line + end), *cells[1:]]:
        if cell.kind == "code":
            made += _figure_cells(cell, next(left), plain)
        elif cell.kind == "markdown":
            markdown = plain.markdown(cell.source, cell.line)
            if markdown:
                made.append(nbformat.v4.new_markdown_cell(markdown, metadata=cell.metadata))
        else:
            raise ValueError(f"{name}.md:{cell.line}: a {cell.kind} cell; only Markdown and code are known")
    if plain.solutions:
        raise ValueError(f"{name}.md: a {{solution-start}} without its {{solution-end}}")
    for position, cell in enumerate(made):
        cell["id"] = f"cell-{position:03d}"  # by position: a diff shows what has changed, and nothing else
        if cell.cell_type == "markdown" and (found := leftovers(cell.source)):
            raise ValueError(f"{name}.md: would show as it is in cell {position + 1}: {', '.join(found)}")
    notebook = nbformat.v4.new_notebook(cells=made, metadata=METADATA)
    nbformat.validate(notebook)
    return notebook


def _badges(name: str, book: Book) -> str:
    where = book.repository.removeprefix("https://github.com/")
    colab = f"https://colab.research.google.com/github/{where}/blob/{book.branch}/book/{name}.ipynb"
    badge = "https://colab.research.google.com/assets/colab-badge.svg"
    return f"[![Open in Colab]({badge})]({colab}) [Read this chapter in the book]({book.url(f'book/{name}')})"


def _figure_cells(cell: SourceCell, run: Run, plain: Plain) -> list[nbformat.NotebookNode]:
    """A code cell, and the caption of its figure in a cell below it."""
    settings = cell.metadata.get("mystnb", {})
    unknown = set(settings) - {"figure", "image", "code_prompt_show", "code_prompt_hide"} | set(cell.metadata) - {
        "mystnb",
        "tags",
    }
    if unknown:
        raise plain.refuse(cell.line, "code-cell", f"unknown settings: {', '.join(sorted(unknown))}")
    caption, alt = settings.get("figure", {}).get("caption", ""), settings.get("image", {}).get("alt", "")
    made = [_code_cell(cell, run, alt)]
    if not {"figure", "image"} & set(settings):
        return made
    if not caption or not alt:
        raise plain.refuse(cell.line, "figure", "it needs figure: caption, and image: alt")
    shown = [o for o in run.outputs if "data" in o and "scrapbook" not in o.get("metadata", {})]
    if len(shown) != 1 or not any(mime.startswith(("image/", "text/html")) for mime in shown[0]["data"]):
        raise plain.refuse(cell.line, "figure", f"the cell has to show one picture and nothing else, got {len(shown)}")
    text = plain.caption("figure", plain.number(cell.line, "figure"), str(caption), cell.line)
    return [*made, nbformat.v4.new_markdown_cell(text)]


def _code_cell(cell: SourceCell, run: Run, alt: str) -> nbformat.NotebookNode:
    metadata = {"tags": cell.metadata["tags"]} if "tags" in cell.metadata else {}
    for output in run.outputs:
        for mime in [mime for mime in output.get("data", {}) if mime.startswith("image/")]:
            # Where nbconvert looks for the words that stand for a picture.
            about = {key: value for key, value in output["metadata"].pop(mime, {}).items() if key != "alt"}
            if alt:
                about["alt"] = " ".join(alt.split())
            if about:
                output["metadata"][mime] = about
    return nbformat.v4.new_code_cell(cell.source, metadata=metadata, execution_count=run.count, outputs=run.outputs)


def to_text(notebook: nbformat.NotebookNode) -> str:
    """The file of a notebook: sorted, one space deep, with a newline at its end."""
    return nbformat.writes(notebook, indent=1, sort_keys=True, ensure_ascii=False).rstrip("\n") + "\n"


def stored_runs(notebook: nbformat.NotebookNode) -> list[Run]:
    """The outputs in a notebook, code cell by code cell."""
    cells = (cell for cell in notebook.cells if cell.cell_type == "code")
    return [Run(cell.execution_count, [nbformat.from_dict(dict(o)) for o in cell.outputs]) for cell in cells]


def faults(notebook: nbformat.NotebookNode) -> list[str]:
    """Cells that were not executed in order, or have left an error, a warning, or what differs in each run."""
    found, expected = [], 0
    for position, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type != "code":
            continue
        expected += 1
        where = f"cell {position} ({(cell.source.splitlines() or [''])[0][:50]})"
        if cell.execution_count != expected:
            found.append(f"{where}: not executed in order: count {cell.execution_count}, expected {expected}")
        for output in cell.outputs:
            if output.output_type == "error":
                found.append(f"{where}: an error: {output.ename}: {output.evalue}")
            elif output.get("name") == "stderr":
                found.append(f"{where}: writes to stderr: {output.text.strip()[:200]}")
            shown = output.get("text", "") + str(output.get("data", {}).get("text/plain", ""))
            if re.search(r" at 0x[0-9a-f]{6,}", shown):
                found.append(f"{where}: shows an address in memory, which differs in each run: {shown.strip()[:80]}")
    return found


def check(name: str, root: Path, book: Book) -> list[str]:
    """Where a chapter's notebook differs from what its source and its stored outputs give; empty if nowhere."""
    path = root / "book" / f"{name}.ipynb"
    if not path.exists():
        return ["there is no notebook"]
    written = path.read_text(encoding="utf-8")
    text = (root / "book" / f"{name}.md").read_text(encoding="utf-8")
    found: list[str] = []
    try:
        notebook = nbformat.reads(written, as_version=4)
        found += faults(notebook)
        runs = stored_runs(notebook)
        sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
        for position, pair in enumerate(zip(sources, code_sources(text, book), strict=False), start=1):
            if pair[0] != pair[1]:
                found.append(f"code cell {position}: its code is not that of the .md: {pair[0].splitlines()[:1]}")
                break
        made = build(name, text, runs, book)
    except Exception as error:  # whatever a damaged file leads to is reported as this chapter's fault
        return [*found, f"{type(error).__name__}: {error}"]
    if to_text(made) != written and not found:
        for position, (new, old) in enumerate(zip(made.cells, notebook.cells, strict=False), start=1):
            if new != old:
                return [f"cell {position} differs; it should begin: {new.source[:70]!r}"]
        return [f"{len(notebook.cells)} cells instead of {len(made.cells)}, or another layout of the file"]
    return found


def write(path: Path, content: str) -> str:
    """Move the file into its place, and only if it differs from what is there."""
    if path.exists() and path.read_text(encoding="utf-8") == content:
        return "unchanged"
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(content, encoding="utf-8")
    os.replace(beside, path)
    return "written"


def make(name: str, root: Path, book: Book, timeout: float, text_only: bool) -> str:
    """Make one notebook; what is returned says how long its cells took, and whether the file has changed."""
    path = root / "book" / f"{name}.ipynb"
    text = (root / "book" / f"{name}.md").read_text(encoding="utf-8")
    sources, seconds = code_sources(text, book), 0.0
    if text_only:
        stored = nbformat.read(path, as_version=4)
        if [cell.source for cell in stored.cells if cell.cell_type == "code"] != sources:
            raise ChapterError("its code has changed since it was executed: run without --text")
        runs = stored_runs(stored)
    else:
        executed, seconds = execute(sources, timeout)
        runs = stored_runs(executed)
    notebook = build(name, text, runs, book)
    if found := faults(notebook):
        raise ChapterError("; ".join(found))
    return f"{seconds:7.1f} s  {write(path, to_text(notebook))}"


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """The command line; 1 if anything failed or differs."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="chapters, without .md; all if none is given")
    parser.add_argument("--jobs", type=int, default=2, help="chapters executed at the same time (2)")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds for one chapter (120)")
    parser.add_argument("--check", action="store_true", help="execute nothing; fail where a notebook is out of step")
    parser.add_argument("--text", action="store_true", help="keep stored outputs, renew the text around them")
    options = parser.parse_args(arguments)
    known = chapter_names(root)
    if unknown := set(options.names) - set(known):
        parser.error(f"no chapter {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    try:
        book = load_book(root)
    except ValueError as error:
        print(f"FAILED: {error}")
        return 1
    names, failed = options.names or known, 0

    def one(name: str) -> tuple[bool, str]:
        try:
            if options.check:
                found = check(name, root, book)
                return not found, "; ".join(found) or "in step"
            return True, make(name, root, book, options.timeout, options.text)
        except (ChapterError, ValueError, OSError) as error:
            return False, str(error)

    with ThreadPoolExecutor(max_workers=max(1, options.jobs)) as pool:
        for name, (good, report) in zip(names, pool.map(one, names), strict=True):
            failed += not good
            print(f"{name:<16} {report}" if good else f"{name:<16} FAILED: {report}", flush=True)
    for path in sorted((root / "book").glob("*.ipynb")) if not options.names else []:
        if path.stem not in known:
            failed += 1
            print(f"{path.stem:<16} FAILED: book/{path.name} has no chapter book/{path.stem}.md")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
