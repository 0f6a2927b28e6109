"""Checkers of the exercises in the chapters on notation and on the toy model."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ..features import unit
from .marking import checker, number, number_hint, same, tensor, tensor_hint


@checker(
    "notation-chance",
    asks="How large is the best |cos| of one feature with ten orthonormal vectors in ten dimensions, at least?",
    expects=number(),
    praise="squared cosines with an orthonormal basis sum to 1, and the largest is at least their mean.",
)
def notation_chance(answer: float) -> str | None:
    right = 10**-0.5
    if same(answer, right, 0.015):
        return None
    if abs(answer) > 1:
        return "a cosine lies between -1 and 1."
    if answer == 0:
        return "it cannot be 0: a basis of the whole space leaves no direction out."
    if same(answer, 0.1):
        return "that is the mean of the squared cosines; asked is a cosine."
    return number_hint(answer, right, 0.015) or "not it: what do the squared cosines with an orthonormal basis sum to?"


@checker(
    "superposition-forget",
    asks="Above which p is dropping half of the features cheaper than ten antipodal pairs?",
    expects=number(),
    praise="there both cost the same.",
)
def superposition_forget(answer: float) -> str | None:
    right = 4 / 7
    if same(answer, right, 5e-3):
        return None
    if same(answer, 4.0):
        return "check the sign of the term in p squared."
    if answer == 0:
        return "at p = 0 nothing is ever there and both cost nothing: look for the other crossing."
    hint = number_hint(answer, right, 5e-3)
    if not hint and not 0 < answer <= 1:
        return "p is a probability: a number between 0 and 1."
    return hint or "not it: set the two expected errors equal and divide by p."


@checker(
    "one-pair-same-key",
    asks="Which |cos| does u_1 make with features 0 and 1, if both call for one key feature and stay orthonormal?",
    expects=number(),
    praise="the singular vector lies half-way between the two.",
)
def one_pair_same_key(answer: float) -> str | None:
    right = 2**-0.5
    if same(answer, right, 5e-3):
        return None
    if same(answer, 45.0):
        return "that is the angle in degrees; asked is its cosine."
    if abs(answer) > 1:
        return "a cosine lies between -1 and 1."
    if same(answer, 1.0):
        return "it cannot lie along both: they are orthogonal."
    if answer == 0:
        return "u_1 is a mixture of the two features, so it is orthogonal to neither."
    return number_hint(answer, right, 5e-3) or "not it: scale f_0 + f_1 to length 1 first."


@checker(
    "one-pair-angle",
    asks="Two unit features at an angle of 30 degrees, target t: what are |cos(u_1, f_1)| and sigma_1 / t?",
    expects=tensor(2),
    praise="the closer the features, the larger the price.",
)
def one_pair_angle(answer: Float[Tensor, " 2"]) -> str | None:
    right = torch.tensor([0.5, 4.0], dtype=torch.float64)
    cos_right, sigma_right = (same(float(x), float(y), 5e-3) for x, y in zip(answer, right, strict=True))
    if cos_right and sigma_right:
        return None
    if same(float(answer[0]), 3**0.5 / 2, 5e-3):
        return "first number: that is the cosine between the features; u_1 is orthogonal to the other feature."
    if cos_right and same(float(answer[1]), 2.0, 5e-3):
        return "second number: both detectors are long, and sigma_1 has both lengths in it."
    if not cos_right and not 0 <= answer[0] <= 1:
        return "first number: |cos| lies between 0 and 1."
    if not cos_right and sigma_right:
        return "the second number is right, the first is not: the detector of f_1 is orthogonal to f_2."
    if cos_right:
        return "the first number is right, the second is not: how long is a detector?"
    return tensor_hint(answer, right, 5e-3) or "not yet either: the detector of f_1 is orthogonal to f_2."


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


@checker(
    "dynamics-angle",
    asks="Overlaps of .03 on both sides, singular values 4 % apart: what is |cos(u_1, f_1)|?",
    expects=number(),
    praise="a small overlap turns a vector far where singular values are close.",
)
def dynamics_angle(answer: float) -> str | None:
    twice = math.atan(2 * 0.03 / 0.04)
    right = math.cos(twice / 2)
    if same(answer, right, 0.015):  # the formula holds to first order: the numerical SVD differs in the second digit
        return None
    mistakes = [
        (math.cos(twice), "that is the cosine of twice the angle."),
        (twice / 2, "that is the angle; asked is its cosine."),
        (math.degrees(twice / 2), "that is the angle in degrees; asked is its cosine."),
        (math.sin(twice / 2), "that is the sine: the vector's share along the other feature."),
        (math.cos(math.atan(0.03 / 0.04) / 2), "both sides overlap: the two overlaps add up."),
        (math.cos(math.atan(2 * 0.03 / 4) / 2), "4 % is a share of the singular value, .04."),
    ]
    for wrong, hint in mistakes:
        if same(answer, wrong, 5e-3):
            return hint
    if abs(answer) > 1:
        return "a cosine lies between -1 and 1."
    return number_hint(answer, right, 5e-3) or "not it: tan(2 theta) is the sum of the overlaps over the gap."


@checker(
    "dynamics-order",
    asks="Find four targets from 24 down to 15 for which the first vector is the one that locks most often.",
    expects=tensor(4),
    praise="the first vector leads.",
)
def dynamics_order(answer: Float[Tensor, " 4"]) -> str | None:
    if answer[0] != 24 or answer[-1] != 15:
        return "the first target must be 24 and the last 15."
    if (answer.diff() >= 0).any():
        return "targets must fall from each to the next."
    share = locking_shares(answer)
    if share[0] > share[1:].max() + 0.02:  # far above the error of counting
        return None
    leader = int(share.argmax())
    if leader == 0:
        return "the first vector leads by too little to be sure: make its advantage larger."
    return f"here vector {leader + 1} locks more often than the first: which gap, in proportion, holds the first back?"


def locking_shares(targets: Float[Tensor, " 4"], s: float = 0.08, trials: int = 4000) -> Float[Tensor, " 4"]:
    """Share of dictionaries with random overlaps of size s in which each vector has |cos| > .9 on both sides."""
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(2, trials, 4, 4, generator=generator, dtype=torch.float64)
    f, g = unit(torch.eye(4, dtype=torch.float64) + s * noise)
    U, _, Vh = torch.linalg.svd(torch.linalg.inv(f).mT @ torch.diag(targets.double()) @ torch.linalg.inv(g))
    both = torch.minimum((U * f).sum(-2).abs(), (Vh.mT * g).sum(-2).abs())
    return (both > 0.9).double().mean(0)
