"""Errors of loading and downloading: recognised along the whole chain of their causes, and told in one way."""

from types import SimpleNamespace

import pytest
import torch

from svf_helpers.plain_errors import in_plain_words, needed, trouble
from tests.refusals import refuses


def of_hub(kind: str, text: str = "", status: int | None = None) -> Exception:
    """An error as the hub's client raises it."""
    from huggingface_hub import errors

    error = getattr(errors, kind).__new__(getattr(errors, kind))
    error.args, error.response = (text,), SimpleNamespace(status_code=status)
    return error


def wrapped(inner: Exception, by: Exception) -> Exception:
    """One error raised from another, as transformers does."""
    try:
        raise by from inner
    except Exception as error:
        return error


CASES = {
    "repository": lambda: of_hub("RepositoryNotFoundError", status=404),
    "revision": lambda: of_hub("RevisionNotFoundError", status=404),
    "name": lambda: of_hub("HFValidationError"),
    "file": lambda: of_hub("EntryNotFoundError", status=404),
    "offline": lambda: of_hub("OfflineModeIsEnabled"),
    "unreachable": lambda: of_hub("LocalEntryNotFoundError"),
    "refused": lambda: of_hub("HfHubHTTPError", status=403),
    "memory": lambda: RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    "weights": lambda: OSError("Error no file named model.safetensors found in directory x"),
    "kind": lambda: ValueError("Unrecognized model in x"),
    "unknown": lambda: PermissionError("the cache cannot be written"),
}
KINDS = {"repository": ValueError, "revision": ValueError, "name": ValueError, "file": FileNotFoundError,
         "offline": ConnectionError, "unreachable": ConnectionError, "refused": ConnectionError, "memory": MemoryError,
         "weights": FileNotFoundError, "kind": ValueError, "unknown": PermissionError}


@pytest.mark.parametrize("what", CASES)
def test_each_trouble_is_recognised_and_has_its_kind_of_error(what):
    error = CASES[what]()
    assert trouble(error) == what
    plain = in_plain_words(error, "some/model", revision="step7", file="part.bin", instead="or bring your own")
    assert type(plain) is KINDS[what]
    assert (plain is error) == (what == "unknown")
    if what != "unknown":
        assert "some/model" in str(plain)


@pytest.mark.parametrize("what", sorted(set(CASES) - {"file", "refused", "unknown"}))
def test_a_cause_is_found_behind_the_error_that_it_led_to(what):
    assert trouble(wrapped(CASES[what](), OSError("There was a problem"))) == what


def test_a_file_missing_somewhere_behind_another_error_is_not_that_error():
    """Libraries look for optional files on the way: that these are not there says nothing of what failed."""
    assert trouble(wrapped(of_hub("EntryNotFoundError", status=404), KeyError("shape"))) == "unknown"


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_may_pass_is_not_a_refusal(status):
    assert trouble(of_hub("HfHubHTTPError", status=status)) == "unknown"


def test_sentences_name_what_was_asked_for_and_what_to_do():
    words = {what: str(in_plain_words(make(), "some/model", revision="step7", file="part.bin", device="cuda:0",
                                      instead="or bring your own")) for what, make in CASES.items()}
    assert "'step7'" in words["revision"]
    assert all("some/model" in words[what] and "part.bin" in words[what] for what in ("file", "offline", "unreachable"))
    assert "HF_HUB_OFFLINE" in words["offline"]
    assert all(words[what].endswith("or bring your own") for what in ("offline", "unreachable", "repository", "file"))
    assert "403" in words["refused"]
    assert "cuda:0" in words["memory"]
    assert "device='cpu'" in words["memory"]
    assert "device=" not in str(in_plain_words(torch.OutOfMemoryError(""), "some/model", device="cpu"))


def test_a_module_that_is_missing_is_named_with_the_command_that_brings_it():
    with refuses(ModuleNotFoundError, "nowhere", "models", "pip install 'svf-helpers[models]'") as caught:
        needed("nowhere.at_all", "models")
    assert caught.value.name == "nowhere"


def test_a_module_that_lacks_another_one_says_which(tmp_path, monkeypatch):
    (tmp_path / "half_there.py").write_text("import another_that_is_missing\n")
    monkeypatch.syspath_prepend(tmp_path)
    with refuses(ModuleNotFoundError, "another_that_is_missing") as caught:
        needed("half_there", "nobody")
    assert caught.value.name == "another_that_is_missing"
