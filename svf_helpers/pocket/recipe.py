"""What is trained and how: one frozen recipe for each bundled model, and the model before its first step."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import islice
from random import Random
from typing import Any

import torch

from .grammar import Sentence, sentences
from .words import vocabulary

POSITIONS = 64  # the longest sentence has 51 tokens with its start mark
GROUP = 8  # batches that are cut from one draw, sorted by length so that little is padded
START_SHARE = 0.75  # of the training sentences begin with the end-of-text token


@dataclass(frozen=True)
class Recipe:
    """How a bundled model is made; two equal recipes give the same weights, bit by bit, on the same machine.

    ``checkpoints`` counts the steps that are kept, the untrained model and the last step included.

    Example:
        >>> RECIPES["pocket-pythia"].kept_steps()[:2], len(RECIPES["pocket-pythia"].kept_steps())
        ((0, 16), 24)
    """

    name: str
    architecture: str
    seed: int = 0
    steps: int = 3600
    batch: int = 128
    lr: float = 3e-3
    warmup: int = 100
    weight_decay: float = 0.05
    clip: float = 1.0
    init_std: float = 0.06
    layers: int = 5
    d_model: int = 64
    heads: int = 4
    d_mlp: int = 128
    checkpoints: int = 1
    first_checkpoint: int = 16

    def kept_steps(self) -> tuple[int, ...]:
        """The steps after which weights are kept: 0, then evenly in the logarithm, the last one always.

        Example:
            >>> from dataclasses import replace
            >>> replace(RECIPES["pocket-gpt2"], steps=100, checkpoints=4, first_checkpoint=1).kept_steps()
            (0, 1, 10, 100)
        """
        if self.checkpoints < 3:
            return (0, self.steps)[2 - self.checkpoints :]
        between = self.checkpoints - 2
        first = min(self.first_checkpoint, self.steps)
        spread = (round(first * (self.steps / first) ** (k / between)) for k in range(between + 1))
        return tuple(sorted({0, *spread, self.steps}))

    def learning_rate(self, step: int) -> float:
        """The learning rate of a step: up in a straight line, then down to 0 along a half cosine.

        Example:
            >>> recipe = RECIPES["pocket-gpt2"]
            >>> recipe.learning_rate(recipe.warmup - 1) == recipe.lr
            True
        """
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.lr * 0.5 * (1 + torch.cos(torch.tensor(torch.pi * done, dtype=torch.float64)).item())

    def batch_of(self, step: int) -> tuple[list[Sentence], list[bool]]:
        """The sentences of a step, and which of them begin with the end-of-text token.

        Example:
            >>> recipe = RECIPES["pocket-gpt2"]
            >>> recipe.batch_of(9) == recipe.batch_of(9), len(recipe.batch_of(9)[0]) == recipe.batch
            (True, True)
        """
        group, place = divmod(step, GROUP)
        return _group(self.seed, group, self.batch)[place]

    def fingerprint(self) -> str:
        """A hash of everything that decides the weights: this recipe, the vocabulary, and batches along the way.

        Example:
            >>> len(RECIPES["pocket-gpt2"].fingerprint())
            64
        """
        seen = [self.batch_of(step) for step in (0, 1, 2, self.steps - 1)]
        said = [[(s.text, start) for s, start in zip(*batch, strict=True)] for batch in seen]
        content = json.dumps([asdict(self), list(vocabulary()), said], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


RECIPES = {
    "pocket-gpt2": Recipe("pocket-gpt2", "gpt2", steps=6000, batch=64),
    "pocket-pythia": Recipe("pocket-pythia", "gpt_neox", checkpoints=24),
}


@lru_cache(maxsize=2)
def _group(seed: int, group: int, batch: int) -> list[tuple[list[Sentence], list[bool]]]:
    drawn: Iterator[Sentence] = sentences("train", f"{seed} {group}")
    rng = Random(f"starts {seed} {group}")
    pairs = [(sentence, rng.random() < START_SHARE) for sentence in islice(drawn, GROUP * batch)]
    pairs.sort(key=lambda pair: len(pair[0].words) + pair[1])  # a stable sort
    order = sorted(range(GROUP), key=lambda _: rng.random())
    cuts = [pairs[place * batch : (place + 1) * batch] for place in order]
    return [([sentence for sentence, _ in cut], [start for _, start in cut]) for cut in cuts]


def new_model(recipe: Recipe) -> torch.nn.Module:
    """The untrained model of a recipe, on the CPU, drawn by its own generator: matrices normal, gains 1, biases 0.

    Weights that write into the residual stream start smaller, by the square root of the number of writers.

    Example:
        >>> sum(p.numel() for p in new_model(RECIPES["pocket-gpt2"]).parameters()) <= 220_000
        True
    """
    from transformers import GPT2Config, GPT2LMHeadModel, GPTNeoXConfig, GPTNeoXForCausalLM

    kind: Any  # a class of models, and the class of its configuration: two of each
    config: Any
    shape: dict[str, Any]
    common: dict[str, Any] = {"bos_token_id": 0, "eos_token_id": 0, "tie_word_embeddings": True}
    common["vocab_size"] = len(vocabulary())
    if recipe.architecture == "gpt2":
        shape = {"n_embd": recipe.d_model, "n_layer": recipe.layers, "n_head": recipe.heads, "n_inner": recipe.d_mlp}
        no_dropout: dict[str, Any] = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
        kind, config = GPT2LMHeadModel, GPT2Config(n_positions=POSITIONS, **shape, **no_dropout, **common)
        writers = ("attn.c_proj.weight", "mlp.c_proj.weight")
    else:
        shape = {"hidden_size": recipe.d_model, "num_hidden_layers": recipe.layers, "intermediate_size": recipe.d_mlp}
        shape |= {"num_attention_heads": recipe.heads, "max_position_embeddings": POSITIONS, "rotary_pct": 0.5}
        kind, config = GPTNeoXForCausalLM, GPTNeoXConfig(use_parallel_residual=True, **shape, **common)
        writers = ("attention.dense.weight", "dense_4h_to_h.weight")
    with torch.device("cpu"):
        model = kind(config)
    generator = torch.Generator("cpu").manual_seed(recipe.seed)
    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            if weight.ndim == 2:
                std = recipe.init_std / ((2 * recipe.layers) ** 0.5 if name.endswith(writers) else 1)
                if name.endswith("wpe.weight"):  # where a word stands must not drown which word it is
                    std /= 4
                weight.copy_(torch.randn(weight.shape, generator=generator, dtype=torch.float32, device="cpu") * std)
            else:
                weight.fill_(1.0 if name.endswith("weight") else 0.0)
    return model.float()
