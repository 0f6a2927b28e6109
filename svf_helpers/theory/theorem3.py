r"""Theorem 3: under a fixed head, interference between features is bounded, and vanishes as lambda grows (paper, B.3).

The head is $\Omega = \sigma_1 u_1 v_1^\top + \sigma_2 u_2 v_2^\top$. The first pair is aligned, $f_1 = u_1$ and
$g_1 = v_1$; the second, unit vectors $x = f_2$ and $y = g_2$, is trained. Two contexts, with queries $f_1$ and x, share
the keys $g_1$ and y, so that attention is the sigmoid of one logit gap each.

Only the coordinates of x along $u_1, u_2$ and of y along $v_1, v_2$ enter the logits. So x is given as (along $u_1$,
along $u_2$, anything else), y likewise with $v_1, v_2$; with two coordinates there is no room for anything else.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from . import checks


@dataclass(frozen=True, eq=False, init=False)
class TwoPairHead:
    """The fixed head, and the logit gaps (first key minus second) of the teacher in both contexts.

    The paper's teacher is the head itself with both pairs aligned: gaps sigma_1 and -sigma_2, the default. Other gaps
    are this book's: where no orthogonal pair reaches them, interference stays above 0 for every lambda.

    Args:
        sigma_1: above 0; like the others a number or a tensor, and all broadcast against each other.
        sigma_2: above 0.
        gap_1: the teacher's gap for query f_1; orthogonal pairs give sigma_1.
        gap_2: the teacher's gap for query x; orthogonal pairs give from -sigma_2 to sigma_2.

    Example:
        >>> head = TwoPairHead(sigma_1=4.0, sigma_2=3.0)
        >>> aligned = torch.tensor([0.0, 1.0])  # nothing along u_1 or v_1, all along u_2 or v_2
        >>> [float(gap) for gap in head.gaps(aligned, aligned)]
        [4.0, -3.0]
    """

    sigma_1: Float[Tensor, "..."]
    sigma_2: Float[Tensor, "..."]
    gap_1: Float[Tensor, "..."]
    gap_2: Float[Tensor, "..."]

    def __init__(
        self,
        sigma_1: float | Tensor,
        sigma_2: float | Tensor,
        gap_1: float | Tensor | None = None,
        gap_2: float | Tensor | None = None,
    ) -> None:
        tiny, most = torch.finfo(torch.float64).tiny, torch.finfo(torch.float64).max
        sigmas = [
            checks.numbers(sigma, name, tiny, most, "a singular value must be finite and above 0")
            for sigma, name in ((sigma_1, "sigma_1"), (sigma_2, "sigma_2"))
        ]
        gaps = [
            checks.numbers(aligned if gap is None else gap, name, -most, most, "must be finite")
            for gap, aligned, name in ((gap_1, sigmas[0], "gap_1"), (gap_2, -sigmas[1], "gap_2"))
        ]
        names = ("sigma_1", "sigma_2", "gap_1", "gap_2")
        for name, part in zip(names, checks.on_one_device(*sigmas, *gaps), strict=True):
            object.__setattr__(self, name, part)

    def gaps(self, x: Float[Tensor, "... k"], y: Float[Tensor, "... k"]) -> tuple[Tensor, Tensor]:
        """The student's logit gaps $q^\\top \\Omega (g_1 - y)$ for the queries f_1 and x (paper, B.3.1)."""
        first = self.sigma_1 * (1 - y[..., 0])
        return first, first * x[..., 0] - self.sigma_2 * x[..., 1] * y[..., 1]


def interference(x: Float[Tensor, "... k"], y: Float[Tensor, "... k"]) -> Float[Tensor, "..."]:
    r"""$I(x, y) = (f_1^\top x)^2 + (g_1^\top y)^2$ (paper, eq. 16).

    Example:
        >>> float(interference(torch.tensor([0.5, 0.8]), torch.tensor([0.0, 1.0])))
        0.25
    """
    return x[..., 0].square() + y[..., 0].square()


def attention_loss(
    head: TwoPairHead, x: Float[Tensor, "... k"], y: Float[Tensor, "... k"]
) -> Float[Tensor, "..."]:
    """CE(x, y): two-key cross-entropy in nats, summed over both contexts (paper, eq. 14; the sum is our choice).

    Example:
        >>> first = torch.tensor([1.0, 0.0])  # a second pair like the first: even attention, log 2 for each context
        >>> round(float(attention_loss(TwoPairHead(4.0, 3.0), first, first)), 4)
        1.3863
    """
    first, second = head.gaps(x, y)
    return two_key_cross_entropy(head.gap_1, first) + two_key_cross_entropy(head.gap_2, second)


def theorem3_objective(
    head: TwoPairHead, x: Float[Tensor, "... k"], y: Float[Tensor, "... k"], lam: float | Tensor
) -> Float[Tensor, "..."]:
    r"""$J_\lambda(x, y) = \mathrm{CE}(x, y) + \lambda\, I(x, y)$ for unit x and y, double precision (paper, eq. 16).

    Raises:
        ValueError: for vectors that are not of length 1 or have fewer than 2 coordinates, or a negative lambda.

    Example:
        >>> first = torch.tensor([1.0, 0.0])  # cross-entropy 2 log 2, interference 2
        >>> round(float(theorem3_objective(TwoPairHead(4.0, 3.0), first, first, lam=5.0)), 4)
        11.3863
    """
    for vector, name in ((x, "x"), (y, "y")):
        if vector.shape[-1] < 2:
            raise ValueError(f"{name} has shape {tuple(vector.shape)}: expected 2 coordinates or more")
        if not ((torch.linalg.vector_norm(vector.double(), dim=-1) - 1).abs() < 1e-6).all():
            raise ValueError(f"{name} must have length 1")
    lam = checks.numbers(lam, "lam", 0, torch.finfo(torch.float64).max, "must be finite and not negative")
    x, y = x.double(), y.double()
    return attention_loss(head, x, y) + lam * interference(x, y)


def theorem3_bound(
    ce_comparison: float | Tensor, ce_minimum: float | Tensor, lam: float | Tensor
) -> float | Float[Tensor, "..."]:
    r"""Theorem 3's bound on $I(x_\lambda, y_\lambda)$ at a minimiser (paper, B.3.2).

    $(\mathrm{CE}(x', y') - \mathrm{CE}(x_\lambda, y_\lambda)) / \lambda$ for any pair (x', y') without interference.

    Args:
        ce_comparison: of (x', y'); :func:`svf_helpers.theory.orthogonal_comparison` has the best one.
        ce_minimum: at the minimiser, or anything below it, such as the teacher's entropy.
        lam: lambda, above 0.

    Raises:
        ValueError: for a lambda of 0 or less, or cross-entropies that are not finite.

    Example:
        >>> theorem3_bound(1.5, 1.0, 4.0)
        0.125
    """
    finite = torch.finfo(torch.float64).max
    weight = checks.numbers(lam, "lam", torch.finfo(torch.float64).tiny, finite, "must be finite and above 0")
    comparison = checks.numbers(ce_comparison, "ce_comparison", -finite, finite, "must be finite")
    minimum = checks.numbers(ce_minimum, "ce_minimum", -finite, finite, "must be finite")
    bound = (comparison - minimum) / weight
    return bound if any(torch.is_tensor(part) for part in (ce_comparison, ce_minimum, lam)) else float(bound)


def two_key_cross_entropy(teacher: Tensor, student: Tensor) -> Tensor:
    """Cross-entropy over two keys in nats, from the teacher's and the student's logit gap.

    Example:
        >>> two_key_cross_entropy(torch.tensor(0.0), torch.tensor([0.0, 2.0]))  # log 2 where the student agrees
        tensor([0.6931, 1.1269])
    """
    log = torch.nn.functional.logsigmoid
    return -(teacher.sigmoid() * log(student) + (-teacher).sigmoid() * log(-student))
