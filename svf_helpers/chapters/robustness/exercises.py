"""The exercise of the chapter on robustness that can be marked."""

from svf_helpers.chapters.kit.check import check
from svf_helpers.chapters.kit.marking import numeric, outside

__all__ = ["check"]

_P, _KEYS = 0.0384, 4
_ABSENT = (1 - _P) ** _KEYS

numeric(
    "robustness-context",
    asks="p = .0384, four keys: which share of all contexts has f_0 in the query and f_4 in at least one key?",
    answer=_P * (1 - _ABSENT),
    praise="fewer than one context in a hundred has anything to say about this pair.",
    tolerance=0.01,
    apart=1e-3,
    mistakes=[
        (_P, "that is the share of queries that hold f_0; a key has to hold f_4 as well."),
        (_P**2, "that is the share for a single key; a query has four of them."),
        (_KEYS * _P**2, "that is the mean number of such keys: a context with two of them counts twice."),
        (1 - _ABSENT, "that is the share of contexts with f_4 in a key, whatever the query holds."),
        (_P * _ABSENT, "that is the share with f_0 in the query and f_4 in none of the keys."),
        (_P * _KEYS * _P * (1 - _P) ** (_KEYS - 1), "that is exactly one key with f_4; two or more count too."),
        (_P**2 * (1 - _P) ** (_KEYS - 1), "which of the four keys it is does not matter: any of them will do."),
        (1 - (1 - _P**2) ** _KEYS, "the four keys share one query: whether it holds f_0 is decided once."),
        (outside(0, 1), "a share lies between 0 and 1."),
    ],
    otherwise="not it: multiply the chance of the query by that of at least one key.",
)
