"""The numbers in the prose of the chapter on the whitened basis: all of them, each the one that its name says."""

import re

import numpy as np
import pytest
import torch

from svf_helpers.chapters.whitened.compared_bases import COMPARED, TAKEN
from svf_helpers.chapters.whitened.figures import answers_table, measures_table
from svf_helpers.chapters.whitened.four_models import above_null, along_training, four_models
from svf_helpers.chapters.whitened.numbers import numbers
from svf_helpers.chapters.whitened.vectors import head_vectors
from svf_helpers.experiments import load
from svf_helpers.language_models import head_moments, load_model
from svf_helpers.language_models.moments import HeadMoments
from svf_helpers.pocket import pocket_prompts
from tests.prose import names_in_prose
from tests.results import changed, differing

PLAIN, WHITE, READING, ALONE = 0, 1, 0, 1


@pytest.fixture(scope="module")
def results():
    return tuple(load(f"bases-{name}") for name in ("pocket-gpt2", "pocket-pythia", "seeds"))


@pytest.fixture(scope="module")
def moments():
    """Queries of one length 2 along the first axis; in head 0.3 a quarter of their mean square is their mean's."""
    query, mean = torch.zeros(5, 4, 16, 16), torch.zeros(5, 4, 16)
    query[..., 0, 0], mean[0, 3, 0] = 4, 1
    return HeadMoments(query.double(), query.double(), 1_000, query_mean=mean.double())


@pytest.fixture(scope="module")
def found(results, moments):
    return numbers(*results, moments)


def pairs(results, what):
    """What a summary says of each head-pair of each model at the end of training, one after the other."""
    small, large, again = results
    arrays = [small[f"summary_{what}"][-1], large[f"summary_{what}"][-1]]
    arrays += [again[f"seed{seed}_summary_{what}"][-1] for seed in (1, 2)]
    return [array[..., h] for array in arrays for h in range(array.shape[-1])]


def test_the_names_are_those_of_the_prose(found):
    assert set(found) == names_in_prose("whitened")
    assert all(isinstance(value, str) and value for value in found.values())


def test_head_pairs_are_counted_one_by_one(results, found):
    S, null, N, attention = (pairs(results, what) for what in ("sparsity", "null", "n_sv", "attention"))
    first = TAKEN.index("first")
    counts = {
        "pairs": len(S),
        "white-sparser": sum(s[WHITE] < s[PLAIN] for s in S),
        "white-fewer": sum(n[WHITE] < n[PLAIN] for n in N),
        "margin-better": sum(z[WHITE] - s[WHITE] > z[PLAIN] - s[PLAIN] for s, z in zip(S, null, strict=True)),
        "first-better": sum(a[WHITE, first] < a[PLAIN, first] for a in attention),
    }
    assert {name: found[name] for name in counts} == {name: str(count) for name, count in counts.items()}
    splits = [n[b] for n in N for b, name in enumerate(COMPARED) if name.startswith("split") and not np.isnan(n[b])]
    assert float(found["split-N"]) == pytest.approx(np.mean(splits), abs=0.051)
    kept = np.mean([a[PLAIN, first] / a[PLAIN, TAKEN.index("nothing")] for a in attention])
    assert float(found["kept-plain"]) == pytest.approx(100 * kept, abs=0.51)


def test_sides_above_their_null(results, found):
    small, large, again = results
    places = [(small, ""), (large, ""), (again, "seed1_"), (again, "seed2_")]
    count = {PLAIN: 0, WHITE: 0}
    for result, prefix in places:
        for b in count:
            for h in range(result[f"{prefix}cosine"].shape[2]):
                for side in range(2):
                    at = (-1, b, h, side, READING, ALONE)
                    count[b] += result[f"{prefix}cosine"][at] > result[f"{prefix}cosine_high"][at]
    assert (found["above-plain"], found["above-white"]) == (str(count[PLAIN]), str(count[WHITE]))
    assert int(found["sides"]) == 2 * int(found["pairs"])
    never = changed(large, cosine=np.zeros_like)
    assert above_null(never).sum() == 0
    assert above_null(large, "pattern").sum() != above_null(large).sum()


def test_the_step_from_which_on_the_task_is_solved(results, found):
    large = results[1]
    right = large["summary_correct"][:, PLAIN, TAKEN.index("nothing")]
    solved = along_training(large).solved
    assert right[solved] > 0.9 >= right[:solved].max()
    assert found["solves"] == f"{large['step'][solved]:,}"


def test_changes_are_told_with_their_errors(results, moments, found):
    assert re.fullmatch(r"pocket-gpt2 \([+−]0\.\d{3} ± 0\.\d{3}\), pocket-pythia .*, pythia, seed 2 \(.*\)",
                        found["changes"])
    small, large, again = results

    def sparser(mean):  # heads differ by .01, which is a standard error of .01 / √3 for three of them
        def change(S):
            S[-1, WHITE] = S[-1, PLAIN] + mean + 0.01 * (np.arange(S.shape[-1]) - (S.shape[-1] - 1) / 2)
            return S

        return change

    clear = numbers(changed(small, summary_sparsity=sparser(-0.0148)), large, again, moments)  # 2.5 errors
    assert clear["clear"] == "pocket-gpt2"
    assert clear["changes"].startswith("pocket-gpt2 (−0.015 ± 0.006), ")  # of three heads
    not_clear = numbers(changed(small, summary_sparsity=sparser(0.0087)), large, again, moments)  # 1.5 errors
    assert not_clear["clear"] == found["clear"] == "none of them"
    assert not_clear["changes"].startswith("pocket-gpt2 (+0.009 ± 0.006), ")
    assert found["headline"] == "Whitening changes sparsity little, on average"
    much = [changed(result, **{name: sparser(-0.1) for name in result.arrays if name.endswith("summary_sparsity")})
            for result in results]
    assert numbers(*much, moments)["headline"] == "Whitening makes terms sparser, on average"
    assert numbers(*much, moments)["white-sparser"] == found["pairs"]


def test_a_change_in_one_place_changes_its_numbers_and_no_others(results, moments, found):
    small, large, again = results
    first, top = TAKEN.index("first"), TAKEN.index("top")

    def wrong(correct):
        correct[-1, WHITE, first] = 0
        return correct

    now = numbers(small, changed(large, summary_correct=wrong), again, moments)
    assert differing(found, now) == {"pythia-first-white"}

    def never_needed(correct):
        correct[-1, :, top] = 1
        return correct

    now = numbers(small, large, changed(again, seed1_summary_correct=never_needed), moments)
    assert (now["idle-seed"], now["idle-right"]) == ("1", "1.00")

    less = moments.query_mean.clone()
    less[0, 3, 0] = 0.4
    now = numbers(small, large, again, HeadMoments(moments.query, moments.key, 1_000, query_mean=less))
    assert (found["mean-share"], now["mean-share"]) == ("25", "4")
    assert differing(found, now) == {"mean-share"}


def test_enough_tokens_are_enough_in_both_models(results, moments, found):
    small, large, again = results
    sizes = large.info["config"]["sizes"]

    def late(same):  # in one model only the largest sample does
        same[:-1] = 0.5
        return same

    now = numbers(changed(small, size_same=late), large, again, moments)
    assert now["enough"] == f"{sizes[-1]:,}"
    enough = sizes.index(int(found["enough"].replace(",", "")))
    assert min(result["size_same"][enough].mean() for result in (small, large)) > 0.99
    assert min(result["size_same"][enough - 1].mean() for result in (small, large)) <= 0.99


def test_tables_have_what_the_arrays_say(results):
    models = four_models(*results)
    rows = measures_table(models).splitlines()
    assert len(rows) == 2 + 2 * len(models)
    N = np.nanmean(results[1]["summary_n_sv"][-1], 1)
    assert rows[5].split(" | ")[2:] == [f"{n:.1f}" for n in N[:-1]] + [f"{N[-1]:.1f} |"]
    answers = answers_table(models).splitlines()
    right = results[2]["seed2_summary_correct"][-1, COMPARED.index("split")]
    assert answers[-1] == "| pythia, seed 2 | split | " + " | ".join(f"{share:.2f}" for share in right) + " |"


@pytest.mark.parametrize("name", ["pocket-gpt2", "pocket-pythia"])
def test_a_heads_vectors_have_its_moments(name):
    model, prompts = load_model(name, device="cpu"), pocket_prompts(24)
    q, k = head_vectors(model, [prompts.tokens], 1, 2)
    gathered = head_moments(model, [prompts.tokens])
    torch.testing.assert_close(q.T @ q / len(q), gathered.query[1, 2].double())
    if name == "pocket-gpt2":  # keys of rotary heads are gathered over offsets
        k = k - k.mean(0)
        torch.testing.assert_close(k.T @ k / len(k), gathered.key[1, 2].double())
    last, _ = head_vectors(model, [prompts.tokens], 1, 2, at=slice(-1, None))
    torch.testing.assert_close(last, q.reshape(len(prompts), -1, q.shape[-1])[:, -1])
