"""The command line of the stored results: ``python -m svf_helpers.experiments list|run|check|add``."""

import argparse
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from svf_helpers.experiments import registry, runner, store
from svf_helpers.experiments.source import code_hash

PROGRAM = "python -m svf_helpers.experiments"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status.

    0: done; 1: a run failed or a check found a difference; 2: wrong arguments; 130: interrupted.
    """
    options = _parser().parse_args(arguments)
    try:
        return {"list": _list, "run": _run, "check": _check, "add": _add}[options.action](options)
    except KeyboardInterrupt:
        return _say("\nInterrupted; nothing was changed.", 130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description="List, make and check the stored results of the book.")
    actions = parser.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("list", help="which results there are, and which are stored")
    running = actions.add_parser("run", help="make results and store them; goes on where it was interrupted")
    running.add_argument("names", nargs="+", metavar="NAME", help="names from the list, or all")
    running.add_argument("--scale", choices=registry.SCALES, default="quick")
    running.add_argument("--fresh", action="store_true", help="start again, whatever is stored or half done")
    running.add_argument("--model", help="a name on the hub or a local folder (runs of language models)")
    running.add_argument("--revisions", help="checkpoints: all, last, 'every 1000', or step0,step1000,...")
    running.add_argument("--revision", help="one branch, tag or commit of the model (bases-model)")
    running.add_argument("--discard-weights", action="store_true", default=None, help="keep one checkpoint at a time")
    adding = actions.add_parser("add", help="check a result made elsewhere and put it in place")
    adding.add_argument("file", type=Path, metavar="FILE", help="NAME.npz, with NAME.json beside it")
    adding.add_argument("--out", type=Path, metavar="DIR", help="where to put it")
    checking = actions.add_parser("check", help="make quick results again and compare them with those stored")
    checking.add_argument("names", nargs="*", metavar="NAME", help="names from the list (default: all)")
    for action, default in ((running, "auto"), (checking, "cpu")):
        action.add_argument("--device", choices=("auto", "cpu", "cuda"), default=default, help=f"default: {default}")
        action.add_argument("--progress", action=argparse.BooleanOptionalAction, help="default: in a terminal")
    where = "default: in a checkout the package's results, else the user's data folder"
    running.add_argument("--out", type=Path, metavar="DIR", help=f"where to store ({where})")
    for action in (listing, checking):
        action.add_argument("--out", type=Path, metavar="DIR", help="where to read (default: as the book does)")
    return parser


def _list(options: argparse.Namespace) -> int:
    rows = [("name", "scale", "state", "seconds", "size", "chapter", "figures")]
    for name, experiment in sorted(registry.discover().items()):
        for scale in registry.SCALES:
            seconds, size = f"~{experiment.seconds[scale]:g}", ""
            try:
                result = store.load(name, scale, folder=options.out)
                state = "stored" if result.info["code"] == code_hash(experiment.run) else "stored, older code"
                seconds, size = f"{result.info['seconds']:g}", f"{result.size / 1e3:,.0f} kB"
            except FileNotFoundError:
                state = "needs the hub" if experiment.hub else "missing"
            except ValueError:
                state = "damaged"
            rows.append((name, scale, state, seconds, size, experiment.chapter, ", ".join(experiment.figures)))
    _table(rows)
    return 0


def _run(options: argparse.Namespace) -> int:
    try:
        experiments = _named(options.names)
        device = runner.resolve_device(options.device)
        settings = {name: getattr(options, name) for name in ("model", "revision", "revisions", "discard_weights")}
        for experiment in experiments:
            registry.with_options(experiment, settings)
    except ValueError as error:
        return _say(f"{PROGRAM}: {error}", 2)
    out = (options.out or store.default_out()).absolute()
    failed = []
    for experiment in experiments:
        title = f"{experiment.name} ({options.scale})"
        if not options.fresh and runner.is_current(experiment, options.scale, out, settings):
            print(f"{title}: already stored in {out}, made by this code; --fresh makes it again")
            continue
        workdir = runner.partial_folder(out, experiment.name, options.scale)
        print(
            f"{title}: {'going on' if workdir.exists() and not options.fresh else 'starting'} on {device}", flush=True
        )
        try:
            path = runner.run(experiment.name, options.scale, device, out, options.fresh, _progress(options), settings)
        except KeyboardInterrupt:
            kept = f"\nInterrupted; what was done is kept in {workdir}. The same command resumes"
            return _say(f"{kept}, without --fresh." if options.fresh else f"{kept}.", 130)
        except Exception as error:
            failed.append(experiment.name)
            _say(f"{title} failed: {_plain(error, workdir)}", 1)
        else:
            hint = _hint(experiment.name, options.scale, out)
            print(f"{title}: stored {path}, {path.stat().st_size / 1e3:,.0f} kB{hint}")
    return _say(f"failed: {', '.join(failed)}", 1) if failed else 0


def _check(options: argparse.Namespace) -> int:
    try:
        experiments = _named(options.names or ["all"])
        device = runner.resolve_device(options.device)
    except ValueError as error:
        return _say(f"{PROGRAM}: {error}", 2)
    rows = [("name", "verdict", "by value", "by shape", "what differs")]
    for experiment in experiments:
        try:
            found = runner.check(experiment.name, device, options.out, _progress(options))
        except Exception as error:
            found = runner.Comparison(experiment.name, 0, 0, (f"the run failed: {_plain(error)}",))
        verdict = "differs" if found.differences else "same" if found.by_value else "shapes only"
        rows.append((found.name, verdict, str(found.by_value), str(found.by_shape), "; ".join(found.differences)))
    _table(rows)
    return int(any(row[1] == "differs" for row in rows[1:]))


def _add(options: argparse.Namespace) -> int:
    try:
        path = store.add(options.file, options.out)
    except (FileNotFoundError, ValueError) as error:
        return _say(f"{PROGRAM}: {error}", 1)
    print(f"stored {path}; chapters show it when they are built again")
    return 0


def _named(names: Sequence[str]) -> list[registry.Experiment]:
    """The experiments of these names, each once; ``all`` are all that need no model from the hub."""
    known = registry.discover()
    wanted = sorted(name for name in known if not known[name].hub) if "all" in names else dict.fromkeys(names)
    return [registry.get(name) for name in wanted]


def _hint(name: str, scale: registry.Scale, out: Path) -> str:
    """How to read a result that ``load(name)`` does not find, or not first."""
    with suppress(FileNotFoundError, ValueError):
        if store.load(name, scale).info == store.read(out, name, scale).info:
            return ""
    return f"\n  read it with load({name!r}, {scale!r}, folder={str(out)!r})"


def _progress(options: argparse.Namespace) -> bool:
    return sys.stderr.isatty() if options.progress is None else options.progress


def _plain(error: Exception, workdir: Path | None = None) -> str:
    """What went wrong in one line; where it is a bug rather than a refusal, also where its traceback is."""
    text = str(error) if isinstance(error, ValueError | OSError) else f"{type(error).__name__}: {error}"
    if workdir is not None and workdir.is_dir():
        file = workdir / runner.TRACEBACK
        file.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        text += f"\nThe details are in {file}"
    return text


def _table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _say(text: str, status: int) -> int:
    print(text, file=sys.stderr)
    return status
