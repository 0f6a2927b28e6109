"""More pairs than dimensions: rewriting a head, its logits, and the best matrices of a given rank."""

import itertools

import pytest
import torch

from svf_helpers.alignment import vector_cosines
from svf_helpers.chapters.beyond_capacity.capacity import (
    attention_cost,
    best_logits,
    draw_contexts,
    grouped_logits,
    least_squares_logits,
    pair_cosines,
    pair_logits,
    reconstruction_error,
    tight_frame,
    wrong_attention,
)
from svf_helpers.features import gram
from svf_helpers.qk import qk_svd, whitened_qk_svd
from svf_helpers.toy.model import strengths
from tests.refusals import refuses

PAIRS = [(0, 4), (1, 5), (2, 6), (3, 7)]
TARGETS = [6.0, 5.0, 4.0, 3.0]


def model(*leading, d=5, n=8, r=3, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*leading, *shape, generator=generator, dtype=dtype)  # noqa: E731
    return draw(d, n), draw(d, r), draw(d, r)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_tight_frame_has_the_same_logits(dtype):
    given = model(2, 3, dtype=dtype)
    found = tight_frame(*given)
    torch.testing.assert_close(gram(found.W), torch.eye(5, dtype=torch.float64).expand(2, 3, 5, 5))
    before = given[0].mT @ given[1] @ given[2].mT @ given[0]
    after = found.W.mT @ found.W_Q @ found.W_K.mT @ found.W
    torch.testing.assert_close(after, before.double(), rtol=1e-3 if dtype == torch.float32 else 1e-9, atol=1e-4)


def test_its_singular_values_are_the_whitened_ones():
    W, W_Q, W_K = model()
    C = gram(W)
    torch.testing.assert_close(qk_svd(*tight_frame(W, W_Q, W_K)[1:]).S, whitened_qk_svd(W_Q, W_K, C, C).S)


def test_its_cosines_do_not_depend_on_where_one_starts():
    W, W_Q, W_K = model()
    S = torch.randn(5, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    moved = S @ W, torch.linalg.inv(S).mT @ W_Q, torch.linalg.inv(S).mT @ W_K
    torch.testing.assert_close(pair_logits(*moved, PAIRS), pair_logits(W, W_Q, W_K, PAIRS))
    assert (pair_cosines(*moved, PAIRS) - pair_cosines(W, W_Q, W_K, PAIRS)).abs().max() > 0.1
    first, second = (pair_cosines(*tight_frame(*each), PAIRS) for each in ((W, W_Q, W_K), moved))
    torch.testing.assert_close(first, second)


def test_unused_directions_are_dropped():
    W, W_Q, W_K = model()
    W[:, :] = torch.where(torch.arange(5)[:, None] < 3, W, 0.0)
    found = tight_frame(W, W_Q, W_K)
    torch.testing.assert_close(gram(found.W).diagonal(), torch.tensor([1.0, 1, 1, 0, 0], dtype=torch.float64))
    torch.testing.assert_close(pair_logits(*found, PAIRS), pair_logits(W, W_Q, W_K, PAIRS))


def test_cosines_are_those_of_the_worse_side():
    W, W_Q, W_K = model()
    svd = qk_svd(W_Q, W_K)
    query, key = vector_cosines(W, svd.U), vector_cosines(W, svd.V)
    for row, (i, j) in zip(pair_cosines(W, W_Q, W_K, PAIRS), PAIRS, strict=True):
        torch.testing.assert_close(row, torch.minimum(query[i], key[j]))


def test_wrong_attention_is_a_softmax_over_two_keys():
    M = torch.randn(2, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = wrong_attention(M)
    assert not found.diagonal(dim1=-2, dim2=-1).any()
    expected = torch.stack([M[1, 2, 2], M[1, 2, 0]]).softmax(0)[1]
    assert found[1, 2, 0] == pytest.approx(float(expected))


def test_contexts_follow_the_toy_models_law():
    x, y = draw_contexts(3, count=20_000, c=2, p=0.3)
    assert x.shape == (20_000, 3)
    assert y.shape == (20_000, 2, 3)
    for part in (x, y):
        assert float((part > 0).double().mean()) == pytest.approx(0.3, abs=0.01)
        assert float(part.mean()) == pytest.approx(0.15, abs=0.01)
        assert part.max() <= 1
    assert float((x.mT @ x / len(x))[0, 1]) == pytest.approx(0.3**2 / 4, abs=0.003)  # K off the diagonal


def test_the_cost_is_a_divergence():
    contexts = draw_contexts(4, 500)
    exact, other = torch.diag(torch.tensor(TARGETS, dtype=torch.float64)), torch.zeros(4, 4, dtype=torch.float64)
    assert attention_cost(exact, TARGETS, contexts) == pytest.approx(0, abs=1e-12)
    x, y = contexts
    wanted = torch.einsum("qi,i,qki->qk", x, torch.tensor(TARGETS, dtype=x.dtype), y).softmax(-1)
    uniform = (wanted * (wanted * 4).log()).sum(-1).mean()
    assert float(attention_cost(other, TARGETS, contexts)) == pytest.approx(float(uniform))


def squared_error(M, targets, p):
    K = (p / 3 - p * p / 4) * torch.eye(len(targets), dtype=M.dtype) + p * p / 4
    gap = M - torch.diag(torch.tensor(targets, dtype=M.dtype))
    return float(torch.trace(gap.mT @ K @ gap))


@pytest.mark.parametrize("p", [0.1, 0.52, 1.0])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_the_closed_form_has_its_rank_and_no_other_matrix_is_better(p, rank):
    M = least_squares_logits(TARGETS, rank, p)
    assert torch.linalg.matrix_rank(M) == rank
    least = squared_error(M, TARGETS, p)
    U, S, Vh = torch.linalg.svd(M)
    for seed in range(20):  # other matrices of that rank, near and far
        generator = torch.Generator().manual_seed(seed)
        noise = lambda scale: scale * torch.randn(4, rank, generator=generator, dtype=M.dtype)  # noqa: E731,B023
        for scale in (0.01, 0.1, 1.0):
            other = (U[:, :rank] * S[:rank] + noise(scale)) @ (Vh[:rank].mT + noise(scale)).mT
            assert squared_error(other, TARGETS, p) > least - 1e-9


def test_squared_error_is_what_small_logits_cost():
    targets = [0.02, 0.015, 0.01]
    contexts = draw_contexts(3, 60_000, c=4, p=0.52)
    M = least_squares_logits(targets, 2)
    variance = 0.52 / 3 - 0.52**2 / 4
    expected = 0.5 * (1 - 1 / 4) * variance * squared_error(M, targets, 0.52)
    assert float(attention_cost(M, targets, contexts)) == pytest.approx(expected, rel=0.05)


def test_with_one_pair_too_many_the_last_two_share():
    M = least_squares_logits(TARGETS, 3)
    assert M[2, 3] > 0.2 * M[2, 2]
    assert M[2, 3] > M[1, 3] > M[0, 3] > 0
    with refuses(ValueError, "rank", 5, 4):
        least_squares_logits(TARGETS, 5)


def test_the_search_ends_below_its_start_and_every_arrangement():
    contexts = draw_contexts(4, 1500)
    best = best_logits(TARGETS, 3, contexts)
    assert torch.linalg.matrix_rank(best.M, rtol=1e-9) == 3
    assert best.cost < float(attention_cost(least_squares_logits(TARGETS, 3), TARGETS, contexts))
    for pair in itertools.combinations(range(4), 2):
        alone = [[k] for k in range(4) if k not in pair]
        assert best.cost < grouped_logits(TARGETS, [*alone, list(pair)], contexts).cost


def test_groups_have_a_vector_each_and_touch_nobody():
    contexts = draw_contexts(4, 1500)
    fit = grouped_logits(TARGETS, [[0], [1, 3]], contexts)  # pair 2 is dropped
    shared = fit.M[[1, 3]][:, [1, 3]]
    assert torch.linalg.matrix_rank(shared, rtol=1e-9) == 1
    assert shared.min() > 0
    rest = fit.M.clone()
    rest[0, 0] = 0
    rest[[[1], [3]], [1, 3]] = 0
    assert not rest.any()
    assert fit.cost == pytest.approx(float(attention_cost(fit.M, TARGETS, contexts)))


def test_groups_that_overlap_are_refused():
    for groups in ([[0], [0, 1]], [[0], [4]]):
        with refuses(ValueError, "groups", groups, 3):
            grouped_logits(TARGETS, groups, draw_contexts(4, 10))


def test_an_unseen_pair_makes_the_others_less_sure():
    contexts = draw_contexts(4, 3000)
    own = [grouped_logits([6.0, 5.0, 4.0, low], [[0], [1], [2]], contexts).M.diagonal() for low in (0.0, 3.0, 6.0)]
    torch.testing.assert_close(own[0], torch.tensor([6.0, 5, 4, 0], dtype=torch.float64), atol=1e-3, rtol=0)
    for k in range(3):
        assert own[0][k] > own[1][k] + 0.1 > own[2][k] + 0.2


def test_reconstruction_takes_the_best_biases():
    W = model()[0] / 3
    x = strengths(torch.rand(8, 2000, generator=torch.Generator().manual_seed(0), dtype=torch.float64), 0.52)
    read, least = W.mT @ W @ x, reconstruction_error(W)
    for shift in (-0.2, 0.0, 0.2):
        assert least <= float(((read + shift).relu() - x).square().mean()) + 1e-12
