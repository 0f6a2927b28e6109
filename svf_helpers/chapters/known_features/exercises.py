"""Checker of the exercise in the chapter on known features."""

from __future__ import annotations

from svf_helpers.chapters.kit.marking import checker, number, number_hint, same

# Twelve comparisons; p-values .001, .003, .0046, .0049, .02 and seven above .2: Holm's procedure at .05.
_P = (0.001, 0.003, 0.0046, 0.0049, 0.02)
_OF = 12
_HELD = next(k for k, p in enumerate(_P) if p > 0.05 / (_OF - k))


@checker(
    "known-holm",
    asks="twelve comparisons with p = .001, .003, .0046, .0049, .02 and seven above .2: how many does Holm's procedure "
    "at .05 keep?",
    expects=number(),
    praise="Bonferroni would keep two of them; the third and fourth pass because fewer are left by then.",
)
def known_holm(answer: float) -> str | None:
    if same(answer, _HELD, 1e-9):
        return None
    mistakes = [
        (sum(p <= 0.05 for p in _P), "that is what holds with no correction at all."),
        (sum(p <= 0.05 / _OF for p in _P), "that is Bonferroni's: after each one that is kept, one fewer is left."),
        (0, "the smallest p-value is compared with .05/12."),
        (_OF, "seven of them are above .2."),
    ]
    for wrong, hint in mistakes:
        if same(answer, wrong, 1e-9):
            return hint
    if answer != int(answer):
        return "a count is a whole number."
    return number_hint(answer, _HELD, 1e-9) or "not it: compare the k-th smallest p-value with .05/(13 − k) and stop."
