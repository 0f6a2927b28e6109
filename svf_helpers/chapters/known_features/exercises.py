"""The exercise of the chapter on known features that can be marked."""

from svf_helpers.chapters.kit.check import check
from svf_helpers.chapters.kit.marking import not_whole, numeric

__all__ = ["check"]

# Twelve comparisons; p-values .001, .003, .0046, .0049, .02 and seven above .2: Holm's procedure at .05.
_P = (0.001, 0.003, 0.0046, 0.0049, 0.02)
_OF = 12

numeric(
    "known-holm",
    asks="twelve comparisons with p = .001, .003, .0046, .0049, .02 and seven above .2: how many does Holm's procedure "
    "at .05 keep?",
    answer=next(k for k, p in enumerate(_P) if p > 0.05 / (_OF - k)),
    praise="Bonferroni would keep two of them; the third and fourth pass because fewer are left by then.",
    tolerance=1e-9,
    mistakes=[
        (sum(p <= 0.05 for p in _P), "that is what holds with no correction at all."),
        (sum(p <= 0.05 / _OF for p in _P), "that is Bonferroni's: after each one that is kept, one fewer is left."),
        (0, "the smallest p-value is compared with .05/12."),
        (_OF, "seven of them are above .2."),
        (not_whole, "a count is a whole number."),
    ],
    otherwise="not it: compare the k-th smallest p-value with .05/(13 − k) and stop.",
)
