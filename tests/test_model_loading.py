"""load_model: where a model comes from, and plain words when it does not come."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from svf_helpers.language_models import load_model, loading
from tests.refusals import refuses
from tests.tiny_models import VOCABULARY, save, some_tokens


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save("neox", tmp_path_factory.mktemp("models"))


def test_a_local_folder_without_a_tokenizer(folder):
    """Logits are Hugging Face's own; numbers stand for tokens."""
    from transformers import GPTNeoXForCausalLM

    model = load_model(folder, device="cpu")
    tokens = model.to_tokens("5 17 96 8", prepend_bos=False)
    assert tokens.tolist() == [[5, 17, 96, 8]]
    assert not model.training
    assert model.cfg.d_vocab == VOCABULARY
    expected = GPTNeoXForCausalLM.from_pretrained(folder)(tokens).logits
    torch.testing.assert_close(model(tokens), expected, rtol=1e-4, atol=1e-4)
    assert next(model.parameters()).dtype == torch.float32


@pytest.mark.parametrize("name", ["pocket-gpt2", "pocket-pythia"])
def test_bundled_models_come_from_their_folder(name, folder, monkeypatch):
    asked = []

    def pocket_folder(*arguments):
        asked.append(arguments)
        return folder

    monkeypatch.setattr(loading, "pocket_folder", pocket_folder)
    model = load_model(name, revision="step128", device="cpu")
    assert asked == [(name, "step128")]
    assert model(some_tokens(1, 5)).shape == (1, 5, VOCABULARY)


def test_places_that_hold_no_model(folder, tmp_path):
    with refuses(FileNotFoundError, "./nowhere", "pocket-gpt2", "pocket-pythia"):
        load_model("./nowhere")
    with refuses(FileNotFoundError, tmp_path / "nowhere"):
        load_model(tmp_path / "nowhere")
    with refuses(FileNotFoundError, tmp_path, "config.json"):
        load_model(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with refuses(ValueError, tmp_path, "TransformerLens"):
        load_model(tmp_path)
    with refuses(ValueError, "revision = 'step1'"):
        load_model(folder, revision="step1")


@pytest.mark.parametrize("name", [None, 3, "", "  ", b"gpt2", ["gpt2"]])
def test_names_that_are_none(name):
    with refuses(ValueError, f"name = {name!r}", "pocket-gpt2"):
        load_model(name)


def test_nothing_heavy_is_imported_before_a_model_is_loaded():
    """TransformerLens takes seconds to import, and chapters that only draw stored results never need it."""
    code = "import svf_helpers.language_models, sys; print({'transformer_lens', 'transformers'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "set()"


def test_a_device_that_is_not_there(folder):
    with refuses(ValueError, "device = 'abacus'"):
        load_model(folder, device="abacus")


def test_without_a_network(monkeypatch):
    """As tests run: HF_HUB_OFFLINE is set, and the model is in no cache."""
    with refuses(ConnectionError, "no-such-owner/no-such-model", "HF_HUB_OFFLINE", "pocket-gpt2"):
        load_model("no-such-owner/no-such-model", device="cpu")


def test_a_folder_without_weights_says_so_wherever_it_lies(folder, tmp_path):
    """Words in a path are no sign of what went wrong."""
    bare = tmp_path / "offline"
    bare.mkdir()
    (bare / "config.json").write_text((Path(folder) / "config.json").read_text())
    with refuses(FileNotFoundError, bare, "weights"):
        load_model(bare, device="cpu")


def from_hub(kind: str, text: str) -> Exception:
    """An error as the hub's client raises it, wrapped by transformers in an OSError."""
    from huggingface_hub import errors

    error = getattr(errors, kind)
    inner = error.__new__(error)
    inner.args = (text,)
    outer = OSError("There was a problem")
    outer.__cause__ = inner
    return outer


def dropped(kind: str) -> Exception:
    """An error of the hub's own HTTP library, where no answer came."""
    import huggingface_hub.errors

    library = sys.modules[huggingface_hub.errors.HfHubHTTPError.__bases__[0].__module__.split(".")[0]]
    return getattr(library, kind)("no answer")


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (lambda: from_hub("RepositoryNotFoundError", "404"), ValueError, ("some/model", "huggingface.co")),
        (lambda: from_hub("GatedRepoError", "403"), ValueError, ("some/model", "huggingface.co")),
        (lambda: from_hub("RevisionNotFoundError", "404"), ValueError, ("some/model", "revision 'step7'")),
        (
            lambda: OSError("step7 is not a valid git identifier (branch name, tag name or commit id)"),
            ValueError,
            ("some/model", "revision 'step7'"),
        ),
        (lambda: torch.OutOfMemoryError("CUDA out of memory"), MemoryError, ("some/model", "cpu")),
        (
            lambda: OSError("We couldn't connect to 'https://huggingface.co'"),
            ConnectionError,
            ("some/model", "HF_HUB_OFFLINE"),
        ),
        (lambda: dropped("ConnectTimeout"), ConnectionError, ("some/model", "HF_HUB_OFFLINE")),
        (lambda: dropped("RemoteProtocolError"), ConnectionError, ("some/model", "HF_HUB_OFFLINE")),
        (lambda: KeyError("surprise"), KeyError, ("surprise",)),
    ],
)
def test_other_errors_in_plain_words(error, kind, told, monkeypatch):
    from transformer_lens.model_bridge import TransformerBridge

    def boot(*arguments, **options):
        assert options["revision"] == "step7"
        raise error()

    monkeypatch.setattr(TransformerBridge, "boot_transformers", boot)
    with refuses(kind, *told):
        load_model("some/model", revision="step7", device="cpu")
