"""The exercise of the chapter on Theorem 3 that can be marked."""

import math

from svf_helpers.chapters.kit.check import check
from svf_helpers.chapters.kit.marking import numeric
from svf_helpers.theory import TwoPairHead, theorem3_limit

__all__ = ["check"]


def _sigmoid(gap: float) -> float:
    return 1 / (1 + math.exp(-gap))


# The slopes of the cross-entropy for x and for y, at the best orthogonal pair.
_A, _B = 4 * (_sigmoid(-3) - _sigmoid(-5)), 4 * (_sigmoid(4) - _sigmoid(2))
_LIMIT = float(theorem3_limit(TwoPairHead(4.0, 3.0, gap_1=2.0, gap_2=-5.0)))

numeric(
    "theorem3-limit",
    asks="What does lambda^2 I tend to for sigma_1 = 4, sigma_2 = 3 and a teacher with gaps 2 and -5?",
    answer=_LIMIT,
    praise="interference falls with the square of lambda, and this is its constant.",
    mistakes=[
        (_A**2 + _B**2,
         "you have the squared slope of CE itself: minimise slope * t + lambda * t^2, and square that t."),
        ((_A**2 + _B**2) / 2,
         "that is the limit of lambda times the gap in CE (Theorem 3's bound), not of lambda^2 I."),
        ((_A**2 / 4, _B**2 / 4), "one of the two vectors is missing: x and y both turn."),
        (((_A + _B) ** 2 / 4, (_A - _B) ** 2 / 4),
         "the two slopes belong to different vectors: add squares, not slopes."),
        (32, "the slope of cross-entropy is a difference of probabilities, not of gaps: apply the sigmoid."),
        (_LIMIT**0.5, "that is lambda times the length: I is a sum of squares."),
        (lambda limit: limit < 0, "interference is a sum of squares, so its limit cannot be negative."),
        (lambda limit: limit < 1e-6, "interference itself goes to 0; asked is the limit of lambda^2 times it."),
    ],
    otherwise="not it: differentiate CE along u_1 (for x) and v_1 (for y) at the best orthogonal pair; its second gap "
    "is -3, the nearest to -5.",
)
