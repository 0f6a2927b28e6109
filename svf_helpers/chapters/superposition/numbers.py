"""Every number in the prose of book/superposition.md, as its reader sees it."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from svf_helpers.chapters.superposition.landscape import local_minima
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

    Args:
        stored: the result "superposition".
        losses: reconstruction loss of a dictionary with nine pairs and of one with ten, by the number of pairs.
        lengths: signed lengths of two features on one line.
        landscapes: their error at every two lengths, at p = .14 and at p = .52.

    Example:
        >>> from svf_helpers.experiments import load
        >>> lengths = torch.linspace(-1.5, 1.5, 7)
        >>> valley = (torch.outer(lengths, lengths) + 1).abs() + 0.1  # 0.1 where the lengths are opposite, 1 and -1
        >>> found = numbers(load("superposition"), {9: 0.02, 10: 0.016}, lengths, {0.14: valley, 0.52: valley})
        >>> found["ten-at-14"], found["excess"]
        ('10', '25 per cent')
    """
    return (
        {"label": stored.label()}
        | _pair_counts(stored)
        | _evenness(stored)
        | _the_two_left_over(stored)
        | _cost(losses)
        | _on_a_line(lengths, landscapes)
    )


def _dictionaries(stored: Result, p: float) -> list[Float[Tensor, "d n"]]:
    return [torch.tensor(W) for W in stored["W"][stored["p"] == p]]


def _pair_counts(stored: Result) -> dict[str, str]:
    """How many seeds there are, and how many of them end with nine or ten antipodal pairs."""
    rare, default = ([len(antipodal_pairs(W)) for W in _dictionaries(stored, p)] for p in (RARE, DEFAULT))
    return {
        "seeds": str(len(default)),
        "ten-at-14": str(rare.count(10)),
        "ten-at-52": str(default.count(10)),
        "nine-at-52": str(default.count(9)),
    }


def _evenness(stored: Result) -> dict[str, str]:
    """The norm of E of the two dictionaries whose Gram matrices are shown."""
    ten, nine = (anisotropy(_dictionaries(stored, p)[0]) for p in (RARE, DEFAULT))
    return {"e-ten": f"{ten:.3f}", "e-nine": f"{nine:.2f}"}


def _the_two_left_over(stored: Result) -> dict[str, str]:
    """Lengths of the two features without a partner, in the first seed with nine pairs."""
    W = next(W for W in _dictionaries(stored, DEFAULT) if len(antipodal_pairs(W)) == 9)
    paired = {feature for pair in antipodal_pairs(W) for feature in pair}
    short, long = sorted(W.norm(dim=0)[[k for k in range(W.shape[1]) if k not in paired]].tolist())
    return {"long": f"{long:.2f}", "short": f"{short:.2f}"}


def _cost(losses: Mapping[int, float]) -> dict[str, str]:
    """By how much nine pairs are worse than ten."""
    return {"excess": f"{100 * (losses[9] / losses[10] - 1):.0f} per cent"}


def _on_a_line(lengths: Float[Tensor, " A"], landscapes: Mapping[float, Float[Tensor, "A A"]]) -> dict[str, str]:
    """Errors at the best and the worst local minimum, and the best on the same side as a multiple of the antipodal."""
    default = landscapes[DEFAULT]
    minima = [default[spot] for spot in local_minima(default)]
    same_side = torch.outer(lengths, lengths) > 0
    ratio = {p: float(error[same_side].min() / error.min()) for p, error in landscapes.items()}
    return {
        "line-antipodal": f"{min(minima):.3f}",
        "line-same": f"{max(minima):.3f}",
        "ratio-rare": f"{ratio[RARE]:.1f}",
        "ratio-default": f"{ratio[DEFAULT]:.1f}",
    }
