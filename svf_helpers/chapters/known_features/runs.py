"""Stored runs of this chapter: agreement with known features, ablation of terms, and features projected out."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from svf_helpers.chapters.kit.circuit_runs import circuit_arrays
from svf_helpers.experiments.registry import experiment
from svf_helpers.experiments.store import part

if TYPE_CHECKING:
    from svf_helpers.language_models import Basis

MODELS = ("pocket-gpt2", "pocket-pythia")
BASES: tuple[Basis, ...] = ("weights", "whitened")
#: What is ablated in a head's score. ``fixed``: the terms that lead on other prompts, as many as N_sv is there.
REMOVED = ("nothing", "top", "random", "all but top", "all but random", "fixed", "all but fixed")
#: The circuit is found, the leading terms chosen, moments gathered on training names; all is judged on held-out pairs.
CHOICE: dict[str, Any] = {"count": 256, "seed": 1_000, "split": "train"}


@experiment(
    "known-features",
    figures=(),
    chapter="known_features",
    seconds={"quick": 60, "paper": 300},
    compare={"*_attention_*": 0.05, "*_correct_*": 0.1, "*_cosine_*": 0.05},
)
def known(scale, device, progress, workdir):
    """Leading terms of both bundled models against their known features, and attention and answers without them."""
    from tqdm.auto import tqdm

    sizes = {"paper": {"sentences": 2_500, "draws": 1_000, "prompts": 128, "repeats": 8},
             "quick": {"sentences": 800, "draws": 50, "prompts": 16, "repeats": 2}}[scale]
    arrays = {}
    for model in tqdm(MODELS, unit="model", disable=not progress):
        found = part(Path(workdir), f"{model}-{scale}", lambda model=model: _study(model, device, **sizes))
        arrays |= {f"{model.removeprefix('pocket-')}_{name}": value for name, value in found.items()}
    return arrays, {"models": list(MODELS), "bases": list(BASES), "removed": list(REMOVED), "seeds": [0], "steps": 0,
                    **sizes}


def _study(name, device, sentences, draws, prompts, repeats) -> dict[str, np.ndarray]:
    import torch

    from svf_helpers.chapters.kit.leading_terms import leading_agreement, sample
    from svf_helpers.ioi import distinct_heads
    from svf_helpers.language_models import head_bases, head_moments, load_model
    from svf_helpers.language_models.circuit_terms import by_length, circuit_terms
    from svf_helpers.language_models.circuits import circuit_table
    from svf_helpers.language_models.random_basis import random_rank_one_basis
    from svf_helpers.pocket import pocket_prompts
    from svf_helpers.pocket.facts import facts

    model = load_model(name, device=device)
    chosen_on, judged_on = pocket_prompts(**CHOICE), pocket_prompts(prompts, seed=0, split="held-out")
    circuit = circuit_table(model, chosen_on).at_pairs()
    moments = head_moments(model, by_length(chosen_on))
    layers = [head.layer for head in circuit]
    samples = [sample(model, facts(sentences, seed, split), layers)
               for seed, split in (("known features", "train"), ("known features", "held-out"))]
    row = circuit_arrays(circuit)
    row["feature_names"] = np.array(samples[0].features.names)
    every = {basis: head_bases(model, basis, distinct_heads(circuit), moments) for basis in BASES}
    for basis, bases in every.items():
        found = leading_agreement(model, circuit, bases, chosen_on, *samples, draws=draws)
        row |= {f"{name}_{basis}": value.cpu().numpy() for name, value in found._asdict().items()}
        row[f"cosine_{basis}"] = found.cosine().cpu().numpy()
    generator = torch.Generator().manual_seed(1)
    # random bases: the first for ablations, all of them for what N_sv is where directions mean nothing
    splits = [random_rank_one_basis(every["weights"], generator) for _ in range(repeats)]
    counts = [circuit_terms(model, judged_on, circuit, split).n_sv for split in splits]
    row["n_sv_splits"] = torch.stack(counts).numpy()
    for title, bases in (*every.items(), ("split", splits[0])):
        row |= {f"{name}_{title}": value for name, value in
                _ablation(model, circuit, bases, chosen_on, judged_on, repeats, generator).items()}
    cosines = ("chosen_", "judged_", "rotated_", "random_")  # four digits are plenty, and the file stays small
    return {name: value.astype(np.float16 if name.startswith(cosines) else np.float32)
            if value.dtype == np.float64 else value for name, value in row.items()}


def _ablation(model, circuit, bases, chosen_on, judged_on, repeats, generator) -> dict[str, np.ndarray]:
    """Of each entry of REMOVED: attention [heads, prompts], logit difference and answers, head by head and together.

    ``attention``, ``difference``, ``correct``: [removed, heads, prompts], each head acted on alone.
    ``joint_difference``, ``joint_correct``: [removed, groups, prompts], all heads of a job at once; the last group is
    the whole circuit. Random choices are means over ``repeats`` draws.
    """
    import torch

    from svf_helpers.language_models.ablation_effects import ablation_effect, select_terms
    from svf_helpers.language_models.circuit_terms import circuit_terms

    before, now = (circuit_terms(model, prompts, circuit, bases, draws=1) for prompts in (chosen_on, judged_on))
    means = before.terms.mean(1)  # [heads, d_head]
    typical = before.n_sv.double().mean(1).round().long().clamp_min(1)
    fixed = select_terms(means, typical)[:, None].expand_as(now.terms)
    draw = lambda: select_terms(now.terms, now.n_sv, "random", generator)  # noqa: E731
    masks = {"nothing": [torch.zeros_like(fixed)], "top": [select_terms(now.terms, now.n_sv)],
             "random": [draw() for _ in range(repeats)]}
    masks |= {f"all but {name}": [~mask for mask in masks[name]] for name in ("top", "random")}
    masks |= {"fixed": [fixed], "all but fixed": [~fixed]}
    jobs = list(dict.fromkeys(head.job for head in circuit))
    groups = [[number for number, head in enumerate(circuit) if head.job == job] for job in jobs]
    groups.append(list(range(len(circuit))))
    rows: dict[str, list] = {name: [] for name in
                             ("attention", "difference", "correct", "joint_difference", "joint_correct")}
    for removed in REMOVED:
        alone, together = [], []
        for mask in masks[removed]:
            runs = [ablation_effect(model, judged_on, circuit, bases, mask, [number]) for number in range(len(circuit))]
            at_own = torch.stack([run.attention[number] for number, run in enumerate(runs)])
            alone.append((at_own, *(torch.stack([getattr(run, name) for run in runs]).float()
                                    for name in ("difference", "correct"))))
            runs = [ablation_effect(model, judged_on, circuit, bases, mask, group) for group in groups]
            together.append(tuple(torch.stack([getattr(run, name) for run in runs]).float()
                                  for name in ("difference", "correct")))
        parts = [torch.stack(values).mean(0).numpy()
                 for values in (*zip(*alone, strict=True), *zip(*together, strict=True))]
        for name, value in zip(rows, parts, strict=True):
            rows[name].append(value)
    found = {name: np.stack(values).astype(np.float32) for name, values in rows.items()}
    return found | {"group": np.array([*jobs, "all"]), "n_sv": now.n_sv.numpy(), "n_fixed": typical.numpy(),
                    "terms_mean": means.numpy()}


@experiment(
    "erased-features",
    figures=(),
    chapter="known_features",
    seconds={"quick": 60, "paper": 300},
    compare={"*_correct_control": 0.1, "*_correct": 0.1, "*_attention": 0.05, "*_control": 0.05, "*_before": 0.05},
)
def erased(scale, device, progress, workdir):
    """Attention and answers of both bundled models with one kind of feature projected out of queries or keys."""
    from tqdm.auto import tqdm

    sizes = {"paper": {"sentences": 2_500, "prompts": 128, "repeats": 4},
             "quick": {"sentences": 800, "prompts": 16, "repeats": 1}}[scale]
    arrays = {}
    for model in tqdm(MODELS, unit="model", disable=not progress):
        found = part(Path(workdir), f"erased-{model}-{scale}", lambda model=model: _taken_out(model, device, **sizes))
        arrays |= {f"{model.removeprefix('pocket-')}_{name}": value for name, value in found.items()}
    return arrays, {"models": list(MODELS), "seeds": [0], "steps": 0, **sizes}


def _taken_out(name, device, sentences, prompts, repeats) -> dict[str, np.ndarray]:
    """``attention``, ``control`` [sides, kinds, heads, prompts]: on the head's key, each head acted on alone, without
    the feature and (mean of ``repeats`` draws) without as much along a random direction; ``before`` [heads, prompts].
    ``correct``, ``correct_control`` [sides, kinds, prompts]: answers where all circuit heads lack the feature at once,
    or (share of the draws) as much along random directions.

    Directions come from training sentences, effects from held-out prompts.
    """
    import torch

    from svf_helpers.chapters.kit.known_features import KINDS
    from svf_helpers.chapters.kit.leading_terms import sample
    from svf_helpers.chapters.known_features.erasure import SIDES, project_out
    from svf_helpers.ioi import distinct_heads
    from svf_helpers.language_models import head_bases, load_model
    from svf_helpers.language_models.ablation_effects import ablation_effect
    from svf_helpers.language_models.circuits import circuit_table
    from svf_helpers.pocket import pocket_prompts
    from svf_helpers.pocket.facts import facts

    model = load_model(name, device=device)
    circuit = circuit_table(model, pocket_prompts(256, 1_000, "train")).at_pairs()
    judged = pocket_prompts(prompts, seed=0, split="held-out")
    measured = sample(model, facts(sentences, "known features", "train"), [head.layer for head in circuit])
    bases = head_bases(model, "weights", distinct_heads(circuit))
    means = {layer: tokens.mean(0) for layer, tokens in measured.tokens.items()}
    generator = torch.Generator().manual_seed(2)

    def effect(numbers, side, kind, along=False):
        with ExitStack() as stack:
            for layer, head in distinct_heads([circuit[number] for number in numbers]):
                feature = measured.directions[layer][:, kind]
                drawn = torch.randn(len(feature), dtype=torch.float64, generator=generator) if along else None
                if along:
                    drawn = (drawn - drawn.mean()).to(feature)  # tokens are centred
                stack.enter_context(project_out(model, layer, head, side, feature, means[layer], drawn))
            return ablation_effect(model, judged, circuit, bases)

    every = range(len(circuit))
    rows: dict[str, list] = {"attention": [], "control": [], "correct": [], "correct_control": []}
    for side in SIDES:
        for kind in range(len(KINDS)):
            rows["attention"].append(torch.stack([effect([n], side, kind).attention[n] for n in every]))
            rows["control"].append(torch.stack([
                torch.stack([effect([n], side, kind, along=True).attention[n] for _ in range(repeats)]).mean(0)
                for n in every
            ]))
            rows["correct"].append(effect(every, side, kind).correct.float())
            rows["correct_control"].append(torch.stack(
                [effect(every, side, kind, along=True).correct.float() for _ in range(repeats)]
            ).mean(0))
    shape = (len(SIDES), len(KINDS))
    found = {what: torch.stack(values).unflatten(0, shape).cpu().float().numpy() for what, values in rows.items()}
    found["before"] = ablation_effect(model, judged, circuit, bases).attention.float().numpy()
    return found | circuit_arrays(circuit) | {"kinds": np.array(KINDS), "sides": np.array(SIDES)}
