"""What the chapters on known features and on the whitened basis say, held to the stored results within intervals."""

import numpy as np
import pytest

from svf_helpers.chapters.kit.known_features import KINDS
from svf_helpers.chapters.whitened.compared_bases import COMPARED, TAKEN
from svf_helpers.experiments import load

SHORT, READING, PATTERN, KIND_FAMILY = ("gpt2", "pythia"), 0, 1, 1
PLAIN, WHITE, CENTRED, SPLIT, SPLIT_WHITE = range(len(COMPARED))


@pytest.fixture(scope="module")
def known():
    return load("known-features")


@pytest.fixture(scope="module")
def erased():
    return load("erased-features")


@pytest.fixture(scope="module")
def models():
    small, large, again = (load(f"bases-{name}") for name in ("pocket-gpt2", "pocket-pythia", "seeds"))
    names = [name for name in small.arrays if name.startswith("summary") or name.startswith("cosine")]
    found = {"gpt2": {name: small[name][-1] for name in names}, "pythia": {name: large[name][-1] for name in names}}
    return found | {f"seed {seed}": {name: again[f"seed{seed}_{name}"][-1] for name in names}
                    for seed in again.info["config"]["seeds"]}


def holm(p, level=0.05):
    held = 0
    for number, value in enumerate(np.sort(p, axis=None)):
        if value > level / (p.size - number):
            return held
        held += 1
    return held


def stand_out(known, short, basis):
    judged = known[f"{short}_cosine_{basis}"][:, :, READING, KIND_FAMILY]
    null = known[f"{short}_rotated_{basis}"][:, :, READING, KIND_FAMILY].astype(float)
    return holm((1 + (null >= judged[..., None]).sum(-1)) / (1 + null.shape[-1]))


def test_leading_vectors_lean_to_known_features_and_do_not_align(known):
    cosines = np.concatenate([known[f"{short}_cosine_weights"] for short in SHORT])[:, :, READING, KIND_FAMILY]
    null = np.concatenate([known[f"{short}_rotated_weights"] for short in SHORT])[:, :, READING, KIND_FAMILY]
    assert 0.42 < cosines.mean() < 0.58
    assert cosines.mean() - null.astype(float).mean() > 0.12
    assert cosines.max() < 0.85


def test_patterns_come_closer_and_so_do_rotated_ones(known):
    cosines = np.concatenate([known[f"{short}_cosine_weights"] for short in SHORT])[..., KIND_FAMILY]
    null = np.concatenate([known[f"{short}_rotated_weights"] for short in SHORT])[..., KIND_FAMILY, :].astype(float)
    above, of_null = (cosines > 0.8).sum((0, 1)), null.mean((0, 1, 3))
    assert above[READING] == 0
    assert 3 <= above[PATTERN] <= 10
    assert of_null[PATTERN] > of_null[READING] + 0.15


@pytest.mark.parametrize(("basis", "low", "high"), [("weights", 3, 9), ("whitened", 13, 21)])
def test_some_stand_out_after_correction(known, basis, low, high):
    assert low <= sum(stand_out(known, short, basis) for short in SHORT) <= high


def test_single_names_do_not_hold_on_other_sentences(known):
    for short in SHORT:
        names, where = known[f"{short}_feature_names"], known[f"{short}_feature_weights"][:, :, READING, 0]
        single = ~np.isin(names[where], KINDS)
        assert single.any()
        chosen, judged = (
            np.take_along_axis(known[f"{short}_{when}_weights"][:, :, READING], where[..., None], -1)[..., 0][single]
            for when in ("chosen", "judged")
        )
        assert judged.astype(float).mean() < 0.75 * chosen.astype(float).mean()


@pytest.mark.parametrize("short", SHORT)
def test_few_terms_carry_attention_and_the_same_ones_in_other_prompts(known, short):
    removed = known.info["config"]["removed"]
    attention = dict(zip(removed, known[f"{short}_attention_weights"].mean((1, 2)), strict=True))
    assert attention["top"] < 0.1 * attention["nothing"]
    assert attention["random"] > 0.7 * attention["nothing"]
    assert attention["all but top"] > 0.95 * attention["nothing"]
    assert attention["all but random"] < 0.4 * attention["nothing"]
    assert attention["fixed"] < 0.25 * attention["nothing"]
    right = dict(zip(removed, known[f"{short}_joint_correct_weights"].mean(-1)[:, -1], strict=True))
    assert right["nothing"] > 0.99
    assert right["all but top"] > 0.95
    assert right["top"] < 0.5 < right["random"]


@pytest.mark.parametrize("short", SHORT)
def test_random_splits_need_more_terms(known, short):
    ours, splits = known[f"{short}_n_sv_weights"], known[f"{short}_n_sv_splits"]
    assert splits[splits > 0].mean() > 2 * ours[ours > 0].mean()


def test_heads_depend_on_end_in_queries_and_on_name_in_keys(erased):
    end, name = KINDS.index("END"), KINDS.index("name")
    for short in SHORT:
        before = erased[f"{short}_before"].mean(-1)
        lost = 1 - erased[f"{short}_attention"].mean(-1) / before  # [sides, kinds, heads]
        control = 1 - erased[f"{short}_control"].mean(-1) / before
        from_end = erased[f"{short}_destination"] == "END"
        on_name = np.isin(erased[f"{short}_source"], ("S1", "S2", "IO"))
        assert (lost[0][end, from_end] > 0.6).all()
        assert (lost[0].argmax(0)[from_end] == end).all()
        assert (lost[1][name, on_name] > 0.5).all()
        assert (lost[1].argmax(0)[on_name] == name).all()
        assert np.abs(control).mean() < 0.08
        others = [KINDS.index(kind) for kind in ("said before", "named first", "place", "object")]
        assert lost[:, others].max() < 0.3
        assert (erased[f"{short}_correct"].mean(-1)[[0, 1], [end, name]] < 0.7).all()
        assert (erased[f"{short}_correct_control"].mean(-1)[[0, 1], [end, name]] > 0.8).all()


def test_heads_that_look_at_s2_do_not_need_said_before_and_differ(erased):
    said, changes = KINDS.index("said before"), []
    for short in SHORT:
        lost = 1 - erased[f"{short}_attention"][1, said].mean(-1) / erased[f"{short}_before"].mean(-1)
        changes += (-lost[erased[f"{short}_source"] == "S2"]).tolist()
    assert -0.25 < min(changes) < -0.05
    assert 0.15 < max(changes) < 0.5
    assert abs(np.mean(changes)) < 0.12


def test_head_0_3_of_pocket_gpt2_reads_the_position_not_the_repetition(known, erased):
    kind = int(known["gpt2_feature_weights"][0, 1, READING, KIND_FAMILY])
    assert (KINDS[kind], known["gpt2_layer"][0], known["gpt2_head"][0]) == ("position", 0, 3)
    lost = 1 - erased["gpt2_attention"][1, :, 0].mean(-1) / erased["gpt2_before"][0].mean()
    assert lost[KINDS.index("position")] > 2 * lost[KINDS.index("said before")]


def test_the_leading_vector_names_the_decisive_kind_more_often_than_not_and_often_not(known, erased):
    agree = total = 0
    kinds = [[], []]
    for short in SHORT:
        lost = 1 - erased[f"{short}_attention"].mean(-1) / erased[f"{short}_before"].mean(-1)
        chosen = known[f"{short}_feature_weights"][:, :, READING, KIND_FAMILY].T
        decisive = lost.max(1) > 0.5
        agree += int((chosen == lost.argmax(1))[decisive].sum())
        total += int(decisive.sum())
        for side in range(2):
            kinds[side] += lost.argmax(1)[side][decisive[side]].tolist()
    guess = sum(np.bincount(of_side).max() for of_side in kinds)
    assert 0.5 < agree / total < 0.8
    assert guess > agree  # the commonest kind of each side, always, is right more often


def test_whitening_helps_where_it_does_by_less_than_its_null(models):
    S, null, N = (np.concatenate([found[f"summary_{what}"] for found in models.values()], 1)
                  for what in ("sparsity", "null", "n_sv"))
    gain, null_gain = (x[PLAIN].mean() - x[WHITE].mean() for x in (S, null))
    assert 0 < gain < 0.05
    assert null_gain > gain
    assert S[WHITE].mean() < null[WHITE].mean()
    for found in models.values():  # in no model is the change clear, by more than twice its standard error
        change = found["summary_sparsity"][WHITE] - found["summary_sparsity"][PLAIN]
        assert abs(change.mean()) < 2 * change.std(ddof=1) / len(change) ** 0.5
        assert -0.06 < change.mean() < 0.03
    splits = np.nanmean(N[[SPLIT, SPLIT_WHITE]])
    assert splits > 1.8 * max(np.nanmean(N[PLAIN]), np.nanmean(N[WHITE]))
    assert np.abs(S[CENTRED] - S[WHITE]).mean() < 0.02


def test_whitened_vectors_stand_out_more_often_and_already_before_training(models):
    above = [(found["cosine"] > found["cosine_high"])[:, :, :, READING, KIND_FAMILY].sum((1, 2))
             for found in models.values()]
    plain, white = (int(sum(counts[b] for counts in above)) for b in (PLAIN, WHITE))
    assert white > plain + 10
    large = load("bases-pocket-pythia")
    start = (large["cosine"] > large["cosine_high"])[0][:, :, :, READING, KIND_FAMILY].sum((1, 2))
    assert start[WHITE] >= start[PLAIN] + 2


def test_one_term_carries_most_of_it_in_a_basis_of_the_head_and_not_in_a_random_split(models):
    attention = np.concatenate([found["summary_attention"] for found in models.values()], 2)
    first, none = TAKEN.index("first"), TAKEN.index("nothing")
    left = (attention[:, first] / attention[:, none]).mean(-1)
    assert max(left[PLAIN], left[WHITE]) < 0.35
    assert min(left[SPLIT], left[SPLIT_WHITE]) > 0.55


def test_a_thousand_tokens_are_enough_and_the_text_matters():
    for name, lowest in (("pocket-gpt2", 0.95), ("pocket-pythia", 0.6)):
        result = load(f"bases-{name}")
        sizes, same = np.array(result.info["config"]["sizes"]), result["size_same"].mean((1, 2, 3))
        assert (same[sizes >= 1280] > 0.98).all()
        texts = result.info["config"]["texts"]
        of_text = result["text_same"].reshape(len(texts), -1).mean(1)
        assert of_text[texts.index("task")] > 0.99
        assert of_text[texts.index("uniform")] > lowest
        assert of_text[texts.index("uniform")] == of_text.min()
