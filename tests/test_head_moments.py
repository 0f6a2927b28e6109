"""Moments of query and key vectors, and the whitened basis that they give."""

import pytest
import torch

from svf_helpers.attention import relative_attention, score_terms
from svf_helpers.language_models import head_moments, head_terms_batch, load_model
from svf_helpers.language_models.frames import Frames, frames_of_moments, svd_between
from svf_helpers.language_models.heads import read_layer
from svf_helpers.language_models.moments import pair_counts, seen_covariance
from svf_helpers.qk import whitened_qk_svd
from svf_helpers.rope import Rotary
from tests.refusals import refuses
from tests.tiny_models import save, some_tokens


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A GPT-2 without biases: its heads read tokens directly."""
    return load_model(save("gpt2", tmp_path_factory.mktemp("models"), biases=0.0), device="cpu")


@pytest.fixture(scope="module")
def rotary(tmp_path_factory):
    return load_model(save("llama", tmp_path_factory.mktemp("models")), device="cpu")


def vectors(model, tokens, layer):
    """Recorded query and key vectors of a layer [batch, pos, heads, r], keys repeated for the heads that share them."""
    _, cache = model.run_with_cache(tokens)
    q, k = (cache[f"blocks.{layer}.attn.hook_{name}"].double() for name in "qk")
    return q, k.repeat_interleave(q.shape[2] // k.shape[2], 2)


def test_moments_of_a_head_without_rotation(plain):
    tokens = some_tokens(12, 20)
    moments = head_moments(plain, tokens)
    assert moments.tokens == 240
    assert moments.query.shape == moments.key.shape == (2, 4, 8, 8)
    for layer in range(2):
        q, k = vectors(plain, tokens, layer)
        for head in range(4):
            flat = q[:, :, head].reshape(-1, 8)
            torch.testing.assert_close(moments.query[layer, head], flat.T @ flat / 240)
            torch.testing.assert_close(
                moments.key[layer, head], torch.cov(k[:, :, head].reshape(-1, 8).T, correction=0)
            )


def test_batches_of_any_shape_add_up(rotary):
    tokens = some_tokens(12, 20)
    whole = head_moments(rotary, tokens)
    parts = head_moments(rotary, (part for part in (tokens[:5], tokens[5:])))
    torch.testing.assert_close(parts.query, whole.query)
    torch.testing.assert_close(parts.key, whole.key)


def test_rotary_keys_are_averaged_over_the_offsets_that_queries_see(rotary):
    """Against every pair of positions, one by one."""
    tokens = some_tokens(8, 12)
    moments = head_moments(rotary, tokens)
    turn = read_layer(rotary, 1).rotary
    _, k = vectors(rotary, tokens, 1)
    for head in range(4):
        keys = k[:, :, head].reshape(-1, 8)
        second = total = 0.0
        mean = torch.zeros(8, dtype=torch.float64)
        for query in range(12):
            for key in range(query + 1):
                turned = turn.rotate(keys, key - query)
                second = second + turned.T @ turned / len(keys)
                mean = mean + turned.mean(0)
                total += 1
        expected = second / total - torch.outer(mean, mean) / total**2
        torch.testing.assert_close(moments.key[1, head], expected)
    assert (moments.key[1, 0] - torch.cov(k[:, :, 0].reshape(-1, 8).T, correction=0)).abs().max() > 0.01


@pytest.mark.parametrize("pairing", ["neighbours", "halves"])
def test_seen_covariance_against_the_plain_average(pairing):
    turn = Rotary.of(10, 6, base=50.0, pairing=pairing)
    x = torch.randn(40, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 1
    counts = pair_counts([(2, 9), (1, 4)])
    assert counts.sum() == 2 * 45 + 10
    seen = torch.stack([turn.rotate(x, -offset) for offset in range(9)])
    share = (counts / counts.sum())[:, None, None]
    mean = (share[:, 0] * seen.mean(1)).sum(0)
    expected = (share * (seen.mT @ seen) / 40).sum(0) - torch.outer(mean, mean)
    found = seen_covariance((x.T @ x / 40)[None], x.mean(0)[None], turn, counts)
    torch.testing.assert_close(found[0], expected)


def test_whitened_basis_agrees_with_the_whitened_qk_matrix(plain):
    """No bias, no rotation: terms and singular values are those of C_q^(1/2) W_Q W_K^T C_k^(1/2)."""
    tokens, sample = some_tokens(2, 10), some_tokens(20, 25, seed=1)
    moments = head_moments(plain, sample)
    found = head_terms_batch(plain, tokens, 9, 4, basis="whitened", moments=moments)
    for layer in range(2):
        heads = read_layer(plain, layer)
        place = f"blocks.{layer}.ln1.hook_normalized"
        t = plain.run_with_cache(sample)[1][place].double().flatten(0, 1)
        C_query, C_key = t.T @ t / len(t), torch.cov(t.T, correction=0)
        # for W in place of C^(1/2) W: what the square root of C undoes on the tokens' side
        svd = whitened_qk_svd(heads.W_Q, heads.W_K, C_query, C_key)
        here = plain.run_with_cache(tokens)[1][place].double()
        roots = [torch.linalg.pinv(root_of(C)) for C in (C_query, C_key)]
        relative = here[:, 4] - here[:, [0, 1, 2, 3, 5, 6, 7, 8, 9]].mean(1)
        for head in range(4):
            index = found.heads.index((layer, head))
            of_head = type(svd)(*(part[head] for part in svd))
            expected = heads.scale * score_terms(here[:, 9] @ roots[0], relative @ roots[1], of_head)
            torch.testing.assert_close(found.S[0, index].double(), heads.scale * of_head.S, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(found.terms[:, index].double(), expected, rtol=1e-3, atol=1e-4)


def root_of(C):
    values, directions = torch.linalg.eigh(C)
    return (directions * values.clamp_min(0).sqrt()) @ directions.T


def test_whitened_coordinates_are_white(rotary):
    """Over the sample, query coordinates have the identity as their second moment."""
    tokens = some_tokens(20, 12)
    moments = head_moments(rotary, tokens)
    q, _ = vectors(rotary, tokens, 1)
    svd = svd_between(frames_of_moments(moments.query[1], moments.key[1]))
    x = torch.einsum("hsr,bphr->bphs", svd.to_query, q).flatten(0, 1)
    torch.testing.assert_close(
        torch.einsum("nhr,nhs->hrs", x, x) / len(x), torch.eye(8, dtype=torch.float64).expand(4, 8, 8)
    )
    seen = svd.to_key @ moments.key[1] @ svd.to_key.mT
    torch.testing.assert_close(seen, torch.eye(8, dtype=torch.float64).expand(4, 8, 8))


def test_any_frame_gives_terms_that_sum_to_the_score():
    """Why the sum alone does not prove a basis right, and other tests look at the terms."""
    generator = torch.Generator().manual_seed(0)
    F_q, F_k = torch.randn(2, 5, 5, dtype=torch.float64, generator=generator).triu() + 2 * torch.eye(5).double()
    q, keys = torch.randn(5, dtype=torch.float64, generator=generator), torch.randn(7, 5, generator=generator).double()
    svd = svd_between(Frames(F_q, F_k))
    terms = (svd.to_query @ q) * svd.S * (keys @ svd.to_key.mT)
    torch.testing.assert_close(terms.sum(-1), keys @ q)
    assert relative_attention(terms.sum(-1), 3) == pytest.approx(float(relative_attention(keys @ q, 3)))


def test_too_few_tokens_are_refused(plain):
    with refuses(ValueError, 79, 80):
        head_moments(plain, [some_tokens(1, 40), some_tokens(1, 39)])
    assert head_moments(plain, [some_tokens(1, 40), some_tokens(1, 40)]).tokens == 80


def test_text_without_variety_is_refused(plain):
    moments = head_moments(plain, torch.full((80, 1), 7))
    with refuses(ArithmeticError, "layer 0", "moments", "query"):
        head_terms_batch(plain, some_tokens(1, 8), 5, 2, basis="whitened", moments=moments)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("some text", ("'some text'", "to_tokens")),
        (["text", "text"], ("'text'",)),
        (7, ("token_batches = 7",)),
        (None, ("token_batches = None",)),
        ([[1, 2, 3]], ([1, 2, 3],)),
    ],
)
def test_what_is_no_tensor_of_tokens_is_refused(plain, given, told):
    with refuses(ValueError, "token_batches", *told):
        head_moments(plain, given)
