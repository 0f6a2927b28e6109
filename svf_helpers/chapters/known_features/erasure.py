r"""A head whose tokens have one feature projected out: concept erasure, for its queries or its keys alone.

In :mod:`~svf_helpers.language_models.ablation_effects` terms are ablated, whatever they mean. Here a feature is
projected out, whichever terms it is in: each token $t$ in front of one head loses its coordinate along the feature,
$t - (f^\top(t-\bar t))\,f$. If attention falls, the head does read this feature; if it stays, the head does not,
however well a singular vector points along it.
"""

from __future__ import annotations

from contextlib import contextmanager

from jaxtyping import Float
from torch import Tensor

from svf_helpers.deprecation import renamed
from svf_helpers.language_models.arguments import whole_number
from svf_helpers.language_models.heads import POST_NORM, read_layer
from svf_helpers.language_models.recording import keep_in

__all__ = ["SIDES", "project_out"]
__getattr__ = renamed(__name__, {"without_feature": "project_out"})

SIDES = ("query", "key")


@contextmanager
def project_out(
    model,
    layer: int,
    head: int,
    side: str,
    direction: Float[Tensor, " d_model"],
    mean: Float[Tensor, " d_model"],
    along: Float[Tensor, " d_model"] | None = None,
):
    """A context in which one side of one head reads its tokens with one direction projected out, around their mean.

    Contexts can be nested, for several heads. Values, other heads and the residual stream change only by what follows
    from this head's attention. Where heads share a key matrix, "key" acts on all of those.

    Args:
        model: a TransformerBridge.
        layer: which layer.
        head: which of its heads.
        side: "query" or "key".
        direction: the feature, as from ``feature_directions``; its length does not matter.
        mean: the token at which the feature counts as neither present nor absent.
        along: another direction, along which the same amount is subtracted instead (a control of the same size).

    Raises:
        ValueError: for another side, a direction that is not of floating-point numbers, of another size or of length 0,
            vectors with what is not finite, a layer or head that the model does not have.

    Example:
        >>> import torch
        >>> from svf_helpers.language_models.loading import load_model
        >>> model, tokens = load_model("pocket-gpt2", device="cpu"), torch.tensor([[0, 1, 2, 3]])
        >>> direction = torch.randn(64, generator=torch.Generator().manual_seed(0))
        >>> with project_out(model, 1, 0, "key", direction, torch.zeros(64)), torch.no_grad():
        ...     changed = model(tokens)
        >>> bool((changed != model(tokens)).any())
        True
    """
    if side not in SIDES:
        raise ValueError(f"side {side!r}: 'query' or 'key'")
    if model.cfg.architecture in POST_NORM:
        raise ValueError(f"{model.cfg.architecture} has no normalisation in front of its heads: not covered")
    layer, head = whole_number("layer", layer), whole_number("head", head)
    heads = read_layer(model, layer)
    W = heads.W_Q if side == "query" else heads.W_K
    if not 0 <= head < len(W):
        raise ValueError(f"head = {head}: layer {layer} has heads 0 to {len(W) - 1}")
    along = direction if along is None else along
    for name, vector in (("direction", direction), ("mean", mean), ("along", along)):
        if not isinstance(vector, Tensor) or (name != "mean" and not vector.is_floating_point()):
            what = vector.dtype if isinstance(vector, Tensor) else type(vector).__name__
            raise ValueError(f"{name} is {what}: a tensor of floating-point numbers")
        if vector.shape != W.shape[1:2]:
            raise ValueError(f"{name} has shape {list(vector.shape)}: expected [d_model] = [{W.shape[1]}]")
        if not vector.isfinite().all():
            raise ValueError(f"{name} holds {vector[~vector.isfinite()][0].item()}: finite numbers")
    if not (direction.norm() > 0 and along.norm() > 0):
        raise ValueError("a direction of length 0 cannot be projected out")
    direction, along, mean = (vector.to(W) for vector in (direction / direction.norm(), along / along.norm(), mean))
    read = along @ W[head]
    seen: dict[str, Tensor] = {}

    def change(vectors: Tensor, hook=None) -> Tensor:
        amount = (seen["tokens"].detach().to(W) - mean) @ direction
        number = head * vectors.shape[2] // len(W)  # fewer key heads than query heads: the one this head uses
        vectors = vectors.clone()
        vectors[:, :, number] -= (amount[..., None] * read).to(vectors)
        return vectors

    place = f"blocks.{layer}."
    hooks = [(place + "ln1.hook_normalized", keep_in(seen, "tokens")), (place + f"attn.hook_{side[0]}", change)]
    with model.hooks(fwd_hooks=hooks):
        yield model
