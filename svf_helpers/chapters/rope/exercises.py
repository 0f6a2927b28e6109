"""Checkers of the exercises in the chapter on RoPE."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from svf_helpers.chapters.kit.marking import checker, number, number_hint, same, tensor, tensor_hint


@checker(
    "rope-peak",
    asks="Target 15 cos(theta_1 (Delta - 8)), r = 10, alone in band 1: which singular value has the un-rotated matrix?",
    expects=number(),
    praise="the un-rotated matrix is the one at offset 0, and this pair peaks elsewhere.",
)
def rope_peak(answer: float) -> str | None:
    theta = 10000 ** (-2 / 10)
    right = 15 * math.cos(8 * theta)
    if same(answer, right, 0.01):
        return None
    mistakes = [
        (15.0, "that is its size at the offset where the target peaks (or an angle read as degrees)."),
        (15 * abs(math.cos(8.0)), "you have used the frequency of band 0."),
        (15 * abs(math.cos(8 * 10000 ** (-4 / 10))), "you have used the frequency of band 2."),
        (15 * abs(math.sin(8 * theta)), "that is with a sine: what is the target at offset 0?"),
    ]
    for wrong, hint in mistakes:
        if same(answer, wrong, 5e-3):
            return hint
    if same(answer, -right, 0.01):
        return "singular values are not negative: the sign goes to a vector."
    if answer < 0:
        return "singular values are not negative."
    return number_hint(answer, right, 0.01) or "not it: which offset does the un-rotated matrix belong to?"


@checker(
    "rope-shared",
    asks="Targets 24 and 6 share a plane that is turned by 0.1: by which angles, in size, do u_1 and v_1 turn?",
    expects=tensor(2),
    praise="one side turns one way, the other the other way, by less than half of the angle.",
)
def rope_shared(answer: Float[Tensor, " 2"]) -> str | None:
    angle = math.atan(2 * math.sqrt(24 * 6) / (24 + 6) * math.tan(0.1)) / 2
    right = torch.full((2,), angle, dtype=torch.float64)
    close = [same(abs(float(value)), angle, 0.01) for value in answer]
    if all(close):
        return None if (answer >= 0).all() else "give sizes: angles without a sign."
    if close[0] != close[1]:
        return "one of the two is right: how does the problem change when queries and keys swap roles?"
    for wrong, hint in (
        (0.1, "the plane turns by that; singular vectors turn by less."),
        (0.05, "half of the plane's angle: so it would be for equal targets."),
        (2 * angle, "that is twice the angle: the formula is for tan of the double angle."),
        (math.degrees(angle), "that is in degrees; asked is radians."),
    ):
        if all(same(float(value), wrong, 0.01) for value in answer):
            return hint
    return tensor_hint(answer, right, 0.01) or "not yet: write the two-by-two matrix M and look at M M^T."
