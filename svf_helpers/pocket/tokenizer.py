"""The word tokenizer of the bundled models, as a Hugging Face tokenizer and as plain numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from .grammar import Sentence
from .words import END_OF_TEXT, token_of, vocabulary

IGNORED = -100  # the target of a position that is not learned


def save_tokenizer(folder: str | Path) -> None:
    """Write ``tokenizer.json`` and ``tokenizer_config.json`` of the grammar's vocabulary into a folder.

    Text is cut where GPT-2 would cut it: a word takes the space before it along. A word outside the vocabulary
    becomes the end-of-text token, which no model here has learned to read in the middle of a sentence.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_tokenizer(folder)
        ...     sorted(path.name for path in Path(folder).iterdir())
        ['tokenizer.json', 'tokenizer_config.json']
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel(vocabulary(), unk_token=END_OF_TEXT))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r" ?[A-Za-z]+|[^A-Za-z\s]"), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens([END_OF_TEXT])
    folder = Path(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    special = dict.fromkeys(("bos_token", "eos_token", "pad_token", "unk_token"), END_OF_TEXT)
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 64, **special}
    settings["clean_up_tokenization_spaces"] = False
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf8")


def token_ids(sentence: Sentence) -> list[int]:
    """The tokens of a sentence, without a mark at its start or end.

    Example:
        >>> token_ids(Sentence("plain", ("Then", ",", "Aaron"), {2: 0}, {}, (), ""))[-1]
        1
    """
    number = vocabulary()
    return [number[token_of(word, not place)] for place, word in enumerate(sentence.words)]


def rows(
    sentences: Sequence[Sentence], starts: Sequence[bool]
) -> tuple[Int[Tensor, "sentences position"], Int[Tensor, "sentences position"]]:
    """Tokens to read and tokens to predict, padded on the right.

    Args:
        sentences: what to learn.
        starts: for each, whether the end-of-text token stands before it, as GPT-2 reads its prompts.

    Returns:
        Tokens, padded with end-of-text, and what follows each of them, ``IGNORED`` where nothing does.

    Example:
        >>> tokens, targets = rows([Sentence("plain", ("Then", ","), {}, {}, (), "")], [True])
        >>> tokens.shape == targets.shape, bool((tokens[0, 1:] == targets[0, :-1]).all()), int(targets[0, -1])
        (True, True, 0)
    """
    texts = [[0] * bool(start) + token_ids(sentence) for sentence, start in zip(sentences, starts, strict=True)]
    longest = max(len(text) for text in texts)
    to: dict[str, Any] = {"dtype": torch.long, "device": "cpu"}
    tokens, targets = torch.zeros(len(texts), longest, **to), torch.full((len(texts), longest), IGNORED, **to)
    for row, text in enumerate(texts):
        tokens[row, : len(text)] = torch.tensor(text, **to)
        targets[row, : len(text)] = torch.tensor([*text[1:], 0], **to)
    return tokens, targets
