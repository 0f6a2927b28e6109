"""What the figures of the chapter on one pair show."""

import pytest
import torch

from svf_helpers.chapters.one_pair.figures import partners_together, spectra, turned_gram
from svf_helpers.experiments import load
from svf_helpers.features import gram, unit


def test_partners_stand_side_by_side_and_dropped_features_are_left_out():
    axes = torch.eye(4)
    W = torch.stack([axes[0], axes[1], axes[2], axes[3], -axes[3], 0.05 * axes[0], -axes[2], axes[2] + axes[3]], 1)
    assert partners_together(W) == [0, 1, 2, 6, 3, 4, 7]


def test_the_pair_of_interest_leads_even_where_it_has_a_partner():
    W = torch.stack([torch.eye(2)[0], -torch.eye(2)[0], torch.eye(2)[1]], 1)
    assert partners_together(W) == [0, 1, 2]


def test_turning_keeps_the_spectrum_and_puts_the_pair_first():
    stored = load("one-pair")
    W = torch.tensor(stored["W"][int(((stored["p"] == 0.14) & (stored["seed"] == 1)).argmax())])
    turned = turned_gram(W)
    assert torch.allclose(torch.linalg.eigvalsh(turned), torch.linalg.eigvalsh(gram(W)), atol=1e-2)
    for k in (0, 1):
        assert turned[k, k] == pytest.approx(float(unit(W)[:, k] @ gram(W) @ unit(W)[:, k]), abs=1e-5)
        assert turned[k].abs().sum() - turned[k, k].abs() < 0.1
    rest = turned.diagonal()[2:]
    assert (rest[:-1] >= rest[1:] - 1e-3).all()


def test_spectra_share_their_scale():
    figure = spectra({"plain": torch.tensor([2.0, 1.0]), "seen": torch.tensor([1.0, 0.0])}, targets=[1.0])
    left, right = figure.axes
    assert [[bar.get_height() for bar in axis.patches] for axis in (left, right)] == [[2, 1], [1, 0]]
    assert left.get_ylim() == right.get_ylim()
