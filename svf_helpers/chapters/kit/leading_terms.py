r"""Does the singular vector that carries a head's attention point along a known feature? Choice and judgement.

With sixteen vectors on each side and over two hundred features to compare them with, some cosine is always large. So
the vector (the one with the largest mean term) and the feature (the largest |cos|) are chosen on one set of sentences,
and the cosine is judged on another. Rotated bases and random directions go through the same choice and judgement.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from einops import einsum
from jaxtyping import Float, Int
from torch import Tensor

from svf_helpers.chapters.kit.known_features import (
    KINDS,
    KnownFeatures,
    agreement,
    feature_directions,
    head_inputs,
    known_features,
    patterns,
    reading_directions,
)
from svf_helpers.ioi import CircuitHead, Prompts
from svf_helpers.language_models.bases import HeadBases
from svf_helpers.language_models.terms import head_terms_batch
from svf_helpers.pocket.facts import Facts
from svf_helpers.rotations import random_rotations

#: Among which features the one for a vector is chosen: all of them, or the kinds alone.
FAMILIES = {"all": None, "kinds": len(KINDS)}

#: Two ways to turn a coordinate into a direction: the one along which it reads, and the feature it picks up.
WAYS = ("reading", "pattern")


class Sample(NamedTuple):
    """Sentences with their features, and each layer's tokens and feature directions on them.

    Example:
        >>> from svf_helpers.language_models import load_model
        >>> from svf_helpers.pocket.facts import facts
        >>> found = sample(load_model("pocket-gpt2", device="cpu"), facts(900, seed=0), [0, 2])
        >>> sorted(found.tokens), len(found.features.names)
        ([0, 2], 208)
    """

    features: KnownFeatures
    tokens: dict[int, Float[Tensor, "tokens d_model"]]
    directions: dict[int, Float[Tensor, "d_model features"]]


def sample(model, table: Facts, layers: Sequence[int], features: KnownFeatures | None = None) -> Sample:
    """Run a bundled model on sentences and measure the features' directions in front of some layers' heads.

    Args:
        model: a bundled model.
        table: sentences, from ``facts``.
        layers: which layers.
        features: of these sentences, if at hand already.

    Raises:
        ValueError: as ``feature_directions``.

    Example:
        >>> from svf_helpers.language_models.loading import load_model
        >>> from svf_helpers.pocket.facts import facts
        >>> found = sample(load_model("pocket-gpt2", device="cpu"), facts(900, seed=0), [1])
        >>> found.directions[1].shape
        torch.Size([64, 208])
    """
    features = known_features(table) if features is None else features
    layers = sorted(set(layers))
    inputs = [head_inputs(model, torch.from_numpy(table.tokens), layer) for layer in layers]
    # all layers' tokens side by side: the features are the same, so one system of equations serves them all
    together = feature_directions(torch.cat(inputs, -1), features).split(inputs[0].shape[-1])
    directions = {layer: part / part.norm(dim=0) for layer, part in zip(layers, together, strict=True)}
    tokens = {layer: part[features.tokens.to(part.device)] for layer, part in zip(layers, inputs, strict=True)}
    return Sample(features, tokens, directions)


class Leading(NamedTuple):
    """How well each head's leading term agrees with known features.

    Sides are query and key, ways those of ``WAYS``, families those of ``FAMILIES``. ``order``: the terms by falling
    mean over the prompts, the leading one first; ``feature``: the one chosen for it; ``chosen`` and ``judged``: |cos|
    of the leading direction with every feature, on the two samples; ``rotated``: the judged |cos| of rotated bases with
    the feature chosen for each; ``random`` likewise for random directions.

    Example:
        >>> cosines = torch.tensor([[[[0.25, 0.75]]]])
        >>> found = Leading(torch.tensor([[1, 0]]), torch.tensor([[[[1]]]]), cosines, cosines, cosines, cosines)
        >>> found.order[0, 0].item(), found.cosine().item()  # term 1 leads, and has this |cos| with its feature
        (1, 0.75)
    """

    order: Int[Tensor, "heads d_head"]
    feature: Int[Tensor, "heads sides ways families"]
    chosen: Float[Tensor, "heads sides ways features"]
    judged: Float[Tensor, "heads sides ways features"]
    rotated: Float[Tensor, "heads sides ways families draws"]
    random: Float[Tensor, "heads sides families draws"]

    def cosine(self) -> Float[Tensor, "heads sides ways families"]:
        """The judged |cos| with the chosen feature.

        Example:
            >>> cosines = torch.tensor([[[[0.25, 0.75]]]])
            >>> found = Leading(torch.zeros(1, 2), torch.tensor([[[[1, 0]]]]), cosines, cosines, cosines, cosines)
            >>> found.cosine()
            tensor([[[[0.7500, 0.2500]]]])
        """
        return self.judged.gather(-1, self.feature)


def leading_agreement(
    model,
    circuit: Sequence[CircuitHead],
    bases: HeadBases,
    prompts: Prompts,
    choose: Sample,
    judge: Sample,
    *,
    draws: int = 200,
    seed: int = 0,
    raw_queries: bool = True,
) -> Leading:
    """Choose each head's leading vector and its feature on some sentences, and judge them on others.

    Args:
        model: a bundled model.
        circuit: heads with their token pairs.
        bases: of these heads, "weights" or "whitened".
        prompts: on which the leading term is chosen; a rotary head is read at their median offset.
        choose: sentences on which the feature is chosen.
        judge: sentences on which its cosine is judged; other ones.
        draws: rotated bases, and random directions, for each head.
        seed: of their generator.
        raw_queries: whether queries of whitened bases were whitened with their raw second moment, as by default, or
            with their covariance (``moments.centred()``): patterns are taken with the same.

    Raises:
        ValueError: for no heads, samples without a head's layer, or as ``head_terms_batch``.

    Example:
        >>> from svf_helpers.language_models import head_bases, load_model
        >>> from svf_helpers.pocket import pocket_prompts
        >>> from svf_helpers.pocket.facts import facts
        >>> model, head = load_model("pocket-gpt2", device="cpu"), CircuitHead("END→S2", 0, 3, "END", "S2")
        >>> choose, judge = (sample(model, facts(700, 0, split), [0]) for split in ("train", "held-out"))
        >>> bases = head_bases(model, "weights", [(0, 3)])
        >>> found = leading_agreement(model, [head], bases, pocket_prompts(8), choose, judge, draws=10)
        >>> query, key = found.feature[0, :, WAYS.index("reading"), list(FAMILIES).index("kinds")].tolist()
        >>> KINDS[query], KINDS[key]  # head 0.3 asks from END, and its key vector leans to the position
        ('END', 'position')
    """
    if not circuit:
        raise ValueError("the circuit names no heads")
    missing = {head.layer for head in circuit} - set(choose.tokens).intersection(judge.tokens)
    if missing:
        raise ValueError(f"the samples lack layers {sorted(missing)}: give them all the circuit's layers")
    generator = torch.Generator().manual_seed(seed)
    raw = raw_queries and bases.basis == "whitened"
    rows = [_leading(model, head, bases, prompts, choose, judge, draws, generator, raw) for head in circuit]
    return Leading(*(torch.stack(parts) for parts in zip(*rows, strict=True)))


def _leading(model, head, bases, prompts, choose, judge, draws, generator, raw) -> tuple[Tensor, ...]:
    query, key = prompts.at(head.destination), prompts.at(head.source)
    found = head_terms_batch(model, prompts.tokens, query, key, basis=bases)
    place = found.heads.index((head.layer, head.head))
    x, S, y = (part[:, place].double() for part in (found.query, found.S, found.key))
    order = (x * S * y).mean(0).argsort(descending=True)
    turns = [random_rotations(draws, x.shape[-1], generator).to(x) for _ in range(2)]
    # the leading term of each rotated basis, by its mean over the same prompts
    means = einsum(x[None] @ turns[0], S, y[None] @ turns[1], "n p r, p r, n p r -> n r") / len(x)
    rotated_lead = means.argmax(-1)
    offset = int((query - key).median())
    directions = reading_directions(bases, head.layer, head.head, offset)
    sides = []
    for side, reading, turn in zip(("query", "key"), directions, turns, strict=True):
        turned = turn[torch.arange(draws), :, rotated_lead].T  # [r, draws]
        centred = side == "key" or not raw
        of_way = []
        for way in WAYS:
            on = [
                (reading if way == "reading" else patterns(part.tokens[head.layer], reading, centred=centred),
                 part.directions[head.layer])
                for part in (choose, judge)
            ]
            chosen, judged = (agreement(D, F)[order[0]] for D, F in on)
            feature = torch.stack([chosen[:last].argmax() for last in FAMILIES.values()])
            of_way.append((feature, chosen, judged, _judged(*(agreement(D @ turned, F) for D, F in on))))
        drawn = torch.randn(len(reading), draws, dtype=torch.float64, generator=generator).to(reading)
        drawn = drawn - drawn.mean(0)  # tokens are centred
        random = _judged(*(agreement(drawn, part.directions[head.layer]) for part in (choose, judge)))
        sides.append((*(torch.stack(parts) for parts in zip(*of_way, strict=True)), random))
    return order, *(torch.stack(parts) for parts in zip(*sides, strict=True))


def _judged(chosen: Float[Tensor, "draws n"], judged: Float[Tensor, "draws n"]) -> Float[Tensor, "families draws"]:
    """For each direction and family, the |cos| judged for the feature that was chosen."""
    best = torch.stack([chosen[:, :last].argmax(-1) for last in FAMILIES.values()], -1)
    return judged.gather(-1, best).T
