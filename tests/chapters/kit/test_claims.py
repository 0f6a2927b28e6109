"""Every claim of the paper that a chapter covers, judged on stored results: borne out, or off by as much as recorded.

Each chapter has its own, ``svf_helpers/chapters/NAME/claims.py``; ``book/tools/scorecard.py`` makes a page of them.
"""

from pathlib import Path

import pytest
import yaml

from svf_helpers.chapters.kit.claims import CLAIMS, assert_as_recorded
from svf_helpers.chapters.kit.paper_items import PAPER_ITEMS
from svf_helpers.chapters.kit.rooms import modules

modules("claims")


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.item}-{claim.claim[:60]}")
def test_claim(claim):
    assert_as_recorded(claim)


def test_every_item_of_a_written_chapter_has_a_claim(root):
    toc = yaml.safe_load((root / "_toc.yml").read_text())
    written = {Path(page["file"]).stem for part in toc["parts"] for page in part["chapters"]}
    judged = {claim.item for claim in CLAIMS}
    unjudged = [
        entry.item
        for entry in PAPER_ITEMS
        if entry.chapter.lower().replace(" ", "_").replace("-", "") in written and entry.item not in judged
    ]
    assert not unjudged, f"no claim judges {', '.join(unjudged)}"
