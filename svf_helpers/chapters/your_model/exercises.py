"""The exercise of the chapter on a model of the reader's own that can be marked."""

import math

from svf_helpers.chapters.kit.check import check
from svf_helpers.chapters.kit.marking import numeric

__all__ = ["check"]

_ATTENTION, _KEYS = 0.3, 21
_ODDS = _ATTENTION / (1 - _ATTENTION)

numeric(
    "your-model-least",
    asks="a head gives one of 21 keys an attention of 0.3: what is the least that its relative attention can be?",
    answer=math.log(_ODDS * (_KEYS - 1)),
    praise="other keys that are alike are the cheapest to beat; any spread among them asks for more.",
    tolerance=3e-3,
    mistakes=[
        (math.log(_ODDS), "that is the log odds of this key against all others together; compare with their mean."),
        (math.log(_ODDS * _KEYS), "how many *other* keys are there?"),
        (math.log(_ATTENTION * _KEYS), "that compares with uniform attention, not with the other keys' logits."),
        (math.log(_ATTENTION * (_KEYS - 1)), "the other keys do not get all of the attention between them."),
        (_ODDS * (_KEYS - 1), "logits are logarithms of that."),
        ((math.log2(_ODDS * (_KEYS - 1)), math.log10(_ODDS * (_KEYS - 1))), "logits go with natural logarithms."),
        (0, "attention above uniform makes it positive; how far?"),
        (1 / (1 + (_KEYS - 1) * math.exp(-_ATTENTION)), "attention and relative attention have changed places."),
        (lambda value: value < 0, "this key has more than uniform attention: can its relative attention be negative?"),
    ],
    otherwise="not it: for which logits of the other keys is it least?",
)
