"""What one toy model is: its sizes, its data, its targets and its optimiser (paper, section 3 and Table 1)."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from svf_helpers.rope import Rotary

# Numbers of Python's or NumPy's; the configuration keeps Python's.
Whole: TypeAlias = int | np.integer
Number: TypeAlias = float | np.floating
Schedule: TypeAlias = Literal["cosine", "constant"]

DEFAULT_PAIRS = {(0, 4): 24.0, (1, 5): 21.0, (2, 6): 18.0, (3, 7): 15.0}


@dataclass(frozen=True, init=False)
class ToyConfig:
    """One toy model with an attention head. The defaults are the paper's Table 1.

    Args:
        n: number of features.
        d: token dimension (features are vectors of this length).
        r: head dimension; ``r <= d``.
        c: context length, the number of keys each query sees; at least 2.
        p: probability that a feature is present in a token, in (0, 1].
        lam: weight of the attention loss against the reconstruction loss.
        pairs: target logits, ``{(i, j): T_ij}`` or triples (i, j, T_ij): added where feature i is in the query and j
            in the key. Empty: the model is trained without attention loss (the paper's Figure 1a).
        keys: key tokens a step; a step has ``keys // c`` queries, each with keys of its own.
        lr: peak learning rate of AdamW.
        schedule: "cosine" decays the rate to 0 along a quarter cosine; "constant" leaves it alone.
        weight_decay: AdamW's decoupled decay.
        scale_logits: divide logits by sqrt(r), as appendix C.3 does and the main model does not.
        positions: with RoPE (appendix D), how many positions a token can stand at; each token's is uniform on them.
            0 is the main model, without positions.
        bands: pairs whose target depends on position, ``{(i, j): b}``: T_ij is multiplied by the cosine of the offset
            (query position - key position) times the frequency of band b (appendix D, eq. 19).

    Raises:
        ValueError: for a configuration that describes no such model, naming the field and what would be right.

    Example:
        >>> config = ToyConfig(pairs={(0, 1): 5.0, (2, 3): 9.0})
        >>> config.ranked_pairs, config.queries, config.tokens
        (((2, 3), (0, 1)), 256, 1280)
    """

    n: int
    d: int
    r: int
    c: int
    p: float
    lam: float
    pairs: tuple[tuple[int, int, float], ...]
    keys: int
    lr: float
    schedule: Schedule
    weight_decay: float
    scale_logits: bool
    positions: int
    bands: tuple[tuple[int, int, int], ...]

    def __init__(
        self,
        n: Whole = 20,
        d: Whole = 10,
        r: Whole = 10,
        c: Whole = 4,
        p: Number = 0.52,
        lam: Number = 4.0,
        pairs: Mapping[tuple[Whole, Whole], Number] | Iterable[Sequence[Number]] = DEFAULT_PAIRS,
        keys: Whole = 1024,
        lr: Number = 1e-3,
        schedule: Schedule = "cosine",
        weight_decay: Number = 0.01,
        scale_logits: bool = False,
        positions: Whole = 0,
        bands: Mapping[tuple[Whole, Whole], Whole] | Iterable[Sequence[Whole]] = (),
    ):
        # Plain numbers whatever was given (NumPy's, 1 for 1.0): equal configurations then have equal JSON.
        wholes = {"n": n, "d": d, "r": r, "c": c, "keys": keys, "positions": positions}
        numbers = {"p": p, "lam": lam, "lr": lr, "weight_decay": weight_decay}
        plain = {name: _plain(name, value, operator.index, "a whole number") for name, value in wholes.items()}
        plain |= {name: _plain(name, value, float, "a number") for name, value in numbers.items()}
        plain |= {"pairs": plain_pairs(pairs), "bands": plain_bands(bands)}
        plain |= {"schedule": schedule, "scale_logits": scale_logits}
        for name, value in plain.items():
            object.__setattr__(self, name, value)
        self._check()

    def _check(self) -> None:
        for name, least in (("n", 1), ("d", 1), ("r", 1), ("keys", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} = {getattr(self, name)}: must be at least {least}")
        if self.r > self.d:
            raise ValueError(f"r = {self.r} > d = {self.d}: a head cannot have more dimensions than its tokens")
        if self.c < 2:
            raise ValueError(f"c = {self.c}: a query needs at least two keys to choose between, c >= 2")
        if self.keys % self.c:
            raise ValueError(f"keys = {self.keys} is not a multiple of c = {self.c}: every query needs c of its own")
        if not 0 < self.p <= 1:
            raise ValueError(f"p = {self.p}: a feature's probability must lie in (0, 1]")
        if not 0 <= self.lam < float("inf"):
            raise ValueError(f"lam = {self.lam}: the weight of the attention loss must be finite and not negative")
        if not 0 < self.lr < float("inf"):
            raise ValueError(f"lr = {self.lr}: the learning rate must be finite and positive")
        if not 0 <= self.weight_decay < float("inf"):
            raise ValueError(f"weight_decay = {self.weight_decay}: must be finite and not negative")
        if self.schedule not in ("cosine", "constant"):
            raise ValueError(f"schedule = {self.schedule!r}: must be 'cosine' or 'constant'")
        for i, j, target in self.pairs:
            if not math.isfinite(target):
                raise ValueError(f"pair ({i}, {j}) has the target {target}: target logits are finite numbers")
            if not (0 <= i < self.n and 0 <= j < self.n):
                raise ValueError(f"pair ({i}, {j}) names a feature outside 0..{self.n - 1} (n = {self.n})")
        if len({(i, j) for i, j, _ in self.pairs}) < len(self.pairs):
            raise ValueError(f"a pair is given twice in {self.pairs}")
        self._check_rope()

    def _check_rope(self) -> None:
        if self.positions < 0 or self.positions == 1:
            raise ValueError(f"positions = {self.positions}: 0 (no RoPE) or at least 2 places for a token to stand at")
        if self.positions and self.r % 2:
            raise ValueError(f"r = {self.r}: RoPE turns pairs of head dimensions, r must be even")
        if self.bands and not self.positions:
            raise ValueError(f"bands = {self.bands}, but positions = 0: targets that depend on position need positions")
        for i, j, band in self.bands:
            if not 0 <= band < self.r // 2:
                raise ValueError(f"band {band} of pair ({i}, {j}): r = {self.r} has the bands 0..{self.r // 2 - 1}")
            if (i, j) not in self.ranked_pairs:
                raise ValueError(f"bands name the pair ({i}, {j}), which has no target; pairs: {self.ranked_pairs}")

    @property
    def rotary(self) -> Rotary | None:
        """The rotation by position, neighbouring head dimensions paired as in the paper; None without positions."""
        return Rotary.of(self.r, pairing="neighbours") if self.positions else None

    @property
    def queries(self) -> int:
        """Queries a step."""
        return self.keys // self.c

    @property
    def tokens(self) -> int:
        """Tokens a step: the queries and all their keys."""
        return self.queries * (1 + self.c)

    @property
    def ranked_pairs(self) -> tuple[tuple[int, int], ...]:
        """The pairs (i, j) by falling size of the target logit: the pair of rank k is expected on singular vector k."""
        return tuple((i, j) for i, j, _ in sorted(self.pairs, key=lambda row: -abs(row[2])))

    @property
    def targets(self) -> Float[Tensor, "n n"]:
        """The matrix T of target logits, queries as rows, on the CPU."""
        T = torch.zeros(self.n, self.n, dtype=torch.float32, device="cpu")
        for i, j, t in self.pairs:
            T[i, j] = t
        return T

    def to_dict(self) -> dict:
        """As plain numbers, lists and strings, for JSON; ``ToyConfig(**config.to_dict())`` gives it back."""
        return asdict(self) | {name: [list(row) for row in getattr(self, name)] for name in ("pairs", "bands")}


def _plain(name: str, value: Any, convert: Callable[[Any], Any], kind: str) -> Any:
    try:
        return convert(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} = {value!r}: must be {kind}") from error


def plain_pairs(given) -> tuple[tuple[int, int, float], ...]:
    """Pairs as (i, j, target) triples of plain numbers, from a mapping or from triples.

    Example:
        >>> plain_pairs({(0, 4): 24}), plain_pairs([[0, 4, 24]])
        (((0, 4, 24.0),), ((0, 4, 24.0),))
    """
    try:
        rows = [(*ij, t) for ij, t in given.items()] if isinstance(given, Mapping) else [tuple(row) for row in given]
        return tuple((operator.index(i), operator.index(j), float(t)) for i, j, t in rows)
    except (TypeError, ValueError) as error:
        raise ValueError(f"pairs are {{(i, j): target}} or (i, j, target) triples, got {given!r}") from error


def plain_bands(given) -> tuple[tuple[int, int, int], ...]:
    """Bands as (i, j, band) triples of plain integers, from a mapping or from triples.

    Example:
        >>> plain_bands({(0, 4): 1})
        ((0, 4, 1),)
    """
    try:
        rows = [(*ij, band) for ij, band in given.items()] if isinstance(given, Mapping) else map(tuple, given)
        return tuple((operator.index(i), operator.index(j), operator.index(band)) for i, j, band in rows)
    except (TypeError, ValueError) as error:
        raise ValueError(f"bands are {{(i, j): band}} or (i, j, band) triples, got {given!r}") from error


# What instances of one batch may differ in. Sizes are padded with zeros, which no gradient ever moves; everything else
# decides how tokens are laid out, or belongs to the one optimiser.
PER_INSTANCE = ("n", "d", "r", "p", "lam", "pairs", "bands")


def batch_key(config: ToyConfig) -> tuple:
    """What configurations have to agree in to be trained in one batch.

    Example:
        >>> batch_key(ToyConfig()) == batch_key(ToyConfig(p=0.9)), batch_key(ToyConfig()) == batch_key(ToyConfig(c=8))
        (True, False)
    """
    key = {field.name: getattr(config, field.name) for field in fields(ToyConfig) if field.name not in PER_INSTANCE}
    key["whether there are pairs"] = bool(config.pairs)
    # the bands' frequencies depend on r, and the row of draws after the n features places the tokens
    key["(n, r) with positions"] = (config.n, config.r) if config.positions else None
    return tuple(key.items())


def check_one_batch(configs: Sequence[ToyConfig]) -> None:
    """Refuse configurations that cannot be trained in one batch, naming what differs.

    Raises:
        ValueError: for configurations that differ in more than one batch allows.

    Example:
        >>> check_one_batch([ToyConfig(p=0.1), ToyConfig(p=0.9)])  # these can
    """
    for (name, first), *others in zip(*map(batch_key, configs), strict=True):
        values = sorted({first, *(value for _, value in others)}, key=str)
        if len(values) > 1:
            raise ValueError(
                f"instances of one batch may differ in {', '.join(PER_INSTANCE)} and seed only; {name} takes the "
                f"values {values}: train them in separate calls, or with svf_helpers.toy.sweep"
            )
