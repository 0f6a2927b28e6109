"""The exercise of the chapter on Theorem 1 that can be marked."""

from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from svf_helpers.chapters.kit.answers import tensor
from svf_helpers.chapters.kit.check import check
from svf_helpers.chapters.kit.marking import GENERAL, Mistake, checker, parallel, recognise
from svf_helpers.qk import matrix_sqrt
from svf_helpers.theory import feature_detector

__all__ = ["MISTAKES", "check"]

_F = torch.tensor([[1, 0.6, 0], [0, 0.8, 1]], dtype=torch.float64)
_C = _F @ _F.mT
_RIGHT = feature_detector(_F, 0)
MISTAKES: list[Mistake] = [
    (lambda u: len(u) == 3,
     "that is one number for each feature: W^T W is features x features, but C = F F^T is d x d."),
    (lambda u: len(u) != 2, lambda u: f"expected two numbers, a direction in the plane of the features; got {len(u)}."),
    (lambda u: not u.any(), "all entries are 0: that is no direction."),
    (_F[:, 0], "that is the feature itself; it would be right for a tight frame, which this dictionary is not."),
    (_C @ _F[:, 0], "multiplied by C: the theorem has the inverse."),
    (torch.linalg.solve(matrix_sqrt(_C), _F[:, 0]),
     "the inverse square root is half-way: the theorem has the full inverse."),
    (matrix_sqrt(_C) @ _F[:, 0], "that is the square root of C, and not its inverse, times the feature."),
    ((feature_detector(_F, 1), feature_detector(_F, 2)),
     "that is the detector of another feature: they are numbered from 0."),
    (lambda u: parallel(u, _RIGHT, 1e-3), GENERAL["close"]),
    (lambda u: True, "test it: C u must point along f_0."),
]


@checker(
    "theorem1-detector",
    asks="Which direction does Theorem 1 give u for feature 0, if the query features are F = [[1, .6, 0], [0, .8, 1]]?",
    expects=tensor(None),
    praise="C u points along feature 0.",
)
def theorem1_detector(answer: Float[Tensor, " d"]) -> str | None:
    if len(answer) == 2 and parallel(answer, _RIGHT):
        return None
    return recognise(answer, MISTAKES, partial(parallel, tolerance=1e-5))
