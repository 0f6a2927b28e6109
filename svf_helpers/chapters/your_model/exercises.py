"""Checker of the exercise in the chapter on a model of the reader's own."""

from __future__ import annotations

import math

from svf_helpers.chapters.kit.marking import checker, number, number_hint, same

ATTENTION, KEYS = 0.3, 21


@checker(
    "your-model-least",
    asks="a head gives one of 21 keys an attention of 0.3: what is the least that its relative attention can be?",
    expects=number(),
    praise="other keys that are alike are the cheapest to beat; any spread among them asks for more.",
)
def your_model_least(answer: float) -> str | None:
    odds = ATTENTION / (1 - ATTENTION)
    right = math.log(odds * (KEYS - 1))
    if same(answer, right, 3e-3):
        return None
    mistakes = {
        math.log(odds): "that is the log odds of this key against all others together; compare with their mean.",
        math.log(odds * KEYS): "how many *other* keys are there?",
        math.log(ATTENTION * KEYS): "that compares with uniform attention, not with the other keys' logits.",
        math.log(ATTENTION * (KEYS - 1)): "the other keys do not get all of the attention between them.",
        odds * (KEYS - 1): "logits are logarithms of that.",
        math.log2(odds * (KEYS - 1)): "logits go with natural logarithms.",
        math.log10(odds * (KEYS - 1)): "logits go with natural logarithms.",
        0.0: "attention above uniform makes it positive; how far?",
        1 / (1 + (KEYS - 1) * math.exp(-ATTENTION)): "attention and relative attention have changed places.",
    }
    for wrong, hint in mistakes.items():
        if same(answer, wrong, 3e-3):
            return hint
    if answer < 0:
        return "this key has more than uniform attention: can its relative attention be negative?"
    return number_hint(answer, right) or "not it: for which logits of the other keys is it least?"
