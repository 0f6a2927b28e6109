"""Runs of language models on the indirect-object task: the circuit's heads, decomposed (paper, section 5, appendix G).

The format is the same for all models: the bundled ones, which anyone can run, and the paper's, which need the hub.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from svf_helpers.experiments.store import part

if TYPE_CHECKING:
    from svf_helpers.language_models import Basis

BASES: tuple[Basis, ...] = ("weights", "whitened", "offset")  # the last for rotary heads alone
PER_BASIS = ("sparsity", "null", "n_sv")
PER_TERM = ("terms", "S", "rotated")
#: What is stored of a circuit's heads.
HEAD_FIELDS = ("layer", "head", "job", "destination", "source")
#: Moments, and the circuits of models that the literature does not describe, come from other prompts than those that
#: are decomposed.
OTHER_PROMPTS, OTHER_SEED = 256, 1_000


GPT2 = ("gpt2", "openai-community/gpt2")  # the hub knows it by both names


def circuit_run(scale, device, progress, workdir, *, model, revisions, discard_weights, counts):
    """Every checkpoint of a model: terms of the circuit's heads on the paper's prompt and on seeded ones."""
    from tqdm.auto import tqdm

    from svf_helpers.language_models.checkpoints import checkpoint, checkpoint_names, step_of

    count = counts[scale]
    names = [None] if revisions == "main" else checkpoint_names(model, revisions)
    if scale == "quick" and len(names) > 3:
        names = [names[0], names[len(names) // 2], names[-1]]
    circuit = None
    rows = []
    # the last checkpoint first: for models that the literature does not describe, it says which heads to look at
    for name in tqdm(reversed(names), total=len(names), desc=model, unit="checkpoint", disable=not progress):
        def make(name=name, circuit=circuit):
            if name is None:
                return _decomposed(model, None, device, count, circuit, None)
            with checkpoint(model, name, workdir / "weights", discard_weights) as (source, revision):
                return _decomposed(source, revision, device, count, circuit, model)

        rows.append(part(Path(workdir), f"{name or 'main'}-{count}", make))
        circuit = circuit_of(rows[0])
    rows.reverse()
    fixed = (*HEAD_FIELDS, "order", "prompt")
    arrays = {key: rows[-1][key] for key in fixed}
    arrays |= {key: np.stack([row[key] for row in rows]) for key in rows[-1] if key not in fixed}
    steps = [0 if name is None else step_of(name) for name in names]
    arrays["step"] = np.array(steps)
    bases = [basis for basis in BASES if f"summary_n_sv_{basis}" in arrays]
    config = {"model": model, "revisions": [name or "main" for name in names], "seeds": [0], "steps": steps,
              "prompts": count, "bases": bases}
    return arrays, config


def _decomposed(source, revision, device, count, circuit, model_name) -> dict[str, np.ndarray]:
    """One checkpoint, loaded and decomposed."""
    from svf_helpers.language_models import head_moments, load_model
    from svf_helpers.language_models.answers import answers
    from svf_helpers.language_models.circuit_terms import by_length, circuit_terms
    from svf_helpers.language_models.heads import read_layer

    model = load_model(source, revision, device)
    prompts, others = prompts_for(model.tokenizer, count, source)
    circuit = circuit or known_circuit(model_name or source, model, others)
    rotary = read_layer(model, circuit[0].layer).rotary is not None
    moments = head_moments(model, by_length(others))
    right, difference = answers(model, prompts)
    row = {"correct": right.numpy(), "summary_logit_difference": difference.float().numpy(),
           "order": np.array([prompt.order for prompt in prompts]), "prompt": np.array([prompts[0].text])}
    row |= circuit_arrays(circuit)
    for basis in BASES if rotary else BASES[:2]:
        found = circuit_terms(model, prompts, circuit, basis, moments if basis == "whitened" else None)
        row |= {f"summary_{name}_{basis}": getattr(found, name).float().numpy() for name in PER_BASIS}
        # the paper's prompt, term by term
        row |= {f"{name}_{basis}": getattr(found, name)[:, 0].float().numpy() for name in PER_TERM}
    row["relative"] = found.relative.float().numpy()
    return row


def prompts_for(tokenizer, count, source):
    """The paper's prompt and seeded ones, to be decomposed; and others, for moments and for finding the circuit.

    A bundled model gets sentences of its own grammar: pairs of names that it never met are decomposed, as the paper's
    is one of them.
    """
    from svf_helpers.ioi import Prompts, ioi_prompts, paper_prompt
    from svf_helpers.pocket import pocket_prompts, vocabulary

    if set(tokenizer.get_vocab()) == set(vocabulary()):
        seeded, others = pocket_prompts(count - 1), pocket_prompts(OTHER_PROMPTS, OTHER_SEED, "train")
        return Prompts([paper_prompt(tokenizer, prepend_bos=True), *seeded]), others
    told = {"prepend_bos": source in GPT2}
    seeded = ioi_prompts(tokenizer, count - 1, **told)
    others = ioi_prompts(tokenizer, OTHER_PROMPTS, OTHER_SEED, **told)
    return Prompts([paper_prompt(tokenizer, **told), *seeded]), others


def known_circuit(name, model, prompts):
    """The paper's heads for the models that it names; for others those that look from role to role."""
    from svf_helpers.ioi import GPT2_HEADS, PYTHIA_HEADS
    from svf_helpers.language_models.circuits import circuit_table

    if name == "EleutherAI/pythia-160m":
        return PYTHIA_HEADS
    if name in GPT2:
        return GPT2_HEADS
    found = circuit_table(model, prompts).at_pairs()
    if not found:
        raise ValueError(f"{name}: no head looks from role to role with attention of .3 or more; there is no circuit")
    return found


def circuit_arrays(circuit) -> dict[str, np.ndarray]:
    """A circuit as arrays, one for each field of its heads, as results store it.

    Example:
        >>> from svf_helpers.ioi import PYTHIA_HEADS
        >>> arrays = circuit_arrays(PYTHIA_HEADS[:2])
        >>> arrays["head"].tolist(), arrays["source"].tolist()
        ([6, 11], ['S1', 'S1+1'])
    """
    return {name: np.array([getattr(head, name) for head in circuit]) for name in HEAD_FIELDS}


def circuit_of(arrays) -> tuple:
    """The circuit that :func:`circuit_arrays` has made into arrays: of a result, or of anything that holds them.

    Example:
        >>> from svf_helpers.ioi import PYTHIA_HEADS
        >>> circuit_of(circuit_arrays(PYTHIA_HEADS)) == PYTHIA_HEADS
        True
    """
    from svf_helpers.ioi import CircuitHead

    columns = [arrays[name].tolist() for name in HEAD_FIELDS]
    return tuple(CircuitHead(**dict(zip(HEAD_FIELDS, values, strict=True))) for values in zip(*columns, strict=True))


def complete(result) -> None:
    """Refuse a result made elsewhere if arrays that the chapters read are missing or of another shape.

    Raises:
        ValueError: with the arrays that are missing, or the shapes that do not fit.

    Example:
        >>> from svf_helpers.experiments import load
        >>> complete(load("pocket-gpt2-ioi"))  # the stored result has all of it
    """
    K, H = (len(result.arrays.get(name, ())) for name in ("step", "layer"))
    needed = {"step", *HEAD_FIELDS, "order", "correct", "relative", "summary_logit_difference"}
    needed |= {f"summary_{name}_{basis}" for name in PER_BASIS for basis in BASES[:2]}
    needed |= {f"{name}_{basis}" for name in PER_TERM for basis in BASES[:2]}
    missing = sorted(needed - set(result.arrays))
    name = result.info["name"]
    if missing:
        shown = ", ".join(missing[:2]) + (", ..." if len(missing) > 2 else "")
        raise ValueError(f"{name} lacks the arrays {shown}: make it again with this version of the book")
    shape = result["summary_sparsity_weights"].shape
    if shape[:2] != (K, H) or result["terms_weights"].shape[:2] != (K, H):
        raise ValueError(f"{name}: {K} checkpoints and {H} heads, but sparsity of shape {shape}")
