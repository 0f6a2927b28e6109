"""What a chapter's text asks its cells for."""

import re
from pathlib import Path

BOOK = Path(__file__).parents[1] / "book"


def names_in_prose(chapter: str) -> set[str]:
    """The names of all numbers in the sentences and captions of a chapter."""
    return set(re.findall(r"\{glue:text\}`([^`]+)`", (BOOK / f"{chapter}.md").read_text(encoding="utf8")))
