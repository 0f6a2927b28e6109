"""The old place of :mod:`svf_helpers.language_models.random_basis`, for one release."""

from __future__ import annotations

from ..deprecation import renamed

__getattr__ = renamed(
    __name__,
    {
        "random_split": "svf_helpers.language_models.random_basis.random_rank_one_basis",
        "random_rotations": "svf_helpers.rotations.random_rotations",
    },
)
