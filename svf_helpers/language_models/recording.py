"""A forward pass that hands over each layer's queries, keys and scores as they are computed.

Only one layer's activations are kept at a time, so that many prompts fit into memory at once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Name = TypeVar("Name", bound=Hashable)


class LayerRecord(NamedTuple):
    """What one layer computed in a forward pass.

    ``query`` and ``key`` have their bias but not yet their rotation; ``scores`` are the model's own, scaled and before
    softmax, up to one constant for each query; ``visible`` says which keys a query sees.

    Example:
        >>> from .loading import load_model
        >>> model, records = load_model("pocket-gpt2", device="cpu"), {}
        >>> run_and_record(model, torch.tensor([[0, 5, 7]]), [0], records.__setitem__)
        >>> records[0].query.shape, records[0].visible[0, 0].int()  # each query sees the keys up to its own position
        (torch.Size([1, 3, 4, 16]), tensor([[1, 0, 0],
                [1, 1, 0],
                [1, 1, 1]], dtype=torch.int32))
    """

    query: Float[Tensor, "batch pos heads d_head"]
    key: Float[Tensor, "batch pos key_heads d_head"]
    scores: Float[Tensor, "batch heads pos pos"]
    visible: Bool[Tensor, "batch heads pos pos"]


def run_and_record(
    model, tokens: Int[Tensor, "batch pos"], layers: Sequence[int], visit: Callable[[int, LayerRecord], None]
) -> None:
    """Run the model up to the last of the given layers and call ``visit(layer, record)`` for each, in their order.

    Where the bridge of a model exposes attention instead of scores (GPT-J, GPT-Neo), its logarithm is used: the two
    differ by a constant for each query, which cancels in relative attention.

    Args:
        model: a TransformerBridge.
        tokens: on any device.
        layers: which layers.
        visit: what to do with each layer's record.

    Raises:
        ValueError: for tokens that the model does not have, or a layer that lets nothing be recorded.
        MemoryError: where memory runs out, with the size of batch to try.

    Example:
        >>> from .loading import load_model
        >>> model, tokens = load_model("pocket-gpt2", device="cpu"), torch.tensor([[0, 5, 7]])
        >>> run_and_record(model, tokens, [0, 2], lambda layer, record: print(layer, record.scores.shape))
        0 torch.Size([1, 4, 3, 3])
        2 torch.Size([1, 4, 3, 3])
    """
    tokens = check_tokens(model, tokens)
    seen: dict[int, dict[str, Tensor]] = {layer: {} for layer in layers}
    visited = set()

    def read(layer: int):
        def hook(tensor: Tensor, hook=None) -> None:
            parts = seen[layer]
            if {"query", "key"} <= parts.keys() and layer not in visited:
                visited.add(layer)
                visit(layer, LayerRecord(parts["query"], parts["key"], *scores_and_visible(tensor.detach())))
            parts.clear()

        return hook

    hooks = []
    for layer in seen:
        place = f"blocks.{layer}.attn."
        hooks += [(place + "hook_q", keep_in(seen[layer], "query")), (place + "hook_k", keep_in(seen[layer], "key"))]
        hooks += [(place + "hook_attn_scores", read(layer))]
    with torch.no_grad(), model.hooks(fwd_hooks=hooks):
        within_memory(lambda: model(tokens, return_type=None, stop_at_layer=max(seen) + 1), tokens)
    for layer in seen:
        if layer not in visited:
            kind = type(model.blocks[layer].attn.original_component).__name__
            raise ValueError(f"layer {layer} ({kind}) records no queries, keys and scores")


def keep_in(seen: dict[Name, Tensor], name: Name) -> Callable:
    """A hook that leaves the activations as they are, and keeps them in ``seen`` under this name.

    Example:
        >>> seen = {}
        >>> keep_in(seen, "query")(torch.ones(2))
        >>> seen
        {'query': tensor([1., 1.])}
    """

    def hook(tensor: Tensor, hook=None) -> None:
        seen[name] = tensor

    return hook


def scores_and_visible(
    recorded: Float[Tensor, "batch heads pos pos"],
) -> tuple[Float[Tensor, "batch heads pos pos"], Bool[Tensor, "batch heads pos pos"]]:
    """Scores of the visible keys (0 for the others), and which keys are visible.

    Models record scores, with a huge negative number for a masked key, or attention, which is 0 there.

    Example:
        >>> scores_and_visible(torch.tensor([[[[2.0, -torch.inf], [3.0, 4.0]]]]))[0].tolist()
        [[[[2.0, 0.0], [3.0, 4.0]]]]
    """
    if is_attention(recorded):
        recorded = recorded.log()
    visible = recorded > torch.finfo(recorded.dtype).min / 32  # CodeGen masks, then divides by the root of d_head
    return torch.where(visible, recorded, 0.0), visible


def is_attention(recorded: Float[Tensor, "batch heads pos pos"]) -> bool:
    """Whether these are probabilities and not scores: scores of masked keys lie far below 0.

    Example:
        >>> is_attention(torch.tensor([[[[1.0, 0.0], [0.5, 0.5]]]]))
        True
    """
    return recorded.shape[-1] > 1 and bool((recorded >= 0).all())


def check_tokens(model, tokens: Int[Tensor, "batch pos"]) -> Int[Tensor, "batch pos"]:
    """The tokens on the model's device, if they belong to its vocabulary and fit into its context.

    Raises:
        ValueError: for anything else.

    Example:
        >>> from types import SimpleNamespace
        >>> model = SimpleNamespace(cfg=SimpleNamespace(d_vocab=100, n_ctx=8, device="cpu"))
        >>> check_tokens(model, torch.tensor([[5, 7]]))
        tensor([[5, 7]])
    """
    if not isinstance(tokens, Tensor):
        raise ValueError(f"tokens are {type(tokens).__name__}: give the tensor that model.to_tokens(text) returns")
    if tokens.ndim != 2 or not tokens.numel() or tokens.is_floating_point() or tokens.dtype == torch.bool:
        raise ValueError(
            f"tokens are {tokens.dtype} of shape {tuple(tokens.shape)}: expected whole numbers [batch, pos], at least "
            "one of each"
        )
    wrong = tokens[(tokens < 0) | (tokens >= model.cfg.d_vocab)]
    if len(wrong):
        raise ValueError(f"token {int(wrong[0])}: the model's tokens are 0 to {model.cfg.d_vocab - 1}")
    n_ctx = getattr(model.cfg, "n_ctx", None)
    if n_ctx and tokens.shape[1] > n_ctx:
        raise ValueError(f"{tokens.shape[1]} tokens a prompt: the model's context has {n_ctx}")
    return tokens.long().to(model.cfg.device)


def within_memory(compute: Callable[[], object], tokens: Int[Tensor, "batch pos"]):
    """Run ``compute()``, and where memory runs out say which size of batch to try.

    Raises:
        MemoryError: in place of PyTorch's own error.

    Example:
        >>> within_memory(lambda: 1 + 1, torch.zeros(4, 3, dtype=torch.long))
        2
    """
    try:
        return compute()
    except (torch.OutOfMemoryError, RuntimeError) as error:
        told = str(error).lower()
        if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in told:
            raise
        batch, length = tokens.shape
        advice = f"try batches of {batch // 2}" if batch > 1 else "try shorter prompts, or a smaller model"
        where = f"into memory on {tokens.device}"
        what = f"{batch} prompts of {length} tokens do" if batch > 1 else f"a prompt of {length} tokens does"
        raise MemoryError(f"{what} not fit {where}: {advice}") from error
