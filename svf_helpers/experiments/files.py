"""Files of stored results: arrays as bytes, written beside their place and moved in, folders held by a lock."""

import io
import os
import secrets
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

try:
    import fcntl
except ImportError:  # Windows: no lock there, and the checksums still catch a pair that two writers mixed
    fcntl = None

UNREADABLE = (ValueError, EOFError, zipfile.BadZipFile, zlib.error)


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


def pack(arrays: Mapping[str, Any]) -> bytes:
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


def unpack(data: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}
