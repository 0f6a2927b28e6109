"""Checker of the exercise in the chapter on sparse attention decomposition in the toy model."""

from __future__ import annotations

from svf_helpers.chapters.kit.marking import checker, number, number_hint, same

P, C = 0.52, 4
_SQUARE, _VARIANCE = P / 3, P / 3 - (P / 2) ** 2  # of one strength
_PRODUCT = _SQUARE**2 - (P / 2) ** 4  # the variance of x y


@checker(
    "sad-toy-alone",
    asks="p = .52 and 4 keys: what is the correlation of x (y_1 - mean of the other keys' y) with x y_1?",
    expects=number(),
    praise="it is what the plain product of strengths can explain at best.",
)
def sad_toy_alone(answer: float) -> str | None:
    right = (_SQUARE * _VARIANCE * (C - 1) / C / _PRODUCT) ** 0.5
    if same(answer, right, 0.012):  # a simulation with some ten thousand draws will do
        return None
    if abs(answer) > 1:
        return "a correlation lies between -1 and 1."
    mistakes = [
        (right**2, "that is the share of variance explained, the square of a correlation."),
        ((_SQUARE * _VARIANCE / _PRODUCT) ** 0.5, "the mean over the other keys varies too: its variance is missing."),
        (((C - 1) / C) ** 0.5, "that would be right for strengths with mean 0; here x y has a mean."),
        ((_SQUARE * _VARIANCE * C / (C + 1) / _PRODUCT) ** 0.5, "how many other keys are there?"),
    ]
    for wrong, hint in mistakes:
        if same(answer, wrong, 5e-3):
            return hint
    hint = "not it: start from the covariance, and use that x and all y are independent."
    return number_hint(answer, right, 0.012) or hint
