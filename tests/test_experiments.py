"""Stored results: what is written is what is read, damage is noticed, an interruption loses nothing."""

import dataclasses
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from svf_helpers.experiments import Option, cli, experiment, files, load, part, registry, runner, store
from svf_helpers.experiments import confirm as confirm_module
from svf_helpers.experiments.confirm import confirm
from svf_helpers.experiments.source import code_hash
from tests.refusals import refuses

PACKAGE = Path(store.__file__).resolve().parent.parent
INFO = {"config": {"seeds": [3, 4], "steps": 20_000, "lam": 4.0}, "code": "", "seconds": 1.5, "device": "cpu",
        "versions": {"numpy": "2.0"}}
ARRAYS = {"summary_cosines": np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3), "W": np.ones((2, 4), np.float16)}

# A program with one experiment of four parts; INTERRUPT_AT makes it stop as Ctrl-C does.
PROGRAM = """
import os, sys
import numpy as np
from svf_helpers.experiments import cli, experiment, part, registry

registry.discover = lambda: registry.EXPERIMENTS

@experiment("sums", figures=("Fig 1a",), chapter="superposition", seconds={"quick": 1, "paper": 2})
def run(scale, device, progress, workdir):
    def compute(i):
        if str(i) == os.environ.get("INTERRUPT_AT"):
            raise KeyboardInterrupt
        print(f"computing part {i}")
        return {"w": np.random.default_rng(i).normal(size=(5, i + 1))}

    parts = [part(workdir, f"seed={i}", lambda i=i: compute(i))["w"] for i in range(4)]
    return {"summary_means": np.array([w.mean() for w in parts])}, {"seeds": [0, 1, 2, 3], "steps": 10, "scale": scale}

if __name__ == "__main__":
    sys.exit(cli.main())
"""


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """Nothing in these tests sees, or writes to, the machine's own data folder or the real experiments."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(store.platformdirs, "user_data_dir", lambda *_, **__: str(tmp_path / "data" / "svf-helpers"))
    monkeypatch.setattr(registry, "EXPERIMENTS", {})
    monkeypatch.setattr(registry, "discover", lambda: registry.EXPERIMENTS)
    monkeypatch.setattr(store, "packaged_folder", lambda: tmp_path / "packaged")
    return SimpleNamespace(packaged=tmp_path / "packaged", user=tmp_path / "data" / "svf-helpers" / "results")


@pytest.fixture
def one_pair():
    """One registered experiment, whose summary is ``counter`` times the default and whose ``W`` is noise."""
    state = SimpleNamespace(summary=ARRAYS["summary_cosines"], calls=0, config=dict(INFO["config"]))

    @experiment("one-pair", figures=("Fig 1b",), chapter="one_pair", seconds={"quick": 1, "paper": 2})
    def run(scale, device, progress, workdir):
        state.calls += 1
        noise = np.random.default_rng(state.calls).normal(size=3)
        return {"summary_cosines": state.summary, "W": noise}, state.config

    return state


def run_program(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Run the program above from a folder that is not the checkout."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    env = os.environ | {"PYTHONPATH": str(PACKAGE.parent), "XDG_DATA_HOME": str(tmp_path / "data")} | environment
    return subprocess.run(
        [sys.executable, str(program), *arguments], cwd=elsewhere, env=env, capture_output=True, text=True, timeout=120
    )


# --- the files


def test_what_is_saved_is_loaded(tmp_path):
    path = store.save(tmp_path, "one-pair", "paper", ARRAYS, INFO)
    result = load("one-pair", folder=tmp_path)
    assert path == tmp_path / "one-pair.npz"
    assert [file.name for file in tmp_path.iterdir()] == ["one-pair.npz"]
    for key, value in ARRAYS.items():
        np.testing.assert_array_equal(result[key], value)
        assert result[key].dtype == value.dtype
        with refuses(ValueError, "read-only"):
            result[key][...] = 0
    assert result.info["arrays"]["W"] == {"shape": [2, 4], "dtype": "<f2"}
    with np.load(path) as plain:  # an ordinary .npz, with a text in it that says where it comes from
        np.testing.assert_array_equal(plain["W"], ARRAYS["W"])
        assert json.loads(plain["info.json"]) == result.info
    assert result.size == path.stat().st_size
    assert result.command == "python -m svf_helpers.experiments run one-pair --scale paper"
    assert (result.scale, result.seeds) == ("paper", [3, 4])
    assert result.label() == "paper scale, 2 seeds, 20,000 steps"
    with refuses(KeyError, "one-pair", "'cosines'", "summary_cosines", "W"):
        result["cosines"]


def test_label_of_one_seed_and_several_lengths(tmp_path):
    info = INFO | {"config": {"seeds": 7, "steps": [10_000, 80_000]}}
    store.save(tmp_path, "one-pair", "quick", ARRAYS, info)
    assert load("one-pair", "quick", tmp_path).label() == "quick scale, 1 seed, 10,000 to 80,000 steps"
    store.save(tmp_path, "one-pair", "quick", ARRAYS, INFO | {"config": {"seeds": 7, "steps": 0}})
    assert load("one-pair", "quick", tmp_path).label() == "quick scale, 1 seed"


def test_equal_arrays_give_equal_bytes(tmp_path, monkeypatch):
    first = store.save(tmp_path / "a", "one-pair", "paper", ARRAYS, INFO).read_bytes()
    monkeypatch.setattr("time.time", lambda: 2e9)
    other = {"W": np.asfortranarray(ARRAYS["W"]), "summary_cosines": ARRAYS["summary_cosines"].copy()}
    assert store.save(tmp_path / "b", "one-pair", "paper", other, INFO).read_bytes() == first


def test_config_comes_back_as_json_has_it(tmp_path):
    config = {"seeds": (1, 2), "steps": 5, "pairs": {10: (0, 4), 2: (1, 5)}}
    store.save(tmp_path, "one-pair", "paper", ARRAYS, INFO | {"config": config})
    assert load("one-pair", folder=tmp_path).info["config"]["pairs"] == {"10": [0, 4], "2": [1, 5]}


@pytest.mark.parametrize(
    ("arrays", "config", "told"),
    [
        ({}, INFO["config"], ("array",)),
        ({"w": np.array([None])}, INFO["config"], ("'w'", "numpy")),
        ({"w": [1.0, 2.0]}, INFO["config"], ("'w'", "numpy", "list")),
        (ARRAYS, {"seeds": [0]}, ("steps", ["seeds"])),
        (ARRAYS, {"seeds": [0], "steps": 1, "loss": float("nan")}, ("JSON", "float")),
        (ARRAYS, {"seeds": [0], "steps": np.int64(3)}, ("JSON", "int64")),
    ],
)
def test_what_cannot_be_stored_is_refused_and_leaves_the_old_result(tmp_path, arrays, config, told):
    store.save(tmp_path, "one-pair", "paper", ARRAYS, INFO)
    with refuses(ValueError, *told):
        store.save(tmp_path, "one-pair", "paper", arrays, INFO | {"config": config})
    assert load("one-pair", folder=tmp_path).seeds == [3, 4]


@pytest.mark.parametrize("bit", [1, 4, 64])
def test_every_changed_byte_is_noticed_or_means_nothing(tmp_path, bit):
    file = store.save(tmp_path, "one-pair", "paper", {"w": np.arange(3.0)}, INFO)
    good, info, noticed = file.read_bytes(), load("one-pair", folder=tmp_path).info, 0
    for place in range(len(good)):
        file.write_bytes(good[:place] + bytes([good[place] ^ bit]) + good[place + 1 :])
        try:
            result = load("one-pair", folder=tmp_path)
        except ValueError as error:
            noticed += "damaged" in str(error) and "run one-pair --scale paper" in str(error)
        else:  # a date, or whatever else a .zip holds and nobody reads
            assert (result.info, result["w"].tolist()) == (info, [0, 1, 2])
    assert noticed > 0.8 * len(good)
    file.write_bytes(good)
    assert load("one-pair", folder=tmp_path)["w"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("damage", ["truncated", "empty", "another's", "text", "arrays alone", "no result"])
def test_damage_says_how_to_repair_it(tmp_path, damage):
    file = store.save(tmp_path, "one-pair", "paper", ARRAYS, INFO)
    other = store.save(tmp_path, "dynamics", "paper", {"w": np.zeros(2)}, INFO)
    new = {
        "truncated": file.read_bytes()[:-20],
        "empty": b"",
        "another's": other.read_bytes(),
        "text": b'["no", "result"]',
        "arrays alone": files.pack(ARRAYS),
        "no result": files.pack(ARRAYS, '["no", "result"]'),
    }
    file.write_bytes(new[damage])
    with refuses(ValueError, "one-pair.npz", "damaged", f"run one-pair --scale paper --out {tmp_path}"):
        load("one-pair", folder=tmp_path)


@pytest.mark.parametrize("what", ["an array", "the info"])
def test_what_was_changed_and_packed_again_is_refused(tmp_path, what):
    file = store.save(tmp_path, "one-pair", "paper", ARRAYS, INFO)
    text, arrays = files.unpack(file.read_bytes())
    if what == "an array":
        arrays["W"] = 2 * arrays["W"]
    else:
        text = text.replace("20000", "40000")
    file.write_bytes(files.pack(arrays, text))
    with refuses(ValueError, "one-pair.npz", "damaged", "arrays" if what == "an array" else "changed"):
        load("one-pair", folder=tmp_path)


def test_arrays_are_never_unpickled(tmp_path):
    path = store.save(tmp_path, "one-pair", "paper", ARRAYS, INFO)
    np.savez(path, W=np.array([{"a": 1}], dtype=object))
    with refuses(ValueError, "allow_pickle=False"):
        load("one-pair", folder=tmp_path)


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_crash_while_writing_leaves_the_old_result(tmp_path, monkeypatch, moment):
    store.save(tmp_path, "one-pair", "paper", ARRAYS, INFO)

    def crash(*arguments):
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, moment, crash)
        with refuses(OSError, "no space left"):
            store.save(tmp_path, "one-pair", "paper", {"W": np.zeros(9)}, INFO)
    np.testing.assert_array_equal(load("one-pair", folder=tmp_path)["W"], ARRAYS["W"])
    assert [file.name for file in tmp_path.iterdir()] == ["one-pair.npz"]


def test_two_writers_and_a_reader_never_meet_a_torn_result(tmp_path):
    code = (
        "import sys, numpy as np; from svf_helpers.experiments import store\n"
        "for i in range(60): store.save(sys.argv[1], 'one-pair', 'paper', {'w': np.full(500, int(sys.argv[2]))},"
        " {'config': {'seeds': [int(sys.argv[2])], 'steps': 1}})"
    )
    store.save(tmp_path, "one-pair", "paper", {"w": np.full(500, 0)}, INFO | {"config": {"seeds": [0], "steps": 1}})
    env = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    writers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), seed], env=env) for seed in "12"]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        result = load("one-pair", folder=tmp_path)
        assert set(result["w"].tolist()) == set(result.seeds)
        seen |= set(result.seeds)
    assert [writer.returncode for writer in writers] == [0, 0]
    assert set(load("one-pair", folder=tmp_path).seeds) < {1, 2}
    assert seen >= {1, 2}, "the reader saw only one writer: the test proved nothing"


# --- results in two files, as they were stored at first


def old_pair(folder: Path, name: str, arrays: dict, info: dict) -> Path:
    """Such a result, as it was written then."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / f"{name}.npz", **arrays)
    info = info | {"sha256": hashlib.sha256((folder / f"{name}.npz").read_bytes()).hexdigest()}
    info["checksum"] = hashlib.sha256(json.dumps(info, sort_keys=True).encode()).hexdigest()
    (folder / f"{name}.json").write_text(json.dumps(info, indent=1))
    return folder / f"{name}.npz"


OLD = INFO | {"name": "one-pair", "scale": "paper", "seeds": [3, 4], "command": "as it was", "arrays": {}}


def test_a_result_in_two_files_becomes_one(tmp_path, one_pair, capsys):
    file = old_pair(tmp_path / "away", "one-pair", ARRAYS, OLD)
    with refuses(ValueError, "older version", f"add {file}") as refused:
        load("one-pair", folder=tmp_path / "away")
    assert cli.main(["add", str(file), "--out", str(tmp_path / "home")]) == 0
    added = load("one-pair", folder=tmp_path / "home")
    for key, value in ARRAYS.items():
        np.testing.assert_array_equal(added[key], value)
    assert {key: value for key, value in added.info.items() if key not in ("sha256", "checksum")} == OLD
    command = str(refused.value).partition("convert it with: ")[2]
    assert cli.main(shlex.split(command)[3:]) == 0  # in its own place the second file goes
    assert [path.name for path in file.parent.iterdir()] == ["one-pair.npz"]
    assert load("one-pair", folder=tmp_path / "away").info == added.info


@pytest.mark.parametrize("damage", ["arrays", "info", "another's name"])
def test_a_damaged_result_in_two_files_is_refused(tmp_path, one_pair, capsys, damage):
    file = old_pair(tmp_path, "one-pair", ARRAYS, OLD | ({"name": "dynamics"} if damage == "another's name" else {}))
    if damage == "arrays":
        np.savez_compressed(file, **ARRAYS | {"W": np.zeros(2)})
    elif damage == "info":
        beside = file.with_suffix(".json")
        beside.write_text(beside.read_text().replace("20000", "40000"))
    assert cli.main(["add", str(file), "--out", str(tmp_path / "home")]) == 1
    assert "is damaged" in capsys.readouterr().err
    assert not (tmp_path / "home").exists()
    assert file.with_suffix(".json").exists()


# --- finding results


def test_the_package_comes_first_then_the_users_folder(places, one_pair):
    with refuses(FileNotFoundError, "one-pair", "python -m svf_helpers.experiments run one-pair --scale paper"):
        load("one-pair")
    store.save(places.user, "one-pair", "paper", ARRAYS, INFO | {"config": {"seeds": [1], "steps": 1}})
    assert load("one-pair").seeds == [1]
    packaged = store.save(places.packaged, "one-pair", "paper", ARRAYS, INFO | {"config": {"seeds": [2], "steps": 1}})
    assert load("one-pair").seeds == [2]
    packaged.write_bytes(b"cut short")
    assert load("one-pair").seeds == [1]  # the remedy that the message names works in a package that is read-only
    (places.user / "one-pair.npz").unlink()
    with refuses(ValueError, "packaged/one-pair.npz", "damaged"):
        load("one-pair")


@pytest.mark.parametrize("folder", [None, "somewhere"])
def test_an_unknown_name_or_scale_is_refused(tmp_path, one_pair, folder):
    folder = folder and tmp_path / folder
    with refuses(ValueError, "'one-pairs'", "'one-pair'", ": one-pair"):
        load("one-pairs", folder=folder)
    with refuses(ValueError, "'full'", "'quick'", "'paper'"):
        load("one-pair", "full", folder=folder)


def test_registering_refuses_bad_and_taken_names(one_pair):
    good = {"figures": ("Fig 3",), "chapter": "dynamics", "seconds": {"quick": 1, "paper": 2}}
    for name in ("One pair", "one.quick", "../one", "", "one-"):
        with refuses(ValueError, repr(name), "'one-pair'"):
            experiment(name, **good)
    with refuses(ValueError, "'dynamics'", "'quick'", "'paper'", ["quick"]):
        experiment("dynamics", **good | {"seconds": {"quick": 1}})
    with refuses(ValueError, "'one-pair'", __name__):
        experiment("one-pair", **good)(lambda **_: None)


def test_the_real_experiments_can_be_listed():
    """Whatever is registered imports without torch's or the network's help, and every chapter has a file's stem."""
    code = (
        "import sys; from svf_helpers.experiments import load, registry; assert 'torch' not in sys.modules;"
        "assert all(e.chapter.isidentifier() for e in registry.discover().values())"
    )
    env = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    subprocess.run([sys.executable, "-c", code], env=env, check=True, timeout=120)


# --- running


def test_a_run_stores_its_provenance(tmp_path, one_pair):
    path = runner.run("one-pair", "quick", "cpu", tmp_path)
    result = load("one-pair", "quick", tmp_path)
    assert path.name == "one-pair.quick.npz"
    assert [file.name for file in tmp_path.iterdir() if file.is_dir()] == []
    info = result.info
    assert (info["name"], info["scale"], info["device"], info["chapter"]) == ("one-pair", "quick", "cpu", "one_pair")
    assert info["figures"] == ["Fig 1b"]
    assert info["versions"]["numpy"] == np.__version__
    assert set(info["versions"]) == {"svf_helpers", "torch", "numpy"}
    assert info["seconds"] >= 0
    assert len(info["code"]) == 16


def test_an_interrupted_run_resumes_and_ends_the_same(tmp_path):
    whole = run_program(
        tmp_path, "run", "sums", "--scale", "paper", "--device", "cpu", "--out", str(tmp_path / "whole")
    )
    assert whole.returncode == 0, whole.stderr
    arguments = ("run", "sums", "--scale", "paper", "--device", "cpu", "--out", str(tmp_path / "out"))
    first = run_program(tmp_path, *arguments, INTERRUPT_AT="2")
    assert first.returncode == 130
    assert "Interrupted" in first.stderr
    assert "same command resumes" in first.stderr
    assert "Traceback" not in first.stderr
    assert not (tmp_path / "out" / "sums.npz").exists()
    assert (tmp_path / "out" / ".partial" / "sums-paper").is_dir()
    second = run_program(tmp_path, *arguments)
    assert second.returncode == 0, second.stderr
    assert [line for line in second.stdout.splitlines() if "part" in line] == ["computing part 2", "computing part 3"]
    assert load("sums", folder=tmp_path / "out")["summary_means"].tolist() == (
        load("sums", folder=tmp_path / "whole")["summary_means"].tolist()
    )
    assert not (tmp_path / "out" / ".partial").exists()
    third = run_program(tmp_path, *arguments)
    assert "already stored" in third.stdout
    assert "computing" not in third.stdout
    assert run_program(tmp_path, *arguments, "--fresh").stdout.count("computing") == 4


def test_checkpoints_of_other_code_or_device_are_not_mixed_in(tmp_path, one_pair, monkeypatch):
    state = runner.partial_folder(tmp_path, "one-pair", "paper")
    state.mkdir(parents=True)
    (state / "part-0.npz").write_bytes(b"hours of work")
    code = code_hash(registry.get("one-pair").run)
    for made_by, what in (
        ({"code": "f00", "device": "cpu"}, "other code"),
        ({"code": code, "device": "GPU"}, "device"),
    ):
        (state / runner.STATE).write_text(json.dumps(made_by | {"seconds": 3600}))
        with refuses(ValueError, "one-pair", "paper", what, "--fresh"):
            runner.run("one-pair", "paper", "cpu", tmp_path)
        assert (state / "part-0.npz").read_bytes() == b"hours of work"
    (state / runner.STATE).write_text(json.dumps({"code": code, "device": "cpu", "seconds": 3600}))
    runner.run("one-pair", "paper", "cpu", tmp_path)
    assert load("one-pair", folder=tmp_path).info["seconds"] >= 3600  # counted over the interruption


def test_fresh_throws_checkpoints_away(tmp_path, one_pair):
    state = runner.partial_folder(tmp_path, "one-pair", "paper")
    state.mkdir(parents=True)
    (state / "part-0.npz").write_bytes(b"old")
    runner.run("one-pair", "paper", "cpu", tmp_path, fresh=True)
    assert load("one-pair", folder=tmp_path).info["seconds"] < 60
    assert not state.exists()


@pytest.mark.skipif(files.fcntl is None, reason="without file locks two runs cannot notice each other")
def test_two_runs_of_one_result_do_not_share_a_folder(tmp_path, one_pair):
    state = runner.partial_folder(tmp_path, "one-pair", "quick")
    state.mkdir(parents=True)
    with (
        files.locked(state),
        refuses(ValueError, "another process", "one-pair", "quick"),
    ):
        runner.run("one-pair", "quick", "cpu", tmp_path)
    assert one_pair.calls == 0


def test_a_damaged_part_is_computed_again(tmp_path):
    part(tmp_path, "a", lambda: {"w": np.ones(3)})
    (tmp_path / "part-a.npz").write_bytes(b"PK\x03\x04 cut short")
    assert part(tmp_path, "a", lambda: {"w": np.zeros(3)})["w"].tolist() == [0, 0, 0]
    with refuses(ValueError, "'../a'"):
        part(tmp_path, "../a", dict)


def test_the_code_hash_follows_what_the_run_reaches(tmp_path, monkeypatch):
    """It changes with a helper two modules down, and not with comments, docstrings or what the run never uses."""
    package = tmp_path / "svf_helpers"
    shutil.copytree(PACKAGE / "experiments", package / "experiments")
    shutil.copy(PACKAGE / "files.py", package)
    (package / "toy").mkdir()
    (package / "chapters" / "mine").mkdir(parents=True)
    files = {
        "__init__.py": "__version__ = '0'\n",
        "toy/__init__.py": "from .model import step\n",
        "toy/model.py": "def step(x):\n    return 2 * x\n",
        "plots.py": "COLOUR = 1\n",
        "chapters/mine/runs.py": (
            "from svf_helpers.experiments import experiment\nfrom svf_helpers import plots\nA = 1\nB = 2\n"
            "@experiment('a', figures=('Fig 3',), chapter='dynamics', seconds={'quick': 1, 'paper': 2})\n"
            "def run(scale, device, progress, workdir):\n    from svf_helpers.toy import step\n    return step(A)\n"
        ),
    }
    for name, text in files.items():
        (package / name).write_text(text)

    def fingerprint(**changes: str) -> str:
        for name, text in (files | {key: value for key, value in changes.items()}).items():
            (package / name).write_text(text)
        code = "from svf_helpers.experiments import registry, source; print(source.code_hash(registry.get('a').run))"
        env = os.environ | {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            [sys.executable, "-P", "-c", code], env=env, capture_output=True, text=True, check=True
        ).stdout

    runs, model = "chapters/mine/runs.py", "toy/model.py"
    plain = fingerprint()
    assert len(plain.strip()) == 16
    assert fingerprint(**{model: 'def step(x):\n    """Doubles."""\n    return 2 * x  # twice\n'}) == plain
    assert fingerprint(**{runs: files[runs].replace("B = 2", "B = 3").replace("'paper': 2", "'paper': 9")}) == plain
    assert fingerprint(**{"plots.py": "COLOUR = 2\n"}) == plain
    assert fingerprint(**{model: "def step(x):\n    return 3 * x\n"}) != plain
    assert fingerprint(**{runs: files[runs].replace("A = 1", "A = 3")}) != plain
    assert fingerprint(**{runs: files[runs].replace("step(A)", "step(-A)")}) != plain


# --- the command line


def test_list_says_what_is_stored(tmp_path, one_pair, capsys):
    out = ["--out", str(tmp_path)]
    assert cli.main(["list", *out]) == 0
    assert [line.split()[:3] for line in capsys.readouterr().out.splitlines()[1:]] == [
        ["one-pair", "quick", "missing"],
        ["one-pair", "paper", "missing"],
    ]
    cli.main(["run", "one-pair", "--device", "cpu", *out])
    store.save(tmp_path, "one-pair", "paper", ARRAYS, INFO | {"code": "f00"})
    capsys.readouterr()
    cli.main(["list", *out])
    quick, paper = capsys.readouterr().out.splitlines()[1:]
    assert quick.split()[2] == "stored"
    assert "stored, older code" in paper
    assert quick.endswith("one_pair  Fig 1b")
    (tmp_path / "one-pair.npz").write_bytes(b"")
    cli.main(["list", *out])
    assert "damaged" in capsys.readouterr().out


def test_check_compares_summaries_by_value(tmp_path, one_pair, capsys):
    arguments = ["check", "one-pair", "--out", str(tmp_path)]
    assert cli.main(arguments) == 1
    assert "make it with: python -m svf_helpers.experiments run one-pair --scale quick" in capsys.readouterr().out
    assert cli.main(["run", "one-pair", "--device", "cpu", "--out", str(tmp_path)]) == 0
    capsys.readouterr()
    one_pair.summary = one_pair.summary + np.float32(5e-4)
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["one-pair", "same", "1", "1"]
    one_pair.summary = one_pair.summary + np.float32(5e-3)
    assert cli.main(arguments) == 1
    assert "summary_cosines: 6 of 6 entries differ by more than 0.001" in capsys.readouterr().out
    one_pair.summary = ARRAYS["summary_cosines"][:1]
    assert cli.main(arguments) == 1
    assert "float32[1, 3] now, float32[2, 3] stored" in capsys.readouterr().out
    one_pair.summary, one_pair.config = ARRAYS["summary_cosines"], INFO["config"] | {"lam": 5.0}
    assert cli.main(arguments) == 1
    assert "the config changed" in capsys.readouterr().out


def test_an_interrupted_check_changes_nothing(tmp_path, capsys):
    @experiment("one-pair", figures=("Fig 1b",), chapter="one_pair", seconds={"quick": 1, "paper": 2})
    def run(**_):
        raise KeyboardInterrupt

    store.save(tmp_path, "one-pair", "quick", ARRAYS, INFO)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    assert cli.main(["check", "--out", str(tmp_path)]) == 130
    assert "nothing was changed" in capsys.readouterr().err
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_tolerances_are_the_experiments_own(tmp_path):
    arrays = {"a": np.array([1.0, np.nan]), "b": np.array([5]), "c": np.array(["x"]), "d": np.zeros(2)}
    store.save(tmp_path, "one-pair", "quick", arrays, INFO)
    stored, config = load("one-pair", "quick", tmp_path), INFO["config"]

    def differences(tolerances: dict, **new: np.ndarray) -> tuple[str, ...]:
        return runner.compare(stored, arrays | new, config, tolerances).differences

    assert differences({"?": 1e-6}) == ()
    assert differences({"a": 0.1}, a=np.array([1.15, np.nan])) == ()
    assert len(differences({"a": 0.1}, a=np.array([1.25, np.nan]))) == 1
    assert len(differences({"a": 0.1}, a=np.array([1.0, 2.0]))) == 1
    assert len(differences({"b": 1e-3}, b=np.array([6]))) == 1
    assert differences({"c": 1e-3}, c=np.array(["y"])) == ("c: 1 of 1 entries changed",)
    assert differences({"a": None, "?": 1e-6}, a=np.zeros(2)) == ()
    assert differences({"d": 1e-6, "gone_*": 1e-6}) == (
        "no array is called 'gone_*', which the experiment wants compared",
    )
    assert differences({"a": 1.0}, e=np.zeros(1)) == ("e: not stored",)
    shapes_only = runner.compare(stored, arrays, config, dict(registry.SUMMARIES))
    assert (shapes_only.by_value, shapes_only.by_shape, shapes_only.differences) == (0, 4, ())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "sum", "--device", "cpu"], "there is no experiment 'sum'. Did you mean 'sums'? Known names: sums"),
        (["run", "sums", "nonsense", "--device", "cpu"], "there is no experiment 'nonsense'. Known names: sums"),
        (["check", "sum"], "Did you mean 'sums'?"),
        (["run", "sums", "--scale", "full"], "choose from"),
        (["run"], "NAME"),
        ([], "action"),
    ],
)
def test_wrong_arguments_end_with_2_and_run_nothing(tmp_path, arguments, message):
    ended = run_program(tmp_path, *arguments)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "computing" not in ended.stdout


def test_a_missing_gpu_is_said_in_plain_words(one_pair, monkeypatch, capsys, tmp_path):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert cli.main(["run", "one-pair", "--device", "cuda", "--out", str(tmp_path)]) == 2
    assert "no GPU that torch can use on this machine; give 'cpu' or 'auto'" in capsys.readouterr().err
    assert one_pair.calls == 0
    assert cli.main(["run", "one-pair", "--device", "auto", "--out", str(tmp_path)]) == 0
    assert load("one-pair", "quick", tmp_path).info["device"] == "cpu"


def test_a_failing_run_is_reported_and_the_others_go_on(one_pair, tmp_path, capsys):
    @experiment("broken", figures=("Fig 3",), chapter="dynamics", seconds={"quick": 1, "paper": 2})
    def run(**_):
        raise ZeroDivisionError("by zero")

    assert cli.main(["run", "all", "--device", "cpu", "--out", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert "broken (quick) failed: ZeroDivisionError: by zero" in said.err
    assert "Traceback" not in said.err
    details = tmp_path / ".partial" / "broken-quick" / "traceback.txt"
    assert "raise ZeroDivisionError" in details.read_text()
    assert load("one-pair", "quick", tmp_path).scale == "quick"


def test_an_installed_package_reads_its_own_results_and_writes_to_the_users_folder(tmp_path):
    """As in Colab: no checkout around the package, another working directory."""
    site = tmp_path / "site"
    shutil.copytree(PACKAGE / "experiments", site / "svf_helpers" / "experiments", ignore=lambda *_: {"__pycache__"})
    for module in ("__init__.py", "files.py"):
        shutil.copy(PACKAGE / module, site / "svf_helpers")
    store.save(site / "svf_helpers" / "results", "packaged", "paper", ARRAYS, INFO)
    ended = run_program(tmp_path, "run", "sums", "--device", "cpu", PYTHONPATH=str(site), PYTHONSAFEPATH="1")
    assert ended.returncode == 0, ended.stderr
    written = sorted(path.name for path in tmp_path.rglob("sums*"))
    assert written == ["sums.quick.npz"]
    reading = (
        "import svf_helpers; from svf_helpers.experiments import load, store; print(svf_helpers.__file__);"
        "print(load('packaged').label(), '|', load('sums', 'quick').label(), '|', store.default_out())"
    )
    env = os.environ | {"PYTHONPATH": str(site), "XDG_DATA_HOME": str(tmp_path / "data")}
    said = subprocess.run(
        [sys.executable, "-P", "-c", reading], cwd="/", env=env, capture_output=True, text=True, check=True
    ).stdout
    assert str(site) in said
    assert "paper scale, 2 seeds, 20,000 steps | quick scale, 4 seeds, 10 steps" in said
    assert str(site) not in said.splitlines()[1]
    (site / "pyproject.toml").touch()  # a checkout is told by this file beside the package
    again = subprocess.run(
        [sys.executable, "-P", "-c", reading], cwd="/", env=env, capture_output=True, text=True, check=True
    ).stdout
    assert again.strip().endswith(str(site / "svf_helpers" / "results"))


def test_the_module_runs_as_a_command(tmp_path):
    env = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}
    command = [sys.executable, "-m", "svf_helpers.experiments", "run", "no-such-run"]
    ended = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2
    assert ended.stderr.startswith("python -m svf_helpers.experiments: there is no experiment 'no-such-run'")


def test_options_reach_the_run_and_are_stored_with_it(places, capsys):
    """A run with another option is another result: it is neither skipped nor mixed with checkpoints of the first."""
    seen = []

    @experiment("choosy", figures=(), chapter="one_pair", seconds={"quick": 1, "paper": 1},
                options={"model": Option("small", "which model to read"), "discard_weights": Option(False)})
    def choosy(scale, device, progress, workdir, model, discard_weights):
        seen.append((model, discard_weights))
        return {"summary_size": np.array(len(model))}, {"seeds": [0], "steps": 1}

    @experiment("other", figures=(), chapter="one_pair", seconds={"quick": 1, "paper": 1},
                options={"revisions": Option("all")})
    def other(scale, device, progress, workdir, revisions):
        raise AssertionError

    out = ["--out", str(places.user)]
    assert cli.main(["run", "choosy", *out]) == 0
    assert cli.main(["run", "choosy", *out]) == 0
    assert cli.main(["run", "choosy", "--model", "a/larger one", "--discard-weights", *out]) == 0
    assert seen == [("small", False), ("a/larger one", True)]
    info = load("choosy", "quick").info
    assert info["options"] == {"model": "a/larger one", "discard_weights": True}
    assert info["command"].endswith("run choosy --scale quick --model 'a/larger one' --discard-weights")
    capsys.readouterr()
    assert cli.main(["run", "choosy", "--revisions", "all"]) == 2
    said = capsys.readouterr().err
    assert "choosy does not take --revisions; options that it takes: --model, --discard-weights" in said
    with pytest.raises(SystemExit):
        cli.main(["run", "--help"])
    assert re.search(r"--model MODEL +which model to read \(choosy\)", capsys.readouterr().out)
    with pytest.raises(SystemExit):
        cli.main(["run", "choosy", "--colour", "red"])
    assert "--colour" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "told"),
    [({"fresh": Option(False)}, ("'second'", "'fresh'")),
     ({"model": Option(True)}, ("'second'", "'model'", "flag", "text"))],
)
def test_options_that_the_command_line_could_not_tell_apart_are_refused(options, told):
    common = {"figures": (), "chapter": "one_pair", "seconds": {"quick": 1, "paper": 1}}
    experiment("first", options={"model": Option("gpt2")}, **common)(lambda **_: None)
    with refuses(ValueError, *told):
        experiment("second", options=options, **common)


def test_every_command_that_is_stored_with_a_result_is_one_that_the_command_line_takes(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(runner, "run", lambda name, *rest: asked.append((name, rest[-1])) or Path(__file__))
    for name, entry in registry.discover().items():
        given = registry.with_options(entry, None)
        words = shlex.split(registry.command(name, "quick", out=tmp_path, options=given))[3:]
        assert cli.main(words) == 0
        (ran, settings), asked = asked[-1], []
        assert ran == name
        assert registry.with_options(entry, settings) == given


def test_all_leaves_out_what_needs_the_hub(places, capsys):
    @experiment("far-away", figures=(), chapter="one_pair", seconds={"quick": 1, "paper": 1}, hub=True)
    def far_away(scale, device, progress, workdir):
        raise AssertionError

    assert "far-away" not in [entry.name for entry in cli._named(["all"])]
    assert [entry.name for entry in cli._named(["far-away"])] == ["far-away"]
    assert cli.main(["list"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("far-away  paper"))
    assert "needs the hub" in line


def test_a_result_from_elsewhere_is_checked_and_put_in_place(places, tmp_path, capsys):
    lacking = []

    def validate(result):
        lacking.append(result.info["name"])
        if result["summary_size"] > 1:
            raise ValueError("summary_size is too large")

    size = [1]

    @experiment("guest", figures=(), chapter="one_pair", seconds={"quick": 1, "paper": 1}, validate=validate)
    def guest(scale, device, progress, workdir):
        return {"summary_size": np.array(size[0])}, {"seeds": [0], "steps": 1}

    away, home = tmp_path / "away", tmp_path / "home"
    made = runner.run("guest", "paper", "cpu", away)
    assert cli.main(["add", str(made), "--out", str(home)]) == 0
    assert load("guest", folder=home).info == load("guest", folder=away).info
    assert lacking == ["guest"]
    quick = runner.run("guest", "quick", "cpu", away)
    assert cli.main(["add", str(quick), "--out", str(home)]) == 0
    assert [load("guest", scale, home).scale for scale in registry.SCALES] == ["quick", "paper"]
    quick.unlink()
    made.write_bytes(made.read_bytes()[:-9])
    assert cli.main(["add", str(made), "--out", str(home)]) == 1
    assert "damaged" in capsys.readouterr().err
    assert load("guest", folder=home)["summary_size"] == 1  # what was there stays
    size[0] = 2
    made = runner.run("guest", "paper", "cpu", away, fresh=True)
    assert cli.main(["add", str(made), "--out", str(home)]) == 1
    assert "summary_size is too large" in capsys.readouterr().err
    assert load("guest", folder=home)["summary_size"] == 1
    cases = {
        "unknown.npz": "no experiment 'unknown'",
        "guest.txt": "a result is a file NAME.npz",
        "guest.quick.npz": "there is no file",
    }
    for wrong, words in cases.items():
        assert cli.main(["add", str(away / wrong), "--out", str(home)]) == 1
        assert words in capsys.readouterr().err


def test_the_first_stored_result_of_some(places, one_pair):
    from svf_helpers.experiments import load_first

    runner.run("one-pair", "paper", "cpu", places.user)
    assert load_first("one-pair", "one-pair").info["name"] == "one-pair"

    @experiment("larger", figures=(), chapter="one_pair", seconds={"quick": 1, "paper": 1}, hub=True)
    def larger(scale, device, progress, workdir):
        return {"summary_size": np.array(9)}, {"seeds": [0], "steps": 1}

    assert load_first("larger", "one-pair").info["name"] == "one-pair"
    runner.run("larger", "paper", "cpu", places.user)
    assert load_first("larger", "one-pair").info["name"] == "larger"
    (places.user / "larger.npz").write_bytes(b"not arrays")
    with refuses(ValueError, "larger.npz", "damaged"):  # and not the smaller one in its stead, without a word
        load_first("larger", "one-pair")


# --- results of older code, confirmed


@pytest.fixture
def refactored(tmp_path, monkeypatch):
    """Results at both scales and the quick one that was made again, all by older code; then the code changes."""
    state = SimpleNamespace(noise=0, code="a" * 16, out=tmp_path / "out", before=tmp_path / "before", calls=0)
    monkeypatch.setattr(runner, "code_hash", lambda run: state.code)
    monkeypatch.setattr(confirm_module, "code_hash", lambda run: state.code)
    monkeypatch.setattr(cli, "code_hash", lambda run: state.code)

    @experiment("one-pair", figures=(), chapter="one_pair", seconds={"quick": 1, "paper": 2})
    def run(scale, device, progress, workdir):
        state.calls += 1
        weights = np.random.default_rng(0).normal(size=4) + state.noise
        return {"w": weights, "nan": np.array([np.nan, 0.0])}, {"seeds": [0], "steps": 10 if scale == "quick" else 99}

    for scale, folder in (("quick", state.out), ("paper", state.out), ("quick", state.before)):
        runner.run("one-pair", scale, "cpu", folder)
    state.code, state.calls = "b" * 16, 0
    return state


def states(capsys, out: Path) -> list[str]:
    capsys.readouterr()
    cli.main(["list", "--out", str(out)])
    return [re.split(r"  +", line)[2] for line in capsys.readouterr().out.splitlines()[1:]]


def test_a_refactor_is_confirmed(refactored, capsys):
    command = ["confirm", "one-pair", "--before", str(refactored.before), "--out", str(refactored.out)]
    stored = {scale: load("one-pair", scale, refactored.out) for scale in registry.SCALES}
    assert states(capsys, refactored.out) == ["stored, older code"] * 2
    assert cli.main(command) == 0
    assert refactored.calls == 1
    assert states(capsys, refactored.out) == ["stored, confirmed"] * 2
    assert runner.is_current(registry.get("one-pair"), "paper", refactored.out)
    for scale, old in stored.items():  # nothing else has changed
        new = load("one-pair", scale, refactored.out)
        assert new.info == old.info | {"confirmed": ["b" * 16], "checksum": new.info["checksum"]}
        assert {key: value.tobytes() for key, value in new.arrays.items()} == {
            key: value.tobytes() for key, value in old.arrays.items()
        }
    assert cli.main(command) == 0  # once is enough
    assert "was current already" in capsys.readouterr().out
    assert refactored.calls == 1
    refactored.code = "c" * 16  # the next refactor: proven by the same result, or by one of the confirmed code
    runner.run("one-pair", "quick", "cpu", refactored.before, fresh=True)
    assert load("one-pair", "quick", refactored.before).codes == ["c" * 16]
    assert cli.main(command) == 1
    assert f"was made by code {'c' * 16}, those stored by {'a' * 16}, {'b' * 16}" in capsys.readouterr().err


@pytest.mark.parametrize("change", ["last bit", "steps", "array gone"])
def test_other_numbers_are_not_confirmed(refactored, capsys, change):
    if change == "last bit":
        refactored.noise = 1e-15
    else:
        run = registry.get("one-pair").run

        def other(**arguments):
            arrays, config = run(**arguments)
            return (arrays, config | {"steps": 11}) if change == "steps" else ({"w": arrays["w"]}, config)

        entry = dataclasses.replace(registry.get("one-pair"), run=other)
        registry.EXPERIMENTS["one-pair"] = entry
    before = {path: path.read_bytes() for path in refactored.out.iterdir()}
    assert cli.main(["confirm", "all", "--before", str(refactored.before), "--out", str(refactored.out)]) == 1
    differs = {"last bit": "w", "steps": "config", "array gone": "nan"}[change]
    assert f"gives other numbers ({differs})" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in refactored.out.iterdir()} == before


@pytest.mark.parametrize("wrong", ["nothing there", "other code", "other machine", "damaged", "paper scale"])
def test_a_folder_that_proves_nothing_is_refused_before_anything_runs(refactored, capsys, tmp_path, wrong, monkeypatch):
    file = refactored.before / "one-pair.quick.npz"
    if wrong == "nothing there":
        file.unlink()
    elif wrong == "other code":
        runner.run("one-pair", "quick", "cpu", refactored.before, fresh=True)  # the present code's own, say
    elif wrong == "other machine":
        monkeypatch.setattr(runner, "version", lambda package: "9.9")
    elif wrong == "damaged":
        file.write_bytes(file.read_bytes()[:-9])
    else:
        shutil.copy(refactored.out / "one-pair.npz", file)
    refactored.calls = 0
    assert cli.main(["confirm", "one-pair", "--before", str(refactored.before), "--out", str(refactored.out)]) == 1
    said = capsys.readouterr().err
    words = {
        "nothing there": "there is no file",
        "other code": f"was made by code {'b' * 16}, those stored by {'a' * 16}",
        "other machine": r"made with torch .*, here it is 9.9",
        "damaged": "is damaged",
        "paper scale": "it holds 'one-pair' at paper scale",
    }
    assert re.search(words[wrong], said)
    assert refactored.calls == 0
    assert load("one-pair", folder=refactored.out).codes == ["a" * 16]


def test_where_nothing_is_stored_there_is_nothing_to_confirm(refactored, tmp_path):
    with refuses(FileNotFoundError, "one-pair", tmp_path / "empty"):
        confirm("one-pair", refactored.before, folder=tmp_path / "empty")
    assert refactored.calls == 0


def test_a_result_of_yet_other_code_is_left_alone(refactored):
    store.save(refactored.out, "one-pair", "paper", ARRAYS, INFO | {"code": "f" * 16})
    changed = confirm("one-pair", refactored.before, folder=refactored.out)
    assert [path.name for path in changed] == ["one-pair.quick.npz"]
    assert load("one-pair", folder=refactored.out).codes == ["f" * 16]


def test_every_option_says_what_it_is_for(monkeypatch):
    monkeypatch.undo()
    silent = [f"{entry.name} {registry.flag(name)}" for entry in registry.discover().values()
              for name, option in entry.options.items() if not option.help]
    assert silent == []


# --- what is refused, and how it is said


@pytest.mark.parametrize("action", ["list", "confirm"])
def test_help_says_that_the_paper_scale_is_not_compared(capsys, action):
    with pytest.raises(SystemExit):
        cli.main([action, "--help"])
    assert cli.NOT_COMPARED in re.sub(r"\s+", " ", capsys.readouterr().out)
    assert cli.NOT_COMPARED in re.sub(r"\s+", " ", confirm.__doc__)


@pytest.mark.parametrize("scale", ["quick", "paper"])
def test_a_result_that_is_replaced_while_it_is_confirmed_stays_as_it_is(refactored, scale):
    run = registry.get("one-pair").run
    file = refactored.out / f"{store.stem('one-pair', scale)}.npz"

    def slow(**arguments):
        store.save(refactored.out, "one-pair", scale, ARRAYS, INFO | {"code": "a" * 16})
        return run(**arguments)

    registry.EXPERIMENTS["one-pair"] = dataclasses.replace(registry.get("one-pair"), run=slow)
    with refuses(ValueError, "one-pair", file, "replaced meanwhile"):
        confirm("one-pair", refactored.before, folder=refactored.out)
    assert load("one-pair", scale, refactored.out).codes == ["a" * 16]
    assert load("one-pair", scale, refactored.out)["W"].tolist() == ARRAYS["W"].tolist()


@pytest.mark.parametrize(
    ("changed", "told"), [({"device": "GPU"}, ("GPU", "cpu")), ({"options": {"model": "m"}}, ("'m'", "none"))]
)
def test_only_results_of_the_same_options_and_device_are_confirmed(refactored, capsys, changed, told):
    paper = load("one-pair", folder=refactored.out)
    store.save(refactored.out, "one-pair", "paper", paper.arrays, dict(paper.info) | changed)
    for calls in (1, 1):  # the second time nothing is left that a run could prove
        with refuses(ValueError, "one-pair.npz", *told, *changed, refactored.before):
            confirm("one-pair", refactored.before, folder=refactored.out)
        assert refactored.calls == calls
        assert states(capsys, refactored.out) == ["stored, confirmed", "stored, older code"]


def test_code_that_is_not_known_is_no_code_that_is_known(refactored, capsys):
    for scale in registry.SCALES:
        store.save(refactored.out, "one-pair", scale, ARRAYS, INFO)
    assert load("one-pair", folder=refactored.out).codes == []
    store.save(refactored.before, "one-pair", "quick", ARRAYS, INFO)
    with refuses(ValueError, "one-pair", confirm_module.UNKNOWN):
        confirm("one-pair", refactored.before, folder=refactored.out)
    refactored.code = ""
    assert states(capsys, refactored.out) == ["stored, older code"] * 2


@pytest.mark.parametrize("missing", list(store.SAID))
def test_a_file_that_says_too_little_is_refused(refactored, capsys, missing):
    for folder in (refactored.out, refactored.before):
        made = load("one-pair", "quick", folder)
        info = {key: value for key, value in made.info.items() if key != missing}
        file = store.put(folder, "one-pair", "quick", store.seal(made.arrays, info))
        with refuses(ValueError, "one-pair.quick.npz", f"does not say {missing}:"):
            load("one-pair", "quick", folder)
    assert states(capsys, refactored.out) == ["damaged", "stored, older code"]
    with refuses(ValueError, missing):
        store.add(file, refactored.out)
    with refuses(ValueError, missing):
        confirm("one-pair", refactored.before, folder=refactored.out)


@pytest.mark.parametrize(
    "wrong", [{"confirmed": "b" * 16}, {"confirmed": [7]}, {"seconds": "1"}, {"options": ["m"]}, {"versions": None}]
)
def test_a_file_that_says_it_in_another_form_is_refused(tmp_path, wrong):
    store.save(tmp_path, "one-pair", "paper", ARRAYS, INFO)
    info = dict(load("one-pair", folder=tmp_path).info) | wrong
    store.put(tmp_path, "one-pair", "paper", store.seal(ARRAYS, info))
    with refuses(ValueError, "one-pair.npz", *wrong):
        load("one-pair", folder=tmp_path)


def test_what_the_system_forbids_is_said_in_one_line(one_pair, tmp_path, capsys, monkeypatch):
    made = runner.run("one-pair", "quick", "cpu", tmp_path / "out")
    blocked = tmp_path / "file"
    blocked.touch()
    assert cli.main(["add", str(made), "--out", str(blocked)]) == 1  # a file where a folder is to be
    assert str(blocked) in capsys.readouterr().err
    assert cli.main(["run", "one-pair", "--device", "cpu", "--out", str(blocked)]) == 1
    said = capsys.readouterr().err
    assert str(blocked) in said
    assert "The details" not in said

    def forbidden(path, *rest, **more):
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", forbidden)
        assert cli.main(["list", "--out", str(made.parent)]) == 1
        said = capsys.readouterr()
        assert [line.split()[2] for line in said.out.splitlines()[1:]] == ["unreadable", "missing"]
        assert "Permission denied" in said.err
        assert cli.main(["add", str(made), "--out", str(tmp_path / "home")]) == 1
        said = capsys.readouterr().err
        assert "Permission denied" in said
        assert "damaged" not in said
        assert cli.main(["run", "one-pair", "--device", "cpu", "--out", str(made.parent)]) == 1
        assert "Permission denied" in capsys.readouterr().err
    one_pair.summary = None  # a bug, in a folder that takes no traceback
    monkeypatch.setattr(Path, "write_text", forbidden)
    assert cli.main(["run", "one-pair", "--device", "cpu", "--out", str(tmp_path / "full")]) == 1
    said = capsys.readouterr().err
    assert "summary_cosines" in said
    assert "The details" not in said


@pytest.mark.skipif(files.fcntl is None, reason="without file locks two runs cannot notice each other")
def test_a_refusal_leaves_the_folder_of_another_process_alone(tmp_path, one_pair, capsys):
    state = runner.partial_folder(tmp_path, "one-pair", "quick")
    state.mkdir(parents=True)
    with files.locked(state):
        assert cli.main(["run", "one-pair", "--device", "cpu", "--out", str(tmp_path)]) == 1
    assert "another process" in capsys.readouterr().err
    assert list(state.iterdir()) == []


def test_an_interrupted_confirm_does_not_say_that_nothing_was_changed(refactored, capsys, monkeypatch):
    @experiment("second", figures=(), chapter="one_pair", seconds={"quick": 1, "paper": 2})
    def run(**_):
        raise KeyboardInterrupt

    for folder in (refactored.out, refactored.before):
        store.save(folder, "second", "quick", ARRAYS, INFO | {"code": "a" * 16, "versions": runner.versions()})
    out = ["--before", str(refactored.before), "--out", str(refactored.out)]
    assert cli.main(["confirm", "one-pair", "second", *out]) == 130
    said = capsys.readouterr().err
    assert "stays so" in said
    assert "nothing was changed" not in said
    assert load("one-pair", folder=refactored.out).codes == ["a" * 16, "b" * 16]
    assert load("second", "quick", refactored.out).codes == ["a" * 16]


@pytest.mark.parametrize("error", [AttributeError, KeyError, ZeroDivisionError, OSError])
def test_an_answer_that_cannot_become_an_array_is_unreadable(error):
    pytest.importorskip("torch")
    from svf_helpers.chapters.kit import answers

    class Raises:
        def __array__(self, *_, **__):
            raise error("no array")

    class Hides:
        @property
        def __array__(self):
            raise error("no array")

    for answer in (Raises(), Hides(), [1.0, Raises()]):
        for form in (answers.number(), answers.tensor(2), answers.function("f(x)")):
            with refuses(answers.Unreadable, form.words):
                form.read(answer)
