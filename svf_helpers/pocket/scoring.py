"""How well a model solves the indirect-object task."""

from __future__ import annotations

from itertools import islice

import torch

from .grammar import Sentence, sentences
from .tokenizer import rows

TEST_SEED = "test"  # training seeds are numbers, so no training draw is ever a test draw


def accuracy(model: torch.nn.Module, split: str, count: int, bos: bool, kinds=("ioi",)) -> float:
    """Share of sentences in which the most likely token at END, of the whole vocabulary, is a right answer.

    Args:
        model: a Hugging Face causal language model over the grammar's vocabulary, on any device.
        split: "train" or "held-out" pairs of names; the sentences are new either way.
        count: how many sentences.
        bos: whether the end-of-text token stands before each.
        kinds: kinds of sentences that have an END.

    Example:
        >>> from svf_helpers.pocket.recipe import RECIPES, new_model
        >>> accuracy(new_model(RECIPES["pocket-gpt2"]), "held-out", 50, bos=True) < 0.5  # untrained
        True
    """
    drawn = list(islice(sentences(split, TEST_SEED, kinds), count))
    tokens, _ = rows(drawn, [bos] * count)
    ends = torch.tensor([sentence.roles["END"] + bos for sentence in drawn], device="cpu")
    there = next(model.parameters()).device
    with torch.no_grad():
        logits = model(tokens.to(there), use_cache=False).logits[torch.arange(count), ends].cpu()
    return sum(_is_right(s, int(best)) for s, best in zip(drawn, logits.argmax(-1), strict=True)) / count


def _is_right(sentence: Sentence, token: int) -> bool:
    return token - 1 in sentence.answers  # names are numbered from 1, after the end of text
