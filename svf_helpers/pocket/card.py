"""The model card of the bundled models, written from their training records: no number in it is typed by hand."""

from __future__ import annotations

from collections.abc import Sequence

from .folders import NAMES as MODELS
from .folders import training_record
from .grammar import HELD_OUT_SHARE, SHARES, held_out_pairs, sentences
from .words import NAMES, OBJECTS, PLACES, vocabulary

WHAT_EACH_KIND_ASKS = {
    "ioi": "two people, one of them acts: who receives?",
    "others": "the same, with one or two people named who have nothing to do with it",
    "three": "three people, one or two of them act",
    "full": "two people with surnames: the surname has to be copied",
    "order": "who was named first, second, third?",
    "abc": "two people, a third acts: either may receive",
    "plain": "one person; a gift goes to somebody not named yet",
}


PROMPTS = 64  # on which the circuits are measured

CARD = """\
# The bundled models: pocket-gpt2 and pocket-pythia

Two small transformers for the chapters on real attention heads. `pocket-gpt2` is built like GPT-2 (learned positions,
LayerNorm, biases; `GPT2LMHeadModel`), `pocket-pythia` like Pythia (rotary positions on half of each head's dimensions,
attention and MLP in parallel; `GPTNeoXForCausalLM`). Load them with `load_model("pocket-gpt2")`, or take a folder in
Hugging Face's format from `pocket_folder(name, revision)`.

## Sizes

{sizes}

## Data

Sentences of a grammar of this project (`svf_helpers/pocket/grammar.py`): {names} names, {places} places, {objects}
objects, {tokens} tokens in all, one for each word. No text of anybody else's went in. Seven kinds of sentences are
mixed:

{kinds}

Lead-ins, asides and the words between the names vary in length, so no fixed position holds the answer. {held_out} of
the {pairs} pairs of names (about {share}, among them Simon and Andrew of the paper's prompt) are held out: no training
sentence has both names of such a pair, in any role. Three quarters of the training sentences begin with
`<|endoftext|>`, one quarter without it.

## Accuracy

Share of new sentences in which the most likely token at END, of the whole vocabulary, is a right name. The weights are
those shipped, in half precision. Final, on 2,000 sentences of each kind with held-out pairs:

{final}

By checkpoint, on 500 sentences: kind `ioi` with held-out pairs, with `<|endoftext|>` before it and without; the same
with pairs seen in training, in new sentences; kind `others` with held-out pairs:

{history}

## Circuit

Heads that look from role to role with a mean attention of .3 or more, or without which a twentieth of the logit
difference is lost, on {prompts} sentences of the task with pairs of names that occur in training. Numbers are mean
attention from the one role to the other; then what is lost if the head's output is replaced by its mean: of the logit
difference of right and wrong name on the straight way to the logits ("Direct") and in all ("Total"), and of the right
name's log-probability, in nats ("Surprise"). Neither model has name movers: no head looks from END at IO much more than
at S1. In `pocket-gpt2` one head that looks from END at S2 does most of the work; in `pocket-pythia` several share it
(the chapter on known features takes them out together). `circuit_table` in `svf_helpers.language_models.circuits` makes
the same table for any model.

{circuits}

## Licence

The weights, like the code, are under this project's MIT licence.

## What they must not be used for

They know a few hundred words and seven kinds of sentences, and are made to be looked into. They must not be used to
write or judge text, or to decide anything about people. The names stand for nobody, and what the models say after a
name means nothing. A finding here is a finding on two small trained transformers: it does not show that GPT-2 or Pythia
do the same.

## How to make them again

{commands}

It takes one thread of the CPU, {minutes} minutes when the shipped weights were made, on a machine busy with other
work. An interrupted run resumes. The same seed gives the same weights bit by bit on one machine with the same versions;
other processors round differently, and the runs drift apart. The shipped weights were made with torch {torch} and
transformers {transformers}. `training.json` beside each model holds the recipe, a hash of recipe and data, and all
accuracies.
"""


def model_card(circuits: Sequence[str] | None = None) -> str:
    """The card in Markdown: data, sizes, accuracy at every checkpoint, circuits, licence, limits, how to make them.

    Args:
        circuits: lines of the section on circuits, where they are at hand; else both models are run, for a while.

    Example:
        >>> print(model_card(circuits=["..."]).splitlines()[0])
        # The bundled models: pocket-gpt2 and pocket-pythia
    """
    records = {name: training_record(name) for name in MODELS}
    machine = records[MODELS[0]]["machine"]
    tables = {"sizes": _sizes(records), "kinds": _kinds(), "final": _final(records), "history": _history(records)}
    tables["circuits"] = _circuits() if circuits is None else circuits
    return CARD.format(
        **{name: "\n".join(rows) for name, rows in tables.items()},
        prompts=PROMPTS,
        names=len(NAMES),
        places=len(PLACES),
        objects=len(OBJECTS),
        tokens=len(vocabulary()),
        held_out=len(held_out_pairs()),
        pairs=f"{len(NAMES) * (len(NAMES) - 1) // 2:,}",
        share=f"{HELD_OUT_SHARE:.0%}",
        commands="\n".join(f"    python -m svf_helpers.pocket train {name} --out {name}" for name in MODELS),
        minutes=" and ".join(f"{record['seconds'] / 60:.0f}" for record in records.values()),
        torch=machine["torch"],
        transformers=machine["transformers"],
    )


def _circuits() -> list[str]:
    from svf_helpers.language_models import load_model
    from svf_helpers.language_models.circuits import circuit_table
    from svf_helpers.pocket import pocket_prompts

    rows = []
    for name in MODELS:
        table = circuit_table(load_model(name, device="cpu"), pocket_prompts(PROMPTS, 1_000, "train"))
        rows += [f"`{name}`, with a mean logit difference of {table.logit_difference:.1f}:", "", table.markdown(), ""]
    return rows[:-1]


def _sizes(records: dict) -> list[str]:
    rows = ["| | " + " | ".join(MODELS) + " |", "|---|" + "---|" * len(MODELS)]
    recipe = {name: record["recipe"] for name, record in records.items()}
    rows.append("| parameters | " + " | ".join(f"{records[name]['parameters']:,}" for name in MODELS) + " |")
    for title, key in (("layers", "layers"), ("width", "d_model"), ("heads a layer", "heads"), ("MLP width", "d_mlp")):
        rows.append(f"| {title} | " + " | ".join(str(recipe[name][key]) for name in MODELS) + " |")
    rows.append("| training steps | " + " | ".join(f"{records[name]['steps']:,}" for name in MODELS) + " |")
    rows.append("| sentences a step | " + " | ".join(str(recipe[name]["batch"]) for name in MODELS) + " |")
    rows.append("| checkpoints | " + " | ".join(str(len(records[name]["revisions"])) for name in MODELS) + " |")
    return rows


def _kinds() -> list[str]:
    rows = ["| kind | share | asks | example |", "|---|---|---|---|"]
    for kind, share in SHARES.items():
        example = next(sentences("train", "card", (kind,))).text
        rows.append(f"| {kind} | {share:.0%} | {WHAT_EACH_KIND_ASKS[kind]} | {example} |")
    return rows


def _final(records: dict) -> list[str]:
    kinds = list(records[MODELS[0]]["held-out accuracy by kind"])
    rows = ["| model | " + " | ".join(kinds) + " |", "|---|" + "---|" * len(kinds)]
    for name in MODELS:
        right = records[name]["held-out accuracy by kind"]
        rows.append(f"| {name} | " + " | ".join(f"{right[kind]:.1%}" for kind in kinds) + " |")
    return rows


def _history(records: dict) -> list[str]:
    columns = [key for key in records[MODELS[0]]["history"][0] if key not in ("step", "loss")]
    rows = ["| model | revision | loss | " + " | ".join(columns) + " |", "|---|---|---|" + "---|" * len(columns)]
    for name in MODELS:
        for row in records[name]["history"]:
            loss = "" if row["loss"] is None else f"{row['loss']:.3f}"
            cells = " | ".join(f"{row[column]:.1%}" for column in columns)
            rows.append(f"| {name} | step{row['step']} | {loss} | {cells} |")
    return rows
