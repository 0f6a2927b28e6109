r"""Theorem 2 step by step: what its proof promises beside what is there (paper, appendix B.2)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ..features import unit
from . import checks
from .bounds import gram_spectrum, theorem2_bound
from .closed_forms import theorem1_svd


class Theorem2Steps(NamedTuple):
    r"""Each step of Theorem 2's proof: what was measured, and what the proof promises of it.

    ``norm_R_F`` and ``norm_R_G``, at most ``eta``: how far $(I+E)^{-1}$ is from I (Neumann). ``norm_Delta``, at most
    ``gamma``: how far the minimiser, scaled, is from $f g^\top$ (submultiplicativity). ``gap``, at least ``gap_bound``:
    its singular value, which the second one of $f g^\top$, 0, stays below (Weyl). ``sine_u`` and ``sine_v``, at most
    ``wedin`` = norm_Delta / gap, at most ``sine_bound`` (Wedin). ``cosine_bound`` is :func:`theorem2_bound`.

    Example:
        >>> steps = theorem2_steps(torch.eye(2), torch.tensor([[1.0, 0.0], [0.1, 1.0]]), (0, 1))
        >>> step, measured, value, relation, bound = steps.rows()[3]
        >>> step, measured, relation, bool(value >= bound)
        ('Weyl', 'sigma_1', '>=', True)
    """

    epsilon_F: Float[Tensor, "..."]
    epsilon_G: Float[Tensor, "..."]
    epsilon: Float[Tensor, "..."]
    norm_R_F: Float[Tensor, "..."]
    norm_R_G: Float[Tensor, "..."]
    eta: Float[Tensor, "..."]
    norm_Delta: Float[Tensor, "..."]
    gamma: Float[Tensor, "..."]
    gap: Float[Tensor, "..."]
    gap_bound: Float[Tensor, "..."]
    sine_u: Float[Tensor, "..."]
    sine_v: Float[Tensor, "..."]
    wedin: Float[Tensor, "..."]
    sine_bound: Float[Tensor, "..."]
    cosine_bound: Float[Tensor, "..."]

    def rows(self) -> list[tuple[str, str, Tensor, str, Tensor]]:
        """The proof in order: (step, what is measured, its value, the relation that must hold, the bound)."""
        return [
            ("Neumann", "||R_F||", self.norm_R_F, "<=", self.eta),
            ("Neumann", "||R_G||", self.norm_R_G, "<=", self.eta),
            ("submultiplicativity", "||Delta||", self.norm_Delta, "<=", self.gamma),
            ("Weyl", "sigma_1", self.gap, ">=", self.gap_bound),
            ("Wedin", "sine of (u, f)", self.sine_u, "<=", self.wedin),
            ("Wedin", "sine of (v, g)", self.sine_v, "<=", self.wedin),
            ("Wedin and Weyl", "||Delta|| / sigma_1", self.wedin, "<=", self.sine_bound),
        ]


def theorem2_steps(
    F: Float[Tensor, "... d n"],
    G: Float[Tensor, "... d m"],
    pair: tuple[int, int],
    scales: tuple[Tensor | float, Tensor | float] | None = None,
) -> Theorem2Steps:
    r"""Each step of Theorem 2 on given features, the measured number beside its bound (paper, appendix B.2).

    The features of interest are taken at length 1, as the theorem assumes; that changes no angle.

    Args:
        F: query features as columns; C_F must be invertible.
        G: key features as columns; C_G must be invertible.
        pair: (query feature, key feature).
        scales: (c_F, c_G) in $C = c\,(I + E)$, by default tr C / d; :func:`best_scale` makes epsilon least.

    Returns:
        See :class:`Theorem2Steps`; bounds that do not exist (epsilon or gamma of 1 or more) are infinite.

    Raises:
        ValueError: for dictionaries or a pair that the theorem does not cover, or a singular Gram matrix.

    Example:
        >>> steps = theorem2_steps(torch.eye(2), torch.tensor([[1.0, 0.0], [0.1, 1.0]]), (0, 1))
        >>> bool(steps.sine_v <= steps.wedin <= steps.sine_bound)
        True
    """
    checks.feature_pair(checks.dictionary(F, "F"), checks.dictionary(G, "G"), pair)
    given = (None, None) if scales is None else scales
    (epsilon_F, R_F), (epsilon_G, R_G) = (
        _deviation(W, c, name) for W, c, name in zip((F, G), given, ("F", "G"), strict=True)
    )
    epsilon = torch.maximum(epsilon_F, epsilon_G)
    eta = torch.where(epsilon < 1, epsilon / (1 - epsilon), torch.inf)
    gamma = 2 * eta + eta.square()

    f, g = (unit(W.double())[..., index] for W, index in zip((F, G), pair, strict=True))
    whitened = [side + (R @ side[..., None]).squeeze(-1) for side, R in ((f, R_F), (g, R_G))]
    Delta = whitened[0][..., :, None] * whitened[1][..., None, :] - f[..., :, None] * g[..., None, :]
    norm_Delta = torch.linalg.matrix_norm(Delta, 2)
    gap = torch.linalg.vector_norm(whitened[0], dim=-1) * torch.linalg.vector_norm(whitened[1], dim=-1)
    u, _, v = theorem1_svd(F, G, pair, 1.0)
    return Theorem2Steps(
        epsilon_F=epsilon_F,
        epsilon_G=epsilon_G,
        epsilon=epsilon,
        norm_R_F=torch.linalg.matrix_norm(R_F, 2),
        norm_R_G=torch.linalg.matrix_norm(R_G, 2),
        eta=eta,
        norm_Delta=norm_Delta,
        gamma=gamma,
        gap=gap,
        gap_bound=1 - gamma,
        sine_u=_sine(u, f),
        sine_v=_sine(v, g),
        wedin=norm_Delta / gap,
        sine_bound=torch.where(gamma < 1, gamma / (1 - gamma), torch.inf),
        cosine_bound=theorem2_bound(epsilon),
    )


def _deviation(W: Tensor, c: Tensor | float | None, name: str) -> tuple[Tensor, Tensor]:
    r"""$\|E\|$ and R, with C = c (I + E) and $(I + E)^{-1} = I + R$."""
    eigenvalues, used = gram_spectrum(W)
    if W.shape[-1] < W.shape[-2] or not used.all():
        raise ValueError(f"{name} spans fewer dimensions than its features have: Theorem 2 needs an invertible C")
    W = W.double()
    c = eigenvalues.mean(-1) if c is None else torch.as_tensor(c, dtype=torch.float64, device=W.device)
    if not (c > 0).all():
        raise ValueError(f"the scale of {name} is {c}: must be above 0")
    C = W @ W.mT / c[..., None, None]
    identity = torch.eye(C.shape[-1], dtype=C.dtype, device=C.device)
    return torch.linalg.matrix_norm(C - identity, 2), torch.linalg.inv(C) - identity


def _sine(first: Float[Tensor, "... d"], second: Float[Tensor, "... d"]) -> Float[Tensor, "..."]:
    """Sine of the angle between unit vectors, exact for small angles too."""
    return torch.linalg.vector_norm(first - (first * second).sum(-1, keepdim=True) * second, dim=-1)


