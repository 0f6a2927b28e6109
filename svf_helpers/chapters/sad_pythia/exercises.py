"""The exercise of the chapter on attention along training that can be marked."""

from svf_helpers.chapters.kit.check import check
from svf_helpers.chapters.kit.marking import not_whole, numeric

__all__ = ["check"]

_M, _SHARE = 64, 0.75

numeric(
    "sad-pythia-flat",
    asks="64 terms of one size, and relative attention is 3/4 of the sum of the sizes: what is N_sv?",
    answer=_SHARE * _M,
    praise="a flat head needs that share of its terms, however many of them are negative.",
    mistakes=[
        (not_whole, "N_sv counts terms: a whole number."),
        ((1 + _SHARE) / 2 * _M, "so many terms are positive, but not all of those are needed."),
        ((1 - _SHARE) / 2 * _M, "so many terms are negative."),
        ((1 - _SHARE) * _M, "that is what is lost by cancelling."),
        (_M, "that would take all terms, the negative ones too."),
        (1, "one term is only one size high."),
    ],
    otherwise="not it: how high is the sum, counted in sizes of one term?",
)
