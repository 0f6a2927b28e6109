"""The numbers in the prose of the chapter on many pairs."""


import numpy as np
import pytest
import torch

from svf_helpers.chapters.many_pairs.numbers import numbers
from svf_helpers.chapters.many_pairs.sharing import sharing
from svf_helpers.experiments import load
from tests.prose import names_in_prose
from tests.results import changed

MANY, SHARED = load("many-pairs"), load("shared-vectors")
LIVE = torch.tensor([0.01, 0.03, 0.02]), torch.tensor([0.001, 0.002, 0.004])  # of each seed: misfit, difference


def found(many=MANY, shared=SHARED) -> dict[str, str]:
    return numbers(many, shared, *LIVE)


def differing(new: dict[str, str]) -> dict[str, str]:
    old = found()
    return {name: text for name, text in new.items() if text != old[name]}


def test_the_text_asks_for_exactly_these():
    assert names_in_prose("many_pairs") == set(found())


def test_of_what_was_fitted_the_worst_seed_is_told():
    assert (found()["misfit"], found()["rebuilt"]) == ("0.030", "0.40")


def test_overlaps_by_plain_loops_over_features():
    largest = {"among": 0.0, "others": 0.0}
    for W in MANY["W"].astype(float):
        kept = [i for i in range(100) if np.linalg.norm(W[:, i]) > 0.5]
        for i in range(40):
            for j in kept:
                if i != j:
                    name = "among" if j < 40 else "others"
                    cosine = abs(W[:, i] @ W[:, j]) / np.linalg.norm(W[:, i]) / np.linalg.norm(W[:, j])
                    largest[name] = max(largest[name], cosine)
    assert {name: float(found()[name]) for name in largest} == pytest.approx(largest, abs=6e-5)


def test_a_dropped_feature_counts_neither_as_kept_nor_as_overlapping():
    W = MANY["W"].copy()
    W[0, :, 40:] = 0.01 * W[0, :, :1]  # all others of the first seed along feature 0, and short
    assert set(differing(found(changed(MANY, W=W)))) <= {"others-kept", "others"}
    assert found(changed(MANY, W=W))["others-kept"].startswith("0 to ")
    assert float(found(changed(MANY, W=W))["others"]) <= float(found()["others"])


def test_a_pair_off_its_vector_lowers_both_counts_of_alignment():
    cosine = MANY["summary_cosine"].copy()
    cosine[1, 7, 1] = 0.4  # the sign is dropped, one side is enough
    new = differing(found(changed(MANY, summary_cosine=cosine)))
    assert new == {"good": "59 of 60", "worst": "0.400"}


def test_a_singular_value_off_its_target_is_seen_in_any_seed():
    S = MANY["summary_S"].copy()
    S[2, 19] += 0.5
    new = differing(found(changed(MANY, summary_S=S)))
    assert list(new) == ["sigma-off"]
    assert float(new["sigma-off"]) == pytest.approx(0.5, abs=0.05)


def test_sharing_by_counting_vectors():
    runs = sharing(SHARED)
    for k, vectors in enumerate(SHARED["vector"][:, :, 0]):
        assert runs.shares[k] == (len(set(vectors.tolist())) < 4)
        lengths = np.sqrt((SHARED["W"][k].astype(float) ** 2).sum(0))
        assert runs.kept[k] == (lengths > 0.5).sum()
    assert (runs.by_any >= runs.by_rank - 1e-6).all()


def test_runs_are_told_apart_by_weight_and_by_probability():
    """Let all runs share but one at the large weight: the counts then say how many runs each sentence speaks of."""
    heavy = SHARED["lam"] == 0.2
    apart = int(np.flatnonzero(~heavy & ~sharing(SHARED).shares & (sharing(SHARED).by_rank > 0.95))[0])
    vector = np.zeros_like(SHARED["vector"])
    vector[apart] = SHARED["vector"][apart]
    new = found(shared=changed(SHARED, vector=vector))
    sparse, light = (heavy & (SHARED["p"] < 0.5)).sum(), (~heavy).sum()
    assert new["low-shared"] == f"{sparse} of {sparse}"
    assert new["high-shared"] == f"{light - 1} of {light}"
    assert new["alive-own"] == str(sharing(SHARED).kept[apart])


def test_one_run_more_that_misses_the_vector_of_its_rank():
    runs = sharing(SHARED)
    sparse = (SHARED["lam"] == 0.2) & (SHARED["p"] < 0.5)
    k = int(np.flatnonzero(sparse & (runs.by_rank > 0.95) & ~runs.shares)[0])
    cosine = SHARED["summary_cosine_rank"].copy()
    cosine[k, 2, 1] = 0.1
    new = found(shared=changed(SHARED, summary_cosine_rank=cosine))
    before, of = found()["low-rank"].split(" of ")
    assert new["low-rank"] == f"{int(before) - 1} of {of}"
    assert new["low-best"] == found()["low-best"]
