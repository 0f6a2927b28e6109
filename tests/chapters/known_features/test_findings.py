"""What the chapter on known features says, held to the stored results within intervals."""

import numpy as np
import pytest

from svf_helpers.chapters.kit.known_features import KINDS
from svf_helpers.chapters.known_features.both_models import (
    MODELS,
    attention_lost,
    attention_without,
    best_of_all,
    leaning,
    of_both,
)
from svf_helpers.chapters.known_features.significance import standing_out
from svf_helpers.experiments import load

QUERY, KEY = 0, 1
END, NAME, SAID, POSITION = (KINDS.index(kind) for kind in ("END", "name", "said before", "position"))


@pytest.fixture(scope="module")
def known():
    return load("known-features")


@pytest.fixture(scope="module")
def erased():
    return load("erased-features")


@pytest.fixture(scope="module")
def lost(erased):
    return attention_lost(erased)  # [sides, heads, kinds]


def test_leading_vectors_lean_to_known_features_and_do_not_align(known):
    cosine, null, _ = leaning(known, "weights")
    assert 0.42 < cosine.mean() < 0.58
    assert cosine.mean() - null.mean() > 0.12
    assert cosine.max() < 0.85


def test_patterns_come_closer_and_so_do_rotated_ones(known):
    reading, pattern = (leaning(known, "weights", way) for way in ("reading", "pattern"))
    assert (reading.cosine > 0.8).sum() == 0
    assert 3 <= (pattern.cosine > 0.8).sum() <= 10
    assert pattern.rotated.mean() > reading.rotated.mean() + 0.15


@pytest.mark.parametrize(("basis", "low", "high"), [("weights", 3, 9), ("whitened", 13, 21)])
def test_some_stand_out_after_correction(known, basis, low, high):
    assert low <= standing_out(known, basis).sum() <= high


@pytest.mark.parametrize("model", MODELS)
def test_single_names_do_not_hold_on_other_sentences(known, model):
    single, chosen, judged = best_of_all(known, model)
    assert judged[single].mean() < 0.75 * chosen[single].mean()


@pytest.mark.parametrize("model", MODELS)
def test_few_terms_carry_attention_and_the_same_ones_in_other_prompts(known, model):
    removed = known.info["config"]["removed"]
    attention = dict(zip(removed, known[f"{model}_attention_weights"].mean((1, 2)), strict=True))
    assert attention["top"] < 0.1 * attention["nothing"]
    assert attention["random"] > 0.7 * attention["nothing"]
    assert attention["all but top"] > 0.95 * attention["nothing"]
    assert attention["all but random"] < 0.4 * attention["nothing"]
    assert attention["fixed"] < 0.25 * attention["nothing"]
    right = dict(zip(removed, known[f"{model}_joint_correct_weights"].mean(-1)[:, -1], strict=True))
    assert right["nothing"] > 0.99
    assert right["all but top"] > 0.95
    assert right["top"] < 0.5 < right["random"]


def test_in_every_head_few_terms_carry_it(known):
    left = attention_without(known, "weights")
    assert (left["top"] < 0.5 * left["nothing"]).all()


@pytest.mark.parametrize("model", MODELS)
def test_random_splits_need_more_terms(known, model):
    ours, splits = known[f"{model}_n_sv_weights"], known[f"{model}_n_sv_splits"]
    assert splits[splits > 0].mean() > 2 * ours[ours > 0].mean()


def test_heads_depend_on_end_in_queries_and_on_name_in_keys(erased, lost):
    from_end = of_both(erased, "destination") == "END"
    on_name = np.isin(of_both(erased, "source"), ("S1", "S2", "IO"))
    assert (lost[QUERY, from_end, END] > 0.6).all()
    assert (lost[QUERY, from_end].argmax(-1) == END).all()
    assert (lost[KEY, on_name, NAME] > 0.5).all()
    assert (lost[KEY, on_name].argmax(-1) == NAME).all()
    assert np.abs(attention_lost(erased, "control")).mean() < 0.08
    assert lost[..., [KINDS.index(kind) for kind in ("said before", "named first", "place", "object")]].max() < 0.3


@pytest.mark.parametrize("model", MODELS)
def test_answers_depend_on_them_too(erased, model):
    right, control = (erased[f"{model}_{what}"].mean(-1) for what in ("correct", "correct_control"))
    assert (right[[QUERY, KEY], [END, NAME]] < 0.7).all()
    assert (control[[QUERY, KEY], [END, NAME]] > 0.8).all()


def test_heads_that_look_at_s2_do_not_need_said_before_and_differ(erased, lost):
    changes = -lost[KEY, of_both(erased, "source") == "S2", SAID]
    assert -0.25 < changes.min() < -0.05
    assert 0.15 < changes.max() < 0.5
    assert abs(changes.mean()) < 0.12


def test_head_0_3_of_pocket_gpt2_reads_the_position_not_the_repetition(known, lost):
    assert (known["gpt2_layer"][0], known["gpt2_head"][0]) == (0, 3)
    assert leaning(known, "weights").kind[0, KEY] == POSITION
    assert lost[KEY, 0, POSITION] > 2 * lost[KEY, 0, SAID]


def test_the_leading_vector_names_the_decisive_kind_more_often_than_not_and_often_not(known, lost):
    most, decisive = lost.argmax(-1), lost.max(-1) > 0.5
    agree = int((leaning(known, "weights").kind.T == most)[decisive].sum())
    assert 0.5 < agree / decisive.sum() < 0.8
    guess = sum(np.bincount(most[side][decisive[side]]).max() for side in (QUERY, KEY))
    assert guess > agree  # the commonest kind of each side, always, is right more often
