"""Claims of the chapter on one pair: Figures 1(b), 2(a), 11(a) and 19(b)."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from svf_helpers.alignment import vector_cosines
from svf_helpers.chapters.kit.claims import Verdict, claim
from svf_helpers.chapters.kit.toy_runs import reached_svd, stored_dictionaries
from svf_helpers.chapters.one_pair.numbers import DROPPED, OTHERS, PAIR, SECOND, largest_cosines, longest_dropped
from svf_helpers.experiments import Result
from svf_helpers.features import anisotropy, gram


@claim("Fig 1b", "features 0 and 1 orthogonal (|cos| < .1) to every other feature at p = .14", result="one-pair")
def orthogonal_when_rare(result: Result) -> Verdict:
    return _orthogonal(largest_cosines(stored_dictionaries(result, 0.14)))


@claim("Fig 1b", "features 0 and 1 orthogonal (|cos| < .1) to every other feature in use, at every p",
       result="one-pair")
def orthogonal_to_those_in_use(result: Result) -> Verdict:
    return _orthogonal(largest_cosines(stored_dictionaries(result), DROPPED))


@claim("Fig 1b", "features 0 and 1 orthogonal (|cos| < .1) to all others, dropped ones included, at p = .27 and .52",
       result="one-pair", expect="differs", interval=(6, 12))
def not_orthogonal_to_dropped_ones(result: Result) -> Verdict:
    W = stored_dictionaries(result, 0.27, 0.52)
    return _orthogonal(largest_cosines(W), f"only with features that the model dropped (lengths up to "
                                           f"{longest_dropped(W):.2f}), whose directions mean nothing")


@claim("Fig 2a", "as tokens see the head: σ₂/σ₁ < .05, and both features on its vectors with |cos| > .99",
       result="one-pair")
def one_vector_for_the_pair(result: Result) -> Verdict:
    return _one_vector(result, "reached", np.ones(len(result["p"]), bool))


@claim("Fig 2a", "the plain SVD of W_Q W_K^T: σ₂/σ₁ < .05, and both features on its vectors with |cos| > .99",
       result="one-pair", expect="differs", interval=(0.1, 0.45))
def plain_svd_misleads(result: Result) -> Verdict:
    W = stored_dictionaries(result)
    return _one_vector(result, "plain", (torch.linalg.matrix_rank(W, rtol=0.01) < W.shape[1]).numpy())


@claim("Fig 11a", "in the first column, features 0 (query) and 1 (key) alone: |cos| > .99 there, < .1 for every other "
                  "feature in use, as tokens see the head", result="one-pair")
def first_column(result: Result) -> Verdict:
    W, W_Q, W_K = (torch.tensor(result[name]) for name in ("W", "W_Q", "W_K"))
    svd = reached_svd(W, W_Q, W_K)
    cosines = torch.stack([vector_cosines(W, vectors[..., :1])[..., 0] for vectors in (svd.U, svd.V)], 1)
    least = float(cosines[:, (0, 1), PAIR].min())
    others = cosines * (W.norm(dim=1) > DROPPED)[:, None]  # [runs, sides, features]
    others[:, (0, 1), PAIR] = 0
    largest = float(others.max())
    measured = f"{len(W)} runs: features of interest {least:.4f} or more, others up to {largest:.3f}"
    return Verdict(least > 0.99 and largest < OTHERS, measured, differs="some feature is off its place")


@claim("Fig 19b", "both features are eigenvectors of C = WW^T (|cos| of C f with f > .99), which Corollary 1 needs",
       result="one-pair")
def eigenvectors_of_the_gram_matrix(result: Result) -> Verdict:
    W = stored_dictionaries(result)
    least = float(torch.cosine_similarity(gram(W) @ W[..., PAIR], W[..., PAIR], dim=1).min())
    return Verdict(least > 0.99, f"at least {least:.5f} in all runs", differs="they are not")


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


def _orthogonal(largest: Float[Tensor, " runs"], why: str = "some feature is not orthogonal") -> Verdict:
    off = int((largest >= OTHERS).sum())
    measured = f"largest |cos| {float(largest.max()):.3f}; .1 or more in {off} of {len(largest)} runs"
    return Verdict(not off, measured, value=off, differs=why)


def _one_vector(result: Result, svd: str, explained: Bool[np.ndarray, " runs"]) -> Verdict:
    """Any run that misses must be among ``explained``: those with a direction that no feature uses."""
    S, cosines = result[f"summary_S_{svd}"], result[f"summary_cosine_{svd}"].min(-1)
    ratios = S[:, 1] / S[:, 0]
    off = (ratios >= SECOND) | (cosines <= 0.99)
    unexplained = np.flatnonzero(off & ~explained).tolist()
    measured = (f"{off.sum()} of {len(off)} runs miss; largest σ₂/σ₁ {ratios.max():.4f}, "
                f"smallest |cos| {cosines.min():.4f}")
    why = "a direction that no feature uses keeps what initialisation put into W_Q and W_K; no token reaches it"
    if unexplained:
        why = f"runs {unexplained} miss without an unused direction"
    value = float("nan") if unexplained else float(off.mean())  # nan lies in no interval
    return Verdict(not off.any(), measured, value=value, differs=why)
