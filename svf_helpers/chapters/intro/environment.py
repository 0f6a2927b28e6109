"""What a machine can run of this book: the check in the introduction."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

import torch

NEEDED = {"Python": (3, 11), "PyTorch": (2, 6)}  # as in pyproject.toml
PACE = 0.8  # seconds for 1,000 training steps of the default toy model on the two cores that the book's times refer to
LIVE = 60.0  # seconds that a chapter may take on those two cores


@dataclass(frozen=True)
class Machine:
    """What matters of a machine. ``memory`` and ``gpu`` (its memory) are in GB, None where there is none or no answer.

    ``pace`` is how many seconds the processor needs for 1,000 training steps of the default toy model.

    Example:
        >>> laptop = Machine((3, 12, 1), "2.13.0", cores=8, memory=16.0, gpu=None, language_models=False, pace=0.8)
        >>> laptop.cores
        8
    """

    python: tuple[int, ...]
    torch: str
    cores: int
    memory: float | None
    gpu: float | None
    language_models: bool
    pace: float


def this_machine() -> Machine:
    """Look at the machine that this runs on; training a toy model for a moment takes about a second.

    Example:
        >>> this_machine().python >= NEEDED["Python"]
        True
    """
    gpu = torch.cuda.get_device_properties(0).total_memory / 1e9 if torch.cuda.is_available() else None
    models = importlib.util.find_spec("transformer_lens") is not None  # importing it would take seconds
    return Machine(sys.version_info[:3], torch.__version__, _cores(), _memory(), gpu, models, _pace())


def report(machine: Machine, paper_seconds: Mapping[str, float]) -> list[str]:
    """The check as lines of text.

    Args:
        machine: from :func:`this_machine`.
        paper_seconds: for each chapter, seconds of its paper-scale runs on two cores (:func:`paper_seconds`).

    Example:
        >>> laptop = Machine((3, 12, 1), "2.13.0", 8, 16.0, None, False, pace=0.8)
        >>> print("\\n".join(report(laptop, {"one_pair": 600.0})))
        Python           3.12.1, fine
        PyTorch          2.13.0, fine
        processor        8 cores, 16 GB of memory
        GPU              none that PyTorch can use, and none is needed
        language models  no transformer_lens; only their chapters need it
        <BLANKLINE>
        chapter          live               its long runs, made again
        one_pair         within a minute    about 10 minutes
    """
    rows = {
        "Python": _version("Python", machine.python),
        "PyTorch": _version("PyTorch", machine.torch.split("+")[0]),
        "processor": f"{machine.cores} core{'s' * (machine.cores != 1)}"
        + ("" if machine.memory is None else f", {machine.memory:.0f} GB of memory"),
        "GPU": "none that PyTorch can use, and none is needed"
        if machine.gpu is None
        else f"one with {machine.gpu:.0f} GB: training takes it by itself",
        "language models": "transformer_lens is installed"
        if machine.language_models
        else "no transformer_lens; only their chapters need it",
    }
    lines = [f"{name:<17}{words}" for name, words in rows.items()]
    slower = max(1.0, machine.pace / PACE)
    lines += ["", f"{'chapter':<17}{'live':<19}its long runs, made again"]
    for chapter, seconds in paper_seconds.items():
        lines.append(f"{chapter:<17}{'within ' + _long(LIVE * slower):<19}about {_long(seconds * slower)}")
    return lines


def paper_seconds() -> dict[str, float]:
    """Seconds that each chapter's paper-scale runs take on two cores, from the registry of experiments, shortest first.

    Runs that need a model from the hub are left out.

    Example:
        >>> seconds = paper_seconds()
        >>> seconds["superposition"] < seconds["robustness"]
        True
    """
    from svf_helpers.experiments.registry import discover

    total: dict[str, float] = {}
    for run in discover().values():
        if not run.hub:
            total[run.chapter] = total.get(run.chapter, 0) + run.seconds["paper"]
    return dict(sorted(total.items(), key=lambda item: item[1]))


def _version(name: str, have: tuple[int, ...] | str) -> str:
    text = have if isinstance(have, str) else ".".join(map(str, have))
    parts = tuple(int("".join(filter(str.isdigit, part)) or 0) for part in text.split(".")[:2])
    needed = ".".join(map(str, NEEDED[name]))
    return f"{text}, fine" if parts >= NEEDED[name] else f"{text} is too old: the book needs {needed} or newer"


def _long(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    if minutes < 90:
        return "a minute" if minutes == 1 else f"{minutes} minutes"
    return f"{round(minutes / 60)} hours"


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))  # those that this process may use; Linux only
    except AttributeError:
        return os.cpu_count() or 1


def _memory() -> float | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):  # Windows
        return None


def _pace(steps: int = 50, rounds: int = 5) -> float:
    from svf_helpers.toy import ToyConfig, train

    train(ToyConfig(), steps=5, device="cpu")  # the first steps pay for loading
    best = float("inf")
    for _ in range(rounds):  # the best round: others may have been interrupted by other programs
        begin = time.perf_counter()
        train(ToyConfig(), steps=steps, device="cpu")
        best = min(best, time.perf_counter() - begin)
    return best / steps * 1000
