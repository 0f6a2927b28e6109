"""Runs behind the chapter on the whitened basis: plain, whitened and random, on every model and checkpoint."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from svf_helpers.chapters.kit.circuit_runs import circuit_arrays
from svf_helpers.experiments.registry import Option, experiment
from svf_helpers.experiments.store import part

#: Bases whose leading terms are compared with known features (the vectors of a random basis mean nothing).
WITH_VECTORS = ("weights", "whitened", "centred")
#: From which text moments are taken, in the study of what whitening needs.
TEXTS = ("task", "grammar", "other kinds", "shuffled", "uniform")
#: From how many tokens, 10 for each dimension of a head at least; the last is the sample that the others are held to.
SIZES = (160, 320, 640, 1_280, 2_560, 5_120, 20_480)
#: Prompts for the circuit and for moments, never those that are judged.
OTHERS: dict[str, Any] = {"count": 256, "seed": 1_000}


def _compared(model, circuit, prompts, moments, samples=None, chosen_on=None, draws=100) -> dict[str, np.ndarray]:
    """One model: sparsity, N_sv and ablations in all bases, and agreement with known features if there are samples."""
    import torch

    from svf_helpers.chapters.whitened.compared_bases import all_bases, compare_bases

    found = compare_bases(model, circuit, prompts, moments)
    row = {f"summary_{name}": value.float().cpu().numpy() for name, value in found._asdict().items()}
    if samples is not None:
        from svf_helpers.chapters.kit.leading_terms import leading_agreement
        from svf_helpers.ioi import distinct_heads

        every = all_bases(model, distinct_heads(circuit), moments, torch.Generator().manual_seed(0))
        agreed = [leading_agreement(model, circuit, every[name], chosen_on, *samples, draws=draws,
                                    raw_queries=name != "centred") for name in WITH_VECTORS]
        row["cosine"] = torch.stack([one.cosine() for one in agreed]).float().cpu().numpy()
        row["cosine_null"] = torch.stack([one.rotated.mean(-1) for one in agreed]).float().cpu().numpy()
        row["cosine_high"] = torch.stack([one.rotated.quantile(0.95, -1) for one in agreed]).float().cpu().numpy()
        row["feature"] = torch.stack([one.feature for one in agreed]).cpu().numpy()
    return row


def _pocket(
    source, revisions, device, progress, workdir, *, sentences, prompts, draws, label, circuit_from=None
) -> dict[str, np.ndarray]:
    """A bundled model, or one trained like it: its checkpoints, with the circuit that the last one has (or another)."""
    from tqdm.auto import tqdm

    from svf_helpers.chapters.kit.known_features import known_features
    from svf_helpers.chapters.kit.leading_terms import sample
    from svf_helpers.language_models import head_moments, load_model
    from svf_helpers.language_models.circuit_terms import by_length
    from svf_helpers.language_models.circuits import circuit_table
    from svf_helpers.pocket import pocket_prompts
    from svf_helpers.pocket.facts import facts

    others, judged = pocket_prompts(**OTHERS, split="train"), pocket_prompts(prompts, split="held-out")
    tables = [facts(sentences, "bases", split) for split in ("train", "held-out")]
    features = [known_features(table) for table in tables]
    circuit = circuit_table(load_model(circuit_from or source, device=device), others).at_pairs()
    layers = [head.layer for head in circuit]

    def study(revision):
        model = load_model(source, revision, device) if revision else load_model(source, device=device)
        samples = [sample(model, *pair, features=known)
                   for pair, known in zip(((table, layers) for table in tables), features, strict=True)]
        return _compared(model, circuit, judged, head_moments(model, by_length(others)), samples, others, draws)

    rows = [part(Path(workdir), f"{label}-{revision or 'last'}", partial(study, revision))
            for revision in tqdm(revisions, desc=label, unit="checkpoint", disable=not progress)]
    arrays = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    return arrays | circuit_arrays(circuit) | {"feature_names": np.array(features[0].names)}


SCALES = {"quick": {"sentences": 700, "prompts": 8, "draws": 20}, "paper": {"sentences": 1_200, "prompts": 48,
                                                                          "draws": 100}}
_chapter: dict[str, Any] = {"figures": (), "chapter": "whitened", "compare": {"*summary_*": 0.05}}


@experiment("bases-pocket-gpt2", seconds={"quick": 60, "paper": 90}, **_chapter)
def bases_gpt2(scale, device, progress, workdir):
    """pocket-gpt2 in the plain, the whitened and random bases; and what whitening needs."""
    arrays = _pocket("pocket-gpt2", [None], device, progress, workdir, **SCALES[scale], label=f"pocket-gpt2-{scale}")
    needs = part(Path(workdir), f"needs-{scale}", partial(_needs, "pocket-gpt2", device, scale))
    config = {"model": "pocket-gpt2", "revisions": ["main"], "seeds": [0], "steps": 0, **SCALES[scale]}
    return arrays | needs, config | {"texts": list(TEXTS), "sizes": list(SIZES)}


@experiment("bases-pocket-pythia", seconds={"quick": 120, "paper": 1_200}, **_chapter)
def bases_pythia(scale, device, progress, workdir):
    """pocket-pythia at every checkpoint in the plain, the whitened and random bases; and what whitening needs."""
    from svf_helpers.language_models.checkpoints import step_of
    from svf_helpers.pocket import revisions

    names = list(revisions("pocket-pythia"))
    if scale == "quick":
        names = [names[0], names[-1]]
    arrays = _pocket("pocket-pythia", names, device, progress, workdir, **SCALES[scale], label=f"pythia-{scale}")
    needs = part(Path(workdir), f"needs-{scale}", partial(_needs, "pocket-pythia", device, scale))
    steps = [step_of(name) for name in names]
    config = {"model": "pocket-pythia", "revisions": names, "seeds": [0], "steps": steps, **SCALES[scale]}
    return arrays | needs | {"step": np.array(steps)}, config | {"texts": list(TEXTS), "sizes": list(SIZES)}


@experiment("bases-seeds", seconds={"quick": 90, "paper": 3_000}, **_chapter)
def bases_seeds(scale, device, progress, workdir):
    """pocket-pythia trained again from other seeds, each with its own circuit, in the same bases.

    The quick run trains for twenty steps, after which there is no circuit; it looks at the bundled model's heads.
    """
    from svf_helpers.pocket.recipe import RECIPES
    from svf_helpers.pocket.training import train

    seeds, steps = ([1, 2], None) if scale == "paper" else ([1], 20)
    recipe, arrays = RECIPES["pocket-pythia"], {}
    for seed in seeds:
        wanted = replace(recipe, seed=seed, **({"steps": steps, "checkpoints": 1} if steps else {}))
        folder = Path(workdir) / f"seed-{seed}"
        if not (folder / "training.json").exists():
            train(wanted, folder, progress)
        found = _pocket(str(folder), [None], device, progress, workdir, **SCALES[scale], label=f"seed-{seed}",
                        circuit_from="pocket-pythia" if steps else None)
        arrays |= {f"seed{seed}_{name}": value for name, value in found.items()}
    return arrays, {"model": "pocket-pythia", "seeds": seeds, "steps": steps or recipe.steps, **SCALES[scale]}


@experiment("bases-model", seconds={"quick": 120, "paper": 900},
            options={"model": Option("gpt2", "a name on the hub or a local folder"),
                     "revision": Option("main", "one branch, tag or commit of the model")},
            hub=True, **_chapter)
def bases_model(scale, device, progress, workdir, model, revision):
    """Any model that the hub or a folder has, on the indirect-object task, in the same bases."""
    from svf_helpers.chapters.kit.circuit_runs import known_circuit, prompts_for
    from svf_helpers.language_models import head_moments, load_model
    from svf_helpers.language_models.circuit_terms import by_length

    loaded = load_model(model, None if revision == "main" else revision, device)
    prompts, others = prompts_for(loaded.tokenizer, SCALES[scale]["prompts"], model)
    circuit = known_circuit(model, loaded, others)
    arrays = _compared(loaded, circuit, prompts, head_moments(loaded, by_length(others))) | circuit_arrays(circuit)
    return arrays, {"model": model, "revisions": [revision], "seeds": [0], "steps": 0, **SCALES[scale]}


def _needs(source, device, scale) -> dict[str, np.ndarray]:
    """What whitening needs: sparsity and leading directions with moments from few tokens, and from other text.

    ``size_*`` [sizes, draws, heads] and ``text_*`` [texts, heads]: ``sparsity`` of the whitened basis, its ``null``,
    and |cos| of the leading direction on the query and on the key side with that from the largest sample (``same``,
    with a last axis for the sides).
    """
    import torch

    from svf_helpers.ioi import distinct_heads
    from svf_helpers.language_models import head_bases, head_moments, load_model, reading_directions
    from svf_helpers.language_models.circuit_terms import circuit_terms
    from svf_helpers.language_models.circuits import circuit_table
    from svf_helpers.pocket import pocket_prompts

    model = load_model(source, device=device)
    circuit = circuit_table(model, pocket_prompts(**OTHERS, split="train")).at_pairs()
    heads = distinct_heads(circuit)
    judged = pocket_prompts(SCALES[scale]["prompts"], split="held-out")
    generator = torch.Generator().manual_seed(2)
    repeats = 4 if scale == "paper" else 2

    def measured(batches):
        bases = head_bases(model, "whitened", heads, head_moments(model, batches))
        found = circuit_terms(model, judged, circuit, bases, draws=8)
        lead = found.terms.mean(1).argmax(-1).tolist()
        sides = [[side[:, k] / side[:, k].norm() for side in reading_directions(bases, head.layer, head.head)]
                 for head, k in zip(circuit, lead, strict=True)]
        return found.sparsity.mean(1), found.null.mean(1), torch.stack([torch.stack(pair) for pair in sides])

    pool = _texts(generator)
    whole = measured(_batches(pool["task"], SIZES[-1]))
    rows: dict[str, list] = {f"{kind}_{name}": [] for kind in ("size", "text") for name in ("sparsity", "null", "same")}

    def compare(kind, found):
        same = (found[2] * whole[2]).sum(-1).abs()
        for name, value in zip(("sparsity", "null", "same"), (*found[:2], same), strict=True):
            rows[f"{kind}_{name}"].append(value.float().cpu().numpy())

    for size in SIZES:
        for _ in range(repeats):
            order = torch.randperm(len(pool["task"]), generator=generator).tolist()
            compare("size", measured(_batches([pool["task"][number] for number in order], size)))
    for text in TEXTS:
        compare("text", measured(_batches(pool[text], SIZES[-2])))
    found = {name: np.stack(values) for name, values in rows.items()}
    for name in ("size_sparsity", "size_null", "size_same"):
        found[name] = found[name].reshape(len(SIZES), repeats, *found[name].shape[1:])
    return found


def _texts(generator) -> dict[str, list]:
    """Rows of tokens of each kind of text, all with the start mark."""
    import torch

    from svf_helpers.pocket import KINDS, pocket_prompts, vocabulary
    from svf_helpers.pocket.facts import facts

    task = [prompt.tokens for prompt in pocket_prompts(1_000, seed=2_000, split="train")]
    found = {"task": task}
    for name, kinds in (("grammar", KINDS), ("other kinds", ("order", "plain"))):
        table = facts(400, "moments", "train", kinds)
        found[name] = [torch.from_numpy(row[:length]) for row, length in zip(table.tokens, table.length, strict=True)]
    some = task[:300]
    found["shuffled"] = [torch.cat((row[:1], row[1:][torch.randperm(len(row) - 1, generator=generator)]))
                         for row in some]
    words = len(vocabulary())
    found["uniform"] = [torch.cat((row[:1], torch.randint(1, words, (len(row) - 1,), generator=generator)))
                        for row in some]
    return found


def _batches(rows, tokens) -> list:
    """So many tokens (at least), in whole rows, stacked by length."""
    import torch

    taken, total = [], 0
    for row in rows:
        if total >= tokens:
            break
        taken.append(row)
        total += len(row)
    if total < tokens:
        raise ValueError(f"{total} tokens in {len(rows)} rows: {tokens} were asked for")
    lengths = sorted({len(row) for row in taken})
    return [torch.stack([row for row in taken if len(row) == length]) for length in lengths]
