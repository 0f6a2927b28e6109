"""The exercises of the chapter on several pairs that can be marked."""

import torch

from svf_helpers.chapters.kit.check import check
from svf_helpers.chapters.kit.marking import numeric

__all__ = ["check"]

numeric(
    "many-pairs-bill",
    asks="Two pairs with targets 24 and 18 share a vector: which sigma makes the squared error of the logits least?",
    answer=(24 + 18) / 4,
    praise="each of the four combinations pays its part.",
    mistakes=[
        ((24 + 18) / 2, "that is the mean of the two targets: the two combinations whose target is 0 count too."),
        ((24 + 18, (24 - 18) / 4, (24 - 18) / 2), "look at the signs of the four logits, and take the mean over all "
                                                  "four."),
        ((24 * 18) ** 0.5, "that is the geometric mean; the squared error asks for an ordinary one."),
    ],
    otherwise="not it: write down the four logits and the four targets, and differentiate.",
)

numeric(
    "many-pairs-capacity",
    asks="How many pairs fit, d = r = 50: if all features differ, if they may serve on both sides, and if then r = 10?",
    answer=torch.tensor([25, 50, 10], dtype=torch.float64),
    praise="dimensions, sides and rank each set a limit.",
    tolerance=0,
    mistakes=[
        (lambda counts: bool((counts != counts.round()).any() or (counts < 0).any()),
         "pairs are counted in whole numbers from 0."),
        (lambda counts: counts[0] != 25,
         "first number: one dictionary serves queries and keys, and each pair takes two of its features."),
        (lambda counts: counts[1] != 50, "second number: each side has room for an orthonormal basis."),
        (lambda counts: counts[2] != 10, "third number: what is the rank of the QK matrix?"),
    ],
)
