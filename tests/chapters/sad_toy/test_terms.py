"""Terms of many heads at once: against one head's logits, and counts against the library's."""

import pytest
import torch

from svf_helpers.attention import n_sv, relative_attention
from svf_helpers.chapters.sad_toy.terms import largest_share, needed, terms_of_heads, weights_at, with_pairs
from svf_helpers.experiments import load
from svf_helpers.toy import ToyConfig
from tests.refusals import refuses

ALONG = load("dynamics")


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(("present", "choices"), [(0, 1), (1, 4), (2, 6), (4, 1)])
def test_every_choice_of_pairs_comes_equally_often(present, choices):
    config = ToyConfig()
    contexts = with_pairs(config, present, 12, generator())
    i, j = torch.tensor(config.ranked_pairs).T
    there = (contexts.query[:, i] > 0) & (contexts.keys[:, 0, j] > 0)
    assert (there.sum(1) == present).all()
    assert not contexts.keys[:, 1:, j].any()
    kinds, counts = there.unique(dim=0, return_counts=True)
    assert len(kinds) == choices
    assert (counts == 12 // choices).all()


def test_terms_sum_to_each_heads_relative_attention():
    contexts = with_pairs(ToyConfig(), 1, 8, generator())
    heads = [weights_at(ALONG, step) for step in (0, 4000)]
    both = [torch.cat([torch.tensor(w) for w in name]).double() for name in zip(*heads, strict=True)]
    terms = terms_of_heads(contexts, *(w.numpy() for w in both))
    assert terms.shape == (2, 8, 10)
    for head, (W, W_Q, W_K) in enumerate(zip(*both, strict=True)):
        for context in range(8):
            query, keys = W @ contexts.query[context].double(), contexts.keys[context].double() @ W.T
            logits = (query @ W_Q) @ (keys @ W_K).T
            assert float(terms[head, context].sum()) == pytest.approx(float(relative_attention(logits, 0)), abs=1e-9)


def test_counts_and_shares():
    terms = torch.randn(50, 10, generator=generator()).double()
    positive = terms[terms.sum(-1) > 0]
    assert torch.equal(needed(positive, 1 - 1e-9), n_sv(positive))
    assert (needed(positive, 0.5) <= needed(positive, 0.95)).all()
    assert largest_share(-terms).equal(largest_share(terms))


@pytest.mark.parametrize(("present", "count", "told"), [(2, 10, (10, 2, 6)), (5, 10, (5, 0))])
def test_contexts_that_cannot_be_shared_out_are_refused(present, count, told):
    with refuses(ValueError, *told):
        with_pairs(ToyConfig(), present, count)
