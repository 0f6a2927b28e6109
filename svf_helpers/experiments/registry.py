"""Which experiments there are: one function for each stored result.

Registering costs nothing: a run imports torch inside its function, so that listing and reading results stay quick.
"""

import difflib
import importlib
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Literal

PROGRAM = "python -m svf_helpers.experiments"
Scale = Literal["quick", "paper"]
SCALES: tuple[Scale, ...] = ("quick", "paper")

#: Arrays that a re-run has to reproduce unless an experiment says otherwise; all others are compared by shape and type.
SUMMARIES: Mapping[str, float | None] = {"summary_*": 1e-3}

EXPERIMENTS: dict[str, "Experiment"] = {}

#: What every run takes, and what the command line calls its own: no option may be named so.
TAKEN = {"names", "scale", "device", "progress", "workdir", "fresh", "out", "action", "help"}


@dataclass(frozen=True)
class Option:
    """A setting of a run: what it is by default, and what the command line says of it.

    >>> Option("gpt2", "a name on the hub or a local folder").default
    'gpt2'
    """

    default: str | bool
    help: str = ""


@dataclass(frozen=True)
class Experiment:
    """One registered run: see :func:`experiment` for the fields."""

    name: str
    run: Callable
    figures: tuple[str, ...]
    chapter: str
    seconds: Mapping[str, float]
    compare: Mapping[str, float | None]
    options: Mapping[str, Option]
    hub: bool
    validate: Callable | None


def experiment(
    name: str,
    *,
    figures: tuple[str, ...],
    chapter: str,
    seconds: Mapping[str, float],
    compare: Mapping[str, float | None] = SUMMARIES,
    options: Mapping[str, Option] | None = None,
    hub: bool = False,
    validate: Callable | None = None,
) -> Callable[[Callable], Callable]:
    """Register ``run(scale, device, progress, workdir) -> (arrays, config)`` under ``name``.

    Args:
        name: lower-case letters, digits and hyphens; the file is ``NAME.npz``.
        figures: the paper's items that are drawn from it, e.g. ``("Fig 1a", "Fig 19a")``.
        chapter: the stem of the chapter's file, e.g. ``"one_pair"``.
        seconds: expected seconds on two CPU cores for each scale, ``{"quick": 5, "paper": 300}``.
        compare: what ``check`` compares by value: patterns of array names with a tolerance t, met where
            ``|new - stored| <= t (1 + |stored|)``; ``None`` means shape and type only. The first pattern that matches
            decides. The default, ``summary_*`` to 1e-3, rests on this: rounding differs between processors and
            training magnifies it, so that single weights may end elsewhere (a sign, an order, another optimum) while
            the numbers that a figure is about should not. Put those into arrays called ``summary_...``; where
            they too vary between machines, say so with a wider tolerance here.
        options: further settings of the run, e.g. ``{"model": Option("gpt2", "a name on the hub or a local folder")}``;
            the function gets each by name, and the command line takes it as ``--model``, or
            where the default is False as a flag. They are stored with the result.
        hub: it needs a model from the Hugging Face hub. Such results are not stored in the package, ``all`` leaves
            them out, and chapters show something else until a reader has made one.
        validate: takes a :class:`~svf_helpers.experiments.Result` and raises ``ValueError`` where it lacks something
            that chapters read; asked before a result from elsewhere is added.

    The function gets ``scale`` ("quick" or "paper"), ``device`` ("cpu" or "cuda"), ``progress`` (draw a tqdm bar on
    stderr?) and ``workdir``, a folder that survives an interruption: what it finds there it need not compute again
    (:func:`svf_helpers.experiments.part` keeps finished parts there). It returns a dict of numpy arrays and a config
    that JSON can hold, with ``seeds`` and ``steps`` among its keys.

    Raises:
        ValueError: the name is not of that form or is taken, a scale has no expected seconds, or an option is named
            like what every run takes, or is a flag here and a text in another experiment.

    Example:
        >>> @experiment("toss", figures=("Fig 1a",), chapter="one_pair", seconds={"quick": 1, "paper": 60})
        ... def toss(scale, device, progress, workdir):
        ...     return {"summary_heads": np.array(0.5)}, {"seeds": [0], "steps": 1}
        >>> EXPERIMENTS.pop("toss").seconds["paper"]  # it is on the list; an example is taken off again
        60
    """
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise ValueError(
            f"experiment name {name!r}: use lower-case letters and digits joined by hyphens, as in 'one-pair'"
        )
    if set(seconds) != set(SCALES):
        raise ValueError(f"experiment {name!r}: seconds must have the keys 'quick' and 'paper', not {sorted(seconds)}")
    settings = dict(options or {})
    for key, one in settings.items():
        if key in TAKEN:
            raise ValueError(f"experiment {name!r}: an option cannot be called {key!r}, which means something else")
        others = (other.options[key] for other in EXPERIMENTS.values() if key in other.options and other.name != name)
        if any(isinstance(other.default, bool) != isinstance(one.default, bool) for other in others):
            raise ValueError(f"experiment {name!r}: option {key!r} is a flag in one experiment and a text in another")

    def register(run: Callable) -> Callable:
        there = EXPERIMENTS.get(name)
        if there and (there.run.__module__, there.run.__qualname__) != (run.__module__, run.__qualname__):
            raise ValueError(
                f"experiment {name!r} is already registered by {there.run.__module__}; choose another name"
            )
        EXPERIMENTS[name] = Experiment(
            name, run, tuple(figures), chapter, dict(seconds), dict(compare), settings, hub, validate
        )
        return run

    return register


def discover() -> dict[str, Experiment]:
    """Import every module ``svf_helpers.chapters.NAME.runs`` and return all registered experiments by name.

    >>> "one-pair" in discover()
    True
    """
    folder = resources.files("svf_helpers").joinpath("chapters")
    for name in sorted(place.name for place in folder.iterdir() if place.joinpath("runs.py").is_file()):
        importlib.import_module(f"svf_helpers.chapters.{name}.runs")
    return EXPERIMENTS


def get(name: str) -> Experiment:
    """The experiment of that name; ``ValueError`` lists the known names where there is none.

    >>> get("one-pair").chapter
    'one_pair'
    """
    known = discover()
    if name not in known:
        close = difflib.get_close_matches(str(name), known, n=1)
        guess = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"there is no experiment {name!r}.{guess} Known names: {', '.join(sorted(known)) or 'none'}")
    return known[name]


def check_scale(scale: str) -> None:
    """Raise ``ValueError`` unless ``scale`` is "quick" or "paper"."""
    if scale not in SCALES:
        raise ValueError(f"scale {scale!r} is unknown; choose 'quick' or 'paper'")


def all_options() -> dict[str, Option]:
    """Every option that some experiment takes; the first that says what it is for speaks for all."""
    found: dict[str, Option] = {}
    for _, entry in sorted(discover().items()):
        for name, option in entry.options.items():
            if name not in found or not found[name].help:
                found[name] = option
    return found


def flag(option: str) -> str:
    """What the command line calls an option.

    >>> flag("discard_weights")
    '--discard-weights'
    """
    return f"--{option.replace('_', '-')}"


def with_options(entry: "Experiment", given: Mapping[str, str | bool | None] | None) -> dict[str, str | bool]:
    """The options of a run: those given, and defaults for the rest; ``ValueError`` names one that it does not take."""
    chosen = {name: value for name, value in (given or {}).items() if value is not None}
    unknown = [flag(name) for name in chosen if name not in entry.options]
    if unknown:
        takes = ", ".join(map(flag, entry.options)) or "none"
        raise ValueError(f"{entry.name} does not take {', '.join(unknown)}; options that it takes: {takes}")
    return {name: option.default for name, option in entry.options.items()} | chosen


def command(name: str, scale: Scale, out: object = None, options: Mapping[str, str | bool] | None = None) -> str:
    """The command that makes a stored result (again).

    >>> command("gpt2-ioi", "paper", options={"model": "a/larger one"})
    "python -m svf_helpers.experiments run gpt2-ioi --scale paper --model 'a/larger one'"
    """
    text = f"{PROGRAM} run {name} --scale {scale}"
    for option, value in (options or {}).items():
        if value is True:
            text += f" {flag(option)}"
        elif value is not False:
            text += f" {flag(option)} {shlex.quote(str(value))}"
    return text if out is None else f"{text} --out {shlex.quote(str(out))}"
