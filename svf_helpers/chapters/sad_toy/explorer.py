"""The explorer of the chapter on sparse attention decomposition: terms of relative attention along training (Fig. 5).

Every frame is read off the stored result ``dynamics``, which holds the weights of its first seed; nothing is trained.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch

from svf_helpers.attention import attention_terms, n_sv
from svf_helpers.chapters.kit import svg
from svf_helpers.chapters.kit.readout import readout, says, signed
from svf_helpers.chapters.kit.scene import Frame, FrameExplorer, Slider
from svf_helpers.chapters.sad_toy.numbers import DOMINATES
from svf_helpers.chapters.sad_toy.terms import weights_at
from svf_helpers.experiments import Result, load
from svf_helpers.qk import QKSVD, qk_svd
from svf_helpers.toy import ToyConfig
from svf_helpers.toy.planted import Contexts, planted_contexts

CRUMBS = 0.05  # terms whose sizes sum to less than this logit are called crumbs: weights are stored in half precision


class TermsState(NamedTuple):
    """One context at one training step: terms by falling singular value, and the attention on the first key.

    ``needed`` is N_sv, 0 where the relative attention is not positive; ``share`` is the largest term's part of all
    sizes, None where there are only crumbs.
    """

    terms: tuple[float, ...]
    relative: float
    attention: float
    share: float | None
    needed: int


def terms_state(step: int, first: float, second: float) -> TermsState:
    """Terms of the first key's relative attention, with pairs 1 and 2 of the default model planted.

    ``step`` is one of the records, every 100 to 20,000; a strength is that of a pair's features in the query and in the
    first key alike (target logits 24 and 21). The other features of query and keys stay as they are; those of pairs 3
    and 4 are absent. Another step, or a strength outside 0 to 1, is a ``ValueError``.

    Example:
        >>> state = terms_state(20_000, 1.0, 0.0)
        >>> round(state.terms[0]), round(state.attention, 3), round(state.share, 2)
        (24, 1.0, 1.0)
    """
    for name, value in (("first", first), ("second", second)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} = {value}: a strength lies between 0 and 1")
    W, W_Q, W_K, svd = _head(step)
    x, y = (part.clone() for part in _background())
    for (i, j), strength in zip(ToyConfig().ranked_pairs[:2], (first, second), strict=True):
        x[i], y[0, j] = strength, strength
    query, keys = W @ x, y @ W.mT
    terms = attention_terms(query, keys, 0, svd)
    sizes = float(terms.abs().sum())
    return TermsState(
        tuple(terms.tolist()),
        float(terms.sum()),
        float((keys @ (W_K @ (W_Q.mT @ query))).softmax(0)[0]),
        float(terms.abs().max()) / sizes if sizes >= CRUMBS else None,
        int(n_sv(terms)),
    )


def terms_frame(step: int, first: float, second: float) -> Frame:
    """What the picture shows at one setting: the numbers of :func:`terms_state`, as attributes and words.

    Example:
        >>> terms_frame(20_000, 0.0, 0.0)["say-share"]
        {'text': 'no share to speak of'}
    """
    state = terms_state(step, first, second)
    frame: Frame = {f"bar-{k}": _UP.bar(value) for k, value in enumerate([*state.terms, state.relative])}
    frame["attention"] = _ATTENTION.bar(state.attention)
    share = "no share to speak of" if state.share is None else f"{100 * state.share:.0f} %"
    return frame | says(step=f"{step:,}", relative=signed(state.relative), attention=f"{state.attention:.2f}",
                        share=share, note=_note(state, first, second))


def terms_frames() -> FrameExplorer:
    """Terms along training for two planted pairs, for a page without a kernel. End a cell with the call."""
    return FrameExplorer("Terms of relative attention", _SLIDERS, _picture(), terms_frame, readout=_READOUT)


@functools.cache
def _stored() -> Result:
    return load("dynamics")


@functools.lru_cache(maxsize=64)
def _head(step: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, QKSVD]:
    W, W_Q, W_K = (torch.tensor(array[0]).double() for array in weights_at(_stored(), step))
    return W, W_Q, W_K, qk_svd(W_Q, W_K)


@functools.cache
def _background() -> Contexts:
    """Features of no interest in one query and its four keys, as in training."""
    drawn = planted_contexts(ToyConfig(), [], 1, torch.Generator().manual_seed(2))
    return Contexts(drawn.query[0].double(), drawn.keys[0].double())


def _note(state: TermsState, first: float, second: float) -> str:
    if not (first and second) and state.share is not None and state.share > DOMINATES:
        return "One pair is present, and one term carries it."
    if not (first or second):
        return "No pair is present: there is next to nothing to explain, whatever shape it has."
    if state.relative <= 0:
        return "Attention on this key is not above uniform: there is nothing to explain."
    terms = "1 term reaches" if state.needed == 1 else f"{state.needed} terms are needed to reach"
    return f"{terms} all of ρ."


_STEPS = (0, 500, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 12000, 20000)
_SLIDERS = (
    Slider("step", "training step", _STEPS, 1000, words={step: f"{step:,}" for step in range(0, 20_001, 500)}),
    Slider("first", "strength of pair 1 (target 24)", (0, 0.25, 0.5, 0.75, 1), 1, "", 0.05),
    Slider("second", "strength of pair 2 (target 21)", (0, 0.25, 0.5, 0.75, 1), 0, "", 0.05),
)
_READOUT = readout(
    "Step {step}: relative attention ρ = {relative}, attention on the key {attention}. Largest term, as a share of all "
    "sizes: {share}.", "{note}",
)
_UP, _ATTENTION = svg.Scale(0, 40, 245, 61), svg.Scale(0, 1, 245, 45)


@functools.cache
def _picture() -> str:
    terms = (svg.column(f"bar-{k}", 64 + 42 * k, 28, svg.BLUE, str(k + 1), 280) for k in range(10))
    uniform = _ATTENTION(0.25)
    return svg.picture(
        305, svg.levels(_UP, (0, 10, 20, 30, 40), 40, 560), terms, svg.column("bar-10", 521, 42, svg.GREY, "ρ", 280),
        svg.words(250, 300, "term of singular vector"), svg.words(300, 18, "terms and their sum (logits)"),
        svg.levels(_ATTENTION, {0: "", 0.25: "1/4", 1: "1"}, 612, 690), svg.words(645, 18, "attention"),
        svg.column("attention", 645, 40, svg.ORANGE, "key 1", 280),
        svg.line(612, uniform, 690, uniform, dash="4 3"),
    )
