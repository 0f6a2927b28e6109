"""The stored heads of this chapter, found by their setting, and what is counted of them: who lies on which vector."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from svf_helpers.chapters.beyond_capacity.capacity import pair_cosines, pair_logits, tight_frame
from svf_helpers.chapters.beyond_capacity.runs import falling_pairs
from svf_helpers.chapters.kit.words import so_many
from svf_helpers.experiments import Result
from svf_helpers.features import unit

ON = 0.9  # |cos| on both sides above which a pair lies on a vector
OPPOSITE = -0.5  # cosine of two weak query features below which they count as opposites


class Tally(NamedTuple):
    """How many strong pairs lie on the vector of their rank, and how many weak ones lean to the last: ``"16 of 80"``.

    Strong pairs are those before the last singular vector, r - 1 in each head; all later ones are weak.
    """

    own: str
    last: str


@dataclass(frozen=True, eq=False)
class Heads:
    """Trained heads with more and more pairs of interest; :func:`stored_heads` reads them.

    ``lam``, ``steps``, ``count`` (of pairs) and ``seed`` say what each of them is.

    Example:
        >>> from svf_helpers.experiments import load
        >>> heads = stored_heads(load("beyond-capacity"))
        >>> heads.settings
        [(4.0, 20000), (4.0, 80000), (1.0, 20000), (1.0, 80000)]
        >>> heads.counts, heads.targets[:3], heads.pairs[:3]
        ([5, 6, 7, 8, 9, 10], [21.0, 20.0, 19.0], [(0, 10), (1, 11), (2, 12)])
    """

    W: Float[Tensor, "heads d n"]
    W_Q: Float[Tensor, "heads d r"]
    W_K: Float[Tensor, "heads d r"]
    lam: Float[np.ndarray, " heads"]
    steps: Int[np.ndarray, " heads"]
    count: Int[np.ndarray, " heads"]
    seed: Int[np.ndarray, " heads"]

    @property
    def r(self) -> int:
        """The head's dimension."""
        return self.W_Q.shape[-1]

    @property
    def counts(self) -> list[int]:
        """The numbers of pairs that were tried, rising."""
        return sorted({int(count) for count in self.count})

    @property
    def settings(self) -> list[tuple[float, int]]:
        """(lambda, steps) that were run, the default lambda first."""
        found = {(float(lam), int(steps)) for lam, steps in zip(self.lam, self.steps, strict=True)}
        return sorted(found, key=lambda setting: (-setting[0], setting[1]))

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Query and key feature of every pair that a head may have, by falling target."""
        return list(falling_pairs(self.W.shape[-1], self.counts[-1]))

    @property
    def targets(self) -> list[float]:
        """The targets of these pairs."""
        return list(falling_pairs(self.W.shape[-1], self.counts[-1]).values())

    @property
    def beyond(self) -> Bool[np.ndarray, " heads"]:
        """Which heads have more pairs than dimensions."""
        return self.count > self.r

    def find(self, lam: float, steps: int, count: int, seed: int = 0) -> int:
        """The number of the head of this setting; ``ValueError`` where none was stored."""
        same = (self.lam == lam) & (self.steps == steps) & (self.count == count) & (self.seed == seed)
        if not same.any():
            raise ValueError(f"no head with lambda {lam:g}, {steps:,} steps, {count} pairs and seed {seed}; stored are "
                             f"(lambda, steps) {self.settings} with {self.counts} pairs")
        return int(np.flatnonzero(same)[0])

    def tight_frame(self) -> Heads:
        """The same heads, every logit unchanged, in the coordinates of a tight frame."""
        W, W_Q, W_K = tight_frame(self.W, self.W_Q, self.W_K)
        return replace(self, W=W, W_Q=W_Q, W_K=W_K)

    def logits(self) -> Float[Tensor, "heads N N"]:
        """Logits between the pairs' query and key features at strength 1, also of pairs that a head does not have."""
        return pair_logits(self.W, self.W_Q, self.W_K, self.pairs)

    def worse_side(self) -> list[Float[Tensor, "pairs r"]]:
        """For every head: |cos| of each of its pairs with each singular vector, on the worse of the two sides."""
        cosines = pair_cosines(self.W, self.W_Q, self.W_K, self.pairs)
        return [each[:count] for each, count in zip(cosines, self.count, strict=True)]

    def lowest_cosines(self) -> Float[np.ndarray, " heads"]:
        """For every head the lowest cosine between the query features of two weak pairs (pair r counts as one)."""
        weak = [unit(W[:, self.r - 1 : count]) for W, count in zip(self.W, self.count, strict=True)]
        return np.array([float((F.mT @ F).min()) for F in weak])

    def aligned(self, chosen: Bool[np.ndarray, " heads"]) -> tuple[Bool[Tensor, " strong"], Bool[Tensor, " weak"]]:
        """Of the chosen heads: which strong pairs lie on the vector of their rank, which weak ones lean to the last."""
        cosines, k = [each for each, take in zip(self.worse_side(), chosen, strict=True) if take], self.r - 1
        own = torch.cat([each[:k].diagonal() > ON for each in cosines])
        return own, torch.cat([each[k:].argmax(1) == k for each in cosines])

    def tally(self, chosen: Bool[np.ndarray, " heads"]) -> Tally:
        """Strong and weak pairs of the chosen heads, counted."""
        return Tally(*map(so_many, self.aligned(chosen)))

    def tallies(self) -> dict[tuple[float, int], Tally]:
        """The tally of all heads beyond capacity at each setting, (lambda, steps)."""
        return {(lam, steps): self.tally(self.beyond & (self.lam == lam) & (self.steps == steps))
                for lam, steps in self.settings}


def stored_heads(result: Result) -> Heads:
    """All heads of a stored result, ``beyond-capacity`` or ``beyond-capacity-wide``, in float64.

    Example:
        >>> from svf_helpers.experiments import load
        >>> heads = stored_heads(load("beyond-capacity"))
        >>> heads.tight_frame().tally(heads.beyond & (heads.steps == 80_000))
        Tally(own='40 of 40', last='40 of 40')
    """
    W, W_Q, W_K = (torch.tensor(result[name]).double() for name in ("W", "W_Q", "W_K"))
    return Heads(W, W_Q, W_K, result["lam"].astype(float), result["steps"], result["pairs"], result["seed"])
