"""Sphinx extension for the build: kernels of the chapters inherit threads that sleep while they wait.

OpenMP's threads spin by default. Two of them beside anything else that is running take ten times as long for the small
matrices of this book as one alone. The setting has to stand before torch is loaded, so it goes into the environment.
"""

import os

SETTINGS = {"OMP_WAIT_POLICY": "PASSIVE"}


def setup(app) -> dict:
    """Sets the environment, unless the reader has."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
