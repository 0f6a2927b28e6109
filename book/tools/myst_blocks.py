"""Plain Markdown for each directive that a chapter may use: ``BLOCKS[name](page, directive, line, quoted)``."""

from myst_labels import ADMONITIONS, PROOF_KINDS, glossary
from myst_page import Page
from myst_parse import Directive, tokens


def quote(text: str) -> str:
    """The text as a block quote."""
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


def _lead(plain: Page, name: str, title: str, line: int) -> str:
    return f"**{name}**" + (f" ({plain.inline(title, line)})" if title else "")


def _statement(plain: Page, block: Directive, line: int, quoted: bool) -> str:
    kind = block.name.removeprefix("prf:")
    number = "" if "nonumber" in block.options else plain.number(line, plain.book.counters[kind])
    title = f" ({plain.inline(block.argument, line)})" if block.argument else ""
    lead = f"**{kind.capitalize()} {number}".rstrip() + f"{title}.**"
    return quote(f"{lead}\n\n{plain.markdown(block.body, block.line, quoted=True)}")


def _proof(plain: Page, block: Directive, line: int, quoted: bool) -> str:
    return quote(f"**Proof.**\n\n{plain.markdown(block.body, block.line, quoted=True)}")


def _exercise(plain: Page, block: Directive, line: int, quoted: bool) -> str:
    form = plain.book.number_forms["exercise"]
    lead = _lead(plain, form % plain.number(line, "exercise"), block.argument, line)
    return f"{lead}\n\n{plain.markdown(block.body, block.line, quoted)}".rstrip()


def _solution_title(plain: Page, block: Directive, line: int) -> str:
    label = plain.book.labels.get(block.argument)
    if label is None or label.kind != "exercise" or label.page != plain.page:
        raise plain.refuse(line, f"{{{block.name}}} {block.argument}", "no exercise of this page has this label")
    return f"Solution to {plain.book.number_forms['exercise'] % label.number}"


def _fold(title: str, body: str) -> str:
    # The blank lines make readers treat what is inside as Markdown.
    return f"<details>\n<summary>{title}</summary>\n\n{body}\n\n</details>"


def _solution(plain: Page, block: Directive, line: int, quoted: bool) -> str:
    return _fold(_solution_title(plain, block, line), plain.markdown(block.body, block.line, quoted))


def _solution_start(plain: Page, block: Directive, line: int, quoted: bool) -> str:
    if plain.solutions:
        raise plain.refuse(line, "{solution-start}", "the solution before it has no {solution-end}")
    plain.solutions += 1
    body = plain.markdown(block.body, block.line, quoted)
    return f"**{_solution_title(plain, block, line)}**\n\n{body}".rstrip()


def _solution_end(plain: Page, block: Directive, line: int, quoted: bool) -> str:
    if not plain.solutions:
        raise plain.refuse(line, "{solution-end}", "no {solution-start} before it")
    plain.solutions -= 1
    return ""


def _admonition(plain: Page, block: Directive, line: int, quoted: bool) -> str:
    titled = block.name in ("admonition", "dropdown")
    title = plain.inline(block.argument, line) if titled else block.name.capitalize().replace("Seealso", "See also")
    text = block.body if titled or not block.argument else f"{block.argument}\n{block.body}"
    start = block.line if text == block.body else line
    if block.name == "dropdown" or "dropdown" in str(block.options.get("class", "")).split():
        return _fold(title, plain.markdown(text, start, quoted))
    return quote(f"**{title}**\n\n{plain.markdown(text, start, quoted=True)}".rstrip())


def _figure(plain: Page, block: Directive, line: int, quoted: bool) -> str:
    alt = str(block.options.get("alt", ""))
    if not alt:
        raise plain.refuse(line, f"{{{block.name}}}", "it needs :alt: that states what the picture shows")
    image = f"![{alt}]({plain.file(block.argument, line)})"
    if not block.body.strip():
        return image
    return f"{image}\n\n{plain.caption('figure', plain.number(line, 'figure'), block.body, block.line, quoted)}"


def _math(plain: Page, block: Directive, line: int, quoted: bool) -> str:
    tex = f"{block.argument}\n{block.body}"
    return plain.formula(tex, line, plain.number(line, "equation"), quoted)


def _table(plain: Page, block: Directive, line: int, quoted: bool) -> str:
    table = plain.markdown(block.body, block.line, quoted)
    return _with_caption(plain, block, line, table)


def _list_table(plain: Page, block: Directive, line: int, quoted: bool) -> str:
    """A list of lists as a table; each cell is one run of text."""
    rows: list[list[str]] = []
    depth = 0
    for token in tokens(block.body, plain.book.extensions):
        if token.type in ("bullet_list_open", "bullet_list_close"):
            depth += token.nesting
        elif token.type == "list_item_open":
            if depth == 1:
                rows.append([])
            elif depth == 2:
                rows[-1].append("")
        elif token.type == "inline" and depth == 2 and not rows[-1][-1]:
            cell = plain.markdown(token.content, block.line + token.map[0], quoted=True)
            rows[-1][-1] = " ".join(cell.split()).replace("|", "\\|")
        elif token.type not in ("list_item_close", "paragraph_open", "paragraph_close"):
            raise plain.refuse(line, "{list-table}", "each cell holds one run of text, and nothing else")
    header = int(block.options.get("header-rows", 0))
    if header != 1 or not rows or len({len(row) for row in rows}) != 1:
        raise plain.refuse(line, "{list-table}", "it needs :header-rows: 1 and rows of one length")
    rows.insert(1, ["---"] * len(rows[0]))
    return _with_caption(plain, block, line, "\n".join("| " + " | ".join(row) + " |" for row in rows))


def _with_caption(plain: Page, block: Directive, line: int, table: str) -> str:
    if not block.argument:
        return table
    return f"{plain.caption('table', plain.number(line, 'table'), block.argument, line, True)}\n\n{table}"


def _glossary(plain: Page, block: Directive, line: int, quoted: bool) -> str:
    items = []
    for term, text, start in glossary(block.body):
        meaning = plain.markdown(text, block.line + start, quoted=True)
        items.append(f"- **{plain.inline(term, line)}**: {meaning}".replace("\n", "\n  "))
    return "\n".join(items)


def _code(plain: Page, block: Directive, line: int, quoted: bool) -> str:
    return f"```{block.argument}\n{block.body}\n```"


def _nothing(plain: Page, block: Directive, line: int, quoted: bool) -> str:
    return ""


BLOCKS = {
    **{f"prf:{kind}": _statement for kind in PROOF_KINDS},
    "prf:proof": _proof,
    "exercise": _exercise,
    "exercise-start": _exercise,
    "exercise-end": _nothing,
    "solution": _solution,
    "solution-start": _solution_start,
    "solution-end": _solution_end,
    **dict.fromkeys([*ADMONITIONS, "admonition", "dropdown"], _admonition),
    "figure": _figure,
    "image": _figure,
    "math": _math,
    "table": _table,
    "list-table": _list_table,
    "glossary": _glossary,
    **dict.fromkeys(("code", "code-block"), _code),
    **dict.fromkeys(("bibliography", "tableofcontents", "toctree", "contents"), _nothing),
}
