"""The numbers in the prose of the chapter on dynamics."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from svf_helpers.chapters.dynamics.numbers import numbers
from svf_helpers.experiments import load
from tests.prose import names_in_prose
from tests.results import changed

RESULT = load("dynamics")
STEP, FIRST = RESULT["step"], RESULT["cosine_query"][:, 0]
TARGETS = torch.tensor([24.0, 21.0, 18.0, 15.0])
IN_ORDER = np.array([True, False, True])


def factors(logit=1.0, length=1.0) -> dict[str, torch.Tensor]:
    """Stand-ins for the first seed's: logits and lengths that rise to these shares at step 1,000 and stay there."""
    rise = torch.tensor(np.minimum(STEP / 1000, 1))[:, None] * torch.ones(4)
    logits, lengths = logit * rise * TARGETS, length * rise
    return {"logit": logits, "product of lengths": lengths, "singular value": logits / lengths.clamp_min(1e-9)}


def found(result=RESULT, live=None, predicted=FIRST, in_order=IN_ORDER) -> dict[str, str]:
    return numbers(result, live or factors(), predicted, in_order)


def with_locks(*steps: int, seeds: int = 20):
    """The result if every pair of every seed locked at these steps, at once and for good."""
    cosine = np.tile((STEP[:, None] >= np.array(steps)).astype(np.float32)[:, None], (1, seeds, 1))
    return changed(RESULT, cosine_query=cosine, cosine_key=cosine)


def test_the_text_asks_for_exactly_these():
    assert names_in_prose("dynamics") == set(found())


def test_order_ties_and_leaders():
    rising = found(with_locks(100, 200, 300, 400))
    assert (rising["ordered"], rising["strict"], rising["lock-medians"]) == ("20", "20", "100, 200, 300, 400")
    assert rising["first-counts"] == "20, 0, 0, 0"
    tied = found(with_locks(100, 100, 300, 400))
    assert (tied["ordered"], tied["strict"], tied["first-counts"]) == ("20", "0", "20, 20, 0, 0")
    assert found(with_locks(400, 300, 200, 100))["ordered"] == "0"
    assert rising["passers"] == "0"


def test_a_pair_that_passes_and_falls_back_is_a_passer_not_locked():
    result = with_locks(100, 200, 300, 400)
    cosine = result["cosine_query"].copy()
    cosine[STEP == 5000, :10, 2] = 0.5  # the query side of ten seeds
    here = found(changed(RESULT, cosine_query=cosine, cosine_key=result["cosine_key"]))
    assert here["passers"] == f"{100 * 10 / 80:.0f}"
    assert here["ordered"] == "10"


def test_settled_before_the_vector_of_the_pair_before():
    late = with_locks(5000, 5000, 5000, 5000)
    sides = {}
    for side, when in (("query", [100, 5000, 200, 300]), ("key", [100, 400, 9000, 300])):
        settled = (STEP[:, None] >= np.array(when))[:, None]
        sides[f"feature_to_final_{side}"] = np.tile(np.where(settled, 0.96, 0.94).astype(np.float32), (1, 20, 1))
    here = found(replace(late, arrays=late.arrays | sides))
    assert (here["after"], here["own"]) == ("20 of 60", "60 of 80")  # pair 3 alone is late, pair 2 in time
    assert (here["settle-first"], here["settle-last"]) == ("20", "0")
    assert here["settle-medians"] == "100, 5,000, 9,000, 300"


def test_factors_are_read_at_their_steps():
    here = found(live=factors(logit=0.9, length=1.5))
    assert here["reached"] == "900"  # 80 % of the target is 8/9 of what is reached at step 1,000
    assert (here["fit-2000"], here["length-2000"], here["length-end"]) == ("90", "1.5", "1.50")
    assert here["sigma-2000"] == "14.4, 12.6, 10.8, 9.0"


def test_logits_that_arrive_apart_are_told_as_a_range():
    live = factors()
    live["logit"][STEP < 3000, 2] = 0
    assert found(live=live)["reached"] == "800 to 3,000"


def test_gaps_of_a_spectrum_made_by_hand():
    S = np.tile(np.array([24.0, 20.0, 16.0, 8.0, 0.0], np.float32), (len(STEP), 20, 1))
    S[STEP == 2000] = [10.3, 10.2, 10.0, 5.0, 0.0]
    here = found(changed(RESULT, S=S))
    assert (here["gap-first"], here["gap-early"], here["gap-end"]) == ("2", "1", "20")
    assert here["gap-targets"] == f"{100 * (21 / 18 - 1):.0f}"


def test_narrow_and_wide_gaps_are_told_apart():
    """Of all vectors with the narrow gap below, half are held; of those with a wide one, all but those of one rank."""
    S = np.tile(np.array([24.0, 20.0, 16.0, 8.0, 0.0], np.float32), (len(STEP), 20, 1))
    S[:, :10, 1] = 23.9  # in ten seeds the first two all but coincide, in the others the last two are 5 % apart
    S[:, 10:, 3] = 15.2
    held = np.ones((len(STEP), 20, 4), np.float32)
    held[:, :10, 0] = held[:, ::2, 3] = 0
    here = found(changed(RESULT, S=S, cosine_query=held, cosine_key=held))
    assert here["narrow"] == "50"
    assert (here["wide"], here["wide-least"]) == (f"{100 * 35 / 40:.0f}", "50")


def test_the_head_is_followed_from_step_3000_on():
    predicted = FIRST.copy()
    predicted[STEP < 3000] = 0
    assert found(predicted=predicted)["follow-error"] == "0.00"
    predicted[STEP == 3000, 1] -= 0.25
    assert found(predicted=predicted)["follow-error"] == "0.25"


def test_the_end_is_the_worst_pair_and_the_mean_spectrum():
    cosine, S = RESULT["summary_final_cosine"].copy(), RESULT["summary_final_S"].copy()
    cosine[3, 1, 0] = -0.875
    S[:, 4] = [0.5] * 10 + [1.0] * 10
    here = found(changed(RESULT, summary_final_cosine=cosine, summary_final_S=S))
    assert (here["final-cosine"], here["fifth-sigma"], here["wide-order"]) == ("0.875", "0.75", "2")
    assert [float(value) for value in here["final-sigma"].split(", ")] == pytest.approx(S[:, :4].mean(0), abs=0.06)
