"""Reads a chapter with the book's own Markdown parser, and keeps track of where in the source each construct stands.

`source_cells` splits a chapter into cells, as Jupytext does. `tokens` parses one Markdown cell; every inline construct
carries the place of its source in ``token.meta["span"]``, so that it can be replaced and the rest left as written.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from jupytext.myst import myst_to_notebook
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.directives import parse_directive_text
from myst_parser.parsers.mdit import create_md_parser

# What Jupyter Book enables by itself where _config.yml says nothing.
DEFAULT_EXTENSIONS = frozenset({"colon_fence", "dollarmath", "substitution", "tasklist"})
# Not parsed here: links of `linkify` have no source of their own, and attributes have no plain form (see `leftovers`).
UNREAD = {"linkify", "attrs_block", "attrs_inline", "attrs_image"}


@dataclass(frozen=True)
class SourceCell:
    """One cell of a chapter: ``kind`` markdown or code, its source, its metadata, and its first line in the file."""

    kind: str
    source: str
    metadata: dict
    line: int


@dataclass(frozen=True)
class Directive:
    """``{name} argument`` with its options; the body begins at line ``line`` of the file (from 0)."""

    name: str
    argument: str
    options: dict
    body: str
    line: int


def is_notebook(text: str) -> bool:
    """Whether a page has the header of a Jupytext notebook; the others hold text alone."""
    if not text.startswith("---\n"):
        return False
    metadata = myst_to_notebook(text.split("\n---", 1)[0] + "\n---\n").metadata
    return "jupytext" in metadata and "kernelspec" in metadata


def source_cells(text: str) -> list[SourceCell]:
    """The cells of a chapter in order, without its front matter."""
    notebook = myst_to_notebook(text, add_source_map=True)
    lines = text.splitlines()
    cells = []
    for cell, line in zip(notebook.cells, notebook.metadata["source_map"], strict=True):
        while cell.cell_type == "markdown" and not lines[line].strip():
            line += 1  # the source map counts the blank lines above a cell, the cell's source lacks them
        cells.append(SourceCell(cell.cell_type, cell.source, dict(cell.metadata), line))
    return cells


@lru_cache
def _parser(extensions: frozenset[str]) -> MarkdownIt:
    md = create_md_parser(MdParserConfig(enable_extensions=set(extensions - UNREAD)), RendererHTML)
    for name in md.inline.ruler.get_all_rules():
        rule = next(r.fn for r in md.inline.ruler.__rules__ if r.name == name)
        md.inline.ruler.at(name, _with_span(rule))
    return md


def _with_span(rule):
    """The inline rule, marking each token that it makes with the piece of source that it has read."""

    def marked(state: StateInline, silent: bool) -> bool:
        if silent:
            return rule(state, silent)
        start, before = state.pos, len(state.tokens)
        label_end = state.md.helpers.parseLinkLabel(state, start) if state.src[start] == "[" else -1
        found = rule(state, silent)
        if found:
            for token in state.tokens[before:]:
                if token.type != "text":
                    token.meta.setdefault("span", (start, state.pos))
                if token.type == "link_open":
                    token.meta.setdefault("label_end", label_end)
        return found

    return marked


def tokens(text: str, extensions: frozenset[str] = DEFAULT_EXTENSIONS) -> list[Token]:
    """The block tokens of Markdown, in the order of the source."""
    return _parser(extensions).parse(text)


def title_end(text: str) -> int:
    """The number of lines that end with the page's title, labels above it included; 0 where something else is first."""
    for token in tokens(text):
        if token.type not in ("myst_target", "myst_line_comment"):
            return token.map[1] if token.type == "heading_open" and token.tag == "h1" else 0
    return 0


def directive(token: Token, line: int) -> Directive | None:
    """The directive that a fence holds, or None where it holds code. ``line``: first line of the parsed text."""
    info = token.info.strip()
    if not info.startswith("{"):
        return None
    name, _, argument = info[1:].partition("}")
    found = parse_directive_text(_AnyDirective, argument.strip(), token.content, validate_options=False)
    if found.warnings:
        raise ValueError(f"line {line + token.map[0] + 1}: {{{name}}}: {found.warnings[0].msg}")
    start = line + token.map[0] + 1 + found.body_offset
    return Directive(name, argument.strip(), found.options, "\n".join(found.body), start)


class _AnyDirective:
    """Takes one argument, any options and a body: what each directive allows, the book's builder checks."""

    option_spec = {"any": True}
    required_arguments = 0
    optional_arguments = 1
    final_argument_whitespace = True
    has_content = True


def positions(
    inline: Token, lines: list[str], cursor: dict[int, int], in_table: bool
) -> Iterator[tuple[int, int, int]]:
    """Where the source of an inline token stands: (offset in its content, row, column) for each of its lines.

    ``cursor`` holds how far each row is used up: the cells of a table share one row.
    """
    offset = 0
    for row, part in enumerate(inline.content.split("\n"), start=inline.map[0]):
        text, line = part.rstrip(), lines[row].rstrip()
        at_end = line.endswith(text) and not in_table  # else a table's cell, or a heading closed by #
        column = len(line) - len(text) if at_end else line.find(text, cursor.get(row, 0))
        if column < 0:
            raise ValueError(f"cannot find {text!r} in its line; for a bar in a table write \\vert, for a norm \\Vert")
        cursor[row] = column + len(text)
        yield offset, row, column
        offset += len(part) + 1
