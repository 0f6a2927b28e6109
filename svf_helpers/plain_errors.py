"""What went wrong with a model hub, a file or the memory, in plain words: one translation for all that load something.

Hugging Face's libraries wrap their errors in each other, and rename them between versions. So an error is recognised by
the names of its classes and by what it says, along the whole chain of its causes.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Literal

import torch

Trouble = Literal[
    "memory", "revision", "repository", "name", "weights", "kind", "offline", "unreachable", "file", "refused",
    "unknown",
]

# Names of error classes, of Hugging Face's or of the HTTP library below, that say what happened.
_NAMED: dict[Trouble, set[str]] = {
    "revision": {"RevisionNotFoundError"},
    "repository": {"RepositoryNotFoundError", "GatedRepoError"},
    "name": {"HFValidationError"},
    "offline": {"OfflineModeIsEnabled"},
    "unreachable": {"ConnectionError", "TransportError", "Timeout", "TimeoutError", "LocalEntryNotFoundError"},
}
# What they say where the class does not tell.
_SAID: tuple[tuple[Trouble, tuple[str, ...]], ...] = (
    ("memory", ("allocate memory",)),
    ("revision", ("is not a valid git identifier",)),
    ("repository", ("not a valid model",)),
    ("weights", ("no file named",)),
    ("kind", ("unrecognized model", "unsupported architecture", "not supported")),
    ("unreachable", ("couldn't connect",)),
)
_ORDER: tuple[Trouble, ...] = (
    "memory", "revision", "repository", "name", "weights", "kind", "offline", "unreachable",
)


def trouble(error: BaseException) -> Trouble:
    """What kind of trouble an error of loading or downloading is.

    Example:
        >>> trouble(OSError("We couldn't connect to 'https://huggingface.co'"))
        'unreachable'
        >>> trouble(KeyError("surprise"))
        'unknown'
    """
    chain = list(_chain(error))
    names = {kind.__name__ for link in chain for kind in type(link).__mro__}
    told = " ".join(str(link) for link in chain).lower()
    found = {what for what, named in _NAMED.items() if names & named}
    found |= {what for what, said in _SAID if any(words in told for words in said)}
    if isinstance(error, torch.OutOfMemoryError):
        found.add("memory")
    for what in _ORDER:
        if what in found:
            return what
    if "EntryNotFoundError" in {kind.__name__ for kind in type(error).__mro__}:
        return "file"
    status = _status(error)
    if status is not None and 400 <= status < 500 and status not in (408, 429):  # too slow, too many: these pass
        return "refused"
    return "unknown"


def in_plain_words(
    error: Exception,
    name: str,
    *,
    revision: str | None = None,
    file: str | None = None,
    device: torch.device | str = "cpu",
    instead: str = "",
) -> Exception:
    """The same trouble for a reader who has not read Hugging Face's code; an error that is not known stays as it is.

    Args:
        error: what was raised.
        name: the model or repository that was asked for.
        revision: which of its revisions.
        file: which of its files, where one was asked for.
        device: where it was to go.
        instead: what to do without the hub, as the end of a sentence ("or ...").

    Returns:
        An error to raise: ValueError for a name, revision or kind of model that is not known, FileNotFoundError for a
        file that is not there, ConnectionError where the hub cannot be reached or refuses, MemoryError.

    Example:
        >>> in_plain_words(TimeoutError("no answer"), "gpt2", instead="or use 'pocket-gpt2'")
        ConnectionError("gpt2 is not on this machine and the Hugging Face hub cannot be reached (TimeoutError): check
        the name and your network (and that HF_HUB_OFFLINE is not set), or use 'pocket-gpt2'")
    """
    what, instead = trouble(error), f", {instead}" if instead else ""
    whole = f"{file} of {name}" if file else name
    match what:
        case "memory":
            other = "" if torch.device(device).type == "cpu" else ", or device='cpu'"
            return MemoryError(f"{name} does not fit into the memory of {device}: try a smaller model{other}")
        case "revision":
            return ValueError(
                f"{name} has no revision {revision!r} (Pythia's are 'step0', 'step1', 'step2', 'step4', ...)"
            )
        case "repository":
            return ValueError(
                f"{name!r} is not on the Hugging Face hub, or asks you to sign in: its exact name is at "
                f"https://huggingface.co/models{instead}"
            )
        case "name":
            return ValueError(f"{name!r} cannot be a name on the Hugging Face hub: expected 'owner/name'{instead}")
        case "weights":
            return FileNotFoundError(f"{name} holds no weights: a model's folder is what save_pretrained writes")
        case "kind":
            said = str(error).splitlines()[0]
            return ValueError(f"{name}: TransformerLens does not load this kind of model ({said})")
        case "offline" | "unreachable":
            return ConnectionError(
                f"{whole} is not on this machine and the Hugging Face hub cannot be reached ({type(error).__name__}): "
                f"check the name and your network (and that HF_HUB_OFFLINE is not set){instead}"
            )
        case "file":
            return FileNotFoundError(f"{name} has no file {file or '(see above)'} on the Hugging Face hub{instead}")
        case "refused":
            return ConnectionError(f"{whole}: the Hugging Face hub refuses ({_status(error)}): {error}")
    return error


def needed(module: str, what: str):
    """A module that only some of the package needs, imported when it is asked for.

    Args:
        module: its name.
        what: who needs it, for the sentence that says so.

    Raises:
        ModuleNotFoundError: with the command that installs it.

    Example:
        >>> needed("json", "nobody").loads("[1, 2]")
        [1, 2]
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if (error.name or module).partition(".")[0] != package:  # it is there, and lacks something itself
            raise
        raise ModuleNotFoundError(
            f"{package} is not installed; {what} need it: pip install 'svf-helpers[models]'", name=package
        ) from error


def _status(error: BaseException) -> int | None:
    """The number with which a server refused, if there was an answer."""
    return getattr(getattr(error, "response", None), "status_code", None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, its cause, the cause of that, and so on."""
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__
