"""Proof that newer code gives what older code gave: a quick run by either, made on one machine, equal bit for bit."""

import json
import tempfile
from pathlib import Path

import numpy as np

from svf_helpers.experiments import registry, runner, store
from svf_helpers.experiments.source import code_hash

UNKNOWN = "that is not known"


def confirm(
    name: str, before: Path, device: str = "cpu", folder: Path | None = None, progress: bool = False
) -> list[Path]:
    """Let stored results count as made by the present code, if a quick run now equals one that the older code made.

    The present code's fingerprint is then added to what the stored results say of themselves, at both scales. Nothing
    else in them changes. Only quick runs are compared: settings and branches that the paper scale alone has are not
    compared: look at them.

    Args:
        name: of the experiment.
        before: folder with ``NAME.quick.npz``, made on this machine by the code that made the stored results (or by
            code that was confirmed since).
        device: "cpu" or "cuda"; the one on which that was made.
        folder: where the stored results are; by default where results are written.
        progress: draw bars.

    Returns:
        The files that were changed; none where all were made, or confirmed, by the present code.

    Raises:
        FileNotFoundError: there is no result in ``before``, or none is stored.
        ValueError: the result in ``before`` is of other code, another device or other versions than asked for, the
            numbers differ, or a stored result was replaced meanwhile. Also where a stored result was made with other
            options or on another device than the one in ``before``; the others are confirmed before that is said.
    """
    experiment = registry.get(name)
    code = code_hash(experiment.run)
    if not code:
        raise ValueError(f"{name}: the source of its run is not at hand, so nothing can be said of the code")
    made, _ = store.open_file(Path(before) / f"{store.stem(name, 'quick')}.npz", name, "quick")
    place = folder or store.default_out()
    stored = _stored(name, place)
    old = made.info["code"]
    theirs = [result for result in stored if old in result.codes]
    if not theirs:
        codes = ", ".join(sorted({code for result in stored for code in result.codes})) or UNKNOWN
        raise ValueError(f"{name}: the result in {before} was made by code {old or UNKNOWN}, those stored by {codes}")
    waiting = [result for result in theirs if code not in result.codes]
    unlike = [f"{store.stem(name, result.scale)}.npz ({why})" for result in waiting if (why := _unlike(result, made))]
    waiting = [result for result in waiting if not _unlike(result, made)]
    if waiting:
        _same_machine(made, runner.device_name(device), before)
        options = registry.with_options(experiment, made.info.get("options"))
        with tempfile.TemporaryDirectory() as workdir:
            arrays, config = experiment.run(
                scale="quick", device=device, progress=progress, workdir=Path(workdir), **options
            )
        _refuse_differences(made, arrays, config)
    changed = [_add_code(place, result, code) for result in waiting]
    if unlike:
        done = f"confirmed {', '.join(map(str, changed))}, but " if changed else ""
        raise ValueError(f"{name}: {done}the result in {before} proves nothing for {', '.join(unlike)}")
    return changed


def _unlike(stored: store.Result, made: store.Result) -> str:
    """In which settings the two differ, beyond the scale; empty where in none."""
    found = []
    for what, missing in (("options", {}), ("device", "")):
        there, here = stored.info.get(what, missing), made.info.get(what, missing)
        if there != here:
            found.append(f"{what} {there or 'none'}, not {here or 'none'}")
    return "; ".join(found)


def _stored(name: str, place: Path) -> list[store.Result]:
    found: list[store.Result] = []
    missing: list[FileNotFoundError] = []
    for scale in registry.SCALES:
        try:
            found.append(store.read(place, name, scale))
        except FileNotFoundError as error:
            missing.append(error)
    if not found:
        raise missing[-1]
    return found


def _same_machine(made: store.Result, device: str, before: Path) -> None:
    """What can be known of the machine: its device, and the versions of the libraries."""
    now, then = {"device": device} | runner.versions(), {"device": made.info["device"]} | made.info["versions"]
    for what in now.keys() - {"svf_helpers"}:  # the book's own version is a matter of its code
        if now[what] != then.get(what):
            raise ValueError(
                f"{made.info['name']}: the result in {before} was made with {what} {then.get(what)}, here it is "
                f"{now[what]}: equal numbers are not to be expected"
            )


def _refuse_differences(made: store.Result, arrays, config) -> None:
    found = ["config"] if json.loads(json.dumps(config)) != made.info["config"] else []
    found += sorted(set(arrays) ^ set(made.arrays))
    for key in sorted(set(arrays) & set(made.arrays)):
        new, old = np.asarray(arrays[key]), made[key]
        if (new.dtype, new.shape) != (old.dtype, old.shape) or new.tobytes() != old.tobytes():
            found.append(key)
    if found:
        raise ValueError(
            f"{made.info['name']}: not confirmed, the present code gives other numbers ({', '.join(found)}). If they "
            "are meant to change, run it again"
        )


def _add_code(place: Path, result: store.Result, code: str) -> Path:
    info = dict(result.info)
    if store.read(place, info["name"], info["scale"]).info["checksum"] != info["checksum"]:
        file = Path(place) / f"{store.stem(info['name'], info['scale'])}.npz"
        raise ValueError(f"{info['name']}: {file} was replaced meanwhile; confirm again")
    info["confirmed"] = [*info.get("confirmed", []), code]
    return store.put(place, info["name"], info["scale"], store.seal(result.arrays, info))
