"""The exercise of the chapter on sparse attention decomposition in the toy model that can be marked."""

from svf_helpers.chapters.kit.check import check
from svf_helpers.chapters.kit.marking import numeric, outside

__all__ = ["check"]

_P, _KEYS = 0.52, 4
_SQUARE, _VARIANCE = _P / 3, _P / 3 - (_P / 2) ** 2  # of one strength
_PRODUCT = _SQUARE**2 - (_P / 2) ** 4  # the variance of x y
_RIGHT = (_SQUARE * _VARIANCE * (_KEYS - 1) / _KEYS / _PRODUCT) ** 0.5

numeric(
    "sad-toy-alone",
    asks="p = .52 and 4 keys: what is the correlation of x (y_1 - mean of the other keys' y) with x y_1?",
    answer=_RIGHT,
    praise="it is what the plain product of strengths can explain at best.",
    tolerance=0.012,  # a simulation with some ten thousand draws will do
    apart=5e-3,
    mistakes=[
        (outside(-1, 1), "a correlation lies between -1 and 1."),
        (_RIGHT**2, "that is the share of variance explained, the square of a correlation."),
        ((_SQUARE * _VARIANCE / _PRODUCT) ** 0.5,
         "the mean over the other keys varies too: its variance is missing."),
        (((_KEYS - 1) / _KEYS) ** 0.5, "that would be right for strengths with mean 0; here x y has a mean."),
        ((_SQUARE * _VARIANCE * _KEYS / (_KEYS + 1) / _PRODUCT) ** 0.5, "how many other keys are there?"),
    ],
    otherwise="not it: start from the covariance, and use that x and all y are independent.",
)
