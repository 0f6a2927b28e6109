"""Theorem 2's bound and the sharp one: never above the measured cosine, attained where it is said, golden values."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from svf_helpers import theory
from svf_helpers.features import anisotropy, distorted_dictionary, isotropic_dictionary, unit
from tests.draws import normal
from tests.refusals import refuses

MEMBERS = 48  # dictionaries in each of hypothesis' examples


def tight(*shape, seed):
    """Tight frames: C = n/d I."""
    W = normal(*shape, seed=seed)
    U, _, Vh = torch.linalg.svd(W, full_matrices=False)
    return (U @ Vh) * math.sqrt(shape[-1] / shape[-2])


def near_tight(d, n, seed, epsilon):
    """A batch with ||C d/n - I|| = epsilon exactly, in random directions."""
    frames = tight(MEMBERS, d, n, seed=seed)
    E = normal(MEMBERS, d, d, seed=seed + 1)
    E = E + E.mT
    E = E - torch.eye(d).double() * E.diagonal(dim1=-2, dim2=-1).mean(-1)[:, None, None]  # tr C / d stays n / d
    E = epsilon * E / torch.linalg.matrix_norm(E, 2)[:, None, None]
    eigenvalues, vectors = torch.linalg.eigh(torch.eye(d).double() + E)
    return (vectors * eigenvalues.sqrt()[:, None, :]) @ vectors.mT @ frames


def measured_cosines(W):
    """Of every feature with its C^-1 f, straight from the definition."""
    W = W.double()
    detectors = torch.linalg.solve(W @ W.mT, W)
    return (unit(W) * unit(detectors)).sum(-2)


dictionaries = st.builds(
    dict,
    seed=st.integers(0, 1_000_000),
    d=st.integers(2, 8),
    more=st.integers(0, 12),
    spread=st.floats(0, 2),
    antipodal=st.booleans(),
)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(dictionaries)
def test_neither_bound_is_ever_above_the_measured_cosine(draw):
    d = draw["d"]
    W = normal(MEMBERS, d, d + draw["more"], seed=draw["seed"])
    W = unit(W * torch.logspace(0, -draw["spread"], d, dtype=torch.float64)[:, None])
    if draw["antipodal"]:
        W = torch.cat([W, -W], -1)
    cosines = measured_cosines(W)
    kappa = theory.condition_number(W)
    # the check's own arithmetic squares W's condition number
    usable = kappa < 1e5
    assert (cosines >= theory.sharp_bound(kappa)[:, None] - 1e-9)[usable].all()
    epsilon = torch.tensor([anisotropy(member) for member in W])
    assert (cosines >= theory.theorem2_bound(epsilon)[:, None] - 1e-9)[usable].all()
    assert (theory.theorem2_bound(epsilon) <= theory.sharp_bound(kappa) + 1e-12).all()
    index = draw["more"] % W.shape[-1]
    torch.testing.assert_close(theory.alignment_cosine(W, index)[usable], cosines[usable, index], rtol=0, atol=1e-9)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 1_000_000), st.integers(2, 8), st.integers(0, 12), st.floats(0, theory.SILENT_ABOVE))
def test_each_step_of_theorem_2_holds_where_it_speaks(seed, d, more, epsilon):
    F, G = near_tight(d, d + more, seed, epsilon), near_tight(d, d + more, seed + 5, epsilon / 2)
    steps = theory.theorem2_steps(F, G, (0, more))
    torch.testing.assert_close(steps.epsilon, torch.full((MEMBERS,), epsilon, dtype=torch.float64), rtol=0, atol=1e-12)
    for _, name, value, relation, bound in steps.rows():
        assert ((value <= bound + 1e-12) if relation == "<=" else (value >= bound - 1e-12)).all(), name
    cosine = measured_cosines(F)[:, 0]
    torch.testing.assert_close(1 - steps.sine_u.square(), cosine.square(), rtol=0, atol=1e-12)
    assert (cosine >= steps.cosine_bound - 1e-12).all()
    assert (measured_cosines(G)[:, more] >= steps.cosine_bound - 1e-12).all()
    assert (steps.cosine_bound <= theory.sharp_bound(theory.condition_number(F)) + 1e-12).all()


def test_the_steps_are_those_of_the_minimiser():
    F, G = near_tight(5, 9, 0, 0.15)[0], near_tight(5, 7, 1, 0.1)[0]
    steps = theory.theorem2_steps(F, G, (3, 4))
    f, g = unit(F)[:, 3], unit(G)[:, 4]
    scaled = theory.theorem1_minimizer(F, G, (3, 4), 9 / 5 * 7 / 5) / F[:, 3].norm() / G[:, 4].norm()
    Delta = scaled - torch.outer(f, g)
    torch.testing.assert_close(steps.norm_Delta, torch.linalg.matrix_norm(Delta, 2))
    U, S, Vh = torch.linalg.svd(scaled)
    torch.testing.assert_close(steps.gap, S[0])
    torch.testing.assert_close(steps.sine_u, (1 - (U[:, 0] @ f) ** 2).sqrt())
    torch.testing.assert_close(steps.sine_v, (1 - (Vh[0] @ g) ** 2).sqrt())
    R = torch.linalg.inv(F @ F.mT) * 9 / 5 - torch.eye(5)
    torch.testing.assert_close(steps.norm_R_F, torch.linalg.matrix_norm(R, 2))
    assert float(steps.epsilon_F) == pytest.approx(0.15)
    assert float(steps.epsilon) == pytest.approx(0.15)
    assert float(steps.eta) == pytest.approx(0.15 / 0.85)
    assert float(steps.gamma) == pytest.approx(2 * 0.15 / 0.85 + (0.15 / 0.85) ** 2)
    assert float(steps.cosine_bound) == pytest.approx(theory.theorem2_bound(0.15))
    whole = theory.theorem2_steps(torch.stack([F, F]), torch.stack([G, 2 * G]), (3, 4))
    for one, both in zip(steps, whole, strict=True):
        torch.testing.assert_close(both, torch.stack([one, one]))


def test_far_from_isotropy_the_steps_say_that_nothing_is_promised():
    F, _ = theory.worst_dictionary(51.0, 4)
    steps = theory.theorem2_steps(F, F, (0, 1))
    assert torch.isinf(steps.eta) == (steps.epsilon >= 1)
    assert torch.isinf(steps.sine_bound)
    assert steps.cosine_bound == 0
    best, epsilon = theory.best_scale(F)
    again = theory.theorem2_steps(F, F, (0, 1), scales=(best, best))
    assert float(again.epsilon) == pytest.approx(50 / 52) == pytest.approx(float(epsilon))


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.floats(1, 1e6), st.integers(2, 10), st.integers(0, 15), st.integers(0, 1000))
def test_the_sharp_bound_is_attained(kappa, d, more, seed):
    generator = torch.Generator().manual_seed(seed) if seed % 2 else None
    W, index = theory.worst_dictionary(kappa, d, d + more, generator)
    assert W.shape == (d, d + more)
    assert (torch.linalg.vector_norm(W, dim=0) - 1).abs().max() < 1e-12
    eigenvalues = torch.linalg.eigvalsh(W @ W.mT)
    assert float(eigenvalues[-1] / eigenvalues[0]) == pytest.approx(kappa, rel=1e-8)
    assert eigenvalues[-1] + eigenvalues[0] >= 2 - 1e-12
    gap = theory.alignment_cosine(W, index) - theory.sharp_bound(kappa)
    assert abs(float(gap)) < 1e-12
    if kappa < 1e4:
        assert measured_cosines(W)[index] == pytest.approx(theory.sharp_bound(kappa), abs=1e-9)


def test_without_superposition_the_worst_case_is_two_features_that_lean_together():
    W, _ = theory.worst_dictionary(9.0, 4)
    cosines = (W.mT @ W).fill_diagonal_(0)
    assert float(cosines.abs().max()) == pytest.approx(0.8)  # (9 - 1) / (9 + 1)
    assert int((cosines.abs() > 1e-12).sum()) == 2


def test_a_singular_gram_matrix_is_judged_on_its_span():
    W = torch.cat([normal(3, 7, seed=1), torch.zeros(2, 7)])
    turned = torch.linalg.qr(normal(5, 5)).Q @ W
    assert float(theory.condition_number(turned)) == pytest.approx(float(theory.condition_number(W[:3])))
    torch.testing.assert_close(theory.alignment_cosine(turned, 2), measured_cosines(W[:3])[2])
    single = turned.float()  # rounded features fill no further dimension
    assert float(theory.condition_number(single)) == pytest.approx(float(theory.condition_number(W[:3])), rel=1e-4)
    with refuses(ValueError, "F", "invertible"):
        theory.theorem2_steps(turned, turned, (0, 1))


def test_golden_values():
    assert theory.theorem2_bound(0.1) == pytest.approx(0.952, abs=5e-4)
    assert theory.sharp_bound_from_anisotropy(0.1) == pytest.approx(0.995, abs=5e-4)
    assert theory.sharp_bound(51.0) == pytest.approx(0.275, abs=5e-4)
    assert pytest.approx(0.1835, abs=5e-5) == theory.SILENT_ABOVE
    assert theory.theorem2_bound(0.0) == theory.sharp_bound(1.0) == theory.sharp_bound_from_anisotropy(0.0) == 1
    assert theory.theorem2_bound(theory.SILENT_ABOVE) == pytest.approx(0, abs=1e-6)
    assert theory.theorem2_bound(0.19) == theory.theorem2_bound(0.999) == theory.theorem2_bound(math.inf) == 0
    assert theory.sharp_bound(math.inf) == theory.sharp_bound_from_anisotropy(1.0) == 0
    assert theory.sharp_bound_from_anisotropy(50.0) == 0
    toy = distorted_dictionary(isotropic_dictionary(), 50.0, normal(10))
    assert float(theory.condition_number(toy)) == pytest.approx(51)
    assert theory.theorem2_bound(anisotropy(toy)) == 0


def test_bounds_fall_and_the_sharp_one_is_above():
    epsilon = torch.linspace(0, 1.2, 2401, dtype=torch.float64)
    paper, ours = theory.theorem2_bound(epsilon), theory.sharp_bound_from_anisotropy(epsilon)
    assert (paper.diff() <= 0).all()
    assert (ours.diff() <= 0).all()
    assert (paper[1:] < ours[1:])[epsilon[1:] < 1].all()
    assert torch.equal(paper > 0, epsilon < theory.SILENT_ABOVE)
    kappa = torch.logspace(0, 12, 500, dtype=torch.float64)
    assert (theory.sharp_bound(kappa).diff() < 0).all()
    below = epsilon[epsilon < 1]
    torch.testing.assert_close(theory.sharp_bound((1 + below) / (1 - below)), ours[epsilon < 1])


def test_numbers_in_numbers_out():
    for bound, value in ((theory.theorem2_bound, 0.1), (theory.sharp_bound, 3.0)):
        assert isinstance(bound(value), float)
        several = bound(torch.tensor([[value], [2 * value]]))
        assert several.shape == (2, 1)
        assert several.dtype == torch.float64
        assert float(several[0, 0]) == pytest.approx(bound(value), rel=1e-6)


def test_no_other_scale_gives_less_anisotropy():
    W = normal(4, 9)
    best, least = theory.best_scale(W)
    C, eye = W @ W.mT, torch.eye(4, dtype=torch.float64)
    assert float(torch.linalg.matrix_norm(C / best - eye, 2)) == pytest.approx(float(least))
    for factor in (0.9, 0.99, 1.01, 1.1):
        assert torch.linalg.matrix_norm(C / (factor * best) - eye, 2) > least
    assert theory.sharp_bound_from_anisotropy(float(least)) == pytest.approx(
        theory.sharp_bound(float(theory.condition_number(W)))
    )


REFUSED = [
    (lambda: theory.theorem2_bound(-0.1), ("epsilon = -0.1",)),
    (lambda: theory.theorem2_bound(torch.tensor([0.1, torch.nan])), ("epsilon", "nan")),
    (lambda: theory.sharp_bound(0.5), ("kappa = 0.5", 1)),
    (lambda: theory.sharp_bound_from_anisotropy(math.nan), ("epsilon = nan",)),
    (lambda: theory.condition_number(torch.zeros(3, 4)), ("W", "length", 0)),
    (lambda: theory.alignment_cosine(torch.eye(3), 3), ("F has 3 features", "index 3")),
    (lambda: theory.worst_dictionary(0.5, 3), ("kappa = 0.5", "1..1e8")),
    (lambda: theory.worst_dictionary(1e9, 3), ("kappa = 1000000000.0", "1..1e8")),
    (lambda: theory.worst_dictionary(4.0, 1), ("d = 1", 2)),
    (lambda: theory.worst_dictionary(4.0, 3, 2), ("n = 2", 3)),
    (lambda: theory.theorem2_steps(torch.eye(3), torch.ones(3, 5), (0, 1)), ("G", "invertible")),
    (lambda: theory.theorem2_steps(torch.eye(3), torch.eye(3), (0, 1), scales=(1.0, 0.0)), ("scale of G", 0.0)),
]


@pytest.mark.parametrize(("call", "told"), REFUSED, ids=[" ".join(map(str, told)) for _, told in REFUSED])
def test_bad_input_is_refused_by_name(call, told):
    with refuses(ValueError, *told):
        call()
