"""Dictionaries and how evenly they fill space."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from svf_helpers.features import (
    anisotropy,
    antipodal_pairs,
    cosines,
    distorted_dictionary,
    feature_cosines,
    gram,
    isotropic_dictionary,
    unit,
)
from tests.draws import normal
from tests.refusals import refuses


def test_golden_values():
    W = torch.tensor([[3.0, 0.0, -1.0], [4.0, 0.0, 0.0]])
    torch.testing.assert_close(gram(W), torch.tensor([[10.0, 12.0], [12.0, 16.0]]))
    torch.testing.assert_close(unit(W), torch.tensor([[0.6, 0.0, -1.0], [0.8, 0.0, 0.0]]))
    torch.testing.assert_close(
        feature_cosines(W), torch.tensor([[1.0, 0.0, -0.6], [0.0, 0.0, 0.0], [-0.6, 0.0, 1.0]])
    )
    # eigenvalues 13 +- sqrt(9 + 144), their mean 13
    assert anisotropy(W) == pytest.approx(math.sqrt(153) / 13)
    assert anisotropy(torch.ones(4, 3)) == pytest.approx(3)  # all on one line: d - 1


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 12), st.floats(-150, 150))
def test_anisotropy_ignores_scale_and_rotation(seed, d, n, exponent):
    W = normal(d, n, seed=seed)
    turn = torch.linalg.qr(normal(d, d, seed=seed + 1)).Q
    value = anisotropy(W)
    assert 0 <= value <= d - 1 + 1e-9
    assert anisotropy(W * 10**exponent) == pytest.approx(value, abs=1e-9)
    assert anisotropy(turn @ W) == pytest.approx(value, abs=1e-9)
    assert anisotropy(W[:, torch.randperm(n, generator=torch.Generator().manual_seed(seed))]) == pytest.approx(value)


@pytest.mark.parametrize("scale", [1e-30, 1e-20, 1.0, 1e25])
def test_cosines_ignore_scale_even_where_squares_leave_the_range(scale):
    W = normal(4, 6).float()
    torch.testing.assert_close(feature_cosines(W * scale), feature_cosines(W), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("n", "d"), [(20, 10), (8, 2), (12, 6), (20, 12)])
def test_isotropic_dictionary_is_a_tight_frame(n, d):
    W = isotropic_dictionary(n, d, d - 2)
    assert W.shape == (d, n)
    torch.testing.assert_close(gram(W), torch.eye(d, dtype=torch.float64), rtol=0, atol=1e-14)
    assert anisotropy(W) < 1e-14
    assert len(antipodal_pairs(W)) == (n - d + 2) // 2
    torch.testing.assert_close(torch.linalg.vector_norm(W[:, : d - 2], dim=0), torch.ones(d - 2, dtype=torch.float64))


@pytest.mark.parametrize(("n", "d", "interest"), [(20, 10, 7), (19, 10, 8), (10, 10, 8), (19, 1, -1), (6, 10, 8)])
def test_impossible_isotropic_dictionaries_are_refused(n, d, interest):
    with refuses(ValueError, f"n = {n}, d = {d}, interest = {interest}"):
        isotropic_dictionary(n, d, interest)


@pytest.mark.parametrize("delta", [0.0, 0.1, 1.0, 50.0])
def test_distortion_is_delta(delta):
    v = normal(10, seed=3)
    W = distorted_dictionary(isotropic_dictionary(), delta, 7 * v)
    excess = gram(W) - torch.eye(10, dtype=torch.float64)
    assert torch.linalg.matrix_norm(excess, 2).item() == pytest.approx(delta, abs=1e-12)
    u = v / v.norm()
    torch.testing.assert_close(excess, delta * torch.outer(u, u))
    assert anisotropy(W) == pytest.approx(delta * 9 / (10 + delta), abs=1e-12)  # scaled by the mean eigenvalue


def test_antipodal_pairs():
    W = torch.tensor([[1.0, 0.0, -2.0, 0.1], [0.0, 1.0, 0.1, -1.0]])
    assert antipodal_pairs(W) == [(0, 2), (1, 3)]
    assert antipodal_pairs(W, threshold=-0.997) == [(0, 2)]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: anisotropy(torch.zeros(3, 4)), ("W", 0)),
        (lambda: anisotropy(torch.full((3, 4), torch.nan)), ("W", "finite")),
        (lambda: anisotropy(torch.ones(2, 3, 4)), ("W", (2, 3, 4))),
        (lambda: antipodal_pairs(torch.ones(2, 3, 4)), ("W", (2, 3, 4))),
        (lambda: antipodal_pairs(torch.ones(3, 4), threshold=0.5), ("threshold = 0.5",)),
        (lambda: distorted_dictionary(torch.eye(3), -1.0, torch.ones(3)), ("delta = -1.0",)),
        (lambda: distorted_dictionary(torch.eye(3), math.nan, torch.ones(3)), ("delta = nan",)),
        (lambda: distorted_dictionary(torch.eye(3), 1.0, torch.zeros(3)), ("v", "length", 0)),
        (lambda: distorted_dictionary(torch.eye(3), 1.0, torch.ones(4)), ("v", (4,), [3])),
    ],
)
def test_bad_input_is_refused(call, told):
    with refuses(ValueError, *told):
        call()


def test_cosines_of_two_sets_of_vectors():
    A, B = normal(2, 5, 3), normal(2, 5, 4, seed=1)
    A[0, :, 1] = 0
    expected = torch.nn.functional.cosine_similarity(A[..., :, None], B[..., None, :], dim=-3)
    torch.testing.assert_close(cosines(A, B), expected)
    assert not cosines(A, B)[0, 1].any()
    assert not torch.allclose(cosines(A, B), cosines(A, B).abs())  # signs are kept
