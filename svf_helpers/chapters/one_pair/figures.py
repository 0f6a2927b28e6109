"""Figures of the chapter on one pair: which features stand side by side, the Gram matrix turned, two spectra."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from svf_helpers.chapters.kit.figures import spectrum
from svf_helpers.chapters.kit.style import house_style, new_figure
from svf_helpers.features import antipodal_pairs, gram, unit


def partners_together(
    W: Float[Tensor, "d n"], pair: tuple[int, int] = (0, 1), shortest: float = 0.1
) -> list[int]:
    """An order of features for a heat map: the pair of interest, antipodal partners side by side, then the rest.

    Features of length ``shortest`` or less are dropped ones, whose directions mean nothing. They are left out, so that
    :func:`svf_helpers.chapters.kit.figures.cosine_heatmap` puts them last.

    Example:
        >>> W = torch.tensor([[1.0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [0, 0, 1, 0.01, 0.9, -0.8]])
        >>> partners_together(W)  # feature 3 is dropped; feature 5 is opposite to 2 and to 4
        [0, 1, 2, 5, 4]
    """
    kept = W.norm(dim=0) > shortest
    partners = [i for partners in antipodal_pairs(W * kept) for i in partners if i not in pair]
    others = [i for i in range(W.shape[1]) if kept[i] and i not in pair and i not in partners]
    return [*pair, *dict.fromkeys(partners), *others]


def turned_gram(W: Float[Tensor, "d n"]) -> Float[Tensor, "d d"]:
    """The Gram matrix in axes of which the first two are features 0 and 1, and the others what the rest fills most.

    These are orthonormal axes if the two features are orthogonal to each other and to all others.

    Raises:
        ValueError: if space has fewer than three dimensions, so that nothing is left for the others.

    Example:
        >>> W = torch.tensor([[0.0, 0, 0, 3], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 2, 0]])
        >>> turned_gram(W).diagonal()
        tensor([1., 4., 9., 4.])
    """
    if W.shape[0] < 3:
        raise ValueError(f"W has shape {tuple(W.shape)}: beside features 0 and 1 a third dimension is needed")
    two = W[:, :2]
    rest = torch.linalg.eigh(gram(W) - gram(two)).eigenvectors[:, 2:]
    turn = torch.cat([unit(two), rest.flip(1)], 1)
    return turn.T @ gram(W) @ turn


def spectra(singular_values: Mapping[str, Float[Tensor, " r"]], targets: Sequence[float]) -> Figure:
    """Several spectra side by side on one scale, each with the target logits as diamonds.

    Args:
        singular_values: title of a panel -> its singular values, descending.
        targets: target logits, the same in each panel.

    Raises:
        ValueError: where :func:`svf_helpers.chapters.kit.figures.spectrum` refuses one of them, or there is none.

    Example:
        >>> figure = spectra({"before": torch.tensor([3.0, 2.0]), "after": torch.tensor([1.0, 0.0])}, targets=[1.0])
        >>> [axis.get_title() for axis in figure.axes]
        ['before', 'after']
    """
    if not singular_values:
        raise ValueError("singular_values: at least one named spectrum is needed")
    with house_style():
        figure, axes = new_figure(1, len(singular_values), 2.8, sharey=True)
        for axis, (title, values) in zip(axes[0], singular_values.items(), strict=True):
            spectrum(values, targets, axis=axis)
            axis.set_title(title)
    return figure
