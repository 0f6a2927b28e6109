"""Every claim of the paper that a chapter covers, judged on stored results: borne out, or off by as much as recorded.

The claims stand in ``claims_*.py``, one file for a few chapters; ``book/scorecard.py`` makes a page from the same ones.
"""

import importlib
from pathlib import Path

import pytest
import yaml
from claims import CLAIMS, assert_as_recorded
from paper_items import PAPER_ITEMS

HERE = Path(__file__).parent
for module in sorted(HERE.glob("claims_*.py")):
    importlib.import_module(module.stem)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.item}-{claim.claim[:60]}")
def test_claim(claim):
    assert_as_recorded(claim)


def test_every_item_of_a_written_chapter_has_a_claim():
    toc = yaml.safe_load((HERE.parent / "_toc.yml").read_text())
    written = {Path(page["file"]).stem for part in toc["parts"] for page in part["chapters"]}
    judged = {claim.item for claim in CLAIMS}
    unjudged = [
        entry.item
        for entry in PAPER_ITEMS
        if entry.chapter.lower().replace(" ", "_").replace("-", "") in written and entry.item not in judged
    ]
    assert not unjudged, f"no claim judges {', '.join(unjudged)}"
