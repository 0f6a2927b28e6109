"""The scorecard says what the claims and the stored results say, and a claim is held to what was recorded."""

import importlib.util

import numpy as np
import pytest

from svf_helpers.chapters.kit import claims
from svf_helpers.chapters.kit.claims import Verdict, claim
from svf_helpers.chapters.kit.paper_items import PAPER_ITEMS
from svf_helpers.experiments import Result
from tests.refusals import refuses


@pytest.fixture
def scorecard(root):
    """The script that makes the page, as a module."""
    spec = importlib.util.spec_from_file_location("scorecard", root / "book" / "tools" / "scorecard.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_scorecard_is_what_the_claims_give(scorecard, capsys):
    assert scorecard.main(["--check"]) == 0, capsys.readouterr().out


@pytest.fixture
def made_up(monkeypatch):
    """Claims on a made-up result, one of which has none stored."""
    info = {"scale": "paper", "seeds": [0, 1], "config": {"steps": 10}, "command": "python run it"}

    def read(place, name, scale):
        if name == "missing":
            raise FileNotFoundError(name)
        return Result({"x": np.ones(1)}, info)

    monkeypatch.setattr(claims.store, "read", read)
    monkeypatch.setattr(claims, "CLAIMS", [])
    say = lambda *words: lambda result: Verdict(*words)  # noqa: E731
    claim("Fig 1a", "ten pairs, |cos| < -.95", "here")(say(True, "ten of ten"))
    claim("Fig 2a", "one value", "here")(say(True, "ok"))
    deviation = {"expect": "differs", "interval": (0.3, 0.4)}
    claim("Fig 2a", "two vectors", "here", **deviation)(say(False, "0.36", 0.36, "a feature is dropped"))
    claim("Fig 3", "locks", "missing")(say(True, "never asked"))
    claim("Fig 7b", "falls", "here", on="pocket-pythia")(say(True, "from .4 to .2"))
    claim("Theorem 1", "closed form")(say(True, "1e-8"))
    return claims.CLAIMS


def test_the_scorecard_tells_borne_out_differing_and_missing_apart(scorecard, made_up, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(scorecard, "ROOT", tmp_path)
    monkeypatch.setattr(scorecard, "PAGE", tmp_path / "scorecard.md")
    monkeypatch.setattr(scorecard, "load_claims", lambda: (made_up, PAPER_ITEMS))
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: book/intro.md\nparts:\n  - chapters:\n      - file: book/superposition.md\n"
    )
    assert scorecard.main(["--check"]) == 1  # there is no page yet
    assert scorecard.main([]) == 0
    page = scorecard.PAGE.read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert "`python -m svf_helpers.experiments`" in page
    command = "run missing --scale paper"
    assert (
        "| Fig 1a | ten pairs, \\|cos\\| < -.95 | borne out | ten of ten | paper scale, 2 seeds, 10 steps "
        "| [superposition](superposition.md) | `python run it` |"
    ) in rows
    assert [row.split(" | ")[2:4] for row in rows if row.startswith("| Fig 2a")] == [
        ["borne out", "ok"],
        ["differs", "0.36; a feature is dropped"],
    ]
    assert f"| Fig 3 | locks | not run yet |  |  | dynamics | `{command}` |" in rows
    assert "| Theorem 1 | closed form | borne out | 1e-8 | in the test | theorem1 |" in page
    hub = "run pythia-ioi --scale paper"
    on_small, on_large = (row for row in rows if row.startswith("| Fig 7b"))
    assert "| falls | borne out on pocket-pythia | from .4 to .2 |" in on_small
    assert "| not run yet |" in on_large
    assert f"`{hub}`" in on_large
    assert any(row.startswith("| Fig 25 ") and "not run yet" in row for row in rows)
    items = {row.split(" | ")[0] for row in rows} - {"| item", "| ---"}
    assert f"make {len(items)} items" in page
    assert "**2** are borne out, **1** differ in a way that is measured and explained, **1** need a model" in page
    assert f"**{len(items) - 4}** are not run at all" in page
    assert scorecard.main(["--check"]) == 0
    scorecard.PAGE.write_text(page.replace("ten of ten", "nine of ten"), encoding="utf-8")
    assert scorecard.main(["--check"]) == 1
    assert "python book/tools/scorecard.py" in capsys.readouterr().out


def test_a_claim_is_held_to_what_was_recorded(monkeypatch):
    def outcome(verdict: claims.Verdict, **expectation) -> str:
        monkeypatch.setattr(claims, "CLAIMS", [])
        claims.claim("Fig 3", "a sentence", **expectation)(lambda result: verdict)
        try:
            claims.assert_as_recorded(claims.CLAIMS[0])
        except AssertionError as error:
            return str(error)
        return ""

    deviation = {"expect": "differs", "interval": (0.3, 0.4)}
    assert outcome(claims.Verdict(True, "yes")) == ""
    assert outcome(claims.Verdict(False, "no", 0.35, "why"), **deviation) == ""
    assert "differs, borne out was recorded" in outcome(claims.Verdict(False, "no", 0.35, "why"))
    assert "borne out, differs was recorded" in outcome(claims.Verdict(True, "yes", 0.35), **deviation)
    assert "0.45 lies outside 0.3 to 0.4" in outcome(claims.Verdict(False, "no", 0.45, "why"), **deviation)
    assert "needs the measured value" in outcome(claims.Verdict(False, "no", None, "why"), **deviation)
    with refuses(ValueError, "verdict", "measured: no"):
        claims.Verdict(False, "no")
    with refuses(ValueError, "'Fig 99'", "Fig 3"):
        claims.claim("Fig 99", "a sentence")
    with refuses(ValueError, "Fig 3", "interval"):
        claims.claim("Fig 3", "a sentence", expect="differs")
