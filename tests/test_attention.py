"""Relative attention, its terms, and the measures of how few of them there are."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from svf_helpers.attention import (
    attention_terms,
    n_sv,
    null_terms,
    relative_attention,
    relative_key,
    score_terms,
    sparsity,
)
from svf_helpers.qk import QKSVD, qk_svd, rotated_null
from tests.draws import normal
from tests.refusals import refuses

# --- Relative attention


def test_relative_attention_is_score_minus_mean_of_the_others():
    scores = normal(3, 5, 7)
    for key in range(7):
        others = [i for i in range(7) if i != key]
        torch.testing.assert_close(relative_attention(scores, key), scores[..., key] - scores[..., others].mean(-1))


def test_each_query_may_have_its_own_key():
    scores = normal(4, 6)
    keys = torch.tensor([0, 5, 2, 2])
    rho = relative_attention(scores, keys)
    for row in range(4):
        assert rho[row] == relative_attention(scores[row], int(keys[row]))


@given(shift=st.floats(-1e3, 1e3), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_what_all_keys_share_does_not_count(shift, seed):
    scores = normal(6, seed=seed)
    torch.testing.assert_close(relative_attention(scores + shift, 2), relative_attention(scores, 2), atol=1e-9, rtol=0)
    from_attention = relative_attention((scores + shift).softmax(-1).log(), 2)
    torch.testing.assert_close(from_attention, relative_attention(scores, 2), atol=1e-9, rtol=0)


def test_a_large_common_part_costs_no_digits():
    """Scores of 1e6 and differences of 1: a mean taken first would lose them in float32."""
    scores = 2.0**20 + torch.tensor([3.0, 1.0, 0.0, 2.0, 0.0, 0.0, 1.0])
    assert relative_attention(scores, 0) == torch.tensor(3.0 - 4 / 6)


@given(seed=st.integers(0, 999), n=st.integers(2, 9), size=st.sampled_from([0.1, 1.0, 5.0]))
@settings(max_examples=60, deadline=None)
def test_more_attention_than_uniform_means_positive(seed, n, size):
    """The paper's reason for the measure (by Jensen): attention above 1/n implies a positive relative attention."""
    scores = size * normal(n, seed=seed)
    above = scores.softmax(-1) > 1 / n
    rho = torch.stack([relative_attention(scores, key) for key in range(n)])
    assert (rho[above] > 0).all()


def test_real_attention_patterns_come_from_the_recorded_scores(fixtures_folder):
    """GPT-2 small on five prompts: softmax over the visible keys gives its pattern, and the sign rule holds in it."""
    found = np.load(fixtures_folder / "gpt2_small_attention_examples.npz")
    checked = 0
    for example in range(5):
        scores, pattern = (
            torch.as_tensor(found[f"ex{example}_{kind}"]).double().flatten(0, -3)
            for kind in ("scores_scaled", "pattern")
        )
        assert scores.shape[0] == 144
        length = scores.shape[-1]
        for query in range(1, length):
            seen = scores[:, query, : query + 1]
            attention = seen.softmax(-1)
            torch.testing.assert_close(attention, pattern[:, query, : query + 1], rtol=0, atol=2e-5)
            rho = torch.stack([relative_attention(seen, key) for key in range(query + 1)], -1)
            assert (rho[attention > 1 / (query + 1) + 1e-9] > 0).all()
            checked += rho.numel()
    assert checked > 5000


@pytest.mark.parametrize(
    ("scores", "key", "told"),
    [
        (torch.zeros(1), 0, ("1 keys",)),
        (torch.tensor(3.0), 0, ("scores", "keys")),
        (torch.zeros(4), 4, ("key = 4", "0 to 3")),
        (torch.zeros(4), -1, ("key = -1", "0 to 3")),
        (torch.zeros(4), 1.0, ("key", "torch.float32")),
        (torch.tensor([1.0, -math.inf]), 0, ("scores", "finite", "masked")),
        (torch.tensor([1.0, math.nan]), 0, ("scores", "finite")),
        (torch.zeros(3, 4), torch.tensor([0, 1]), ("key", (2,), "keys", (3, 4, 1))),
    ],
)
def test_what_relative_attention_refuses(scores, key, told):
    with refuses(ValueError, *told):
        relative_attention(scores, key)


# --- Terms


def head(*lead, d=9, r=4, seed=0):
    return normal(*lead, d, r, seed=seed), normal(*lead, d, r, seed=seed + 1)


def test_terms_of_a_score_are_equation_1():
    W_Q, W_K = head()
    svd = qk_svd(W_Q, W_K)
    t_q, t_k = normal(6, 9, seed=5), normal(6, 9, seed=6)
    terms = score_terms(t_q, t_k, svd)
    assert terms.shape == (6, 4)
    torch.testing.assert_close(terms.sum(-1), ((t_q @ W_Q) * (t_k @ W_K)).sum(-1))
    torch.testing.assert_close(terms[2, 1], (t_q[2] @ svd.U[:, 1]) * svd.S[1] * (svd.V[:, 1] @ t_k[2]))


def test_attention_terms_sum_to_relative_attention_for_many_heads():
    W_Q, W_K = head(3)
    svd = QKSVD(*(part[:, None] for part in qk_svd(W_Q, W_K)))
    t_q, t_keys = normal(3, 8, 9, seed=5), normal(3, 8, 5, 9, seed=6)
    key = torch.arange(8) % 5
    scores = torch.einsum("hqd,hdr,her,hqke->hqk", t_q, W_Q, W_K, t_keys)
    terms = attention_terms(t_q, t_keys, key, QKSVD(svd.U, svd.S, svd.V))
    assert terms.shape == (3, 8, 4)
    torch.testing.assert_close(terms.sum(-1), relative_attention(scores, key))


def test_one_aligned_pair_gives_one_term():
    """Features along singular vectors, the pair present in query and key: one term carries all (paper, Figure 5)."""
    svd = QKSVD(torch.eye(6)[:, :3], torch.tensor([5.0, 3.0, 1.0]), torch.eye(6)[:, 3:])
    t_keys = torch.eye(6)[[4, 0, 1]]
    terms = attention_terms(torch.eye(6)[1], t_keys, 0, svd)
    assert terms.tolist() == [0.0, 3.0, 0.0]
    assert sparsity(terms) == pytest.approx(1 / 3)
    assert n_sv(terms) == 1


def test_tokens_that_do_not_fit_are_refused():
    svd = qk_svd(*head())
    with refuses(ValueError, "t_query", (8,), "d_model = 9"):
        score_terms(torch.zeros(8), torch.zeros(9), svd)
    with refuses(ValueError, "t_key", (8,), "d_model = 9"):
        attention_terms(torch.zeros(9), torch.zeros(4, 8), 0, svd)


# --- Sparsity


def test_sparsity_of_known_shares():
    assert sparsity(torch.tensor([1.0, -1.0, 1.0])) == 1
    assert sparsity(torch.tensor([0.0, 0.0, -4.0, 0.0])) == 0.25
    for count in range(1, 8):  # equal terms: their share of all
        terms = torch.cat([torch.full((count,), -2.0), torch.zeros(7 - count)])
        assert sparsity(terms) == pytest.approx(count / 7)


@given(seed=st.integers(0, 99), scale=st.floats(1e-200, 1e200))
@settings(max_examples=30, deadline=None)
def test_sparsity_ignores_scale_sign_and_order(seed, scale):
    terms = normal(9, seed=seed)
    value = sparsity(terms)
    assert 1 / 9 <= value <= 1
    torch.testing.assert_close(sparsity(terms.flip(0).abs() * scale), value)


def test_sparsity_refuses_what_has_no_size():
    with refuses(ValueError, "terms", "zero", "1 rows"):
        sparsity(torch.tensor([[1.0, 2.0], [0.0, 0.0]]))
    with refuses(ValueError, "terms", (3, 0)):
        sparsity(torch.zeros(3, 0))
    with refuses(ValueError, "terms", "finite"):
        sparsity(torch.tensor([1.0, math.nan]))


# --- N_sv


def count_one_by_one(terms):
    total, reached, tolerance = sum(terms), 0.0, 1e-6 * sum(map(abs, terms))
    if total <= 0:
        return 0
    for count, term in enumerate(sorted(terms, reverse=True), 1):
        reached += term
        if reached >= total - tolerance:
            return count
    raise AssertionError("never reached")


@given(st.lists(st.integers(-64, 64).map(lambda n: n / 8), min_size=1, max_size=12))
@settings(max_examples=300, deadline=None)
def test_n_sv_counts_as_its_definition_says(terms):
    assert n_sv(torch.tensor(terms, dtype=torch.float64)) == count_one_by_one(terms)


@pytest.mark.parametrize(
    ("terms", "count"),
    [
        ([5.0, 1.0, -1.0], 1),
        ([3.0, 3.0, 3.0], 3),  # ties: any order
        ([2.0, 2.0, 2.0, -2.0], 2),
        ([1.0, 5.0, 1.0, -2.0], 1),
        ([1.0, -1.0], 0),
        ([-1.0, -2.0], 0),
        ([0.0, 0.0], 0),
        ([4.0, 0.0, 0.0], 1),
        ([1.0, 1e-9], 1),  # within 1e-6 of the sizes
        ([1.0, 1e-4], 2),
        ([1.0, -1.0 + 1e-9], 1),  # positive, if only just: at least one
    ],
)
def test_n_sv_at_the_edges(terms, count):
    assert n_sv(torch.tensor(terms, dtype=torch.float64)) == count


def test_n_sv_keeps_leading_dimensions_and_does_not_depend_on_order():
    terms = normal(4, 5, 8) + 0.3
    counts = n_sv(terms)
    assert counts.shape == (4, 5)
    assert torch.equal(counts, n_sv(terms[..., torch.randperm(8, generator=torch.Generator().manual_seed(0))]))
    assert torch.equal(counts == 0, terms.sum(-1) <= 0)
    assert (counts <= (terms > 0).sum(-1)).all()


def test_n_sv_can_refuse_attention_below_uniform():
    with refuses(ValueError, "relative attention", "1 of 2"):
        n_sv(torch.tensor([[1.0, 2.0], [1.0, -2.0]]), refuse=True)
    assert n_sv(torch.tensor([1.0, 2.0]), refuse=True) == 2
    with refuses(ValueError, "terms", "finite"):
        n_sv(torch.tensor([1.0, math.inf]))


# --- The null


def test_the_null_turns_coordinates_and_keeps_lengths_and_spectrum():
    x, S, y = normal(4), torch.tensor([4.0, 3.0, 2.0, 1.0], dtype=torch.float64), normal(4, seed=1)
    ones = torch.ones(4, dtype=torch.float64)
    # with the identity on one side, terms are the turned coordinates of the other, times what is a number
    terms = null_terms(x, ones, x, draws=2000, generator=torch.Generator().manual_seed(0))
    assert terms.shape == (2000, 4)
    # x' and y' are independent and uniform: each product has mean 0 and variance |x|^4 / 16
    assert terms.mean(0).abs().max() < 0.1 * x.square().sum()
    torch.testing.assert_close(terms.square().mean(0), ones * x.square().sum() ** 2 / 16, rtol=0.2, atol=0)
    spread = null_terms(x, S, y, draws=2000, generator=torch.Generator().manual_seed(0)).square().mean(0)
    torch.testing.assert_close(spread, S.square() * x.square().sum() * y.square().sum() / 16, rtol=0.2, atol=0)


def test_the_null_in_head_space_is_the_null_of_the_qk_matrix():
    """Turning U and V within the head's space, and turning coordinates, are one and the same."""
    W_Q, W_K = head(2)
    svd = qk_svd(W_Q, W_K)
    t_q, t_k = normal(7, 2, 9, seed=5), normal(7, 2, 9, seed=6)
    x, y = torch.einsum("phd,hdr->phr", t_q, svd.U), torch.einsum("phd,hdr->phr", t_k, svd.V)
    ours = null_terms(x, svd.S, y, generator=torch.Generator().manual_seed(3))
    turned = rotated_null(QKSVD(*(part[None] for part in svd)), torch.Generator().manual_seed(3))
    expected = score_terms(t_q, t_k, QKSVD(*(part[0] for part in turned)))
    assert ours.shape == (1, 7, 2, 4)
    torch.testing.assert_close(ours[0], expected)


def test_each_head_has_its_rotation_and_all_prompts_share_it():
    x, y = torch.ones(3, 2, 5, dtype=torch.float64), torch.ones(3, 2, 5, dtype=torch.float64)
    S = torch.ones(2, 5, dtype=torch.float64)
    terms = null_terms(x, S, y, draws=4, generator=torch.Generator().manual_seed(0))
    assert terms.shape == (4, 3, 2, 5)
    assert torch.equal(terms[:, 0], terms[:, 2])
    assert (terms[:, :, 0] - terms[:, :, 1]).abs().min() > 1e-6
    assert (terms[0] - terms[1]).abs().min() > 1e-6
    one_query = null_terms(x[0, 0], S, y, draws=4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(one_query, terms)


def test_the_null_refuses_what_does_not_fit():
    with refuses(ValueError, "query (3,)", "S (4,)", "key (4,)"):
        null_terms(torch.zeros(3), torch.zeros(4), torch.zeros(4))
    with refuses(ValueError, "draws = 0"):
        null_terms(torch.zeros(4), torch.zeros(4), torch.zeros(4), draws=0)


def test_relative_key_and_float32():
    keys = normal(2, 6, 3, dtype=torch.float32)
    expected = keys[:, 4] - keys[:, [0, 1, 2, 3, 5]].mean(1)
    torch.testing.assert_close(relative_key(keys, 4), expected)
    assert relative_key(keys, 4).dtype == torch.float32
