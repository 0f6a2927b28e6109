"""The exercises of the chapter on RoPE that can be marked."""

import math
from collections.abc import Callable

import torch

from svf_helpers.chapters.kit.check import check
from svf_helpers.chapters.kit.marking import numeric, same

__all__ = ["check"]

_THETA = 10000 ** (-2 / 10)  # the frequency of band 1 for r = 10
_ANGLE = math.atan(2 * math.sqrt(24 * 6) / (24 + 6) * math.tan(0.1)) / 2

numeric(
    "rope-peak",
    asks="Target 15 cos(theta_1 (Delta - 8)), r = 10, alone in band 1: which singular value has the un-rotated matrix?",
    answer=15 * math.cos(8 * _THETA),
    praise="the un-rotated matrix is the one at offset 0, and this pair peaks elsewhere.",
    tolerance=0.01,
    apart=5e-3,
    mistakes=[
        (15, "that is its size at the offset where the target peaks (or an angle read as degrees)."),
        (15 * abs(math.cos(8)), "you have used the frequency of band 0."),
        (15 * abs(math.cos(8 * 10000 ** (-4 / 10))), "you have used the frequency of band 2."),
        (15 * abs(math.sin(8 * _THETA)), "that is with a sine: what is the target at offset 0?"),
        (lambda value: same(value, -15 * math.cos(8 * _THETA), 0.01),
         "singular values are not negative: the sign goes to a vector."),
        (lambda value: value < 0, "singular values are not negative."),
    ],
    otherwise="not it: which offset does the un-rotated matrix belong to?",
)


def _sizes(size: float) -> Callable[[torch.Tensor], bool]:
    """True of pairs of angles that both have this size, whatever their signs."""
    return lambda pair: same(pair.abs(), size, 0.01)


numeric(
    "rope-shared",
    asks="Targets 24 and 6 share a plane that is turned by 0.1: by which angles, in size, do u_1 and v_1 turn?",
    answer=torch.full((2,), _ANGLE, dtype=torch.float64),
    praise="one side turns one way, the other the other way, by less than half of the angle.",
    tolerance=0.01,
    mistakes=[
        (_sizes(_ANGLE), "give sizes: angles without a sign."),
        (lambda pair: any(same(float(x.abs()), _ANGLE, 0.01) for x in pair),
         "one of the two is right: how does the problem change when queries and keys swap roles?"),
        (_sizes(0.1), "the plane turns by that; singular vectors turn by less."),
        (_sizes(0.05), "half of the plane's angle: so it would be for equal targets."),
        (_sizes(2 * _ANGLE), "that is twice the angle: the formula is for tan of the double angle."),
        (_sizes(math.degrees(_ANGLE)), "that is in degrees; asked is radians."),
    ],
    otherwise="not yet: write the two-by-two matrix M and look at M M^T.",
)
