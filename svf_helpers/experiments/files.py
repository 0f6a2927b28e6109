"""Bytes of stored results: one .npz that holds the arrays and a text, ``info.json``, on how they were made.

It is an ordinary .npz: ``numpy.load`` reads the arrays. Its bytes depend on what is stored alone.
"""

import hashlib
import io
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

try:
    import fcntl
except ImportError:  # Windows: no lock there, and two runs of one result then share a folder
    fcntl = None  # type: ignore[assignment]

INFO = "info.json"


def pack(arrays: Mapping[str, Any], info: str | None = None) -> bytes:
    """A compressed .npz with the arrays, by name, and with the text, if there is one; ``ValueError`` for anything else.

    >>> text, arrays = unpack(pack({"cosines": np.array([0.98, 0.99])}, "from a short run"))
    >>> text, arrays["cosines"].tolist()
    ('from a short run', [0.98, 0.99])
    """
    if not arrays:
        raise ValueError("a result needs at least one array")
    members = {f"{key}.npy": _npy(key, value) for key, value in sorted(arrays.items())}
    if info is not None:
        members[INFO] = info.encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
            archive.writestr(entry, content)
    return stream.getvalue()


def unpack(data: bytes) -> tuple[str | None, dict[str, np.ndarray]]:
    """The text, if there is one, and the arrays; ``ValueError`` where the bytes are no whole .npz of plain arrays.

    >>> text, arrays = unpack(pack({"cosines": np.ones(2)}))
    >>> text, arrays
    (None, {'cosines': array([1., 1.])})
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        info = members.pop(INFO, b"").decode()
        arrays = {
            name.removesuffix(".npy"): np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
            for name, content in members.items()
        }
    except Exception as error:  # a damaged archive shows in as many ways as it has fields
        raise ValueError(str(error)) from error
    return info or None, arrays


def digest(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of the arrays: their names, types, shapes and numbers, whatever compressed them.

    >>> zeros = digest({"cosines": np.zeros(2)})
    >>> zeros == digest({"cosines": np.zeros(2)}), zeros == digest({"cosines": np.zeros(3)})
    (True, False)
    """
    whole = hashlib.sha256()
    for key, value in sorted(arrays.items()):
        whole.update(f"{key} {value.dtype.str} {value.shape}\n".encode())
        whole.update(np.asarray(value, order="C").tobytes())
    return whole.hexdigest()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder against other processes; ``BlockingIOError`` if one of them has it."""
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:  # some network drives have no locks: go on as on Windows
            pass
        yield
    finally:
        os.close(handle)


def _npy(key: str, value: Any) -> bytes:
    if not isinstance(value, np.ndarray | np.generic) or value.dtype.hasobject:
        raise ValueError(f"array {key!r} must be a numpy array of numbers or text, not {type(value).__name__}")
    content = io.BytesIO()
    np.lib.format.write_array(content, np.asarray(value, order="C"), allow_pickle=False)
    return content.getvalue()
