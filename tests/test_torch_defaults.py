"""Nothing depends on PyTorch's own defaults: a reader may have set another dtype, another device, or no gradients."""

import pytest
import torch

from svf_helpers import features, theory
from svf_helpers.alignment import best_alignment, rank_alignment, whitened_alignment
from svf_helpers.attention import n_sv, relative_key, score_terms, sparsity
from svf_helpers.pocket.recipe import RECIPES, new_model
from svf_helpers.pocket.tokenizer import rows
from svf_helpers.pocket.writer import Sentence
from svf_helpers.qk import qk_svd, singular_groups, whitened_qk_svd
from svf_helpers.rope import Rotary, band_energy, qk_svd_at_offset
from svf_helpers.toy import ToyConfig, train
from svf_helpers.toy.planted import free_contexts, planted_contexts, strength_moments

DRAWN = torch.Generator("cpu").manual_seed(0)
W = torch.randn(4, 7, generator=DRAWN)
W_Q, W_K = torch.randn(2, 3, 4, 2, generator=DRAWN)
LAM = torch.tensor([1.0, 9.0])
HEAD = theory.TwoPairHead(4.0, 3.0, gap_2=-5.0)


def seeded() -> torch.Generator:
    return torch.Generator("cpu").manual_seed(1)


def toy(**fields):
    run = train(ToyConfig(n=6, d=4, r=4, keys=16, pairs={(0, 1): 9.0, (2, 3): 5.0}, **fields), steps=3, device="cpu")
    return run.W, run.b, run.W_Q, run.W_K, run.configs[0].targets, *run.only([0]).svd()


CASES = {
    "toy": toy,
    "toy with positions": lambda: toy(positions=8, bands={(2, 3): 1}),
    "contexts": lambda: (*planted_contexts(ToyConfig(), [1], 5, seeded()), *free_contexts(ToyConfig(), 5, seeded())),
    "moments": lambda: strength_moments(ToyConfig()),
    "dictionaries": lambda: (
        features.isotropic_dictionary(),
        features.distorted_dictionary(W, 1.0, W[:, 0]),
        features.on_feature_span(W, W_Q[0]),
        features.feature_cosines(W),
        theory.worst_dictionary(9.0, 4, 7, seeded())[0],
    ),
    "bounds": lambda: (theory.theorem2_bound(LAM / 100), theory.sharp_bound(LAM), theory.condition_number(W)),
    "theorem 1": lambda: (theory.theorem1_minimizer(W, W, (0, 1), 2.0), theory.query_moment(W, 0.5)),
    "theorem 2": lambda: theory.theorem2_steps(W, W, (0, 1)),
    "theorem 3": lambda: theory.theorem3_minimizer(HEAD, LAM, starts=2),
    "contexts of the theorem": lambda: theory.sample_contexts(W, W, p=0.5, keys=3, contexts=4),
    "qk": lambda: (*qk_svd(W_Q, W_K), *whitened_qk_svd(W_Q, W_K, W @ W.mT, W @ W.mT), singular_groups(LAM.flip(0))),
    "alignment": lambda: (
        *rank_alignment(W, qk_svd(W_Q, W_K), [(0, 1)]),
        *best_alignment(W, qk_svd(W_Q, W_K), [(0, 1)]),
        *whitened_alignment(W, W_Q[0], W_K[0], [(0, 1)]),
    ),
    "attention": lambda: (relative_key(W, 2), sparsity(W), n_sv(W), score_terms(W[:, 0], W[:, 1], qk_svd(W_Q, W_K))),
    "rope": lambda: (
        *qk_svd_at_offset(W_Q, W_K, Rotary.of(2), 3),
        Rotary.of(4).matrix(2),
        Rotary.of(4).planes,
        band_energy(W.T, Rotary.of(4)),
    ),
    "pocket": lambda: (
        *new_model(RECIPES["pocket-gpt2"]).state_dict().values(),
        *rows([Sentence("plain", ("Then", ","), {}, {}, (), "")], [True]),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_other_defaults_give_the_same(case):
    plain = CASES[case]()
    dtype, device = torch.get_default_dtype(), torch.get_default_device()
    try:
        torch.set_default_dtype(torch.float64)
        torch.set_default_device("meta")  # where no number can be
        with torch.no_grad():
            other = CASES[case]()
    finally:
        torch.set_default_dtype(dtype)
        torch.set_default_device(None if device.type == "cpu" else device)
    assert len(plain) == len(other) > 0
    for first, second in zip(plain, other, strict=True):
        assert (first.dtype, first.device) == (second.dtype, second.device)
        assert torch.equal(first, second)
