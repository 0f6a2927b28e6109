"""Terms of real attention heads, on every kind of attention that is covered, and refusals of the others."""

import numpy as np
import pytest
import torch

from svf_helpers.attention import n_sv, relative_attention
from svf_helpers.language_models import head_bases, head_moments, head_terms, head_terms_batch, load_model
from svf_helpers.language_models import terms as terms_module
from svf_helpers.language_models.heads import read_layer
from svf_helpers.qk import qk_svd
from svf_helpers.rope import Rotary, qk_svd_at_offset
from tests.refusals import refuses, unchecked
from tests.tiny_models import save, some_tokens

COVERED = ("gpt2", "neox", "llama", "gptj", "gptneo", "mistral", "stories260K")
BASES = ("weights", "offset", "whitened")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Models by kind, each loaded once."""
    loaded = {}

    def get(kind: str, fixtures_folder=None):
        if kind not in loaded:
            folder = fixtures_folder / kind if kind == "stories260K" else save(kind, tmp_path_factory.mktemp("models"))
            loaded[kind] = load_model(folder, device="cpu")
        return loaded[kind]

    return get


def recorded(model, tokens, layer):
    """The model's scores [batch, heads, pos, pos]; for GPT-J's kind the logarithm of its attention."""
    _, cache = model.run_with_cache(tokens)
    scores, pattern = (cache[f"blocks.{layer}.attn.{name}"] for name in ("hook_attn_scores", "hook_pattern"))
    return pattern.log() if torch.equal(scores, pattern) else scores


# --- Terms sum to the model's own relative attention


@pytest.mark.parametrize("kind", COVERED)
def test_terms_sum_to_the_models_relative_attention(kind, models, request):
    needs_file = kind == "stories260K"
    model = models(kind, request.getfixturevalue("fixtures_folder") if needs_file else None)
    tokens = some_tokens(3, 12)
    moments = head_moments(model, some_tokens(20, 30, seed=1))
    queries, keys = torch.tensor([[11, 7], [9, 4], [10, 10]]), torch.tensor([[9, 4], [7, 1], [8, 10]])
    spread = []
    for basis in BASES:
        found = head_terms_batch(model, tokens, queries, keys, basis=basis, moments=moments)
        assert found.terms.shape == (3, 2, len(found.heads), model.cfg.d_head)
        assert found.terms.dtype == torch.float32
        torch.testing.assert_close(found.terms, found.query * found.S * found.key)
        for layer in range(model.cfg.n_layers):
            scores = recorded(model, tokens, layer)
            for prompt in range(3):
                for pair in range(2):
                    query, key = int(queries[prompt, pair]), int(keys[prompt, pair])
                    first = max(0, query - 4) if kind == "mistral" else 0  # its window is 5 wide
                    if key < first:
                        continue
                    expected = relative_attention(scores[prompt, :, query, first : query + 1], key - first)
                    of_layer = [index for index, (number, _) in enumerate(found.heads) if number == layer]
                    terms = found.terms[prompt, pair, of_layer]
                    off = (terms.sum(-1) - expected).abs() / terms.abs().sum(-1)
                    assert off.max() < 1e-4
                    torch.testing.assert_close(found.relative[prompt, pair, of_layer], expected, atol=1e-4, rtol=1e-4)
        spread.append(found.terms)
    assert (spread[0] - spread[2]).abs().max() > 0.01  # the bases differ
    rotary = read_layer(model, 0).rotary
    assert ((spread[0] - spread[1]).abs().max() > 0.01) == (rotary is not None)


def check_against_the_qk_matrix(model, layer, head, query, key, basis):
    """The terms, written out with d_model x d_head factors and pseudo-inverses: what eq. (1) says of the real head."""
    tokens = some_tokens(1, 12)
    _, cache = model.run_with_cache(tokens)
    heads = read_layer(model, layer)
    W_Q, W_K = heads.W_Q[head], heads.W_K[head]
    q, k = (cache[f"blocks.{layer}.attn.hook_{name}"][0].double() for name in "qk")
    q, k = q[:, head], k[:, head * k.shape[1] // model.cfg.n_heads]
    if heads.rotary is None:
        svd = qk_svd(W_Q, W_K)
    else:
        offset = query - key if basis == "offset" else 0
        svd = qk_svd_at_offset(W_Q, W_K, heads.rotary, offset)
        k = heads.rotary.rotate(k, torch.arange(12) - (key if basis == "offset" else query))
    t_query = q[query] @ torch.linalg.pinv(W_Q)  # the token whose query vector is the one recorded, bias and all
    t_keys = k[: query + 1] @ torch.linalg.pinv(W_K)
    others = [i for i in range(query + 1) if i != key]
    expected = (t_query @ svd.U) * svd.S * ((t_keys[key] - t_keys[others].mean(0)) @ svd.V) * heads.scale
    terms = head_terms(model, tokens, layer, head, query, key, basis=basis)
    torch.testing.assert_close(terms, expected.float(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["gpt2", "neox", "llama", "gptj"])
@pytest.mark.parametrize("basis", ["weights", "offset"])
def test_terms_are_those_of_the_qk_matrix(kind, basis, models):
    for layer, head, query, key in ((0, 0, 9, 4), (1, 3, 11, 2)):
        check_against_the_qk_matrix(models(kind), layer, head, query, key, basis)


def test_real_trained_heads_with_grouped_keys(models, fixtures_folder):
    """The trained model: terms of eq. (1) on real weights, and a count of terms that makes sense."""
    model = models("stories260K", fixtures_folder)
    for layer, head in ((0, 5), (3, 2), (4, 7)):
        check_against_the_qk_matrix(model, layer, head, 9, 3, "weights")
    text = "Once upon a time, there was a little girl named Lily. She loved to play."
    tokens = model.to_tokens(text, prepend_bos=True)
    queries = torch.arange(5, tokens.shape[1])[None]
    found = head_terms_batch(model, tokens, queries, queries - 1)
    counts = n_sv(found.terms)
    assert torch.equal(counts == 0, found.terms.sum(-1) <= 0)
    assert set(counts.unique().tolist()) >= {0, 1, 2, 3, 4}


@pytest.mark.parametrize("kind", ["gpt2", "neox", "llama"])
def test_weights_read_the_normalised_token(kind, models):
    """Each head's own W_Q and W_K: gain folded in, the mean taken out for LayerNorm, key weights of the right group."""
    model = models(kind)
    heads = read_layer(model, 1)
    tokens = some_tokens(3, 20)  # more tokens than d_model
    cache = model.run_with_cache(tokens)[1]
    normalised = cache["blocks.1.ln1.hook_normalized"].double().flatten(0, 1)
    if kind == "llama":
        assert heads.W_Q.sum(-2).abs().min() > 1e-6  # RMSNorm takes no mean out
    else:
        assert heads.W_Q.sum(-2).abs().max() < 1e-10
    for name, W in (("q", heads.W_Q), ("k", heads.W_K)):
        vectors = cache[f"blocks.1.attn.hook_{name}"].double().flatten(0, 1)
        vectors = vectors - vectors.mean(0)  # the bias, whatever it is, drops out
        for head in range(4):
            of_head = vectors[:, head * vectors.shape[1] // 4]
            read = (normalised - normalised.mean(0)) @ W[head]
            torch.testing.assert_close(read, of_head, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["gpt2", "neox"])
def test_folded_weights_give_the_same_terms(kind, models, tmp_path):
    """TransformerLens's compatibility mode folds LayerNorm into the weights; here that is done in any case."""
    folded = load_model(save(kind, tmp_path), device="cpu")
    folded.enable_compatibility_mode()
    assert not torch.allclose(folded.blocks[0].attn.W_Q, models(kind).blocks[0].attn.W_Q)
    tokens = some_tokens(2, 10)
    ours, theirs = (head_terms_batch(model, tokens, 9, 4).terms for model in (models(kind), folded))
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3 * float(ours.abs().max()))


@pytest.mark.parametrize("basis", BASES)
def test_moving_a_pair_along_the_text_changes_nothing(basis, models):
    """First layer, a window of 5: the same five tokens at other positions. (Rotation by position would differ.)"""
    model = models("mistral")
    moments = head_moments(model, some_tokens(10, 20, seed=1))
    same = some_tokens(1, 6, seed=3)
    results = []
    for start in (0, 1, 17, 50):
        tokens = torch.cat([some_tokens(1, start, seed=4), same], 1)
        query = start + 5
        results.append(head_terms(model, tokens, 0, 2, query, query - 2, basis, moments))
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=1e-3, atol=1e-4)


# --- Batches


def test_a_batch_holds_what_single_calls_give(models):
    model = models("llama")
    tokens = some_tokens(3, 12)
    heads = [(1, 2), (0, 3), (1, 0)]  # any order
    queries, keys = torch.tensor([[11, 7], [9, 4], [10, 3]]), torch.tensor([[9, 4], [7, 1], [8, 0]])
    for basis in ("weights", "offset"):
        found = head_terms_batch(model, tokens, queries, keys, heads, basis)
        assert found.heads == tuple(heads)
        bases = head_bases(model, basis, heads)
        torch.testing.assert_close(head_terms_batch(model, tokens, queries, keys, basis=bases).terms, found.terms)
        for prompt, pair, index in ((0, 1, 0), (2, 0, 1), (1, 1, 2)):
            layer, head = heads[index]
            query, key = int(queries[prompt, pair]), int(keys[prompt, pair])
            for given in (basis, bases):
                single = head_terms(model, tokens[prompt : prompt + 1], layer, head, query, key, given)
                torch.testing.assert_close(single, found.terms[prompt, pair, index], rtol=1e-4, atol=1e-4)


def test_shapes_of_queries_and_keys(models):
    model, tokens = models("gpt2"), some_tokens(3, 8)
    one = head_terms_batch(model, tokens, 7, 2, [(0, 1)])
    each = head_terms_batch(model, tokens, torch.tensor([7, 7, 7]), 2, [(0, 1)])
    pairs = head_terms_batch(model, tokens, torch.full((3, 4), 7), torch.full((3, 4), 2), [(0, 1)])
    assert one.terms.shape == each.terms.shape == (3, 1, 8)
    assert pairs.terms.shape == (3, 4, 1, 8)
    assert head_terms_batch(model, tokens[:1], 7, 2, [(0, 1)]).terms.shape == (1, 1, 8)
    torch.testing.assert_close(one.terms, each.terms)
    torch.testing.assert_close(pairs.terms[:, 3], one.terms)


def test_prompts_may_be_padded_on_the_right(models):
    model, tokens = models("neox"), some_tokens(2, 8)
    padded = torch.cat([tokens, torch.zeros(2, 5, dtype=torch.long)], 1)
    plain, longer = (head_terms_batch(model, given, torch.tensor([7, 5]), 2).terms for given in (tokens, padded))
    torch.testing.assert_close(longer, plain, rtol=1e-3, atol=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")
def test_a_gpu_gives_the_same(models, tmp_path):
    there, here = load_model(save("llama", tmp_path), device="cuda"), models("llama")
    tokens, sample = some_tokens(3, 12), some_tokens(20, 20, seed=1)
    for basis in BASES:
        ours, theirs = (
            head_terms_batch(model, tokens, 9, 4, basis=basis, moments=head_moments(model, sample))
            for model in (here, there)
        )
        assert theirs.terms.device.type == "cuda"
        torch.testing.assert_close(theirs.terms.cpu(), ours.terms, rtol=1e-2, atol=1e-2)


# --- When terms do not sum to the scores, that is said


@pytest.mark.parametrize("wrong", ["scale", "pairing", "sharing"])
def test_terms_that_do_not_sum_are_not_returned(wrong, models, monkeypatch):
    from dataclasses import replace

    from svf_helpers.language_models import bases as module

    def misread(model, layer):
        heads = read_layer(model, layer)
        if wrong == "scale":
            return replace(heads, scale=heads.scale * 1.01)
        if wrong == "pairing":
            rotary = heads.rotary
            return replace(heads, rotary=Rotary(rotary.d_head, rotary.rotary_dim, rotary.frequencies, "neighbours"))
        return heads

    monkeypatch.setattr(module, "read_layer", misread)
    model = models("llama")
    bases = head_bases(model)
    if wrong == "sharing":  # as if eight heads shared the two keys
        for layer, basis in bases.layers.items():
            bases.layers[layer] = replace(basis, of=8)
    with refuses(ArithmeticError, "layer 0 head", "query 11", "key 5", "float32"):
        head_terms_batch(model, some_tokens(2, 12), 11, 5, basis=bases)


def test_a_model_in_half_precision_is_told_to_load_in_float32(models, tmp_path):
    from transformer_lens.model_bridge import TransformerBridge

    tokenizer = models("gpt2").tokenizer
    folder = save("gpt2", tmp_path)
    half = TransformerBridge.boot_transformers(str(folder), dtype=torch.bfloat16, tokenizer=tokenizer, device="cpu")
    with refuses(ArithmeticError, "query 11", "key 5", "float32"):
        head_terms_batch(half, some_tokens(2, 12), 11, 5)


# --- Refusals


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("gemma2", ("layer 0", "Gemma2Attention", "50.0")),
        ("qwen3", ("layer 0", "Qwen3Attention", "QK-norm")),
        ("bloom", ("layer 0", "BloomAttention", "ALiBi")),
        ("yarn", ("layer 0", "rope_type 'yarn'")),
    ],
)
def test_attention_that_is_not_covered_is_refused_by_name(kind, told, models):
    with refuses(ValueError, *told):
        head_terms(models(kind), some_tokens(1, 6), 0, 0, 5, 2)
    with refuses(ValueError, *told):
        head_moments(models(kind), some_tokens(20, 30))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"key": 6}, ("key 6", "query 5")),
        ({"query": 0, "key": 0}, ("query = 0",)),
        ({"query": 8}, ("query = 8", 7)),
        ({"key": -1}, ("key = -1", 7)),
        ({"query": 5.0}, ("query = 5.0",)),
        ({"layer": 2}, ("layer = 2", 1)),
        ({"head": 4}, ("head = 4", 3)),
        ({"basis": "colours"}, ("basis = 'colours'", "weights", "offset", "whitened")),
        ({"basis": "whitened"}, ("basis 'whitened'", "moments=head_moments")),
        ({"layer": 1.0}, ("layer = 1.0",)),
        ({"layer": True}, ("layer = True",)),
        ({"head": None}, ("head = None",)),
        ({"head": "3"}, ("head = '3'",)),
        ({"tokens": some_tokens(2, 8)}, ((2, 8), "head_terms_batch")),
        ({"tokens": torch.full((1, 8), 97)}, ("token 97", 96)),
        ({"tokens": torch.zeros(1, 8)}, ("tokens", "torch.float32", (1, 8))),
        ({"tokens": some_tokens(1, 65)}, (65, 64)),
    ],
)
def test_bad_arguments_are_refused(change, told, models):
    arguments = {"tokens": some_tokens(1, 8), "layer": 0, "head": 0, "query": 5, "key": 2} | change
    with refuses(ValueError, *told):
        head_terms(models("gpt2"), **arguments)


def test_bad_batches_are_refused(models):
    model, tokens = models("gpt2"), some_tokens(3, 8)
    with refuses(ValueError, (2,), "3 prompts"):
        head_terms_batch(model, tokens, torch.tensor([5, 5]), 2)
    with refuses(ValueError, "query (3, 2)", "key (3,)"):
        head_terms_batch(model, tokens, torch.full((3, 2), 5), torch.tensor([2, 2, 2]))
    with refuses(ValueError, "heads"):
        head_terms_batch(model, tokens, 5, 2, heads=[])
    with refuses(ValueError, (0, 0), (1, 1)):
        head_terms(model, tokens[:1], 1, 1, 5, 2, basis=head_bases(model, heads=[(0, 0)]))


@pytest.mark.parametrize(
    ("heads", "told"),
    [
        (3, ("heads = 3", "(layer, head)")),
        ((0, 3), ("heads = (0, 3)",)),
        ([(0, 1, 2)], ("heads = [(0, 1, 2)]",)),
        ([None], ("heads = [None]",)),
        ("ab", ("heads = 'ab'",)),
        ([(0, None)], ("head = None",)),
        ([(0, 1.5)], ("head = 1.5",)),
        ([(0, 1.0)], ("head = 1.0",)),
        ([(True, 1)], ("layer = True",)),
        ([(0, torch.tensor(True))], ("head = tensor(True)",)),
        ([("0", 1)], ("layer = '0'",)),
        ([(0, 4)], ("head = 4", 3)),
        ([(-1, 0)], ("layer = -1", 1)),
    ],
)
def test_heads_that_are_no_pairs_of_whole_numbers_are_refused(heads, told, models, monkeypatch):
    monkeypatch.setattr(terms_module, "run_and_record", never)
    for ask in (head_bases, lambda model, heads: head_terms_batch(model, some_tokens(2, 8), 5, 2, heads)):
        with refuses(ValueError, *told):
            ask(models("gpt2"), heads=heads)


def never(*arguments):
    raise AssertionError("the model ran")


def test_whole_numbers_of_any_kind_name_a_head(models):
    expected = head_bases(models("gpt2"), heads=[(1, 2)])
    for one, two in ((np.int64(1), np.int32(2)), (torch.tensor(1), torch.tensor(2))):
        with unchecked():
            found = head_bases(models("gpt2"), heads=[(one, two)])
            assert found.of_head(one, two)[1] == 0
        assert found.heads == expected.heads
        assert {type(number) for pair in found.heads for number in pair} == {int}


@pytest.mark.parametrize(
    ("query", "key", "told"),
    [
        (torch.full((3, 2), 5), torch.full((3, 4), 2), ("query (3, 2)", "key (3, 4)")),
        (torch.tensor([5, 5, 5]), torch.tensor([2, 2]), ("query (3,)", "key (2,)")),
        (5.5, 2, ("query = 5.5",)),
        (True, 0, ("query = True",)),
        (5, None, ("key = None",)),
        (5, "2", ("key = '2'",)),
        (torch.full((3,), 5.0), 2, ("query", "torch.float32", (3,))),
    ],
)
def test_pairs_that_are_none_are_refused(query, key, told, models, monkeypatch):
    monkeypatch.setattr(terms_module, "run_and_record", never)
    with refuses(ValueError, *told):
        head_terms_batch(models("gpt2"), some_tokens(3, 8), query, key)


@pytest.mark.parametrize("basis", BASES)
def test_moments_of_another_type_are_refused(basis, models):
    with refuses(ValueError, "moments are Tensor", "head_moments"):
        head_bases(models("gpt2"), basis, [(0, 0)], torch.eye(8))


def test_a_key_outside_the_window_is_refused(models):
    with refuses(ValueError, "layer 0", "key 4", "query 9", "prompt 0"):
        head_terms(models("mistral"), some_tokens(1, 12), 0, 0, 9, 4)


def test_moments_of_another_model_are_refused(models, fixtures_folder):
    moments = head_moments(models("gpt2"), some_tokens(10, 20))
    with refuses(ValueError, "moments", (2, 4), (5, 8)):
        head_terms(models("stories260K", fixtures_folder), some_tokens(1, 8), 0, 0, 5, 2, "whitened", moments)


def test_out_of_memory_says_which_batch_to_try(models, monkeypatch):
    def full(*args):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(terms_module, "terms_of_record", full)
    with refuses(MemoryError, "6 prompts", "8 tokens", "cpu", "batches of 3"):
        head_terms_batch(models("gpt2"), some_tokens(6, 8), 5, 2)
    with refuses(MemoryError, "8 tokens", "cpu"):
        head_terms_batch(models("gpt2"), some_tokens(1, 8), 5, 2)


def test_weights_without_full_rank_are_refused(tmp_path):
    folder = save("gpt2", tmp_path)
    model = load_model(folder, device="cpu")
    with torch.no_grad():
        model.blocks[1].attn.q.original_component.weight[8:16] = 0  # the whole of head 1
    with refuses(ArithmeticError, "layer 1", "query", "heads [1]"):
        head_bases(model)
