"""Every number in the prose of book/superposition.md, as its reader sees it."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from svf_helpers.chapters.kit.toy_runs import stored_dictionaries
from svf_helpers.experiments import Result
from svf_helpers.features import anisotropy, antipodal_pairs

RARE, DEFAULT = 0.14, 0.52  # the two feature probabilities that the figures compare


def numbers(
    stored: Result,
    losses: Mapping[int, float],
    lengths: Float[Tensor, " A"],
    landscapes: Mapping[float, Float[Tensor, "A A"]],
) -> dict[str, str]:
    """The chapter's numbers by the names under which its text asks for them.

    ``stored`` is the result "superposition"; ``losses`` the reconstruction loss of a dictionary with nine pairs and of
    one with ten, by the number of pairs; ``landscapes`` the error of two features on one line at every two signed
    ``lengths``, at p = .14 and at p = .52.
    """
    rare, default = (stored_dictionaries(stored, p) for p in (RARE, DEFAULT))
    ten, nine = ([len(antipodal_pairs(W)) for W in dictionaries] for dictionaries in (rare, default))
    short, long = _left_over(default[nine.index(9)])
    return {
        "label": stored.label(),
        "seeds": str(len(default)),
        "ten-at-14": str(ten.count(10)),
        "ten-at-52": str(nine.count(10)),
        "nine-at-52": str(nine.count(9)),
        "e-ten": f"{anisotropy(rare[0]):.3f}",
        "e-nine": f"{anisotropy(default[0]):.2f}",
        "long": f"{long:.2f}",
        "short": f"{short:.2f}",
        "excess": f"{100 * (losses[9] / losses[10] - 1):.0f} per cent",
    } | _on_a_line(lengths, landscapes)


def local_minima(landscape: Float[Tensor, "A B"]) -> list[tuple[int, int]]:
    """Rows and columns of the points that no neighbour undercuts, diagonal neighbours included; the border left out.

    >>> squares = torch.linspace(-2, 2, 5) ** 2
    >>> local_minima(squares[:, None] + squares)
    [(2, 2)]
    """
    lowest = -torch.nn.functional.max_pool2d(-landscape[None], 3, 1, 1)[0]
    inside = torch.zeros_like(landscape, dtype=torch.bool)
    inside[1:-1, 1:-1] = True
    return [(row, column) for row, column in ((landscape == lowest) & inside).nonzero().tolist()]


def _left_over(W: Float[Tensor, "d n"]) -> list[float]:
    """Lengths of the two features without a partner in a dictionary with nine pairs, the shorter one first."""
    paired = {feature for pair in antipodal_pairs(W) for feature in pair}
    return sorted(W.norm(dim=0)[[k for k in range(W.shape[1]) if k not in paired]].tolist())


def _on_a_line(lengths: Float[Tensor, " A"], landscapes: Mapping[float, Float[Tensor, "A A"]]) -> dict[str, str]:
    """Errors at the best and the worst local minimum, and the best on the same side as a multiple of the antipodal."""
    minima = [float(landscapes[DEFAULT][spot]) for spot in local_minima(landscapes[DEFAULT])]
    same_side = torch.outer(lengths, lengths) > 0
    ratio = {p: float(error[same_side].min() / error.min()) for p, error in landscapes.items()}
    return {
        "line-antipodal": f"{min(minima):.3f}",
        "line-same": f"{max(minima):.3f}",
        "ratio-rare": f"{ratio[RARE]:.1f}",
        "ratio-default": f"{ratio[DEFAULT]:.1f}",
    }
