"""The SVD from factors: right on every kind of head, checked by itself, and honest about close singular values."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from svf_helpers import factored_svd, qk
from svf_helpers.qk import QKSVD, qk_svd, rotated_null, singular_groups, whitened_qk_svd
from tests.refusals import refuses

ROUNDING = {torch.float32: 2e-6, torch.float64: 1e-13}
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")


def normal(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def product(svd):
    U, S, V = (part.double() for part in svd)
    return (U * S[..., None, :]) @ V.mT


def assert_is_svd(svd, W_Q, W_K):
    """Orthonormal, descending, not negative, and equal to the full product and to its own SVD."""
    rounding = ROUNDING[W_Q.dtype]
    full = W_Q.double() @ W_K.double().mT
    r = svd.S.shape[-1]
    # relative to the factors: that is what float arithmetic can promise where the product cancels
    scale = torch.linalg.matrix_norm(W_Q.double()) * torch.linalg.matrix_norm(W_K.double())
    assert (torch.linalg.matrix_norm(product(svd) - full) <= rounding * scale).all()
    for side in (svd.U, svd.V):
        gram = side.double().mT @ side.double()
        assert (gram - torch.eye(r, dtype=torch.float64)).abs().max() < rounding
    assert (svd.S >= 0).all()
    assert (svd.S[..., :-1] >= svd.S[..., 1:]).all()
    reference = torch.linalg.svdvals(full)[..., :r]
    assert ((svd.S.double() - reference).abs().amax(-1) <= rounding * scale).all()
    assert all(part.dtype == W_Q.dtype for part in svd)


@DTYPES
@pytest.mark.parametrize("shape", [(12, 4), (2, 12, 4), (2, 3, 12, 4), (9, 9), (7, 1), (1, 1)])
def test_any_batch_and_head(shape, dtype):
    W_Q, W_K = normal(*shape, dtype=dtype), normal(*shape, seed=1, dtype=dtype)
    assert_is_svd(qk_svd(W_Q, W_K), W_Q, W_K)


def test_a_head_alone_equals_itself_in_a_batch_of_several_groups(monkeypatch):
    W_Q, W_K = normal(2, 5, 16, 4), normal(2, 5, 16, 4, seed=1)
    monkeypatch.setitem(qk.GROUP_BYTES, "cpu", 3 * 16 * 16 * 4)  # three heads at a time: the last group is short
    whole = qk_svd(W_Q, W_K)
    for i in range(2):
        for j in range(5):
            for part, alone in zip(whole, qk_svd(W_Q[i, j], W_K[i, j]), strict=True):
                torch.testing.assert_close(part[i, j], alone, rtol=1e-5, atol=1e-6)


def test_grouped_keys_broadcast():
    W_Q, W_K = normal(3, 4, 16, 4), normal(3, 1, 16, 4, seed=1)  # 4 query heads share each key head
    svd = qk_svd(W_Q, W_K)
    assert svd.U.shape == (3, 4, 16, 4)
    assert_is_svd(svd, W_Q, W_K.expand(3, 4, 16, 4))


@DTYPES
def test_no_heads(dtype):
    U, S, V = qk_svd(torch.zeros(0, 5, 8, 3, dtype=dtype), torch.zeros(0, 5, 8, 3, dtype=dtype))
    assert (U.shape, S.shape, V.shape) == ((0, 5, 8, 3), (0, 5, 3), (0, 5, 8, 3))
    assert S.dtype == dtype


KINDS = ["zero", "one zero", "rank 2", "query", "key", "both", "opposed", "rows", "equal columns"]


@DTYPES
@pytest.mark.parametrize("kind", KINDS)
def test_deficient_and_ill_conditioned_factors(kind, dtype):
    W_Q, W_K = normal(3, 20, 6, dtype=dtype), normal(3, 20, 6, seed=1, dtype=dtype)
    columns = torch.logspace(0, -8, 6, dtype=dtype)
    if kind == "zero":
        W_Q, W_K = W_Q * 0, W_K * 0
    elif kind == "one zero":
        W_K = W_K * 0
    elif kind == "rank 2":
        W_Q[..., 2:] = 0
    elif kind == "equal columns":
        W_Q[...] = W_Q[..., :1].clone()
    elif kind == "rows":
        W_Q = W_Q * torch.logspace(0, -12, 20, dtype=dtype)[:, None]
    else:
        W_Q = W_Q * columns if kind in ("query", "both", "opposed") else W_Q
        W_K = {"both": W_K * columns, "key": W_K * columns, "opposed": W_K / columns}.get(kind, W_K)
    svd = qk_svd(W_Q, W_K)
    assert_is_svd(svd, W_Q, W_K)
    if kind == "opposed":  # the product is as good as any other, though both factors are bad
        full = W_Q.double() @ W_K.double().mT
        error = torch.linalg.matrix_norm(product(svd) - full) / torch.linalg.matrix_norm(full)
        assert error.max() < (1e-6 if dtype == torch.float32 else 1e-8)


@pytest.mark.parametrize(("scale_Q", "scale_K"), [(1e-18, 1e-18), (1e15, 1e15), (1e-20, 1e15), (1e-37, 1e37)])
def test_tiny_and_huge_scales_change_only_the_singular_values(scale_Q, scale_K):
    W_Q, W_K = normal(2, 12, 4), normal(2, 12, 4, seed=1)
    plain, scaled = qk_svd(W_Q, W_K), qk_svd(W_Q * scale_Q, W_K * scale_K)
    torch.testing.assert_close(scaled.S.double() / (scale_Q * scale_K), plain.S.double(), rtol=1e-5, atol=0)
    torch.testing.assert_close(scaled.U, plain.U, rtol=0, atol=1e-5)


@pytest.mark.parametrize("scale", [1e-140, 1e150])
def test_float64_scales_whose_squares_leave_its_range(scale):
    W_Q, W_K = normal(12, 4, dtype=torch.float64), normal(12, 4, seed=1, dtype=torch.float64)
    plain, scaled = qk_svd(W_Q, W_K), qk_svd(W_Q * scale, W_K * scale)
    torch.testing.assert_close(scaled.S / scale**2, plain.S, rtol=1e-12, atol=0)


def test_overflow_is_refused():
    with refuses(ArithmeticError, "torch.float32"):
        qk_svd(normal(12, 4) * 1e25, normal(12, 4, seed=1) * 1e25)


@DTYPES
def test_nearly_equal_singular_values(dtype):
    U, V = (torch.linalg.qr(normal(12, 4, seed=seed, dtype=torch.float64)).Q for seed in (0, 1))
    S = torch.tensor([3.0, 2.0 + 1e-9, 2.0, 1.0], dtype=torch.float64)
    W_Q, W_K = (U * S).to(dtype), V.to(dtype)
    svd = qk_svd(W_Q, W_K)
    assert_is_svd(svd, W_Q, W_K)
    assert singular_groups(svd.S).tolist() == [0, 1, 1, 2]


def test_golden_values():
    W_Q = torch.tensor([[0.0, 3.0], [2.0, 0.0], [0.0, 0.0]])
    W_K = torch.tensor([[0.0, 0.0], [0.0, 2.0], [-1.0, 0.0]])
    U, S, V = qk_svd(W_Q, W_K)  # 6 e0 e1^T - 2 e1 e2^T
    torch.testing.assert_close(S, torch.tensor([6.0, 2.0]))
    sign = U.sum(0).round()  # of each pair: the product keeps the minus whatever the signs
    torch.testing.assert_close(U * sign, torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]))
    torch.testing.assert_close(V * sign, torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, -1.0]]))


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(0, 6), st.sampled_from([torch.float32, torch.float64]))
def test_invariants(seed, r, more, dtype):
    W_Q, W_K = normal(2, r + more, r, seed=seed, dtype=dtype), normal(2, r + more, r, seed=seed + 1, dtype=dtype)
    svd = qk_svd(W_Q, W_K)
    assert_is_svd(svd, W_Q, W_K)
    turn = torch.linalg.qr(normal(r, r, seed=seed + 2, dtype=torch.float64)).Q.to(dtype)
    turned = qk_svd(W_Q @ turn, W_K @ turn)  # the head's own basis does not matter
    torch.testing.assert_close(turned.S, svd.S, rtol=1e-4, atol=1e-4)
    leaning = factored_svd._probe(r + more, 0, torch.device("cpu")).mT @ svd.U.double()
    assert (leaning > -1e-6).all()  # the signs' convention


def test_weights_that_track_gradients():
    W_Q, W_K = normal(8, 3).requires_grad_(), normal(8, 3, seed=1).requires_grad_()
    svd = qk_svd(W_Q, W_K)
    assert not svd.U.requires_grad
    assert_is_svd(svd, W_Q.detach(), W_K.detach())


def test_a_wrong_fast_path_is_found_and_done_again(monkeypatch):
    W_Q, W_K = normal(3, 12, 4), normal(3, 12, 4, seed=1)
    right = qk_svd(W_Q, W_K)
    fast, slow, calls = factored_svd._by_cholesky, factored_svd._by_householder, []

    def garbage(Q, K):
        svd = fast(Q, K)
        svd.U[1] *= 1.0001  # no longer orthonormal
        svd.S[2, 1] *= 1.001  # no longer the product
        return svd

    def counted(Q, K):
        calls.append(len(Q))
        return slow(Q, K)

    monkeypatch.setattr(factored_svd, "_by_cholesky", garbage)
    monkeypatch.setattr(factored_svd, "_by_householder", counted)
    for part, expected in zip(qk_svd(W_Q, W_K), right, strict=True):
        torch.testing.assert_close(part, expected, rtol=1e-5, atol=1e-6)
    assert calls == [2]


def test_a_result_that_cannot_be_mended_is_refused(monkeypatch):
    garbage = lambda Q, K: QKSVD(Q, Q[..., 0, :], K)  # noqa: E731
    monkeypatch.setattr(factored_svd, "_by_cholesky", garbage)
    monkeypatch.setattr(factored_svd, "_by_householder", garbage)
    with refuses(ArithmeticError, 2, "W_Q", "W_K"):
        qk_svd(normal(2, 8, 3), normal(2, 8, 3, seed=1))


@pytest.mark.parametrize(
    ("W_Q", "W_K", "told"),
    [
        (torch.zeros(4), torch.zeros(4, 2), ("W_Q", (4,), "d_model", "d_head")),
        (torch.zeros(2, 4), torch.zeros(4, 2), ("W_Q", (2, 4), "d_model", "d_head")),
        (torch.zeros(4, 2), torch.zeros(4, 0), ("W_K", (4, 0))),
        (torch.zeros(4, 2).half(), torch.zeros(4, 2).half(), ("W_Q", "float16", "float32", "float64")),
        (torch.zeros(4, 2), torch.zeros(4, 2).double(), ("W_Q", "torch.float32", "W_K", "torch.float64")),
        (torch.zeros(4, 2), torch.zeros(5, 2), ("W_Q", (4, 2), "W_K", (5, 2))),
        (torch.zeros(3, 4, 2), torch.zeros(2, 4, 2), ("W_Q", (3, 4, 2), "W_K", (2, 4, 2))),
        (torch.full((4, 2), torch.nan), torch.zeros(4, 2), ("W_Q",)),
        (torch.zeros(4, 2), torch.full((4, 2), torch.inf), ("W_K",)),
    ],
)
def test_bad_weights_are_refused(W_Q, W_K, told):
    with refuses(ValueError, *told):
        qk_svd(W_Q, W_K)


@GPU
@DTYPES
def test_gpu_equals_cpu(dtype):
    W_Q, W_K = normal(5, 96, 16, dtype=dtype), normal(5, 96, 16, seed=1, dtype=dtype)
    W_Q[0, :, 4:] = 0
    on_gpu = QKSVD(*(part.cpu() for part in qk_svd(W_Q, W_K, device="cuda")))
    assert_is_svd(on_gpu, W_Q, W_K)
    torch.testing.assert_close(on_gpu.U[1:], qk_svd(W_Q, W_K).U[1:], rtol=0, atol=1e-4)


@DTYPES
def test_whitening_by_the_identity_changes_nothing(dtype):
    W_Q, W_K, eye = normal(2, 8, 3, dtype=dtype), normal(2, 8, 3, seed=1, dtype=dtype), torch.eye(8)
    for part, plain in zip(whitened_qk_svd(W_Q, W_K, eye, eye), qk_svd(W_Q, W_K), strict=True):
        torch.testing.assert_close(part, plain, rtol=1e-5, atol=1e-6)


def test_whitened_singular_vectors_give_the_features_back():
    d, T = 6, torch.tensor([5.0, 3.0, 2.0], dtype=torch.float64)
    roots, frames = [], []
    for seed in (0, 1):
        A = normal(d, d, seed=seed, dtype=torch.float64)
        eigenvalues, vectors = torch.linalg.eigh(A @ A.mT + 0.5 * torch.eye(d))
        roots.append((vectors * eigenvalues.sqrt()) @ vectors.mT)
        frames.append(torch.linalg.qr(normal(d, 3, seed=seed + 2, dtype=torch.float64)).Q)
    features = [root @ frame for root, frame in zip(roots, frames, strict=True)]  # orthonormal once whitened
    C = [root @ root for root in roots]
    W_Q, W_K = torch.linalg.solve(C[0], features[0]) * T, torch.linalg.solve(C[1], features[1])
    svd = whitened_qk_svd(W_Q, W_K, *C)
    torch.testing.assert_close(svd.S, T)
    for root, vectors, F in zip(roots, (svd.U, svd.V), features, strict=True):
        cosines = torch.cosine_similarity(root @ vectors, F, dim=0).abs()
        assert (1 - cosines).max() < 1e-12
    plain = torch.cosine_similarity(qk_svd(W_Q, W_K).U, features[0], dim=0).abs()
    assert plain.min() < 0.95  # without whitening they are not there


@pytest.mark.parametrize(
    ("C", "told"),
    [
        (torch.eye(8) + torch.ones(8, 8).triu(1), ()),
        (torch.diag(torch.tensor([1.0] * 7 + [-0.1])), ()),
        (torch.zeros(8), ((8,),)),
        (torch.eye(5), ((5, 5), (8, 3))),
        (torch.eye(8) * torch.nan, ()),
    ],
)
def test_bad_moments_are_refused(C, told):
    with refuses(ValueError, "C_query", *told):
        whitened_qk_svd(normal(8, 3), normal(8, 3, seed=1), C, torch.eye(8))
    with refuses(ValueError, "C_key", *told):
        whitened_qk_svd(normal(8, 3), normal(8, 3, seed=1), torch.eye(8), C)


def test_small_asymmetric_moments_are_seen_beside_large_ones():
    C = torch.stack([1e8 * torch.eye(8), torch.eye(8) + torch.ones(8, 8).triu(1)])
    with refuses(ValueError, "C_query"):
        whitened_qk_svd(normal(2, 8, 3), normal(2, 8, 3), C, torch.eye(8))


def test_singular_groups():
    S = torch.tensor([[9.0, 5.0, 4.995, 0.005, 0.0], [4.0, 3.0, 2.0, 1.0, 0.5], [0.0] * 5])
    assert singular_groups(S).tolist() == [[0, 1, 1, 2, 2], [0, 1, 2, 3, 4], [0] * 5]
    assert singular_groups(S[0], tolerance=0).tolist() == [0, 1, 2, 3, 4]
    with refuses(ValueError, "descend"):
        singular_groups(torch.tensor([1.0, 2.0]))
    with refuses(ValueError, "tolerance = 1.0"):
        singular_groups(S, tolerance=1.0)
    with refuses(ValueError, "singular_groups"):
        singular_groups(torch.zeros(2, 0))


def test_rotated_null_keeps_spectrum_and_span():
    svd = qk_svd(normal(2, 12, 4, dtype=torch.float64), normal(2, 12, 4, seed=1, dtype=torch.float64))
    null = rotated_null(svd, torch.Generator().manual_seed(3))
    assert torch.equal(null.S, svd.S)
    for before, after in ((svd.U, null.U), (svd.V, null.V)):
        torch.testing.assert_close(after.mT @ after, torch.eye(4, dtype=torch.float64).expand(2, 4, 4))
        torch.testing.assert_close(after @ after.mT, before @ before.mT)  # the same span
    turns = svd.U.mT @ null.U, svd.V.mT @ null.V
    assert (turns[0] - turns[1]).abs().max() > 0.1  # U and V independently
    assert (turns[0][0] - turns[0][1]).abs().max() > 0.1  # heads independently
    again = rotated_null(svd, torch.Generator().manual_seed(3))
    assert torch.equal(again.U, null.U)
    other = rotated_null(svd, torch.Generator().manual_seed(4))
    assert (other.U - null.U).abs().max() > 0.1


def test_rotations_are_uniform():
    n = 4000
    eye = torch.eye(3, dtype=torch.float64).expand(n, 3, 3)
    turns = rotated_null(QKSVD(eye, torch.ones(n, 3), eye), torch.Generator().manual_seed(0)).U
    assert turns.mean(0).abs().max() < 5 / (3 * n) ** 0.5  # without the sign fix the diagonal would lean one way
