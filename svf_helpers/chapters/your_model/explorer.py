"""The explorer of real heads: every head of ``pocket-pythia`` on one sentence, at several checkpoints (figures 7b, 8).

A layer, a head, a pair of tokens and a checkpoint are chosen; shown are the terms of relative attention in the plain
basis, their sum, the attention on every word, and the sentence with the pair marked. All of it is computed from the
bundled weights when the explorer is made: one run of the model for each checkpoint.
"""

from __future__ import annotations

import functools
from itertools import product
from typing import NamedTuple

import torch

from svf_helpers.attention import n_sv, sparsity
from svf_helpers.chapters.kit import svg
from svf_helpers.chapters.kit.readout import readout, says, signed
from svf_helpers.chapters.kit.scene import Frame, FrameExplorer, Slider, rounded

MODEL = "pocket-pythia"
#: Checkpoints that the page has, of 24; with a kernel there are all. The task is solved from the second last one on.
CHECKPOINTS = (0, 8, 15, 19, 23)
#: Query and key, as roles of the sentence.
PAIRS = (("END", "S2"), ("S2", "S1"), ("S1+1", "S1"), ("END", "IO"))
TERM, QUERY, KEY = svg.BLUE, svg.BLUE, svg.ORANGE


class HeadState(NamedTuple):
    """One head at one pair of tokens: terms by falling singular value, and attention from the query to each word.

    ``needed`` is N_sv, 0 where the relative attention is not positive. ``query`` and ``key`` are places in ``words``.
    """

    words: tuple[str, ...]
    query: int
    key: int
    terms: tuple[float, ...]
    relative: float
    attention: tuple[float, ...]
    needed: int
    spread: float


def head_state(step: int, layer: int, head: int, pair: int) -> HeadState:
    """One head of ``pocket-pythia`` at a checkpoint, at one of ``PAIRS``, by its number from 1.

    A step without a checkpoint, or a layer, head or pair that there is not, is a ``ValueError``.

    Example:
        >>> state = head_state(3_600, 2, 1, 1)
        >>> state.words[state.query], state.words[state.key], round(state.attention[state.key], 1)
        ('to', 'Kelly', 0.5)
    """
    found = _checkpoint(step)
    layers, heads = found.patterns.shape[:2]
    for name, value, end in (("layer", layer, layers - 1), ("head", head, heads - 1)):
        if not 0 <= value <= end:
            raise ValueError(f"{name} = {value}: {MODEL} has {name}s 0 to {end}")
    if not 1 <= pair <= len(PAIRS):
        raise ValueError(f"pair = {pair}: 1 to {len(PAIRS)}, " + ", ".join("→".join(names) for names in PAIRS))
    words, roles = _sentence()
    query, key = (roles[role] for role in PAIRS[pair - 1])
    terms = found.terms[pair - 1, layer * heads + head]
    attention = tuple(found.patterns[layer, head, query].tolist())
    return HeadState(words, query, key, tuple(terms.tolist()), float(terms.sum()), attention, int(n_sv(terms)),
                     float(sparsity(terms)))


def all_states(step: int) -> dict[str, dict[str, HeadState]]:
    """What each head does at each pair of tokens at a checkpoint: "END→S2" and the like -> "layer.head" -> its state.

    Example:
        >>> states = all_states(checkpoints()[-1])
        >>> [name for name, state in states["END→S2"].items() if state.attention[state.key] > 0.5]
        ['1.1', '3.3']
    """
    layers, heads = _checkpoint(step).patterns.shape[:2]
    places = list(product(range(layers), range(heads)))
    return {
        "→".join(pair): {f"{layer}.{head}": head_state(step, layer, head, number) for layer, head in places}
        for number, pair in enumerate(PAIRS, 1)
    }


def head_frame(checkpoint: float, layer: float, head: float, pair: float) -> Frame:
    """What the picture shows at one setting: the numbers of :func:`head_state`, as attributes and words.

    ``checkpoint`` is the number of one, from 0; the rest is as in :func:`head_state` (whole numbers, as sliders have
    them).

    Example:
        >>> head_frame(23, 2, 1, 1)["say-step"]
        {'text': '3,600'}
    """
    checkpoint, layer, head, pair = (round(value) for value in (checkpoint, layer, head, pair))
    step = checkpoints()[checkpoint]
    state = head_state(step, layer, head, pair)
    frame: Frame = {}
    for k, value in enumerate([*state.terms, state.relative]):
        frame[f"bar-{k}"] = {"y2": rounded(_UP(value), 0)}
    for k, value in enumerate(state.attention):
        frame[f"word-{k}"] = {"x2": rounded(_ACROSS(value), 0)}
    for name, place in (("query", state.query), ("key", state.key)):
        frame[f"mark-{name}"] = {"y": _row(place) - 12}
    return frame | says(head=f"{layer}.{head}", step=f"{step:,}", pair=" → ".join(PAIRS[pair - 1]),
                        attention=f"{state.attention[state.key]:.2f}", relative=signed(state.relative),
                        note=_note(state))


def head_frames() -> FrameExplorer:
    """All heads of ``pocket-pythia``, for a page without a kernel. End a cell with the call; it takes seconds."""
    layers, heads = _checkpoint(checkpoints()[-1]).patterns.shape[:2]
    steps: dict[float, str] = {number: f"{step:,}" for number, step in enumerate(checkpoints())}
    pairs: dict[float, str] = {number: "→".join(pair) for number, pair in enumerate(PAIRS, 1)}
    sliders = (
        Slider("checkpoint", "checkpoint (training step)", CHECKPOINTS, CHECKPOINTS[-1], words=steps),
        Slider("layer", "layer", tuple(range(layers)), 2),
        Slider("head", "head", tuple(range(heads)), 1),
        Slider("pair", "query→key", tuple(pairs), 1, words=pairs),
    )
    return FrameExplorer("Heads of a small transformer", sliders, _picture(), head_frame, readout=_READOUT)


class _Checkpoint(NamedTuple):
    """Terms [pairs, heads of all layers, d_head] and attention [layers, heads, pos, pos] of the sentence."""

    terms: torch.Tensor
    patterns: torch.Tensor


@functools.cache
def _prompt():
    """A held-out sentence of the task that names the subject first and has few words besides."""
    from svf_helpers.pocket import pocket_prompts

    first_subject = [prompt for prompt in pocket_prompts(16) if prompt.order == "BABA"]
    return min(first_subject, key=lambda prompt: len(prompt.tokens))


@functools.cache
def checkpoints() -> tuple[int, ...]:
    """The steps at which the explorer's model is stored."""
    from svf_helpers.language_models.checkpoints import step_of
    from svf_helpers.pocket import revisions

    return tuple(step_of(name) for name in revisions(MODEL))


@functools.cache
def _checkpoint(step: int) -> _Checkpoint:
    from svf_helpers.language_models import head_terms_batch, load_model

    if step not in checkpoints():
        raise ValueError(f"step = {step}: the checkpoints of {MODEL} are {', '.join(map(str, checkpoints()))}")
    model, prompt = load_model(MODEL, f"step{step}", device="cpu"), _prompt()
    tokens = prompt.tokens[None]
    query, key = (torch.tensor([[prompt.roles[role] for role in side]]) for side in zip(*PAIRS, strict=True))
    terms = head_terms_batch(model, tokens, query, key).terms[0]
    cache = model.run_with_cache(tokens, names_filter=lambda name: name.endswith("attn.hook_pattern"))[1]
    patterns = [cache[f"blocks.{layer}.attn.hook_pattern"][0] for layer in range(model.cfg.n_layers)]
    return _Checkpoint(terms.double(), torch.stack(patterns).double())


@functools.cache
def _sentence() -> tuple[tuple[str, ...], dict[str, int]]:
    from svf_helpers.pocket import pocket_tokenizer

    prompt, tokenizer = _prompt(), pocket_tokenizer()
    words = ["(start)", *(tokenizer.decode([token]).strip() for token in prompt.tokens[1:].tolist())]
    return tuple(words), dict(prompt.roles)


def _note(state: HeadState) -> str:
    if state.relative <= 0:
        return "The key's score is not above the mean of the other keys: there is nothing to count."
    if state.attention[state.key] < 0.2:
        return "The sum is positive, but other words get most of the attention."
    terms = "One term reaches" if state.needed == 1 else f"{state.needed} of {len(state.terms)} terms reach"
    return f"{terms} the sum; sparsity S = {state.spread:.2f}."


_READOUT = readout(
    "Head {head} at step {step}, {pair}: attention on the key {attention}, relative attention ρ = {relative}.", "{note}"
)
# Bars reach from -9 to _UP.high at most. Words stand in rows, the first at _TOP.
_UP, _ACROSS = svg.Scale(0, 13, 234, 26), svg.Scale(0, 1, 546, 686)
_TOP, _STEP = 34, 17


def _row(place: int) -> int:
    return _TOP + _STEP * place


def _picture() -> str:
    sentence, _ = _sentence()
    foot, floor, (left, right) = _row(len(sentence)), _UP(-9) + 22, (_ACROSS.start, _ACROSS.end)
    bars = [svg.line(50 + 21 * k, _UP(0), 50 + 21 * k, None, colour=TERM, width=15, part=f"bar-{k}") for k in range(16)]
    bars.append(svg.line(408, _UP(0), 408, None, colour=svg.GREY, width=20, part="bar-16"))
    rows = (
        svg.words(left - 8, _row(place), word, anchor="end")
        + svg.line(left, _row(place) - 4, None, _row(place) - 4, colour=KEY, width=9, part=f"word-{place}")
        for place, word in enumerate(sentence)
    )
    marks = (
        svg.element("rect", part=f"mark-{name}", x=left - 86, width=82, height=16, rx=3, fill=colour, fill_opacity=0.18,
                    stroke=colour) for name, colour in (("query", QUERY), ("key", KEY))
    )
    return svg.picture(
        max(floor + 18, foot + 8), svg.levels(_UP, range(-8, 14, 4), 34, 424), bars,
        svg.words(208, floor, "terms by singular value, 1 to 16"), svg.words(408, floor, "ρ"),
        svg.words(230, 14, "terms and their sum (logits)"), svg.words((left + right) / 2, 14, "attention of the query"),
        svg.line(left, _TOP - 10, left, foot - 14),
        svg.line(right, _TOP - 10, right, foot - 14, opacity=0.3, dash="4 3"),
        svg.ticks(_ACROSS, (0, 1), foot), marks, rows,
    )
