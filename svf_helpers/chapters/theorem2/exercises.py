"""The exercise of the chapter on Theorem 2 that can be marked."""

import torch
from jaxtyping import Float
from torch import Tensor

from svf_helpers.chapters.kit.answers import tensor
from svf_helpers.chapters.kit.check import check
from svf_helpers.chapters.kit.marking import checker, same
from svf_helpers.theory import alignment_cosine, condition_number, sharp_bound

__all__ = ["check"]


@checker(
    "theorem2-worst",
    asks="Build a dictionary with cond(C) = 9 on which feature 0 attains the sharp bound, unit features as columns.",
    expects=tensor(None, None),
    praise="the bound is attained: no dictionary with this condition number does worse.",
)
def theorem2_worst(answer: Float[Tensor, "d n"]) -> str | None:
    asked = 9.0
    worst = float(sharp_bound(asked))
    d, n = answer.shape
    if d < 2 or n < 1:
        return f"got shape {(d, n)}: the features must have at least two dimensions."
    if n < d:
        return "fewer features than dimensions: C has no inverse (are features columns?)."
    unit_columns, unit_rows = (((answer.norm(dim=k) - 1).abs() < 1e-6).all() for k in (0, 1))
    if not unit_columns:
        if unit_rows:
            return "features are columns, and here the rows have length 1: transpose."
        return "not all columns have length 1."
    kappa = float(condition_number(answer))  # on the span of the features: whether that is all of space is asked apart
    if torch.linalg.matrix_rank(answer) < d:
        return "C is singular: the features do not span the space."
    if same(kappa, asked**2, 1e-4):
        return "that is the condition number of F; C's is its square."
    if not same(kappa, asked, 1e-4):
        return f"your C has condition number {kappa:.6g}, asked is {asked:.0f}."
    attained = [abs(float(alignment_cosine(answer, k)) - worst) < 1e-4 for k in range(n)]
    if attained[0]:
        return None
    if any(attained):
        return "a feature attains the bound, but not feature 0: change their order."
    return "the condition number is right, but feature 0 is not the worst direction: which mixture of e_1 and e_d is?"
