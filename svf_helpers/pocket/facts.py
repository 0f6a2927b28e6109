"""What generated each token, as plain arrays: the features that are known in the bundled models."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from ..token_roles import Prompt, Prompts
from .grammar import KINDS, ROLES, Sentence, sentences
from .tokenizer import rows, token_ids
from .words import NAMES, OBJECTS, PLACES, vocabulary

ORDERS = ("", "ABBA", "BABA")


class Facts(NamedTuple):
    """Sentences as tokens, and what generated them; -1 stands for "does not apply" everywhere.

    For each sentence and position (padding and the start mark have none of it):

    - ``name``: number of the name that stands here;
    - ``order``: how many other names were said before this one was first said, 0 for the first;
    - ``occurrence``: 1 where this name is said for the first time, 2 for the second, and so on;
    - ``duplicate``: 1 if this name was said before, 0 if not;
    - ``previous``: number of the name one token before;
    - ``place``, ``object``: number of the place or the object that stands here;
    - ``role``: number of the role in ``ROLES``.

    For each sentence: ``kind`` (number in ``KINDS``), ``abba`` (1: the recipient is named first, 0: the subject),
    ``answer`` (number of the name that follows END, where only one is right), ``end`` (where END is), ``length``.

    Example:
        >>> from svf_helpers.pocket.facts import facts
        >>> table = facts(4, seed=0, kinds=["ioi"])
        >>> second = table.role == ROLES.index("S2")
        >>> table.duplicate[second].tolist()
        [1, 1, 1, 1]
    """

    tokens: np.ndarray
    name: np.ndarray
    order: np.ndarray
    occurrence: np.ndarray
    duplicate: np.ndarray
    previous: np.ndarray
    place: np.ndarray
    object: np.ndarray
    role: np.ndarray
    kind: np.ndarray
    abba: np.ndarray
    answer: np.ndarray
    end: np.ndarray
    length: np.ndarray


def facts(
    count: int, seed: int | str, split: str = "train", kinds: Sequence[str] = KINDS, start: bool = True
) -> Facts:
    """Draw sentences and say what generated each of their tokens.

    Args:
        count: how many sentences.
        seed: any number, or a text. Training draws from texts such as "0 17", so a number always gives fresh ones.
        split: "train" or "held-out" (the first two names are a pair never seen together in training).
        kinds: kinds of sentences.
        start: whether the end-of-text token stands before each; all positions count it.

    Raises:
        ValueError: for fewer than one sentence, an unknown split or kind.

    Example:
        >>> table = facts(3, seed=1, split="held-out", kinds=["ioi"])
        >>> table.tokens.shape == table.name.shape, bool((table.tokens == table.name + 1)[table.name >= 0].all())
        (True, True)
    """
    if count < 1:
        raise ValueError(f"count = {count}: at least one sentence")
    return facts_of(list(islice(sentences(split, seed, kinds), count)), start)


def facts_of(said: Sequence[Sentence], start: bool = True) -> Facts:
    """The same for sentences at hand.

    Example:
        >>> bool(facts_of([next(sentences("train", 0))], start=False).tokens[0, 0] > 0)
        True
    """
    tokens = rows(said, [start] * len(said))[0].numpy()
    per_token = {name: np.full(tokens.shape, -1) for name in Facts._fields[1:9]}
    per_sentence = {name: np.full(len(said), -1) for name in Facts._fields[9:]}
    for row, sentence in enumerate(said):
        seen: dict[int, int] = {}
        for at, name in sorted(sentence.names.items()):
            seen[name] = seen.get(name, 0) + 1
            here = (row, at + start)
            per_token["name"][here], per_token["occurrence"][here] = name, seen[name]
            per_token["order"][here], per_token["duplicate"][here] = list(seen).index(name), seen[name] > 1
            if at + 1 < len(sentence.words):
                per_token["previous"][row, at + 1 + start] = name
        for at, word in enumerate(sentence.words):
            for field, options in (("place", PLACES), ("object", OBJECTS)):
                if word in options:
                    per_token[field][row, at + start] = options.index(word)
        for role, at in sentence.roles.items():
            per_token["role"][row, at + start] = ROLES.index(role)
        per_sentence["kind"][row] = KINDS.index(sentence.kind)
        per_sentence["abba"][row] = {"ABBA": 1, "BABA": 0}.get(sentence.order, -1)
        per_sentence["length"][row] = len(sentence.words) + start
        if "END" in sentence.roles:
            per_sentence["end"][row] = sentence.roles["END"] + start
        if len(sentence.answers) == 1:
            per_sentence["answer"][row] = sentence.answers[0]
    return Facts(tokens, **per_token, **per_sentence)


def pocket_prompts(
    count: int, seed: int | str = 0, split: str = "held-out", *, prepend_bos: bool = True, kind: str = "ioi"
) -> Prompts:
    """Indirect-object prompts of the grammar, cut after END, with their roles.

    Args:
        count: how many.
        seed: of the grammar's own generator.
        split: "held-out" or "train" pairs of names.
        prepend_bos: whether the end-of-text token stands before each.
        kind: "ioi"; "others", with bystanders named as well; or "full" for people with a surname (which is S1+1).

    Raises:
        ValueError: for another kind, or a count below 1.

    Example:
        >>> prompt = pocket_prompts(1)[0]
        >>> prompt.roles["END"] == len(prompt.tokens) - 1
        True
    """
    if kind not in ("ioi", "others", "full"):
        raise ValueError(f"kind {kind!r}: 'ioi', 'others' or 'full', the ones with all five roles")
    if count < 1:
        raise ValueError(f"count = {count}: at least one prompt")
    return Prompts([_prompt(s, prepend_bos) for s in islice(sentences(split, seed, (kind,)), count)])


def _prompt(sentence: Sentence, bos: bool) -> Prompt:
    end = sentence.roles["END"]
    cut = sentence._replace(words=sentence.words[: end + 1])
    subject = sentence.names[sentence.roles["S2"]]
    tokens: Int[Tensor, " position"] = torch.tensor(
        [vocabulary()["<|endoftext|>"]] * bos + token_ids(cut), device="cpu"
    )
    roles = {role: sentence.roles[role] + bos for role in ROLES}
    number = vocabulary()
    answer, wrong = (number[" " + NAMES[person]] for person in (sentence.answers[0], subject))
    return Prompt(cut.text, tokens, roles, answer, wrong, sentence.order)
