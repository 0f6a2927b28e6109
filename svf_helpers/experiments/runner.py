"""Runs an experiment so that an interruption loses nothing, and compares a fresh run with what is stored."""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from svf_helpers import __version__
from svf_helpers.experiments import registry, store
from svf_helpers.experiments.files import locked
from svf_helpers.experiments.registry import Experiment, Scale
from svf_helpers.experiments.source import code_hash
from svf_helpers.files import write_file

STATE, TRACEBACK = "state.json", "traceback.txt"


def is_current(experiment: Experiment, scale: Scale, out: Path, options: Mapping[str, Any] | None = None) -> bool:
    """Does ``out`` hold an undamaged result that the present code made (or is proven to make), with these options?"""
    with suppress(FileNotFoundError, ValueError):
        code = code_hash(experiment.run)
        stored = store.read(out, experiment.name, scale)
        same_options = stored.info.get("options", {}) == registry.with_options(experiment, options)
        return bool(code) and code in stored.codes and same_options
    return False


def run(
    name: str,
    scale: Scale,
    device: str,
    out: Path,
    fresh: bool = False,
    progress: bool = False,
    options: Mapping[str, Any] | None = None,
) -> Path:
    """Run an experiment, or go on with an interrupted run of it, and store its result in ``out``; return its path.

    Checkpoints live in ``out/.partial/NAME-SCALE`` until the result is written. Those of other code or another device
    are never mixed into a run: ``ValueError`` says so, and ``fresh`` throws them away.
    """
    experiment = registry.get(name)
    registry.check_scale(scale)
    chosen = registry.with_options(experiment, options)
    workdir = partial_folder(out, name, scale)
    workdir.mkdir(parents=True, exist_ok=True)
    try:
        with locked(workdir):
            made_by: dict[str, Any] = {"code": code_hash(experiment.run), "device": device_name(device)}
            made_by |= {"options": chosen} if chosen else {}
            _prepare(workdir, made_by, fresh, name, scale)
            with _clock(workdir / STATE) as clock:
                arrays, config = experiment.run(
                    scale=scale, device=device, progress=progress, workdir=workdir, **chosen
                )
            path = store.save(out, name, scale, arrays, _provenance(experiment, config, made_by, clock["seconds"]))
            shutil.rmtree(workdir)
    except BlockingIOError:
        raise ValueError(f"another process is running {name} at {scale} scale in {out}; wait for it") from None
    with suppress(OSError):
        workdir.parent.rmdir()
    return path


def partial_folder(out: Path, name: str, scale: Scale) -> Path:
    """Where a run keeps its checkpoints.

    >>> partial_folder(Path("results"), "one-pair", "quick").parts[-3:]
    ('results', '.partial', 'one-pair-quick')
    """
    return out.absolute() / ".partial" / f"{name}-{scale}"


@dataclass(frozen=True)
class Comparison:
    """What ``check`` found for one experiment: ``differences`` is empty where the re-run agrees with what is stored."""

    name: str
    by_value: int
    by_shape: int
    differences: tuple[str, ...]


def check(name: str, device: str, folder: Path | None = None, progress: bool = False) -> Comparison:
    """Run an experiment at quick scale from the start and compare it with the stored quick result."""
    experiment = registry.get(name)
    try:
        stored = store.load(name, "quick", folder=folder)
    except (FileNotFoundError, ValueError) as error:
        return Comparison(name, 0, 0, (str(error),))
    with tempfile.TemporaryDirectory() as workdir:
        arrays, config = experiment.run(
            scale="quick", device=device, progress=progress, workdir=Path(workdir),
            **registry.with_options(experiment, None),
        )
    return compare(stored, arrays, config, experiment.compare)


def compare(
    stored: store.Result, arrays: Mapping[str, Any], config: Mapping[str, Any], tolerances: Mapping[str, float | None]
) -> Comparison:
    """Compare a fresh run with a stored result: config and shapes exactly, values as the experiment declares.

    What ``tolerances`` means is said in :func:`svf_helpers.experiments.experiment`. Text and truth values named by it
    must be equal. A pattern that names no array is a difference too: what it was to guard is gone.

    >>> stored = store.Result({"summary_p": np.array([0.5])}, {"name": "toss", "config": {"seeds": [0], "steps": 5}})
    >>> compare(stored, {"summary_p": np.array([0.7])}, {"seeds": [0], "steps": 5}, {"summary_*": 0.01}).differences
    ('summary_p: 1 of 1 entries differ by more than 0.01 (1 + |stored|), by up to 0.2',)
    """
    found = []
    if json.loads(json.dumps(config)) != stored.info["config"]:
        found.append("the config changed")
    for key in sorted(set(arrays) ^ set(stored.arrays)):
        found.append(f"{key}: {'not stored' if key in arrays else 'not made any more'}")
    by_value = by_shape = 0
    for key in sorted(set(arrays) & set(stored.arrays)):
        new, old = np.asarray(arrays[key]), stored[key]
        tolerance = next((t for pattern, t in tolerances.items() if fnmatchcase(key, pattern)), None)
        if (new.shape, new.dtype) != (old.shape, old.dtype):
            found.append(f"{key}: {new.dtype}{list(new.shape)} now, {old.dtype}{list(old.shape)} stored")
        elif tolerance is None:
            by_shape += 1
        else:
            by_value += 1
            found += [f"{key}: {text}" for text in _value_difference(new, old, tolerance)]
    for pattern in tolerances if tolerances != registry.SUMMARIES else ():
        if not any(fnmatchcase(key, pattern) for key in arrays):
            found.append(f"no array is called {pattern!r}, which the experiment wants compared")
    return Comparison(stored.info["name"], by_value, by_shape, tuple(found))


def _value_difference(new: np.ndarray, old: np.ndarray, tolerance: float) -> list[str]:
    if new.dtype.kind not in "iufc":
        count = int((new != old).sum())
        return [f"{count} of {new.size} entries changed"] if count else []
    # integers as floats: the difference of unsigned ones would wrap around
    new, old = (a.astype(np.complex128 if a.dtype.kind == "c" else np.float64) for a in (new, old))
    outside = ~np.isclose(new, old, rtol=tolerance, atol=tolerance, equal_nan=True)
    if not outside.any():
        return []
    worst = np.abs(new[outside] - old[outside]).max()
    differ = f"{int(outside.sum())} of {new.size} entries differ by more than"
    return [f"{differ} {tolerance:g} (1 + |stored|), by up to {worst:.3g}"]


def _prepare(workdir: Path, made_by: Mapping[str, Any], fresh: bool, name: str, scale: Scale) -> None:
    """Start the folder of a run, or make sure that what lies in it was made by the same code on the same device."""
    state: dict[str, Any] = {}
    with suppress(FileNotFoundError, ValueError):
        state = json.loads((workdir / STATE).read_text(encoding="utf-8"))
    checkpoints = [path for path in workdir.iterdir() if path.name not in (STATE, TRACEBACK)]
    for what, value in made_by.items():
        if checkpoints and not fresh and state.get(what) != value:
            raise ValueError(
                f"an interrupted run of {name} at {scale} scale was made with other {what} "
                f"({state.get(what, 'unknown')}, now {value}); go on with that, or add --fresh to start again"
            )
    if fresh or not checkpoints:
        for path in workdir.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        write_file(workdir / STATE, json.dumps(dict(made_by) | {"seconds": 0.0}).encode())


@contextmanager
def _clock(file: Path) -> Iterator[dict[str, Any]]:
    """Count the seconds of a run, those before an interruption included."""
    state = json.loads(file.read_text(encoding="utf-8"))
    before, start = state["seconds"], time.perf_counter()
    try:
        yield state
    finally:
        state["seconds"] = before + time.perf_counter() - start
        write_file(file, json.dumps(state).encode())


def _provenance(
    experiment: Experiment, config: Mapping[str, Any], made_by: Mapping[str, Any], seconds: float
) -> dict[str, Any]:
    return {
        "figures": experiment.figures,
        "chapter": experiment.chapter,
        "config": config,
        "versions": versions(),
        "seconds": round(seconds, 1),
        **made_by,
    }


def versions() -> dict[str, str]:
    """The versions that numbers depend on."""
    return {"svf_helpers": __version__, "torch": version("torch"), "numpy": np.__version__}


def device_name(device: str) -> str:
    """ "cpu", or what the GPU calls itself."""
    if device == "cpu":
        return "cpu"
    import torch

    return torch.cuda.get_device_name()
