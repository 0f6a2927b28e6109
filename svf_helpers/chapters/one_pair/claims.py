"""Claims of the chapter on one pair: Figures 1(b), 2(a), 11(a) and 19(b)."""

import numpy as np
import torch

from svf_helpers.chapters.kit.claims import Verdict, claim, stored_dictionaries
from svf_helpers.experiments import Result
from svf_helpers.features import anisotropy, feature_cosines, gram, on_feature_span
from svf_helpers.qk import qk_svd

DROPPED = 0.1  # features shorter than this are not in use: those in use have length .27 or more
OTHERS = 0.1  # |cos| to other features below which figures.md calls a feature orthogonal to them


@claim("Fig 1b", "features 0 and 1 orthogonal (|cos| < .1) to every other feature at p = .14", result="one-pair")
def orthogonal_when_rare(result: Result) -> Verdict:
    return _orthogonal([_largest_cosine(W, 0) for W in stored_dictionaries(result, 0.14)])


@claim("Fig 1b", "features 0 and 1 orthogonal (|cos| < .1) to every other feature in use, at every p",
       result="one-pair")
def orthogonal_to_those_in_use(result: Result) -> Verdict:
    return _orthogonal([_largest_cosine(W, DROPPED) for W in stored_dictionaries(result)])


@claim("Fig 1b", "features 0 and 1 orthogonal (|cos| < .1) to all others, dropped ones included, at p = .27 and .52",
       result="one-pair", expect="differs", interval=(6, 12))
def not_orthogonal_to_dropped_ones(result: Result) -> Verdict:
    many = [W for p in (0.27, 0.52) for W in stored_dictionaries(result, p)]
    lengths = torch.cat([W.norm(dim=0) for W in many])
    longest = float((lengths * (lengths < DROPPED)).max())
    return _orthogonal([_largest_cosine(W, 0) for W in many], "only with features that the model dropped (lengths up "
                                                              f"to {longest:.2f}), whose directions mean nothing")


@claim("Fig 2a", "as tokens see the head: σ₂/σ₁ < .05, and both features on its vectors with |cos| > .99",
       result="one-pair")
def one_vector_for_the_pair(result: Result) -> Verdict:
    ratios, cosines = _spectrum_and_cosines(result, reached=True)
    return _one_vector(ratios, cosines, range(len(ratios)))


@claim("Fig 2a", "the plain SVD of W_Q W_K^T: σ₂/σ₁ < .05, and both features on its vectors with |cos| > .99",
       result="one-pair", expect="differs", interval=(0.1, 0.45))
def plain_svd_misleads(result: Result) -> Verdict:
    ratios, cosines = _spectrum_and_cosines(result, reached=False)
    unused = [k for k, W in enumerate(stored_dictionaries(result)) if torch.linalg.matrix_rank(W, rtol=0.01) < len(W)]
    return _one_vector(ratios, cosines, unused)


@claim("Fig 11a", "in the first column, features 0 (query) and 1 (key) alone: |cos| > .99 there, < .1 for every other "
                  "feature in use, as tokens see the head", result="one-pair")
def first_column(result: Result) -> Verdict:
    least, largest = [], []
    for k, W in enumerate(stored_dictionaries(result)):
        svd = _svd(result, k, reached=True)
        others = W.norm(dim=0) > DROPPED
        for feature, vector in ((0, svd.U[:, 0]), (1, svd.V[:, 0])):
            cosines = (torch.nn.functional.normalize(W, dim=0).T @ vector).abs()
            least.append(float(cosines[feature]))
            largest.append(float(cosines[others & (torch.arange(len(others)) != feature)].max()))
    borne_out = min(least) > 0.99 and max(largest) < OTHERS
    measured = f"{len(least) // 2} runs: features of interest {min(least):.4f} or more, others up to {max(largest):.3f}"
    return Verdict(borne_out, measured, differs=None if borne_out else "some feature is off its place")


@claim("Fig 19b", "both features are eigenvectors of C = WW^T (|cos| of C f with f > .99), which Corollary 1 needs",
       result="one-pair")
def eigenvectors_of_the_gram_matrix(result: Result) -> Verdict:
    least = min(float(torch.cosine_similarity(gram(W) @ W[:, i], W[:, i], dim=0))
                for W in stored_dictionaries(result) for i in (0, 1))
    return Verdict(least > 0.99, f"at least {least:.5f} in all runs", differs=None if least > 0.99 else "they are not")


@claim("Fig 19b", "the Gram matrix stays close to isotropic, ‖E‖ < .1", result="one-pair", expect="differs",
       interval=(0.35, 0.6))
def anisotropic(result: Result) -> Verdict:
    E = np.array([anisotropy(W) for W in stored_dictionaries(result)])
    full = E[E < 0.9]  # a direction that no feature uses gives exactly 1
    low, high = (float(full.min()), float(full.max())) if len(full) else (float("nan"), float("nan"))
    return Verdict(
        bool((E < 0.1).all()),
        f"‖E‖ {low:.2f} to {high:.2f} in {len(full)} of {len(E)} runs, 1 in the others",
        value=high,
        differs="features 0 and 1 have a direction each, all others hold more; where ‖E‖ is 1 a direction is unused",
    )


def _largest_cosine(W: torch.Tensor, shortest: float) -> float:
    """Of features 0 and 1 with any other (with each other too) that is longer than ``shortest``."""
    cosines = feature_cosines(W).abs()
    cosines[[0, 1], [0, 1]] = 0
    return float(cosines[:2, W.norm(dim=0) > shortest].max())


def _orthogonal(largest: list[float], why: str = "some feature is not orthogonal") -> Verdict:
    off = sum(value >= OTHERS for value in largest)
    measured = f"largest |cos| {max(largest):.3f}; .1 or more in {off} of {len(largest)} runs"
    return Verdict(not off, measured, value=off, differs=why if off else None)


def _svd(result: Result, k: int, reached: bool):
    W, W_Q, W_K = (torch.tensor(result[name][k]) for name in ("W", "W_Q", "W_K"))
    return qk_svd(on_feature_span(W, W_Q), on_feature_span(W, W_K)) if reached else qk_svd(W_Q, W_K)


def _spectrum_and_cosines(result: Result, reached: bool) -> tuple[list[float], list[float]]:
    """sigma_2 / sigma_1 of every run, and the smaller of its two |cos|."""
    ratios, cosines = [], []
    for k, W in enumerate(stored_dictionaries(result)):
        svd = _svd(result, k, reached)
        ratios.append(float(svd.S[1] / svd.S[0]))
        sides = ((W[:, 0], svd.U[:, 0]), (W[:, 1], svd.V[:, 0]))
        cosines.append(min(float(torch.cosine_similarity(*side, dim=0).abs()) for side in sides))
    return ratios, cosines


def _one_vector(ratios: list[float], cosines: list[float], explained: object) -> Verdict:
    """Any run that misses must be among ``explained``: those with a direction that no feature uses."""
    off = [k for k, (ratio, cosine) in enumerate(zip(ratios, cosines, strict=True)) if ratio >= 0.05 or cosine <= 0.99]
    unexplained = set(off) - set(explained)
    measured = (f"{len(off)} of {len(ratios)} runs miss; largest σ₂/σ₁ {max(ratios):.4f}, "
                f"smallest |cos| {min(cosines):.4f}")
    why = "a direction that no feature uses keeps what initialisation put into W_Q and W_K; no token reaches it"
    if unexplained:
        why = f"runs {sorted(unexplained)} miss without an unused direction"
    value = float("nan") if unexplained else len(off) / len(ratios)  # nan lies in no interval
    return Verdict(not off, measured, value=value, differs=why if off else None)
