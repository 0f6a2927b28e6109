"""What the pages of the book can refer to: every label with its page, its number as the book prints it, and its title.

The numbers are those that Sphinx gives: each kind of thing (figure, table, equation, theorem, ...) is counted by
itself, within a numbered chapter ("Figure 2.1") or, on pages without a number, from one such page to the next.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

import yaml
from docutils.nodes import make_id
from myst_parse import DEFAULT_EXTENSIONS, Directive, directive, is_notebook, source_cells, tokens
from myst_parser.mdit_to_docutils.base import default_slugify
from pybtex.database import parse_file
from pybtex.richtext import Text
from sphinx.util.nodes import _make_id as term_id
from sphinx_external_toc.api import FileItem
from sphinx_external_toc.parsing import parse_toc_yaml
from sphinx_proof.directive import DEFAULT_REALTYP_TO_COUNTERTYP as PROOF_KINDS

ADMONITIONS = {"note", "tip", "hint", "important", "warning", "caution", "attention", "danger", "error", "seealso"}
CONTAINERS = ADMONITIONS | {"admonition", "dropdown", "prf:proof", "solution", "solution-start"}
# The forms in which the book refers to numbered things, as Sphinx has them by default.
NUMBER_FORMS = {"figure": "Fig. %s", "table": "Table %s", "exercise": "Exercise %s", "section": "Section %s"}


@dataclass(frozen=True)
class Label:
    """Something that can be referred to. ``number`` is empty where the book prints none."""

    page: str
    kind: str
    number: str
    title: str
    anchor: str


@dataclass
class Book:
    """The settings, pages, labels, terms and bibliography of the book under ``root``."""

    root: Path
    site: str
    repository: str
    branch: str
    extensions: frozenset[str] = DEFAULT_EXTENSIONS
    number_forms: dict[str, str] = field(default_factory=lambda: dict(NUMBER_FORMS))
    counters: dict[str, str] = field(default_factory=lambda: dict(PROOF_KINDS))
    bibliography: dict[str, tuple[str, str]] = field(default_factory=dict)
    references: str = "book/references"
    titles: dict[str, str] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)
    slugs: dict[tuple[str, str], str] = field(default_factory=dict)
    numbers: dict[tuple[str, int, str], str] = field(default_factory=dict)
    terms: dict[str, Label] = field(default_factory=dict)
    counts: dict[tuple[str, str], int] = field(default_factory=dict)

    def url(self, page: str, anchor: str = "") -> str:
        """The address of a published page."""
        return f"{self.site}/{page}.html" + (f"#{anchor}" if anchor else "")

    def add_page(self, page: str, text: str, chapter: str = "") -> None:
        """Read a page's labels; its numbers begin with ``chapter``, where the page has a number."""
        for cell in source_cells(text):
            if cell.kind == "code":
                figure = cell.metadata.get("mystnb", {}).get("figure", {})
                if figure.get("caption"):
                    self._number(page, chapter, cell.line, "figure", figure.get("name", ""), "")
            elif cell.kind == "markdown":
                self._add_markdown(page, chapter, cell.source, cell.line)

    def _add_markdown(self, page: str, chapter: str, text: str, start: int) -> None:
        targets: list[str] = []
        found = tokens(text, self.extensions)
        for token, following in zip_longest(found, found[1:]):
            line = start + (token.map[0] if token.map else 0)
            if token.type == "myst_target":
                targets.append(token.content)
                continue
            if token.type == "heading_open":
                if token.tag == "h1":
                    self.titles.setdefault(page, following.content)
                self.slugs[page, default_slugify(following.content)] = make_id(following.content)
                number = chapter if token.tag == "h1" else ""
                for name in targets:
                    self._label(name, Label(page, "section", number, following.content, make_id(name)))
            elif targets and token.nesting >= 0 and token.type != "myst_line_comment":
                for name in targets:
                    self._label(name, Label(page, "place", "", "", make_id(name)))
            if token.type != "myst_line_comment":
                targets = []
            if token.type == "math_block_label":
                self._number(page, chapter, line, "equation", token.info, "")
            elif token.type in ("fence", "colon_fence") and (block := directive(token, start)):
                self._add_directive(page, chapter, block, line)

    def _add_directive(self, page: str, chapter: str, block: Directive, line: int) -> None:
        name = str(block.options.get("label") or block.options.get("name") or "")
        family, _, kind = block.name.rpartition(":")
        inside = block.name in CONTAINERS
        if family == "prf" and kind in PROOF_KINDS:
            if "nonumber" not in block.options:
                self._number(page, chapter, line, self.counters[kind], name, block.argument, kind)
            elif name:
                self._label(name, Label(page, kind, "", block.argument, name))
            inside = True
        elif block.name in ("exercise", "exercise-start"):
            self._number(page, chapter, line, "exercise", name, block.argument)
            inside = True
        elif block.name == "math" and name:
            self._number(page, chapter, line, "equation", name, "")
        elif block.name == "figure" and block.body.strip():
            self._number(page, chapter, line, "figure", name, "")
        elif block.name in ("table", "list-table") and block.argument:
            self._number(page, chapter, line, "table", name, block.argument)
        elif block.name == "glossary":
            for term, _, _ in glossary(block.body):
                self.terms[term.lower()] = Label(page, "term", "", term, term_id(f"term-{term}"))
        elif block.name == "bibliography":
            self.references = page
        elif name:
            self._label(name, Label(page, "place", "", block.argument, make_id(name)))
        if inside:
            self._add_markdown(page, chapter, block.body, block.line)

    def _number(self, page: str, chapter: str, line: int, counter: str, name: str, title: str, kind: str = "") -> None:
        count = self.counts[counter, chapter] = self.counts.get((counter, chapter), 0) + 1
        number = f"{chapter}.{count}" if chapter else str(count)
        self.numbers[page, line, counter] = number
        if name:
            kind = kind or counter
            anchor = name if kind == "exercise" or kind in PROOF_KINDS else make_id(name)
            anchor = make_id(f"equation-{name}") if kind == "equation" else anchor
            self._label(name, Label(page, kind, number, title, anchor))

    def _label(self, name: str, label: Label) -> None:
        known = self.labels.get(name)
        if known and known != label:
            raise ValueError(f"label {name!r} stands twice: in {known.page}.md and in {label.page}.md")
        self.labels[name] = label


def glossary(body: str) -> Iterator[tuple[str, str, int]]:
    """Each entry of a glossary: its term, its definition, and the line in the body where the definition begins."""
    term, definition, start = "", [], 0
    for row, line in enumerate([*body.splitlines(), "end"]):
        if line.strip() and not line[0].isspace():
            if term:
                yield term, "\n".join(definition).strip(), start
            term, definition, start = line.strip(), [], row + 1
        elif line.strip() or definition:
            definition.append(line.strip())


def load_book(root: Path) -> Book:
    """Read ``_config.yml``, ``_toc.yml``, the bibliography and the labels of all pages under ``root``."""
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    sphinx = config.get("sphinx", {}).get("config", {})
    book = Book(
        root=root,
        site=config["html"]["baseurl"].rstrip("/"),
        repository=config["repository"]["url"].rstrip("/"),
        branch=config["repository"]["branch"],
        extensions=frozenset(config.get("parse", {}).get("myst_enable_extensions", DEFAULT_EXTENSIONS)),
    )
    book.number_forms.update(sphinx.get("numfig_format", {}))
    book.counters.update(sphinx.get("prf_realtyp_to_countertyp", {}))
    for name in config.get("bibtex_bibfiles", []):
        for key, entry in parse_file(str(root / name)).entries.items():
            book.bibliography[key] = (_authors(entry), entry.fields.get("year", "n.d."))
    for page, chapter in _pages(root):
        text = (root / f"{page}.md").read_text(encoding="utf-8")
        try:
            book.add_page(page, text, chapter)
        except ValueError as error:
            raise ValueError(f"{page}.md: {error}") from error
    return book


def _authors(entry) -> str:
    """ "Franco et al.", "Franco and Crovella" or "Franco", as in a sentence."""
    names = [str(Text.from_latex(" ".join(p.prelast_names + p.last_names))) for p in entry.persons.get("author", [])]
    if len(names) > 2 or "others" in names:
        return f"{names[0]} et al."
    return " and ".join(names) or str(Text.from_latex(entry.fields.get("title", entry.key)))


def _pages(root: Path) -> list[tuple[str, str]]:
    """Each page that is there, in the order of the table of contents, with the number of its chapter, if any."""
    order: list[tuple[str, str]] = []
    if (root / "_toc.yml").exists():
        contents = parse_toc_yaml(str(root / "_toc.yml"))
        order.append((_page(contents.root.docname), ""))
        number = 0
        for tree in contents.root.subtrees:
            for item in tree.items:
                if isinstance(item, FileItem):
                    number += bool(tree.numbered)
                    _descend(contents, str(item), str(number) if tree.numbered else "", order)
    named = {page for page, _ in order}
    rest = (f"book/{path.stem}" for path in sorted((root / "book").glob("*.md")))
    order += [(page, "") for page in rest if page not in named]
    return [(page, chapter) for page, chapter in order if (root / f"{page}.md").exists()]


def _descend(contents, name: str, chapter: str, order: list[tuple[str, str]]) -> None:
    """A page and the pages below it: sections share their chapter's number."""
    order.append((_page(name), chapter))
    for tree in contents[name].subtrees if name in contents else []:
        for item in tree.items:
            if isinstance(item, FileItem):
                _descend(contents, str(item), chapter, order)


def _page(name: str) -> str:
    return name.removesuffix(".md")


def chapter_names(root: Path) -> list[str]:
    """The names of the executable chapters: the pages of ``book/`` that have a notebook's header."""
    paths = sorted((root / "book").glob("*.md"))
    return [path.stem for path in paths if is_notebook(path.read_text(encoding="utf-8"))]
