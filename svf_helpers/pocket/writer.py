"""Sentences of the grammar, what is known of each, and the writer that puts one together word by word."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import combinations
from random import Random
from typing import NamedTuple

from . import words as w

ROLES = ("S1", "S1+1", "IO", "S2", "END")
HELD_OUT_SHARE = 0.15


class Sentence(NamedTuple):
    """A sentence of the grammar and what generated it.

    ``words`` as they are said; ``names`` maps a word's place to the number of the name that stands there; ``roles``
    maps each role that the sentence has to a place; ``answers`` are the names that may follow END, none where the
    sentence has no END; ``order`` is "ABBA" (the recipient named first), "BABA", or "" where it does not apply.

    Example:
        >>> from svf_helpers.pocket.grammar import sentences
        >>> sentence = next(sentences("train", seed=1, kinds=["ioi"]))
        >>> sentence.words[sentence.roles["END"] + 1] == w.NAMES[sentence.answers[0]]
        True
    """

    kind: str
    words: tuple[str, ...]
    names: dict[int, int]
    roles: dict[str, int]
    answers: tuple[int, ...]
    order: str

    @property
    def text(self) -> str:
        """The sentence as one would type it.

        Example:
            >>> Sentence("plain", ("Then", ",", "Amy"), {2: 4}, {}, (), "").text
            'Then, Amy'
        """
        return "".join(w.token_of(word, not place) for place, word in enumerate(self.words))


@cache
def held_out_pairs() -> frozenset[tuple[int, int]]:
    """Pairs of names (smaller number first) that no training sentence holds together, in any role.

    Example:
        >>> pair = tuple(sorted(w.NAMES.index(name) for name in ("Simon", "Andrew")))
        >>> pair in held_out_pairs()  # the paper's own prompt is never seen in training
        True
    """
    draw = Random("pairs of names")
    pairs = {pair for pair in combinations(range(len(w.NAMES)), 2) if draw.random() < HELD_OUT_SHARE}
    return frozenset(pairs | {(w.NAMES.index("Andrew"), w.NAMES.index("Simon"))})


class Writer:
    """Writes one sentence from left to right and notes what each word is.

    Example:
        >>> writer = Writer("ioi", Random(0), "train")
        >>> subject, recipient = writer.cast(2)
        >>> writer.say("Then ,")
        >>> writer.couple(subject, recipient, "ABBA")
        >>> writer.done().roles
        {'IO': 2, 'S1': 4, 'S1+1': 5}
    """

    def __init__(self, kind: str, rng: Random, split: str):
        self.kind, self.rng, self.split = kind, rng, split
        self.words: list[str] = []
        self.names: dict[int, int] = {}
        self.roles: dict[str, int] = {}

    def one_of(self, options: Sequence):
        """One of the options, each as likely."""
        return options[int(self.rng.random() * len(options))]

    def chance(self, share: float) -> bool:
        """True in this share of draws."""
        return self.rng.random() < share

    def cast(self, count: int) -> list[int]:
        """Different names; all their pairs belong to the training split, or the first pair to the other one."""
        while True:
            people = [int(self.rng.random() * len(w.NAMES)) for _ in range(count)]
            pairs = [tuple(sorted(pair)) for pair in combinations(people, 2)]
            if any(a == b for a, b in pairs):
                continue
            if self.split == "held-out" and count > 1:
                if pairs[0] in held_out_pairs():
                    return people
            elif not held_out_pairs().intersection(pairs):
                return people

    def say(self, phrase: str) -> None:
        """Words apart by spaces; {place} and {object} become one of theirs."""
        for word in phrase.split():
            self.words.append(self.one_of({"{place}": w.PLACES, "{object}": w.OBJECTS}.get(word, (word,))))

    def name(self, person: int, role: str = "") -> None:
        """A name, and the role that it plays."""
        if role:
            self.roles[role] = len(self.words)
        self.names[len(self.words)] = person
        self.words.append(w.NAMES[person])

    def mark(self, role: str) -> None:
        """The role of the word said last."""
        self.roles[role] = len(self.words) - 1

    def aside(self) -> None:
        """A sentence about an animal, with no name in it."""
        self.say(f"The {self.one_of(w.QUALITIES)} {self.one_of(w.ANIMALS)} was {self.one_of(w.STATES)} .")

    def open(self) -> None:
        """What comes before the first name."""
        if self.chance(0.25):
            self.aside()
        self.say(self.one_of(w.LEADS))

    def meeting(self, alone: bool = False, asides: bool = True) -> None:
        """What they did, or what somebody did alone, and how the sentence goes on."""
        self.say(self.one_of(w.ALONE if alone else w.ACTIVITIES))
        if asides and self.chance(0.3):
            self.say(self.one_of(w.TIMES))
        if asides and self.chance(0.2):
            self.say(".")
            self.aside()
            self.say(self.one_of(("", "Then", "Later")))
        else:
            self.say(self.one_of(w.LINKS))

    def couple(self, subject: int, recipient: int, order: str) -> None:
        """The two that the task is about, in one of the two orders."""
        first, second = ((subject, "S1"), (recipient, "IO"))[:: -1 if order == "ABBA" else 1]
        self.name(*first)
        self.say("and")
        self.name(*second)
        self.roles["S1+1"] = self.roles["S1"] + 1

    def gift(self, *recipients: int, surname: str = "") -> None:
        """What is given, END, to whom (one of the recipients), and how the sentence closes."""
        self.say(self.one_of(w.GIFTS))
        self.mark("END")
        self.name(self.one_of(recipients))
        self.say(surname + " " + self.one_of(w.CLOSINGS))

    def done(self, answers: tuple[int, ...] = (), order: str = "") -> Sentence:
        """The sentence, with all that was noted."""
        return Sentence(self.kind, tuple(self.words), self.names, self.roles, answers, order)
