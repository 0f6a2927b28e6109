"""What the terms of all heads cost beside the forward pass they come from.

A section of ``python -m tests.benchmarks``.

A GPT-2 with random weights, of the small model's size; 128 prompts of 16 tokens, one token pair in each, all 144 heads.
"Ours" is everything after the pass: reading the weights, the SVDs, the terms, and the check that they sum to the
model's relative attention. "Theirs" is the bare pass to the logits. Alone: ``python tests/benchmark_terms.py``.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch

PROMPTS, LENGTH, QUERY, KEY = 128, 16, 15, 3


def random_gpt2(folder: Path):
    """GPT-2 small's shape with random weights, saved and loaded like any other model."""
    from transformers import GPT2Config, GPT2LMHeadModel

    from svf_helpers.language_models import load_model

    torch.manual_seed(0)
    GPT2LMHeadModel(GPT2Config()).save_pretrained(folder)
    return load_model(folder, device="cpu")


def terms_rows(in_turn, row) -> list[list[str]]:
    """Rows for the table; ``in_turn`` and ``row`` are those of ``benchmarks.py``."""
    from svf_helpers.language_models import head_bases, head_terms_batch
    from svf_helpers.language_models.recording import run_and_record
    from svf_helpers.language_models.terms import terms_of_record

    with tempfile.TemporaryDirectory() as folder:
        model = random_gpt2(Path(folder))
    tokens = torch.randint(0, model.cfg.d_vocab, (PROMPTS, LENGTH), generator=torch.Generator().manual_seed(0))
    records = {}
    run_and_record(model, tokens, range(model.cfg.n_layers), records.__setitem__)
    queries, keys = (torch.full((PROMPTS, 1), position) for position in (QUERY, KEY))

    def terms_of_all(bases):
        return [terms_of_record(record, bases, layer, queries, keys) for layer, record in records.items()]

    @torch.no_grad()
    def forward():
        return model(tokens, return_type="logits")

    bases = head_bases(model)
    whole = head_terms_batch(model, tokens, QUERY, KEY, basis=bases)  # the same terms as from the records
    x, S, y, _ = (torch.cat(parts, 2)[:, 0] for parts in zip(*terms_of_all(bases), strict=True))
    torch.testing.assert_close(whole.terms, (x * S * y).float())

    heads = len(bases.heads)
    rows = []
    for what, ours in (
        ("with their bases", lambda: terms_of_all(head_bases(model))),
        ("bases at hand", lambda: terms_of_all(bases)),
    ):
        taken, theirs, done = in_turn(ours, forward, 3, f"terms, {what}")
        name = f"terms of {heads} heads at a pair in each of {PROMPTS} prompts, {what}"
        rows.append(row(name, "the forward pass of GPT-2 small's size", taken, theirs, 10, done))
    return rows


if __name__ == "__main__":
    from benchmarks import in_turn, row

    for cells in terms_rows(in_turn, row):
        print(" | ".join(cells))
