"""Bases side by side: what each is, what all of them share, and what taking terms out does in each."""

import pytest
import torch

from svf_helpers.attention import sparsity
from svf_helpers.chapters.whitened.compared_bases import COMPARED, TAKEN, all_bases, compare_bases
from svf_helpers.ioi import CircuitHead
from svf_helpers.language_models import head_bases, head_moments, load_model
from svf_helpers.language_models.ablation_effects import ablation_effect
from svf_helpers.language_models.circuit_terms import by_length, circuit_terms
from svf_helpers.language_models.moments import HeadMoments
from svf_helpers.language_models.random_basis import random_rank_one_basis
from svf_helpers.pocket import pocket_prompts
from tests.refusals import refuses

CIRCUIT = (CircuitHead("END→S2", 2, 1, "END", "S2"), CircuitHead("S2→S1", 2, 1, "S2", "S1"),
           CircuitHead("END→S2", 1, 1, "END", "S2"))
HEADS = [(2, 1), (1, 1)]


@pytest.fixture(scope="module")
def model():
    return load_model("pocket-pythia", device="cpu")


@pytest.fixture(scope="module")
def moments(model):
    return head_moments(model, by_length(pocket_prompts(40, 1_000, "train")))


@pytest.fixture(scope="module")
def prompts():
    return pocket_prompts(5)


@pytest.fixture(scope="module")
def found(model, prompts, moments):
    return compare_bases(model, CIRCUIT, prompts, moments, draws=4)


def test_terms_sum_to_the_same_attention_in_every_basis(model, prompts, moments):
    every = all_bases(model, HEADS, moments, torch.Generator().manual_seed(0))
    assert tuple(every) == COMPARED
    sums = [circuit_terms(model, prompts, CIRCUIT, bases, draws=1).terms.sum(-1) for bases in every.values()]
    for other in sums[1:]:
        torch.testing.assert_close(other, sums[0], rtol=1e-3, atol=1e-3)


def test_what_is_measured_is_what_the_parts_give(model, prompts, moments, found):
    assert found.sparsity.shape == (len(COMPARED), len(CIRCUIT))
    assert found.attention.shape == (len(COMPARED), len(TAKEN), len(CIRCUIT))
    alone = circuit_terms(model, prompts, CIRCUIT, "whitened", moments, draws=4)
    place = COMPARED.index("whitened")
    torch.testing.assert_close(found.sparsity[place].float(), alone.sparsity.mean(1))
    torch.testing.assert_close(found.null[place].float(), alone.null.mean(1))
    expected = alone.n_sv.double().sum(1) / (alone.n_sv > 0).sum(1)
    torch.testing.assert_close(found.n_sv[place], expected)


def test_taking_terms_out(found):
    nothing, top, kept = (TAKEN.index(name) for name in ("nothing", "top", "all but top"))
    same = found.attention[:, nothing]
    torch.testing.assert_close(same, same[:1].expand_as(same))  # nothing taken: one model, whatever the basis
    assert (found.correct[:, nothing] == 1).all()
    assert (found.attention[:, top] < 0.2 * same).all()
    assert (found.attention[:, kept] > 0.5 * same).all()
    assert (found.difference[:, top] < found.difference[:, nothing]).all()


def test_a_random_split_is_exact_and_prefers_no_direction(model, prompts, moments):
    plain = all_bases(model, HEADS, moments)["weights"]
    first, second, again = (random_rank_one_basis(plain, torch.Generator().manual_seed(seed)) for seed in (0, 1, 0))
    for layer, of_layer in plain.layers.items():
        a, b, c = (split.layers[layer].svd for split in (first, second, again))
        metric = of_layer.svd.to_query.mT @ (of_layer.svd.S[..., None] * of_layer.svd.to_key)
        torch.testing.assert_close(a.to_query.mT @ a.to_key, metric)
        assert torch.equal(a.to_query, c.to_query)
        assert not torch.allclose(a.to_query, b.to_query)
    terms = circuit_terms(model, prompts, CIRCUIT, first, draws=1)
    plain_terms = circuit_terms(model, prompts, CIRCUIT, plain, draws=1)
    assert (sparsity(terms.terms).mean() > 1.5 * plain_terms.sparsity.mean())
    assert terms.n_sv.double().mean() > plain_terms.n_sv.double().mean()


def test_a_head_that_looks_at_two_keys_from_one_query(model, prompts):
    plain = head_bases(model, "weights", HEADS)
    twice = (CIRCUIT[1], CircuitHead("S2→S1+1", 2, 1, "S2", "S1+1"))
    masks = torch.zeros(2, len(prompts), 16, dtype=torch.bool)
    masks[0, :, :3], masks[1, :, 2:5] = True, True
    both = ablation_effect(model, prompts, twice, plain, masks)
    united = masks.any(0, keepdim=True).expand_as(masks)
    torch.testing.assert_close(both, ablation_effect(model, prompts, twice, plain, united, act_on=[1]))
    one = ablation_effect(model, prompts, twice, plain, masks, act_on=[0])
    assert (both.attention - one.attention).abs().max() > 1e-3


def test_offset_bases_are_not_split(model):
    with refuses(ValueError, "offset"):
        random_rank_one_basis(head_bases(model, "offset", [(1, 1)]))


def test_covariances_on_both_sides(model, moments):
    centred = moments.centred()
    mean = moments.query_mean
    assert torch.equal(centred.key, moments.key)
    torch.testing.assert_close(centred.query + mean[..., :, None] * mean[..., None, :], moments.query)
    assert (torch.linalg.eigvalsh(centred.query) > 0).all()
    with refuses(ValueError, "query"):
        HeadMoments(moments.query, moments.key, 100).centred()
