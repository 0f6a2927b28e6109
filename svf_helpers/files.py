"""Writing files so that nobody ever sees half of one: they are written beside their place and moved in whole."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_beside(place: str | Path) -> Iterator[Path]:
    """A path to write to, whose file or folder is moved to ``place`` when the block ends without an error.

    Until then ``place`` keeps what it held, and an error or an interruption leaves it so. A file is on disk before it
    moves. A folder takes the place of an older one.

    Args:
        place: where the file or folder is to be; folders above it are made if missing.

    Raises:
        OSError: the disk is full, cannot be written to, or another process has just put a folder there.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with written_beside(Path(folder) / "answer.txt") as beside:
        ...         _ = beside.write_text("42")
        ...     (Path(folder) / "answer.txt").read_text(), len(list(Path(folder).iterdir()))
        ('42', 1)
    """
    place = Path(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    beside, old = (place.parent / f".{place.name}.{os.getpid()}-{secrets.token_hex(4)}.{end}" for end in ("tmp", "old"))
    try:
        yield beside
        if beside.is_dir() and place.exists():  # no system replaces a folder that is not empty
            os.replace(place, old)
        elif beside.is_file():
            with open(beside, "rb+") as written:
                os.fsync(written.fileno())
        try:
            os.replace(beside, place)
        except OSError:
            if old.exists() and not place.exists():
                os.replace(old, place)
            raise
    finally:
        for left in (beside, old):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


def write_file(place: str | Path, data: bytes) -> None:
    """Write a file by :func:`written_beside`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_file(Path(folder) / "new folder" / "answer.txt", b"42")
        ...     (Path(folder) / "new folder" / "answer.txt").read_bytes()
        b'42'
    """
    with written_beside(place) as beside:
        beside.write_bytes(data)
