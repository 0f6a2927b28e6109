"""The notebooks: made from the chapters alone, readable without MyST, and in step with their sources."""

import json
import shutil
import subprocess
import sys
import types
from pathlib import Path

import nbformat
import pytest
import yaml

from tests.refusals import refuses

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "book" / "tools"))

import notebooks  # noqa: E402
from myst_labels import Book, chapter_names, load_book  # noqa: E402
from myst_to_plain import Plain, leftovers  # noqa: E402

SITE = "https://example.org/svf"
FAR = f"{SITE}/book/other.html"
WORKS = f"{SITE}/book/references.html"
OTHER = """\
(ch-other)=
# The other chapter

(sec-there)=
## A section there

:::{prf:theorem} Far
:label: thm-far
Far away.
:::

$$
a = b
$$ (eq-far)

:::{glossary}
QK matrix
  The matrix $\\Omega$.
:::
"""


def plain(text: str, tmp_path: Path = Path("/nowhere"), glued: dict | None = None) -> str:
    """The plain Markdown of one page of a small book."""
    book = Book(tmp_path, SITE, "https://github.com/o/r", "main")
    book.bibliography = {"franco": ("Franco et al.", "2026"), "elhage": ("Elhage et al.", "2022")}
    book.add_page("book/other", OTHER, "1")
    book.add_page("book/api/qk", "# The QK matrix", "")
    book.add_page("book/here", text, "2")
    return Plain(book, "book/here", glued).markdown(text)


# ---- each construct


@pytest.mark.parametrize(
    ("myst", "expected"),
    [
        ("Plain *text* with `{code}` and $x_{{1}}$.", None),
        ("- a list\n  - below\n\n1. b\n\n> quote\n\n---\n\n| a | b |\n|---|---|\n| $x$ | `y` |", None),
        ("```python\nprint('{ref}')  # :::\n```", None),
        ("[web](https://example.com) and <https://example.com>", None),
        ("% a comment\n\nText", "Text"),
        ("(label)=\n## Heading", "## Heading"),
        (":::{note}\nText\n:::", "> **Note**\n>\n> Text"),
        (":::{admonition} Goals of $x$\n:class: tip\n- a\n- b\n:::", "> **Goals of $x$**\n>\n> - a\n> - b"),
        (
            ":::{dropdown} Answer\nText\n:::",
            "<details>\n<summary>Answer</summary>\n\nText\n\n</details>",
        ),
        (
            ":::{prf:theorem} Exact\n:label: t\nLet $x$.\n:::\n\nBy {prf:ref}`t`.",
            "> **Theorem 2.1 (Exact).**\n>\n> Let $x$.\n\nBy Theorem 2.1.",
        ),
        (
            ":::{prf:lemma}\nA.\n:::\n\n:::{prf:theorem}\nB.\n:::\n\n:::{prf:theorem}\nC.\n:::",
            "> **Lemma 2.1.**\n>\n> A.\n\n> **Theorem 2.1.**\n>\n> B.\n\n> **Theorem 2.2.**\n>\n> C.",
        ),
        (":::{prf:proof}\nSee\n\n$$\na\n= b\n$$\n:::", "> **Proof.**\n>\n> See\n>\n> $$a = b$$"),
        (
            ":::{exercise} Hard\n:label: ex\nDo it.\n:::\n\n:::{solution} ex\n:class: dropdown\nDone.\n:::",
            "**Exercise 2.1** (Hard)\n\nDo it.\n\n"
            "<details>\n<summary>Solution to Exercise 2.1</summary>\n\nDone.\n\n</details>",
        ),
        (
            ":::{exercise}\n:label: ex\nDo it.\n:::\n\n:::{solution-start} ex\n:::\n\nText\n\n:::{solution-end}\n:::",
            "**Exercise 2.1**\n\nDo it.\n\n**Solution to Exercise 2.1**\n\nText",
        ),
        ("$$\nx\n$$ (eq)\n\nBy {eq}`eq`.", "$$\nx \\tag{2.1}\n$$\n\nBy (2.1)."),
        ("```{math}\n:label: eq\nx\n```", "$$\nx \\tag{2.1}\n$$"),
        ("$$\na &= b \\\\\nc &= d\n$$ (eq)", "$$\n\\begin{aligned} a &= b \\\\\nc &= d \\end{aligned} \\tag{2.1}\n$$"),
        ("Text\n:::{note}\nA\n:::\n:::{tip}\nB\n:::\nText", "Text\n\n> **Note**\n>\n> A\n\n> **Tip**\n>\n> B\n\nText"),
        ("> $$\n> a\n> $$\n> and $b\n> c$", "> $$a$$\n>\n> and $b c$"),
        (
            "- item\n\n  :::{note}\n  In {eq}`eq-far`\n  :::",
            f"- item\n\n  > **Note**\n  >\n  > In [(1.1)]({FAR}#equation-eq-far)",
        ),
        ("{prf:ref}`thm-far`", f"[Theorem 1.1]({FAR}#thm-far)"),
        ("{ref}`sec-there`", f"[A section there]({FAR}#sec-there)"),
        ("{ref}`that <sec-there>`", f"[that]({FAR}#sec-there)"),
        ("{numref}`ch-other`", f"[Section 1]({FAR}#ch-other)"),
        ("{doc}`other` {doc}`it <other>`", f"[The other chapter]({FAR}) [it]({FAR})"),
        ("[words *in* $x$](other.md)", f"[words *in* $x$]({FAR})"),
        ("[](other.md)", f"[The other chapter]({FAR})"),
        ("[w](other.md#a-section-there)", f"[w]({FAR}#a-section-there)"),
        ("[w](#sec-there)", f"[w]({FAR}#sec-there)"),
        ("{term}`QK matrix`", f"[QK matrix]({FAR}#term-QK-matrix)"),
        ("{term}`these <QK matrix>`", f"[these]({FAR}#term-QK-matrix)"),
        ("{cite:t}`franco`", f"[Franco et al. (2026)]({WORKS})"),
        ("{cite:p}`franco,elhage`", f"([Franco et al., 2026]({WORKS}); [Elhage et al., 2022]({WORKS}))"),
        ("*a {abbr}`SVD (singular\nvalues)` b*", "*a SVD (singular values) b*"),
        ("{py:func}`~svf_helpers.qk.qk_svd`", f"[`qk_svd`]({SITE}/book/api/qk.html#svf_helpers.qk.qk_svd)"),
        ("{math}`x^2` H{sub}`2`", "$x^2$ H<sub>2</sub>"),
        ("| a |\n|---|\n| {eq}`eq-far` |", f"| a |\n|---|\n| [(1.1)]({FAR}#equation-eq-far) |"),
        (
            ":::{list-table} Two\n:header-rows: 1\n:name: tab\n* - a\n  - b\n* - $x$\n  - y\n:::\n\n{numref}`tab`",
            "**Table 2.1.** Two\n\n| a | b |\n| --- | --- |\n| $x$ | y |\n\nTable 2.1",
        ),
        (
            ":::{glossary}\nfeature\n  A {term}`direction <QK matrix>`.\n:::",
            f"- **feature**: A [direction]({FAR}#term-QK-matrix).",
        ),
        ("```{code-block} python\nx = 1\n```", "```python\nx = 1\n```"),
        ("```{bibliography}\n```\n\n```{tableofcontents}\n```\n\nText", "Text"),
    ],
)
def test_construct(myst: str, expected: str | None) -> None:
    found = plain(myst)
    assert found == (myst if expected is None else expected)
    assert leftovers(found) == []


def test_pictures_link_to_the_repository(tmp_path: Path) -> None:
    (tmp_path / "book" / "assets").mkdir(parents=True)
    (tmp_path / "book" / "assets" / "a.svg").write_text("<svg/>")
    address = "https://github.com/o/r/raw/main/book/assets/a.svg"
    figure = ":::{figure} assets/a.svg\n:name: fig\n:alt: A line.\nA *line*, see {eq}`eq-far`.\n:::\n\n{numref}`fig`"
    expected = f"![A line.]({address})\n\n**Fig. 2.1.** A *line*, see [(1.1)]({FAR}#equation-eq-far)."
    assert plain(figure, tmp_path) == expected + "\n\nFig. 2.1"
    assert plain("![A](assets/a.svg)", tmp_path) == f"![A]({address})"
    with refuses(ValueError, "here.md:1", "assets/b.svg"):
        plain("![A](assets/b.svg)", tmp_path)
    with refuses(ValueError, "here.md:1", "{figure}", ":alt:"):
        plain(":::{figure} assets/a.svg\nCaption\n:::", tmp_path)


def test_glued_values_become_text() -> None:
    assert plain("is {glue:text}`c`.", glued={"c": "a_b*0.930"}) == "is a\\_b\\*0.930."


@pytest.mark.parametrize(
    ("myst", "told"),
    [
        ("Text\n\n:::{tab-set}\nx\n:::", ("here.md:3", "{tab-set}")),
        ("Text\nand {kbd}`x`", ("here.md:", "{kbd}")),
        (":::{note}\nText\n\n{foo}`x`\n:::", ("here.md:4", "{foo}")),
        (":::{prf:theorem} A {foo}`x`\nText\n:::", ("here.md:1", "{foo}")),
        ("{{ name }}", ("here.md:1", "substitution")),
        ("a[^1]\n\n[^1]: note", ("here.md:", "footnote")),
        ("{glue:text}`nothing`", ("here.md:1", "{glue}`nothing`", "no cell")),
        ("{glue:text}`other::x`", ("here.md:1", "{glue}`other::x`", "another chapter")),
        ("{eq}`nothing`", ("here.md:1", "{eq}`nothing`")),
        ("{eq}`thm-far`", ("here.md:1", "{eq}`thm-far`", "theorem")),
        ("{cite:p}`nobody2020`", ("here.md:1", "'nobody2020'", "bibliography")),
        ("{doc}`nowhere`", ("here.md:1", "nowhere")),
        ("[x](other.md#nowhere)", ("here.md:1", "other.md#nowhere")),
        ("[x](other.md#sec-there)", ("here.md:1", "other.md#sec-there", "(#label)")),
        ("{ref}`thm-far`", ("here.md:1", "{ref}`thm-far`", "{prf:ref}")),
        (":::{list-table} T\n:name: t\n:header-rows: 1\n* - a\n:::\n\n{ref}`t`", ("here.md:7", "{ref}`t`", "{numref}")),
        ("[x](#nowhere)", ("here.md:1", "#nowhere", "label")),
        ("{term}`nothing`", ("here.md:1", "{term}`nothing`", "glossary")),
        ("- :::{note}\n  x\n  :::", ("here.md:1", "line")),
        (":::\nx\n:::", ("here.md:1", ":::", "{directive}")),
        (":::{solution} nothing\nx\n:::", ("here.md:1", "{solution} nothing", "exercise")),
        (":::{solution-end}\n:::", ("here.md:1", "{solution-end}", "{solution-start}")),
        ("$$\n\\begin{align}a\\end{align}\n$$ (eq)", ("here.md:1", "{aligned}")),
        ("| a |\n|---|\n| $\\|x\\|$ |", ("here.md:", "Vert")),
        ("(l)=\n## A\n\n(l)=\n## B", ("label 'l'", "here.md")),
    ],
)
def test_what_is_not_known_is_refused_with_its_place(myst: str, told: tuple) -> None:
    with refuses(ValueError, *told):
        plain(myst)


@pytest.mark.parametrize(
    "text",
    [
        ":::{note}\nx\n:::",
        "```{note}\nx\n```",
        "see {ref}`x`",
        "(label)=\n# A",
        "% note",
        "a {{ b }} c",
        "![a](b){width=1}",
        "a[^1]\n\n[^1]: b",
    ],
)
def test_leftovers_are_seen(text: str) -> None:
    assert leftovers(text)


# ---- making and checking


HEADER = """\
---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---
"""
CHAPTER = (
    HEADER
    + """\
(ch-small)=
# A small chapter

Three is {glue:text}`three`.

```{code-cell} ipython3
---
tags: [hide-input]
mystnb:
  figure:
    name: fig-small
    caption: A square of side {glue:text}`three`.
  image:
    alt: A grey square.
---
from IPython.display import Image, display
from svf_helpers.chapters.kit.glue import glue

glue("three", f"{3:.2f}")
display(Image(bytes.fromhex("PIXELS")))
```

{numref}`fig-small` is small.

```{code-cell} ipython3
:tags: [remove-cell]
print("hello")
1 + 1
```
""".replace(
        "PIXELS",
        "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63989b5a0f0002f50154"
        "a47fdaa30000000049454e44ae426082",
    )
)


def small_book(folder: Path, **chapters: str) -> Path:
    """A book in a folder of its own, with this project's settings."""
    (folder / "book").mkdir(parents=True)
    shutil.copy(ROOT / "_config.yml", folder)
    (folder / "book" / "references.bib").write_text("")
    for name, text in chapters.items():
        (folder / "book" / f"{name}.md").write_text(text)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = small_book(tmp_path_factory.mktemp("made"), small=CHAPTER, words="# Words\n\nText alone.\n")
    assert notebooks.main([], root) == 0
    return root


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


def test_pages_without_a_header_are_left_alone(made: Path) -> None:
    assert [path.name for path in (made / "book").glob("*.ipynb")] == ["small.ipynb"]


def test_what_the_notebook_holds(made: Path) -> None:
    notebook = nbformat.read(made / "book" / "small.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert [(cell.cell_type, cell.id) for cell in notebook.cells] == [
        (kind, f"cell-{i:03d}")
        for i, kind in enumerate(["markdown", "code", "markdown", "code", "markdown", "markdown", "code"])
    ]
    text = [cell.source for cell in notebook.cells]
    assert text[0].startswith("# A small chapter\n\n[![Open in Colab](")
    assert "/book/small.ipynb) [Read this chapter in the book](" in text[0]
    assert text[2] == "Three is 3.00."
    assert text[4] == "**Figure 1.** A square of side 3.00."
    assert text[5] == "Figure 1 is small."
    assert [cell.metadata.get("tags") for cell in notebook.cells if cell.cell_type == "code"] == [
        ["remove-cell"],
        ["hide-input"],
        ["remove-cell"],
    ]
    assert notebook.cells[3].outputs[1].metadata["image/png"] == {"alt": "A grey square."}
    assert "execution" not in json.dumps([cell.metadata for cell in notebook.cells])
    assert notebook.metadata == notebooks.METADATA


def test_making_it_again_changes_no_byte(copy: Path, capsys: pytest.CaptureFixture) -> None:
    path = copy / "book" / "small.ipynb"
    before, time = path.read_bytes(), path.stat().st_mtime_ns
    assert before.endswith(b"}\n")
    assert notebooks.main(["small"], copy) == 0
    assert "unchanged" in capsys.readouterr().out
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (before, time)
    path.unlink()
    assert notebooks.main(["small"], copy) == 0
    assert path.read_bytes() == before


def test_check_passes_and_executes_nothing(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebooks, "execute", lambda *_: pytest.fail("executed"))
    assert notebooks.main(["--check"], made) == 0


def _edit_source(old: str, new: str):
    def edit(root: Path) -> None:
        path = root / "book" / "small.md"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    return edit


def _edit_notebook(change):
    def edit(root: Path) -> None:
        path = root / "book" / "small.ipynb"
        notebook = json.loads(path.read_text())
        change(notebook["cells"])
        path.write_text(json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n")

    return edit


def _glue(cells: list) -> None:
    cells[3]["outputs"][0]["data"]["application/papermill.record/text/plain"] = ["'4.00'"]


def _error(cells: list) -> None:
    cells[6]["outputs"] = [{"output_type": "error", "ename": "ValueError", "evalue": "bad", "traceback": []}]


def _warning(cells: list) -> None:
    cells[6]["outputs"][0]["name"] = "stderr"


@pytest.mark.parametrize(
    ("edit", "reports"),
    [
        (_edit_notebook(lambda cells: None), []),
        (_edit_source("is small.", "is tiny."), ["cell 6 differs"]),
        (_edit_source("is small.", "is {foo}`x`."), ["{foo}"]),
        (_edit_source('print("hello")', 'print("bye")'), ["code cell 3: its code is not"]),
        (_edit_source("A grey square", "A white square"), ["cell 4 differs"]),
        (_edit_source("A square of side", "A box of side"), ["cell 5 differs"]),
        (_edit_notebook(lambda cells: cells[6].update(execution_count=None)), ["cell 7", "not executed in order"]),
        (_edit_notebook(lambda cells: cells[6].update(execution_count=9)), ["cell 7", "count 9, expected 3"]),
        (_edit_notebook(_error), ["cell 7", "an error: ValueError: bad"]),
        (_edit_notebook(_warning), ["cell 7", "writes to stderr"]),
        (_edit_notebook(lambda cells: cells.pop(6)), ["2 code cells"]),
        (_edit_notebook(lambda cells: cells.pop(5)), ["cell 6 differs"]),
        (_edit_notebook(lambda cells: cells.append(dict(cells[5], id="cell-007"))), ["8 cells instead of 7"]),
        (_edit_notebook(_glue), ["cell 3 differs", "4.00"]),
        (_edit_notebook(lambda cells: cells[6].update(id="other")), ["cell 7 differs"]),
        (_edit_notebook(lambda cells: cells[6]["metadata"].update(tags=[])), ["cell 7 differs"]),
        (lambda root: (root / "book" / "small.ipynb").unlink(), ["there is no notebook"]),
        (lambda root: (root / "book" / "small.ipynb").write_text("{"), ["FAILED"]),
        (lambda root: (root / "book" / "small.md").unlink(), ["has no chapter"]),
    ],
)
def test_check_names_what_is_out_of_step(copy: Path, capsys: pytest.CaptureFixture, edit, reports: list[str]) -> None:
    edit(copy)
    assert notebooks.main(["--check"], copy) == int(bool(reports))
    output = capsys.readouterr().out
    assert output.startswith("small ")
    assert all(report in output for report in reports), output


def test_text_alone_can_be_renewed(copy: Path, capsys: pytest.CaptureFixture) -> None:
    _edit_source("is small.", "is tiny.")(copy)
    assert notebooks.main(["--text"], copy) == 0
    assert notebooks.main(["--check"], copy) == 0
    _edit_source('print("hello")', 'print("bye")')(copy)
    assert notebooks.main(["--text"], copy) == 1
    assert "its code has changed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("code", "report"),
    [
        ("1 / 0", "code cell 2: ZeroDivisionError"),
        ("import warnings; warnings.warn('careful')", "writes to stderr"),
        ("object()", "an address in memory"),
        ("import time; time.sleep(60)", "did not end within 4 s"),
    ],
)
def test_bad_outputs_are_not_written(tmp_path: Path, capsys: pytest.CaptureFixture, code: str, report: str) -> None:
    root = small_book(tmp_path / "bad", bad=f"{HEADER}# Bad\n\n```{{code-cell}} ipython3\n{code}\n```\n")
    assert notebooks.main(["--timeout", "4" if "sleep" in code else "60"], root) == 1
    assert report in capsys.readouterr().out
    assert list((root / "book").glob("*.ipynb")) == []


def test_numbers_are_those_of_the_book(tmp_path: Path) -> None:
    """Sphinx itself counts on six pages; the notebooks' numbers have to be the same."""
    page = (
        "# {0}\n\n:::{{prf:theorem}}\n:label: t{0}\nA.\n:::\n\n:::{{prf:lemma}}\n:label: l{0}\nB.\n\n"
        "$$\nx\n$$ (e{0})\n:::\n\n:::{{exercise}}\n:label: x{0}\nC.\n:::\n\n"
        ":::{{list-table}} D\n:name: b{0}\n:header-rows: 1\n* - a\n* - b\n:::\n\n"
        ":::{{prf:theorem}}\n:label: u{0}\nA.\n:::\n"
    )
    labels = ["start", "one", "aside", "two", "below", "last"]
    roles = {"t": "prf:ref", "l": "prf:ref", "e": "eq", "x": "numref", "b": "numref", "u": "prf:ref"}
    refs = [f"{{{role}}}`{kind}{page}`" for page in labels for kind, role in roles.items()]
    text = "\n\n".join(f"REF {ref}" for ref in refs)
    chapters = {name: page.format(name) for name in labels}
    root = small_book(tmp_path / "numbers", **(chapters | {"last": chapters["last"] + "\n" + text + "\n"}))
    shutil.copytree(ROOT / "book" / "assets", root / "book" / "assets")
    shutil.copytree(ROOT / "book" / "tools", root / "book" / "tools")  # _config.yml names extensions in it
    contents = {
        "format": "jb-book",
        "root": "book/start",
        "parts": [
            {"caption": "A", "numbered": True, "chapters": [{"file": "book/one"}]},
            {"caption": "B", "chapters": [{"file": "book/aside"}]},
            {
                "caption": "C",
                "numbered": True,
                "chapters": [{"file": "book/two", "sections": [{"file": "book/below"}]}],
            },
            {"caption": "D", "chapters": [{"file": "book/last"}]},
        ],
    }
    (root / "_toc.yml").write_text(yaml.safe_dump(contents))
    command = "from jupyter_book.cli.main import main; main()"
    subprocess.run([sys.executable, "-c", command, "build", str(root), "--all", "-W", "-q"], check=True)
    from bs4 import BeautifulSoup

    html = BeautifulSoup((root / "_build/html/book/last.html").read_text(), "html.parser")
    shown = [" ".join(p.get_text().split()).removeprefix("REF ") for p in html.find_all("p") if "REF" in p.get_text()]
    plainly = Plain(load_book(root), "book/last").markdown(text).replace("REF ", "").split("\n\n")
    ours = [words[1:].partition("]")[0] if words.startswith("[") else words for words in plainly]
    assert len(shown) == len(refs)
    assert ours == shown


# ---- Colab


def _run_colab_cell(monkeypatch: pytest.MonkeyPatch, cell: str, in_colab: bool, installed: bool) -> list[str]:
    """Execute the cell twice with a pip that only notes what it is asked for; it installs at the first call."""
    from IPython.core.interactiveshell import InteractiveShell

    calls: list[str] = []
    state = {"installed": installed}
    shell = InteractiveShell()

    def pip(line: str) -> None:
        calls.append(line)
        state["installed"] = True

    shell.register_magic_function(pip, magic_name="pip")
    if in_colab:
        monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if state["installed"] else None)
    for _ in range(2):
        shell.run_cell(cell).raise_error()
    InteractiveShell.clear_instance()
    return calls


def test_colab_cell_installs_once_and_only_there(monkeypatch: pytest.MonkeyPatch) -> None:
    book = load_book(ROOT)
    plainly = notebooks.colab_cell(book, "")
    assert _run_colab_cell(monkeypatch, plainly, in_colab=False, installed=False) == []
    assert _run_colab_cell(monkeypatch, plainly, in_colab=True, installed=True) == []
    url = yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]
    expected = f'install -q "svf-helpers @ git+{url}@main"'
    assert _run_colab_cell(monkeypatch, plainly, in_colab=True, installed=False) == [expected]
    models = 'from svf_helpers.language_models import load_model\nmodel = load_model("gpt2")'
    asks = notebooks.colab_cell(book, models)
    with_models = expected.replace("svf-helpers", "svf-helpers[models]", 1)
    assert _run_colab_cell(monkeypatch, asks, in_colab=True, installed=False) == [with_models]


def test_chapters_that_load_a_language_model_ask_for_what_it_needs() -> None:
    for path in _committed():
        cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
        loads = any("load_model(" in cell.source or "transformer_lens" in cell.source for cell in cells[1:])
        assert ("[models]" in cells[0].source) == loads, path.name


# ---- the notebooks of this book


def _committed() -> list[Path]:
    return sorted((ROOT / "book").glob("*.ipynb"))


def test_there_are_notebooks_and_each_chapter_has_one() -> None:
    assert [path.stem for path in _committed()] == chapter_names(ROOT) != []


def test_notebooks_are_in_step_with_their_chapters(capsys: pytest.CaptureFixture) -> None:
    status = notebooks.main(["--check"])
    assert status == 0, capsys.readouterr().out


@pytest.mark.parametrize("path", _committed(), ids=lambda path: path.stem)
def test_notebook_reads_well_and_was_executed(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert leftovers(cell.source) == []
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert notebooks.faults(notebook) == []
    text = path.with_suffix(".md").read_text(encoding="utf-8")
    assert [cell.source for cell in code] == notebooks.code_sources(text, load_book(ROOT))


def test_notebooks_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in _committed()}
    assert all(size < 300_000 for size in sizes.values()), sizes
    assert sum(sizes.values()) < 5_000_000
