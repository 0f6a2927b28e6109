r"""How far a feature can be from its singular vector under Theorem 1: the paper's bound, and a sharp one.

For one pair of interest the minimiser has rank 1 and $u \propto C^{-1} f$. Theorem 2 (paper, appendix B.2) bounds the
angle between u and f by perturbation theory, for features near isotropy. The sharp bound (this book's, not in the
paper) bounds it by the condition number of C, for any features. Both are for one pair: heads with several fall below.
"""

from __future__ import annotations

import math
from typing import overload

import torch
from jaxtyping import Float
from torch import Tensor

from ..features import cosines
from . import checks
from .closed_forms import feature_detector

# Theorem 2 speaks up to this anisotropy: there gamma = 1/2, and the bound on the sine reaches 1.
SILENT_ABOVE = 1 - math.sqrt(2 / 3)


@overload
def theorem2_bound(epsilon: float) -> float: ...
@overload
def theorem2_bound(epsilon: Float[Tensor, "..."]) -> Float[Tensor, "..."]: ...
def theorem2_bound(epsilon: float | Float[Tensor, "..."]) -> float | Float[Tensor, "..."]:
    r"""Theorem 2's lower bound on the cosine of feature and singular vector (paper, appendix B.2).

    With $\eta = \epsilon / (1 - \epsilon)$ and $\gamma = 2\eta + \eta^2 \le 1/2$ the sine is at most
    $\gamma / (1 - \gamma)$. Where $\gamma > 1/2$, that is for epsilon above $1 - \sqrt{2/3} \approx .1835$, the theorem
    is silent, and the bound 0. Reading the condition as $\gamma \le 1/2$ is our choice.

    Args:
        epsilon: $\|E\|_2$ in $C = c\,(I + E)$, the larger one of queries and keys.

    Returns:
        A float for a float, a float64 tensor for a tensor.

    Raises:
        ValueError: for a negative epsilon, or one that is not a number.

    Example:
        >>> round(theorem2_bound(0.1), 3), theorem2_bound(0.2)
        (0.952, 0.0)
    """
    rule = "an anisotropy ||E|| is a number not below 0"
    anisotropy = checks.numbers(epsilon, "epsilon", 0, math.inf, rule)
    eta = torch.where(anisotropy < 0.5, anisotropy / (1 - anisotropy), 1.0)
    gamma = 2 * eta + eta.square()
    sine = torch.where(gamma <= 0.5, gamma / (1 - gamma), 1.0)
    return _like(epsilon, (1 - sine.square()).clamp_min(0).sqrt())


@overload
def sharp_bound(kappa: float) -> float: ...
@overload
def sharp_bound(kappa: Float[Tensor, "..."]) -> Float[Tensor, "..."]: ...
def sharp_bound(kappa: float | Float[Tensor, "..."]) -> float | Float[Tensor, "..."]:
    r"""The sharp lower bound on the cosine, $2\sqrt\kappa / (1 + \kappa)$ (this book's, not in the paper).

    It is the Kantorovich-Wielandt inequality for $C^{-1}$. It holds for every dictionary and is never 0 for a finite
    kappa; :func:`svf_helpers.theory.worst_dictionary` attains it. For kappa = inf it is 0.

    Args:
        kappa: condition number of C, at least 1; see :func:`condition_number`.

    Returns:
        A float for a float, a float64 tensor for a tensor.

    Raises:
        ValueError: for a kappa below 1, or one that is not a number.

    Example:
        >>> round(sharp_bound(51.0), 3)
        0.275
    """
    condition = checks.numbers(kappa, "kappa", 1, math.inf, "a condition number is a number not below 1")
    root = condition.sqrt()
    return _like(kappa, 2 / (root + 1 / root))


@overload
def sharp_bound_from_anisotropy(epsilon: float) -> float: ...
@overload
def sharp_bound_from_anisotropy(epsilon: Float[Tensor, "..."]) -> Float[Tensor, "..."]: ...
def sharp_bound_from_anisotropy(epsilon: float | Float[Tensor, "..."]) -> float | Float[Tensor, "..."]:
    r"""The sharp bound from $\|E\|_2 \le \epsilon$ alone: $\sqrt{1 - \epsilon^2}$ (this book's, not in the paper).

    From $\kappa \le (1+\epsilon)/(1-\epsilon)$, whatever the scale c in $C = c\,(I + E)$. 0 for epsilon of 1 or more;
    with :func:`best_scale` epsilon is always below 1, and this is :func:`sharp_bound` itself.

    Example:
        >>> round(sharp_bound_from_anisotropy(0.1), 3)
        0.995
    """
    rule = "an anisotropy ||E|| is a number not below 0"
    anisotropy = checks.numbers(epsilon, "epsilon", 0, math.inf, rule).clamp_max(1)
    return _like(epsilon, ((1 - anisotropy) * (1 + anisotropy)).sqrt())


def condition_number(W: Float[Tensor, "... d n"]) -> Float[Tensor, "..."]:
    """Largest over smallest eigenvalue of C on the span of the features (this book's extension where C is singular).

    Example:
        >>> condition_number(torch.diag(torch.tensor([3.0, 1.0]))).round(decimals=6)
        tensor(9., dtype=torch.float64)
    """
    eigenvalues, used = gram_spectrum(W)
    least = torch.where(used, eigenvalues, torch.inf).amin(-1)
    return eigenvalues.amax(-1) / least


def best_scale(W: Float[Tensor, "... d n"]) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
    r"""The c for which $\|C/c - I\|_2$ is least, and that least value (this book's, not in the paper).

    $c = (\lambda_{max} + \lambda_{min})/2$ gives $\epsilon = (\kappa - 1)/(\kappa + 1) < 1$, on the features' span.

    Example:
        >>> c, epsilon = best_scale(torch.diag(torch.tensor([3.0, 1.0])))  # eigenvalues 9 and 1
        >>> round(float(c), 6), round(float(epsilon), 6)
        (5.0, 0.8)
    """
    eigenvalues, used = gram_spectrum(W)
    highest, lowest = eigenvalues.amax(-1), torch.where(used, eigenvalues, torch.inf).amin(-1)
    return (highest + lowest) / 2, (highest - lowest) / (highest + lowest)


def alignment_cosine(F: Float[Tensor, "... d n"], index: int) -> Float[Tensor, "..."]:
    """Cosine of a feature and the singular vector that Theorem 1 gives it: what both bounds are about.

    Example:
        >>> round(float(alignment_cosine(torch.tensor([[1.0, 0.6], [0.0, 0.8]], dtype=torch.float64), 0)), 6)
        0.8
    """
    return cosines(feature_detector(F, index)[..., None], F.double()[..., [index]])[..., 0, 0]


def gram_spectrum(W: Tensor) -> tuple[Float[Tensor, "... d"], Tensor]:
    """Eigenvalues of C that can differ from 0, and which of them do.

    Raises:
        ValueError: for features that are all of length 0.

    Example:
        >>> gram_spectrum(torch.tensor([[2.0, 2.0], [0.0, 0.0]]))  # two features along one line
        (tensor([8.0000, 0.0000], dtype=torch.float64), tensor([ True, False]))
    """
    S = torch.linalg.svdvals(checks.dictionary(W, "W"))
    if not (S[..., 0] > 0).all():
        raise ValueError("W holds no features of length above 0")
    return S.square(), S > max(W.shape[-2:]) * torch.finfo(W.dtype).eps * S[..., :1]


def _like(given, value: Float[Tensor, "..."]) -> float | Float[Tensor, "..."]:
    return value if torch.is_tensor(given) else float(value)
