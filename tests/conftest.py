"""What several test modules share."""

import os
from pathlib import Path

import matplotlib
import pytest
import yaml

matplotlib.use("agg")  # tests draw into memory, never on a screen

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's folder."""
    return ROOT


@pytest.fixture(scope="session")
def config(root: Path) -> dict:
    """The book's settings: the one place where the addresses are set."""
    return yaml.safe_load((root / "_config.yml").read_text(encoding="utf8"))


@pytest.fixture(scope="session")
def fixtures_folder() -> Path:
    """Small real artefacts from outside, found through SVF_FIXTURES: needed in CI, optional elsewhere."""
    place = os.environ.get("SVF_FIXTURES", "")
    if place and Path(place).is_dir():
        return Path(place)
    sentence = f"SVF_FIXTURES={place!r} names no folder of fixtures"
    if os.environ.get("CI") == "true":
        pytest.fail(sentence + "; .ci/run sets it.")
    pytest.skip(sentence + "; set it to run the tests that need real files.")


@pytest.fixture
def elsewhere(tmp_path, monkeypatch) -> Path:
    """The folder in which a reader's own results are looked for; it is empty."""
    monkeypatch.setattr("platformdirs.user_data_dir", lambda *_, **__: str(tmp_path / "data"))
    return tmp_path / "data" / "results"
