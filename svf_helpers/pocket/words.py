"""The words of the bundled models: everything that their grammar can say, and each word's number.

As in GPT-2's vocabulary a word carries the space before it, so that tokens joined give the text back. Only words that
open a text exist without the space as well.
"""

from __future__ import annotations

from functools import cache


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split())


END_OF_TEXT = "<|endoftext|>"

NAMES = _listed(
    """
    Aaron Adam Alan Alice Amy Andrew Anna Anthony Arthur Barbara Ben Betty Bill Bob Brian Carl Carol Charles Chris
    Clara Dan David Diana Donald Dean Edward Ellen Emily Emma Eric Eva Felix Frank Fred Gary George Grace Greg
    Hannah Harry Helen Henry Ian Ivan Jack Jacob James Jane Jason Jean Jessica Jim Joan Joe John Jonathan Joseph
    Judy Julia Karen Kate Keith Kelly Ken Kevin Kim Larry Laura Leo Linda Lisa Louis Lucy Maria Mark Martin Mary
    Matt Michael Nancy Nick Nina Oliver Oscar Patrick Paul Peter Rachel Richard Robert Rose Ruth Sam Sarah Simon
    Steve Susan Thomas Tom Victor
    """
)
SURNAMES = _listed(
    """
    Baker Brown Clark Cook Davis Fisher Green Hall Hill Hunter King Lee Miller Moore Parker Reed Scott Stone White
    Young
    """
)
PLACES = _listed(
    """
    restaurant school park market beach library station garden museum hospital office farm house shop theatre church
    harbour hotel kitchen bridge
    """
)
OBJECTS = _listed(
    """
    basketball book ring drink flower key letter lamp cake coat ticket guitar knife map basket bottle clock pencil
    camera kite pear hammer mirror watch
    """
)
ANIMALS = _listed("dog cat horse bird cow fox")
QUALITIES = _listed("old small black brown young quiet")
STATES = _listed("tired happy hungry asleep cold busy warm late")
JOBS = _listed("teacher doctor baker farmer painter singer")
ORDINALS = _listed("first second third")
GLUE = _listed("The , . and the a one was came to saw")

# Phrases, words apart by spaces. {place} and {object} stand for any of theirs; names are put in by the grammar.
LEADS = (
    "Then ,",
    "Later ,",
    "Yesterday ,",
    "Today ,",
    "Last week ,",
    "After the rain ,",
    "On a cold morning ,",
    "In the end ,",
    "Late in the evening ,",
    "Before the sun went down ,",
    "After a long and quiet day ,",
    "One day in spring ,",
)
ACTIVITIES = (
    "were working at the {place}",
    "went to the {place}",
    "met at the {place}",
    "had lunch at the {place}",
    "were talking near the {place}",
    "got lost on the way to the {place}",
    "spent the day in the old {place}",
    "walked home from the {place}",
)
ALONE = ("went to the {place}", "had lunch at the {place}", "walked home from the {place}")
LINKS = (".", ". Then", ". Later", ", and", ", so")
GIFTS = (
    "decided to give a {object} to",
    "wanted to give the {object} to",
    "gave a {object} to",
    "handed the {object} to",
    "sent a small {object} to",
    "passed the old {object} to",
    "bought a {object} for",
    "found a {object} for",
)
CLOSINGS = (".", ".", "and went home .", "at the {place} .", "and was happy .")
TIMES = ("for an hour", "all day", "with a friend", "in the rain")
ORDER_OPENINGS = ("stood in line at the {place} .", "came to the {place} .", "waited near the {place} .")


def _spoken() -> list[str]:
    phrases = (*LEADS, *ACTIVITIES, *LINKS, *GIFTS, *CLOSINGS, *TIMES, *ORDER_OPENINGS)
    words = [word for phrase in phrases for word in phrase.split() if not word.startswith("{")]
    lists = (SURNAMES, PLACES, OBJECTS, ANIMALS, QUALITIES, STATES, JOBS, ORDINALS, GLUE)
    return words + [word for words_of_kind in lists for word in words_of_kind]


@cache
def vocabulary() -> dict[str, int]:
    """Each token's number: the end of a text is 0, then the names in the order of NAMES, then all other words.

    Example:
        >>> vocabulary()["<|endoftext|>"], vocabulary()[" " + NAMES[0]], vocabulary()["."] == vocabulary().get(" .")
        (0, 1, False)
    """
    openers = sorted({phrase.split()[0] for phrase in LEADS} | {"The"})
    spaced = [word if word in ",." else " " + word for word in sorted(set(_spoken()))]
    tokens = [END_OF_TEXT, *(" " + name for name in NAMES), *spaced, *openers]
    return {token: number for number, token in enumerate(tokens)}


def token_of(word: str, first: bool) -> str:
    """A word as a token: with the space before it, but for punctuation and the word that opens the text.

    Example:
        >>> token_of("Then", first=True), token_of("Simon", first=False), token_of(",", first=False)
        ('Then', ' Simon', ',')
    """
    return word if first or word in ",." else " " + word
