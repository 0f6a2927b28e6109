"""Contexts with chosen pairs in them: the law of strengths, what is there and what is not, and the moments."""

import pytest
import torch

from svf_helpers.attention import relative_key
from svf_helpers.toy import ToyConfig
from svf_helpers.toy.planted import free_contexts, planted_contexts, strength_moments
from tests.refusals import refuses

COUNT = 20_000
DEFAULT = ToyConfig()
OTHERS = list(range(8, 20))  # the default's features of no interest


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def near(sample, expected, spread):
    """A mean within four standard errors of what is expected; ``spread`` is one draw's standard deviation."""
    assert float(sample.mean()) == pytest.approx(expected, abs=4 * spread / sample.numel() ** 0.5)


@pytest.mark.parametrize("p", [0.05, 0.52, 1.0])
def test_free_strengths_follow_the_law_of_training(p):
    config = ToyConfig(p=p)
    contexts = free_contexts(config, COUNT, seeded())
    assert contexts.query.shape == (COUNT, 20)
    assert contexts.keys.shape == (COUNT, 4, 20)
    for x in contexts:
        assert 0 <= float(x.min())
        assert float(x.max()) <= 1
        there = x[x > 0]
        near((x > 0).double(), p, (p * (1 - p)) ** 0.5)
        near(there, 1 / 2, 12**-0.5)
        near(there.square(), 1 / 3, (1 / 5 - 1 / 9) ** 0.5)
        near((there < 0.25).double(), 0.25, 0.1875**0.5)


@pytest.mark.parametrize("ranks", [[], [0], [3], [1, 2], [2, 1], [0, 1, 2, 3]])
def test_exactly_the_chosen_pairs_are_there(ranks):
    query, keys = planted_contexts(DEFAULT, ranks, 500, seeded())
    planted = [DEFAULT.ranked_pairs[rank] for rank in ranks]
    in_query, in_key = {i for i, _ in planted}, {j for _, j in planted}
    for feature in range(8):
        assert bool((query[:, feature] > 0).all()) == (feature in in_query)
        assert bool(query[:, feature].any()) == (feature in in_query)
        assert bool((keys[:, 0, feature] > 0).all()) == (feature in in_key)
        assert bool(keys[:, 0, feature].any()) == (feature in in_key)
    assert not keys[:, 1:, :8].any()


def test_planted_strengths_are_uniform_and_independent():
    query, keys = planted_contexts(DEFAULT, [1, 3], COUNT, seeded())
    drawn = torch.stack([query[:, 1], keys[:, 0, 5], query[:, 3], keys[:, 0, 7]]).double()
    for x in drawn:
        near(x, 1 / 2, 12**-0.5)
        near(x.square(), 1 / 3, (1 / 5 - 1 / 9) ** 0.5)
    off = torch.corrcoef(drawn) - torch.eye(4, dtype=torch.float64)
    assert float(off.abs().max()) < 4 / COUNT**0.5


def test_other_features_come_and_go_as_in_training():
    query, keys = planted_contexts(DEFAULT, [0], COUNT, seeded())
    for x in (query[:, OTHERS], keys[..., OTHERS]):
        near((x > 0).double(), 0.52, 0.5)
        near(x, 0.26, (0.52 / 3 - 0.26**2) ** 0.5)


def test_ranks_follow_the_size_of_targets_not_their_order_in_the_configuration():
    config = ToyConfig(pairs={(0, 4): 3.0, (1, 5): -9.0, (2, 6): 5.0})
    query, keys = planted_contexts(config, [0], 50, seeded())
    assert bool((query[:, 1] > 0).all())
    assert bool((keys[:, 0, 5] > 0).all())
    assert not query[:, [0, 2]].any()


def test_a_feature_of_two_pairs_is_there_only_on_the_side_of_the_planted_one():
    config = ToyConfig(pairs={(0, 1): 9.0, (1, 2): 5.0})  # feature 1 is read in keys by one pair, in queries by another
    query, keys = planted_contexts(config, [0], 50, seeded())
    assert bool((keys[:, 0, 1] > 0).all())
    assert not query[:, [1, 2]].any()
    assert not keys[..., [0, 2]].any()


def test_without_pairs_nothing_is_taken_out():
    config = ToyConfig(pairs={})
    query, keys = planted_contexts(config, [], 50, seeded())
    free = free_contexts(config, 50, seeded())
    assert torch.equal(query, free.query)
    assert torch.equal(keys, free.keys)


def test_draws_repeat_with_the_generator_and_differ_without():
    first, again = (planted_contexts(DEFAULT, [0, 2], 20, seeded(3)) for _ in range(2))
    other = planted_contexts(DEFAULT, [0, 2], 20, seeded(4))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first.query, other.query)


@pytest.mark.parametrize("p", [0.14, 0.52, 1.0])
def test_moments_are_those_of_samples(p):
    config = ToyConfig(n=5, d=5, r=5, p=p, pairs={})
    x = free_contexts(config, 200_000, seeded()).query.double()
    raw, centred = strength_moments(config)
    assert raw.dtype == centred.dtype == torch.float64
    tolerance = 4 / len(x) ** 0.5 * 0.3  # the products' standard deviation is below .3
    torch.testing.assert_close(x.mT @ x / len(x), raw, atol=tolerance, rtol=0)
    torch.testing.assert_close(torch.cov(x.mT), centred, atol=tolerance, rtol=0)


def test_tokens_and_relative_keys_have_the_moments_that_follow():
    """The moments of tokens are W times those of strengths; a relative key's covariance is c/(c-1) times a key's."""
    config = ToyConfig(n=6, d=3, r=3, pairs={})
    W = torch.randn(3, 6, generator=seeded(1), dtype=torch.float64)
    query, keys = free_contexts(config, 100_000, seeded(2))
    raw, centred = strength_moments(config)
    tokens = query.double() @ W.mT
    torch.testing.assert_close(tokens.mT @ tokens / len(tokens), W @ raw @ W.mT, atol=0.02, rtol=0.02)
    relative = relative_key(keys.double() @ W.mT, 0)
    torch.testing.assert_close(torch.cov(relative.mT), config.c / (config.c - 1) * W @ centred @ W.mT, atol=0.02,
                               rtol=0.02)


@pytest.mark.parametrize("ranks", [[4], [-1], [0, 7]])
def test_a_rank_that_no_pair_has_is_refused(ranks):
    with refuses(ValueError, "ranks", ranks[-1:], "0 to 3"):
        planted_contexts(DEFAULT, ranks, 5)


def test_a_model_without_pairs_has_no_rank_0():
    with refuses(ValueError, "ranks", [0]):
        planted_contexts(ToyConfig(pairs={}), [0], 5)
