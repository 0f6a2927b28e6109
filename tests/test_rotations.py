"""The one draw of random rotations: Haar-uniform, and the same numbers for the same seed wherever it is used."""

import torch

from svf_helpers.attention import null_terms
from svf_helpers.qk import QKSVD, rotated_null
from svf_helpers.rotations import random_rotations


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_they_are_rotations_and_prefer_no_direction():
    R = random_rotations(5_000, 3, seeded())
    torch.testing.assert_close(R.mT @ R, torch.eye(3).double().expand(5_000, 3, 3), rtol=0, atol=1e-12)
    # Without the signs of R's diagonal QR leans: the first column would point away from the first axis.
    assert R.mean(0).abs().max() < 0.04
    torch.testing.assert_close(R.square().mean(0), torch.full((3, 3), 1 / 3).double(), rtol=0, atol=0.02)
    torch.testing.assert_close(R.pow(4).mean(0), torch.full((3, 3), 1 / 5).double(), rtol=0, atol=0.02)
    assert abs((torch.linalg.det(R) > 0).double().mean() - 0.5) < 0.04  # reflections as often as not


def test_a_seed_gives_these_numbers_in_any_shape():
    flat, shaped = random_rotations(6, 4, seeded()), random_rotations((2, 3), 4, seeded())
    assert torch.equal(flat.reshape(2, 3, 4, 4), shaped)
    gaussian = torch.randn(6, 4, 4, generator=seeded(), dtype=torch.float64)
    torch.testing.assert_close((flat.mT @ gaussian).tril(-1), torch.zeros(6, 4, 4).double(), rtol=0, atol=1e-12)


def test_nulls_are_made_of_them():
    S = torch.tensor([[3.0, 2.0, 1.0], [5.0, 1.0, 0.0]]).double()
    axes = torch.eye(3).double().expand(2, 3, 3)
    turns = random_rotations((2, 2), 3, seeded())
    null = rotated_null(QKSVD(axes, S, axes), seeded())
    assert torch.equal(torch.stack([null.U, null.V]), turns)
    x, y = torch.randn(2, 2, 3, generator=seeded(1)).double()
    turn_x, turn_y = random_rotations((2, 1, 2), 3, seeded())[:, 0]
    expected = (x[:, None] @ turn_x)[:, 0] * S * (y[:, None] @ turn_y)[:, 0]
    torch.testing.assert_close(null_terms(x, S, y, generator=seeded())[0], expected)


def test_a_default_dtype_or_device_changes_nothing():
    expected = random_rotations(2, 3, seeded())
    torch.set_default_device("meta")
    torch.set_default_dtype(torch.float16)
    try:
        found = random_rotations(2, 3, seeded())
    finally:
        torch.set_default_device(None)
        torch.set_default_dtype(torch.float32)
    assert torch.equal(found, expected)
