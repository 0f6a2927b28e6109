"""One stored result, as a chapter reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from svf_helpers.experiments.registry import Scale


@dataclass(frozen=True)
class Result:
    """One stored result: ``result["name"]`` is a read-only array, ``info`` says how all of them were made.

    >>> info = {"scale": "paper", "seeds": [0, 1, 2], "config": {"steps": 20_000}}
    >>> Result({"summary_cosines": np.ones(3)}, info).label()
    'paper scale, 3 seeds, 20,000 steps'
    """

    arrays: Mapping[str, np.ndarray]
    info: Mapping[str, Any]
    size: int = 0  # bytes on disk

    def __getitem__(self, key: str) -> np.ndarray:
        if key not in self.arrays:
            raise KeyError(f"{self.info['name']} holds no array {key!r}; it holds {', '.join(sorted(self.arrays))}")
        return self.arrays[key]

    @property
    def scale(self) -> Scale:
        """The scale it was made at: quick or paper."""
        return self.info["scale"]

    @property
    def seeds(self) -> list[int]:
        """The seeds of its instances."""
        return list(self.info["seeds"])

    @property
    def codes(self) -> list[str]:
        """Fingerprints of the code that made it, and of newer code that is proven to give the same.

        Code whose source was not at hand has none: of it nothing is known.

        >>> Result({}, {"code": "", "confirmed": ["0123456789abcdef"]}).codes
        ['0123456789abcdef']
        """
        return [code for code in (self.info["code"], *self.info.get("confirmed", [])) if code]

    @property
    def command(self) -> str:
        """The command that makes this result again."""
        return self.info["command"]

    def label(self) -> str:
        """What a figure's caption says of its data, e.g. ``"paper scale, 10 seeds, 20,000 steps"``.

        Where nothing was trained, no steps are named.
        """
        seeds = len(self.seeds)
        steps = np.atleast_1d(self.info["config"]["steps"])
        low, high = int(steps.min()), int(steps.max())
        span = f"{high:,}" if low == high else f"{low:,} to {high:,}"
        return f"{self.scale} scale, {seeds} seed{'s' * (seeds != 1)}" + (f", {span} steps" if high else "")
