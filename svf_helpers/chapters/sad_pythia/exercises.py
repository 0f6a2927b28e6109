"""Checker of the exercise in the chapter on attention along the training of a language model."""

from __future__ import annotations

from svf_helpers.chapters.kit.marking import checker, number, number_hint, same

M, SHARE = 64, 0.75


@checker(
    "sad-pythia-flat",
    asks="64 terms of one size, and relative attention is 3/4 of the sum of the sizes: what is N_sv?",
    expects=number(),
    praise="a flat head needs that share of its terms, however many of them are negative.",
)
def sad_pythia_flat(answer: float) -> str | None:
    right = SHARE * M
    if same(answer, right):
        return None
    if answer != int(answer):
        return "N_sv counts terms: a whole number."
    mistakes = {
        (1 + SHARE) / 2 * M: "so many terms are positive, but not all of those are needed.",
        (1 - SHARE) / 2 * M: "so many terms are negative.",
        (1 - SHARE) * M: "that is what is lost by cancelling.",
        M: "that would take all terms, the negative ones too.",
        1: "one term is only one size high.",
    }
    for wrong, hint in mistakes.items():
        if answer == wrong:
            return hint
    return number_hint(answer, right) or "not it: how high is the sum, counted in sizes of one term?"
