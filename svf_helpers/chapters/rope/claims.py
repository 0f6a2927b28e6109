"""Claims of the chapter on RoPE: Figures 21 and 22, on the stored result."""

import numpy as np

from svf_helpers.chapters.kit.claims import Verdict, aligned, claim
from svf_helpers.experiments import Result

TARGETS = (24, 21, 18, 15)  # three position-independent pairs, then the positional one


@claim("Fig 21", "position-independent pairs align with the un-rotated matrix, at their rank (|cos| > .95, every seed)",
       "rope")
def independent_pairs_align(result: Result) -> Verdict:
    """The worst of three pairs, both sides, all seeds in which the positional target swings with band 1."""
    return aligned(_ours(result, "summary_cosine")[:, :3])


@claim("Fig 21", "the positional pair aligns with a singular vector too (|cos| > .95, every seed)", "rope")
def positional_pair_aligns(result: Result) -> Verdict:
    """The worst of both sides, all seeds."""
    return aligned(_ours(result, "summary_cosine")[:, 3:])


@claim("Fig 21", "the singular values are those of the four pairs, in order of their targets", "rope")
def singular_values_are_the_targets(result: Result) -> Verdict:
    """Within a tenth of each target, and next to nothing after the fourth."""
    S = _ours(result, "summary_S")
    off, rest = float(np.abs(S[:, :4] / TARGETS - 1).max()), float((S[:, 4] / S[:, 0]).max())
    measured = f"largest deviation {100 * off:.1f} % of the target; fifth value at most {100 * rest:.2f} % of the first"
    return Verdict(off < 0.1 and rest < 0.01, measured, off, "singular values miss their targets, or there are more")


@claim("Fig 22", "the positional pair lies in the band of its target (> .95 of its energy, both sides)", "rope")
def positional_pair_in_its_band(result: Result) -> Verdict:
    """The worst of both sides, all seeds."""
    worst = float(_ours(result, "summary_energy")[:, 3, :, 1].min())
    return Verdict(worst > 0.95, f"smallest share in band 1: {worst:.4f}", worst, "some of it lies elsewhere")


@claim("Fig 22", "position-independent pairs lie in the slow bands 3 and 4 (> .75 of their energy, both sides)", "rope")
def independent_pairs_in_slow_bands(result: Result) -> Verdict:
    """The worst of three pairs, both sides, all seeds; what lies in band 1 is told beside it."""
    energy = _ours(result, "summary_energy")[:, :3]
    worst, fast = float(energy[..., 3:].sum(-1).min()), float(energy[..., :2].max())
    measured = f"smallest share in bands 3 and 4: {worst:.3f}; largest in band 0 or 1: {fast:.4f}"
    return Verdict(worst > 0.75 and fast < 0.05, measured, worst, "some of it lies in fast bands")


def _ours(result: Result, name: str) -> np.ndarray:
    return np.abs(result[name])[result["band"] == 1]
