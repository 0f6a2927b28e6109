"""The grammar behind the bundled models: sentences of seven kinds, each token with what generated it.

Most sentences pose the indirect-object task, in both orders of the names, after lead-ins of every length, and most of
these name bystanders too, so that it is not enough to copy every name but the giver's: the model has to find out whom
the giver was with. Others need other skills: three names, full names (which name follows is copied from before), the
order in which people were named, givers nobody named before. So no fixed position holds the answer, and *who*, *said
before or not* and *in which place of the order* are all worth knowing.

Every choice is drawn with ``random.Random.random`` seeded by a text, which Python keeps the same from version to
version: a seed gives the same sentences everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from . import words as w
from .writer import HELD_OUT_SHARE, ROLES, Sentence, Writer, held_out_pairs

__all__ = ["HELD_OUT_SHARE", "KINDS", "ROLES", "SHARES", "SPLITS", "Sentence", "held_out_pairs", "sentences"]

SHARES = {"ioi": 0.10, "others": 0.42, "three": 0.10, "full": 0.12, "order": 0.10, "abc": 0.06, "plain": 0.10}
KINDS = tuple(SHARES)
SPLITS = ("train", "held-out")


def sentences(split: str, seed: int | str, kinds: Sequence[str] = KINDS) -> Iterator[Sentence]:
    """Sentences without end, the same ones for the same seed.

    Args:
        split: "train": no pair of names is one of :func:`held_out_pairs`; "held-out": the first two names are one.
        seed: any number or text.
        kinds: which kinds to draw, with the shares of ``SHARES``.

    Raises:
        ValueError: for an unknown split or kind.

    Example:
        >>> next(sentences("held-out", seed=0, kinds=["ioi"])).text == next(sentences("held-out", 0, ["ioi"])).text
        True
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r}: one of {', '.join(SPLITS)}")
    if not kinds or not set(kinds) <= set(KINDS):
        raise ValueError(f"kinds {list(kinds)}: some of {', '.join(KINDS)}")
    return _draw_sentences(split, Random(f"{split} {seed}"), tuple(kinds))


def _draw_sentences(split: str, rng: Random, kinds: tuple[str, ...]) -> Iterator[Sentence]:
    total = sum(SHARES[kind] for kind in kinds)
    while True:
        draw, chosen = rng.random() * total, kinds[-1]
        for kind in kinds:
            draw -= SHARES[kind]
            if draw < 0:
                chosen = kind
                break
        yield _WRITERS[chosen](Writer(chosen, rng, split))


def _ioi(s: Writer) -> Sentence:
    subject, recipient = s.cast(2)
    order = s.one_of(("ABBA", "BABA"))
    s.open()
    s.couple(subject, recipient, order)
    s.meeting()
    s.name(subject, "S2")
    s.gift(recipient)
    return s.done((recipient,), order)


def _others(s: Writer) -> Sentence:
    """Besides the giver and the recipient, people who have nothing to do with it are named before or after them."""
    subject, recipient, *others = s.cast(4 if s.chance(0.7) else 3)
    order = s.one_of(("ABBA", "BABA"))
    s.say(s.one_of(w.LEADS))
    first = s.chance(0.5)
    for mine in (first, not first):
        if mine:
            s.couple(subject, recipient, order)
        else:
            s.name(others[0])
            if len(others) == 2:
                s.say("and")
                s.name(others[1])
        s.meeting(alone=not mine and len(others) == 1, asides=False)
    s.name(subject, "S2")
    s.gift(recipient)
    return s.done((recipient,), order)


def _three(s: Writer) -> Sentence:
    people = s.cast(3)
    s.open()
    s.name(people[0])
    s.say(",")
    s.name(people[1])
    s.say("and")
    s.name(people[2])
    s.meeting()
    out = int(s.rng.random() * 3)
    givers = [person for person in people if person != people[out]]
    if s.chance(0.5):
        givers.reverse()
    if s.chance(0.25):  # one giver: either of the others may follow
        s.name(givers[0])
        left = tuple(person for person in people if person != givers[0])
    else:
        s.name(givers[0])
        s.say("and")
        s.name(givers[1])
        left = (people[out],)
    s.gift(*left)
    return s.done(left)


def _full(s: Writer) -> Sentence:
    subject, recipient = s.cast(2)
    family = {person: s.one_of(w.SURNAMES) for person in (subject, recipient)}
    order = s.one_of(("ABBA", "BABA"))
    s.open()
    people = (recipient, subject) if order == "ABBA" else (subject, recipient)
    for place, person in enumerate(people):
        if s.chance(0.3):
            s.say(f"the {s.one_of(w.JOBS)}")
        s.name(person, "S1" if person == subject else "IO")
        s.say(family[person] + (" and" if not place else ""))
    s.roles["S1+1"] = s.roles["S1"] + 1
    s.meeting()
    s.name(subject, "S2")
    s.say(family[subject])
    s.gift(recipient, surname=family[recipient])
    return s.done((recipient,), order)


def _order(s: Writer) -> Sentence:
    people = s.cast(s.one_of((2, 3)))
    s.open()
    for place, person in enumerate(people):
        s.name(person)
        s.say("and" if place == len(people) - 2 else "," if place < len(people) - 2 else "")
    s.say(s.one_of(w.ORDER_OPENINGS))
    asked = s.one_of((0, 1) if len(people) == 2 else (0, 1, 2))
    other = (asked + 1) % len(people)
    for place, end in ((asked, "and"), (other, ".")):
        s.say(f"{'The' if place == asked else 'the'} {w.ORDINALS[place]} one was")
        if place == asked:
            s.mark("END")
        s.name(people[place])
        s.say(end)
    return s.done((people[asked],))


def _abc(s: Writer) -> Sentence:
    a, b, giver = s.cast(3)
    s.open()
    s.name(a)
    s.say("and")
    s.name(b)
    s.meeting()
    s.name(giver)
    s.gift(a, b)
    return s.done((a, b))


def _plain(s: Writer) -> Sentence:
    person, stranger = s.cast(2)
    s.open()
    if s.chance(0.3):
        s.say(f"the {s.one_of(w.JOBS)}")
    s.name(person)
    s.say(f"came to the {{place}} and saw a {s.one_of(w.QUALITIES)} {s.one_of(w.ANIMALS)} .")
    if s.chance(0.5):
        s.name(person)
        s.gift(stranger)
        s.roles.pop("END")  # nobody can know who follows
    else:
        s.aside()
    return s.done()


_WRITERS = {
    "ioi": _ioi,
    "others": _others,
    "three": _three,
    "full": _full,
    "order": _order,
    "abc": _abc,
    "plain": _plain,
}
