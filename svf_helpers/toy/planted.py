"""Contexts of the toy model with chosen pairs of interest in them and no others (paper, section 5, Figures 5 to 7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ..device import choose_device, on_device
from .config import ToyConfig
from .model import strengths

# Where contexts are drawn, so that a seed gives the same ones on every device.
AT_HOME: dict[str, Any] = {"dtype": torch.float32, "device": "cpu"}


class Contexts(NamedTuple):
    """Feature strengths of queries, each with keys of its own. Key 0 is the one that a planted pair points to.

    Example:
        >>> contexts = planted_contexts(ToyConfig(), [0], count=3)
        >>> contexts.query.shape, contexts.keys.shape
        (torch.Size([3, 20]), torch.Size([3, 4, 20]))
    """

    query: Float[Tensor, "contexts n"]
    keys: Float[Tensor, "contexts c n"]


def planted_contexts(
    config: ToyConfig,
    ranks: Sequence[int],
    count: int,
    generator: torch.Generator | None = None,
    device: str | torch.device = "cpu",
) -> Contexts:
    """Draw contexts with the pairs of some ranks and no others: query features in the query, key features in key 0.

    All other features of interest are absent, from the query and from every key; the features of no interest come and
    go as the model was trained on them. A planted feature is always there, its strength uniform on [0, 1].

    Args:
        config: the model's sizes, probability and pairs.
        ranks: which pairs, 0 for the largest target; none plants nothing.
        count: how many contexts.
        generator: for repeatable draws; on the CPU.
        device: where the contexts are wanted.

    Raises:
        ValueError: for a rank that no pair has.

    Example:
        >>> contexts = planted_contexts(ToyConfig(), [1], 50, torch.Generator().manual_seed(0))
        >>> i, j = ToyConfig().ranked_pairs[1]
        >>> bool((contexts.query[:, i] > 0).all()), bool(contexts.keys[:, 1:, j].any())
        (True, False)
    """
    pairs = config.ranked_pairs
    wrong = [rank for rank in ranks if not 0 <= rank < len(pairs)]
    if wrong:
        raise ValueError(f"ranks {wrong}: the model has the pairs 0 to {len(pairs) - 1}")
    drawn = free_contexts(config, count, generator)
    of_interest = sorted({feature for pair in pairs for feature in pair})
    drawn.query[:, of_interest] = 0
    drawn.keys[..., of_interest] = 0
    for rank in ranks:
        i, j = pairs[rank]
        drawn.query[:, i] = torch.rand(count, generator=generator, **AT_HOME)
        drawn.keys[:, 0, j] = torch.rand(count, generator=generator, **AT_HOME)
    return Contexts(*on_device(device, *drawn))


def free_contexts(
    config: ToyConfig, count: int, generator: torch.Generator | None = None, device: str | torch.device = "cpu"
) -> Contexts:
    """Draw contexts as the model is trained on them, every feature there with probability p.

    Example:
        >>> free_contexts(ToyConfig(p=1.0), 2, torch.Generator().manual_seed(0)).keys.shape
        torch.Size([2, 4, 20])
    """
    x = strengths(torch.rand(count, 1 + config.c, config.n, generator=generator, **AT_HOME), config.p)
    return Contexts(*on_device(device, x[:, 0].clone(), x[:, 1:].clone()))


def strength_moments(
    config: ToyConfig, device: str | torch.device = "cpu"
) -> tuple[Float[Tensor, "n n"], Float[Tensor, "n n"]]:
    r"""Second moments of feature strengths in float64: raw, $\mathbb E[xx^\top]$, and centred.

    A strength has mean p/2 and mean square p/3, and strengths are independent. The moments of tokens are $W$ times
    these times $W^\top$.

    Example:
        >>> raw, centred = strength_moments(ToyConfig(n=2, p=1.0, pairs={}))
        >>> round(raw[0, 0].item(), 4), raw[0, 1].item(), round(centred[0, 0].item(), 4)
        (0.3333, 0.25, 0.0833)
    """
    mean, square = config.p / 2, config.p / 3
    centred = (square - mean**2) * torch.eye(config.n, dtype=torch.float64, device=choose_device(device))
    return centred + mean**2, centred
