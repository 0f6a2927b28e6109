"""Checkers of the exercises in the chapter on robustness."""

from __future__ import annotations

from svf_helpers.chapters.kit.marking import checker, number, number_hint, same

_P, _KEYS = 0.0384, 4


@checker(
    "robustness-context",
    asks="p = .0384, four keys: which share of all contexts has f_0 in the query and f_4 in at least one key?",
    expects=number(),
    praise="fewer than one context in a hundred has anything to say about this pair.",
)
def robustness_context(answer: float) -> str | None:
    absent = (1 - _P) ** _KEYS
    right = _P * (1 - absent)
    if same(answer, right, 0.01):
        return None
    mistakes = [
        (_P, "that is the share of queries that hold f_0; a key has to hold f_4 as well."),
        (_P**2, "that is the share for a single key; a query has four of them."),
        (_KEYS * _P**2, "that is the mean number of such keys: a context with two of them counts twice."),
        (1 - absent, "that is the share of contexts with f_4 in a key, whatever the query holds."),
        (_P * absent, "that is the share with f_0 in the query and f_4 in none of the keys."),
        (_P * _KEYS * _P * (1 - _P) ** (_KEYS - 1), "that is exactly one key with f_4; two or more count too."),
        (_P**2 * (1 - _P) ** (_KEYS - 1), "which of the four keys it is does not matter: any of them will do."),
        (1 - (1 - _P**2) ** _KEYS, "the four keys share one query: whether it holds f_0 is decided once."),
    ]
    for wrong, hint in mistakes:
        if same(answer, wrong, 1e-3):
            return hint
    if not 0 <= answer <= 1:
        return "a share lies between 0 and 1."
    return number_hint(answer, right, 0.01) or "not it: multiply the chance of the query by that of at least one key."
