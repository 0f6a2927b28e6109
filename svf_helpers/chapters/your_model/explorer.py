"""The explorer of real heads: every head of ``pocket-pythia`` on one sentence, at several checkpoints (figures 7b, 8).

A layer, a head, a pair of tokens and a checkpoint are chosen; shown are the terms of relative attention in the plain
basis, their sum, the attention on every word, and the sentence with the pair marked. All of it is computed from the
bundled weights when the explorer is made: one run of the model for each checkpoint.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch

from svf_helpers.attention import n_sv, sparsity
from svf_helpers.chapters.kit.scene import Frame, FrameExplorer, Slider, rounded

MODEL = "pocket-pythia"
#: Checkpoints that the page has, of 24; with a kernel there are all. The task is solved from the second last one on.
CHECKPOINTS = (0, 8, 15, 19, 23)
#: Query and key, as roles of the sentence.
PAIRS = (("END", "S2"), ("S2", "S1"), ("S1+1", "S1"), ("END", "IO"))
TERM, QUERY, KEY = "#0072B2", "#0072B2", "#C24E00"


class HeadState(NamedTuple):
    """One head at one pair of tokens: terms by falling singular value, and attention from the query to each word.

    ``needed`` is N_sv, 0 where the relative attention is not positive. ``query`` and ``key`` are places in ``words``.

    Example:
        >>> HeadState._fields
        ('words', 'query', 'key', 'terms', 'relative', 'attention', 'needed', 'spread')
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
    """One head of ``pocket-pythia`` at a checkpoint.

    Args:
        step: of training, a bundled checkpoint.
        layer: which layer, from 0.
        head: which of its heads, from 0.
        pair: number of the pair of tokens in ``PAIRS``, from 1.

    Raises:
        ValueError: for a step without a checkpoint, a layer, head or pair that there is not.

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
    return HeadState(
        words,
        query,
        key,
        tuple(terms.tolist()),
        float(terms.sum()),
        tuple(found.patterns[layer, head, query].tolist()),
        int(n_sv(terms)),
        float(sparsity(terms)),
    )


def head_frame(checkpoint: float, layer: float, head: float, pair: float) -> Frame:
    """What the picture shows at one setting: the numbers of :func:`head_state`, as attributes and words.

    ``checkpoint`` is the number of one, from 0; the rest is as in :func:`head_state` (whole numbers, as sliders have
    them).

    Example:
        >>> head_frame(23, 2, 1, 1)["say-step"]
        {'text': '3,600'}
    """
    checkpoint, layer, head, pair = (round(value) for value in (checkpoint, layer, head, pair))
    step = _steps()[checkpoint]
    state, frame = head_state(step, layer, head, pair), {}
    for k, value in enumerate([*state.terms, state.relative]):
        frame[f"bar-{k}"] = {"y2": rounded(_ZERO - _UNIT * value, 0)}
    for k, value in enumerate(state.attention):
        frame[f"word-{k}"] = {"x2": rounded(_LEFT + _WIDE * value, 0)}
    for name, place in (("query", state.query), ("key", state.key)):
        frame[f"mark-{name}"] = {"y": _row(place) - 12}
    frame["say-head"] = {"text": f"{layer}.{head}"}
    frame["say-step"] = {"text": f"{step:,}"}
    frame["say-pair"] = {"text": " → ".join(PAIRS[pair - 1])}
    frame["say-attention"] = {"text": f"{state.attention[state.key]:.2f}"}
    frame["say-relative"] = {"text": f"{state.relative:.1f}".replace("-0.0", "0.0").replace("-", "−")}
    frame["note"] = {"text": _note(state)}
    return frame


def head_frames() -> FrameExplorer:
    """All heads of ``pocket-pythia``, for a page without a kernel. End a cell with the call; it takes seconds.

    Example:
        >>> head_frames()
        <FrameExplorer 'Heads of a small transformer', 400 frames>
    """
    layers, heads = _checkpoint(_steps()[-1]).patterns.shape[:2]
    steps = {number: f"{step:,}" for number, step in enumerate(_steps())}
    pairs = {number: "→".join(pair) for number, pair in enumerate(PAIRS, 1)}
    sliders = (
        Slider("checkpoint", "checkpoint (training step)", CHECKPOINTS, CHECKPOINTS[-1], words=steps),
        Slider("layer", "layer", tuple(range(layers)), 2),
        Slider("head", "head", tuple(range(heads)), 1),
        Slider("pair", "query→key", tuple(pairs), 1, words=pairs),
    )
    return FrameExplorer("Heads of a small transformer", sliders, _picture(), head_frame, readout=_READOUT)


def head_explorer():
    """The same explorer with ipywidgets, where a kernel runs.

    Example:
        >>> type(head_explorer()).__name__
        'VBox'
    """
    return head_frames().live()


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
def _steps() -> tuple[int, ...]:
    from svf_helpers.language_models.checkpoints import step_of
    from svf_helpers.pocket import revisions

    return tuple(step_of(name) for name in revisions(MODEL))


@functools.cache
def _checkpoint(step: int) -> _Checkpoint:
    from svf_helpers.language_models import head_terms_batch, load_model

    if step not in _steps():
        raise ValueError(f"step = {step}: the checkpoints of {MODEL} are {', '.join(map(str, _steps()))}")
    model, prompt = load_model(MODEL, f"step{step}", device="cpu"), _prompt()
    tokens = prompt.tokens[None]
    terms = [head_terms_batch(model, tokens, *(torch.tensor([prompt.roles[role]]) for role in pair)).terms[0]
             for pair in PAIRS]
    cache = model.run_with_cache(tokens, names_filter=lambda name: name.endswith("attn.hook_pattern"))[1]
    patterns = [cache[f"blocks.{layer}.attn.hook_pattern"][0] for layer in range(model.cfg.n_layers)]
    return _Checkpoint(torch.stack(terms).double(), torch.stack(patterns).double())


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


_READOUT = (
    '<p>Head <span data-part="say-head"></span> at step <span data-part="say-step"></span>, '
    '<span data-part="say-pair"></span>: attention on the key <span data-part="say-attention"></span>, relative '
    'attention ρ = <span data-part="say-relative"></span>.</p><p data-part="note"></p>'
)
# One unit of logit is _UNIT pixels, and bars reach from -_DEEPEST to _TALLEST at most. Words stand in rows; attention 1
# is _WIDE pixels.
_UNIT, _ZERO, _TALLEST, _DEEPEST = 16, 234, 13, 9
_TOP, _STEP, _LEFT, _WIDE = 34, 17, 556, 140


def _row(place: int) -> int:
    return _TOP + _STEP * place


def _picture() -> str:
    words, _ = _sentence()
    height = max(_ZERO + _UNIT * _DEEPEST + 40, _row(len(words)) + 8)
    lines = "".join(
        f'<line x1="34" x2="424" y1="{_ZERO - _UNIT * v}" y2="{_ZERO - _UNIT * v}" stroke="currentColor" '
        f'stroke-opacity="{1 if v == 0 else 0.2}"/>'
        f'<text x="28" y="{_ZERO - _UNIT * v + 4}" text-anchor="end">{str(v).replace("-", "−")}</text>'
        for v in range(-8, _TALLEST + 1, 4)
    )
    bars = "".join(
        f'<line data-part="bar-{k}" x1="{50 + 21 * k}" x2="{50 + 21 * k}" y1="{_ZERO}" stroke="{TERM}" '
        'stroke-width="15"/>' for k in range(16)
    )
    rows = "".join(
        f'<text x="{_LEFT - 8}" y="{_row(place)}" text-anchor="end">{word}</text>'
        f'<line data-part="word-{place}" x1="{_LEFT}" y1="{_row(place) - 4}" y2="{_row(place) - 4}" '
        f'stroke="{KEY}" stroke-width="9"/>' for place, word in enumerate(words)
    )
    marks = "".join(
        f'<rect data-part="mark-{name}" x="{_LEFT - 86}" width="82" height="16" rx="3" fill="{colour}" '
        f'fill-opacity="0.18" stroke="{colour}"/>' for name, colour in (("query", QUERY), ("key", KEY))
    )
    below = _ZERO + _UNIT * _DEEPEST + 22
    return (
        f'<svg viewBox="0 0 720 {height}">{lines}{bars}<line data-part="bar-16" x1="408" x2="408" y1="{_ZERO}" '
        'stroke="#6b6b6b" stroke-width="20"/>'
        f'<text x="208" y="{below}" text-anchor="middle">terms by singular value, 1 to 16</text>'
        f'<text x="408" y="{below}" text-anchor="middle">ρ</text>'
        '<text x="230" y="14" text-anchor="middle">terms and their sum (logits)</text>'
        f'<text x="{_LEFT + _WIDE / 2:g}" y="14" text-anchor="middle">attention of the query</text>'
        f'<line x1="{_LEFT}" x2="{_LEFT}" y1="{_TOP - 10}" y2="{_row(len(words) - 1) + 3}" stroke="currentColor"/>'
        f'<line x1="{_LEFT + _WIDE}" x2="{_LEFT + _WIDE}" y1="{_TOP - 10}" y2="{_row(len(words) - 1) + 3}" '
        'stroke="currentColor" stroke-opacity="0.3" stroke-dasharray="4 3"/>'
        f'<text x="{_LEFT}" y="{_row(len(words))}" text-anchor="middle">0</text>'
        f'<text x="{_LEFT + _WIDE}" y="{_row(len(words))}" text-anchor="middle">1</text>{marks}{rows}</svg>'
    )
