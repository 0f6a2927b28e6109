"""Checkpoints, one after the other: listed, fetched with patience, checked, thrown away."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from svf_helpers.language_models import checkpoints
from svf_helpers.language_models.checkpoints import checkpoint, checkpoint_names, needed_files, step_of
from tests.refusals import refuses

FILES = {"config.json": 11, "model.safetensors": 3000, "pytorch_model.bin": 3100, "tokenizer.json": 40, "README.md": 9}


class Hub:
    """A hub that can stumble: ``faults`` are raised, or bytes are missing, in the order given."""

    def __init__(self, monkeypatch):
        import huggingface_hub

        self.faults, self.fetched, self.waits = [], [], []
        monkeypatch.setattr(huggingface_hub, "HfApi", lambda: self)
        monkeypatch.setattr(huggingface_hub, "hf_hub_download", self.download)
        monkeypatch.setattr(checkpoints.time, "sleep", self.waits.append)

    def list_repo_refs(self, repo):
        names = ["main", "step1000", "step0", "step512", "step143000", "onnx"]
        return SimpleNamespace(branches=[SimpleNamespace(name=name) for name in names])

    def model_info(self, repo, revision, files_metadata):
        assert files_metadata
        return SimpleNamespace(siblings=[SimpleNamespace(rfilename=name, size=size) for name, size in FILES.items()])

    def download(self, repo, name, revision, local_dir):
        self.fetched.append((name, revision))
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Exception):
            raise fault
        path = Path(local_dir) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * (FILES[name] - (fault or 0)))


@pytest.fixture
def hub(monkeypatch):
    return Hub(monkeypatch)


def test_checkpoints_in_the_order_of_training(hub, tmp_path):
    assert checkpoint_names("someone/pythia") == ["step0", "step512", "step1000", "step143000"]
    assert checkpoint_names("someone/pythia", "every 1000") == ["step0", "step1000", "step143000"]
    assert checkpoint_names("someone/pythia", "last") == ["step143000"]
    assert checkpoint_names("someone/pythia", "step1000, step0") == ["step0", "step1000"]
    for name in ("step20", "step3", "notes"):
        (tmp_path / name).mkdir()
    for name in ("step20", "step3"):
        (tmp_path / name / "config.json").write_text("{}")
    assert checkpoint_names(str(tmp_path)) == ["step3", "step20"]


@pytest.mark.parametrize("wanted", ["step7", "every 0", "", "newest"])
def test_checkpoints_that_are_not_there_are_refused(hub, wanted):
    with refuses(ValueError, f"revisions {wanted!r}"):
        checkpoint_names("someone/pythia", wanted)


def test_models_without_checkpoints_are_refused(tmp_path):
    with refuses(ValueError, tmp_path, "stepN"):
        checkpoint_names(str(tmp_path))
    with refuses(FileNotFoundError, "./nowhere", "stepN"):
        checkpoint_names("./nowhere")
    with refuses(ValueError, "'main'", "step0"):
        step_of("main")


def test_a_checkpoint_is_fetched_checked_and_thrown_away(hub, tmp_path):
    with checkpoint("someone/pythia", "step0", tmp_path, discard=True) as (name, revision):
        assert revision is None
        here = sorted(path.name for path in Path(name).iterdir())
        assert here == ["config.json", "model.safetensors", "tokenizer.json"]
    assert not Path(name).exists()
    with checkpoint("someone/pythia", "step0", tmp_path) as (name, _):
        pass
    assert (Path(name) / "model.safetensors").stat().st_size == 3000
    hub.fetched.clear()
    with checkpoint("someone/pythia", "step0", tmp_path):  # what is there and whole is not fetched again
        assert not hub.fetched


def test_a_failure_inside_does_not_leave_weights_that_were_to_go(hub, tmp_path):
    with pytest.raises(RuntimeError), checkpoint("someone/pythia", "step0", tmp_path, discard=True) as (name, _):
        raise RuntimeError
    assert not Path(name).exists()


def test_a_dropped_download_and_a_short_file_are_tried_again(hub, tmp_path):
    hub.faults = [ConnectionResetError("dropped"), None, 1, OSError("again")]
    with checkpoint("someone/pythia", "step0", tmp_path) as (name, _):
        assert (Path(name) / "model.safetensors").stat().st_size == 3000
    assert [file for file, _ in hub.fetched].count("config.json") == 2
    assert [file for file, _ in hub.fetched].count("model.safetensors") == 3
    assert hub.waits == [2.0, 2.0, 4.0]


def test_after_six_attempts_it_gives_up_and_says_what_was_short(hub, tmp_path):
    hub.faults = [5] * 6
    told = ("6 attempts", "config.json", "6 bytes", 11)
    with refuses(ConnectionError, *told), checkpoint("someone/pythia", "step0", tmp_path):
        pass
    assert len(hub.waits) == 5


def test_what_will_not_pass_is_not_tried_again(hub, tmp_path, monkeypatch):
    from huggingface_hub import errors

    response = SimpleNamespace(status_code=404, headers={}, request=None)
    gone = errors.RepositoryNotFoundError.__new__(errors.RepositoryNotFoundError)
    gone.response = response
    denied = errors.HfHubHTTPError.__new__(errors.HfHubHTTPError)
    denied.response = SimpleNamespace(status_code=403)
    for fault, kind, told in (
        (gone, ValueError, ("someone/pythia", "huggingface.co")),
        (denied, ConnectionError, ("someone/pythia", 403)),
        (errors.OfflineModeIsEnabled("off"), ConnectionError, ("someone/pythia", "HF_HUB_OFFLINE")),
    ):
        hub.faults = [fault]
        with refuses(kind, *told), checkpoint("someone/pythia", "step0", tmp_path):
            pass
    assert not hub.waits


def test_weights_in_one_format():
    assert needed_files(["config.json", "pytorch_model.bin", "merges.txt"]) == [
        "config.json", "merges.txt", "pytorch_model.bin"
    ]  # fmt: skip
    both = ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"]
    assert needed_files(both) == ["model.safetensors", "model.safetensors.index.json"]
    with refuses(ValueError, "config.json", "model.safetensors", "pytorch_model.bin"):
        needed_files(["config.json", "onnx/model.safetensors"])


def test_local_checkpoints_stay_where_they_are(tmp_path):
    (tmp_path / "step4").mkdir()
    with checkpoint(str(tmp_path), "step4", tmp_path / "unused", discard=True) as (name, revision):
        assert (name, revision) == (str(tmp_path / "step4"), None)
    assert (tmp_path / "step4").is_dir()


def test_errors_of_the_hubs_own_http_library_are_tried_again(hub, tmp_path):
    """Where no answer comes at all, the client raises what its HTTP library raises, which is no OSError."""
    from huggingface_hub import errors

    dropped = errors.HfHubHTTPError.__bases__[0]("peer closed connection")
    hub.faults = [dropped]
    with checkpoint("someone/pythia", "step0", tmp_path) as (name, _):
        assert (Path(name) / "model.safetensors").stat().st_size == 3000
    assert hub.waits == [2.0]
    hub.faults = [dropped] * 6
    told = ("someone/pythia step1", "6 attempts")
    with refuses(ConnectionError, *told), checkpoint("someone/pythia", "step1", tmp_path):
        pass
