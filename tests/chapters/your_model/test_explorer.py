"""The explorer of real heads: its numbers are the model's, its picture is its numbers."""

import pytest
import torch

from svf_helpers.attention import n_sv, relative_attention, sparsity
from svf_helpers.chapters.your_model import explorer as head_widget
from svf_helpers.chapters.your_model.explorer import (
    CHECKPOINTS,
    PAIRS,
    checkpoints,
    head_frame,
    head_frames,
    head_state,
)
from svf_helpers.language_models import load_model
from svf_helpers.pocket import pocket_tokenizer, revisions
from tests.refusals import refuses

SETTINGS = [(0, 0, 0, 1), (502, 3, 1, 2), (3_600, 2, 1, 1), (3_600, 4, 3, 4)]


@pytest.fixture(scope="module")
def explorer():
    return head_frames()


@pytest.mark.parametrize("setting", SETTINGS)
def test_terms_and_attention_are_those_of_the_model(setting):
    step, layer, head, pair = setting
    state, prompt = head_state(*setting), head_widget._prompt()
    model = load_model("pocket-pythia", f"step{step}", device="cpu")
    cache = model.run_with_cache(prompt.tokens[None])[1]
    query, key = (prompt.roles[role] for role in PAIRS[pair - 1])
    assert (state.query, state.key) == (query, key)
    scores = cache[f"blocks.{layer}.attn.hook_attn_scores"][0, head, query, : query + 1]
    assert state.relative == pytest.approx(float(relative_attention(scores, key)), abs=1e-3)
    assert state.relative == pytest.approx(sum(state.terms), abs=1e-6)
    pattern = cache[f"blocks.{layer}.attn.hook_pattern"][0, head, query]
    torch.testing.assert_close(torch.tensor(state.attention), pattern, atol=1e-5, rtol=1e-4)
    assert sum(state.attention) == pytest.approx(1, abs=1e-5)
    assert not any(state.attention[query + 1:])  # no word after the query is seen
    terms = torch.tensor(state.terms)
    assert state.needed == n_sv(terms)
    assert state.spread == pytest.approx(float(sparsity(terms)), rel=1e-4)


def test_the_sentence_is_marked_where_its_roles_are():
    words, prompt = head_state(3_600, 0, 0, 1).words, head_widget._prompt()
    assert words[0] == "(start)"
    assert " ".join(words[1:]).replace(" ,", ",") == prompt.text
    assert words[prompt.roles["S2"]] == words[prompt.roles["S1"]] != words[prompt.roles["IO"]]
    assert prompt.answer == pocket_tokenizer().encode(f" {words[prompt.roles['IO']]}")[0]
    for number, pair in enumerate(PAIRS, 1):
        state, frame = head_state(3_600, 1, 1, number), head_frame(23, 1, 1, number)
        assert [frame[f"mark-{side}"]["y"] for side in ("query", "key")] == [
            head_widget._row(place) - 12 for place in (state.query, state.key)
        ]
        assert frame["say-pair"]["text"] == " → ".join(pair)


@pytest.mark.parametrize("setting", SETTINGS)
def test_bars_and_words_say_the_numbers(setting):
    checkpoint = checkpoints().index(setting[0])
    state, frame = head_state(*setting), head_frame(checkpoint, *map(float, setting[1:]))
    for k, value in enumerate([*state.terms, state.relative]):
        assert (234 - frame[f"bar-{k}"]["y2"]) / 16 == pytest.approx(value, abs=0.04)  # 16 pixels a logit
    for k, value in enumerate(state.attention):
        assert (frame[f"word-{k}"]["x2"] - 546) / 140 == pytest.approx(value, abs=0.005)
    assert frame["say-attention"]["text"] == f"{state.attention[state.key]:.2f}"
    assert float(frame["say-relative"]["text"].replace("−", "-")) == pytest.approx(state.relative, abs=0.051)


def test_notes_are_true_of_their_state(explorer):
    seen = set()
    for checkpoint in CHECKPOINTS:
        step = checkpoints()[checkpoint]
        for layer in range(5):
            for head in range(4):
                for pair in range(1, len(PAIRS) + 1):
                    state = head_state(step, layer, head, pair)
                    note = head_frame(checkpoint, layer, head, pair)["say-note"]["text"]
                    if state.relative <= 0:
                        assert "nothing to count" in note
                    elif state.attention[state.key] < 0.2:
                        assert "other words" in note
                    else:
                        assert note.startswith("One term" if state.needed == 1 else f"{state.needed} of 16")
                    seen.add(note.split(",")[0][:12])
                    heights = [*state.terms, state.relative]
                    assert -9 <= min(heights) <= max(heights) <= head_widget._UP.high  # all fits
    assert len(seen) >= 4


def test_it_is_small_and_works_with_and_without_a_kernel(explorer):
    page = explorer._repr_html_()
    assert len(page) < 100_000
    assert "400 frames" in repr(explorer)
    assert CHECKPOINTS[-1] == len(revisions("pocket-pythia")) - 1
    live = head_frames().live()
    *sliders, picture = live.children
    assert [slider.value for slider in sliders] == [23, 2, 1, 1]
    assert [label for label, _ in sliders[0].options] == [f"{step:,}" for step in checkpoints()]
    assert [label for label, _ in sliders[3].options] == ["→".join(pair) for pair in PAIRS]
    assert "3,600" in page
    assert "END→IO" in page
    before = picture.value
    sliders[0].value = 5  # a checkpoint that the page does not have
    assert checkpoints()[5] not in [checkpoints()[k] for k in CHECKPOINTS]
    assert picture.value != before


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ((7, 0, 0, 1), ("step", 7, "pocket-pythia", 16)),
        ((0, 5, 0, 1), ("layer", 5, 0, 4)),
        ((0, 0, -1, 1), ("head", -1, 0, 3)),
        ((0, 0, 0, 5), ("pair", 5, 4, "END→S2")),
    ],
)
def test_what_there_is_not_is_refused_by_name(setting, told):
    with refuses(ValueError, *told):
        head_state(*setting)
