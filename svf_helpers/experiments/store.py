"""Stored results on disk: ``NAME.npz`` holds the arrays, ``NAME.json`` says where they come from.

Quick scale is stored as ``NAME.quick.npz`` and ``NAME.quick.json``. The JSON holds the checksum of the arrays' file and
one of itself, and is put in place last: whatever is damaged or does not belong together is refused, never shown.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import platformdirs

from svf_helpers.experiments import registry
from svf_helpers.experiments.files import UNREADABLE, locked, pack, unpack, write_files
from svf_helpers.experiments.registry import Scale


@dataclass(frozen=True)
class Result:
    """One stored result: ``result["name"]`` is a read-only array, ``info`` says how all of them were made.

    >>> info = {"scale": "paper", "seeds": [0, 1, 2], "config": {"steps": 20_000}}
    >>> Result({"summary_cosines": np.ones(3)}, info).label()
    'paper scale, 3 seeds, 20,000 steps'
    """

    arrays: Mapping[str, np.ndarray]
    info: Mapping[str, Any]
    size: int = 0  # bytes on disk

    def __getitem__(self, key: str) -> np.ndarray:
        if key not in self.arrays:
            raise KeyError(f"{self.info['name']} holds no array {key!r}; it holds {', '.join(sorted(self.arrays))}")
        return self.arrays[key]

    @property
    def scale(self) -> Scale:
        """The scale it was made at: quick or paper."""
        return self.info["scale"]

    @property
    def seeds(self) -> list[int]:
        """The seeds of its instances."""
        return list(self.info["seeds"])

    @property
    def command(self) -> str:
        """The command that makes this result again."""
        return self.info["command"]

    def label(self) -> str:
        """What a figure's caption says of its data, e.g. ``"paper scale, 10 seeds, 20,000 steps"``.

        Where nothing was trained, no steps are named.
        """
        seeds = len(self.seeds)
        steps = np.atleast_1d(self.info["config"]["steps"])
        low, high = int(steps.min()), int(steps.max())
        span = f"{high:,}" if low == high else f"{low:,} to {high:,}"
        return f"{self.scale} scale, {seeds} seed{'s' * (seeds != 1)}" + (f", {span} steps" if high else "")


def load(name: str, scale: Scale = "paper", folder: str | Path | None = None) -> Result:
    """Read a stored result, from ``folder`` or else from the package and then from the user's data folder.

    Raises:
        ValueError: the name or scale is unknown, or the files are damaged (the message holds the command for new ones).
        FileNotFoundError: nobody has stored this result yet (the message holds the command that makes it).

    Example:
        >>> result = load("one-pair")
        >>> result.scale, result["W"].shape[1:]  # of each instance: 20 features in 10 dimensions
        ('paper', (10, 20))
    """
    registry.check_scale(scale)
    if folder is not None:
        return read(Path(folder), name, scale, out=folder)
    damaged = None
    for place in (packaged_folder(), user_folder()):
        try:
            return read(place, name, scale)
        except FileNotFoundError:
            continue
        except ValueError as error:
            damaged = damaged or error
    if damaged:
        raise damaged
    raise FileNotFoundError(
        f"no {scale}-scale result {name!r} is stored; make it with: {registry.command(name, scale)}"
    )


def load_first(*names: str, scale: Scale = "paper") -> Result:
    """The first of some results that is stored: a large model's where somebody has made it, else a bundled one's.

    Raises:
        FileNotFoundError: none is stored.

    Example:
        >>> load_first("one-pair", "many-pairs").info["name"]
        'one-pair'
    """
    for name in names[:-1]:
        with suppress(FileNotFoundError):
            return load(name, scale)
    return load(names[-1], scale)


def add(file: str | Path, folder: str | Path | None = None) -> Path:
    """Check a result that was made elsewhere and put it in place; return the path of its arrays.

    Args:
        file: the ``.npz`` or the ``.json`` of a result; the other must lie beside it.
        folder: where to; by default where results are written (:func:`default_out`).

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: it is damaged, no experiment of this book, or lacks what the chapters read.

    Example:
        >>> import tempfile
        >>> source = Path(str(packaged_folder().joinpath("one-pair.npz")))
        >>> with tempfile.TemporaryDirectory() as there:
        ...     add(source, there).name
        'one-pair.npz'
    """
    file = Path(file)
    if file.suffix not in (".npz", ".json"):
        raise ValueError(f"{file}: a result is NAME.npz with NAME.json beside it; give one of the two")
    stored = file.name.removesuffix(file.suffix)
    name, scale = (stored.removesuffix(".quick"), "quick") if stored.endswith(".quick") else (stored, "paper")
    result = read(file.parent, name, scale)
    entry = registry.get(name)
    if entry.validate is not None:
        entry.validate(result)
    target = Path(folder) if folder is not None else default_out()
    sources = [file.with_name(f"{stored}{suffix}") for suffix in (".npz", ".json")]
    write_files({target / source.name: source.read_bytes() for source in sources})
    return target / sources[0].name


def read(place: Any, name: str, scale: Scale, out: object = None) -> Result:
    """Read a stored result from one folder (a ``Path`` or a folder of package data); errors as :func:`load`."""
    again = registry.command(name, scale, out)
    files = [place.joinpath(f"{stem(name, scale)}{suffix}") for suffix in (".npz", ".json")]
    if not any(file.is_file() for file in files):
        registry.get(name)  # an unknown name is the likelier mistake: say so before speaking of files
        raise FileNotFoundError(f"no {scale}-scale result {name!r} is stored in {place}; make it with: {again}")
    try:
        with locked(place, shared=True) if isinstance(place, Path) else nullcontext():
            data, text = (file.read_bytes() for file in files)
        return _decode(name, scale, data, text)
    except FileNotFoundError as error:
        why: object = f"{Path(str(error.filename)).name} is missing"
    except KeyError as error:
        why = f"the JSON file does not say {error}"
    except (TypeError, *UNREADABLE) as error:
        why = error
    raise ValueError(f"the stored result {files[0]} is damaged ({why}); make it again with: {again}")


def save(folder: str | Path, name: str, scale: Scale, arrays: Mapping[str, Any], info: Mapping[str, Any]) -> Path:
    """Write a result so that a reader finds the old pair of files or the new one; return the path of the arrays.

    ``info`` needs ``config`` with ``seeds`` and ``steps``; shapes, types and checksums are added here. ``ValueError``
    names what cannot be stored, before anything is written.
    """
    registry.check_scale(scale)
    data = pack(arrays)
    again = registry.command(name, scale, options=info.get("options"))
    full = dict(info) | {"name": name, "scale": scale, "command": again}
    full["seeds"] = _seeds(full["config"])
    full["arrays"] = {key: _describe(value) for key, value in sorted(arrays.items())}
    full["sha256"] = hashlib.sha256(data).hexdigest()
    full = json.loads(_canonical(full))  # as it will be read: tuples are lists, keys are text
    full["checksum"] = _checksum(full)
    text = json.dumps(full, indent=1, sort_keys=True) + "\n"
    target = Path(folder) / f"{stem(name, scale)}.npz"
    write_files({target: data, target.with_suffix(".json"): text.encode()})
    return target


def part(workdir: Path, name: str, make: Callable[[], Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """The arrays that ``make()`` returns, computed once and kept in ``workdir``: a resumed run reads finished parts.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as workdir:
    ...     first = part(Path(workdir), "p=0.5", lambda: {"cosines": np.array([0.98, 0.99])})
    ...     again = part(Path(workdir), "p=0.5", lambda: {"cosines": np.zeros(2)})
    >>> again["cosines"].tolist()
    [0.98, 0.99]
    """
    if not re.fullmatch(r"[\w.=+-]+", name):
        raise ValueError(f"part {name!r}: its name becomes a file's; use letters, digits and . = + - _")
    file = Path(workdir) / f"part-{name}.npz"
    with suppress(FileNotFoundError, *UNREADABLE):
        return unpack(file.read_bytes())
    data = pack(make())
    write_files({file: data})
    return unpack(data)


def packaged_folder() -> Any:
    """The folder of results inside the package, wherever it is installed."""
    return resources.files("svf_helpers").joinpath("results")


def user_folder() -> Path:
    """Where results are written by those who installed the package and have no checkout."""
    return Path(platformdirs.user_data_dir("svf-helpers", appauthor=False)) / "results"


def default_out() -> Path:
    """The package's results folder where it lies in a checkout that can be written to, else the user's data folder."""
    package = Path(str(resources.files("svf_helpers")))
    in_checkout = (package.parent / "pyproject.toml").is_file()
    results = package / "results"
    return results if in_checkout and os.access(results if results.exists() else package, os.W_OK) else user_folder()


def stem(name: str, scale: Scale) -> str:
    """The name of a result's files without their ending."""
    return name if scale == "paper" else f"{name}.{scale}"


def _decode(name: str, scale: Scale, data: bytes, text: bytes) -> Result:
    """The result that the two files hold; any error says that they are damaged or belong to something else."""
    info = json.loads(text)
    if info["checksum"] != _checksum(info):
        raise ValueError("the JSON file was changed after it was written")
    if (info["name"], info["scale"]) != (name, scale):
        raise ValueError(f"it holds {info['name']!r} at {info['scale']} scale")
    if info["sha256"] != hashlib.sha256(data).hexdigest():
        raise ValueError("the arrays are not those that the JSON file describes")
    arrays = unpack(data)
    if info["arrays"] != {key: _describe(value) for key, value in sorted(arrays.items())}:
        raise ValueError("shapes or types differ from those that the JSON file lists")
    for value in arrays.values():
        value.flags.writeable = False
    return Result(MappingProxyType(arrays), MappingProxyType(info), len(data) + len(text))


def _describe(value: Any) -> dict[str, Any]:
    return {"shape": list(value.shape), "dtype": value.dtype.str}


def _checksum(info: Mapping[str, Any]) -> str:
    """SHA-256 of everything in the JSON but the checksum itself, so that a changed digit is noticed too."""
    rest = {key: value for key, value in info.items() if key != "checksum"}
    return hashlib.sha256(_canonical(rest).encode()).hexdigest()


def _canonical(info: Mapping[str, Any]) -> str:
    try:
        return json.dumps(info, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the config must be plain JSON: text, finite numbers, lists and dicts ({error})") from None


def _seeds(config: Mapping[str, Any]) -> list[int]:
    missing = {"seeds", "steps"} - set(config)
    if missing:
        raise ValueError(f"the config must say {' and '.join(sorted(missing))}; it has {sorted(config)}")
    seeds = config["seeds"]
    return [seeds] if isinstance(seeds, int) else list(seeds)
