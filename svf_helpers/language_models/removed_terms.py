"""The old place of :mod:`svf_helpers.language_models.ablation`, for one release."""

from __future__ import annotations

from ..deprecation import renamed

__getattr__ = renamed(
    __name__,
    {
        "without_terms": "svf_helpers.language_models.ablation.ablate_terms",
    },
)
