"""Claims of the chapter beyond capacity: Figure 23, on the stored heads with more pairs of interest than dimensions."""

import numpy as np
import torch

from svf_helpers.chapters.beyond_capacity.capacity import pair_cosines, tight_frame
from svf_helpers.chapters.kit.claims import Verdict, claim
from svf_helpers.experiments import Result

ON = 0.9  # |cos| on both sides from which a pair counts as lying on a vector


@claim(
    "Fig 23a",
    "at the default λ = 4 the pairs with the largest targets keep a singular vector each (|cos| > .9)",
    "beyond-capacity",
    "differs",
    (0.05, 0.4),
)
def strong_pairs_keep_their_vectors(result: Result) -> Verdict:
    """Pairs 1 to 4 of all heads with six pairs or more, with the vector of their own rank; held to their share."""
    own, _ = _pairs(result, lam=4)
    differs = "features keep more than their own lengths, the singular values lie close together, and their vectors mix"
    return Verdict(own.mean() > 0.9, f"{_share(own)} strong pairs", float(own.mean()), differs)


@claim(
    "Fig 23a",
    "at the default λ = 4 the pairs with the lowest targets share the last singular vector",
    "beyond-capacity",
    "differs",
    (0.35, 0.7),
)
def weak_pairs_share_the_last_vector(result: Result) -> Verdict:
    """Pairs from the fifth on whose largest |cos| (worse side) is with the last vector; held to their share."""
    _, last = _pairs(result, lam=4)
    differs = "vectors mix; in nearly half of the heads at 20,000 steps two vectors are shared"
    return Verdict(last.mean() > 0.9, f"{_share(last)} weak pairs lean to the last vector", float(last.mean()), differs)


@claim(
    "Fig 23a",
    "at λ = 1 and after 80,000 steps, strong pairs keep a vector each and all others share the last",
    "beyond-capacity",
)
def long_training_shows_the_papers_picture(result: Result) -> Verdict:
    """Both of the claims above, for the one seed that was trained for so long."""
    return _both(*_pairs(result, lam=1, steps=80_000))


@claim(
    "Fig 23a",
    "rewritten as tight frames, which changes no logit, heads at λ = 4 show the same after 80,000 steps",
    "beyond-capacity",
)
def as_tight_frames_they_show_it_too(result: Result) -> Verdict:
    """The same heads in coordinates in which the features' Gram matrix is the identity."""
    return _both(*_pairs(result, lam=4, steps=80_000, tight=True))


@claim(
    "Fig 23b",
    "at the default λ = 4 the nine pairs with the largest targets keep a singular vector each (|cos| > .9)",
    "beyond-capacity-wide",
    "differs",
    (0.0, 0.15),
)
def strong_pairs_of_the_wide_head(result: Result) -> Verdict:
    """Pairs 1 to 9 of all heads with eleven pairs or more, with the vector of their own rank; held to their share."""
    own, _ = _pairs(result, lam=4)
    differs = "features keep more than their own lengths, the singular values lie close together, and their vectors mix"
    return Verdict(own.mean() > 0.9, f"{_share(own)} strong pairs", float(own.mean()), differs)


@claim(
    "Fig 23b",
    "rewritten as tight frames, strong pairs keep a vector each and the others share the last (λ = 4, 80,000 steps)",
    "beyond-capacity-wide",
    "differs",
    (0.75, 0.95),
)
def wide_heads_as_tight_frames(result: Result) -> Verdict:
    """Held to the share of strong pairs."""
    own, last = _pairs(result, lam=4, steps=80_000, tight=True)
    measured = f"{_share(own)} strong pairs on their vectors; {_share(last)} weak ones lean to the last"
    differs = "pairs near the cut divide two or three vectors; in many heads weak pairs lie on opposite sides of one"
    return Verdict(bool(own.all() and last.all()), measured, float(own.mean()), differs)


def _pairs(result: Result, tight: bool = False, **wanted) -> tuple[np.ndarray, np.ndarray]:
    """Of heads beyond capacity: strong pairs that lie on the vector of their rank, weak ones nearest to the last."""
    r, m = result["summary_S"].shape[-1], result["W"].shape[-1] // 2
    chosen = [result[name] == value for name, value in wanted.items()]
    at = np.flatnonzero(np.all([*chosen, result["pairs"] > r], axis=0))
    model = [torch.tensor(result[name][at]).double() for name in ("W", "W_Q", "W_K")]
    cosines = pair_cosines(*(tight_frame(*model) if tight else model), [(k, k + m) for k in range(m)]).numpy()
    own = cosines[:, range(r - 1), range(r - 1)] > ON
    weak = [each[r - 1 : count].argmax(-1) == r - 1 for each, count in zip(cosines, result["pairs"][at], strict=True)]
    return own.ravel(), np.concatenate(weak)


def _both(own: np.ndarray, last: np.ndarray) -> Verdict:
    held = bool(own.all() and last.all())
    measured = f"{_share(own)} strong pairs on their vectors; {_share(last)} weak ones lean to the last (one seed)"
    return Verdict(held, measured, float(own.mean()), None if held else "some pairs do not")


def _share(hits: np.ndarray) -> str:
    return f"{int(hits.sum())} of {hits.size}"
