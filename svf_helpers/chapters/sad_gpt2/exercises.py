"""Checker of the exercise in the chapter on counts of terms."""

from __future__ import annotations

from svf_helpers.chapters.kit.marking import checker, number, number_hint, same


@checker(
    "sad-gpt2-count",
    asks="terms 5, 4, 2, 2, -1, -1, -2 and nine more of +0.01 each: what is N_sv?",
    expects=number(),
    praise="two terms fall short by 0.09, three reach past the sum, and ten positive ones are left over.",
)
def sad_gpt2_count(answer: float) -> str | None:
    if same(answer, 3, 1e-9):
        return None
    mistakes = [
        (0, "the sum is positive, so something can be counted."),
        (1, "how large is the sum, and how large is the largest term?"),
        (4, "that counts the terms of some size above zero; not all of them are needed."),
        (13, "that counts all positive terms."),
        (16, "that counts all terms."),
        (2, "the two largest sum to 9. What do all sixteen sum to, the nine small ones included?"),
        (6, "that is how many carry 90 % of the sizes."),
    ]
    for wrong, hint in mistakes:
        if same(answer, wrong, 1e-9):
            return hint
    if answer != int(answer):
        return "a count is a whole number."
    return number_hint(answer, 3, 1e-9) or "not it: first add up all sixteen terms, signs and all."
