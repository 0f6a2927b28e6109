"""The exercise of the chapter on GPT-2's heads that can be marked."""

from svf_helpers.chapters.kit.check import check
from svf_helpers.chapters.kit.marking import not_whole, numeric

__all__ = ["check"]

numeric(
    "sad-gpt2-count",
    asks="terms 5, 4, 2, 2, -1, -1, -2 and nine more of +0.01 each: what is N_sv?",
    answer=3,
    praise="two terms fall short by 0.09, three reach past the sum, and ten positive ones are left over.",
    tolerance=1e-9,
    mistakes=[
        (0, "the sum is positive, so something can be counted."),
        (1, "how large is the sum, and how large is the largest term?"),
        (4, "that counts the terms of some size above zero; not all of them are needed."),
        (13, "that counts all positive terms."),
        (16, "that counts all terms."),
        (2, "the two largest sum to 9. What do all sixteen sum to, the nine small ones included?"),
        (6, "that is how many carry 90 % of the sizes."),
        (not_whole, "a count is a whole number."),
    ],
    otherwise="not it: first add up all sixteen terms, signs and all.",
)
