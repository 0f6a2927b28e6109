"""Run behind the chapter on known features: each feature taken out of each circuit head's queries, or its keys."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np

from svf_helpers.experiments.registry import experiment
from svf_helpers.experiments.store import part

MODELS = ("pocket-gpt2", "pocket-pythia")


@experiment(
    "erased-features",
    figures=(),
    chapter="known_features",
    seconds={"quick": 60, "paper": 300},
    compare={"*_correct_control": 0.1, "*_correct": 0.1, "*_attention": 0.05, "*_control": 0.05, "*_before": 0.05},
)
def erased(scale, device, progress, workdir):
    """Attention and answers of both bundled models with one kind of feature taken out of a head's queries or keys."""
    from tqdm.auto import tqdm

    sizes = {"paper": {"sentences": 2_500, "prompts": 128, "repeats": 4},
             "quick": {"sentences": 800, "prompts": 16, "repeats": 1}}[scale]
    arrays = {}
    for model in tqdm(MODELS, unit="model", disable=not progress):
        found = part(Path(workdir), f"erased-{model}-{scale}", lambda model=model: _study(model, device, **sizes))
        arrays |= {f"{model.removeprefix('pocket-')}_{name}": value for name, value in found.items()}
    return arrays, {"models": list(MODELS), "seeds": [0], "steps": 0, **sizes}


def _study(name, device, sentences, prompts, repeats) -> dict[str, np.ndarray]:
    """``attention``, ``control`` [sides, kinds, heads, prompts]: on the head's key, each head acted on alone, without
    the feature and (mean of ``repeats`` draws) without as much along a random direction; ``before`` [heads, prompts].
    ``correct``, ``correct_control`` [sides, kinds, prompts]: answers where all circuit heads lack the feature at once,
    or (share of the draws) as much along random directions.

    Directions come from training sentences, effects from held-out prompts.
    """
    import torch

    from svf_helpers.language_models import head_bases, load_model
    from svf_helpers.language_models.circuits import circuit_table
    from svf_helpers.language_models.erasure import SIDES, without_feature
    from svf_helpers.language_models.known_features import KINDS
    from svf_helpers.language_models.leading_terms import sample
    from svf_helpers.language_models.removal import effect_without
    from svf_helpers.pocket import pocket_prompts
    from svf_helpers.pocket.facts import facts

    model = load_model(name, device=device)
    circuit = circuit_table(model, pocket_prompts(256, 1_000, "train")).at_pairs()
    judged = pocket_prompts(prompts, seed=0, split="held-out")
    measured = sample(model, facts(sentences, "known features", "train"), [head.layer for head in circuit])
    bases = head_bases(model, "weights", list(dict.fromkeys((head.layer, head.head) for head in circuit)))
    means = {layer: tokens.mean(0) for layer, tokens in measured.tokens.items()}
    generator = torch.Generator().manual_seed(2)

    def effect(numbers, side, kind, along=False):
        with ExitStack() as stack:
            # a head that is in the circuit twice, with two pairs of tokens, is still one head
            for layer, head in dict.fromkeys((circuit[number].layer, circuit[number].head) for number in numbers):
                feature = measured.directions[layer][:, kind]
                drawn = torch.randn(len(feature), dtype=torch.float64, generator=generator) if along else None
                if along:
                    drawn = (drawn - drawn.mean()).to(feature)  # tokens are centred
                stack.enter_context(without_feature(model, layer, head, side, feature, means[layer], drawn))
            return effect_without(model, judged, circuit, bases)

    every = range(len(circuit))
    rows = {"attention": [], "control": [], "correct": [], "correct_control": []}
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
    found["before"] = effect_without(model, judged, circuit, bases).attention.float().numpy()
    found |= {what: np.array([getattr(head, what) for head in circuit])
              for what in ("layer", "head", "job", "destination", "source")}
    return found | {"kinds": np.array(KINDS), "sides": np.array(SIDES)}
