"""Claims of the chapter on Theorem 3: computed on the spot."""

import numpy as np
import torch

from svf_helpers.chapters.kit.claims import Verdict, claim
from svf_helpers.experiments import Result
from svf_helpers.theory import TwoPairHead, orthogonal_comparison, theorem3_bound, theorem3_limit, theorem3_minimizer

LAM = torch.logspace(-1, 3, 9, dtype=torch.float64)


def _heads() -> TwoPairHead:
    """Random heads and teachers; nearly all teachers ask for gaps that no orthogonal pair gives."""
    generator = torch.Generator().manual_seed(3)
    sigma = torch.rand(2, 200, 1, generator=generator, dtype=torch.float64) * 6 + 0.5
    gaps = torch.randn(2, 200, 1, generator=generator, dtype=torch.float64) * 4
    return TwoPairHead(*sigma, *gaps)


@claim("Theorem 3", "the paper's teacher: both free features orthogonal to the fixed ones at every λ > 0")
def the_papers_teacher(_: Result | None) -> Verdict:
    generator = torch.Generator().manual_seed(4)
    sigma = torch.rand(2, 100, 1, generator=generator, dtype=torch.float64) * 24 + 0.5
    largest = float(theorem3_minimizer(TwoPairHead(*sigma), LAM).interference.max())
    return Verdict(largest < 1e-20, f"100 heads, λ = .1 to 1,000: interference at most {_power(largest)}",
                   differs="some features keep an overlap")


@claim("Theorem 3", "teachers that no orthogonal pair can match: interference under the finite-λ bound everywhere")
def under_the_bound(_: Result | None) -> Verdict:
    heads = _heads()
    found, orthogonal = theorem3_minimizer(heads, LAM), orthogonal_comparison(heads)
    bound = theorem3_bound(orthogonal.cross_entropy, found.cross_entropy, LAM)
    share = found.interference / bound
    above = int((share > 1 + 1e-9).sum())
    measured = f"{above} of {share.numel()} points above the bound; largest share of it {float(share.max()):.3f}"
    return Verdict(above == 0, measured, differs=f"{above} points lie above")


@claim("Theorem 3", "in the limit of large λ the interference vanishes (as 1/λ², ours: λ²I tends to |∇CE|²/4)")
def vanishes(_: Result | None) -> Verdict:
    heads, lam = _heads(), torch.tensor([1e4], dtype=torch.float64)
    crossing = theorem3_minimizer(heads, lam).interference
    ratio = lam**2 * crossing / theorem3_limit(heads)
    off = float((ratio - 1).abs().max())
    measured = f"at λ = 10,000 at most {_power(float(crossing.max()))}; λ²I over its limit within {off:.1%} of 1"
    return Verdict(off < 0.01 and float(crossing.max()) < 1e-6, measured, differs="it does not fall as predicted")


def _power(value: float) -> str:
    """An upper limit as a power of ten: the same text on every machine."""
    exponent = int(np.ceil(np.log10(value))) if value > 0 else -30
    return f"1e{max(exponent, -15)}"
