"""What the chapter on the whitened basis says, held to the stored results within intervals."""

import numpy as np
import pytest

from svf_helpers.chapters.whitened.compared_bases import TAKEN
from svf_helpers.chapters.whitened.four_models import (
    CENTRED,
    PLAIN,
    SPLIT,
    SPLIT_WHITE,
    WHITE,
    above_null,
    four_models,
    of_all,
)
from svf_helpers.experiments import load


@pytest.fixture(scope="module")
def models():
    return four_models(*(load(f"bases-{name}") for name in ("pocket-gpt2", "pocket-pythia", "seeds")))


def test_whitening_helps_where_it_does_by_less_than_its_null(models):
    S, null, N = (of_all(models, what) for what in ("sparsity", "null", "n_sv"))
    gain, null_gain = (x[PLAIN].mean() - x[WHITE].mean() for x in (S, null))
    assert 0 < gain < 0.05
    assert null_gain > gain
    assert S[WHITE].mean() < null[WHITE].mean()
    for found in models.values():  # in no model is the change clear, by more than twice its standard error
        change = found["sparsity"][WHITE] - found["sparsity"][PLAIN]
        assert abs(change.mean()) < 2 * change.std(ddof=1) / len(change) ** 0.5
        assert -0.06 < change.mean() < 0.03
    assert np.nanmean(N[[SPLIT, SPLIT_WHITE]]) > 1.8 * max(np.nanmean(N[PLAIN]), np.nanmean(N[WHITE]))
    assert np.abs(S[CENTRED] - S[WHITE]).mean() < 0.02


def test_whitened_vectors_stand_out_more_often_and_already_before_training(models):
    end = sum(above_null(found).sum((1, 2)) for found in models.values())
    assert end[WHITE] > end[PLAIN] + 10
    start = above_null(load("bases-pocket-pythia"))[0].sum((1, 2))
    assert start[WHITE] >= start[PLAIN] + 2


def test_one_term_carries_most_of_it_in_a_basis_of_the_head_and_not_in_a_random_split(models):
    attention = of_all(models, "attention")
    left = (attention[:, TAKEN.index("first")] / attention[:, TAKEN.index("nothing")]).mean(-1)
    assert max(left[PLAIN], left[WHITE]) < 0.35
    assert min(left[SPLIT], left[SPLIT_WHITE]) > 0.55


@pytest.mark.parametrize(("name", "lowest"), [("pocket-gpt2", 0.95), ("pocket-pythia", 0.6)])
def test_a_thousand_tokens_are_enough_and_the_text_matters(name, lowest):
    result = load(f"bases-{name}")
    sizes, texts = (result.info["config"][what] for what in ("sizes", "texts"))
    same, of_text = result["size_same"].mean((1, 2, 3)), result["text_same"].mean((1, 2))
    assert (same[np.array(sizes) >= 1280] > 0.98).all()
    assert of_text[texts.index("task")] > 0.99
    assert of_text[texts.index("uniform")] > lowest
    assert of_text[texts.index("uniform")] == of_text.min()
