"""Where the bundled models lie, and their checkpoints as folders that any Hugging Face code can load."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import tempfile
from functools import cache
from importlib.resources import files
from pathlib import Path

import platformdirs

from ..files import written_beside

NAMES = ("pocket-gpt2", "pocket-pythia")
SHARED = ("config.json", "tokenizer.json", "tokenizer_config.json")


def pocket_folder(name: str, revision: str | None = None) -> Path:
    """A folder in Hugging Face's format with a bundled model, for ``from_pretrained`` or TransformerLens.

    The final weights are used where they are installed. A checkpoint's folder is put together in the user's cache
    (or, where that cannot be written, in a temporary folder); nothing is downloaded.

    Args:
        name: "pocket-gpt2" or "pocket-pythia".
        revision: a checkpoint, e.g. "step100" (see :func:`revisions`); the final weights by default.

    Raises:
        ValueError: for an unknown name or revision; it lists the right ones.
        FileNotFoundError: if the package was installed without its weights.

    Example:
        >>> sorted(path.suffix for path in pocket_folder("pocket-gpt2").iterdir() if path.name.startswith("model."))
        ['.safetensors']
    """
    home = _home(name)
    known = revisions(name)
    if revision is None or revision == known[-1]:
        return home
    if revision not in known:
        raise ValueError(f"{name} has no revision {revision!r}: choose from {', '.join(known)}, or None for the last")
    weights = home / "steps" / f"{revision}.safetensors"
    for cache_folder in (platformdirs.user_cache_path("svf_helpers"), Path(tempfile.gettempdir()) / _private()):
        folder = cache_folder / "pocket" / name / revision
        try:
            _put_together(home, weights, folder)
        except OSError:
            continue
        return folder
    raise OSError(f"cannot write to {platformdirs.user_cache_path('svf_helpers')} nor to {tempfile.gettempdir()}")


def revisions(name: str) -> tuple[str, ...]:
    """The checkpoints of a bundled model, earliest first; the last one is what it loads by default.

    Raises:
        ValueError: for an unknown name.

    Example:
        >>> revisions("pocket-pythia")[0], len(revisions("pocket-pythia"))
        ('step0', 24)
    """
    return tuple(training_record(name)["revisions"])


def training_record(name: str) -> dict:
    """How a bundled model was made: recipe, seed, versions, seconds, and its accuracy at every checkpoint.

    Raises:
        ValueError: for an unknown name.

    Example:
        >>> training_record("pocket-gpt2")["parameters"] < 220_000
        True
    """
    return json.loads((_home(name) / "training.json").read_text(encoding="utf8"))


@cache
def pocket_tokenizer():
    """The word tokenizer that both bundled models share.

    Example:
        >>> tokenizer = pocket_tokenizer()
        >>> tokenizer.decode(tokenizer("Then, Simon and Andrew met at the park.")["input_ids"])
        'Then, Simon and Andrew met at the park.'
    """
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(_home("pocket-gpt2"))


def _home(name: str) -> Path:
    if name not in NAMES:
        raise ValueError(f"no bundled model {name!r}: choose {' or '.join(NAMES)}")
    home = Path(str(files("svf_helpers"))) / "pocket_models" / name
    if not (home / "model.safetensors").is_file():
        raise FileNotFoundError(f"{home / 'model.safetensors'} is missing: install svf_helpers with its weights")
    return home


def _private() -> str:
    """A name for this user in a folder that many share."""
    return f"svf_helpers-{os.getuid() if hasattr(os, 'getuid') else 'user'}"


def _put_together(home: Path, weights: Path, folder: Path) -> None:
    """Fill a folder in one move, so that nobody sees half of it; what is there and right is kept."""
    sources = {"model.safetensors": weights, **{shared: home / shared for shared in SHARED}}
    if all((folder / n).is_file() and filecmp.cmp(source, folder / n, shallow=False) for n, source in sources.items()):
        return
    try:
        with written_beside(folder) as beside:
            beside.mkdir()
            for name, source in sources.items():
                shutil.copyfile(source, beside / name)
    except OSError:  # somebody else may have been quicker: theirs is as good, if it is whole
        if not filecmp.cmp(weights, folder / "model.safetensors", shallow=False):
            raise
