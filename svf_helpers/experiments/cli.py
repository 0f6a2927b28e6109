"""The command line of the stored results: ``python -m svf_helpers.experiments list|run|check|confirm|add``."""

import argparse
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from svf_helpers.experiments import registry, runner, store
from svf_helpers.experiments.confirm import confirm
from svf_helpers.experiments.files import locked
from svf_helpers.experiments.registry import PROGRAM
from svf_helpers.experiments.source import code_hash

NOT_COMPARED = "settings and branches that the paper scale alone has are not compared: look at them"
LISTED = f"""\
state of each result:
  stored             made by the present code
  stored, confirmed  made by older code; a quick run of the present code gave the same numbers, bit for bit;
                     {NOT_COMPARED}
  stored, older code the present code may give other numbers: see check, and confirm
  missing            run makes it
  needs the hub      run makes it, with a model from the Hugging Face hub
  damaged            or of an older form: load it, and the error says what to do
  unreadable         the system lets nobody read the file or its folder
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status.

    0: done; 1: a run failed or a check found a difference; 2: wrong arguments; 130: interrupted.
    """
    options = _parser().parse_args(arguments)
    try:
        do = {"list": _list, "run": _run, "check": _check, "confirm": _confirm, "add": _add}[options.action]
        return do(options)
    except KeyboardInterrupt:
        return _say("\nInterrupted; nothing was changed.", 130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description="List, make and check the stored results of the book.")
    actions = parser.add_subparsers(dest="action", required=True)
    listing = actions.add_parser(
        "list",
        help="which results there are, and which are stored",
        epilog=LISTED,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    running = actions.add_parser("run", help="make results and store them; goes on where it was interrupted")
    running.add_argument("names", nargs="+", metavar="NAME", help="names from the list, or all")
    running.add_argument("--scale", choices=registry.SCALES, default="quick")
    running.add_argument("--fresh", action="store_true", help="start again, whatever is stored or half done")
    for name, option in registry.all_options().items():
        form: dict[str, Any] = {"action": "store_true", "default": None} if isinstance(option.default, bool) else {}
        takers = sorted(entry.name for entry in registry.discover().values() if name in entry.options)
        text = f"{option.help} ({', '.join(takers)})".strip().replace("%", "%%")  # argparse would fill in a %
        running.add_argument(registry.flag(name), help=text, **form)
    adding = actions.add_parser("add", help="check a result made elsewhere and put it in place")
    adding.add_argument("file", type=Path, metavar="FILE", help="NAME.npz")
    adding.add_argument("--out", type=Path, metavar="DIR", help="where to put it")
    checking = actions.add_parser("check", help="make quick results again and compare them with those stored")
    checking.add_argument("names", nargs="*", metavar="NAME", help="names from the list (default: all)")
    confirming = actions.add_parser(
        "confirm",
        help="let results of older code count as current, where the present code is proven to give the same",
        description="Let results of older code count as current, at both scales, where a quick run of the present code "
        f"gives what the older code gave. Only quick runs are compared: {NOT_COMPARED}.",
    )
    confirming.add_argument("names", nargs="+", metavar="NAME", help="names from the list, or all")
    confirming.add_argument(
        "--before", type=Path, metavar="DIR", required=True,
        help="folder of quick results that the older code made on this machine; made again now, each number must be "
        "the same, bit for bit",
    )  # fmt: skip
    for action, default in ((running, "auto"), (checking, "cpu"), (confirming, "cpu")):
        action.add_argument("--device", choices=("auto", "cpu", "cuda"), default=default, help=f"default: {default}")
        action.add_argument("--progress", action=argparse.BooleanOptionalAction, help="default: in a terminal")
    where = "default: in a checkout the package's results, else the user's data folder"
    running.add_argument("--out", type=Path, metavar="DIR", help=f"where to store ({where})")
    confirming.add_argument("--out", type=Path, metavar="DIR", help=f"where the results are stored ({where})")
    for action in (listing, checking):
        action.add_argument("--out", type=Path, metavar="DIR", help="where to read (default: as the book does)")
    return parser


def _list(options: argparse.Namespace) -> int:
    rows = [("name", "scale", "state", "seconds", "size", "chapter", "figures")]
    status = 0
    for name, experiment in sorted(registry.discover().items()):
        for scale in registry.SCALES:
            seconds, size = f"~{experiment.seconds[scale]:g}", ""
            try:
                result = store.load(name, scale, folder=options.out)
                state = _state(result, code_hash(experiment.run))
                seconds, size = f"{result.info['seconds']:g}", f"{result.size / 1e3:,.0f} kB"
            except FileNotFoundError:
                state = "needs the hub" if experiment.hub else "missing"
            except ValueError:
                state = "damaged"
            except OSError as error:
                state, status = "unreadable", _say(f"{name} ({scale}): {error}", 1)
            rows.append((name, scale, state, seconds, size, experiment.chapter, ", ".join(experiment.figures)))
    _table(rows)
    return status


def _state(result: store.Result, code: str) -> str:
    if code and result.info["code"] == code:
        return "stored"
    return "stored, confirmed" if code in result.codes else "stored, older code"


def _run(options: argparse.Namespace) -> int:
    try:
        experiments = _named(options.names)
        device = _device(options)
        settings = {name: getattr(options, name) for name in registry.all_options()}
        for experiment in experiments:
            registry.with_options(experiment, settings)
    except ValueError as error:
        return _say(f"{PROGRAM}: {error}", 2)
    out = (options.out or store.default_out()).absolute()
    failed = []
    for experiment in experiments:
        title = f"{experiment.name} ({options.scale})"
        workdir = runner.partial_folder(out, experiment.name, options.scale)
        try:
            if not options.fresh and runner.is_current(experiment, options.scale, out, settings):
                print(f"{title}: already stored in {out}, made by this code; --fresh makes it again")
                continue
            begins = "going on" if workdir.exists() and not options.fresh else "starting"
            print(f"{title}: {begins} on {device}", flush=True)
            path = runner.run(experiment.name, options.scale, device, out, options.fresh, _progress(options), settings)
            stored = f"{title}: stored {path}, {path.stat().st_size / 1e3:,.0f} kB"
        except KeyboardInterrupt:
            kept = f"\nInterrupted; what was done is kept in {workdir}. The same command resumes"
            return _say(f"{kept}, without --fresh." if options.fresh else f"{kept}.", 130)
        except Exception as error:
            failed.append(experiment.name)
            _say(f"{title} failed: {_plain(error, workdir)}", 1)
        else:
            print(stored + _hint(experiment.name, options.scale, out))
    return _say(f"failed: {', '.join(failed)}", 1) if failed else 0


def _check(options: argparse.Namespace) -> int:
    try:
        experiments = _named(options.names or ["all"])
        device = _device(options)
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


def _confirm(options: argparse.Namespace) -> int:
    try:
        experiments, device = _named(options.names), _device(options)
    except ValueError as error:
        return _say(f"{PROGRAM}: {error}", 2)
    refused = []
    for experiment in experiments:
        try:
            changed = confirm(experiment.name, options.before, device, options.out, _progress(options))
        except KeyboardInterrupt:
            kept = "what was confirmed until now stays so, and list shows it; the same command does the rest"
            return _say(f"\nInterrupted; {kept}.", 130)
        except Exception as error:
            refused.append(experiment.name)
            _say(_plain(error), 1)
        else:
            print(f"{experiment.name}: {', '.join(f'confirmed {path}' for path in changed) or 'was current already'}")
    return _say(f"not confirmed: {', '.join(refused)}", 1) if refused else 0


def _add(options: argparse.Namespace) -> int:
    try:
        path = store.add(options.file, options.out)
    except (OSError, ValueError) as error:
        return _say(f"{PROGRAM}: {error}", 1)
    print(f"stored {path}; chapters show it when they are built again")
    return 0


def _named(names: Sequence[str]) -> list[registry.Experiment]:
    """The experiments of these names, each once; ``all`` are all that need no model from the hub."""
    known = registry.discover()
    wanted = sorted(name for name in known if not known[name].hub) if "all" in names else dict.fromkeys(names)
    return [registry.get(name) for name in wanted]


def _device(options: argparse.Namespace) -> str:
    """ "cpu" or "cuda"; torch, slow to import, is asked only where it has to say whether there is a GPU."""
    if options.device == "cpu":
        return "cpu"
    from svf_helpers.device import choose_device

    return choose_device(options.device).type


def _hint(name: str, scale: registry.Scale, out: Path) -> str:
    """How to read a result that ``load(name)`` does not find, or not first."""
    with suppress(OSError, ValueError):
        if store.load(name, scale).info == store.read(out, name, scale).info:
            return ""
    return f"\n  read it with load({name!r}, {scale!r}, folder={str(out)!r})"


def _progress(options: argparse.Namespace) -> bool:
    return sys.stderr.isatty() if options.progress is None else options.progress


def _plain(error: Exception, workdir: Path | None = None) -> str:
    """What went wrong in one line; and where its traceback is, if the run's folder is ours and takes it."""
    text = str(error) if isinstance(error, ValueError | OSError) else f"{type(error).__name__}: {error}"
    if workdir is not None:
        file = workdir / runner.TRACEBACK
        with suppress(OSError), locked(workdir):  # not there, not to be written to, or another process's
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
