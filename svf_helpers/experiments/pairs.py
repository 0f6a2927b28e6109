"""Results as this book stored them at first, in two files: ``NAME.npz`` with the arrays and ``NAME.json`` beside it."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from svf_helpers.experiments.files import unpack


def read_pair(data: bytes, json_file: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the info of such a result, without the checksums that the two files needed.

    Raises:
        ValueError: the files are damaged or do not belong together.
    """
    info = json.loads(json_file.read_text(encoding="utf-8"))
    if info.pop("checksum") != checksum(info):
        raise ValueError(f"{json_file.name} was changed after it was written")
    if info.pop("sha256") != hashlib.sha256(data).hexdigest():
        raise ValueError(f"the arrays are not those that {json_file.name} describes")
    return unpack(data)[1], info


def checksum(info: Mapping[str, Any]) -> str:
    """SHA-256 of the info, so that a changed digit is noticed too."""
    return hashlib.sha256(json.dumps(info, sort_keys=True, allow_nan=False).encode()).hexdigest()
