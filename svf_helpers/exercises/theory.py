"""Checkers of the exercises in the chapters on the theorems and on anisotropy."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import torch
from jaxtyping import Float
from torch import Tensor

from ..features import isotropic_dictionary, unit
from ..qk import matrix_sqrt
from ..theory import TwoPairHead, alignment_cosine, condition_number, feature_detector, sharp_bound, theorem3_limit
from .marking import Unreadable, checker, function, number, number_hint, parallel, same, tensor


@checker(
    "theorem1-detector",
    asks="Which direction does Theorem 1 give u for feature 0, if the query features are F = [[1, .6, 0], [0, .8, 1]]?",
    expects=tensor(None),
    praise="C u points along feature 0.",
)
def theorem1_detector(answer: Float[Tensor, " d"]) -> str | None:
    F = torch.tensor([[1, 0.6, 0], [0, 0.8, 1]], dtype=torch.float64)
    C = F @ F.mT
    if len(answer) == F.shape[1]:
        return "that is one number for each feature: W^T W is features x features, but C = F F^T is d x d."
    if len(answer) != F.shape[0]:
        return f"expected two numbers, a direction in the plane of the features; got {len(answer)}."
    if not answer.any():
        return "all entries are 0: that is no direction."
    right, f = feature_detector(F, 0), F[:, 0]
    root = matrix_sqrt(C)
    mistakes = [
        (f, "that is the feature itself; it would be right for a tight frame, which this dictionary is not."),
        (C @ f, "multiplied by C: the theorem has the inverse."),
        (torch.linalg.solve(root, f), "the inverse square root is half-way: the theorem has the full inverse."),
        (root @ f, "that is the square root of C, and not its inverse, times the feature."),
        (feature_detector(F, 1), "that is the detector of another feature: they are numbered from 0."),
        (feature_detector(F, 2), "that is the detector of another feature: they are numbered from 0."),
    ]
    if parallel(answer, right):
        return None
    for wrong, hint in mistakes:
        if parallel(answer, wrong, 1e-5):
            return hint
    if parallel(answer, right, 1e-3):
        return "close, but not close enough: keep more digits."
    return "test it: C u must point along f_0."


@checker(
    "theorem2-worst",
    asks="Build a dictionary with cond(C) = 9 on which feature 0 attains the sharp bound, unit features as columns.",
    expects=tensor(None, None),
    praise="the bound is attained: no dictionary with this condition number does worse.",
)
def theorem2_worst(answer: Float[Tensor, "d n"]) -> str | None:
    asked = 9.0
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
    attained = [abs(float(alignment_cosine(answer, k)) - sharp_bound(asked)) < 1e-4 for k in range(n)]
    if attained[0]:
        return None
    if any(attained):
        return "a feature attains the bound, but not feature 0: change their order."
    return "the condition number is right, but feature 0 is not the worst direction: which mixture of e_1 and e_d is?"


@checker(
    "theorem3-limit",
    asks="What does lambda^2 I tend to for sigma_1 = 4, sigma_2 = 3 and a teacher with gaps 2 and -5?",
    expects=number(),
    praise="interference falls with the square of lambda, and this is its constant.",
)
def theorem3_constant(answer: float) -> str | None:
    right = float(theorem3_limit(TwoPairHead(4.0, 3.0, gap_1=2.0, gap_2=-5.0)))
    if same(answer, right):
        return None
    s = lambda gap: float(torch.sigmoid(torch.tensor(gap, dtype=torch.float64)))  # noqa: E731
    a, b = 4 * (s(-3.0) - s(-5.0)), 4 * (s(4.0) - s(2.0))
    mistakes = [
        (a**2 + b**2, "you have the squared slope of CE itself: minimise slope * t + lambda * t^2, and square that t."),
        ((a**2 + b**2) / 2, "that is the limit of lambda times the gap in CE (Theorem 3's bound), not of lambda^2 I."),
        (a**2 / 4, "one of the two vectors is missing: x and y both turn."),
        (b**2 / 4, "one of the two vectors is missing: x and y both turn."),
        ((a + b) ** 2 / 4, "the two slopes belong to different vectors: add squares, not slopes."),
        ((a - b) ** 2 / 4, "the two slopes belong to different vectors: add squares, not slopes."),
        (32.0, "the slope of cross-entropy is a difference of probabilities, not of gaps: apply the sigmoid."),
        (right**0.5, "that is lambda times the length: I is a sum of squares."),
    ]
    for wrong, hint in mistakes:
        if same(answer, wrong):
            return hint
    if answer < 0:
        return "interference is a sum of squares, so its limit cannot be negative."
    if answer < 1e-6:
        return "interference itself goes to 0; asked is the limit of lambda^2 times it."
    return number_hint(answer, right) or (
        "not it: differentiate CE along u_1 (for x) and v_1 (for y) at the best orthogonal pair; its second gap is -3, "
        "the nearest to -5."
    )


@checker(
    "anisotropy-whitened",
    asks="Write recover(W_F, W_G, Omega, k): unit vectors along the query and key features of rank 1 to k.",
    expects=function("recover(W_F, W_G, Omega, k)"),
    praise="every feature of interest is found, on both sides.",
)
def anisotropy_whitened(recover: Callable) -> str | None:
    k = 3
    for seed in range(3):
        W_F, W_G, Omega, f, g = whitened_case(seed, k)
        try:
            answer = recover(W_F.clone(), W_G.clone(), Omega.clone(), k)
        except Exception as error:  # the reader's own code may raise anything
            lines = str(error).splitlines()
            return f"your function raised {type(error).__name__}{': ' + lines[0][:160] if lines else ''}."
        query, key = _two_sides(answer, (W_F.shape[0], k))
        right = [_along(query, f), _along(key, g)]
        if not all(right):
            return _whitening_hint(W_F, W_G, Omega, (query, key), (f, g), right)
    return None


def whitened_case(seed: int, k: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Two dictionaries, a QK matrix, and the features of interest on both sides [d, k], by falling target.

    Both dictionaries are one tight frame, distorted in two ways: whitened, the features of interest are orthonormal.
    """
    g = torch.Generator().manual_seed(seed)
    frame = isotropic_dictionary(n=12, d=6, interest=4)
    W_F, W_G = (
        (torch.eye(6, dtype=torch.float64) + 0.5 * torch.randn(6, 6, generator=g, dtype=torch.float64) / 6**0.5) @ frame
        for _ in range(2)
    )
    pairs = [(0, 1), (1, 2), (2, 3)][:k]
    targets = [9.0, 6.0, 4.0]
    # The order of rank is not the order of features in every case: one that reads off columns is found out.
    pairs = pairs[seed:] + pairs[:seed]
    f, key = W_F[:, [i for i, _ in pairs]], W_G[:, [j for _, j in pairs]]
    scaled = f @ torch.diag(torch.tensor(targets[:k], dtype=torch.float64)) @ key.mT
    Omega = torch.linalg.solve(W_F @ W_F.mT, scaled) @ torch.linalg.inv(W_G @ W_G.mT)
    return W_F, W_G, Omega, unit(f), unit(key)


def _two_sides(answer, shape: tuple[int, int]) -> list[Tensor]:
    """The pair that a reader's function returned, as tensors of the shape asked for."""
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        what = f"{len(answer)} things" if isinstance(answer, (tuple, list)) else f"one {type(answer).__name__}"
        raise Unreadable(f"your function must return a pair (F_hat, G_hat), it returned {what}.")
    sides = []
    for side, name in zip(answer, ("F_hat", "G_hat"), strict=True):
        try:
            sides.append(tensor(*shape).read(side))
        except Unreadable as error:
            raise Unreadable(f"{name}: {error}") from error
    return sides


def _along(found: Float[Tensor, "d k"], wanted: Float[Tensor, "d k"], tolerance: float = 1e-6) -> bool:
    return all(parallel(x, y, tolerance) for x, y in zip(found.mT, wanted.mT, strict=True))


def _whitening_hint(W_F, W_G, Omega, found, wanted, right) -> str:
    """The first step of the recipe that went wrong, judged on the sides that are not right."""
    k = found[0].shape[1]
    roots = [matrix_sqrt(W @ W.mT) for W in (W_F, W_G)]
    U, _, Vh = torch.linalg.svd(roots[0] @ Omega @ roots[1])
    plain_U, _, plain_Vh = torch.linalg.svd(Omega)
    kinds: list[list[Tensor]] = []
    for root, white, plain in zip(roots, (U[:, :k], Vh.mT[:, :k]), (plain_U[:, :k], plain_Vh.mT[:, :k]), strict=True):
        back = torch.linalg.solve(root, white)
        kinds.append([white, plain, root @ root @ plain, back, root @ root @ white])
    hints = [
        "these are the whitened features: bring them back with C^(1/2).",
        "these are plain singular vectors: whiten the matrix first.",
        "anti-whitening the vectors is right for one pair only; whiten the matrix.",
        "the wrong way round: C^(1/2), not its inverse, undoes the whitening of a feature.",
        "one C^(1/2) too many.",
    ]
    wrong = [side for side in (0, 1) if not right[side]]
    one_side = "" if len(wrong) == 2 else f"the {('query', 'key')[wrong[0]]} side is not right yet, the other is; "
    for kind, hint in enumerate(hints):
        if all(_along(found[side], kinds[side][kind]) for side in wrong):
            return one_side + hint
    if all(_along(found[side], wanted[1 - side]) for side in (0, 1)):
        return "query and key side are exchanged: U reads queries, V keys."
    for root in roots:  # one C on both sides
        U, _, Vh = torch.linalg.svd(root @ Omega @ root)
        if all(_along(found[side], root @ (U, Vh.mT)[side][:, :k]) for side in (0, 1)):
            return "there are two dictionaries: each side has its own C."
    if len(wrong) == 1:
        return one_side + "each side has its own C."
    for order in permutations(range(k)):
        if all(_along(found[side][:, list(order)], wanted[side]) for side in wrong):
            return "the right directions, but columns must stand by falling singular value."
    return "not the features yet; start from M = C_F^(1/2) Omega C_G^(1/2)."
