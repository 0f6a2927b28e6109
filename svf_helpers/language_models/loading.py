"""Loading a transformer: from the hub, from a local folder, or one of the two bundled with this book."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import torch

from ..device import choose_device
from ..plain_errors import in_plain_words, needed
from ..pocket.folders import NAMES as BUNDLED
from ..pocket.folders import pocket_folder

WITHOUT_A_HUB = f"or use {' or '.join(map(repr, BUNDLED))}, which need none"
_PLACES: list[tempfile.TemporaryDirectory] = []
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json")


def load_model(name: str | Path, revision: str | None = None, device: str | torch.device = "auto"):
    """A transformer as a TransformerBridge, in float32, ready for ``head_terms``.

    Weights stay as published: nothing is folded or centred. The first call takes some seconds, to import
    TransformerLens; a model from the hub is downloaded once and then read from Hugging Face's cache.

    Args:
        name: a model on the Hugging Face hub ("gpt2", "EleutherAI/pythia-160m"), a local folder in its format, or
            "pocket-gpt2" or "pocket-pythia". (Without a tokenizer in the folder, texts are token numbers: "17 5".)
        revision: a branch, tag or commit ("step3000" for a checkpoint of Pythia or of pocket-pythia).
        device: "auto" takes the GPU if there is one.

    Returns:
        The model: ``model.to_tokens(text, prepend_bos=...)`` gives tokens, ``model(tokens)`` logits.

    Raises:
        ValueError: for a name or revision that is not known, a name that is no text or path, or a
            kind of model that TransformerLens does not load.
        ModuleNotFoundError: without TransformerLens.
        FileNotFoundError: for a local folder that is not there or holds no model.
        ConnectionError: where the model is not on this machine and the hub cannot be reached.
        MemoryError: where the model does not fit.

    Example:
        >>> model = load_model("pocket-gpt2", device="cpu")
        >>> text = "Then, Simon and Andrew were at the school. Simon gave a drink to"
        >>> tokens = model.to_tokens(text, prepend_bos=True)
        >>> model.tokenizer.decode(model(tokens)[0, -1].argmax())
        ' Andrew'
    """
    if not isinstance(name, str | Path) or not str(name).strip():
        raise ValueError(f"name = {name!r}: give a hub name, a local folder, or {' or '.join(map(repr, BUNDLED))}")
    chosen = choose_device(device)
    name = str(name)
    if name in BUNDLED:
        return _boot(str(pocket_folder(name, revision)), None, chosen, name)
    if Path(name).is_dir():
        if revision is not None:
            raise ValueError(f"revision = {revision!r}: a local folder holds one revision; give the folder of that one")
        if not (Path(name) / "config.json").is_file():
            raise FileNotFoundError(f"{name} holds no config.json: a model's folder is what save_pretrained writes")
    elif name.startswith((".", "/", "~")) or name.count("/") > 1 or "\\" in name:
        raise FileNotFoundError(f"no folder {name}: give a local folder, {', '.join(map(repr, BUNDLED))} or a hub name")
    return _boot(name, revision, chosen, name)


def _boot(source: str, revision: str | None, device: torch.device, name: str):
    TransformerBridge = needed("transformer_lens.model_bridge", "language models").TransformerBridge
    from transformers.utils import logging as hf_logging

    options = {"device": str(device), "dtype": torch.float32, "revision": revision}
    logger = logging.getLogger("transformers")
    level = logger.level
    logger.setLevel(logging.ERROR)  # its warnings are about other models than this one
    bars = hf_logging.is_progress_bar_enabled()
    hf_logging.disable_progress_bar()  # of reading the file, a moment; a download shows its own
    try:
        if Path(source).is_dir() and not any((Path(source) / file).is_file() for file in TOKENIZER_FILES):
            options["tokenizer"] = _numbers_as_text(source)
        model = TransformerBridge.boot_transformers(source, **options)
    except Exception as error:
        raise in_plain_words(error, name, revision=revision, device=device, instead=WITHOUT_A_HUB) from error
    finally:
        logger.setLevel(level)
        if bars:
            hf_logging.enable_progress_bar()
    return model.eval()


def _numbers_as_text(folder: str):
    """A tokenizer for models that come without: token 17 is the word "17"."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import AutoConfig, PreTrainedTokenizerFast

    size = AutoConfig.from_pretrained(folder).vocab_size
    words = Tokenizer(models.WordLevel({str(number): number for number in range(size)}, unk_token="0"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    # saved and loaded, and left there while Python runs: TransformerLens loads tokenizers again from where they are
    place = tempfile.TemporaryDirectory(prefix="numbers-as-text-")
    _PLACES.append(place)
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="0").save_pretrained(place.name)
    return PreTrainedTokenizerFast.from_pretrained(place.name)
