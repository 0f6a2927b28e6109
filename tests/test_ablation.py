"""Ablating terms of a head while the model runs."""

import pytest
import torch

from svf_helpers.attention import relative_attention
from svf_helpers.chapters.known_features.erasure import project_out
from svf_helpers.ioi import CircuitHead
from svf_helpers.language_models import ablate_terms, head_bases, head_moments, head_terms_batch, load_model
from svf_helpers.language_models.ablation_effects import ablation_effect, select_terms
from svf_helpers.token_roles import Prompt, Prompts
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
    for query in (True, torch.tensor(True), 5.0, None, "5"):
        with refuses(ValueError, f"query = {query!r}"), ablate_terms(model, 0, 0, query, all_terms):
            pass
    with refuses(ValueError, "query", "torch.bool", (2,)), ablate_terms(model, 0, 0, all_terms[:2], all_terms):
        pass
    for key in (6, torch.tensor([2, 6])):
        after = refuses(ValueError, "key", key if isinstance(key, int) else key.tolist(), "query 5")
        with after, ablate_terms(model, 0, 0, 5, all_terms, "offset", key=key):
            pass
    with refuses(ValueError, "key = 2.0"), ablate_terms(model, 0, 0, 5, all_terms, "offset", key=2.0):
        pass
    for layer, head in ((0, True), (0.0, 0)):
        for basis in ("weights", head_bases(model)):
            refused = refuses(ValueError, layer if head == 0 else head)
            with refused, ablate_terms(model, layer, head, 5, all_terms, basis):
                pass
    # a refusal inside leaves no hook behind
    model(some_tokens(2, 12))


def test_a_model_whose_scores_cannot_be_changed(models):
    model = models("gptj")
    refused = refuses(ValueError, "layer 0", "GPTJAttention")
    with ablate_terms(model, 0, 0, 5, torch.ones(model.cfg.d_head, dtype=torch.bool)), refused:
        model(some_tokens(1, 8))


WATCHED = CircuitHead("x", 0, 1, "END", "S2")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"circuit": []}, ("circuit", "no heads")),
        ({"circuit": [WATCHED, CircuitHead("x", 2, 0, "END", "S2")]}, ("layer = 2", 1)),
        ({"circuit": [WATCHED, CircuitHead("x", 0, -1, "END", "S2")]}, ("head = -1", 3)),
        ({"circuit": [WATCHED, CircuitHead("x", 0, 4, "END", "S2")], "remove": None}, ("head = 4", 3)),
        ({"circuit": [WATCHED, CircuitHead("x", 1, 0, "END", "S2")], "remove": torch.ones(2, 2, 8).bool()},
         ((0, 1), (1, 0))),
        ({"remove": torch.ones(1, 2, 8)}, ("remove", "torch.float32")),
        ({"remove": torch.ones(1, 2, 8).int()}, ("remove", "torch.int32")),
        ({"remove": [[True]]}, ("remove", "list")),
        ({"remove": torch.ones(1, 3, 8).bool()}, ("remove", (1, 3, 8), (1, 2, 8))),
        ({"act_on": [1]}, ("act_on", 1, "0 to 0")),
        ({"act_on": [-1]}, ("act_on = -1",)),
        ({"act_on": [0.0]}, ("act_on = 0.0",)),
        ({"act_on": 0}, ("act_on = 0",)),
        ({"act_on": [2], "remove": None}, ("act_on", 2, "0 to 0")),
        ({"bases": "weights"}, ("bases are str", "head_bases")),
    ],
)
def test_effects_that_cannot_be_measured_are_refused_before_the_model_runs(change, told, models, monkeypatch):
    model = models("gpt2")
    prompts = Prompts([Prompt("", tokens, {"S2": 2, "END": 7}, 5, 6, "ABBA") for tokens in some_tokens(2, 8)])
    given = {"circuit": [WATCHED], "bases": head_bases(model, heads=[(0, 1)]), "remove": torch.ones(1, 2, 8).bool()}
    assert ablation_effect(model, prompts, **given).attention.shape == (1, 2)
    ran = []
    monkeypatch.setattr(model, "forward", ran.append)
    with refuses(ValueError, *told):
        ablation_effect(model, prompts, **given | change)
    assert ran == []


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        (torch.tensor([1.0, 1.5]), ("counts", "torch.float32", (2,))),
        (torch.tensor([True, False]), ("counts", "torch.bool")),
        (1, ("counts are 1", (2,))),
        (torch.tensor([1, 1, 1]), ("counts", (3,), (2,))),
        (torch.tensor([[1], [1]]), ("counts", (2, 1), (2,))),
        (torch.tensor([1, 4]), ("counts", 4, 3)),
        (torch.tensor([-1, 1]), ("counts", -1, 3)),
    ],
)
def test_numbers_of_terms_that_cannot_be_chosen_are_refused(counts, told):
    with refuses(ValueError, *told):
        select_terms(torch.tensor([[1.0, -5.0, 3.0], [2.0, 0.0, 1.0]]), counts)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"direction": torch.ones(32).long()}, ("direction", "torch.int64")),
        ({"along": torch.ones(32).bool()}, ("along", "torch.bool")),
        ({"direction": [1.0] * 32}, ("direction", "list")),
        ({"mean": None}, ("mean", "NoneType")),
        ({"mean": torch.full((32,), torch.nan)}, ("mean", "nan")),
        ({"direction": torch.full((32,), torch.inf)}, ("direction", "inf")),
        ({"along": torch.full((32,), torch.nan)}, ("along", "nan")),
        ({"head": 1.0}, ("head = 1.0",)),
        ({"head": True}, ("head = True",)),
        ({"layer": "0"}, ("layer = '0'",)),
    ],
)
def test_features_that_cannot_be_projected_out_are_refused(change, told, models):
    given = {"layer": 0, "head": 1, "side": "key", "direction": torch.ones(32), "mean": torch.zeros(32)}
    with refuses(ValueError, *told), project_out(models("gpt2"), **given | change):
        pass
