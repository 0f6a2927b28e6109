"""The checker of the exercise in the chapter beyond capacity."""

from __future__ import annotations

from svf_helpers.chapters.kit.marking import checker, number, number_hint, same


def merger_cost(a: float, b: float, omega: float) -> float:
    """Least squared error of targets a >= b > 0 on one vector, where wrong logits count omega times."""
    return omega * (2 * a * b - omega * (a * a + b * b)) / (1 - omega * omega) if omega < b / a else b * b


@checker(
    "beyond-capacity-cheapest",
    asks="Targets 20, 16 and 8 on two vectors, wrong logits count a quarter: what is the least cost?",
    expects=number(),
    praise="the two lowest share, and that is cheaper than dropping one.",
)
def beyond_capacity_cheapest(answer: float) -> str | None:
    right = merger_cost(16, 8, 0.25)
    if same(answer, right):
        return None
    mistakes = [
        (64.0, "that is the cost of dropping the lowest pair; at this omega sharing is cheaper."),
        (merger_cost(20, 8, 0.25), "that merges the highest with the lowest; another merger is cheaper."),
        (merger_cost(20, 16, 0.25), "that is the dearest merger: the cost grows with both targets."),
        (0.5 * 128 - 0.0625 * 320, "you left out the denominator."),
        (0.25 * 128, "that is omega times the product of two targets; but P and R are not the targets."),
    ]
    for wrong, hint in mistakes:
        if same(answer, wrong):
            return hint
    if answer <= 0:
        return "the cost is a sum of squares, and it cannot be 0: three pairs do not fit on two vectors."
    return number_hint(answer, right) or "not it: which two pairs are merged, and what does the formula give for them?"
