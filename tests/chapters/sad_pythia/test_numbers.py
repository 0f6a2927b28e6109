"""The numbers in the prose of the chapter on attention along training: all there, and right."""


import numpy as np
import pytest
import torch

from svf_helpers.attention import n_sv, sparsity
from svf_helpers.chapters.kit.circuits import heads_of
from svf_helpers.chapters.sad_pythia.numbers import carrying, numbers
from svf_helpers.chapters.sad_pythia.pocket_numbers import of_chance, of_ingredients, share_of_and
from svf_helpers.experiments import load
from svf_helpers.pocket import pocket_prompts, pocket_tokenizer
from tests.prose import names_in_prose
from tests.results import changed, differing

POCKET = load("pocket-pythia-ioi")
K, HEADS = POCKET["relative"].shape[:2]
STEPS = POCKET["step"]


def of_terms(shape=(3, 2, 8, 16)):
    """Stand-ins for what the chapter computes from checkpoints: terms, singular values, parts, chance."""
    generator = torch.Generator().manual_seed(0)
    singular = torch.rand(shape, generator=generator).double() + 0.1
    terms = singular * torch.randn(2, *shape, generator=generator).double().prod(0)
    parts = {name: sparsity(terms).numpy() for name in ("terms", "coordinates", "mismatched", "spectrum")}
    chance = torch.full(shape[:-1], 2.0).double()
    return {"terms": terms, "singular": singular, "parts": parts, "chance": chance, "most": torch.ones(shape[:-1])}


def told(result=POCKET, pocket=POCKET, **live):
    given = of_terms() | {
        "flat": 0.45,
        "four": np.array([3, 0]),
        "moved": {0: torch.tensor([4.0, 0, 0, 0]).repeat(4), 5: torch.ones(16)},
        "unmoved": torch.tensor([1.0, 1, 0, 0]).repeat(4),
        "turned": 4,
    }
    return numbers(result, pocket, **given | live)


def test_every_number_of_the_prose_is_there_and_no_other():
    used = names_in_prose("sad_pythia")
    found = told()
    assert set(found) == used
    assert all(isinstance(value, str) and value for value in found.values())


@pytest.mark.parametrize(
    ("array", "names"),
    [
        ("rotated_weights", {"turned-ranks", "carry-turned"}),
        ("summary_sparsity_offset", {"bases", "leads", "offset-gap"}),
        ("summary_null_whitened", {"bases", "leads", "white-null"}),
        ("summary_logit_difference", {"difference-moves"}),
        ("S_weights", {"rank-moves"}),
        ("summary_n_sv_weights", {"N-moves", "N-kept-moves", "N-zero-moves", "N-peak", "N-peak-step", "few-end"}),
    ],
)
def test_another_result_changes_its_own_numbers(array, names):
    """And nothing that is told of the bundled model, whose own result stays."""
    other = np.ones_like(POCKET[array])
    other[..., 0] = 0.4
    other[0] = 0.7
    assert differing(told(), told(changed(POCKET, **{array: other}))) == names


def test_the_bundled_models_own_numbers_follow_its_result_alone():
    blind = {name for name in told() if name.startswith("blind-") or name in ("end-rho", "white-lead", "plain-lead")}
    other = changed(POCKET, summary_sparsity_weights=np.flip(POCKET["summary_sparsity_weights"], 2) * 0.5)
    assert differing(told(), told(pocket=other)) == {"blind-S", "blind-S-not", "plain-lead"}
    assert {"blind-S", "plain-lead"} < blind
    assert not differing(told(), told(other)) & blind


def test_the_first_stage_ends_at_the_last_checkpoint_before_the_task_is_solved():
    rho = np.where(np.arange(HEADS)[:, None] < 3, 2.0, -1.0) * np.ones_like(POCKET["relative"])  # three heads attend
    S = np.where(rho > 0, 0.1, 0.3)
    S[0], S[-1] = 0.9, 0.0
    correct = np.broadcast_to((np.arange(K) >= 4)[:, None], POCKET["correct"].shape)
    found = told(pocket=changed(POCKET, relative=rho, summary_sparsity_weights=S, correct=correct))
    assert found["blind-step"] == f"{STEPS[3]:,}"
    assert (found["blind-accuracy"], found["blind-held"]) == ("0", f"{100 * 3 / HEADS:.0f}")
    assert (found["blind-S"], found["blind-S-not"]) == (f"{(0.3 + 0.3 * (HEADS - 3)) / HEADS:.2f}", "0.30")


def test_curves_are_told_by_their_ends():
    S = POCKET["summary_sparsity_weights"]
    first, last = (sum(S[k].flatten().tolist()) / S[k].size for k in (0, -1))
    assert told()["S-moves"] == f"falls from {first:.2f} to {last:.2f}"
    assert told(changed(POCKET, summary_sparsity_weights=S[::-1]))["S-moves"] == f"rises from {last:.2f} to {first:.2f}"


def test_counts_are_means_over_cases_in_which_heads_attend():
    counts, rho = POCKET["summary_n_sv_weights"], POCKET["relative"]
    by_hand = []
    for of_step, there in zip(counts, rho, strict=True):
        cases = [float(n) for n, r in zip(of_step.flatten(), there.flatten(), strict=True) if r > 0]
        by_hand.append(sum(cases) / len(cases))
    found = told()
    assert found["N-moves"].endswith(f"from {by_hand[0]:.1f} to {by_hand[-1]:.1f}")
    peak = max(range(K), key=lambda k: by_hand[k])
    assert (found["N-peak"], found["N-peak-step"]) == (f"{by_hand[peak]:.1f}", f"{int(STEPS[peak]):,}")
    spoiled = np.where(rho > 0, counts, 99)
    assert differing(found, told(changed(POCKET, summary_n_sv_weights=spoiled))) == {"N-zero-moves"}
    few = np.where(np.arange(K)[:, None, None] == 0, 9, np.ones_like(counts))
    assert told(changed(POCKET, summary_n_sv_weights=few))["N-verdict"] == "It falls, as in the paper"


@pytest.mark.parametrize(
    ("half", "solved", "words"),
    [(3, 5, "comes 2 checkpoints before half"), (5, 4, "comes 1 checkpoint after half"),
     (4, 4, "comes at the same checkpoint as half")],
)
def test_the_order_of_task_and_sparsity_is_told(half, solved, words):
    at = np.arange(K)
    S = np.broadcast_to(np.where(at < half, 0.8, 0.2)[:, None, None], POCKET["summary_sparsity_weights"].shape)
    correct = np.broadcast_to((at >= solved)[:, None], POCKET["correct"].shape)
    found = told(changed(POCKET, summary_sparsity_weights=S, correct=correct))
    assert words in found["relation"]
    assert found["S-half"] == f"has made half of its fall by step {STEPS[half]:,}"
    assert found["solved"] == f"by step {STEPS[solved]:,}"
    routes = {f"{head.destination}→{head.source}" for head in heads_of(POCKET)}
    assert found["route-halves"].count(f"by step {STEPS[half]:,}") == len(routes)


def test_what_never_falls_has_no_half():
    found = told(changed(POCKET, summary_sparsity_weights=np.full_like(POCKET["summary_sparsity_weights"], 0.3)))
    assert found["S-half"] == "never falls"
    assert found["relation"].startswith("One of the two never gets half-way")
    assert found["null-share"] == "none of the change of S"


def test_ranks_and_shares_of_single_terms():
    terms = np.zeros((2, HEADS, 16))
    terms[0] = 1  # at the start all of one size
    terms[1, :, 0] = 1
    terms[1, 3, 12] = -5  # one head whose largest term belongs to a small singular value
    found = told(changed(POCKET, terms_weights=terms, relative=POCKET["relative"], rotated_weights=terms))
    assert (found["not-first"], found["smallest"]) == ("1", "number 13 of 16")
    assert found["rank-verdict"] == "Such heads are here, too"
    assert found["carry"] == f"falls from 13.0 to {1:.1f}"  # 13 of 16 equal terms carry 80 %
    assert found["sparser-heads"] == str(HEADS)
    assert found["four-S"] == f"{(6**2 / 26) / 16:.2f} and {1 / 16:.2f}"  # of the heads named
    assert carrying(terms[0, :1], share=1.0).tolist() == [16]


def test_the_token_after_the_first_subject_is_looked_up():
    tokenizer, joined = pocket_tokenizer(), {"ABBA": [], "BABA": []}
    for prompt in pocket_prompts(20):
        joined[prompt.order].append(tokenizer.decode(prompt.tokens[prompt.roles["S1"] + 1]).strip() == "and")
    assert share_of_and(20) == {kind: sum(found) / len(found) for kind, found in joined.items()}
    assert len(set(share_of_and(20).values())) == 2


def test_counts_by_chance_are_compared_case_by_case():
    live = of_terms()
    terms, chance = live["terms"], live["chance"]
    chance[0, 0] = torch.nan  # no draw came near
    found = of_chance(terms, chance, live["most"])
    relative, counts = terms.sum(-1), n_sv(terms).double()
    held = relative > 0
    ends = [(counts[k] / 2)[held[k] & chance[k].isfinite()].mean() for k in (0, -1)]
    assert found["ratio-moves"].endswith(f"from {ends[0]:.2f} to {ends[1]:.2f}")
    assert found["chance-moves"] == "goes from 2.0 to 2.0"
    assert found["missing"] == f"{100 * held[0, 0].sum() / held.sum():.1f}"
    flat = terms.sign()
    share = of_chance(flat, chance, live["most"])
    assert share["flat-moves"] == share["pocket-N-moves"]  # with terms of one size N_sv is c m


def test_a_match_is_a_correlation_within_cases():
    live = of_terms()
    singular, parts = live["singular"], live["parts"]
    large = torch.tensor([1.0, 50.0])[None, :, None, None]  # heads of other sizes are no match
    matched = of_ingredients(singular * singular * large, singular, parts, 0.45)
    assert (matched["match-start"], matched["match-end"]) == ("1.00", "1.00")
    against = of_ingredients(large.expand_as(singular), singular, parts, 0.45)
    assert (against["match-start"], against["match-end"]) == ("-1.00", "-1.00")


def test_each_ingredient_has_its_curve():
    parts = {name: np.full((3, 2, 1), 0.5) for name in ("terms", "coordinates", "mismatched", "spectrum")}
    for name, end in zip(parts, (0.1, 0.2, 0.3, 0.4), strict=True):
        parts[name][-1] = end
    found = told(parts=parts)
    ends = [found[f"part-{name}"].split()[-1] for name in ("all", "coord", "mixed", "sigma")]
    assert ends == ["0.10", "0.20", "0.30", "0.40"]
    assert (found["end-all"], found["end-mixed"], found["mixed-share"]) == ("0.10", "0.30", "50")


def test_positions_are_told_by_the_range_of_sparsity():
    found = told()
    assert (found["naive-range"], found["default-S"], found["turned-dims"]) == ("0.25 to 1.00", "0.50", "4")
