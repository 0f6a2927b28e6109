"""Checkers of the exercises in the chapters on the theorems and on anisotropy."""

from __future__ import annotations

import torch

from svf_helpers.chapters.kit.marking import (
    checker,
    number,
    number_hint,
    same,
)
from svf_helpers.theory import (
    TwoPairHead,
    theorem3_limit,
)


@checker(
    "theorem3-limit",
    asks="What does lambda^2 I tend to for sigma_1 = 4, sigma_2 = 3 and a teacher with gaps 2 and -5?",
    expects=number(),
    praise="interference falls with the square of lambda, and this is its constant.",
)
def theorem3_constant(answer: float) -> str | None:
    right = float(theorem3_limit(TwoPairHead(4.0, 3.0, gap_1=2.0, gap_2=-5.0)))
    if same(answer, right):
        return None
    s = lambda gap: float(torch.sigmoid(torch.tensor(gap, dtype=torch.float64)))  # noqa: E731
    a, b = 4 * (s(-3.0) - s(-5.0)), 4 * (s(4.0) - s(2.0))
    mistakes = [
        (a**2 + b**2, "you have the squared slope of CE itself: minimise slope * t + lambda * t^2, and square that t."),
        ((a**2 + b**2) / 2, "that is the limit of lambda times the gap in CE (Theorem 3's bound), not of lambda^2 I."),
        (a**2 / 4, "one of the two vectors is missing: x and y both turn."),
        (b**2 / 4, "one of the two vectors is missing: x and y both turn."),
        ((a + b) ** 2 / 4, "the two slopes belong to different vectors: add squares, not slopes."),
        ((a - b) ** 2 / 4, "the two slopes belong to different vectors: add squares, not slopes."),
        (32.0, "the slope of cross-entropy is a difference of probabilities, not of gaps: apply the sigmoid."),
        (right**0.5, "that is lambda times the length: I is a sum of squares."),
    ]
    for wrong, hint in mistakes:
        if same(answer, wrong):
            return hint
    if answer < 0:
        return "interference is a sum of squares, so its limit cannot be negative."
    if answer < 1e-6:
        return "interference itself goes to 0; asked is the limit of lambda^2 times it."
    return number_hint(answer, right) or (
        "not it: differentiate CE along u_1 (for x) and v_1 (for y) at the best orthogonal pair; its second gap is -3, "
        "the nearest to -5."
    )
