r"""What Theorem 1 says in formulas: minimiser, singular vectors, and the three lemmas (paper, appendix B.2).

Unit features are the columns of F (queries) and G (keys), $C_F = F F^\top$ and $C_G = G G^\top$. Where these are
singular, the pseudo-inverse takes the place of the inverse, as the paper allows. Everything works in float64.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from . import checks


class RankOne(NamedTuple):
    """The one singular triple of the minimiser: ``Omega = sigma * outer(u, v)``, u and v of length 1.

    Example:
        >>> u, sigma, v = RankOne(torch.tensor([1.0, 0.0]), torch.tensor(3.0), torch.tensor([0.0, 1.0]))
        >>> sigma * torch.outer(u, v)
        tensor([[0., 3.],
                [0., 0.]])
    """

    u: Float[Tensor, "... d"]
    sigma: Float[Tensor, "..."]
    v: Float[Tensor, "... d"]


class LogitShift(NamedTuple):
    """Two sets of logits over the same keys, compared as Lemma 1 does.

    ``spread`` is how much their difference varies over the keys, ``gap`` the largest difference of their
    log-softmaxes. Lemma 1: one is 0 exactly where the other is. More than that (this book's, not in the paper):
    spread / 2 <= gap <= spread.

    Example:
        >>> shift = logit_shift(torch.tensor([0.0, 0.0]), torch.tensor([1.0, 2.0]))
        >>> float(shift.constant), float(shift.spread), bool(shift.spread / 2 <= shift.gap <= shift.spread)
        (1.5, 1.0, True)
    """

    constant: Float[Tensor, "..."]
    spread: Float[Tensor, "..."]
    gap: Float[Tensor, "..."]


def feature_detector(F: Float[Tensor, "... d n"], index: int) -> Float[Tensor, "... d"]:
    r"""The linear detector $C_F^{-1} f_a$: what a token is multiplied with to ask for feature a (paper, B.2.1).

    Taken as a row of the pseudo-inverse of F, since $(F F^\top)^{+} F = (F^{+})^\top$: F's condition is not squared.

    Raises:
        ValueError: for a dictionary that is not [..., d, n] and finite, or a feature that is not there or has length 0.

    Example:
        >>> feature_detector(torch.tensor([[1.0, 0.6], [0.0, 0.8]], dtype=torch.float64), 0)
        tensor([ 1.0000, -0.7500], dtype=torch.float64)
    """
    wide = checks.dictionary(F, "F")
    index = checks.feature_index(wide, index, "F")
    return _pseudo_inverse(wide, F.dtype)[..., index, :]


def teacher_matrix(
    F: Float[Tensor, "... d n"], G: Float[Tensor, "... d m"], targets: Float[Tensor, "n m"]
) -> Float[Tensor, "... d d"]:
    r"""The shortest least-squares solution of $F^\top \Omega\, G = T$, the target logits of all pairs of features.

    With one target this is the teacher of Theorem 1; the paper says no more than that. Several pairs are this book's.

    Raises:
        ValueError: for shapes that do not fit or values that are not finite.

    Example:
        >>> F, T = torch.diag(torch.tensor([2.0, 1.0])), torch.tensor([[0.0, 6.0], [0.0, 0.0]])
        >>> round(float(teacher_matrix(F, torch.eye(2), T)[0, 1]), 6)  # a feature of length 2 needs half the weight
        3.0
    """
    wide_F, wide_G = checks.dictionary(F, "F"), checks.dictionary(G, "G")
    if targets.shape != (F.shape[-1], G.shape[-1]):
        raise ValueError(f"targets are {tuple(targets.shape)}, features ask for {(F.shape[-1], G.shape[-1])}")
    T = checks.dictionary(targets, "targets").to(wide_F.device)
    return _pseudo_inverse(wide_F, F.dtype).mT @ T @ _pseudo_inverse(wide_G, G.dtype)


def theorem1_minimizer(
    F: Float[Tensor, "... d n"], G: Float[Tensor, "... d m"], pair: tuple[int, int], scale: float
) -> Float[Tensor, "... d d"]:
    r"""Theorem 1's unique minimiser $\Omega^* = \alpha\, C_F^{-1} f_a\, g_b^\top C_G^{-1}$, of rank 1 (paper, B.2.3).

    Where C_F or C_G is singular, the one minimiser that acts within the span of the features.

    Args:
        F: query features as columns.
        G: key features as columns.
        pair: (a, b), the query feature and the key feature of interest.
        scale: the teacher's alpha, above 0.

    Raises:
        ValueError: for dictionaries, a pair or a scale that the theorem does not cover.

    Example:
        >>> theorem1_minimizer(torch.eye(2), torch.eye(2), (0, 1), 3.0)
        tensor([[0., 3.],
                [0., 0.]], dtype=torch.float64)
    """
    u, sigma, v = theorem1_svd(F, G, pair, scale)
    return sigma[..., None, None] * u[..., :, None] * v[..., None, :]


def theorem1_svd(
    F: Float[Tensor, "... d n"], G: Float[Tensor, "... d m"], pair: tuple[int, int], scale: float
) -> RankOne:
    r"""The minimiser's SVD: $u \propto C_F^{-1} f_a$ and $v \propto C_G^{-1} g_b$ (paper, B.2.3).

    Hence anti-whitening, $C_F u \propto f_a$ and $C_G v \propto g_b$. Signs are those with $u^\top f_a > 0$ and
    $v^\top g_b > 0$. Arguments and errors: :func:`theorem1_minimizer`.

    Example:
        >>> F = torch.tensor([[1.0, 0.6], [0.0, 0.8]], dtype=torch.float64)
        >>> u, sigma, v = theorem1_svd(F, F, (0, 1), 6.0)
        >>> u, round(float(sigma), 6)
        (tensor([ 0.8000, -0.6000], dtype=torch.float64), 9.375)
    """
    a, b = checks.feature_pair(checks.dictionary(F, "F"), checks.dictionary(G, "G"), pair)
    scale = checks.positive(scale, "scale")
    query, key = feature_detector(F, a), feature_detector(G, b)
    length_q, length_k = (torch.linalg.vector_norm(side, dim=-1) for side in (query, key))
    return RankOne(query / length_q[..., None], scale * length_q * length_k, key / length_k[..., None])


def corollary1_sigma(
    F: Float[Tensor, "d n"], G: Float[Tensor, "d m"], scale: float, tolerance: float = 1e-6
) -> float:
    r"""The singular value $\alpha / (c_F c_G)$ for unit features of interest in tight frames (paper, Corollary 1).

    Raises:
        ValueError: where F or G is no tight frame, that is C / c is further than ``tolerance`` from the identity.

    Example:
        >>> corollary1_sigma(torch.eye(2), torch.cat([torch.eye(2), -torch.eye(2)], 1), 3.0)
        1.5
    """
    constants = []
    for W, name in ((F, "F"), (G, "G")):
        W = checks.dictionary(W, name)
        C = W @ W.mT
        c = C.diagonal(dim1=-2, dim2=-1).mean(-1)
        error = torch.linalg.matrix_norm(C / c - torch.eye(C.shape[-1], dtype=C.dtype, device=C.device), 2)
        if not error <= tolerance:
            raise ValueError(f"{name} is no tight frame: ||C/c - I|| = {float(error):.2e}, above {tolerance:g}")
        constants.append(float(c))
    return checks.positive(scale, "scale") / (constants[0] * constants[1])


def logit_shift(first: Float[Tensor, "... m"], second: Float[Tensor, "... m"]) -> LogitShift:
    """Lemma 1: softmaxes are equal exactly where the logits differ by a constant; ``constant`` is the best one.

    Raises:
        ValueError: for shapes that differ, fewer than 2 keys, or values that are not finite.

    Example:
        >>> logit_shift(torch.tensor([1.0, 2.0]), torch.tensor([4.0, 5.0]))
        LogitShift(constant=tensor(3., dtype=torch.float64), spread=tensor(0., dtype=torch.float64),
        gap=tensor(0., dtype=torch.float64))
    """
    first, second = _logits(first, second)
    difference = second - first
    low, high = difference.amin(-1), difference.amax(-1)
    gap = (second.log_softmax(-1) - first.log_softmax(-1)).abs().amax(-1)
    return LogitShift((low + high) / 2, high - low, gap)


def entropy(logits: Float[Tensor, "... m"]) -> Float[Tensor, "..."]:
    """Entropy of the softmax, in nats: the least that a cross-entropy can be (paper, Lemma 2).

    Example:
        >>> entropy(torch.zeros(4))  # even attention to 4 keys: log 4
        tensor(1.3863, dtype=torch.float64)
    """
    logits, _ = _logits(logits, logits)
    return -(logits.softmax(-1) * logits.log_softmax(-1)).sum(-1)


def cross_entropy(teacher: Float[Tensor, "... m"], student: Float[Tensor, "... m"]) -> Float[Tensor, "..."]:
    """Cross-entropy from the teacher's attention to the student's, in nats; both given as logits (paper, Lemma 2).

    Example:
        >>> cross_entropy(torch.zeros(2), torch.zeros(2))  # log 2, the teacher's entropy
        tensor(0.6931, dtype=torch.float64)
    """
    teacher, student = _logits(teacher, student)
    return -(teacher.softmax(-1) * student.log_softmax(-1)).sum(-1)


def kl_divergence(teacher: Float[Tensor, "... m"], student: Float[Tensor, "... m"]) -> Float[Tensor, "..."]:
    """What cross-entropy has above entropy: not negative, and 0 only for equal attention (paper, Lemma 2).

    Example:
        >>> student = torch.tensor([1.0, 3.0]).log()  # attention 1/4 and 3/4
        >>> kl_divergence(torch.zeros(2), student)  # log(4/3) / 2
        tensor(0.1438, dtype=torch.float64)
    """
    teacher, student = _logits(teacher, student)
    return (teacher.softmax(-1) * (teacher.log_softmax(-1) - student.log_softmax(-1))).sum(-1)


def query_moment(F: Float[Tensor, "... d n"], p: float) -> Float[Tensor, "... d d"]:
    r"""$\mathbb E[q q^\top] = p(1-p)\, C_F + p^2 (F\mathbf 1)(F\mathbf 1)^\top$ (paper, Lemma 3 and after it).

    Args:
        F: query features as columns.
        p: probability of each feature, strictly between 0 and 1.

    Example:
        >>> query_moment(torch.eye(2), 0.5)
        tensor([[0.5000, 0.2500],
                [0.2500, 0.5000]], dtype=torch.float64)
    """
    F, p = checks.dictionary(F, "F"), checks.probability(p)
    total = F.sum(-1, keepdim=True)
    return p * (1 - p) * F @ F.mT + p * p * total @ total.mT


def key_moment(
    G: Float[Tensor, "... d m"], p: float, keys: int, about: Literal["mean", "first"] = "mean"
) -> Float[Tensor, "... d d"]:
    r"""Second moment of differences of keys, summed over a context (paper, Lemma 3).

    Args:
        G: key features as columns.
        p: probability of each feature, strictly between 0 and 1.
        keys: keys in a context, at least 2.
        about: "first" subtracts the first key from the others: $2(m-1)\,p(1-p)\,C_G$, as the paper's proof does.
            "mean" subtracts the mean key from all of them: $(m-1)\,p(1-p)\,C_G$, half of that, and needs no key
            to be singled out.

    Example:
        >>> key_moment(torch.eye(2), 0.5, keys=3)
        tensor([[0.5000, 0.0000],
                [0.0000, 0.5000]], dtype=torch.float64)
    """
    G, p, keys = checks.dictionary(G, "G"), checks.probability(p), checks.count(keys, "keys", 2)
    if about not in ("mean", "first"):
        raise ValueError(f"about = {about!r}: must be 'mean' or 'first'")
    factor = 1 if about == "mean" else 2
    return factor * (keys - 1) * p * (1 - p) * G @ G.mT


def _pseudo_inverse(W: Float[Tensor, "... d n"], given: torch.dtype) -> Float[Tensor, "... n d"]:
    """Singular values below what the given dtype can tell from 0 count as 0, as in numpy's rank."""
    return torch.linalg.pinv(W, rtol=max(W.shape[-2:]) * torch.finfo(given).eps)


def _logits(first: Tensor, second: Tensor) -> tuple[Float[Tensor, "... m"], Float[Tensor, "... m"]]:
    if first.shape != second.shape or first.ndim < 1 or first.shape[-1] < 2:
        raise ValueError(
            f"logits have shapes {tuple(first.shape)} and {tuple(second.shape)}: expected the same [..., keys], with 2 "
            "keys or more"
        )
    first, second = first.double(), second.double()
    if not (first.isfinite().all() and second.isfinite().all()):
        raise ValueError("logits must be finite")
    return first, second
