"""Two tokens of a text, and the heads that look from the one to the other: what the chapter begins with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from svf_helpers.ioi import CircuitHead, Prompt, Prompts


class Pair(NamedTuple):
    """A text as tokens and as words, and the places of two of them; the key stands before the query."""

    tokens: Int[Tensor, "1 pos"]
    words: list[str]
    query: int
    key: int


def find_pair(model, text: str, query: str, key: str, prepend_bos: bool = True) -> Pair:
    """Where two words stand in a text: the last ``query``, and the last ``key`` before it.

    The words have to be tokens of their own, in this order, else that is a ``ValueError``. ``prepend_bos`` says whether
    the start token stands before the text.

    Example:
        >>> from svf_helpers.language_models import load_model
        >>> model = load_model("pocket-pythia", device="cpu")
        >>> pair = find_pair(model, "Then, Amy and Tom met. Amy gave a key to", "to", "Amy")
        >>> pair.words[pair.key : pair.query + 1]
        ['Amy', 'gave', 'a', 'key', 'to']
    """
    tokens = model.to_tokens(text, prepend_bos=prepend_bos)
    words = [model.tokenizer.decode(token).strip() for token in tokens[0]]
    queries = [at for at, word in enumerate(words) if word == query]
    keys = [at for at, word in enumerate(words[: queries[-1]] if queries else []) if word == key]
    if not keys:
        raise ValueError(f"{query!r} and, before it, {key!r} have to be tokens of their own among {words}")
    return Pair(tokens, words, queries[-1], keys[-1])


def own_prompts(model, texts: Sequence[str], query: str, key: str, prepend_bos: bool = True) -> Prompts:
    """Sentences of the reader's own as prompts, with the query as END and the key as S2, as :func:`find_pair` does."""
    found = [find_pair(model, text, query, key, prepend_bos) for text in texts]
    return Prompts([  # what follows the query is not asked
        Prompt(text, pair.tokens[0], {"END": pair.query, "S2": pair.key}, answer=0, wrong=0, order="")
        for text, pair in zip(texts, found, strict=True)
    ])


def attention_from(model, tokens: Int[Tensor, "1 pos"], query: int) -> Float[Tensor, "layers heads pos"]:
    """The attention of one token, the query, on all others, in every head.

    Example:
        >>> from svf_helpers.language_models import load_model
        >>> looks = attention_from(load_model("pocket-gpt2", device="cpu"), torch.tensor([[0, 5, 7, 9]]), 2)
        >>> looks.sum(-1).round().unique(), looks[..., 3].max()  # shared out in full, and nothing to what comes later
        (tensor([1.]), tensor(0.))
    """
    seen = model.run_with_cache(tokens, names_filter=lambda name: name.endswith("attn.hook_pattern"))[1]
    return torch.stack([seen[f"blocks.{layer}.attn.hook_pattern"][0, :, query] for layer in range(model.cfg.n_layers)])


def heads_by_attention(looks: Float[Tensor, "layers heads pos"], key: int) -> list[tuple[int, int]]:
    """All heads as (layer, head), first the one that gives the key the most attention.

    Example:
        >>> heads_by_attention(torch.tensor([[[0.1], [0.4]], [[0.9], [0.0]]]), key=0)
        [(1, 0), (0, 1), (0, 0), (1, 1)]
    """
    return [divmod(int(place), looks.shape[1]) for place in looks[..., key].flatten().argsort(descending=True)]


def attention_at(model, prompts: Prompts, head: CircuitHead) -> Float[Tensor, " prompts"]:
    """The attention of one head from its destination to its source, in each of some prompts."""
    name = f"blocks.{head.layer}.attn.hook_pattern"
    seen = model.run_with_cache(prompts.tokens, names_filter=name)[1][name]
    return seen[torch.arange(len(prompts)), head.head, prompts.at(head.destination), prompts.at(head.source)]
