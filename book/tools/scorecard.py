"""Makes book/scorecard.md: every item of the paper, and whether this book's own runs bear it out.

``python book/tools/scorecard.py`` writes the page from the chapters' claims and the stored results;
``--check`` writes nothing and exits with 1 where the committed page is not what they give.
"""

import argparse
import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "book" / "scorecard.md"
NOT_RUN = "not run yet"
RUN = "python -m svf_helpers.experiments "  # what nearly all commands begin with; the table leaves it out
STAND_IN = "on a stand-in"
COLUMNS = ("item", "what the paper shows", "verdict", "measured", "scale and seeds", "chapter", "command")


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the page; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the committed page and write nothing")
    options = parser.parse_args(arguments)
    claims, items = load_claims()
    page = render(claims, items, chapter_pages(ROOT / "_toc.yml"))
    if options.check:
        there = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
        changes = difflib.unified_diff(there.splitlines(), page.splitlines(), "committed", "now", lineterm="", n=0)
        if there != page:
            print("\n".join(changes))
            print("book/scorecard.md is out of step with the claims; "
                  "make it again: python book/tools/scorecard.py")
        return int(there != page)
    PAGE.write_text(page, encoding="utf-8", newline="\n")
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


def load_claims() -> tuple[Sequence[Any], Sequence[Any]]:
    """The claims of all chapters, and the paper's items."""
    from svf_helpers.chapters.kit.claims import CLAIMS
    from svf_helpers.chapters.kit.paper_items import PAPER_ITEMS
    from svf_helpers.chapters.kit.rooms import modules

    modules("claims")
    return CLAIMS, PAPER_ITEMS


def chapter_pages(toc: Path) -> set[str]:
    """The stems of the pages that the table of contents lists."""
    import yaml

    def walk(node: Any) -> set[str]:
        if isinstance(node, dict):
            here = {Path(node[key]).stem for key in ("file", "root") if key in node}
            return here.union(*(walk(value) for value in node.values()))
        return set().union(*(walk(value) for value in node)) if isinstance(node, list) else set()

    return walk(yaml.safe_load(toc.read_text(encoding="utf-8")))


def render(claims: Sequence[Any], items: Sequence[Any], pages: set[str]) -> str:
    """The page as MyST Markdown: one row for each claim, and one for each item that has none yet."""
    rows, verdicts = [], {}
    for entry in items:
        of_item = [claim for claim in claims if claim.item == entry.item]
        mine = [_row(claim, pages) for claim in of_item]
        own = [row[2] for claim, row in zip(of_item, mine, strict=True) if not claim.on]
        if not own:  # the paper's own model waits for whoever has it
            again = _missing_command(entry.item)
            mine.append((entry.item, entry.shows, NOT_RUN, "", "", _chapter(entry.chapter, pages), again))
        rows += mine
        found = set(own) or {STAND_IN if of_item else NOT_RUN}
        verdicts[entry.item] = next(word for word in (NOT_RUN, STAND_IN, "differs", "borne out") if word in found)
    counts = {word: list(verdicts.values()).count(word) for word in ("borne out", "differs", STAND_IN, NOT_RUN)}
    others = (f"**{counts[STAND_IN]}** need a model or files from the hub and are judged on a bundled model or local "
              "files in their place")
    lines = [
        "% Made by `python book/tools/scorecard.py`; change svf_helpers/chapters/NAME/claims.py instead.",
        "",
        "# Scorecard",
        "",
        f"The paper's figures, tables and theorems make {len(verdicts)} items, and this book judges each on its own "
        "runs, by the tests that accompany its code.",
        f"So far **{counts['borne out']}** are borne out, **{counts['differs']}** differ in a way that is measured "
        f"and explained, {others} (the rows “{NOT_RUN}” wait for whoever is online), and **{counts[NOT_RUN]}** are not "
        "run at all.",
        f"Commands that start with `run` have `{RUN.strip()}` before that.",
        "",
        *(f"| {' | '.join(_cell(cell) for cell in row)} |" for row in (COLUMNS, ("---",) * len(COLUMNS), *rows)),
        "",
    ]
    return "\n".join(lines)


def _row(claim: Any, pages: set[str]) -> tuple[str, ...]:
    """The row of one claim; a result that is missing leaves it open, a damaged one is an error."""
    chapter = _chapter(claim.chapter, pages)
    try:
        result = claim.read()
    except FileNotFoundError:
        from svf_helpers.experiments.registry import command

        return (claim.item, claim.claim, NOT_RUN, "", "", chapter, _command(command(claim.result, claim.scale)))
    verdict = claim.judge(result)
    measured = verdict.measured if verdict.borne_out else f"{verdict.measured}; {verdict.differs}"
    label, again = (
        ("in the test", "pytest tests/chapters/kit/test_claims.py")
        if result is None
        else (result.label(), result.command)
    )
    return (
        claim.item,
        claim.claim,
        ("borne out" if verdict.borne_out else "differs") + (f" on {claim.on}" if claim.on else ""),
        measured,
        label,
        chapter,
        _command(again),
    )


def _missing_command(item: str) -> str:
    """The command of the run that makes this item of the paper, if there is one."""
    from svf_helpers.experiments import registry

    names = [name for name, entry in registry.discover().items() if item in entry.figures]
    return _command(registry.command(names[0], "paper")) if names else ""


def _command(text: str) -> str:
    """A command as code, without the beginning that the head of the page gives."""
    return f"`{text.removeprefix(RUN)}`"


def _chapter(title: str, pages: set[str]) -> str:
    """A link to the chapter, or its title alone as long as the book has no such page."""
    stem = title.lower().replace("-", "").replace(" ", "_")
    return f"[{title}]({stem}.md)" if stem in pages else title


def _cell(text: str) -> str:
    """Text as one cell of a table: a bar would end it."""
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
