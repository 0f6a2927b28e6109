"""The numbers of the chapter beyond capacity: all that its prose uses and no more, and each follows from its data."""

import functools
from dataclasses import replace

import numpy as np
import pytest
import torch

from svf_helpers.chapters.beyond_capacity.capacity import least_squares_logits, tight_frame
from svf_helpers.chapters.beyond_capacity.numbers import numbers
from svf_helpers.experiments import load
from svf_helpers.qk import qk_svd, whitened_qk_svd
from tests.prose import names_in_prose

RESULT, WIDE = load("beyond-capacity"), load("beyond-capacity-wide")
SETTINGS = [(4, 20_000), (4, 80_000), (1, 20_000), (1, 80_000)]


def live(**changes):
    """What the chapter computes as it runs; here in round numbers."""
    row = [[0.31, 0.61], [0.35, 0.62], [0.42, 0.63]]
    merged = np.full((6, 6), np.nan)
    for i in range(6):
        merged[i, :i] = [0.5 - 0.03 * (i + j) for j in range(i)]
    given = {"errors": {setting: (0.02, 0.02 - 0.001 * k) for k, setting in enumerate(SETTINGS)},
             "arrangements": {0: (0.1234, 0.01234), 1: (0.2345, 0.02345)}, "merged": merged,
             "dropped": [0.9, 0.7, 0.8], "best_six": 0.1, "splits": [0.3, 0.25, 0.9, 0.4],
             "right_first": {count: 1 - count / 20 for count in range(5, 11)},
             "spreads": {"lam 4, as trained": row, "lam 4, tight frame": [[0.2, 0.6], [0.21, 0.6]],
                         "lam 1, as trained": [[0.22, 0.6], [0.23, 0.6]]}}
    return given | changes


def told(result=RESULT, wide=WIDE, **changes):
    return numbers(result, wide, **live(**changes))


@functools.cache
def unchanged():
    return told()


def differences(result=RESULT, wide=WIDE, **changes):
    """Names of the numbers that a change of the data changes."""
    before, after = unchanged(), told(result, wide, **changes)
    return {name for name in before if before[name] != after[name]}


def where(stored=RESULT, **wanted):
    return np.flatnonzero(np.all([stored[name] == value for name, value in wanted.items()], axis=0))


def model(i, stored=RESULT):
    return [torch.tensor(stored[name][i]).double() for name in ("W", "W_Q", "W_K")]


def spoilt(i, stored=RESULT):
    """The result with head i in other coordinates: each of its logits unchanged."""
    W, W_Q, W_K = model(i, stored)
    d = len(W)
    S = torch.randn(d, d, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    arrays = {}
    back = torch.linalg.inv(S).mT
    for name, moved in (("W", S @ W), ("W_Q", back @ W_Q), ("W_K", back @ W_K)):
        arrays[name] = stored[name].astype(float)
        arrays[name][i] = moved.numpy()
    return replace(stored, arrays=stored.arrays | arrays)


def test_the_names_are_those_of_the_prose():
    assert set(unchanged()) == names_in_prose("beyond_capacity")


def test_the_plan_says_what_was_run():
    runs = {(int(steps), int(seed)) for steps, seed in zip(RESULT["steps"], RESULT["seed"], strict=True)}
    assert len({seed for steps, seed in runs if steps == 20_000}) == 3
    assert unchanged()["runs"] == "paper scale, 3 seeds at 20,000 steps, 1 seed at 80,000 steps"


@pytest.mark.parametrize(("lam", "steps"), SETTINGS)
def test_strong_and_weak_pairs_counted_one_by_one(lam, steps):
    own, last, strong, weak = 0, 0, 0, 0
    for i in where(lam=lam, steps=steps):
        count = int(RESULT["pairs"][i])
        if count == 5:
            continue
        W, W_Q, W_K = model(i)
        U, _, Vh = torch.linalg.svd(W_Q @ W_K.mT)
        for k in range(count):
            f, g = W[:, k] / W[:, k].norm(), W[:, k + 10] / W[:, k + 10].norm()
            both = torch.minimum((f @ U[:, :5]).abs(), (Vh[:5] @ g).abs())
            if k < 4:
                strong, own = strong + 1, own + bool(both[k] > 0.9)
            else:
                weak, last = weak + 1, last + bool(both.argmax() == 4)
    found = unchanged()
    assert found[f"own-{lam}-{steps}"] == f"{own} of {strong}"
    assert found[f"last-{lam}-{steps}"] == f"{last} of {weak}"


def test_coordinates_change_the_plain_counts_and_nothing_else():
    (tidy,) = where(lam=1, steps=80_000, pairs=10)
    changed = differences(spoilt(tidy))
    assert changed - {"last-1-80000"} == {"own-1-80000", "lengths-tidy", "last-length"}


def test_logits_are_those_of_the_stored_weights():
    (messy,), (tidy,) = where(lam=4, steps=80_000, pairs=10), where(lam=1, steps=80_000, pairs=10)
    M = {}
    for i in (messy, tidy):
        W, W_Q, W_K = model(i)
        M[i] = np.array([[float(W[:, a] @ W_Q @ W_K.mT @ W[:, 10 + b]) for b in range(10)] for a in range(10)])
    found = unchanged()
    assert found["largest-difference"] == f"{np.abs(M[messy] - M[tidy]).max():.2f}"
    assert (found["top-logit"], found["last-logit"]) == (f"{M[messy].max():.1f}", f"{M[tidy][9, 9]:.1f}")
    wrong = {(a, b): 1 / (1 + np.exp(M[tidy][a, a] - M[tidy][a, b]))
             for a in range(10) for b in range(10) if a != b}
    assert found["safe"] == f"{100 * max(value for (a, _), value in wrong.items() if a < 4):.1f}"
    assert found["confused"] == f"{sum(value >= 0.5 for value in wrong.values())} of 90"
    lured = {max(range(10), key=lambda b: wrong.get((a, b), 0)) + 1 for a in range(5, 10)}
    assert found["lured"] == " or ".join(map(str, sorted(lured)))
    assert found["lure-least"] == f"{100 * min(value for (a, _), value in wrong.items() if a >= 5):.0f}"


def test_likeness_is_a_correlation_of_wrong_logits():
    """A head whose logits are the closed form's is perfectly like it."""
    (i,) = where(lam=1, steps=80_000, pairs=10)
    theory = least_squares_logits([21.0 - k for k in range(10)], 5)
    U, S, Vh = torch.linalg.svd(theory)
    arrays = {name: RESULT[name].astype(float) for name in ("W", "W_Q", "W_K")}
    W, W_Q, W_K = model(i)
    # With each feature along an axis, logits are products of the weights' rows.
    W = torch.cat([torch.eye(10), torch.eye(10)], 1).double()
    arrays["W"][i], arrays["W_Q"][i], arrays["W_K"][i] = W, U[:, :5] * S[:5], Vh[:5].mT
    found = told(replace(RESULT, arrays=RESULT.arrays | arrays))
    assert found["likeness"].startswith(unchanged()["likeness"].split(" to ")[0])
    assert "to 1.00 (" in found["likeness"]
    assert found["likeness-opposite"] == unchanged()["likeness-opposite"]


def test_opposites_are_counted_in_the_tight_frame():
    """Against cosines of whitened features, and every head has one kind."""
    found = unchanged()
    lowest = {}
    for i in range(len(RESULT["pairs"])):
        W = model(i)[0]
        F = torch.linalg.inv(torch.linalg.cholesky(W @ W.mT)) @ W  # another tight frame: a rotation away
        F = F[:, 4 : int(RESULT["pairs"][i])]
        F = F / F.norm(dim=0)
        lowest[i] = float((F.mT @ F).min())
    short = [i for i in where(steps=20_000) if RESULT["pairs"][i] > 5]
    long = [i for i in where(steps=80_000) if RESULT["pairs"][i] > 5]
    for name, some in (("short", short), ("long", long), ("zero", [i for i in short if RESULT["seed"][i] == 0])):
        assert found[f"opposite-{name}"] == f"{sum(lowest[i] < -0.5 for i in some)} of {len(some)}"
    values = [value for i, value in lowest.items() if RESULT["pairs"][i] > 5]
    assert found["same-side"] == f"{min(value for value in values if value > -0.5):.2f}"


def test_heads_without_opposites_are_counted_apart():
    own, strong = 0, 0
    for i in np.flatnonzero(RESULT["pairs"] > 5):
        frame = tight_frame(*model(i))
        weak = frame.W[:, 4 : int(RESULT["pairs"][i])]
        weak = weak / weak.norm(dim=0)
        if (weak.mT @ weak).min() >= -0.5:
            svd = qk_svd(frame.W_Q, frame.W_K)
            F, G = (frame.W[:, at : at + 4] / frame.W[:, at : at + 4].norm(dim=0) for at in (0, 10))
            on = torch.minimum((F * svd.U[:, :4]).sum(0).abs(), (G * svd.V[:, :4]).sum(0).abs())
            own, strong = own + int((on > 0.9).sum()), strong + 4
    assert unchanged()["one-own"] == f"{own} of {strong}"


def test_full_wide_heads_with_an_idle_vector():
    full, idle = 0, []
    for i in where(WIDE, pairs=10):
        W, W_Q, W_K = model(i, WIDE)
        frame = tight_frame(W, W_Q, W_K)
        svd = qk_svd(frame.W_Q, frame.W_K)
        F, G = (frame.W[:, at : at + 10] / frame.W[:, at : at + 10].norm(dim=0) for at in (0, 20))
        on = torch.minimum((F * svd.U).sum(0).abs(), (G * svd.V).sum(0).abs())
        S = whitened_qk_svd(W_Q, W_K, W @ W.mT, W @ W.mT).S
        full += bool((on > 0.9).all())
        if not (on > 0.9).all():
            idle.append(float(S[9] / S[8]))
    found = unchanged()
    assert found["wide-full"] == f"{full} of {full + len(idle)}"
    assert found["wide-idle"] == f"{100 * max(idle):.0f}"


def test_the_wide_heads_tell_only_of_themselves():
    (i,) = where(WIDE, lam=4, steps=80_000, pairs=20)
    assert all(name.startswith("wide-plain") for name in differences(wide=spoilt(i, WIDE)))
    assert not any(name.startswith("wide") for name in differences(spoilt(0)))


def test_costs_are_ordered():
    found = unchanged()
    assert [found[f"split-{place}"] for place in ("first", "second", "last")] == ["0.250", "0.300", "0.900"]
    assert (found["merge-cheap"], found["merge-dear"]) == ("0.230", "0.470")
    assert (found["drop"], found["best-six"]) == ("0.700", "0.100")
    assert found["merge-likeness"] == "1.00"  # cost falls with the pairs' numbers, as the sums of their targets do
    assert told(merged=-live()["merged"])["merge-likeness"] == "-1.00"


def test_live_numbers_stand_where_they_belong():
    found = unchanged()
    assert [found[f"gain-{lam}-{steps}"] for lam, steps in SETTINGS] == ["0.0", "5.0", "10.0", "15.0"]
    assert (found["kind-cost-0"], found["kind-rec-1"]) == ("0.123", "0.0234")
    assert (found["first-5"], found["first-10"]) == ("75", "50")
    assert [found[f"spread-{name}"] for name in ("five", "ten", "null", "tight", "tidy")] == [
        "0.31", "0.42", "0.63", "0.21", "0.23"]
