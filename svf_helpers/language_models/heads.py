"""What an attention layer computes its scores from: weights, rotation (``inv_freq``), scale.

Only this module knows where TransformerLens's bridge and the models behind it keep these things, and it refuses by name
what the decomposition does not cover. Rotation, scale and shared keys are confirmed later, when terms are compared with
recorded scores. The gain and the centring of the normalisation are not, since terms sum to the score in any basis:
tests compare those with the tokens in front of each head.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..rope import Rotary
from .arguments import whole_number

# Kinds of rotary frequencies that stay the same for every context length and only turn, never stretch.
FIXED_ROPE = ("default", "linear", "llama3")
# Models that normalise after attention: their heads read the residual stream itself.
POST_NORM = ("OpenAIGPTLMHeadModel",)


@dataclass(frozen=True)
class LayerHeads:
    """The heads of one layer.

    Args:
        W_Q: query weights in float64, with the gain of the preceding normalisation folded in.
        W_K: key weights likewise; heads that share a key matrix each have a copy.
        rotary: how queries and keys are rotated, or None.
        scale: the factor on query times key.

    Example:
        >>> layer = LayerHeads(torch.ones(2, 8, 4), torch.ones(2, 8, 4), None, 0.5)
        >>> layer.d_head
        4
    """

    W_Q: Float[Tensor, "heads d_model d_head"]
    W_K: Float[Tensor, "heads d_model d_head"]
    rotary: Rotary | None
    scale: float

    @property
    def d_head(self) -> int:
        """Dimensions of each head."""
        return self.W_Q.shape[-1]


def read_layer(model, layer: int) -> LayerHeads:
    """Weights, rotation and scale of a layer's heads.

    The gain of LayerNorm or RMSNorm is folded into the weights. For LayerNorm their mean over ``d_model`` is subtracted
    as well, since a centred token has none. Singular vectors then read the normalised token. (Weights that
    ``enable_compatibility_mode`` has already folded stay as they are.)

    Args:
        model: a TransformerBridge.
        layer: which layer, from 0.

    Raises:
        ValueError: for a layer that the model does not have, or an attention that is not covered: soft-capped logits,
            normalised queries and keys, ALiBi or relative position biases, RoPE that depends on the context's length
            or stretches.

    Example:
        >>> from .loading import load_model
        >>> layer = read_layer(load_model("pocket-pythia", device="cpu"), 0)
        >>> layer.W_Q.shape, layer.rotary.rotary_dim, layer.scale
        (torch.Size([4, 64, 16]), 8, 0.25)
    """
    check_layer(model, layer)
    attn = getattr(model.blocks[layer], "attn", None) if hasattr(model, "blocks") else None
    if attn is None:
        raise ValueError(f"layer {layer} of {model.cfg.architecture} is no causal attention: no heads to take apart")
    _refuse_what_is_not_covered(model, layer)
    with torch.no_grad():
        W_Q, W_K = (W.detach().double() for W in (attn.W_Q, attn.W_K))
        gain, centred = _normalisation(model, layer)
        if gain is not None:
            W_Q, W_K = gain[:, None] * W_Q, gain[:, None] * W_K
        if centred:
            W_Q, W_K = W_Q - W_Q.mean(-2, keepdim=True), W_K - W_K.mean(-2, keepdim=True)
        W_K = W_K.repeat_interleave(W_Q.shape[0] // W_K.shape[0], 0)
    return LayerHeads(W_Q, W_K, _rotary(model, layer, W_Q.shape[-1]), _scale(model, layer, W_Q.shape[-1]))


def check_layer(model, layer: int) -> None:
    """Refuse a layer that the model does not have.

    Raises:
        ValueError: for anything but a whole number from 0 to the last layer.

    Example:
        >>> from types import SimpleNamespace
        >>> check_layer(SimpleNamespace(cfg=SimpleNamespace(n_layers=2)), 1)  # there is a layer 1
    """
    n_layers = model.cfg.n_layers
    if isinstance(layer, bool) or not isinstance(layer, int) or not 0 <= layer < n_layers:
        raise ValueError(f"layer = {layer!r}: the model's layers are 0 to {n_layers - 1}")


def check_head(model, layer: int, head: int) -> tuple[int, int]:
    """The layer and the head as ``int``, if the model has them.

    Raises:
        ValueError: for anything but whole numbers, or for numbers beyond the model's.

    Example:
        >>> from types import SimpleNamespace
        >>> check_head(SimpleNamespace(cfg=SimpleNamespace(n_layers=2, n_heads=4)), 1, 3)
        (1, 3)
    """
    layer, head = whole_number("layer", layer), whole_number("head", head)
    check_layer(model, layer)
    n_heads = model.cfg.n_heads
    if not 0 <= head < n_heads:
        raise ValueError(f"head = {head}: the model's heads are 0 to {n_heads - 1} in each layer")
    return layer, head


def _refuse_what_is_not_covered(model, layer: int) -> None:
    cfg, attn = model.cfg, model.blocks[layer].attn
    inner = attn.original_component

    def refuse(what: str) -> None:
        raise ValueError(f"layer {layer} ({type(inner).__name__}) {what}: its scores are not a sum of terms of eq. (1)")

    soft_cap = getattr(inner, "attn_logit_softcapping", None) or getattr(cfg, "attn_scores_soft_cap", None) or -1
    if soft_cap > 0:
        refuse(f"caps its attention logits softly (at {soft_cap})")
    norms = {"q_norm", "k_norm", "q_layernorm", "k_layernorm", "query_layernorm", "key_layernorm", "qk_norm"}
    if getattr(cfg, "use_qk_norm", False) or any(getattr(inner, name, None) is not None for name in norms):
        refuse("normalises queries and keys (QK-norm)")
    positions = getattr(cfg, "positional_embedding_type", None)
    if positions in ("alibi", "relative_positional_bias") or getattr(inner, "alibi", None) is not None:
        refuse(f"adds position biases to its scores ({'ALiBi' if positions != 'relative_positional_bias' else 'T5'})")
    for name in ("q", "k"):
        if not hasattr(attn, name):
            refuse(f"has no separate projection {name!r}")


def _normalisation(model, layer: int) -> tuple[Tensor | None, bool]:
    """Gain of the normalisation in front of the head (None where there is none), and whether it centres tokens."""
    norm = getattr(model.blocks[layer], "ln1", None)
    inner = getattr(norm, "original_component", None)
    if inner is None or getattr(model.cfg, "architecture", None) in POST_NORM:
        return None, False
    weight = getattr(inner, "weight", None)
    if weight is not None:
        weight = weight.detach().double() + (1 if getattr(model.cfg, "rmsnorm_uses_offset", False) else 0)
    return weight, isinstance(inner, torch.nn.LayerNorm) or model.cfg.normalization_type in ("LN", "LNPre")


def _scale(model, layer: int, d_head: int) -> float:
    """What the model multiplies query times key by: as its attention module says, else by the usual rule."""
    cfg, inner = model.cfg, model.blocks[layer].attn.original_component
    scaling = getattr(inner, "scaling", None)
    if isinstance(scaling, (int, float)) and not isinstance(scaling, bool):
        return float(scaling)
    if type(inner).__name__ == "GPTNeoSelfAttention" or not getattr(cfg, "use_attn_scale", True):
        return 1.0
    told = getattr(cfg, "attn_scale", None)
    return 1 / told if told is not None and told > 0 else 1 / math.sqrt(d_head)


def _rotary(model, layer: int, d_head: int) -> Rotary | None:
    """The head's rotation: frequencies from the model's own ``inv_freq``, pairing from what the bridge says of it."""
    cfg, inner = model.cfg, model.blocks[layer].attn.original_component
    if type(inner).__name__ in ("GPTJAttention", "CodeGenAttention"):
        return Rotary.of(d_head, inner.rotary_dim or d_head, 10000.0, "neighbours")
    if getattr(cfg, "positional_embedding_type", None) != "rotary" or not _turns(inner):
        return None
    neighbours = getattr(cfg, "rotary_adjacent_pairs", False) or getattr(cfg, "rotary_interleaved_cos_sin", False)
    embedding, inv_freq = _rotary_module(model, inner)
    kind = getattr(embedding, "rope_type", "default")
    stretch = getattr(embedding, "attention_scaling", 1.0)
    if kind not in FIXED_ROPE or stretch != 1.0:
        raise ValueError(
            f"layer {layer} rotates by rope_type {kind!r} (attention scaling {stretch}): covered are "
            f"{', '.join(FIXED_ROPE)}, which neither stretch nor depend on the context's length"
        )
    frequencies = inv_freq.double().tolist()
    return Rotary(d_head, 2 * len(frequencies), tuple(frequencies), "neighbours" if neighbours else "halves")


def _turns(inner: torch.nn.Module) -> bool:
    """Whether this layer of a rotary model is one that rotates: some leave every few layers without positions."""
    if type(inner).__name__ == "Cohere2Attention":
        return inner.sliding_window is not None
    return bool(getattr(inner, "use_rope", True))


def _rotary_module(model, inner: torch.nn.Module) -> tuple[torch.nn.Module, Float[Tensor, "pairs"]]:
    """The module that holds the frequencies, and these: the layer's own, else the model's only ones."""
    for place in (inner, model.original_model):
        held = ((part, getattr(part, "inv_freq", None)) for part in place.modules())
        unique = {inv_freq.data_ptr(): (part, inv_freq) for part, inv_freq in held if isinstance(inv_freq, Tensor)}
        if len(unique) == 1:
            return next(iter(unique.values()))
    raise ValueError(f"{type(inner).__name__} rotates, but the model keeps {len(unique)} sets of frequencies: want one")
