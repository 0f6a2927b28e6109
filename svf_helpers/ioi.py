"""Prompts of the indirect-object task with the positions of their roles, and the heads known to solve it (section 5).

"Then, Simon and Andrew were working at the restaurant. Simon decided to give a basketball to" asks for " Andrew".
*Simon* is the subject, named twice (S1, S2), *Andrew* the indirect object (IO); S1+1 is the token after S1, END the
last one. Their positions depend on the tokenizer; a prompt whose names it splits is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from .token_roles import ROLES, Prompt, Prompts, find_roles, one_token_names

__all__ = [
    "GPT2_HEADS",
    "ORDERS",
    "PAPER_PROMPT",
    "PYTHIA_HEADS",
    "ROLES",
    "TEMPLATES",
    "CircuitHead",
    "Prompt",
    "Prompts",
    "distinct_heads",
    "find_roles",
    "ioi_prompts",
    "one_token_names",
    "paper_prompt",
]

ORDERS = ("ABBA", "BABA")  # the indirect object named first, or the subject; then the subject again, then the answer

TEMPLATES = (
    "Then, {A} and {B} were working at the {place}. {S} decided to give a {object} to",
    "On Friday, {A} and {B} met at the {place}, and {S} handed the {object} to",
    "Late that evening, {A} and {B} walked past the {place}. After a while {S} passed a {object} to",
    "While {A} and {B} were waiting at the {place}, {S} gave the {object} to",
    "The news said that {A} and {B} had been seen at the {place}, where {S} sold a {object} to",
    "As soon as {A} and {B} got to the {place}, {S} wanted to show the {object} to",
    "In the morning {A} and {B} cleaned the {place} together. Before lunch, {S} brought a {object} to",
    "Nobody was at the {place} except {A} and {B}. So {S} offered the {object} to",
)
_NAMES = """
    Adam Alan Alice Amy Andrew Anna Anthony Arthur Ben Bill Bob Brian Carl Carol Charles Chris Dan David Edward
    Emily Emma Eric Frank Fred Gary George Grace Greg Harry Helen Henry Ian Jack Jacob James Jane Jason Jean
    Jessica Jim Joe John Jonathan Joseph Julia Karen Kate Keith Kelly Kevin Larry Laura Linda Lisa Louis Lucy
    Maria Mark Martin Mary Matt Michael Nancy Nick Oliver Oscar Patrick Paul Peter Rachel Richard Robert Rose Ruth
    Sam Sarah Simon Steve Susan Thomas Tom Victor
"""
_PLACES = "restaurant school park market beach library station garden museum hospital office farm"
_OBJECTS = "basketball book ring drink flower key letter lamp cake coat ticket guitar"
NAMES, PLACES, OBJECTS = (tuple(words.split()) for words in (_NAMES, _PLACES, _OBJECTS))

PAPER_PROMPT = "Then, Simon and Andrew were working at the restaurant. Simon decided to give a basketball to"


@dataclass(frozen=True)
class CircuitHead:
    """A head of a known circuit: the query it works at (destination) and the key it looks at (source), as roles.

    Example:
        >>> head = PYTHIA_HEADS[0]
        >>> head.job, head.layer, head.head, head.destination, head.source
        ('Previous Token', 2, 6, 'S1+1', 'S1')
    """

    job: str
    layer: int
    head: int
    destination: str
    source: str


def _heads(job: str, destination: str, source: str, *places: tuple[int, int]) -> tuple[CircuitHead, ...]:
    return tuple(CircuitHead(job, layer, head, destination, source) for layer, head in places)


# Table 2 of the paper: Pythia-160M, found by Tigges et al. (2024).
PYTHIA_HEADS = (
    *_heads("Previous Token", "S1+1", "S1", (2, 6)),
    *_heads("Induction", "S2", "S1+1", (4, 11), (4, 6), (5, 0)),
    *_heads("Name Mover", "END", "IO", (10, 7), (9, 4), (8, 2), (8, 10)),
    *_heads("S-Inhibition", "END", "S2", (7, 9), (6, 6), (7, 2)),
    *_heads("Positive Copy Suppression", "END", "S2", (8, 9)),
)
# GPT-2 small, found by Wang et al. (2023).
GPT2_HEADS = (
    *_heads("Name Mover", "END", "IO", (9, 9), (10, 0), (9, 6)),
    *_heads("Negative Name Mover", "END", "IO", (10, 7), (11, 10)),
    *_heads(
        "Backup Name Mover", "END", "IO", (9, 0), (9, 7), (10, 1), (10, 2), (10, 6), (10, 10), (11, 2), (11, 9)
    ),
    *_heads("S-Inhibition", "END", "S2", (7, 3), (7, 9), (8, 6), (8, 10)),
    *_heads("Induction", "S2", "S1+1", (5, 5), (5, 8), (5, 9), (6, 9)),
    *_heads("Duplicate Token", "S2", "S1", (0, 1), (0, 10), (3, 0)),
    *_heads("Previous Token", "S1+1", "S1", (2, 2), (4, 11)),
)


def distinct_heads(circuit: Sequence[CircuitHead]) -> list[tuple[int, int]]:
    """The heads of a circuit as (layer, head), each once: a head that works at two pairs of tokens is still one head.

    Example:
        >>> distinct_heads([CircuitHead("x", 2, 1, "END", "S2"), CircuitHead("y", 2, 1, "S2", "S1")])
        [(2, 1)]
    """
    return list(dict.fromkeys((head.layer, head.head) for head in circuit))


def ioi_prompts(
    tokenizer,
    count: int,
    seed: int = 0,
    *,
    orders: Sequence[str] = ORDERS,
    templates: Sequence[str] = TEMPLATES,
    names: Sequence[str] = NAMES,
    prepend_bos: bool = False,
) -> Prompts:
    """Prompts with random names, template, place and object; the same ones for the same seed and tokenizer.

    The orders alternate, so that both are equally frequent. Only names that are one token in this tokenizer are used.

    Args:
        tokenizer: any Hugging Face tokenizer.
        count: how many prompts.
        seed: of the generator that these prompts, and nothing else, are drawn from.
        orders: "ABBA", "BABA" or both.
        templates: texts with {A}, {B} (the names as first said), {S} (the subject again), {place} and {object}.
        names: names to choose from.
        prepend_bos: whether the start-of-text token stands before each, as TransformerLens has it for GPT-2.

    Raises:
        ValueError: for unknown orders, fewer than two names of one token, or a prompt whose roles cannot be found.

    Example:
        >>> from svf_helpers.pocket import pocket_tokenizer  # the bundled models' own, which knows these words
        >>> prompts = ioi_prompts(pocket_tokenizer(), 2, templates=TEMPLATES[:1])
        >>> [prompt.order for prompt in prompts], bool((prompts.tokens.gather(1, prompts.at("S2")[:, None])
        ...     == prompts.tokens.gather(1, prompts.at("S1")[:, None])).all())
        (['ABBA', 'BABA'], True)
    """
    if count < 1:
        raise ValueError(f"count = {count}: at least one prompt")
    if not orders or not set(orders) <= set(ORDERS):
        raise ValueError(f"orders {list(orders)}: some of {', '.join(ORDERS)}")
    usable = one_token_names(tokenizer, names)
    if len(usable) < 2:
        raise ValueError(
            f"{len(usable)} of {len(names)} names are one token in this tokenizer: two are needed; give names= that it "
            "keeps whole, or make prompts of sentences of your own (svf_helpers.ioi.Prompts)"
        )
    rng = Random(f"indirect object {seed}")

    def one_of(options: Sequence):
        return options[int(rng.random() * len(options))]

    prompts = []
    for number in range(count):
        order = orders[number % len(orders)]
        subject = one_of(usable)
        recipient = one_of([name for name in usable if name != subject])
        first, second = (recipient, subject) if order == "ABBA" else (subject, recipient)
        words = {"place": one_of(PLACES), "object": one_of(OBJECTS)}
        text = one_of(templates).format(A=first, B=second, S=subject, **words)
        prompts.append(find_roles(tokenizer, text, subject, recipient, prepend_bos=prepend_bos))
    return Prompts(prompts, padding=tokenizer.eos_token_id or 0)


def paper_prompt(tokenizer, *, prepend_bos: bool = False) -> Prompt:
    """The paper's own prompt for Pythia (appendix G): Simon and Andrew at the restaurant.

    Example:
        >>> from svf_helpers.pocket import pocket_tokenizer
        >>> paper_prompt(pocket_tokenizer()).roles
        {'S1': 2, 'S1+1': 3, 'IO': 4, 'S2': 11, 'END': 17}
    """
    return find_roles(tokenizer, PAPER_PROMPT, "Simon", "Andrew", prepend_bos=prepend_bos)
