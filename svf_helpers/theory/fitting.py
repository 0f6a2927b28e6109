r"""Fitting a QK matrix to a teacher's attention: the student's side of Theorem 1 (paper, B.2.1).

The mean over contexts of $\mathrm{KL}(\text{teacher} \,\|\, \mathrm{softmax}(q^\top \Omega\, t_k))$ is convex in
$\Omega$, so Newton's method finds the one minimum and needs neither a step size nor a guess of when to stop. Heads are
fitted as a full $\Omega$, not as $W_Q W_K^\top$: that is what the theorem is about.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from .closed_forms import kl_divergence
from .sampling import head_logits

# The Hessian at Omega = 0 must not be flatter than this (smallest to largest eigenvalue, tokens whitened).
FLATTEST = 1e-10
# A fit counts as found where Newton's last step is below this share of Omega.
FOUND = 1e-7


class HeadFit(NamedTuple):
    """A fitted head.

    ``kl`` is the objective at the minimum in nats, ``error`` the length of the last Newton step relative to Omega, an
    estimate of how far off Omega can be.

    Example:
        >>> from svf_helpers.theory import sample_contexts
        >>> q, t, *_ = sample_contexts(torch.eye(2), torch.eye(2), p=0.5, keys=3, contexts=200)
        >>> Omega = torch.tensor([[0.0, 3.0], [0.0, 0.0]], dtype=torch.float64)
        >>> fit = fit_head(q, t, head_logits(Omega, q, t))
        >>> bool(fit.kl < 1e-10), bool(fit.error < FOUND), fit.steps < 30
        (True, True, True)
    """

    Omega: Float[Tensor, "... d e"]
    kl: Float[Tensor, "..."]
    error: Float[Tensor, "..."]
    steps: int


def kl_objective(
    Omega: Float[Tensor, "... d e"],
    queries: Float[Tensor, "... N d"],
    keys: Float[Tensor, "... N m e"],
    teacher: Float[Tensor, "... N m"],
) -> Float[Tensor, "..."]:
    """Theorem 1's objective over sampled contexts, in nats (paper, B.2.1); ``teacher`` holds the teacher's logits.

    Example:
        >>> queries, keys = torch.tensor([[1.0, 0.0]]), torch.eye(2)[None]  # one context with two keys
        >>> teacher = torch.tensor([[1.0, 3.0]]).log()  # attention 1/4 and 3/4
        >>> kl_objective(torch.zeros(2, 2), queries, keys, teacher)  # of even attention: (log 1/2 + 3 log 3/2) / 4
        tensor(0.1308, dtype=torch.float64)
    """
    return kl_divergence(teacher, head_logits(Omega.double(), queries.double(), keys.double())).mean(-1)


def fit_head(
    queries: Float[Tensor, "... N d"],
    keys: Float[Tensor, "... N m e"],
    teacher: Float[Tensor, "... N m"],
    max_steps: int = 100,
) -> HeadFit:
    """The head that minimises :func:`kl_objective`; any leading dimensions are a batch of independent fits.

    Where tokens do not fill space, the minimiser that acts within their span (on the key side, the span of differences
    of keys: attention sees nothing else).

    Args:
        queries: one query a context.
        keys: the keys of each context.
        teacher: the teacher's logits, e.g. from :func:`svf_helpers.theory.head_logits`.
        max_steps: Newton steps; ten to twenty are usual.

    Raises:
        ValueError: for shapes that do not fit, or contexts too few or too alike to determine Omega.
        ArithmeticError: where the minimum is not reached to float64's accuracy, for example because the teacher's
            attention is so extreme that the objective is flat to rounding.

    Example:
        >>> from svf_helpers.theory import sample_contexts
        >>> q, t, *_ = sample_contexts(torch.eye(2), torch.eye(2), p=0.5, keys=3, contexts=200)
        >>> Omega = torch.tensor([[0.0, 3.0], [0.0, 0.0]], dtype=torch.float64)
        >>> torch.allclose(fit_head(q, t, head_logits(Omega, q, t)).Omega, Omega, atol=1e-6)
        True
    """
    if keys.shape[:-1] != teacher.shape or queries.shape[:-1] != teacher.shape[:-1] or teacher.ndim < 2:
        raise ValueError(
            f"queries {tuple(queries.shape)}, keys {tuple(keys.shape)}, teacher {tuple(teacher.shape)}: expected "
            "[..., N, d], [..., N, m, e] and [..., N, m]"
        )
    lead = teacher.shape[:-2]
    Q, K, logits = (side.detach().double().reshape(-1, *side.shape[len(lead) :]) for side in (queries, keys, teacher))
    if not (Q.isfinite().all() and K.isfinite().all() and logits.isfinite().all()):
        raise ValueError("queries, keys or teacher hold values that are not finite")
    K = K - K.mean(-2, keepdim=True)
    whiten_Q, used_Q = _whitening(Q)
    whiten_K, used_K = _whitening(rearrange(K, "B N m d -> B (N m) d"))
    Q, K = Q @ whiten_Q, K @ whiten_K[:, None]
    unused = ~rearrange(used_Q[:, :, None] & used_K[:, None, :], "B i j -> B (i j)")
    core, kl, error, steps = _newton(Q, K, logits, unused.double(), max_steps)
    Omega = whiten_Q @ core @ whiten_K.mT
    return HeadFit(Omega.reshape(*lead, *Omega.shape[1:]), kl.reshape(lead), error.reshape(lead), steps)


def _whitening(tokens: Float[Tensor, "B N d"]) -> tuple[Float[Tensor, "B d d"], Tensor]:
    """What makes the tokens' second moment the identity on their span and 0 off it; and which axes are in the span."""
    R = torch.linalg.qr(tokens, mode="r").R
    _, S, Vh = torch.linalg.svd(R, full_matrices=True)
    S = torch.nn.functional.pad(S, (0, tokens.shape[-1] - S.shape[-1]))
    used = S > max(tokens.shape[-2:]) * torch.finfo(S.dtype).eps * S[:, :1]
    inverse = torch.where(used, tokens.shape[-2] ** 0.5 / S, 0.0)
    return Vh.mT * inverse[:, None, :], used


def _newton(Q, K, teacher, unused, max_steps) -> tuple[Tensor, Tensor, Tensor, int]:
    batch, contexts, d = Q.shape
    target = teacher.softmax(-1)
    squares = rearrange(Q[..., :, None] * Q[..., None, :], "B N i k -> B N (i k)")
    core = Q.new_zeros(batch, d, K.shape[-1])
    kl = kl_objective(core, Q, K, teacher)
    error = torch.full_like(kl, torch.inf)
    for step in range(1, max_steps + 1):
        attention = head_logits(core, Q, K).softmax(-1)
        pull = ((attention - target)[..., None, :] @ K).squeeze(-2)
        gradient = rearrange(Q.mT @ pull / contexts, "B i j -> B (i j) 1")
        hessian = _hessian(squares, K, attention, d) + torch.diag_embed(unused)
        if step == 1:
            _refuse_flat(hessian, unused)
        factor, failed = torch.linalg.cholesky_ex(hessian)
        if failed.any():
            raise ArithmeticError("the objective is flat to rounding: make the teacher's logits less extreme")
        newton = -torch.cholesky_solve(gradient, factor)
        decrease = -(gradient * newton).sum((-2, -1))  # what a full step promises, twice over
        newton = newton.reshape(core.shape)
        core, kl = _line_search(core, newton, decrease, kl, Q, K, teacher)
        size = torch.linalg.matrix_norm(core)
        moved = torch.linalg.matrix_norm(newton) / torch.where(size > 0, size, 1.0)
        settled = (moved < 1e-13) | ((moved < FOUND) & (moved > error / 4))  # rounding is all that is left
        error = torch.minimum(moved, error) if step > 1 else moved
        if settled.all():
            return core, kl, error, step
    if not (error < FOUND).all():
        raise ArithmeticError(f"no minimum after {max_steps} Newton steps: relative error {float(error.max()):.1e}")
    return core, kl, error, max_steps


def _hessian(squares, K, attention, d) -> Float[Tensor, "B p p"]:
    """Mean over contexts of the query's square (x) the covariance of keys under the attention."""
    centred = K - attention[..., None, :] @ K
    covariance = (centred * attention[..., None]).mT @ centred
    whole = squares.mT @ rearrange(covariance, "B N j l -> B N (j l)") / squares.shape[1]
    return rearrange(whole, "B (i k) (j l) -> B (i j) (k l)", i=d, j=K.shape[-1])


def _refuse_flat(hessian: Tensor, unused: Tensor) -> None:
    eigenvalues = torch.linalg.eigvalsh(hessian - torch.diag_embed(unused))
    free = eigenvalues.shape[-1] - unused.sum(-1).long()  # unused directions give exact zeros: look past them
    least = eigenvalues.flip(-1).gather(-1, (free - 1).clamp_min(0)[:, None]).squeeze(-1)
    if not ((free > 0) & (least > FLATTEST * eigenvalues[:, -1])).all():
        raise ValueError("these contexts do not determine Omega: draw more of them, or with p further from 0 and 1")


def _line_search(core, newton, decrease, kl, Q, K, teacher) -> tuple[Tensor, Tensor]:
    """Halve each fit's step until the objective falls as it should; near the minimum, where none can tell, trust."""
    length = torch.ones_like(kl)
    for _ in range(40):
        trial = core + length[:, None, None] * newton
        value = kl_objective(trial, Q, K, teacher)
        good = (value <= kl - 1e-4 * length * decrease) | (decrease < 1e-11)
        if good.all():
            return trial, value
        length = torch.where(good, length, length / 2)
    raise ArithmeticError("the objective does not fall along Newton's direction: the teacher's logits are too extreme")
