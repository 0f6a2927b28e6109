"""The old place of :mod:`svf_helpers.language_models.ablation_effects`, for one release."""

from __future__ import annotations

from ..deprecation import renamed

__getattr__ = renamed(
    __name__,
    {
        "effect_without": "svf_helpers.language_models.ablation_effects.ablation_effect",
        "choose_terms": "svf_helpers.language_models.ablation_effects.select_terms",
        "Effect": "svf_helpers.language_models.ablation_effects.AblationEffect",
    },
)
