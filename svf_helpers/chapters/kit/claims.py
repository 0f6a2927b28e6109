"""Claims: what the paper shows, what our stored results say about it, and what we expect them to say.

``svf_helpers/chapters/NAME/claims.py`` registers a chapter's claims with :func:`claim`; a test holds each of them to
what was recorded, and ``book/tools/scorecard.py`` makes a page from the same ones. Claims are judged on the results
inside the package only: what somebody has made on their own machine proves nothing to a reader.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from svf_helpers.chapters.kit.paper_items import PAPER_ITEMS
from svf_helpers.experiments import Result, store
from svf_helpers.experiments.registry import Scale
from svf_helpers.features import unit

Expectation = Literal["borne out", "differs"]
Judge = Callable[[Any], "Verdict"]  # of a stored result, or of None: each claim knows which of the two it is given
SEEDS = 3  # of everything that a claim draws on the spot
ITEMS = {entry.item: entry for entry in PAPER_ITEMS}


@dataclass(frozen=True)
class Verdict:
    """What a result says: ``measured`` in words with numbers, ``value`` the number a recorded deviation is held to.

    ``differs`` says in a few words how and why the result differs, and is read only where it does.
    """

    borne_out: bool
    measured: str
    value: float | None = None
    differs: str | None = None

    def __post_init__(self) -> None:
        if not self.borne_out and not self.differs:
            raise ValueError(f"a verdict that differs must say how; measured: {self.measured}")


@dataclass(frozen=True)
class Claim:
    """One claim about one item of the paper; see :func:`claim`."""

    item: str
    claim: str
    result: str | None
    judge: Judge
    expect: Expectation
    interval: tuple[float, float] | None
    scale: Scale
    on: str | None

    @property
    def chapter(self) -> str:
        """The title of the item's chapter."""
        return ITEMS[self.item].chapter

    def read(self) -> Result | None:
        """The stored result it is judged on; ``FileNotFoundError`` where it was not made yet."""
        return None if self.result is None else store.read(store.packaged_folder(), self.result, self.scale)


CLAIMS: list[Claim] = []


def claim(
    item: str,
    sentence: str,
    result: str | None = None,
    expect: Expectation = "borne out",
    interval: tuple[float, float] | None = None,
    scale: Scale = "paper",
    on: str | None = None,
) -> Callable[[Judge], Judge]:
    """Register a function that judges a stored result (``None`` for a claim that needs none) as a claim.

    ``expect="differs"`` records a deviation: ``interval`` holds the lowest and highest value it may then measure.
    ``on`` names the model that stands in for the paper's own, which this book has not run.
    """
    if item not in ITEMS:
        raise ValueError(f"the paper has no item {item!r}; it has {', '.join(ITEMS)}")
    if (expect == "differs") != (interval is not None):
        raise ValueError(f"{item}: give an interval where a deviation is recorded, and nowhere else")

    def register(judge: Judge) -> Judge:
        CLAIMS.append(Claim(item, sentence, result, judge, expect, interval, scale, on))
        return judge

    return register


def assert_as_recorded(claim: Claim) -> None:
    """Fail unless the claim's verdict is the expected one, and a deviation lies where it was recorded."""
    verdict = claim.judge(claim.read())
    found = "borne out" if verdict.borne_out else "differs"
    assert found == claim.expect, f"{claim.item}: {found}, {claim.expect} was recorded; measured: {verdict.measured}"
    if claim.interval is not None:
        low, high = claim.interval
        assert verdict.value is not None, f"{claim.item}: a recorded deviation needs the measured value"
        assert low <= verdict.value <= high, f"{claim.item}: {verdict.value} lies outside {low} to {high}"


def aligned(cosines: np.ndarray) -> Verdict:
    """Whether every |cos| [seeds, ...] of pairs with their singular vectors is above .95."""
    worst, misses = float(cosines.min()), int((cosines.min(-1) <= 0.95).sum())
    measured = f"smallest |cos| {worst:.4f} over {len(cosines)} seeds"
    return Verdict(misses == 0, measured, worst, f"{misses} pairs are not aligned")


def under(value: float) -> str:
    """A bound on a rounding error, coarse enough to read the same on every machine: "under 1e-12"."""
    for bound in (1e-12, 1e-9, 1e-6, 1e-3):
        if value < bound:
            return f"under {bound:.0e}"
    return f"{value:.1e}"


def random_dictionaries(
    d: int, n: int, seed: int, spread: float = 0.0, empty: int = 0, members: int = SEEDS
) -> torch.Tensor:
    """Random unit features [members, d, n]; ``spread`` stretches space, ``empty`` directions hold no feature."""
    generator = torch.Generator().manual_seed(seed)
    W = torch.randn(members, d - empty, n, generator=generator, dtype=torch.float64)
    W = unit(W * torch.logspace(0, -spread, d - empty, dtype=torch.float64)[:, None])
    turn = torch.linalg.qr(torch.randn(members, d, d, generator=generator, dtype=torch.float64)).Q
    return turn[..., : d - empty] @ W
