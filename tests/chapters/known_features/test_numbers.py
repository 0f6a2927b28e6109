"""The numbers in the prose of the chapter on known features: all of them, and each the one that its name says."""

import numpy as np
import pytest
import torch

from svf_helpers.chapters.kit.known_features import KINDS, known_features
from svf_helpers.chapters.kit.leading_terms import Sample
from svf_helpers.chapters.known_features import both_models as both
from svf_helpers.chapters.known_features.figures import answers_table, kinds_table
from svf_helpers.chapters.known_features.numbers import numbers
from svf_helpers.chapters.known_features.one_head import kind_cosines, leave_out, lengths_of_effect
from svf_helpers.chapters.known_features.significance import holm, p_values, standing_out
from svf_helpers.experiments import load
from svf_helpers.pocket.facts import facts
from tests.prose import names_in_prose
from tests.refusals import refuses
from tests.results import changed, differing

QUERY, KEY, READING, ALONE = 0, 1, 0, 1


@pytest.fixture(scope="module")
def result():
    return load("known-features")


@pytest.fixture(scope="module")
def erased():
    return load("erased-features")


@pytest.fixture(scope="module")
def table():
    return facts(120, "numbers", "train")


@pytest.fixture(scope="module")
def measured(table):
    """Sentences with tokens that no model has seen, of the right shape: enough for what is computed from them."""
    features = known_features(table)
    draw = torch.Generator().manual_seed(0)
    tokens = torch.randn(int(features.tokens.sum()), 6, generator=draw, dtype=torch.double)
    directions = torch.randn(6, len(features.names), generator=draw, dtype=torch.double)
    return Sample(features, {0: tokens}, {0: directions})


@pytest.fixture(scope="module")
def found(result, erased, table, measured):
    return made(result, erased, table, measured)


def made(result, erased, table, measured):
    cosines = dict.fromkeys(KINDS, 0.25)
    return numbers(result, erased, table=table, measured=measured, then=cosines | {"said before": 0.84}, now=cosines)


def step_by_step(p, level=0.05):
    """Holm's procedure as it is told: the smallest first, each against what is left, until one does not hold."""
    held = np.zeros(p.size, dtype=bool)
    for done, at in enumerate(np.argsort(p, axis=None)):
        if p.ravel()[at] > level / (p.size - done):
            break
        held[at] = True
    return held.reshape(p.shape)


def test_the_names_are_those_of_the_prose(found):
    assert set(found) == names_in_prose("known_features")
    assert all(isinstance(value, str) and value for value in found.values())


def test_sides_that_stand_out_are_counted_as_holm_does(result, found):
    for key, basis in (("plain", "weights"), ("white", "whitened")):
        counts = {0: 0, 1: 0, -1: 0}
        for short in ("gpt2", "pythia"):
            judged = result[f"{short}_cosine_{basis}"][:, :, READING, ALONE]
            null = result[f"{short}_rotated_{basis}"][:, :, READING, ALONE].astype(float)
            p = np.array([[(1 + sum(null[h, s] >= judged[h, s])) / 1001 for s in range(2)] for h in range(len(judged))])
            for off in counts:
                counts[off] += step_by_step(p + off * np.sqrt(p * (1 - p) / 1000)).sum()
        assert found[f"held-{key}"] == str(counts[0])
        assert found[f"held-{key}-range"] == f"{counts[1]} to {counts[-1]}"


def test_holms_procedure_on_any_values():
    draw = np.random.default_rng(0)
    for size in (1, 2, 7, 40):
        for _ in range(20):
            p = draw.uniform(size=size) ** 4
            np.testing.assert_array_equal(holm(p), step_by_step(p))
    assert holm(np.array([[0.01, 0.5], [0.012, 0.6]])).tolist() == [[True, False], [True, False]]
    assert p_values(np.array([0.5]), np.array([[0.5, 0.4]])).tolist() == [pytest.approx(2 / 3)]  # a tie does as well


def test_heads_that_matter_are_counted_one_by_one(result, erased, found):
    agree = misses = decisive = guess = 0
    held = standing_out(result, "weights")
    held_misses, kinds, row = 0, {QUERY: [], KEY: []}, 0
    for short in ("gpt2", "pythia"):
        for h in range(len(erased[f"{short}_layer"])):
            for side in (QUERY, KEY):
                lost = [1 - erased[f"{short}_attention"][side, k, h].mean() / erased[f"{short}_before"][h].mean()
                        for k in range(len(KINDS))]
                if max(lost) <= 0.5:
                    continue
                decisive += 1
                kinds[side].append(int(np.argmax(lost)))
                same = result[f"{short}_feature_weights"][h, side, READING, ALONE] == np.argmax(lost)
                agree += same
                misses += not same
                held_misses += not same and held[row, side]
            row += 1
    guess = sum(max(map(of.count, of)) for of in kinds.values())
    counts = {"decisive": decisive, "agree-plain": agree, "misses": misses, "held-misses": held_misses, "guess": guess}
    assert {name: found[name] for name in counts} == {name: str(count) for name, count in counts.items()}


def test_a_change_in_one_place_changes_its_numbers_and_no_others(result, erased, table, measured, found):
    def without_end(attention):  # END, taken out of queries, ends the attention of the first head
        attention[QUERY, KINDS.index("END"), 0] = 0
        return attention

    now = made(result, changed(erased, gpt2_attention=without_end), table, measured)
    assert differing(found, now) <= {"end-lost", "largest-mean"}
    assert int(now["end-lost"]) > int(found["end-lost"])

    def no_answers(right):
        right[result.info["config"]["removed"].index("top"), -1] = 0
        return right

    now = made(changed(result, pythia_joint_correct_weights=no_answers), erased, table, measured)
    assert differing(found, now) == {"pythia-top"}
    assert now["pythia-top"] == "0.00"

    twice = made(changed(result, gpt2_n_sv_splits=lambda counts: 2 * counts), erased, table, measured)
    assert differing(found, twice) == {"gpt2-times"}
    assert float(twice["gpt2-times"]) == pytest.approx(2 * float(found["gpt2-times"]), abs=0.11)


def test_the_worst_head_is_named(result, erased, table, measured):
    def fixed_does_nothing(attention):
        attention[result.info["config"]["removed"].index("fixed"), 4] = attention[0, 4]
        return attention

    now = made(changed(result, pythia_attention_weights=fixed_does_nothing), erased, table, measured)
    layer, head = result["pythia_layer"][4], result["pythia_head"][4]
    assert now["fixed-worst"].startswith(f"pythia {layer}.{head} ")
    assert now["fixed-worst-att"] == now["fixed-worst-normal"]


def test_what_is_live_is_shown(found, table):
    assert (found["said-before-then"], found["said-before-now"]) == ("0.84", "0.25")
    ends = [token for row, end in zip(table.tokens, table.end, strict=True) if end >= 0 for token in [row[end]]]
    assert found["end-words"] == str(len(set(ends)))
    assert found["end-share"] == f"{100 * max(map(ends.count, ends)) / len(ends):.0f}"


def test_effects_are_those_of_least_squares(table, measured):
    """A token that is made of two known effects: said before counts 2, and every place 0.5 more than the one before."""
    features = measured.features
    value = features.value[features.tokens].double()
    tokens = 2 * value[:, [KINDS.index("said before")]] + 0.5 * value[:, [KINDS.index("position")]]
    lengths = lengths_of_effect("said before", Sample(features, {0: tokens}, {}), table)
    assert lengths["now"] == pytest.approx(2, abs=1e-6)
    assert lengths["all"] == pytest.approx(2, abs=1e-6)
    assert lengths["then"] > 2.5  # the position is not in the list: it goes to what comes late


def test_a_feature_left_out_takes_its_column_along(measured):
    features = measured.features
    fewer = leave_out(features, "END")
    assert "END" not in fewer.names
    assert torch.equal(fewer.value[..., 4:], features.value[..., 5:])
    assert torch.equal(fewer.among[..., :4], features.among[..., :4])
    with refuses(ValueError, "late", "name", "said before"):
        leave_out(features, "late")
    cosines = kind_cosines(measured.directions[0][:, 6], measured._replace(features=features), 0)
    assert list(cosines) == list(KINDS)
    assert max(cosines, key=cosines.get) == KINDS[6]


def test_tables_have_a_row_for_each_head_and_what_the_arrays_say(result):
    rows = kinds_table(result).splitlines()
    assert [row.split(" | ")[0].strip("| ") for row in rows[2:]] == both.head_labels(result)
    assert sum(row.count("**") for row in rows) == 2 * sum(standing_out(result, of).sum() for of in both.BASES.values())
    first = result["gpt2_cosine_weights"][0, KEY, READING, ALONE]
    kind = KINDS[result["gpt2_feature_weights"][0, KEY, READING, ALONE]]
    assert rows[2].split(" | ")[3].replace("*", "") == f"{kind} {first:.2f}"
    answers = answers_table(result).splitlines()
    jobs = sum(len(result[f"{short}_group_weights"]) for short in both.MODELS)
    assert len(answers) == 2 + jobs + 4
    right = result["pythia_joint_correct_split"].mean(-1)[:, -1]
    assert answers[-1] == "| pocket-pythia | split | all | " + " | ".join(f"{share:.2f}" for share in right) + " |"


def test_another_way_is_refused(result):
    with refuses(ValueError, "writing", "reading", "pattern"):
        both.leaning(result, "weights", "writing")
