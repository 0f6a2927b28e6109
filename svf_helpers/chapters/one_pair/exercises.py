"""Checkers of the exercises in the chapters on notation and on the toy model."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from svf_helpers.chapters.kit.marking import checker, number, number_hint, same, tensor, tensor_hint


@checker(
    "one-pair-same-key",
    asks="Which |cos| does u_1 make with features 0 and 1, if both call for one key feature and stay orthonormal?",
    expects=number(),
    praise="the singular vector lies half-way between the two.",
)
def one_pair_same_key(answer: float) -> str | None:
    right = 2**-0.5
    if same(answer, right, 5e-3):
        return None
    if same(answer, 45.0):
        return "that is the angle in degrees; asked is its cosine."
    if abs(answer) > 1:
        return "a cosine lies between -1 and 1."
    if same(answer, 1.0):
        return "it cannot lie along both: they are orthogonal."
    if answer == 0:
        return "u_1 is a mixture of the two features, so it is orthogonal to neither."
    return number_hint(answer, right, 5e-3) or "not it: scale f_0 + f_1 to length 1 first."


@checker(
    "one-pair-angle",
    asks="Two unit features at an angle of 30 degrees, target t: what are |cos(u_1, f_1)| and sigma_1 / t?",
    expects=tensor(2),
    praise="the closer the features, the larger the price.",
)
def one_pair_angle(answer: Float[Tensor, " 2"]) -> str | None:
    right = torch.tensor([0.5, 4.0], dtype=torch.float64)
    cos_right, sigma_right = (same(float(x), float(y), 5e-3) for x, y in zip(answer, right, strict=True))
    if cos_right and sigma_right:
        return None
    if same(float(answer[0]), 3**0.5 / 2, 5e-3):
        return "first number: that is the cosine between the features; u_1 is orthogonal to the other feature."
    if cos_right and same(float(answer[1]), 2.0, 5e-3):
        return "second number: both detectors are long, and sigma_1 has both lengths in it."
    if not cos_right and not 0 <= answer[0] <= 1:
        return "first number: |cos| lies between 0 and 1."
    if not cos_right and sigma_right:
        return "the second number is right, the first is not: the detector of f_1 is orthogonal to f_2."
    if cos_right:
        return "the first number is right, the second is not: how long is a detector?"
    return tensor_hint(answer, right, 5e-3) or "not yet either: the detector of f_1 is orthogonal to f_2."
