"""Checkers of the exercises in the chapters on notation and on the toy model."""

from __future__ import annotations

from svf_helpers.chapters.kit.marking import checker, number, number_hint, same


@checker(
    "superposition-forget",
    asks="Above which p is dropping half of the features cheaper than ten antipodal pairs?",
    expects=number(),
    praise="there both cost the same.",
)
def superposition_forget(answer: float) -> str | None:
    right = 4 / 7
    if same(answer, right, 5e-3):
        return None
    if same(answer, 4.0):
        return "check the sign of the term in p squared."
    if answer == 0:
        return "at p = 0 nothing is ever there and both cost nothing: look for the other crossing."
    hint = number_hint(answer, right, 5e-3)
    if not hint and not 0 < answer <= 1:
        return "p is a probability: a number between 0 and 1."
    return hint or "not it: set the two expected errors equal and divide by p."
