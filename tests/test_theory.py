"""Theorems 1 and 3 against what they claim: fits, exact moments, minimisers found without their closed forms."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from svf_helpers import theory
from svf_helpers.features import isotropic_dictionary, unit
from svf_helpers.theory import TwoPairHead
from tests.draws import normal
from tests.refusals import refuses


def features(d, n, seed, spread=0.0, rank=None):
    """Unit features, the axes stretched over ``spread`` orders of magnitude, in the first ``rank`` of them only."""
    W = normal(d, n, seed=seed) * torch.logspace(0, -spread, d, dtype=torch.float64)[:, None]
    if rank is not None:
        W[rank:] = 0
        W = torch.linalg.qr(normal(d, d, seed=seed + 1)).Q @ W
    return unit(W)


def relative(found, expected):
    return float(torch.linalg.matrix_norm(found - expected) / torch.linalg.matrix_norm(expected))


# --- Theorem 1 and Corollary 1


def test_the_minimiser_is_the_formula():
    F, G = features(5, 9, 0, 0.5), features(5, 7, 1)
    inverse_F, inverse_G = torch.linalg.inv(F @ F.mT), torch.linalg.inv(G @ G.mT)
    expected = 3.0 * inverse_F @ F[:, [2]] @ G[:, [4]].mT @ inverse_G
    assert relative(theory.theorem1_minimizer(F, G, (2, 4), 3.0), expected) < 1e-13
    targets = torch.zeros(9, 7)
    targets[2, 4] = 3.0
    assert relative(theory.teacher_matrix(F, G, targets), expected) < 1e-13


@pytest.mark.parametrize("rank", [None, 4])
def test_anti_whitening_gives_the_features_exactly(rank):
    F, G = features(6, 12, 0, 1.0, rank), features(6, 10, 5, 1.0, rank)
    U, S, Vh = torch.linalg.svd(theory.theorem1_minimizer(F, G, (1, 3), 20.0))
    assert S[1] < 1e-14 * S[0]
    assert (theory.anti_whitened(F, U[:, :1])[:, 0] @ F[:, 1]).abs() == pytest.approx(1, abs=1e-13)
    assert (theory.anti_whitened(G, Vh.mT[:, :1])[:, 0] @ G[:, 3]).abs() == pytest.approx(1, abs=1e-13)
    assert (U[:, 0] @ F[:, 1]).abs() < 0.95  # without anti-whitening they are not
    u, sigma, v = theory.theorem1_svd(F, G, (1, 3), 20.0)
    assert sigma == pytest.approx(float(S[0]), rel=1e-12)
    assert u @ F[:, 1] > 0 < v @ G[:, 3]


SETTINGS = [  # d, query features, key features, p, keys, alpha, orders of magnitude between axes, rank
    (6, 12, 12, 0.4, 4, 20.0, 0.0, None),
    (6, 12, 12, 0.05, 4, 20.0, 0.5, None),
    (4, 9, 6, 0.5, 2, 5.0, 1.0, None),
    (8, 20, 16, 0.3, 8, 30.0, 0.0, None),
    (6, 12, 12, 0.9, 4, 100.0, 2.0, None),
    (6, 12, 9, 0.4, 4, 20.0, 0.0, 4),
    (6, 4, 12, 0.4, 3, 20.0, 0.0, None),
]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_the_fitted_head_is_the_minimiser(setting):
    d, n, m, p, keys, alpha, spread, rank = setting
    for seed in range(3):
        F, G = features(d, n, 10 * seed, spread, rank), features(d, m, 10 * seed + 5, spread, rank)
        expected = theory.theorem1_minimizer(F, G, (0, 1), alpha)
        contexts = theory.sample_contexts(F, G, p=p, keys=keys, contexts=2000, seed=seed)
        teacher = theory.head_logits(expected, contexts.queries, contexts.keys)
        fit = theory.fit_head(contexts.queries, contexts.keys, teacher)
        assert relative(fit.Omega, expected) < 1e-9
        assert fit.kl.abs() < 1e-14
        assert fit.steps <= 15  # Newton's method, not a slower relative
        singular = torch.linalg.svdvals(fit.Omega)
        assert singular[1] < 1e-9 * singular[0]


def test_another_optimiser_agrees_with_the_fit():
    F, G = features(5, 8, 0), features(5, 8, 1)
    contexts = theory.sample_contexts(F, G, p=0.4, keys=4, contexts=1000)
    teacher = theory.presence_logits(contexts, (0, 1), 8.0)
    Omega = torch.zeros(5, 5, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([Omega], max_iter=300, history_size=30, line_search_fn="strong_wolfe",
                                  tolerance_grad=1e-12, tolerance_change=1e-15)  # fmt: skip

    def closure():
        optimiser.zero_grad()
        loss = theory.kl_objective(Omega, contexts.queries, contexts.keys, teacher)
        loss.backward()
        return loss

    optimiser.step(closure)
    fit = theory.fit_head(contexts.queries, contexts.keys, teacher)
    assert relative(Omega.detach(), fit.Omega) < 1e-5
    assert fit.kl == pytest.approx(float(closure().detach()), rel=1e-9)


def test_a_teacher_that_asks_for_presence_is_not_matched_exactly():
    cosines, seconds = [], []
    for seed in range(5):
        F, G = features(6, 12, 10 * seed), features(6, 12, 10 * seed + 5)
        contexts = theory.sample_contexts(F, G, p=0.4, keys=4, contexts=4000, seed=seed)
        fit = theory.fit_head(contexts.queries, contexts.keys, theory.presence_logits(contexts, (0, 1), 20.0))
        U, S, _ = torch.linalg.svd(fit.Omega)
        cosines.append(float((theory.anti_whitened(F, U[:, :1])[:, 0] @ F[:, 0]).abs()))
        seconds.append(float(S[1] / S[0]))
        assert fit.kl > 0.1
    assert 0.5 < min(cosines) <= max(cosines) < 0.999  # it depends on the dictionary: .68 to .98 here
    assert 0.01 < min(seconds) <= max(seconds) < 0.2


def test_what_all_keys_of_a_context_share_is_not_seen():
    F, G = features(4, 8, 0), features(4, 8, 1)
    contexts = theory.sample_contexts(F, G, p=0.4, keys=4, contexts=500)
    teacher = theory.presence_logits(contexts, (0, 1), 5.0)
    wide = torch.nn.functional.pad(contexts.keys, (0, 1), value=3.0)
    fit, plain = (theory.fit_head(contexts.queries, keys, teacher).Omega for keys in (wide, contexts.keys))
    assert relative(fit[:, :4], plain) < 1e-9
    assert fit[:, 4].abs().max() < 1e-9


def test_presence_logits_ask_for_both_features():
    F = torch.eye(3, dtype=torch.float64)
    contexts = theory.sample_contexts(F, F, p=0.5, keys=3, contexts=200)
    logits = theory.presence_logits(contexts, (0, 2), 7.0)
    both = (contexts.queries[:, None, 0] > 0) & (contexts.keys[..., 2] > 0)
    assert both.any()
    assert torch.equal(logits, 7.0 * both)
    strong = theory.sample_contexts(F, F, p=0.5, keys=3, contexts=200, strengths=True)
    assert torch.equal(strong.in_query > 0, contexts.in_query > 0)
    present = strong.in_keys[strong.in_keys > 0]
    assert 0.98 < present.max() <= 1
    assert float(present.mean()) == pytest.approx(0.5, abs=0.04)


def test_fits_in_a_batch_are_the_fits_alone():
    F, G = normal(3, 5, 9), normal(3, 5, 8, seed=1)
    F[1, 3:] = 0  # one of them singular
    contexts = theory.sample_contexts(F, G, p=0.4, keys=4, contexts=500, seed=[7, 8, 9])
    expected = theory.theorem1_minimizer(F, G, (0, 1), 9.0)
    fit = theory.fit_head(
        contexts.queries, contexts.keys, theory.head_logits(expected, contexts.queries, contexts.keys)
    )
    for i in range(3):
        alone = theory.sample_contexts(F[i], G[i], p=0.4, keys=4, contexts=500, seed=7 + i)
        torch.testing.assert_close(alone.keys, contexts.keys[i])
        one = theory.theorem1_minimizer(F[i], G[i], (0, 1), 9.0)
        assert relative(expected[i], one) < 1e-13
        refit = theory.fit_head(alone.queries, alone.keys, theory.head_logits(one, alone.queries, alone.keys))
        assert relative(fit.Omega[i], refit.Omega) < 1e-10
    same = theory.sample_contexts(F, G, p=0.4, keys=4, contexts=10, seed=7)
    assert torch.equal(same.in_query[0], same.in_query[2])


def test_tight_frames_align_exactly():
    F = isotropic_dictionary()
    G = 2 * torch.linalg.qr(normal(10, 10)).Q @ F
    G[:, :8] /= 2
    with refuses(ValueError, "G", "tight frame"):
        theory.corollary1_sigma(F, G, 24.0)
    hexagon = torch.stack([unit(torch.tensor([[1.0, 0.5, -0.5], [0.0, 0.75**0.5, 0.75**0.5]]).double())] * 2)
    hexagon = torch.cat([hexagon[0], -hexagon[0]], 1)  # unit features, C = 3 I
    u, sigma, v = theory.theorem1_svd(hexagon, hexagon, (0, 4), 24.0)
    torch.testing.assert_close(u, hexagon[:, 0])
    torch.testing.assert_close(v, hexagon[:, 4])
    assert theory.corollary1_sigma(hexagon, hexagon, 24.0) == pytest.approx(24 / 9)
    assert float(sigma) == pytest.approx(24 / 9)


# --- Lemmas


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 10_000), st.integers(2, 9), st.floats(-20, 20), st.floats(0, 3))
def test_lemma_1_both_ways_and_in_numbers(seed, m, constant, noise):
    logits, other = 5 * normal(m, seed=seed), noise * normal(m, seed=seed + 1)
    shift = theory.logit_shift(logits, logits + constant)
    assert float(shift.constant) == pytest.approx(constant, abs=1e-12)
    assert shift.spread < 1e-12 > shift.gap
    shift = theory.logit_shift(logits, logits + other)
    assert shift.spread / 2 - 1e-12 <= shift.gap <= shift.spread + 1e-12


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 10_000), st.integers(2, 9))
def test_lemma_2(seed, m):
    teacher, student = 3 * normal(4, m, seed=seed), 3 * normal(4, m, seed=seed + 1)
    cross, least = theory.cross_entropy(teacher, student), theory.entropy(teacher)
    assert (cross > least).all()
    torch.testing.assert_close(theory.kl_divergence(teacher, student), cross - least)
    torch.testing.assert_close(theory.cross_entropy(teacher, teacher + 2.0), least)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_lemma_3_over_every_subset(p):
    W, m = features(3, 4, 0), 3
    masks = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4)), dtype=torch.float64)
    chance = (p**masks * (1 - p) ** (1 - masks)).prod(-1)
    tokens = masks @ W.mT
    expected = torch.einsum("s,si,sj->ij", chance, tokens, tokens)
    torch.testing.assert_close(theory.query_moment(W, p), expected)
    which = torch.tensor(list(itertools.product(range(16), repeat=m)))
    keys, together = tokens[which], chance[which].prod(-1)
    for about, origin in (("mean", keys.mean(1, keepdim=True)), ("first", keys[:, :1])):
        expected = torch.einsum("s,ski,skj->ij", together, keys - origin, keys - origin)
        torch.testing.assert_close(theory.key_moment(W, p, m, about), expected)


def test_lemma_3_within_its_standard_errors():
    F, G = features(4, 8, 0), features(4, 7, 1)
    scores = []
    for seed in range(20):
        contexts = theory.sample_contexts(F, G, p=0.3, keys=5, contexts=2000, seed=seed)
        for sample, expected in (
            (theory.sample_query_moment(contexts.queries), theory.query_moment(F, 0.3)),
            (theory.sample_key_moment(contexts.keys), theory.key_moment(G, 0.3, 5)),
            (theory.sample_key_moment(contexts.keys, "first"), theory.key_moment(G, 0.3, 5, "first")),
        ):
            scores.append((sample.mean - expected) / sample.standard_error)
    scores = torch.stack(scores)
    assert scores.abs().max() < 5
    assert scores.square().mean().sqrt() == pytest.approx(1, abs=0.15)


# --- Theorem 3

LAMBDAS = torch.logspace(-2, 4, 13, dtype=torch.float64)
REACHABLE = TwoPairHead(torch.tensor([[1.0], [3.0], [5.0], [2.0]]), torch.tensor([[1.0], [2.0], [4.0], [6.0]]))
OUT_OF_REACH = TwoPairHead(  # the first gap, the second, both, and the second on the other side
    torch.tensor([[3.0], [3.0], [1.0], [3.0], [0.5]]),
    torch.tensor([[2.0], [2.0], [1.0], [2.0], [2.0]]),
    torch.tensor([[5.0], [1.0], [1.0], [0.0], [-1.0]]),
    torch.tensor([[-2.0], [-2.0], [-6.0], [-5.0], [4.0]]),
)


def test_gaps_are_those_of_the_whole_head():
    U, V = (torch.linalg.qr(normal(6, 6, seed=seed)).Q for seed in (0, 1))
    Omega = 3 * torch.outer(U[:, 0], V[:, 0]) + 2 * torch.outer(U[:, 1], V[:, 1])
    x, y = unit(normal(6, 1, seed=2))[:, 0], unit(normal(6, 1, seed=3))[:, 0]
    first, second = TwoPairHead(3.0, 2.0).gaps(U.mT @ x, V.mT @ y)
    torch.testing.assert_close(first, U[:, 0] @ Omega @ (V[:, 0] - y))
    torch.testing.assert_close(second, x @ Omega @ (V[:, 0] - y))
    aligned = TwoPairHead(3.0, 2.0).gaps(*torch.tensor([[0.0, 1.0], [0.0, 1.0]]).double())
    assert [float(gap) for gap in aligned] == [3.0, -2.0]
    torch.testing.assert_close(theory.interference(U.mT @ x, V.mT @ y), (U[:, 0] @ x) ** 2 + (V[:, 0] @ y) ** 2)
    both = torch.tensor([3.0, 0.0]), torch.tensor([0.0, -2.0])
    expected = sum(theory.cross_entropy(torch.stack(t), torch.stack(s)) for t, s in (
        ((both[0][0], both[0][1]), (first, 0 * first)), ((both[1][1], both[1][0]), (second, 0 * second))
    ))  # fmt: skip
    torch.testing.assert_close(theory.attention_loss(TwoPairHead(3.0, 2.0), U.mT @ x, V.mT @ y), expected)


@pytest.mark.parametrize("coordinates", [2, 3])
def test_reachable_teachers_leave_no_interference(coordinates):
    found = theory.theorem3_minimizer(REACHABLE, LAMBDAS, coordinates)
    assert found.interference.shape == (4, 13)
    assert found.interference.max() < 1e-25
    comparison = theory.orthogonal_comparison(REACHABLE, coordinates)
    torch.testing.assert_close(found.cross_entropy, comparison.cross_entropy.expand(4, 13))


@pytest.mark.parametrize("coordinates", [2, 3])
def test_interference_stays_under_the_bound_and_vanishes(coordinates):
    found = theory.theorem3_minimizer(OUT_OF_REACH, LAMBDAS, coordinates)
    comparison = theory.orthogonal_comparison(OUT_OF_REACH, coordinates)
    assert comparison.interference.max() == 0
    bound = theory.theorem3_bound(comparison.cross_entropy, found.cross_entropy, LAMBDAS)
    assert (found.interference > 0).all()
    assert (found.interference <= bound).all()
    assert (found.interference.diff(dim=-1) <= 0).all()
    limit = theory.theorem3_limit(OUT_OF_REACH, coordinates)
    torch.testing.assert_close(found.interference[:, -1:] * LAMBDAS[-1] ** 2, limit, rtol=1e-3, atol=0)
    torch.testing.assert_close((bound / found.interference)[:, -1], torch.full((5,), 2.0).double(), rtol=1e-3, atol=0)


@pytest.mark.parametrize(("coordinates", "d"), [(2, 2), (3, 3), (3, 6)])
def test_no_pair_of_unit_vectors_is_better_than_the_minimiser(coordinates, d):
    lam = LAMBDAS[::4]
    found = theory.theorem3_minimizer(OUT_OF_REACH, lam, coordinates)
    for name in ("x", "y"):
        assert (torch.linalg.vector_norm(getattr(found, name), dim=-1) - 1).abs().max() < 1e-12
    torch.testing.assert_close(theory.theorem3_objective(OUT_OF_REACH, found.x, found.y, lam), found.objective)
    pairs = normal(60, 5, len(lam), 2, d).requires_grad_()
    optimiser = torch.optim.Adam([pairs], lr=0.05)
    for _ in range(250):
        optimiser.zero_grad()
        x, y = (pairs / torch.linalg.vector_norm(pairs, dim=-1, keepdim=True)).unbind(-2)
        value = theory.theorem3_objective(OUT_OF_REACH, x, y, lam)
        value.sum().backward()
        optimiser.step()
    descended = value.detach().amin(0)
    assert (descended >= found.objective - 1e-12).all()
    assert (descended - found.objective)[:, lam <= 100].max() < 0.02  # and where it is not stiff the descent arrives


def test_minimisers_in_a_batch_are_the_minimisers_alone():
    whole = theory.theorem3_minimizer(OUT_OF_REACH, LAMBDAS[[2, 9]])
    for i, j in ((0, 0), (3, 1)):
        values = (float(getattr(OUT_OF_REACH, name)[i]) for name in ("sigma_1", "sigma_2", "gap_1", "gap_2"))
        alone = theory.theorem3_minimizer(TwoPairHead(*values), float(LAMBDAS[[2, 9]][j]))
        assert alone.x.shape == (3,)
        torch.testing.assert_close(alone.x, whole.x[i, j], rtol=0, atol=1e-6)
        torch.testing.assert_close(alone.objective, whole.objective[i, j])


# --- What is refused

EYE = torch.eye(3)
FEW = torch.zeros(4, 3, dtype=torch.float64), torch.zeros(4, 2, 3, dtype=torch.float64), torch.zeros(4, 2).double()
REFUSED = [
    (lambda: theory.theorem1_minimizer(EYE[0], EYE, (0, 1), 1.0), ("F", (3,))),
    (lambda: theory.theorem1_minimizer(EYE, EYE.long(), (0, 1), 1.0), ("G", "torch.int64")),
    (lambda: theory.theorem1_minimizer(EYE / 0, EYE, (0, 1), 1.0), ("F", "finite")),
    (lambda: theory.theorem1_minimizer(EYE, EYE, (0, 3), 1.0), ("G has 3 features", "index 3")),
    (lambda: theory.theorem1_minimizer(EYE, EYE, (-1, 0), 1.0), ("F has 3 features", "index -1")),
    (lambda: theory.theorem1_minimizer(EYE, EYE, 2, 1.0), ("pair = 2",)),
    (lambda: theory.theorem1_minimizer(EYE, EYE, (0, 1), 0.0), ("scale = 0.0",)),
    (lambda: theory.theorem1_minimizer(EYE * (EYE.cumsum(0) > 1), EYE, (0, 1), 1.0), ("feature 0 of F", "length 0")),
    (lambda: theory.teacher_matrix(EYE, EYE, torch.ones(3, 2)), ("targets", (3, 2), (3, 3))),
    (lambda: theory.query_moment(EYE, 1.0), ("p = 1.0",)),
    (lambda: theory.key_moment(EYE, 0.5, 1), ("keys = 1", 2)),
    (lambda: theory.key_moment(EYE, 0.5, 3, "last"), ("about = 'last'", "mean", "first")),
    (lambda: theory.sample_key_moment(torch.ones(5, 2, 3), "last"), ("about = 'last'", "mean", "first")),
    (lambda: theory.sample_query_moment(torch.ones(1, 3)), ("2 contexts", 1)),
    (lambda: theory.sample_contexts(EYE, EYE, p=0.5, keys=2, contexts=0), ("contexts = 0", 1)),
    (lambda: theory.sample_contexts(EYE[None], EYE, p=0.5, keys=2, contexts=9), ("F (1, 3, 3)", "G (3, 3)")),
    (lambda: theory.sample_contexts(EYE, EYE, p=0.5, keys=2, contexts=9, seed=[1]), ("1 seeds", (3, 3))),
    (lambda: theory.logit_shift(torch.ones(2), torch.ones(3)), ("logits", (2,), (3,))),
    (lambda: theory.entropy(torch.tensor([1.0, torch.inf])), ("logits", "finite")),
    (lambda: theory.fit_head(*FEW), ("contexts", "Omega")),
    (lambda: theory.fit_head(FEW[0], FEW[1], FEW[2][:, :1]), ("queries (4, 3)", "keys (4, 2, 3)", "teacher (4, 1)")),
    (lambda: TwoPairHead(0.0, 1.0), ("sigma_1 = 0.0",)),
    (lambda: TwoPairHead(1.0, 1.0, gap_2=torch.nan), ("gap_2 = nan",)),
    (lambda: theory.theorem3_bound(1.0, 0.5, 0.0), ("lam = 0.0",)),
    (lambda: theory.theorem3_minimizer(REACHABLE, -1.0), ("lam = -1.0",)),
    (lambda: theory.theorem3_minimizer(REACHABLE, 1.0, coordinates=4), ("coordinates = 4", 2, 3)),
    (lambda: theory.theorem3_objective(REACHABLE, EYE[0], 2 * EYE[0], 1.0), ("y", "length 1")),
]


@pytest.mark.parametrize(("call", "told"), REFUSED, ids=[" ".join(map(str, told)) for _, told in REFUSED])
def test_what_the_theorems_do_not_cover_is_refused_by_name(call, told):
    with refuses(ValueError, *told):
        call()


def test_too_few_contexts_are_refused():
    F = features(6, 12, 0)
    contexts = theory.sample_contexts(F, F, p=0.4, keys=4, contexts=8)  # 24 differences of logits for 36 unknowns
    with refuses(ValueError, "contexts", "Omega"):
        theory.fit_head(contexts.queries, contexts.keys, theory.presence_logits(contexts, (0, 1), 5.0))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_numbers_beside_tensors_on_a_gpu_follow_them():
    head = theory.TwoPairHead(torch.tensor(2.0, device="cuda"), 1.5, 3.0, torch.tensor(-1.0))
    assert {part.device.type for part in (head.sigma_1, head.sigma_2, head.gap_1, head.gap_2)} == {"cuda"}
    on_cpu = theory.TwoPairHead(2.0, 1.5, 3.0, -1.0)
    torch.testing.assert_close(theory.theorem3_limit(head).cpu(), theory.theorem3_limit(on_cpu))
    F = torch.randn(4, 6, dtype=torch.float64)
    F = F / F.norm(dim=0)
    there = theory.teacher_matrix(F.cuda(), F.cuda(), torch.eye(6).double())
    torch.testing.assert_close(there.cpu(), theory.teacher_matrix(F, F, torch.eye(6).double()))
