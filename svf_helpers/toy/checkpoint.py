"""Where a training run stands, kept on disk so that an interrupted run goes on as if nothing had happened."""

from __future__ import annotations

import signal
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..files import written_beside
from .recorder import HistoryRecorder


class TrainingCheckpoint:
    """The file that holds everything on which the next step depends, moved into place whole.

    Args:
        path: where it is kept; None keeps nothing.
        flat: all trained numbers in one tensor.
        optimiser: of that tensor.
        stream: of the random draws; has ``state()`` and ``restore(state)``.
        recorder: of the history so far.
        fingerprint: of the run; the checkpoint of another run is refused.

    Example:
        >>> import tempfile
        >>> from svf_helpers.toy.stream import UniformStream
        >>> def at_start(folder):
        ...     flat, stream = torch.zeros(3), UniformStream([0], (2, 4), torch.device("cpu"))
        ...     optimiser = torch.optim.AdamW([flat])
        ...     return flat, TrainingCheckpoint(f"{folder}/c.npz", flat, optimiser, stream, HistoryRecorder([]), "mine")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     flat, checkpoint = at_start(folder)
        ...     _ = flat.fill_(7)
        ...     checkpoint.save(step=5)
        ...     flat, checkpoint = at_start(folder)
        ...     checkpoint.load(), flat
        (5, tensor([7., 7., 7.]))
    """

    def __init__(
        self,
        path: Path | str | None,
        flat: Tensor,
        optimiser: torch.optim.Optimizer,
        stream,
        recorder: HistoryRecorder,
        fingerprint: str,
    ):
        self.path = Path(path) if path else None
        self.flat, self.optimiser, self.stream, self.recorder = flat, optimiser, stream, recorder
        self.fingerprint = fingerprint

    def save(self, step: int) -> None:
        """Write where the run stands after ``step`` steps."""
        if self.path is None:
            return
        state = self.optimiser.state.get(self.flat, {})
        moments = {key: state[key].cpu().numpy() for key in ("exp_avg", "exp_avg_sq", "step") if state}
        with written_beside(self.path) as beside, beside.open("wb") as file:
            arrays: dict[str, Any] = {
                "fingerprint": self.fingerprint,
                "device": self.flat.device.type,
                "at": step,
                "flat": self.flat.cpu().numpy(),
                "stream": self.stream.state(),
            }
            np.savez(file, **(arrays | moments | self.recorder.arrays()))

    def load(self) -> int:
        """Take the run back to where it stood; returns the number of steps done, 0 where nothing is kept.

        Raises:
            ValueError: the file is damaged or of another run.
        """
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
        self.recorder.restore(arrays)
        return int(arrays["at"])


@contextmanager
def interrupted_between_steps() -> Iterator[Callable[[], None]]:
    """Hold back the first Ctrl-C until the function that this yields is called, between two steps.

    Half a step cannot be saved. A second Ctrl-C is not held back. Outside the main thread, where Python delivers no
    signals, and where someone else handles them, nothing changes.

    Example:
        >>> with interrupted_between_steps() as interruption:
        ...     for step in range(3):
        ...         interruption()  # a Ctrl-C during the last step is raised here
        >>> step
        2
    """
    held: list[int] = []

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
