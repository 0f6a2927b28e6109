"""The exercise of the chapter on anisotropy that can be marked."""

from collections.abc import Callable
from itertools import permutations

import torch
from jaxtyping import Float
from torch import Tensor

from svf_helpers.chapters.kit.answers import Unreadable, function, tensor
from svf_helpers.chapters.kit.check import check
from svf_helpers.chapters.kit.marking import checker, parallel
from svf_helpers.features import isotropic_dictionary, unit
from svf_helpers.qk import matrix_sqrt

__all__ = ["check", "whitened_case"]


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


def _along(found: Float[Tensor, "d k"], wanted: Float[Tensor, "d k"]) -> bool:
    return all(parallel(x, y) for x, y in zip(found.mT, wanted.mT, strict=True))


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
