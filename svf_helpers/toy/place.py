"""Where a training run stands, kept on disk so that an interrupted run goes on as if nothing had happened."""

from __future__ import annotations

import signal
import threading
import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch


class Place:
    """A run's place on disk: everything that the next step depends on, in one file that is swapped in whole."""

    def __init__(self, path, flat, optimiser, stream, trail, fingerprint):
        self.path = Path(path) if path else None
        self.flat, self.optimiser, self.stream, self.trail = flat, optimiser, stream, trail
        self.fingerprint = fingerprint

    def save(self, step: int) -> None:
        if self.path is None:
            return
        state = self.optimiser.state.get(self.flat, {})
        moments = {key: state[key].cpu().numpy() for key in ("exp_avg", "exp_avg_sq", "step") if state}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(self.path.name + ".part")
        with beside.open("wb") as file:
            np.savez(
                file,
                fingerprint=self.fingerprint,
                device=self.flat.device.type,
                at=step,
                flat=self.flat.cpu().numpy(),
                stream=self.stream.state(),
                **moments,
                **self.trail.arrays(),
            )
        beside.replace(self.path)

    def load(self) -> int:
        if self.path is None or not self.path.exists():
            return 0
        try:
            with np.load(self.path, allow_pickle=False) as stored:
                arrays = {key: stored[key] for key in stored.files}
            whose = str(arrays["fingerprint"]), str(arrays["device"])
        except (OSError, ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile) as error:
            raise ValueError(f"{self.path} is not a whole checkpoint: remove it, or name another") from error
        if whose != (self.fingerprint, self.flat.device.type):
            raise ValueError(
                f"{self.path} holds the place of another run (other configurations, seeds, steps, recorded steps or "
                "device): remove it, or name another checkpoint"
            )
        self.flat.copy_(torch.from_numpy(arrays["flat"]))
        if "exp_avg" in arrays:
            keys = ("exp_avg", "exp_avg_sq", "step")
            self.optimiser.state[self.flat] = {key: torch.from_numpy(arrays[key]).to(self.flat.device) for key in keys}
        self.stream.restore(arrays["stream"])
        self.trail.restore(arrays)
        return int(arrays["at"])


@contextmanager
def interrupted_between_steps():
    """Hold back the first Ctrl-C; yields a function, to call between steps, that raises it then.

    Half a step cannot be saved. A second Ctrl-C is not held back. Outside the main thread, where Python delivers no
    signals, and where someone else handles them, nothing changes.
    """
    held = []

    def hold(number, frame):
        if held:
            raise KeyboardInterrupt
        held.append(number)

    def now():
        if held:
            raise KeyboardInterrupt

    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield now
        return
    signal.signal(signal.SIGINT, hold)
    try:
        yield now
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
