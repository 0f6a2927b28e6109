"""The exercise of the chapter beyond capacity that can be marked."""

from svf_helpers.chapters.kit.check import check
from svf_helpers.chapters.kit.marking import numeric

__all__ = ["check", "merger_cost"]


def merger_cost(a: float, b: float, omega: float) -> float:
    """Least squared error of targets a >= b > 0 on one vector, where wrong logits count omega times.

    Example:
        >>> merger_cost(16, 8, 0.5), merger_cost(16, 8, 0)  # from omega = b / a on, the lower pair is dropped
        (64, 0.0)
    """
    return omega * (2 * a * b - omega * (a * a + b * b)) / (1 - omega * omega) if omega < b / a else b * b


numeric(
    "beyond-capacity-cheapest",
    asks="Targets 20, 16 and 8 on two vectors, wrong logits count a quarter: what is the least cost?",
    answer=merger_cost(16, 8, 0.25),
    praise="the two lowest share, and that is cheaper than dropping one.",
    mistakes=[
        (64, "that is the cost of dropping the lowest pair; at this omega sharing is cheaper."),
        (merger_cost(20, 8, 0.25), "that merges the highest with the lowest; another merger is cheaper."),
        (merger_cost(20, 16, 0.25), "that is the dearest merger: the cost grows with both targets."),
        (0.5 * 128 - 0.0625 * 320, "you left out the denominator."),
        (0.25 * 128, "that is omega times the product of two targets; but P and R are not the targets."),
        (lambda cost: cost <= 0,
         "the cost is a sum of squares, and it cannot be 0: three pairs do not fit on two vectors."),
    ],
    otherwise="not it: which two pairs are merged, and what does the formula give for them?",
)
