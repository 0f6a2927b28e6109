"""The numbers of the chapter on robustness: all that its prose uses and no more, and each follows from its data."""

from dataclasses import replace

import numpy as np
import pytest

from svf_helpers.chapters.robustness.numbers import numbers
from svf_helpers.experiments import load
from tests.prose import names_in_prose

NAMES = ("robustness", "phase-map", "shared-vectors")
ZONES = {"below": [0, 1], "between": [1, 2], "above": [2, 12]}  # columns of the map


def live(**changes):
    """What the chapter computes as it runs; here in round numbers."""
    zones = {}
    for name, (first, end) in ZONES.items():
        zones[name] = np.zeros((12, 12, 2), dtype=bool)
        zones[name][:, first:end] = True
    when = np.tile(np.arange(1000.0, 8000, 1000)[:, None], 5) + 10 * np.arange(5)
    given = {"ratios": [4.0, 6.0], "zones": zones, "fair": np.linspace(0.1, 1.2, 12), "fair_rare": 2.0,
             "crossing": 0.123, "rebuilt": np.zeros(10), "attention": np.zeros(10), "when": when,
             "clock": np.arange(1.0, 8)}
    return given | changes


def changed(name, **arrays):
    """The stored results, one of them with other arrays."""
    results = [load(one) for one in NAMES]
    return [replace(one, arrays=one.arrays | arrays) if one.info["name"] == name else one for one in results]


def stored(name, key):
    return load(name)[key].copy()


def told(results=None, **changes):
    return numbers(*(results or [load(name) for name in NAMES]), **live(**changes))


def differences(results=None, **changes):
    """Names of the numbers that a change of the data changes."""
    before, after = told(), told(results, **changes)
    return {name for name in before if before[name] != after[name]}


def test_the_names_are_those_of_the_prose():
    assert set(told()) == names_in_prose("robustness")


def test_the_table_says_what_was_run():
    found, config = told(), load("robustness").info["config"]
    assert found["range-n"] == ", ".join(map(str, config["swept"]["n"]))
    assert (found["default-lam"], found["range-d"], found["steps-d"]) == ("4", "not varied", "–")
    assert found["steps-p"] == "40,000"
    assert found["targets"].startswith("(0, 4): 24, ")


def test_failures_are_runs_with_one_feature_at_the_limit_or_below():
    """Counted over every feature apart, in a loop."""
    cosine, values = stored("robustness", "summary_p_cosine"), stored("robustness", "p_value")
    fails = [sum(any(c <= 0.95 for c in run.flat) for run in at) for at in cosine]
    found = told()
    assert [found["rare-failed"], found["rarest-failed"]] == [str(fails[5]), str(fails[6])]
    assert values[5:] == pytest.approx([0.0384, 0.02], abs=1e-4)
    assert found["often-all"] == f"{25 - sum(fails[:5])} of 25"


def test_one_bad_feature_fails_its_run_and_spoils_that_sweep():
    cosine = stored("robustness", "summary_lam_cosine")
    cosine[3, 2, 1, 0] = 0.95
    assert differences(changed("robustness", summary_lam_cosine=cosine)) == {"lam-failed", "raw-bound"}
    cosine = stored("robustness", "summary_c_cosine")
    cosine[0, 0, 0, 0] = 0.5
    found = differences(changed("robustness", summary_c_cosine=cosine))
    assert found == {"raw-bound", "whole-worst", "whole-runs"}  # c is no longer without failures


def test_the_default_model_counts_once():
    swept = load("robustness").info["config"]["swept"]
    points = {(name, value) for name in "nrc" for value in swept[name]}
    defaults = {("n", 20), ("r", 10), ("c", 4)}
    assert told()["whole-runs"] == str(5 * (len(points - defaults) + 1))


def test_five_seeds_without_a_failure():
    """With the share of the answer, five runs go well once in forty times."""
    share = float(told()["none-of-five"].removesuffix(" %")) / 100
    assert (1 - share) ** 5 == pytest.approx(0.025, rel=0.05)


def test_mixed_runs_are_split_at_the_edge_and_by_overlap():
    found = {name: int(text) for name, text in told().items() if name.startswith(("left-", "right-"))}
    assert found["left-apart"] + found["left-overlap"] == found["left-mixed"]
    cosines = stored("phase-map", "feature_cosine")
    cosines[...] = np.eye(8)
    after = told(changed("phase-map", feature_cosine=cosines))
    assert after["left-overlap"] == "0"
    for side in ("left", "right"):
        assert after[f"{side}-apart"] == after[f"{side}-mixed"] == str(found[f"{side}-mixed"])


def test_a_run_is_mixed_when_a_feature_lies_on_no_vector():
    best, by_rank = stored("phase-map", "summary_best"), stored("phase-map", "summary_cosine")
    column = 8  # lambda = 4
    orderly = best[:, column].min((-2, -1)) > 0.95
    assert orderly.any()
    best[:, column], by_rank[:, column] = 0.5, 0.5
    after = told(changed("phase-map", summary_best=best, summary_cosine=by_rank))
    assert int(after["right-mixed"]) == int(told()["right-mixed"]) + orderly.sum()
    assert after["left-mixed"] == told()["left-mixed"]


def test_zones_hold_the_runs_that_they_are_given():
    found = told()
    assert [found[f"zone-{name}"] for name in ZONES] == ["24", "24", "240"]
    shared = sum(int(found[f"shared-{name}"]) for name in ZONES)
    assert str(shared) == found["share-runs"]  # the three zones of this test are the whole map
    parts = [int(found[f"{kind}-below"]) for kind in ("own", "swapped", "shared", "other")]
    assert sum(parts) == 24
    assert min(parts) >= 0 < parts[0]


def test_stuck_runs_have_the_larger_loss():
    past = load("shared-vectors")
    pick = past["p"] == 0.14
    shares = np.array([len(set(row)) < 4 for row in past["vector"][pick, :, 0].tolist()])
    low = past["lam"][pick] == 0.2
    found = told(attention=np.where(shares, 2.0, 1.0))
    assert (found["stuck"], found["lower"]) == (f"{(low & shares).sum()} of {low.sum()}", "lower")
    assert differences(attention=np.where(shares, 2.0, 1.0)) == {"lower"}
    assert told(attention=np.where(shares, 1.0, 2.0))["lower"] == "not lower"


def test_prices_are_read_at_their_p():
    fair = np.linspace(0.1, 1.2, 12)
    p = load("phase-map")["p"]
    found = told(fair=fair)
    assert found["fair-14"] == f"{fair[np.argmin(abs(p - 0.14))]:.2f}"
    assert float(found["rare-times"]) == pytest.approx(4 / fair[np.argmin(abs(p - 0.038))], abs=0.5)
    assert (found["fair-rare"], found["fair-four"]) == ("2.0", "8")
    assert differences(fair_rare=3.0) == {"fair-rare", "fair-four"}


def test_steps_are_medians_over_the_runs_that_align():
    when = live()["when"]
    when[5] = [np.nan, 9000, 7000, np.nan, 8000]
    assert told(when=when)["rare-step"] == "8,000"
    found = told()
    assert (found["often-steps"], found["one-range"], found["quick-range"]) == (
        "1,020 to 4,020", "1,000 to 1,040", "4,000 to 4,040")
    assert found["often-factor"] == "50"  # meetings at p = 1 against p = .14
    assert [found[f"{name}-clock"] for name in ("some", "rare", "rarest")] == ["5", "6", "7"]


def test_failed_runs_share_a_vector():
    found = told()
    failed, share = map(int, found["failed-share"].split(" of ")[::-1])
    assert failed == int(found["rare-failed"]) + int(found["rarest-failed"])
    assert share == failed
    apart = stored("robustness", "p_vector")
    apart[...] = np.arange(4)[:, None]  # every pair on a vector of its own
    assert differences(changed("robustness", p_vector=apart)) == {"failed-share"}


def test_two_doublings_give_the_exponent():
    """Twice the steps for four times the lambda: the time grows with its square root."""
    assert told(ratios=[4.0, 4.0])["lam-exponent"] == "0.5"
    assert told(ratios=[1.9, 4.1])["lam-ratio"] == "2 to 4"


def test_only_failed_runs_at_small_p_are_asked_whether_they_still_move():
    fails = stored("robustness", "summary_p_cosine").min((-2, -1)) <= 0.95
    for k, moves in ((5, set()), (6, {"failed-late"})):
        along = stored("robustness", "along_cosine")
        seed = np.flatnonzero(fails[k] == bool(moves))[0]
        along[k, -1, seed] = 0.0
        assert differences(changed("robustness", along_cosine=along)) == moves
