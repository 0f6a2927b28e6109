"""Checkers of the exercises in the chapters on the theorems and on anisotropy."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from svf_helpers.chapters.kit.marking import (
    checker,
    parallel,
    tensor,
)
from svf_helpers.qk import matrix_sqrt
from svf_helpers.theory import (
    feature_detector,
)


@checker(
    "theorem1-detector",
    asks="Which direction does Theorem 1 give u for feature 0, if the query features are F = [[1, .6, 0], [0, .8, 1]]?",
    expects=tensor(None),
    praise="C u points along feature 0.",
)
def theorem1_detector(answer: Float[Tensor, " d"]) -> str | None:
    F = torch.tensor([[1, 0.6, 0], [0, 0.8, 1]], dtype=torch.float64)
    C = F @ F.mT
    if len(answer) == F.shape[1]:
        return "that is one number for each feature: W^T W is features x features, but C = F F^T is d x d."
    if len(answer) != F.shape[0]:
        return f"expected two numbers, a direction in the plane of the features; got {len(answer)}."
    if not answer.any():
        return "all entries are 0: that is no direction."
    right, f = feature_detector(F, 0), F[:, 0]
    root = matrix_sqrt(C)
    mistakes = [
        (f, "that is the feature itself; it would be right for a tight frame, which this dictionary is not."),
        (C @ f, "multiplied by C: the theorem has the inverse."),
        (torch.linalg.solve(root, f), "the inverse square root is half-way: the theorem has the full inverse."),
        (root @ f, "that is the square root of C, and not its inverse, times the feature."),
        (feature_detector(F, 1), "that is the detector of another feature: they are numbered from 0."),
        (feature_detector(F, 2), "that is the detector of another feature: they are numbered from 0."),
    ]
    if parallel(answer, right):
        return None
    for wrong, hint in mistakes:
        if parallel(answer, wrong, 1e-5):
            return hint
    if parallel(answer, right, 1e-3):
        return "close, but not close enough: keep more digits."
    return "test it: C u must point along f_0."
