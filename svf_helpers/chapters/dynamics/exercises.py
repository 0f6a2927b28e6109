"""The exercises of the chapter on training dynamics that can be marked."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from svf_helpers.chapters.kit.answers import tensor
from svf_helpers.chapters.kit.check import check
from svf_helpers.chapters.kit.marking import checker, numeric, outside
from svf_helpers.features import unit

__all__ = ["check", "locking_shares"]

_TWICE = math.atan(2 * 0.03 / 0.04)  # twice the angle by which u_1 turns

numeric(
    "dynamics-angle",
    asks="Overlaps of .03 on both sides, singular values 4 % apart: what is |cos(u_1, f_1)|?",
    answer=math.cos(_TWICE / 2),
    praise="a small overlap turns a vector far where singular values are close.",
    tolerance=0.015,  # the formula holds to first order: the numerical SVD differs in the second digit
    apart=5e-3,
    mistakes=[
        (math.cos(_TWICE), "that is the cosine of twice the angle."),
        (_TWICE / 2, "that is the angle; asked is its cosine."),
        (math.degrees(_TWICE / 2), "that is the angle in degrees; asked is its cosine."),
        (math.sin(_TWICE / 2), "that is the sine: the vector's share along the other feature."),
        (math.cos(math.atan(0.03 / 0.04) / 2), "both sides overlap: the two overlaps add up."),
        (math.cos(math.atan(2 * 0.03 / 4) / 2), "4 % is a share of the singular value, .04."),
        (outside(-1, 1), "a cosine lies between -1 and 1."),
    ],
    otherwise="not it: tan(2 theta) is the sum of the overlaps over the gap.",
)


@checker(
    "dynamics-order",
    asks="Find four targets from 24 down to 15 for which the first vector is the one that locks most often.",
    expects=tensor(4),
    praise="the first vector leads.",
)
def dynamics_order(answer: Float[Tensor, " 4"]) -> str | None:
    if answer[0] != 24 or answer[-1] != 15:
        return "the first target must be 24 and the last 15."
    if (answer.diff() >= 0).any():
        return "targets must fall from each to the next."
    share = locking_shares(answer)
    if share[0] > share[1:].max() + 0.02:  # far above the error of counting
        return None
    leader = int(share.argmax())
    if leader == 0:
        return "the first vector leads by too little to be sure: make its advantage larger."
    return f"here vector {leader + 1} locks more often than the first: which gap, in proportion, holds the first back?"


def locking_shares(targets: Float[Tensor, " 4"], trials: int = 4000) -> Float[Tensor, " 4"]:
    """Share of dictionaries with random overlaps of size .08 in which each vector has |cos| > .9 on both sides.

    Example:
        >>> bool((locking_shares(torch.tensor([8.0, 4.0, 2.0, 1.0]), trials=200) > 0.9).all())  # wide gaps: all lock
        True
    """
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(2, trials, 4, 4, generator=generator, dtype=torch.float64)
    f, g = unit(torch.eye(4, dtype=torch.float64) + 0.08 * noise)
    U, _, Vh = torch.linalg.svd(torch.linalg.inv(f).mT @ torch.diag(targets.double()) @ torch.linalg.inv(g))
    both = torch.minimum((U * f).sum(-2).abs(), (Vh.mT * g).sum(-2).abs())
    return (both > 0.9).double().mean(0)
