"""A model's checkpoints, one after the other: bundled, in a local folder, or on the hub (paper, appendix G).

All checkpoints of Pythia-160M together are some fifty gigabytes. So they are read one at a time, and may be deleted
afterwards: the few numbers that a run takes from each are kept.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from ..plain_errors import in_plain_words, trouble
from ..pocket.folders import NAMES as BUNDLED
from ..pocket.folders import revisions

T = TypeVar("T")
STEP = re.compile(r"step(\d+)")
ATTEMPTS, PAUSE = 6, 2.0  # a dropped download is tried again after 2, 4, 8, ... seconds


def checkpoint_names(model: str, wanted: str = "all") -> list[str]:
    """A model's checkpoints in the order of training.

    Args:
        model: "pocket-pythia", a local folder with a subfolder ``stepN`` for each checkpoint, or a name on the hub
            whose branches are called ``stepN`` (Pythia's are).
        wanted: "all", "last", "every 1000" (steps that this divides), or names joined by commas.

    Raises:
        ValueError: for a model without checkpoints, or a checkpoint that it does not have.
        FileNotFoundError: for a local folder that is not there.
        ConnectionError: where the hub is needed and cannot be reached.

    Example:
        >>> checkpoint_names("pocket-pythia", "all")[:3]
        ['step0', 'step16', 'step20']
    """
    known = sorted((name for name in _branches(model) if STEP.fullmatch(name)), key=step_of)
    if not known:
        raise ValueError(f"{model} has no checkpoints called stepN, in subfolders or branches")
    if wanted == "all":
        return known
    if wanted == "last":
        return known[-1:]
    if every := re.fullmatch(r"every (\d+)", wanted):
        divisor = int(every[1])
        if divisor < 1:
            raise ValueError(f"revisions {wanted!r}: the number of steps must be positive")
        return [name for name in known if step_of(name) % divisor == 0]
    chosen = [name.strip() for name in wanted.split(",") if name.strip()]
    missing = [name for name in chosen if name not in known]
    if missing or not chosen:
        shown = f"{', '.join(known[:3])}, ..., {known[-1]}" if len(known) > 4 else ", ".join(known)
        raise ValueError(f"revisions {wanted!r}: {model} has {shown} ('all', 'last', 'every 1000', or names)")
    return sorted(set(chosen), key=step_of)


def step_of(revision: str) -> int:
    """The training step in a checkpoint's name.

    Raises:
        ValueError: for another name.

    Example:
        >>> step_of("step3000")
        3000
    """
    found = STEP.fullmatch(revision)
    if not found:
        raise ValueError(f"{revision!r}: checkpoints are called step0, step1, ...")
    return int(found[1])


@contextmanager
def checkpoint(model: str, revision: str, keep_in: Path, discard: bool = False) -> Iterator[tuple[str, str | None]]:
    """A context with one checkpoint on this machine, as the arguments (name, revision) that ``load_model`` takes.

    Weights from the hub go into ``keep_in``, file by file; a download that breaks off is tried again, and every file's
    size is compared with the one that the hub states.

    Args:
        model: as for :func:`checkpoint_names`.
        revision: which of its checkpoints.
        keep_in: folder for downloaded files.
        discard: delete the downloaded files afterwards.

    Raises:
        ConnectionError: where the hub cannot be reached, or a file arrives short, after six attempts.

    Example:
        >>> with checkpoint("pocket-pythia", "step16", Path("unused")) as (name, revision):
        ...     name, revision
        ('pocket-pythia', 'step16')
    """
    if model in BUNDLED:
        yield model, revision
        return
    if Path(model).is_dir():
        yield str(Path(model) / revision), None
        return
    folder = Path(keep_in) / model.replace("/", "--") / revision
    try:
        _fetch(model, revision, folder)
        yield str(folder), None
    finally:
        if discard:
            shutil.rmtree(folder, ignore_errors=True)


def _branches(model: str) -> list[str]:
    if model in BUNDLED:
        return list(revisions(model))
    if Path(model).is_dir():
        return [path.name for path in Path(model).iterdir() if (path / "config.json").is_file()]
    if model.startswith((".", "/", "~")):
        raise FileNotFoundError(f"no folder {model}: give one with a subfolder stepN for each checkpoint")
    from huggingface_hub import HfApi

    return [branch.name for branch in _patiently(lambda: HfApi().list_repo_refs(model).branches, model)]


def _fetch(model: str, revision: str, folder: Path) -> None:
    """Download what a model's folder needs, and check it against the sizes that the hub states."""
    from huggingface_hub import HfApi, hf_hub_download

    ask = lambda: HfApi().model_info(model, revision=revision, files_metadata=True).siblings  # noqa: E731
    told = _patiently(ask, model, revision)
    sizes = {file.rfilename: file.size for file in told or ()}
    for name in needed_files(list(sizes)):
        path = folder / name

        def get(name: str = name, path: Path = path) -> None:
            if not path.is_file() or path.stat().st_size != sizes[name]:
                path.unlink(missing_ok=True)
                hf_hub_download(model, name, revision=revision, local_dir=folder)
            if path.stat().st_size != sizes[name]:
                raise ConnectionError(f"{name} has {path.stat().st_size:,} bytes, the hub states {sizes[name]:,}")

        _patiently(get, model, revision)


def needed_files(names: list[str]) -> list[str]:
    """The files of a repository that loading needs: configuration, tokenizer, weights in one format.

    Raises:
        ValueError: where there are no weights.

    Example:
        >>> needed_files(["README.md", "config.json", "model.safetensors", "pytorch_model.bin", "tokenizer.json"])
        ['config.json', 'model.safetensors', 'tokenizer.json']
    """
    top = [name for name in names if "/" not in name]
    safe = [name for name in top if name.endswith(".safetensors")]
    weights = safe or [name for name in top if re.fullmatch(r"pytorch_model.*\.bin", name)]
    if not weights:
        raise ValueError(f"no weights among the files {top}: expected model.safetensors or pytorch_model.bin")
    small = [name for name in top if name.endswith((".json", ".txt", ".model"))]
    other = "pytorch_model" if safe else "model.safetensors"
    return sorted({*weights, *(name for name in small if not name.startswith(other))})


def _patiently(ask: Callable[[], T], model: str, revision: str | None = None) -> T:
    """Ask again after a failure that may pass; say in plain words what did not."""
    from huggingface_hub import errors

    # the hub's client raises its own HTTP library's errors where it got no answer: they and HfHubHTTPError share a base
    of_xet = getattr(errors, "XetDownloadError", OSError)
    caught: tuple[type[Exception], ...] = (*errors.HfHubHTTPError.__bases__, of_xet, OSError, errors.HFValidationError)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return ask()
        except caught as error:
            if trouble(error) not in ("unreachable", "unknown"):
                raise in_plain_words(error, model, revision=revision) from error
            if attempt == ATTEMPTS:
                what = f"{model} {revision}" if revision else model
                raise ConnectionError(f"{what}: gave up after {ATTEMPTS} attempts: {error}") from error
            time.sleep(PAUSE * 2 ** (attempt - 1))
    raise AssertionError("unreachable")
