"""Claims of the chapter beyond capacity: Figure 23, on the stored heads with more pairs of interest than dimensions."""

from jaxtyping import Bool
from torch import Tensor

from svf_helpers.chapters.beyond_capacity.stored_heads import stored_heads
from svf_helpers.chapters.kit.claims import Verdict, claim
from svf_helpers.chapters.kit.words import so_many
from svf_helpers.experiments import Result

MIXED = "features keep more than their own lengths, the singular values lie close together, and their vectors mix"
ONE = " (one seed)"


@claim("Fig 23a", "at the default λ = 4 the pairs with the largest targets keep a singular vector each (|cos| > .9)",
       "beyond-capacity", "differs", (0.05, 0.4))
def strong_pairs_keep_their_vectors(result: Result) -> Verdict:
    """Pairs 1 to 4 of all heads with six pairs or more, with the vector of their own rank; held to their share."""
    own, _ = _pairs(result, lam=4)
    return _mostly(own, "strong pairs", MIXED)


@claim("Fig 23a", "at the default λ = 4 the pairs with the lowest targets share the last singular vector",
       "beyond-capacity", "differs", (0.35, 0.7))
def weak_pairs_share_the_last_vector(result: Result) -> Verdict:
    """Pairs from the fifth on whose largest |cos| (worse side) is with the last vector; held to their share."""
    _, last = _pairs(result, lam=4)
    differs = "vectors mix; in nearly half of the heads at 20,000 steps two vectors are shared"
    return _mostly(last, "weak pairs lean to the last vector", differs)


@claim("Fig 23a", "at λ = 1 and after 80,000 steps, strong pairs keep a vector each and all others share the last",
       "beyond-capacity")
def long_training_shows_the_papers_picture(result: Result) -> Verdict:
    """Both of the claims above, for the one seed that was trained for so long."""
    return _both(*_pairs(result, lam=1, steps=80_000), ONE)


@claim("Fig 23a", "rewritten as tight frames, which changes no logit, heads at λ = 4 show the same after 80,000 steps",
       "beyond-capacity")
def as_tight_frames_they_show_it_too(result: Result) -> Verdict:
    """The same heads in coordinates in which the features' Gram matrix is the identity."""
    return _both(*_pairs(result, lam=4, steps=80_000, tight=True), ONE)


@claim("Fig 23b",
       "at the default λ = 4 the nine pairs with the largest targets keep a singular vector each (|cos| > .9)",
       "beyond-capacity-wide", "differs", (0.0, 0.15))
def strong_pairs_of_the_wide_head(result: Result) -> Verdict:
    """Pairs 1 to 9 of all heads with eleven pairs or more, with the vector of their own rank; held to their share."""
    own, _ = _pairs(result, lam=4)
    return _mostly(own, "strong pairs", MIXED)


@claim("Fig 23b",
       "rewritten as tight frames, strong pairs keep a vector each and the others share the last (λ = 4, 80,000 steps)",
       "beyond-capacity-wide", "differs", (0.75, 0.95))
def wide_heads_as_tight_frames(result: Result) -> Verdict:
    """Held to the share of strong pairs."""
    differs = "pairs near the cut divide two or three vectors; in many heads weak pairs lie on opposite sides of one"
    return _both(*_pairs(result, lam=4, steps=80_000, tight=True), differs=differs)


def _pairs(
    result: Result, lam: float, steps: int | None = None, tight: bool = False
) -> tuple[Bool[Tensor, " strong"], Bool[Tensor, " weak"]]:
    """Of heads beyond capacity: strong pairs that lie on the vector of their rank, weak ones nearest to the last."""
    heads = stored_heads(result)
    chosen = heads.beyond & (heads.lam == lam) & ((heads.steps == steps) | (steps is None))
    return (heads.tight_frame() if tight else heads).aligned(chosen)


def _mostly(hits: Bool[Tensor, " pairs"], what: str, differs: str) -> Verdict:
    share = float(hits.double().mean())
    return Verdict(share > 0.9, f"{so_many(hits)} {what}", share, differs)


def _both(own: Bool[Tensor, " strong"], last: Bool[Tensor, " weak"], note: str = "", differs: str = "") -> Verdict:
    measured = f"{so_many(own)} strong pairs on their vectors; {so_many(last)} weak ones lean to the last{note}"
    return Verdict(bool(own.all() and last.all()), measured, float(own.double().mean()), differs or "some pairs do not")
