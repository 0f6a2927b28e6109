"""Two small transformers that come with the book, the grammar that they were trained on, and how to make them again.

``pocket-gpt2`` is built like GPT-2, ``pocket-pythia`` like Pythia, with its checkpoints. Both solve the
indirect-object task, and since the grammar is the book's own, what generated each token is known.
"""

from .facts import Facts, facts, facts_of, pocket_prompts
from .folders import pocket_folder, pocket_tokenizer, revisions, training_record
from .grammar import KINDS, ROLES, Sentence, held_out_pairs, sentences
from .words import NAMES, vocabulary

__all__ = [
    "KINDS",
    "NAMES",
    "ROLES",
    "Facts",
    "Sentence",
    "facts",
    "facts_of",
    "held_out_pairs",
    "pocket_folder",
    "pocket_prompts",
    "pocket_tokenizer",
    "revisions",
    "sentences",
    "training_record",
    "vocabulary",
]
