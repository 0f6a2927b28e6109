"""The numbers of the chapter on RoPE: all that its prose uses and no more, and each follows from its data."""


import numpy as np
import pytest
import torch

from svf_helpers.alignment import rank_alignment
from svf_helpers.chapters.rope.numbers import numbers
from svf_helpers.experiments import load
from svf_helpers.qk import qk_svd
from svf_helpers.rope import band_energy
from svf_helpers.toy import ToyConfig
from tests.prose import names_in_prose
from tests.results import changed

PAIRS = [(0, 3), (1, 4), (2, 5), (6, 7)]
RESULT = load("rope")
BAND = RESULT["band"]
OURS = np.flatnonzero(BAND == 1)
THETA = 10_000.0 ** (-2 * np.arange(5) / 10)


def live(**changes):
    """What the chapter computes as it runs; here in round numbers."""
    models = len(BAND)
    given = {"misfit": torch.arange(30.0).reshape(6, 5) / 1000,
             "products": torch.zeros(models, 5, 4, 4, dtype=torch.complex128),
             "sigma": torch.ones(40, models, 4, dtype=torch.float64),
             "turned": torch.zeros(40, models, 4, dtype=torch.float64),
             "leans": {name: torch.zeros(5, 3) for name in ("odd", "both", "measured")},
             "cancelled": {"band 2 free": torch.tensor(0.961), "band 2 taken": torch.tensor(0.019)},
             "remainder": 0.34}
    return given | changes


def told(result=RESULT, **changes):
    return numbers(result, **live(**changes))


def differences(result=RESULT, **changes):
    """Names of the numbers that a change of the data changes."""
    before, after = told(), told(result, **changes)
    return {name for name in before if before[name] != after[name]}


def stored_model(which):
    return [torch.tensor(RESULT[name][which]).double() for name in ("W", "W_Q", "W_K")]


def test_the_names_are_those_of_the_prose():
    assert set(told()) == names_in_prose("rope")


def test_misfits_are_read_at_target_and_band():
    found = told()
    assert [found[f"misfit-{at}"] for at in ("12", "23", "34", "c4")] == ["0.7", "1", "1.90", "2.900"]


def test_cosines_and_singular_values_are_those_of_the_stored_weights():
    W, W_Q, W_K = stored_model(OURS)
    svd = qk_svd(W_Q, W_K)
    by_rank = rank_alignment(W, svd, PAIRS)
    worst = torch.minimum(by_rank.query, by_rank.key).amin(0)
    found = told()
    assert float(found["cosine-min"]) == pytest.approx(float(worst[:3].min()), abs=1.5e-3)
    assert float(found["cosine-positional"]) == pytest.approx(float(worst[3]), abs=1.5e-3)
    assert found["sigma"] == ", ".join(f"{value:.1f}" for value in svd.S.mean(0)[:4])
    assert found["sigma-fifth"] == f"{svd.S[:, 4].max():.2f}"


def test_cosines_are_rounded_down():
    cosine = RESULT["summary_cosine"].copy()
    cosine[OURS] = 0.9999
    found = told(changed(RESULT, summary_cosine=cosine))
    assert (found["cosine-min"], found["cosine-positional"]) == ("0.999", "0.999")


def test_logits_and_lengths_are_those_of_the_stored_weights():
    """One model and one pair at a time, through the QK matrix."""
    off, longest, account = [], [], []
    for model in OURS:
        W, W_Q, W_K = stored_model(model)
        S = torch.linalg.svdvals(W_Q @ W_K.mT)
        for k, ((i, j), target) in enumerate(zip(PAIRS, (24, 21, 18, 15), strict=True)):
            logit = float(W[:, i] @ W_Q @ W_K.mT @ W[:, j])
            lengths = float(W[:, i].norm()), float(W[:, j].norm())
            off.append(abs(logit / target - 1))
            longest.append(max(lengths))
            account.append(abs(float(S[k]) * lengths[0] * lengths[1] / logit - 1))
    found = told()
    assert found["logit-off"] == f"{100 * max(off):.1f}"
    assert found["length-max"] == f"{max(longest):.2f}"
    assert found["account"] == f"{100 * max(account):.1g}"


def test_shares_are_those_of_the_stored_weights():
    rotary = ToyConfig(r=10, positions=40).rotary
    second, fast = [], []
    for model in OURS:
        W, W_Q, W_K = stored_model(model)
        for weights, features in ((W_Q, (0, 1, 2)), (W_K, (3, 4, 5))):
            share = band_energy((weights.mT @ W[:, features]).mT, rotary)
            second += share[:, 2].tolist()
            fast += share[:, :2].flatten().tolist()
    assert told()["energy-two"] == f"{min(second):.2f} to {max(second):.2f}"
    assert told()["energy-fast"] == f"{max(fast):.5f}"


def test_a_pair_that_does_not_follow_is_seen():
    energy = RESULT["summary_energy"].copy()
    energy[np.flatnonzero(BAND == 0)[1], 3, 1] = [0.5, 0.5, 0, 0, 0]
    assert differences(changed(RESULT, summary_energy=energy)) == {"asked-012"}
    energy = RESULT["summary_energy"].copy()
    energy[np.flatnonzero(BAND == -1)[0], 3, 0] = [0, 0, 0, 1.0, 0]
    assert differences(changed(RESULT, summary_energy=energy)) == {"alike", "third-none"}
    energy = RESULT["summary_energy"].copy()
    energy[np.flatnonzero(BAND == 3)[0], 3, 0] = [0, 0, 0, 1.0, 0]
    assert differences(changed(RESULT, summary_energy=energy)) == {"third"}


def test_turns_are_counted_against_a_shared_plane():
    """Two pairs with targets 24 and 18 in one plane, by an SVD of the plane itself."""
    D = np.diag(np.sqrt([24.0, 18.0]))
    halves = []
    for theta in THETA[3:]:
        c, s = np.cos(39 * theta), np.sin(39 * theta)
        U = np.linalg.svd(D @ np.array([[c, s], [-s, c]]) @ D)[0]
        halves.append(np.degrees(np.arccos(abs(U[0, 0]))))
    turned = live()["turned"]
    turned[39, OURS[:3], 1] = halves[0] + 1
    turned[39, OURS[3], 1] = (halves[0] + halves[1]) / 2  # more than in band 4, less than in band 3
    found = told(turned=turned)
    assert (found["half-third"], found["half-angle"]) == tuple(f"{angle:.1f}" for angle in halves)
    assert (found["beyond-half"], found["turn-end"]) == ("3", "0.0")
    assert found["turn-others"] == f"0 to {halves[0] + 1:.0f}"


def test_only_the_models_of_band_1_count():
    turned, sigma = live()["turned"], live()["sigma"]
    others = np.flatnonzero((BAND != 1) & (BAND != 2))
    turned[:, others], sigma[:, others] = 50.0, 50.0
    assert differences(turned=turned, sigma=sigma) == set()
    sigma[20, OURS[0], 3] = 40.0  # where the target is about 15
    assert differences(sigma=sigma) == {"swing-off"}


def test_leaks_at_the_last_offset():
    """Band 1 crossed makes an odd leak; band 2 and 3 parallel make an even one, and band 2 has its share in it."""
    products = live()["products"]
    products[OURS, 1, 0, 1] = 2j
    products[OURS[0], 1, 2, 1] = 3j
    products[OURS, 1, 0, 3] = 9j  # with the positional pair: not counted
    odd = abs(np.sin(39 * THETA[1]))
    found = told(products=products)
    assert found["odd-free"] == f"{2.2 * odd:.2f} ({2 * odd:.2f} to {3 * odd:.2f})"
    assert found["even-free"] == "0.00 (0.00 to 0.00)"
    assert found["odd-taken"] == "0.00 (0.00 to 0.00)"

    products = live()["products"]
    products[OURS, 2, 1, 0] = 1.0
    products[OURS, 3, 1, 0] = 2.0
    parts = np.cos(39 * THETA[2]) - 1, 2 * (np.cos(39 * THETA[3]) - 1)
    found = told(products=products)
    assert found["even-free"].split()[0] == f"{abs(sum(parts)):.2f}"
    assert found["even-band-2"] == f"{100 * parts[0] / sum(parts):.0f}"


def test_leans_are_compared_with_what_was_measured():
    leans = live()["leans"]
    leans["both"][2, 1], leans["measured"][2, 1], leans["odd"][0, 0] = 7.0, 7.3, 0.4
    found = told(leans=leans)
    assert (found["lean-off"], found["lean-odd"]) == ("0.3", "0.4")
    assert (found["cancel-free"], found["cancel-taken"], found["blind"]) == ("96", "2", "0.3")
