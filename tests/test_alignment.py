"""Alignment of features with singular vectors, and that ties are never ranked silently."""

import math

import pytest
import torch

from svf_helpers.alignment import anti_whitened, best_alignment, rank_alignment, vector_cosines, whitened_alignment
from svf_helpers.features import distorted_dictionary, isotropic_dictionary
from svf_helpers.qk import QKSVD, qk_svd
from svf_helpers.toy import DEFAULT_PAIRS
from tests.refusals import refuses

EYE = torch.eye(6, dtype=torch.float64)


def head(queries, values, keys):
    return QKSVD(EYE[:, queries], torch.tensor(values, dtype=torch.float64), EYE[:, keys])


def rotated(svd, columns, angle=0.7):
    """The same QK matrix, its equal singular values' vectors turned into another valid choice."""
    c, s = math.cos(angle), math.sin(angle)
    turn = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
    U, V = svd.U.clone(), svd.V.clone()
    U[:, columns], V[:, columns] = U[:, columns] @ turn, V[:, columns] @ turn
    return QKSVD(U, svd.S, V)


def test_by_rank_and_best():
    svd = head([2, 0, 4], [5.0, 3.0, 1.0], [3, 1, 5])
    by_rank = rank_alignment(EYE, svd, [(2, 3), (0, 1)])
    assert by_rank.query.tolist() == [1, 1]
    assert by_rank.key.tolist() == [1, 1]
    assert by_rank.vector.tolist() == [[0, 0], [1, 1]]
    assert by_rank.tied.tolist() == [False, False]
    wrong_order = rank_alignment(EYE, svd, [(0, 1), (2, 3)])
    assert wrong_order.mean == 0
    best = best_alignment(EYE, svd, [(0, 1), (2, 5)])
    assert best.query.tolist() == [1, 1]
    assert best.vector.tolist() == [[1, 1], [0, 2]]  # each side for itself
    assert best.mean == 1


def test_golden_angle_and_feature_length():
    W = torch.tensor([[3.0, 0.0], [4.0, 2.0], [0.0, 0.0]])
    svd = QKSVD(torch.eye(3)[:, :2], torch.tensor([2.0, 1.0]), torch.eye(3)[:, :2])
    for measure in (rank_alignment, best_alignment):
        result = measure(W, svd, [(0, 1)])
        assert result.key.item() == pytest.approx(0 if measure is rank_alignment else 1)
        assert result.query.item() == pytest.approx(0.6 if measure is rank_alignment else 0.8)


def test_a_tie_is_measured_as_a_group():
    svd = head([2, 0, 4], [5.0, 5.0, 1.0], [3, 1, 5])
    for measure in (rank_alignment, best_alignment):
        for choice in (svd, rotated(svd, [0, 1])):
            result = measure(EYE, choice, [(2, 3), (0, 1)])
            torch.testing.assert_close(result.query, torch.ones(2, dtype=torch.float64))
            torch.testing.assert_close(result.key, torch.ones(2, dtype=torch.float64))
            assert result.tied.tolist() == [True, True]
    alone = rank_alignment(EYE, head([2, 0, 4], [5.0, 4.9, 1.0], [3, 1, 5]), [(2, 3), (0, 1)])
    assert alone.tied.tolist() == [False, False]
    ranked = rank_alignment(EYE, rotated(svd, [0, 1]), [(2, 3)], tolerance=0)  # equal values tie at any tolerance
    assert ranked.tied.tolist() == [True]


def test_signs_do_not_matter():
    W = torch.randn(8, 12, generator=torch.Generator().manual_seed(0))
    svd = qk_svd(*torch.randn(2, 8, 5, generator=torch.Generator().manual_seed(1)))
    flip = torch.tensor([1.0, -1.0, -1.0, 1.0, -1.0])
    flipped = QKSVD(svd.U * flip, svd.S, svd.V * flip)
    for measure in (rank_alignment, best_alignment):
        for before, after in zip(measure(W, svd, [(0, 1), (2, 3)]), measure(W, flipped, [(0, 1), (2, 3)]), strict=True):
            assert torch.equal(before, after)


@pytest.mark.parametrize("measure", [rank_alignment, best_alignment, lambda *a: best_alignment(*a, columns="all")])
def test_batches_equal_their_members(measure):
    generator = torch.Generator().manual_seed(0)
    W, pairs = torch.randn(2, 3, 8, 12, generator=generator), [(0, 1), (2, 3), (4, 4)]
    svd = qk_svd(torch.randn(2, 3, 8, 5, generator=generator), torch.randn(2, 3, 8, 5, generator=generator))
    for whole_W, index_W, index_svd, lead in (
        (W, lambda i, j: W[i, j], lambda i, j: (i, j), (2, 3)),
        (W[0, 0], lambda i, j: W[0, 0], lambda i, j: (i, j), (2, 3)),  # one dictionary, many heads
        (W[0], lambda i, j: W[0, j], lambda i, j: (i, j), (2, 3)),
    ):
        whole = measure(whole_W, svd, pairs)
        assert whole.query.shape == (*lead, 3)
        assert whole.mean.shape == lead
        for i in range(2):
            for j in range(3):
                alone = measure(index_W(i, j), QKSVD(*(part[index_svd(i, j)] for part in svd)), pairs)
                torch.testing.assert_close(whole.query[i, j], alone.query)
                torch.testing.assert_close(whole.key[i, j], alone.key)
                assert torch.equal(whole.tied[i, j], alone.tied)
                assert torch.equal(whole.vector.expand(*lead, 3, 2)[i, j], alone.vector)
    one_head = measure(W, QKSVD(*(part[0, 0] for part in svd)), pairs)  # many dictionaries, one head
    assert one_head.query.shape == (2, 3, 3)


def test_columns_without_signal_flatter():
    svd = head([2, 0, 4, 5], [5.0, 3.0, 0.0, 0.0], [3, 1, 4, 5])
    signal = best_alignment(EYE, svd, [(4, 4)])
    every = best_alignment(EYE, svd, [(4, 4)], columns="all")
    assert (signal.query.item(), signal.key.item()) == (0, 0)
    assert (every.query.item(), every.key.item()) == (1, 1)
    assert every.vector.tolist() == [[2, 2]]


def test_a_value_that_cannot_be_told_from_zero_is_no_signal():
    svd = head([0, 1, 2, 3, 4], [1.0, 0.0015, 0.0007, 0.0, 0.0], [0, 1, 2, 3, 4])
    assert best_alignment(EYE, svd, [(3, 3)]).query.item() == 0


def test_a_head_that_reads_nothing():
    result = best_alignment(EYE, head([0, 1], [0.0, 0.0], [0, 1]), [(0, 0)])
    assert (result.query.item(), result.key.item()) == (0, 0)


def test_a_lone_singular_value_of_zero_is_tied_with_what_the_head_does_not_read():
    narrow = rank_alignment(EYE, head([0, 1, 2], [2.0, 1.0, 0.0], [0, 1, 2]), [(0, 0), (1, 1), (2, 2)])
    assert narrow.tied.tolist() == [False, False, True]
    full = head(list(range(6)), [6.0, 5.0, 4.0, 3.0, 2.0, 0.0], list(range(6)))  # here it is the only one
    assert not rank_alignment(EYE, full, [(i, i) for i in range(6)]).tied.any()


def test_anti_whitening_undoes_an_uneven_dictionary():
    generator = torch.Generator().manual_seed(0)
    F, G = (torch.randn(5, 9, generator=generator, dtype=torch.float64) for _ in range(2))
    u = torch.linalg.solve(F @ F.mT, F[:, 2])  # Theorem 1's minimiser
    v = torch.linalg.solve(G @ G.mT, G[:, 3])
    svd = qk_svd(u[:, None], v[:, None])
    assert vector_cosines(F, svd.U)[2].item() < 0.99
    for W, vectors, feature in ((F, svd.U, 2), (G, svd.V, 3)):
        assert vector_cosines(W, anti_whitened(W, vectors))[feature].item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ("W", "pairs", "told"),
    [
        (EYE, [(i, i) for i in range(3)], ("3 pairs", "2 singular vectors")),
        (EYE, [(0, 6)], ((0, 6), "0..5")),
        (EYE, [(-1, 0)], ((-1, 0), "0..5")),
        (EYE, [], ("pairs", [])),
        (EYE, [(0, 1, 2)], ("pairs", (0, 1, 2))),
        (EYE[:5], [(0, 1)], ("W", (5, 6), 6)),
    ],
)
def test_bad_input_is_refused(W, pairs, told):
    with refuses(ValueError, *told):
        rank_alignment(W, head([0, 1], [2.0, 1.0], [0, 1]), pairs)


def test_bad_batches_and_columns_are_refused():
    svd = qk_svd(torch.randn(3, 6, 2), torch.randn(3, 6, 2))
    for measure in (rank_alignment, best_alignment):
        with refuses(ValueError, "W", (2, 6, 4), (3, 2)):
            measure(torch.randn(2, 6, 4), svd, [(0, 1)])
    with refuses(ValueError, "columns = 'some'", "signal", "all"):
        best_alignment(EYE, svd, [(0, 1)], columns="some")


def stretched_case(dtype=torch.float64):
    """A dictionary that was isotropic, stretched by 20 along a random direction, and the head Theorem 1's sum gives."""
    generator = torch.Generator().manual_seed(3)
    W = distorted_dictionary(isotropic_dictionary(), 20.0, torch.randn(10, generator=generator, dtype=torch.float64))
    P = torch.linalg.pinv(W)
    T = torch.zeros(20, 20, dtype=torch.float64)
    for (i, j), target in DEFAULT_PAIRS.items():
        T[i, j] = target
    U, S, Vh = torch.linalg.svd(P.mT @ T @ P)
    return W.to(dtype), (U * S).to(dtype), Vh.mT.to(dtype), list(DEFAULT_PAIRS)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_whitening_finds_features_that_the_plain_svd_does_not(dtype):
    W, W_Q, W_K, pairs = stretched_case(dtype)
    assert rank_alignment(W, qk_svd(W_Q, W_K), pairs).mean < 0.8
    whitened = whitened_alignment(W, W_Q, W_K, pairs)
    assert torch.minimum(whitened.query, whitened.key).min() > 0.9999
    assert not whitened.tied.any()


def test_whitened_alignment_of_a_batch_equals_its_members_and_ignores_signs():
    W, W_Q, W_K, pairs = stretched_case()
    both = whitened_alignment(torch.stack([W, 2 * W]), torch.stack([W_Q, -W_Q]), torch.stack([W_K, W_K]), pairs)
    for k, one in enumerate((whitened_alignment(W, W_Q, W_K, pairs), whitened_alignment(2 * W, -W_Q, W_K, pairs))):
        torch.testing.assert_close(both.query[k], one.query)
        torch.testing.assert_close(both.key[k], one.key)


def test_whitened_alignment_says_where_ranks_are_tied_and_refuses_too_many_pairs():
    W = isotropic_dictionary()
    equal = W[:, :2]
    assert whitened_alignment(W, equal, W[:, 4:6], [(0, 4), (1, 5)]).tied.all()
    with refuses(ValueError, "3 pairs", "2 singular vectors"):
        whitened_alignment(W, equal, W[:, 4:6], [(0, 4), (1, 5), (2, 6)])
