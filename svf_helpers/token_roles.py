"""Prompts with roles: where the subject, the indirect object and the end are among a prompt's tokens (section 5).

The tokenizer says where each token begins and ends in the text. A name that it splits is refused, because a head would
then attend to a part of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import torch
from jaxtyping import Int
from torch import Tensor

ROLES = ("S1", "S1+1", "IO", "S2", "END")


@dataclass(frozen=True, eq=False)
class Prompt:
    """One prompt, its tokens, and the position of every role among them.

    ``answer`` and ``wrong`` are the tokens of the indirect object and of the subject as they would follow END.

    Example:
        >>> prompt = Prompt("x", torch.tensor([5, 6]), {"END": 1}, answer=7, wrong=5, order="ABBA")
        >>> prompt.batch.shape  # as a model takes it
        torch.Size([1, 2])
    """

    text: str
    tokens: Int[Tensor, " position"]
    roles: dict[str, int]
    answer: int
    wrong: int
    order: str

    @property
    def batch(self) -> Int[Tensor, "1 position"]:
        """The tokens as a batch of one.

        Example:
            >>> Prompt("x", torch.tensor([5, 6]), {"END": 1}, 7, 5, "ABBA").batch
            tensor([[5, 6]])
        """
        return self.tokens[None]


class Prompts(Sequence[Prompt]):
    """Several prompts, which also make one batch: padded on the right, where a causal model does not look.

    Attributes:
        tokens: [prompt, position], on the CPU; shorter prompts are padded, none is cut.
        answers, wrong: the right and the wrong name's token, [prompt].

    Example:
        >>> two = Prompts([Prompt("", torch.arange(n), {"END": n - 1}, 7, 8, "ABBA") for n in (2, 3)])
        >>> two.tokens.shape, two.at("END")
        (torch.Size([2, 3]), tensor([1, 2]))
    """

    def __init__(self, prompts: Sequence[Prompt], padding: int = 0):
        if not prompts:
            raise ValueError("no prompts: give at least one")
        self._prompts = tuple(prompts)
        self.tokens = torch.nn.utils.rnn.pad_sequence(
            [prompt.tokens for prompt in prompts], batch_first=True, padding_value=padding
        )
        self.answers = torch.tensor([prompt.answer for prompt in prompts], device="cpu")
        self.wrong = torch.tensor([prompt.wrong for prompt in prompts], device="cpu")

    def __len__(self) -> int:
        return len(self._prompts)

    @overload
    def __getitem__(self, index: int) -> Prompt: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Prompt, ...]: ...
    def __getitem__(self, index):
        return self._prompts[index]

    def __iter__(self) -> Iterator[Prompt]:
        return iter(self._prompts)

    def at(self, role: str) -> Int[Tensor, " prompt"]:
        """The position of a role in each prompt.

        Raises:
            ValueError: for a role that a prompt does not have.

        Example:
            >>> Prompts([Prompt("", torch.arange(2), {"END": 1}, 7, 8, "ABBA")]).at("END")
            tensor([1])
        """
        for prompt in self:
            if role not in prompt.roles:
                raise ValueError(f"role {role!r} is not in {prompt.text!r}: it has {', '.join(prompt.roles)}")
        return torch.tensor([prompt.roles[role] for prompt in self], device="cpu")


def find_roles(tokenizer, text: str, subject: str, recipient: str, *, prepend_bos: bool = False) -> Prompt:
    """An indirect-object prompt with the positions of its roles among its tokens.

    Args:
        tokenizer: any Hugging Face tokenizer; one without offsets must give the text back when it decodes.
        text: a prompt that names the subject twice and the recipient once, and ends just before the answer.
        subject: the name said twice.
        recipient: the name that should follow.
        prepend_bos: whether to put the start-of-text token before it; all positions move by one.

    Raises:
        ValueError: if a name is missing, said too often, or split by the tokenizer; or the text ends with a space.

    Example:
        >>> from svf_helpers.pocket import pocket_tokenizer
        >>> prompt = find_roles(pocket_tokenizer(), "Then, Amy and Tom met. Tom gave a key to", "Tom", "Amy")
        >>> prompt.roles["IO"], prompt.order
        (2, 'ABBA')
    """
    if text != text.rstrip():
        raise ValueError(f"{text!r} ends with a space: it belongs to the answer's token, so leave it out")
    subjects, recipients = (_occurrences(text, name) for name in (subject, recipient))
    if len(subjects) != 2 or len(recipients) != 1:
        said = [{1: "once", 2: "twice"}.get(len(names), f"{len(names)} times") for names in (subjects, recipients)]
        raise ValueError(
            f"{text!r} names {subject!r} {said[0]} and {recipient!r} {said[1]}: "
            "the subject must be said twice, the recipient once"
        )
    ids, spans = _pieces(tokenizer, text)
    roles = {}
    unknown = getattr(tokenizer, "unk_token_id", None)
    if missing := [text[slice(*span)].strip() for number, span in zip(ids, spans, strict=True) if number == unknown]:
        raise ValueError(f"not in this tokenizer's vocabulary: {', '.join(dict.fromkeys(missing))}")
    named = (("S1", subject, subjects[0]), ("IO", recipient, recipients[0]), ("S2", subject, subjects[1]))
    for role, name, start in named:
        roles[role] = _one_token(tokenizer, ids, spans, text, role, name, start)
    roles |= {"S1+1": roles["S1"] + 1, "END": len(ids) - 1}
    answer, wrong = (_next_token(tokenizer, text, ids, name) for name in (recipient, subject))
    if prepend_bos:
        if tokenizer.bos_token_id is None:
            raise ValueError("this tokenizer has no start-of-text token: leave prepend_bos off")
        ids, roles = [tokenizer.bos_token_id, *ids], {role: place + 1 for role, place in roles.items()}
    order = "ABBA" if roles["IO"] < roles["S1"] else "BABA"
    return Prompt(text, torch.tensor(ids, device="cpu"), {role: roles[role] for role in ROLES}, answer, wrong, order)


def one_token_names(tokenizer, names: Sequence[str]) -> tuple[str, ...]:
    """The names that this tokenizer keeps in one piece in the middle of a sentence.

    Example:
        >>> from svf_helpers.pocket import pocket_tokenizer
        >>> one_token_names(pocket_tokenizer(), ["Simon", "Anna-Lena"])
        ('Simon',)
    """
    whole = []
    for name in names:
        text = f"Then, {name} and"
        ids, spans = _pieces(tokenizer, text)
        held = _touching(spans, 6, 6 + len(name))
        if len(held) == 1 and ids[held[0]] != getattr(tokenizer, "unk_token_id", None):
            whole.append(name)
    return tuple(whole)


def _occurrences(text: str, name: str) -> list[int]:
    return [found.start() for found in re.finditer(rf"\b{re.escape(name)}\b", text)] if name else []


def _pieces(tokenizer, text: str) -> tuple[list[int], list[tuple[int, int]]]:
    """Tokens of a text without special ones, and the characters that each stands for."""
    if getattr(tokenizer, "is_fast", False):
        coded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        return list(coded["input_ids"]), [tuple(span) for span in coded["offset_mapping"]]
    ids = list(tokenizer(text, add_special_tokens=False)["input_ids"])
    ends = [len(tokenizer.decode(ids[:count])) for count in range(len(ids) + 1)]
    if tokenizer.decode(ids) != text:
        raise ValueError(f"this tokenizer has no offsets and does not give {text!r} back: the roles cannot be placed")
    return ids, list(zip(ends[:-1], ends[1:], strict=True))


def _touching(spans: list[tuple[int, int]], start: int, end: int) -> list[int]:
    return [place for place, (begins, ends) in enumerate(spans) if begins < end and ends > start]


def _one_token(tokenizer, ids: list[int], spans: list[tuple[int, int]], text: str, role: str, name: str, at: int):
    """The place of the token that is this name and nothing more than the space before it."""
    held = _touching(spans, at, at + len(name))
    if len(held) != 1:
        parts = ", ".join(repr(tokenizer.decode([ids[place]])) for place in held)
        raise ValueError(f"this tokenizer splits {role}, {name!r}, into {len(held)} tokens ({parts}): take another")
    begins, ends = spans[held[0]]
    if text[begins:ends].strip() != name:
        raise ValueError(f"the token of {role}, {text[begins:ends]!r}, holds more than {name!r}: put a space there")
    return held[0]


def _next_token(tokenizer, text: str, ids: list[int], name: str) -> int:
    """The token of a name where it follows the text."""
    longer, _ = _pieces(tokenizer, f"{text} {name}")
    if longer[:-1] != ids:
        raise ValueError(f"{name!r} after the prompt is not one token of its own in this tokenizer: take another name")
    return longer[-1]
