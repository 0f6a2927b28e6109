"""The scorecard says what the claims and the stored results say, and a claim is held to what was recorded."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import svf_helpers

PACKAGE = Path(svf_helpers.__file__).resolve().parent


def scorecard(root: Path, *arguments: str) -> subprocess.CompletedProcess:
    env = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    command = [sys.executable, str(root / "book" / "scorecard.py"), *arguments]
    return subprocess.run(command, cwd="/", env=env, capture_output=True, text=True, timeout=300)


def test_the_committed_scorecard_is_what_the_claims_give(root):
    if not (root / "tests" / "test_paper_claims.py").exists():
        pytest.skip("this copy has no tests/test_paper_claims.py, and so no claims")
    ended = scorecard(root, "--check")
    assert ended.returncode == 0, ended.stdout + ended.stderr


CLAIMS = """
import numpy as np
from claims import Verdict, claim
from svf_helpers.experiments import Result, store
import claims

INFO = {"scale": "paper", "seeds": [0, 1], "config": {"steps": 10}, "command": "python run it"}
HERE = Result({"x": np.ones(1)}, INFO)
def read(place, name, scale):
    if name == "missing":
        raise FileNotFoundError(name)
    return HERE
claims.store.read = read

@claim("Fig 1a", "ten pairs, |cos| < -.95", "here")
def pairs(result):
    return Verdict(True, "ten of ten")

@claim("Fig 2a", "one value", "here")
def value(result):
    return Verdict(True, "ok")

@claim("Fig 2a", "two vectors", "here", expect="differs", interval=(0.3, 0.4))
def vectors(result):
    return Verdict(False, "0.36", 0.36, "a feature is dropped")

@claim("Fig 3", "locks", "missing")
def locks(result):
    return Verdict(True, "never asked")

@claim("Fig 7b", "falls", "here", on="pocket-pythia")
def falls(result):
    return Verdict(True, "from .4 to .2")

@claim("Theorem 1", "closed form")
def theorem(result):
    assert result is None
    return Verdict(True, "1e-8")
"""


def test_the_scorecard_tells_borne_out_differing_and_missing_apart(root, tmp_path):
    for folder, names in (("book", ["scorecard.py"]), ("tests", ["claims.py", "paper_items.py"])):
        (tmp_path / folder).mkdir()
        for name in names:
            shutil.copy(root / folder / name, tmp_path / folder)
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: book/intro.md\nparts:\n  - chapters:\n      - file: book/superposition.md\n"
    )
    (tmp_path / "tests" / "test_paper_claims.py").write_text(CLAIMS)
    assert scorecard(tmp_path, "--check").returncode == 1  # there is no page yet
    assert scorecard(tmp_path).returncode == 0
    page = (tmp_path / "book" / "scorecard.md").read_text(encoding="utf-8")
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
    assert scorecard(tmp_path, "--check").returncode == 0
    (tmp_path / "book" / "scorecard.md").write_text(page.replace("ten of ten", "nine of ten"), encoding="utf-8")
    ended = scorecard(tmp_path, "--check")
    assert ended.returncode == 1
    assert "python book/scorecard.py" in ended.stdout


def test_a_claim_is_held_to_what_was_recorded(monkeypatch):
    import claims

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
    with pytest.raises(ValueError, match="must say how"):
        claims.Verdict(False, "no")
    with pytest.raises(ValueError, match="no item 'Fig 99'"):
        claims.claim("Fig 99", "a sentence")
    with pytest.raises(ValueError, match="give an interval"):
        claims.claim("Fig 3", "a sentence", expect="differs")
