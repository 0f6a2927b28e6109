r"""Dictionaries on which the sharp bound is attained (this book's, not in the paper)."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float

from ..device import choose_device
from . import checks


def worst_dictionary(
    kappa: float,
    d: int,
    n: int | None = None,
    generator: torch.Generator | None = None,
    device: str | torch.device = "cpu",
) -> tuple[Float[Tensor, "d n"], int]:
    r"""Unit features that attain the sharp bound, and the index of the one that does (this book's, not in the paper).

    The feature is $f \propto \sqrt{\lambda_1}\, e_1 + \sqrt{\lambda_d}\, e_d$ in the eigenbasis of C. A unit f fits
    inside C, that is $f^\top C^{-1} f \le 1$, exactly where $\lambda_1 + \lambda_d \ge 2$. Here their sum is $2n/d$,
    and all other eigenvalues are $n/d$. For n = d this is as plain as can be: two features with cosine
    $(\kappa-1)/(\kappa+1)$, and the rest orthogonal to them and to each other.

    Args:
        kappa: condition number of C, at least 1 and at most 1e8.
        d: length of the features, at least 2.
        n: number of features, at least d, which is the default.
        generator: turns the dictionary at random; without one, C is diagonal.
        device: where the dictionary is wanted.

    Raises:
        ValueError: for arguments outside these ranges.

    Example:
        >>> from svf_helpers.theory import alignment_cosine, sharp_bound
        >>> W, index = worst_dictionary(4.0, d=2)
        >>> W
        tensor([[ 0.8944,  0.8944],
                [ 0.4472, -0.4472]], dtype=torch.float64)
        >>> round(float(alignment_cosine(W, index)), 6), sharp_bound(4.0)
        (0.8, 0.8)
    """
    if not 1 <= kappa <= 1e8:
        raise ValueError(f"kappa = {kappa}: must lie in 1..1e8 (above, float64 cannot hold the dictionary)")
    d = checks.count(d, "d", 2)
    n = checks.count(d if n is None else n, "n", d)
    at_home: dict[str, Any] = {"dtype": torch.float64, "device": "cpu"}
    eigenvalues = torch.full((d,), n / d, **at_home)
    eigenvalues[0], eigenvalues[-1] = 2 * n / d * kappa / (1 + kappa), 2 * n / d / (1 + kappa)
    f = torch.zeros(d, **at_home)
    f[0], f[-1] = math.sqrt(kappa / (1 + kappa)), math.sqrt(1 / (1 + kappa))
    # What is left for the other features, C - f f^T, factored within the plane of e_1 and e_d: f there is R^(1/2) w
    # with w the diagonal, which C keeps with weight (1 - d/n) and its orthogonal complement with weight 1.
    root = eigenvalues.sqrt()
    others = torch.diag(root)[:, 1:-1]
    across = torch.zeros(d, 2, **at_home)
    across[0], across[-1] = root[0] / math.sqrt(2), root[-1] / math.sqrt(2)
    across[0, 0], across[-1, 0] = across[0, 0] * math.sqrt(1 - d / n), across[-1, 0] * math.sqrt(1 - d / n)
    across[-1, 1] = -across[-1, 1]
    rest = torch.cat([across[:, 1:], others, across[:, :1]], 1)[:, : n - 1]
    rest = _unit_columns(torch.nn.functional.pad(rest, (0, n - 1 - rest.shape[1])))
    W = torch.cat([f[:, None], rest], 1)
    if generator is not None:
        W = torch.linalg.qr(torch.randn(d, d, generator=generator, **at_home)).Q @ W
    return W.to(choose_device(device)), 0


def _unit_columns(X: Float[Tensor, "d n"]) -> Float[Tensor, "d n"]:
    """Columns rotated two at a time, which keeps X X^T, until each has length 1; their squares must sum to n."""
    X = X.clone()
    for _ in range(X.shape[1]):
        squares = X.square().sum(0)
        short, long = int(squares.argmin()), int(squares.argmax())
        if squares[long] - squares[short] < 1e-13:
            break
        # the angle at which the short column's square passes 1, on its way from below 1 to above it
        across = X[:, short] @ X[:, long]
        half, centre = (squares[short] - squares[long]) / 2, (squares[short] + squares[long]) / 2
        reach = torch.sqrt(half.square() + across.square())
        angle = (torch.atan2(across, half) + torch.acos(((1 - centre) / reach).clamp(-1, 1))) / 2
        cos, sin = angle.cos(), angle.sin()
        X[:, short], X[:, long] = cos * X[:, short] + sin * X[:, long], cos * X[:, long] - sin * X[:, short]
    return X


