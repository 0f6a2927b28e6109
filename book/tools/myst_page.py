"""One page of the book on its way to plain Markdown: what the writers of directives and of roles may ask of it."""

import re
from abc import ABC, abstractmethod

from myst_labels import Book


class Page(ABC):
    """A page, the book that it belongs to, and what its cells have stored for the text (``glued``)."""

    def __init__(self, book: Book, page: str, glued: dict[str, str] | None = None) -> None:
        self.book, self.page, self.glued = book, page, glued or {}
        self.solutions = 0  # how many {solution-start} are open

    def refuse(self, line: int, construct: str, why: str = "no plain Markdown is known for it") -> ValueError:
        """The error for a construct at a line (from 0), for the caller to raise."""
        return ValueError(f"{self.page}.md:{line + 1}: {construct}: {why}")

    def number(self, line: int, counter: str) -> str:
        """The number that the book gives to the thing of this kind at this line; empty if it has none."""
        return self.book.numbers.get((self.page, line, counter), "")

    @abstractmethod
    def markdown(self, text: str, line: int = 0, quoted: bool = False) -> str:
        """The plain form of Markdown that begins at ``line`` of the page.

        ``quoted``: it will stand in a block quote, where Jupyter needs each formula on one line.
        """

    def inline(self, text: str, line: int) -> str:
        """The plain form of a title: Markdown without a paragraph of its own."""
        return self.markdown(text, line, quoted=True)

    def formula(self, tex: str, line: int, number: str, one_line: bool) -> str:
        """Display mathematics with the book's number as its tag."""
        tex = tex.strip()
        if number and re.search(r"\\begin\{(align|gather|equation|multline)\*?\}", tex):
            raise self.refuse(line, "labelled formula", "use {aligned} inside: only it takes one number for all lines")
        if r"\\" in tex and r"\begin{" not in tex:
            tex = rf"\begin{{aligned}} {tex} \end{{aligned}}"  # as the book does; MathJax alone ignores the break
        if one_line:
            if re.search(r"(?<!\\)%", tex):
                raise self.refuse(line, "% in a formula", "a comment would swallow the rest of it")
            tex = " ".join(tex.split())
        tag = rf" \tag{{{number}}}" if number else ""
        return f"$${tex}{tag}$$" if one_line else f"$$\n{tex}{tag}\n$$"

    def file(self, path: str, line: int, view: str = "raw") -> str:
        """The repository's address of a file that the page names; it has to exist."""
        if path.startswith(("http://", "https://")):
            return path
        folder = self.book.root if path.startswith("/") else (self.book.root / self.page).parent
        target = (folder / path.lstrip("/")).resolve()
        if not target.exists() or not target.is_relative_to(self.book.root.resolve()):
            raise self.refuse(line, path, "no such file in the repository")
        relative = target.relative_to(self.book.root.resolve()).as_posix()
        return f"{self.book.repository}/{view}/{self.book.branch}/{relative}"

    def caption(self, counter: str, number: str, text: str, line: int, quoted: bool = False) -> str:
        """ "**Figure 2.1.** The caption." """
        form = self.book.number_forms[counter]
        lead = f"**{form % number}.** " if number else ""
        return lead + self.markdown(text.strip(), line, quoted)
