"""Plain Markdown for each role that a chapter may use: ``ROLES[name](page, content, line)``."""

import re

from myst_labels import PROOF_KINDS, Label
from myst_page import Page


def link(plain: Page, text: str, label: Label) -> str:
    """A link to another page of the published book; within its own page, only the words."""
    return text if label.page == plain.page else f"[{text}]({plain.book.url(label.page, label.anchor)})"


def page_link(plain: Page, path: str, text: str, line: int, fragment: str = "") -> str:
    """A link to a page, named as in a link or in {doc}: relative to this page, or from the root with a slash."""
    folder = "" if path.startswith("/") else plain.page.rpartition("/")[0] + "/"
    page = folder + path.lstrip("/")
    anchor = plain.book.slugs.get((page, fragment), "")  # a heading's words: the book finds no label this way
    if page not in plain.book.titles or bool(anchor) != bool(fragment):
        name = f"{path}.md{'#' + fragment if fragment else ''}"
        raise plain.refuse(line, f"link to {name}", "no such page or heading; for a label write [words](#label)")
    return f"[{text or plain.inline(plain.book.titles[page], line)}]({plain.book.url(page, anchor)})"


def _split(content: str) -> tuple[str, str]:
    """``words <target>`` as (words, target); the words are empty where only a target stands."""
    found = re.fullmatch(r"(.+?)\s*<([^<>]+)>", content.strip(), re.DOTALL)
    return (found[1], found[2]) if found else ("", content.strip())


def _find(plain: Page, name: str, line: int, role: str) -> Label:
    label = plain.book.labels.get(name)
    if label is None:
        raise plain.refuse(line, f"{{{role}}}`{name}`", "no page has this label")
    return label


def _number_words(plain: Page, label: Label) -> str:
    if label.kind in PROOF_KINDS:
        return f"{label.kind.capitalize()} {label.number}".strip()
    return plain.book.number_forms[label.kind] % label.number


def _ref(plain: Page, content: str, line: int) -> str:
    words, name = _split(content)
    label = _find(plain, name, line, "ref")
    if label.kind in PROOF_KINDS or label.kind == "equation":
        raise plain.refuse(line, f"{{ref}}`{name}`", "use {prf:ref} for a theorem and its like, {eq} for a formula")
    if not words and label.kind == "exercise":
        words = _number_words(plain, label)
    elif not words and label.kind == "section":
        words = plain.inline(label.title, line)
    elif not words:
        raise plain.refuse(line, f"{{ref}}`{name}`", f"use {{numref}}, or write {{ref}}`words <{name}>`")
    return link(plain, words, label)


def _numref(plain: Page, content: str, line: int) -> str:
    words, name = _split(content)
    label = _find(plain, name, line, "numref")
    if not label.number or label.kind == "equation":
        raise plain.refuse(line, f"{{numref}}`{name}`", "it has no number of its own; use {ref}, or {eq} for a formula")
    words = words.replace("{number}", "%s")
    text = words.replace("%s", label.number) if words else _number_words(plain, label)
    return link(plain, text, label)


def _eq(plain: Page, content: str, line: int) -> str:
    label = _find(plain, content.strip(), line, "eq")
    if label.kind != "equation":
        raise plain.refuse(line, f"{{eq}}`{content}`", f"this is a {label.kind}")
    return link(plain, f"({label.number})", label)


def _proof_ref(plain: Page, content: str, line: int) -> str:
    words, name = _split(content)
    label = _find(plain, name, line, "prf:ref")
    if label.kind not in PROOF_KINDS:
        raise plain.refuse(line, f"{{prf:ref}}`{name}`", f"this is a {label.kind}")
    text = words.replace("{number}", "%s").replace("%s", label.number) or _number_words(plain, label)
    return link(plain, text, label)


def _doc(plain: Page, content: str, line: int) -> str:
    words, path = _split(content)
    return page_link(plain, path.removesuffix(".md"), words, line)


def _cite(textual: bool):
    def cite(plain: Page, content: str, line: int) -> str:
        works = []
        for key in (part.strip() for part in content.split(",")):
            if key not in plain.book.bibliography:
                raise plain.refuse(line, f"citation of {key!r}", "it is not in the bibliography")
            authors, year = plain.book.bibliography[key]
            words = f"{authors} ({year})" if textual else f"{authors}, {year}"
            works.append(f"[{words}]({plain.book.url(plain.book.references)})")
        return ", ".join(works) if textual else f"({'; '.join(works)})"

    return cite


def _glue(plain: Page, content: str, line: int) -> str:
    name = content.strip()
    if "::" in name:
        raise plain.refuse(line, f"{{glue}}`{name}`", "a number of another chapter: compute it in this one")
    if name not in plain.glued:
        raise plain.refuse(line, f"{{glue}}`{name}`", "no cell of this chapter has stored it; formats belong there")
    return re.sub(r"([\\`*_\[\]<>$|])", r"\\\1", plain.glued[name])


def _term(plain: Page, content: str, line: int) -> str:
    words, name = _split(content)
    label = plain.book.terms.get(name.lower())
    if label is None:
        raise plain.refuse(line, f"{{term}}`{name}`", "no glossary has it")
    return link(plain, words or name, label)


def _python(plain: Page, content: str, line: int) -> str:
    words, name = _split(content)
    shown, name = words or (name.rpartition(".")[2] if name.startswith("~") else name), name.lstrip("~")
    page = f"book/api/{name.split('.')[1]}"  # one page for each public module of the package
    if page not in plain.book.titles:
        raise plain.refuse(line, content, f"no page of the reference shows it: there is no {page}.md")
    return f"[`{shown.removesuffix('()')}`]({plain.book.url(page, name.removesuffix('()'))})"


def _enclose(before: str, after: str):
    return lambda plain, content, line: before + content.strip() + after


ROLES = {
    "ref": _ref,
    "numref": _numref,
    "eq": _eq,
    "prf:ref": _proof_ref,
    "doc": _doc,
    "cite": _cite(False),
    "cite:p": _cite(False),
    "cite:t": _cite(True),
    "glue:text": _glue,
    "term": _term,
    "abbr": _enclose("", ""),
    "math": _enclose("$", "$"),
    "code": _enclose("`", "`"),
    "sub": _enclose("<sub>", "</sub>"),
    "sup": _enclose("<sup>", "</sup>"),
    **dict.fromkeys(("py:func", "py:class", "py:meth", "py:mod", "py:attr", "py:data"), _python),
}
