"""The query and key vectors of one head on a sample of text: what the whitened basis is made from."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from svf_helpers.language_models.recording import run_and_record


def head_vectors(
    model, batches: Iterable[Int[Tensor, "batch _"]], layer: int, head: int, at: slice = slice(None)
) -> tuple[Float[Tensor, "tokens r"], Float[Tensor, "tokens r"]]:
    """Queries and keys of one head, one row for each token, in float64; biases are in them, rotations are not.

    The tokens of texts come in batches of one length each; ``at`` says which tokens of each text are taken, e.g.
    ``slice(-1, None)`` the last.

    Example:
        >>> from svf_helpers.language_models import load_model
        >>> q, k = head_vectors(load_model("pocket-gpt2", device="cpu"), [torch.arange(1, 31).reshape(2, 15)], 0, 3)
        >>> q.shape, k.shape
        (torch.Size([30, 16]), torch.Size([30, 16]))
    """
    queries, keys = [], []

    def visit(_, seen) -> None:
        shared = head * seen.key.shape[2] // seen.query.shape[2]  # where heads share keys, the one that this head uses
        queries.append(seen.query[:, at, head].flatten(0, 1).double())
        keys.append(seen.key[:, at, shared].flatten(0, 1).double())

    for batch in batches:
        run_and_record(model, batch, [layer], visit)
    return torch.cat(queries), torch.cat(keys)
