"""Checkers of the exercises in the chapters on notation and on the toy model."""

from __future__ import annotations

from svf_helpers.chapters.kit.marking import checker, number, number_hint, same


@checker(
    "notation-chance",
    asks="How large is the best |cos| of one feature with ten orthonormal vectors in ten dimensions, at least?",
    expects=number(),
    praise="squared cosines with an orthonormal basis sum to 1, and the largest is at least their mean.",
)
def notation_chance(answer: float) -> str | None:
    right = 10**-0.5
    if same(answer, right, 0.015):
        return None
    if abs(answer) > 1:
        return "a cosine lies between -1 and 1."
    if answer == 0:
        return "it cannot be 0: a basis of the whole space leaves no direction out."
    if same(answer, 0.1):
        return "that is the mean of the squared cosines; asked is a cosine."
    return number_hint(answer, right, 0.015) or "not it: what do the squared cosines with an orthonormal basis sum to?"
