"""Stored results on disk: ``NAME.npz`` holds the arrays, ``NAME.json`` says where they come from.

Quick scale is stored as ``NAME.quick.npz`` and ``NAME.quick.json``. The JSON holds the checksum of the arrays' file and
one of itself, and is put in place last: whatever is damaged or does not belong together is refused, never shown.
"""

import hashlib
import io
import json
import os
import re
import secrets
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import platformdirs

from svf_helpers.experiments import registry
from svf_helpers.experiments.registry import Scale

try:
    import fcntl
except ImportError:  # Windows: no lock there, and the checksums still catch a pair that two writers mixed
    fcntl = None

UNREADABLE = (ValueError, EOFError, zipfile.BadZipFile, zlib.error)


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
        """What a figure's caption says of its data, e.g. ``"paper scale, 10 seeds, 20,000 steps"``."""
        seeds = len(self.seeds)
        steps = np.atleast_1d(self.info["config"]["steps"])
        low, high = int(steps.min()), int(steps.max())
        span = f"{high:,}" if low == high else f"{low:,} to {high:,}"
        return f"{self.scale} scale, {seeds} seed{'s' * (seeds != 1)}, {span} steps"


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
    data = _pack(arrays)
    full = dict(info) | {"name": name, "scale": scale, "command": registry.command(name, scale)}
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
        return _unpack(file.read_bytes())
    data = _pack(make())
    write_files({file: data})
    return _unpack(data)


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


def write_files(files: Mapping[Path, bytes]) -> None:
    """Write files of one folder: all beside their places first, then moved in, in the order given."""
    folder = next(iter(files)).parent
    folder.mkdir(parents=True, exist_ok=True)
    token = f"{os.getpid()}-{secrets.token_hex(4)}"
    beside = {file: folder / f".{file.name}.{token}.tmp" for file in files}
    try:
        for file, data in files.items():
            with open(beside[file], "xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
        # one file moves in at once; two of them must not mix with those of another writer
        with locked(folder) if len(files) > 1 else nullcontext():
            for file in files:
                os.replace(beside[file], file)
    finally:
        for temporary in beside.values():
            temporary.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path, shared: bool = False, wait: bool = True) -> Iterator[None]:
    """Hold a folder against other processes; ``BlockingIOError`` if one of them has it and not ``wait``."""
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise
        except OSError:  # some network drives have no locks: go on as on Windows
            pass
        yield
    finally:
        os.close(handle)


def _pack(arrays: Mapping[str, Any]) -> bytes:
    """A compressed .npz whose bytes depend on the arrays alone: keys sorted, one fixed date."""
    if not arrays:
        raise ValueError("a result needs at least one array")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for key in sorted(arrays):
            value = arrays[key]
            if not isinstance(value, np.ndarray | np.generic) or value.dtype.hasobject:
                raise ValueError(f"array {key!r} must be a numpy array of numbers or text, not {type(value).__name__}")
            entry = zipfile.ZipInfo(f"{key}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asarray(value, order="C"), allow_pickle=False)
            archive.writestr(entry, content.getvalue())
    return stream.getvalue()


def _unpack(data: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


def _decode(name: str, scale: Scale, data: bytes, text: bytes) -> Result:
    """The result that the two files hold; any error says that they are damaged or belong to something else."""
    info = json.loads(text)
    if info["checksum"] != _checksum(info):
        raise ValueError("the JSON file was changed after it was written")
    if (info["name"], info["scale"]) != (name, scale):
        raise ValueError(f"it holds {info['name']!r} at {info['scale']} scale")
    if info["sha256"] != hashlib.sha256(data).hexdigest():
        raise ValueError("the arrays are not those that the JSON file describes")
    arrays = _unpack(data)
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
