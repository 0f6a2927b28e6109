r"""A head without one feature: what it asks for, or what it finds, with that feature taken out of its tokens.

In :mod:`~svf_helpers.language_models.removal` terms go, whatever they mean. Here a feature goes, whichever terms it is
in: from each token $t$ in front of one head its coordinate along the feature, $t - (f^\top(t-\bar t))\,f$, for its
queries or its keys alone. If attention falls, the head does read this feature; and if it stays, it does not, however
well a singular vector points along it.
"""

from __future__ import annotations

from contextlib import contextmanager

from jaxtyping import Float
from torch import Tensor

from svf_helpers.language_models.heads import POST_NORM, read_layer

SIDES = ("query", "key")


@contextmanager
def without_feature(
    model,
    layer: int,
    head: int,
    side: str,
    direction: Float[Tensor, " d_model"],
    mean: Float[Tensor, " d_model"],
    along: Float[Tensor, " d_model"] | None = None,
):
    """Within this context one side of one head reads its tokens without one direction; the mean token keeps its own.

    Contexts can be nested, for several heads. Values, other heads and the residual stream are left alone, but for what
    follows from the head's attention. Where heads share a key matrix, "key" acts on all of those.

    Args:
        model: a TransformerBridge.
        layer: which layer.
        head: which of its heads.
        side: "query" or "key".
        direction: the feature, as from ``feature_directions``; its length does not matter.
        mean: the token at which the feature counts as neither present nor absent.
        along: another direction, out of which the same amount is taken (a control of the same size).

    Raises:
        ValueError: for another side, a direction of another size or of length 0, a layer or head that the model does
            not have.

    Example:
        >>> import torch
        >>> from svf_helpers.language_models.loading import load_model
        >>> model, tokens = load_model("pocket-gpt2", device="cpu"), torch.tensor([[0, 1, 2, 3]])
        >>> direction = torch.randn(64, generator=torch.Generator().manual_seed(0))
        >>> with without_feature(model, 1, 0, "key", direction, torch.zeros(64)), torch.no_grad():
        ...     changed = model(tokens)
        >>> bool((changed != model(tokens)).any())
        True
    """
    if side not in SIDES:
        raise ValueError(f"side {side!r}: 'query' or 'key'")
    if model.cfg.architecture in POST_NORM:
        raise ValueError(f"{model.cfg.architecture} has no normalisation in front of its heads: not covered")
    heads = read_layer(model, layer)
    W = heads.W_Q if side == "query" else heads.W_K
    if not 0 <= head < len(W):
        raise ValueError(f"head = {head}: layer {layer} has heads 0 to {len(W) - 1}")
    along = direction if along is None else along
    for name, vector in (("direction", direction), ("mean", mean), ("along", along)):
        if vector.shape != W.shape[1:2]:
            raise ValueError(f"{name} has shape {list(vector.shape)}: expected [d_model] = [{W.shape[1]}]")
    if not (direction.norm() > 0 and along.norm() > 0):
        raise ValueError("a direction of length 0 cannot be taken out")
    direction, along, mean = (vector.to(W) for vector in (direction / direction.norm(), along / along.norm(), mean))
    read = along @ W[head]
    seen: dict[str, Tensor] = {}

    def keep(tensor: Tensor, hook=None) -> None:
        seen["tokens"] = tensor.detach()

    def change(vectors: Tensor, hook=None) -> Tensor:
        amount = (seen["tokens"].to(W) - mean) @ direction
        number = head * vectors.shape[2] // len(W)  # fewer key heads than query heads: the one this head uses
        vectors = vectors.clone()
        vectors[:, :, number] -= (amount[..., None] * read).to(vectors)
        return vectors

    place = f"blocks.{layer}."
    hooks = [(place + "ln1.hook_normalized", keep), (place + f"attn.hook_{side[0]}", change)]
    with model.hooks(fwd_hooks=hooks):
        yield model
