"""Turns a chapter's MyST Markdown into Markdown that reads well in Colab, on GitHub and in plain Jupyter.

The book's own parser says what stands where; only constructs that plain Markdown lacks are replaced, the rest stays as
written. What is not known here is refused with its file and line: nothing passes silently.
"""

import re

from markdown_it.token import Token
from myst_blocks import BLOCKS
from myst_page import Page
from myst_parse import directive, positions, tokens
from myst_roles import ROLES, link, page_link

# Block and inline constructs that every Markdown reader understands.
_PLAIN_BLOCKS = {"paragraph", "heading", "bullet_list", "ordered_list", "list_item", "blockquote", "table", "thead"}
_PLAIN_BLOCKS |= {"tbody", "tr", "th", "td"}
_PLAIN_LEAVES = {"hr", "html_block", "code_block", "math_block", "inline"}
_PLAIN_INLINE = {"text", "text_special", "softbreak", "hardbreak", "em_open", "em_close", "strong_open", "strong_close"}
_PLAIN_INLINE |= {"s_open", "s_close", "code_inline", "link_close", "html_inline", "math_inline_double"}


class Plain(Page):
    """The transformation for one page of the book."""

    def markdown(self, text: str, line: int = 0, quoted: bool = False) -> str:
        lines = text.splitlines()
        starts = [0]
        for source in lines:
            starts.append(starts[-1] + len(source) + 1)
        padded = "".join(source + "\n" for source in lines)
        edits: list[tuple[int, int, str]] = []
        cursor: dict[int, int] = {}
        in_table = False
        for token in tokens(text, self.book.extensions):
            kind = token.type.removesuffix("_open").removesuffix("_close")
            here = line + (token.map[0] if token.map else 0)
            if kind == "table":
                in_table = token.nesting > 0
            if token.type == "inline":
                edits += self._inline(token, lines, starts, cursor, in_table, line, quoted)
                continue
            if kind in _PLAIN_BLOCKS:
                continue
            new = self._block(token, here, line, quoted, lines)
            if new is not None:
                edits.append(self._block_edit(token, new, lines, starts, here))
        for start, end, new in sorted(edits, reverse=True):
            padded = padded[:start] + new + padded[end:]
        return padded.strip("\n")

    def _block(self, token: Token, here: int, line: int, quoted: bool, lines: list[str]) -> str | None:
        """The new text for a block, "" to remove it, or None to keep it as it is."""
        if token.type in ("fence", "colon_fence"):
            try:
                block = directive(token, line)
            except ValueError as error:
                raise self.refuse(here, "directive", str(error)) from error
            if block is None:
                if token.type == "colon_fence":
                    raise self.refuse(here, ":::", "a fence of colons needs a {directive}")
                return None
            if block.name not in BLOCKS:
                raise self.refuse(here, f"{{{block.name}}}")
            return BLOCKS[block.name](self, block, here, quoted)
        if token.type in ("myst_target", "myst_line_comment"):
            return ""
        if token.type == "math_block_label":
            return self.formula(token.content, here, self.number(here, "equation"), quoted)
        if token.type == "math_block" and (quoted or ">" in _indent(lines[token.map[0]])):
            return self.formula(token.content, here, "", True)
        if token.type == "amsmath":
            raise self.refuse(here, "\\begin{...} outside of dollars", "write $$ ... $$ (label) around {aligned}")
        if token.type not in _PLAIN_LEAVES:
            raise self.refuse(here, token.type)
        return None

    def _block_edit(self, token: Token, new: str, lines: list[str], starts: list[int], here: int):
        first, last = token.map
        indent = _indent(lines[first])
        if not lines[first][len(indent) :].startswith((token.markup or "(", "(", "%", "$$")):
            raise self.refuse(here, token.type, "start it on a line of its own, below the item that it belongs to")
        while not new and last < len(lines) and not lines[last].strip(" >"):
            last += 1  # the blank lines below something that vanishes go with it
        if not new:
            return starts[first], starts[last], ""
        rows = new.split("\n")
        # Two block quotes without a blank line between them would be read as one.
        if last < len(lines) and lines[last].strip(" >"):
            rows.append("")
        if first and lines[first - 1].strip(" >") and not lines[first - 1].strip().startswith((":::", "```")):
            rows.insert(0, "")
        return starts[first], starts[last], "".join(f"{indent}{row}".rstrip() + "\n" for row in rows)

    def _inline(self, inline: Token, lines, starts, cursor, in_table: bool, line: int, quoted: bool):
        """The edits of one run of text."""
        here = line + inline.map[0]
        try:
            places = list(positions(inline, lines, cursor, in_table))
        except ValueError as error:
            raise self.refuse(here, "text", str(error)) from error
        quoted = quoted or ">" in _indent(lines[inline.map[0]])
        edits = []
        for token in inline.children:
            new = self._span(token, inline.content, here, quoted)
            if new is not None:
                begin, end = (_source(offset, places, starts) for offset in token.meta["span"])
                edits.append((begin, end, new))
        # What stands inside a rebuilt link was rewritten with it.
        return [e for e in edits if not any(o is not e and o[0] <= e[0] and e[1] <= o[1] for o in edits)]

    def _span(self, token: Token, content: str, line: int, quoted: bool) -> str | None:
        """The new text for an inline construct, or None to keep it."""
        if token.type == "myst_role":
            name = token.meta["name"]
            if name not in ROLES:
                raise self.refuse(line, f"{{{name}}}")
            return ROLES[name](self, token.content, line)
        if token.type == "link_open":
            return self._link(token, content, line)
        if token.type == "image":
            address = self.file(token.attrs["src"], line)
            return f"![{self.inline(token.content, line)}]({address})"
        if token.type in ("math_inline", "math_inline_double"):
            begin, end = token.meta["span"]
            return " ".join(content[begin:end].split()) if "\n" in content[begin:end] and quoted else None
        if token.type not in _PLAIN_INLINE:
            raise self.refuse(line, token.type)
        return None

    def _link(self, token: Token, content: str, line: int) -> str | None:
        address, (begin, _) = token.attrs["href"], token.meta["span"]
        if address.startswith(("http://", "https://", "mailto:")):
            inside = content[begin + 1 : token.meta["label_end"]] if content[begin] == "[" else ""
            rewritten = self.inline(inside, line) if inside else inside
            return None if rewritten == inside else f"[{rewritten}]({address})"
        text = self.inline(content[begin + 1 : token.meta["label_end"]], line)
        if address.startswith("#"):
            label = self.book.labels.get(address[1:])
            if label is None or not text:
                raise self.refuse(line, f"[{text}]({address})", "an unknown label, or a link without words")
            return link(self, text, label)
        path, _, fragment = address.partition("#")
        if path.endswith(".md") and "://" not in path:
            return page_link(self, path.removesuffix(".md"), text, line, fragment)
        return f"[{text}]({self.file(address, line, 'blob')})"


def _indent(line: str) -> str:
    return re.match(r"[\s>]*", line).group()


def _source(offset: int, places: list[tuple[int, int, int]], starts: list[int]) -> int:
    """The place in the source of a place in the text of an inline token."""
    begin, row, column = max(place for place in places if place[0] <= offset)
    return starts[row] + column + offset - begin


# A fence of colons, a substitution, a label, attributes, a comment: text to a reader who does not know MyST.
_MYST_TEXT = r"^:::+.*|\{\{.*|^\(\w[\w:-]*\)=|\{[#.][\w-]+[^}]*\}|\{\w+=[^}]*\}|^%.*"


def leftovers(text: str) -> list[str]:
    """What a reader who knows plain Markdown and formulas alone would see of MyST in ``text``."""
    found = []
    for token in tokens(text, frozenset({"dollarmath"})):
        if token.type == "fence" and token.info.strip().startswith("{"):
            found.append(token.info.strip())
        elif token.type == "substitution_block":
            found.append("{{" + token.content + "}}")
        elif token.type in ("myst_target", "myst_line_comment", "front_matter", "myst_block_break"):
            found.append(f"{token.type}: {token.content}")
        for child in token.children or []:
            if child.type == "myst_role":
                found.append(f"{{{child.meta['name']}}}")
            elif child.type == "text":
                found += re.findall(_MYST_TEXT, child.content)
            elif child.type.startswith("footnote"):
                found.append(child.type)
    return found
