"""Checkers of the exercises in the chapters on notation and on the toy model."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from svf_helpers.chapters.kit.marking import checker, number, number_hint, same, tensor


@checker(
    "many-pairs-bill",
    asks="Two pairs with targets 24 and 18 share a vector: which sigma makes the squared error of the logits least?",
    expects=number(),
    praise="each of the four combinations pays its part.",
)
def many_pairs_bill(answer: float) -> str | None:
    right = (24 + 18) / 4
    if same(answer, right):
        return None
    if same(answer, (24 + 18) / 2):
        return "that is the mean of the two targets: the two combinations whose target is 0 count too."
    if same(answer, 24 + 18) or same(answer, (24 - 18) / 4) or same(answer, (24 - 18) / 2):
        return "look at the signs of the four logits, and take the mean over all four."
    if same(answer, (24 * 18) ** 0.5):
        return "that is the geometric mean; the squared error asks for an ordinary one."
    return number_hint(answer, right) or "not it: write down the four logits and the four targets, and differentiate."


@checker(
    "many-pairs-capacity",
    asks="How many pairs fit, d = r = 50: if all features differ, if they may serve on both sides, and if then r = 10?",
    expects=tensor(3),
    praise="dimensions, sides and rank each set a limit.",
)
def many_pairs_capacity(answer: Float[Tensor, " 3"]) -> str | None:
    right = torch.tensor([25, 50, 10], dtype=torch.float64)
    wrong = (answer != right).tolist()
    if not any(wrong):
        return None
    if (answer != answer.round()).any() or (answer < 0).any():
        return "pairs are counted in whole numbers from 0."
    hints = [
        "first number: one dictionary serves queries and keys, and each pair takes two of its features.",
        "second number: each side has room for an orthonormal basis.",
        "third number: what is the rank of the QK matrix?",
    ]
    return hints[wrong.index(True)]
