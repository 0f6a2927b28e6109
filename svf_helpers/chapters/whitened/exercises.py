"""Checker of the exercise in the chapter on the whitened basis."""

from __future__ import annotations

from svf_helpers.chapters.kit.marking import checker, number, number_hint, same

# One QK matrix diag(3, 2); queries with second moment diag(1, 16), keys with covariance diag(1, 1/4).
_PLAIN, _WHITE = (3.0, 2.0), (3.0, 2.0 * 4.0 * 0.5)
_KEPT = max(_WHITE) ** 2 / sum(value**2 for value in _WHITE)


@checker(
    "whitened-share",
    asks="QK matrix diag(3, 2), E[qqᵀ] = diag(1, 16), cov(k) = diag(1, 1/4): which share of the mean squared relative "
    "score does the best single term keep?",
    expects=number(),
    praise="and it is not the term with the larger plain singular value.",
)
def whitened_share(answer: float) -> str | None:
    if same(answer, _KEPT, 2e-3):
        return None
    if not 0 <= answer <= 1:
        return "a share lies between 0 and 1."
    share = lambda a, b: a**2 / (a**2 + b**2)  # noqa: E731
    mistakes = [
        (1 - _KEPT, "that is what the other term keeps (or what is lost)."),
        (share(*_PLAIN), "those are the plain singular values: how long queries and keys are is not in them."),
        (share(2 * 16 * 0.25, 3), "whiten with the root of each second moment (and both sides: the keys, too)."),
        (4 / 7, "squares: a mean squared score is a sum of squared singular values."),
        (share(2 * 0.5, 3), "the queries' second moment is missing."),
    ]
    for wrong, hint in mistakes:
        if same(answer, wrong, 2e-3):
            return hint
    return number_hint(answer, _KEPT, 2e-3) or "not it: write the whitened matrix down; it is diagonal."
