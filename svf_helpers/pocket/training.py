"""Training of the bundled models: deterministic on the CPU, resumable, checkpoints on the way."""

from __future__ import annotations

import json
import platform
import shutil
import time
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from safetensors.torch import save
from torch import Tensor
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from ..files import write_file, written_beside
from .recipe import Recipe, new_model
from .scoring import accuracy
from .tokenizer import IGNORED, rows, save_tokenizer

STATE = "unfinished.pt"
SAVE_EVERY = 250
# What is measured at each checkpoint: pairs of names, whether the end-of-text token comes first, kind of sentence.
MEASURED = {
    "held-out": ("held-out", True, "ioi"),
    "held-out, no start": ("held-out", False, "ioi"),
    "seen pairs": ("train", True, "ioi"),
    "with others": ("held-out", True, "others"),
}


def train(
    recipe: Recipe, out: str | Path, progress: bool = True, stop_after: int | None = None, tested_on: int = 500
) -> Path:
    """Train a bundled model and write it as a Hugging Face folder, with its checkpoints in ``steps``.

    Runs on one thread of the CPU, so that a seed gives the same weights bit by bit on one machine. A run that was
    interrupted goes on from where it last saved, with the same result. Weights are written in half precision.

    Args:
        recipe: one of ``RECIPES`` or a variation of it.
        out: the folder to write; made if missing.
        progress: whether to draw a bar.
        stop_after: leave the run unfinished after so many steps; the next call resumes it.
        tested_on: sentences for each accuracy; four times as many for the last step's.

    Returns:
        The folder.

    Raises:
        ValueError: if the folder holds the unfinished run of another recipe.

    Example:
        >>> import tempfile
        >>> from dataclasses import replace
        >>> from svf_helpers.pocket.recipe import RECIPES
        >>> quick = replace(RECIPES["pocket-gpt2"], steps=1, batch=4)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     json.loads((train(quick, folder, False, tested_on=4) / "training.json").read_text())["steps"]
        1
    """
    out = Path(out)
    (out / "steps").mkdir(parents=True, exist_ok=True)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        run = _Run(recipe, out, tested_on)
        last = recipe.steps if stop_after is None else min(stop_after, recipe.steps)
        with tqdm(total=recipe.steps, initial=run.step, disable=not progress, desc=recipe.name) as bar:
            while run.step < last:
                bar.set_postfix(loss=f"{run.advance():.3f}", refresh=False)
                bar.update()
            run.save_state()
        if run.step == recipe.steps:
            run.finish()
    finally:
        torch.set_num_threads(threads)
    return out


def next_token_loss(
    model: torch.nn.Module, tokens: Int[Tensor, "rows position"], targets: Int[Tensor, "rows position"]
) -> Float[Tensor, ""]:
    """Mean cross-entropy in nats over the targets that are not ``IGNORED``.

    Example:
        >>> from svf_helpers.pocket.recipe import RECIPES
        >>> model = new_model(RECIPES["pocket-gpt2"])
        >>> tokens = torch.arange(60)[None]
        >>> loss = next_token_loss(model, tokens[:, :-1], tokens[:, 1:])
        >>> abs(loss.item() - 5.6) < 0.2  # log 275: it does not know any of its words yet
        True
    """
    logits = model(tokens, use_cache=False).logits
    return cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED)


class _Run:
    """One training run: model, optimiser, the step reached, and what was measured so far."""

    def __init__(self, recipe: Recipe, out: Path, tested_on: int):
        self.recipe, self.out, self.tested_on = recipe, out, tested_on
        self.step, self.seconds = 0, 0.0
        self.history: list[dict] = []
        self.final: dict[str, float] = {}
        self.model = new_model(recipe).train()
        matrices = [p for p in self.model.parameters() if p.ndim == 2]
        rest = [p for p in self.model.parameters() if p.ndim != 2]
        groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": rest, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=recipe.lr, betas=(0.9, 0.98), foreach=False)
        self.kept = set(recipe.kept_steps())
        if (out / STATE).is_file():
            self._resume()
        elif 0 in self.kept:
            self._keep(float("nan"))

    def _resume(self) -> None:
        state = torch.load(self.out / STATE, weights_only=True)
        if state["fingerprint"] != self.recipe.fingerprint():
            raise ValueError(f"{self.out} holds an unfinished run of another recipe: choose another folder or empty it")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds, self.history = state["step"], state["seconds"], state["history"]
        self.final = state.get("final", {})

    def advance(self) -> float:
        began = time.perf_counter()
        tokens, targets = rows(*self.recipe.batch_of(self.step))
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate(self.step)
        loss = next_token_loss(self.model, tokens, targets)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip, foreach=False)
        self.optimizer.step()
        self.step += 1
        self.seconds += time.perf_counter() - began
        if self.step in self.kept:
            self._keep(loss.item())
        if self.step % SAVE_EVERY == 0 and self.step < self.recipe.steps:
            self.save_state()
        return loss.item()

    def _keep(self, loss: float) -> None:
        """Half-precision weights of this step, and how well the model solves the task with them."""
        last = self.step == self.recipe.steps
        place = self.out / ("model.safetensors" if last else f"steps/step{self.step}.safetensors")
        halves = {name: weight.half().contiguous() for name, weight in _untied(self.model).items()}
        # by bytes: files that safetensors writes itself may be read by their owner alone
        write_file(place, save(halves, metadata={"format": "pt"}))
        rounded = new_model(self.recipe).eval()
        rounded.load_state_dict({name: weight.half().float() for name, weight in self.model.state_dict().items()})
        row = {"step": self.step, "loss": None if loss != loss else round(loss, 4)}
        for title, (split, bos, kind) in MEASURED.items():
            row[title] = accuracy(rounded, split, self.tested_on, bos, (kind,))
        self.history.append(row)
        if last:
            kinds = ("ioi", "others", "full", "three", "order")
            self.final = {kind: accuracy(rounded, "held-out", 4 * self.tested_on, True, (kind,)) for kind in kinds}

    def save_state(self) -> None:
        state = {
            "fingerprint": self.recipe.fingerprint(),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "history": self.history,
            "final": self.final,
        }
        with written_beside(self.out / STATE) as beside:
            torch.save(state, beside)

    def finish(self) -> None:
        config: Any = self.model.config
        config.architectures = [type(self.model).__name__]
        config.dtype = torch.float32  # what the half-precision files become when loaded
        config.save_pretrained(self.out)
        save_tokenizer(self.out)
        record = _record(self)
        write_file(self.out / "training.json", (json.dumps(record, indent=2) + "\n").encode())
        (self.out / STATE).unlink()
        if not any((self.out / "steps").iterdir()):
            shutil.rmtree(self.out / "steps")


def _untied(model: torch.nn.Module) -> dict[str, Tensor]:
    """Each weight once: what is tied to another is left out and tied again when loaded."""
    return {name: weight.detach() for name, weight in model.named_parameters()}


def _record(run: _Run) -> dict:
    import transformers

    return {
        "model": run.recipe.name,
        "architecture": run.recipe.architecture,
        "parameters": sum(p.numel() for p in run.model.parameters()),
        "steps": run.recipe.steps,
        "seed": run.recipe.seed,
        "recipe": {k: v for k, v in vars(run.recipe).items() if k not in ("name", "architecture", "steps", "seed")},
        "fingerprint": run.recipe.fingerprint(),
        "revisions": [f"step{step}" for step in run.recipe.kept_steps()],
        "history": run.history,
        "held-out accuracy by kind": run.final,
        "seconds": round(run.seconds, 1),
        "machine": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "processor": platform.machine(),
        },
    }
