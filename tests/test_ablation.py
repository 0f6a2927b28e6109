"""Ablating terms of a head while the model runs."""

import pytest
import torch

from svf_helpers.attention import relative_attention
from svf_helpers.language_models import ablate_terms, head_bases, head_moments, head_terms_batch, load_model
from tests.refusals import refuses
from tests.tiny_models import save, some_tokens

QUERY, KEY, LAYER, HEAD = 9, 4, 0, 2


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    loaded = {}

    def get(kind):
        if kind not in loaded:
            loaded[kind] = load_model(save(kind, tmp_path_factory.mktemp("models")), device="cpu")
        return loaded[kind]

    return get


def run(model, tokens):
    logits, cache = model.run_with_cache(tokens)
    return logits, [
        {name: cache[f"blocks.{layer}.attn.hook_{name}"] for name in ("attn_scores", "pattern")} for layer in range(2)
    ]


@pytest.mark.parametrize("kind", ["gpt2", "neox", "llama"])
@pytest.mark.parametrize("basis", ["weights", "offset", "whitened"])
def test_relative_attention_falls_by_the_terms_removed(kind, basis, models):
    model, tokens = models(kind), some_tokens(3, 12)
    moments = head_moments(model, some_tokens(20, 20, seed=1))
    terms = head_terms_batch(model, tokens, QUERY, KEY, [(LAYER, HEAD)], basis, moments).terms[:, 0]
    remove = torch.tensor([True, False, True, False, False, True, False, False])
    plain_logits, plain = run(model, tokens)
    with ablate_terms(model, LAYER, HEAD, QUERY, remove, basis, moments, key=KEY):
        logits, changed = run(model, tokens)
    seen = [layers[LAYER]["attn_scores"][:, HEAD, QUERY, : QUERY + 1] for layers in (plain, changed)]
    before, after = (relative_attention(scores, KEY) for scores in seen)
    torch.testing.assert_close(after, before - terms[:, remove].sum(-1), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        changed[LAYER]["pattern"][:, HEAD, QUERY], changed[LAYER]["attn_scores"][:, HEAD, QUERY].softmax(-1)
    )
    # no other head, query or earlier logit is touched
    same = torch.ones(3, 4, 12, 12, dtype=torch.bool)
    same[:, HEAD, QUERY, : QUERY + 1] = False
    assert torch.equal(changed[LAYER]["attn_scores"][same], plain[LAYER]["attn_scores"][same])
    torch.testing.assert_close(logits[:, :QUERY], plain_logits[:, :QUERY], rtol=1e-5, atol=1e-5)
    assert (logits[:, QUERY] - plain_logits[:, QUERY]).abs().max() > 1e-3
    # and nothing stays behind
    assert torch.equal(run(model, tokens)[0], plain_logits)


@pytest.mark.parametrize("basis", ["weights", "offset", "whitened"])
def test_without_any_terms_attention_is_uniform_and_with_all_unchanged(basis, models):
    model, tokens = models("llama"), some_tokens(2, 12)
    moments = head_moments(model, some_tokens(20, 20, seed=1))
    plain_logits, _ = run(model, tokens)
    with ablate_terms(model, LAYER, HEAD, QUERY, torch.ones(8, dtype=torch.bool), basis, moments, key=KEY):
        _, none = run(model, tokens)
    with ablate_terms(model, LAYER, HEAD, QUERY, torch.zeros(8, dtype=torch.bool), basis, moments, key=KEY):
        logits, _ = run(model, tokens)
    expected = torch.full((2, QUERY + 1), 1 / (QUERY + 1))
    torch.testing.assert_close(none[LAYER]["pattern"][:, HEAD, QUERY, : QUERY + 1], expected, rtol=1e-4, atol=1e-5)
    assert torch.equal(logits, plain_logits)


def test_each_prompt_may_have_its_query_and_its_choice(models):
    model, tokens = models("neox"), some_tokens(2, 12)
    queries, remove = torch.tensor([9, 6]), torch.zeros(2, 8, dtype=torch.bool)
    remove[0, 1] = remove[1, [0, 3]] = True
    with ablate_terms(model, 1, 0, queries, remove):
        together, _ = run(model, tokens)
    for prompt in range(2):
        with ablate_terms(model, 1, 0, int(queries[prompt]), remove[prompt]):
            alone, _ = run(model, tokens[prompt : prompt + 1])
        torch.testing.assert_close(together[prompt], alone[0], rtol=1e-4, atol=1e-4)


def test_contexts_nest(models):
    """Two heads of different layers: the second layer's terms are those of the run in which the first has changed."""
    model, tokens = models("gpt2"), some_tokens(2, 12)
    everything = torch.ones(8, dtype=torch.bool)
    bases = head_bases(model)
    with ablate_terms(model, 0, 1, QUERY, everything, bases), ablate_terms(model, 1, 3, QUERY, everything, bases):
        _, both = run(model, tokens)
    for layer, head in ((0, 1), (1, 3)):
        pattern = both[layer]["pattern"][:, head, QUERY, : QUERY + 1]
        torch.testing.assert_close(pattern, torch.full_like(pattern, 1 / (QUERY + 1)), rtol=1e-4, atol=1e-5)


def test_scores_that_are_not_the_sum_of_the_terms_are_left_alone(models):
    """Removing twice from one head and query would take terms from scores that have lost some already."""
    model, some = models("neox"), torch.arange(8) < 4
    with ablate_terms(model, 0, 1, QUERY, some), ablate_terms(model, 0, 1, QUERY - 1, some):
        model(some_tokens(2, 12))
    refused = refuses(ArithmeticError, "layer 0 head 1")
    with ablate_terms(model, 0, 1, QUERY, some), ablate_terms(model, 0, 1, QUERY, ~some), refused:
        model(some_tokens(2, 12))


def test_keys_outside_a_window_stay_masked(models):
    model, tokens = models("mistral"), some_tokens(1, 12)
    with ablate_terms(model, LAYER, HEAD, QUERY, torch.ones(8, dtype=torch.bool)):
        _, none = run(model, tokens)
    expected = torch.tensor([0.0] * 5 + [0.2] * 5 + [0.0] * 2)
    torch.testing.assert_close(none[LAYER]["pattern"][0, HEAD, QUERY], expected, rtol=1e-4, atol=1e-5)


def test_what_cannot_be_removed_is_refused(models):
    model, all_terms = models("gpt2"), torch.ones(8, dtype=torch.bool)

    def enter(*arguments, **options):
        with ablate_terms(model, *arguments, **options):
            model(some_tokens(2, 12))

    with refuses(ValueError, "remove", (7,), "d_head = 8"):
        enter(0, 0, 5, all_terms[:7])
    with refuses(ValueError, "remove", "torch.int64"):
        enter(0, 0, 5, torch.tensor([0, 1]))
    with refuses(ValueError, "basis 'offset'", "key"):
        enter(0, 0, 5, all_terms, "offset")
    with refuses(ValueError, "query = 12", 11):
        enter(0, 0, 12, all_terms)
    with refuses(ValueError, "query", (3,), "2 prompts"):
        enter(0, 0, torch.tensor([1, 2, 3]), all_terms)
    with refuses(ValueError, "remove", "3 prompts", 2):
        enter(0, 0, 5, all_terms.expand(3, 8))
    with refuses(ValueError, "layer = 7", 1):
        enter(7, 0, 5, all_terms)
    # a refusal inside leaves no hook behind
    model(some_tokens(2, 12))


def test_a_model_whose_scores_cannot_be_changed(models):
    model = models("gptj")
    refused = refuses(ValueError, "layer 0", "GPTJAttention")
    with ablate_terms(model, 0, 0, 5, torch.ones(model.cfg.d_head, dtype=torch.bool)), refused:
        model(some_tokens(1, 8))
