"""Stored results on disk: ``NAME.npz`` holds the arrays, and in ``info.json`` within it where they come from.

Quick scale is stored as ``NAME.quick.npz``. The JSON holds a checksum of the arrays and one of itself: whatever is
damaged is refused, never shown.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import platformdirs

from svf_helpers.experiments import registry
from svf_helpers.experiments.files import digest, pack, unpack
from svf_helpers.experiments.pairs import checksum, read_pair
from svf_helpers.experiments.registry import Scale
from svf_helpers.experiments.result import Result
from svf_helpers.files import write_file

#: What every result says of its making, and in which form.
SAID: dict[str, type | tuple[type, ...]] = {
    "code": str,
    "seconds": (int, float),
    "device": str,
    "versions": dict,
    "config": dict,
    "command": str,
    "seeds": list,
}


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
    """Check a result that was made elsewhere and put it in place; return its path there.

    Args:
        file: the ``.npz`` of a result. One of an older version of this book, with its ``.json`` beside it, becomes one
            file.
        folder: where to; by default where results are written (:func:`default_out`).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, no experiment of this book, or lacks what the chapters read.

    Example:
        >>> import tempfile
        >>> source = Path(str(packaged_folder().joinpath("one-pair.npz")))
        >>> with tempfile.TemporaryDirectory() as there:
        ...     add(source, there).name
        'one-pair.npz'
    """
    file = Path(file)
    if file.suffix != ".npz":
        raise ValueError(f"{file}: a result is a file NAME.npz or NAME.quick.npz")
    name = file.stem.removesuffix(".quick")
    scale: Scale = "paper" if name == file.stem else "quick"
    entry = registry.get(name)
    result, data = open_file(file, name, scale)
    if entry.validate is not None:
        entry.validate(result)
    return put(default_out() if folder is None else folder, name, scale, data)


def open_file(file: Path, name: str, scale: Scale) -> tuple[Result, bytes]:
    """The result in a file, old or new, and the bytes of its new form; errors as :func:`load`."""
    again = registry.command(name, scale)
    try:
        data = file.read_bytes()
        if _is_old(data, beside := file.with_suffix(".json")):
            data = seal(*read_pair(data, beside))
        return _decode(name, scale, data), data
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {file}; make it with: {again}") from None
    except OSError:  # it cannot be read: that says nothing of what it holds
        raise
    except Exception as error:
        raise ValueError(f"{file} is damaged ({_why(error)}); make it again with: {again}") from error


def read(place: Any, name: str, scale: Scale, out: object = None) -> Result:
    """Read a stored result from one folder (a ``Path`` or a folder of package data); errors as :func:`load`."""
    again = registry.command(name, scale, out)
    file = place.joinpath(f"{stem(name, scale)}.npz")
    if not file.is_file():
        registry.get(name)  # an unknown name is the likelier mistake: say so before speaking of files
        raise FileNotFoundError(f"no {scale}-scale result {name!r} is stored in {place}; make it with: {again}")
    data = file.read_bytes()
    try:
        return _decode(name, scale, data)
    except Exception as error:
        if _is_old(data, place.joinpath(f"{stem(name, scale)}.json")):
            convert = f"{registry.PROGRAM} add {file} --out {place}"
            raise ValueError(f"{file} is of an older version of this book; convert it with: {convert}") from error
        raise ValueError(f"the stored result {file} is damaged ({_why(error)}); make it again with: {again}") from error


def save(folder: str | Path, name: str, scale: Scale, arrays: Mapping[str, Any], info: Mapping[str, Any]) -> Path:
    """Write a result so that a reader finds the old one or the new one, whole; return its path.

    ``info`` needs ``config`` with ``seeds`` and ``steps``; shapes, types and checksums are added here, and what it does
    not say of code, device, seconds and versions is stored as unknown: empty, or 0. ``ValueError`` names what cannot be
    stored, before anything is written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = save(folder, "toss", "quick", {"heads": np.ones(2)}, {"config": {"seeds": [0], "steps": 5}, "code": ""})
    ...     load("toss", "quick", folder).label()
    'quick scale, 1 seed, 5 steps'
    """
    registry.check_scale(scale)
    pack(arrays)  # refuses what is no array before anything is asked of it
    full: dict[str, Any] = {"code": "", "seconds": 0.0, "device": "", "versions": {}}
    full |= dict(info) | {"name": name, "scale": scale}
    full["command"] = registry.command(name, scale, options=info.get("options"))
    full["seeds"] = _seeds(full["config"])
    full["arrays"] = {key: _describe(value) for key, value in sorted(arrays.items())}
    return put(folder, name, scale, seal(arrays, full))


def seal(arrays: Mapping[str, Any], info: Mapping[str, Any]) -> bytes:
    """The bytes of a result's file: the arrays, the info, and a checksum of either."""
    try:
        full = json.loads(json.dumps(info, allow_nan=False))  # as it will be read: tuples are lists, keys are text
    except (TypeError, ValueError) as error:
        raise ValueError(f"the config must be plain JSON: text, finite numbers, lists and dicts ({error})") from None
    full["sha256"] = digest(arrays)
    full["checksum"] = checksum({key: value for key, value in full.items() if key != "checksum"})
    return pack(arrays, json.dumps(full, indent=1, sort_keys=True) + "\n")


def put(folder: str | Path, name: str, scale: Scale, data: bytes) -> Path:
    """Write the bytes of a result to its place and return that."""
    target = Path(folder) / f"{stem(name, scale)}.npz"
    write_file(target, data)
    target.with_suffix(".json").unlink(missing_ok=True)  # of an older result
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
    with suppress(FileNotFoundError, ValueError):
        return unpack(file.read_bytes())[1]
    data = pack(make())
    write_file(file, data)
    return unpack(data)[1]


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
    """The name of a result's file without its ending.

    >>> stem("one-pair", "paper"), stem("one-pair", "quick")
    ('one-pair', 'one-pair.quick')
    """
    return name if scale == "paper" else f"{name}.{scale}"


def _decode(name: str, scale: Scale, data: bytes) -> Result:
    """The result in a file; any error says that it is damaged or something else."""
    text, arrays = unpack(data)
    if text is None:
        raise ValueError("it does not say how it was made")
    info = json.loads(text)
    if not isinstance(info, dict):
        raise ValueError("what it says of its making is no dict")
    if info["checksum"] != checksum({key: value for key, value in info.items() if key != "checksum"}):
        raise ValueError("what it says of its making was changed after it was written")
    if (info["name"], info["scale"]) != (name, scale):
        raise ValueError(f"it holds {info['name']!r} at {info['scale']} scale")
    if info["sha256"] != digest(arrays):
        raise ValueError("the arrays are not those that were stored")
    _refuse_gaps(info)
    for value in arrays.values():
        value.flags.writeable = False
    return Result(MappingProxyType(arrays), MappingProxyType(info), len(data))


def _refuse_gaps(info: Mapping[str, Any]) -> None:
    """A file that was sealed but says too little of its making comes from elsewhere."""
    missing = [key for key in SAID if key not in info]
    if missing:
        raise ValueError(f"it does not say {', '.join(missing)}: no run of this book wrote it so")
    wrong = [key for key, kind in SAID.items() if not isinstance(info[key], kind)]
    confirmed = info.get("confirmed", [])
    if not isinstance(confirmed, list) or not all(isinstance(code, str) for code in confirmed):
        wrong.append("confirmed")
    if not isinstance(info.get("options", {}), dict):
        wrong.append("options")
    if wrong:
        raise ValueError(f"what it says of {', '.join(wrong)} is of another form: no run of this book wrote it so")


def _is_old(data: bytes, beside: Any) -> bool:
    """Is it the arrays' half of an older result, whose other half lies beside it?"""
    try:
        return beside.is_file() and unpack(data)[0] is None
    except ValueError:
        return True


def _why(error: Exception) -> str:
    return f"it does not say {error}" if isinstance(error, KeyError) else str(error)


def _describe(value: Any) -> dict[str, Any]:
    return {"shape": list(value.shape), "dtype": value.dtype.str}


def _seeds(config: Mapping[str, Any]) -> list[int]:
    missing = {"seeds", "steps"} - set(config)
    if missing:
        raise ValueError(f"the config must say {' and '.join(sorted(missing))}; it has {sorted(config)}")
    seeds = config["seeds"]
    return [seeds] if isinstance(seeds, int) else list(seeds)
