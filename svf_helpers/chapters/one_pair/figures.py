"""Figures of the chapter on one pair: which features stand side by side, the Gram matrix turned, two spectra."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from svf_helpers.chapters.kit.figures import draw_spectrum
from svf_helpers.chapters.kit.style import house_style, new_figure
from svf_helpers.chapters.one_pair.numbers import DROPPED, PAIR
from svf_helpers.features import antipodal_pairs, gram, unit


def partners_together(W: Float[Tensor, "d n"]) -> list[int]:
    """An order of features for a heat map: the pair of interest, antipodal partners side by side, then the rest.

    Dropped features, whose directions mean nothing, are left out, so that
    :func:`svf_helpers.chapters.kit.figures.cosine_heatmap` puts them last.

    >>> W = torch.tensor([[1.0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [0, 0, 1, 0.01, 0.9, -0.8]])
    >>> partners_together(W)  # feature 3 is dropped; feature 5 is opposite to 2 and to 4
    [0, 1, 2, 5, 4]
    """
    kept = W.norm(dim=0) > DROPPED
    partners = [i for partners in antipodal_pairs(W * kept) for i in partners]
    return list(dict.fromkeys([*PAIR, *partners, *kept.nonzero().flatten().tolist()]))


def turned_gram(W: Float[Tensor, "d n"]) -> Float[Tensor, "d d"]:
    """The Gram matrix in axes of which the first two are features 0 and 1, and the others what the rest fills most.

    These are orthonormal axes if the two features are orthogonal to each other and to all others.

    >>> W = torch.tensor([[0.0, 0, 0, 3], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 2, 0]])
    >>> turned_gram(W).diagonal()
    tensor([1., 4., 9., 4.])
    """
    two = W[:, PAIR]
    rest = torch.linalg.eigh(gram(W) - gram(two)).eigenvectors[:, 2:]
    turn = torch.cat([unit(two), rest.flip(1)], 1)
    return turn.T @ gram(W) @ turn


def spectra(singular_values: Mapping[str, Float[Tensor, " r"]], targets: Sequence[float]) -> Figure:
    """Several spectra (title -> singular values, descending) side by side on one scale, with the same target logits."""
    with house_style():
        figure, axes = new_figure(1, len(singular_values), 2.8, sharey=True)
        for axis, (title, values) in zip(axes[0], singular_values.items(), strict=True):
            draw_spectrum(axis, values, targets)
            axis.set_title(title)
    return figure
