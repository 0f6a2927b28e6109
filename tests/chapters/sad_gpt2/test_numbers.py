"""The numbers in the prose of the chapter on counts of terms: all there, and right."""


import numpy as np
import pytest
import torch

from svf_helpers.chapters.kit.circuits import heads_of
from svf_helpers.chapters.sad_gpt2.numbers import numbers
from svf_helpers.experiments import load
from svf_helpers.language_models.circuits import CircuitTable
from tests.prose import names_in_prose
from tests.results import changed, differing

POCKET = load("pocket-gpt2-ioi")
HEADS = len(heads_of(POCKET))
SHARES = torch.tensor([0.2, 0.45, 0.55, 0.8])
RISING, FALLING = (SHARES, torch.tensor([1, 3, 5, 90])), (SHARES, torch.tensor([70.0, 5.0, 4.0, 2.0]))


def effects(**of_heads):
    """A table of two layers with four heads; a head's effect is 0 where none is given, as ``L0H3=1.0``."""
    values = torch.zeros(2, 4)
    for name, value in of_heads.items():
        values[int(name[1]), int(name[3])] = value
    return values


def told(result=POCKET, **live):
    """The chapter's numbers from a stored result and small stand-ins for what its cells compute."""
    given = {
        "constant_shares": [0.1, 0.2, 0.3],
        "table": CircuitTable(
            torch.zeros(2, 4, 7), effects(L0H3=0.5), effects(L0H3=6, L1H2=2, L1H0=-3), effects(L1H0=4), 7.0, 1.0
        ),
        "ours": [2.0, 1.5, 3.0],
        "random": [[9.0, 11.0], [1.0, 5.0], [6.0, 4.0]],
        "by_way": {"N_sv": {"a": RISING, "b": FALLING}, "mS": {"a": FALLING, "b": FALLING}},
    }
    return numbers(result, POCKET, **given | live)


def test_every_number_of_the_prose_is_there_and_no_other():
    used = names_in_prose("sad_gpt2")
    found = told()
    assert set(found) == used
    assert all(isinstance(value, str) and value for value in found.values())


def test_counts_are_of_cases_in_which_a_head_attends():
    by_hand = [int(n) for head in range(HEADS) for n, rho in zip(
        POCKET["summary_n_sv_weights"][-1, head], POCKET["relative"][-1, head], strict=True) if rho > 0]
    found = told()
    assert found["median"] == f"{sorted(by_hand)[len(by_hand) // 2]}"
    assert found["four"] == f"{100 * sum(n <= 4 for n in by_hand) / len(by_hand):.0f}"
    assert found["largest"] == str(max(by_hand))
    cases = POCKET["relative"][-1].size
    assert found["not"] == f"{100 * (cases - len(by_hand)) / cases:.0f}"


def test_a_case_without_attention_counts_for_nothing():
    counts = POCKET["summary_n_sv_weights"].copy()
    counts[POCKET["relative"] <= 0] = 999
    assert told(changed(POCKET, summary_n_sv_weights=counts)) == told()


@pytest.mark.parametrize(
    ("array", "names"),
    [
        ("correct", {"right"}),
        ("summary_logit_difference", {"difference"}),
        ("summary_null_weights", {"below-null"}),
        ("summary_n_sv_whitened", {"white-median", "white-four", "white-more", "white-fewer"}),
    ],
)
def test_another_result_changes_its_own_numbers(array, names):
    other = np.zeros_like(POCKET[array])
    assert differing(told(), told(changed(POCKET, **{array: other}))) == names


def test_equal_counts_are_neither_more_nor_fewer():
    found = told(changed(POCKET, summary_n_sv_whitened=POCKET["summary_n_sv_weights"]))
    assert (found["white-more"], found["white-fewer"], found["white-median"]) == ("0", "0", found["median"])


def test_the_one_sided_head_is_the_one_that_attends_in_no_abba_prompt():
    positive = [[rho > 0 for rho, kind in zip(row, POCKET["order"], strict=True) if kind == "BABA"]
                for row in POCKET["relative"][-1]]
    found, head = told(), heads_of(POCKET)[2]
    assert found["one-sided"] == f"{head.layer}.{head.head}"
    assert (found["one-sided-abba"], found["one-sided-baba"]) == ("0", f"{100 * np.mean(positive[2]):.0f}")


def test_the_words_follow_the_numbers():
    many = np.full_like(POCKET["summary_n_sv_weights"], 9)
    found = told(changed(POCKET, summary_n_sv_weights=many))
    assert found["few"].startswith("Unlike in the paper")
    assert (found["median"], found["four"], found["median-range"]) == ("9", "0", "9")
    assert found["white-fewer"] == "100"
    everywhere = changed(POCKET, relative=np.ones_like(POCKET["relative"]))
    assert told(everywhere)["empty"].startswith("Every head has ρ > 0")
    assert told(everywhere)["not"] == "0"
    assert "4.0 in ABBA" in told()["empty"]


def test_effects_name_their_heads():
    found = told()
    assert (found["main-direct"], found["main-total"], found["main-difference"]) == ("0.5", "6.0", "7.0")
    assert (found["second"], found["second-total"]) == ("1.2", "2.0")
    assert (found["against"], found["against-total"], found["against-surprise"]) == ("1.0", "3.0", "4.0")


def test_heads_in_which_random_directions_do_as_well_are_named():
    found = told()
    assert (found["ours"], found["random"]) == ("1.5 to 3.0", "3.0 to 10.0")
    second = heads_of(POCKET)[1]
    assert found["overlap"] == f"one of two random splits or more needs as few in {second.layer}.{second.head}"
    assert told(random=[[9.0], [9.0], [9.0]])["overlap"] == "no random split of any head needs as few"


def test_the_constant_is_told_with_its_head():
    found = told(constant_shares=[0.02, 0.31, 0.1])
    second = heads_of(POCKET)[1]
    assert (found["constant-low"], found["constant-high"]) == ("2", "31")
    assert found["constant-high-head"] == f"{second.layer}.{second.head}"


def test_trends_are_rank_correlations_and_means_are_split_at_half():
    found = told()
    assert found["trend-N"] == "+1.0 and -1.0"  # of ranks: neither curve is straight
    assert found["trend-S"] == "-1.0 and -1.0"
    assert (found["low-N"], found["high-N"]) == ("19.8", "25.2")  # of 1, 3, 70, 5 and of 5, 90, 4, 2
    tied = (SHARES, torch.tensor([1, 2, 2, 1]))
    assert told(by_way={"N_sv": {"a": tied}, "mS": {"a": tied}})["trend-N"] == "+0.0"
