"""Claims of the chapter on Theorem 1: computed on the spot, on dictionaries drawn at random."""

import torch
from jaxtyping import Float
from torch import Tensor

from svf_helpers import theory
from svf_helpers.chapters.kit.claims import SEEDS, Verdict, claim, random_dictionaries, under
from svf_helpers.experiments import Result

ALPHA = 8.0
SETTINGS = (  # d, n, p, keys, spread of the axes, directions left empty
    (4, 8, 0.2, 2, 0.0, 0),
    (6, 12, 0.4, 4, 0.0, 0),
    (4, 8, 0.6, 16, 0.5, 0),
    (6, 12, 0.4, 4, 0.7, 0),
    (6, 12, 0.4, 4, 0.0, 1),
)


Vectors = Float[Tensor, "*batch d"]


def cosine(a: Vectors, b: Vectors) -> Float[Tensor, "*batch"]:
    return torch.nn.functional.cosine_similarity(a, b, dim=-1).abs()


def anti_whitened_cosine(W: Float[Tensor, "*batch d n"], x: Vectors, feature: int) -> Float[Tensor, "*batch"]:
    """|cos| of C x with a feature."""
    return cosine((W @ W.mT @ x[..., None])[..., 0], W[..., feature])


@claim("Lemma 1", "softmaxes agree where logits differ by a constant (to 1e-12), and differ wherever they do not")
def softmax_forgets_a_constant(_: Result | None) -> Verdict:
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(10_000, 5, generator=generator, dtype=torch.float64)
    shift = 10 * torch.randn(10_000, 1, generator=generator, dtype=torch.float64)
    bent = logits + shift
    bent[:, 0] += 0.01
    same, other = theory.logit_shift(logits, logits + shift), theory.logit_shift(logits, bent)
    borne_out = float(same.gap.max()) < 1e-12 and float((other.gap - other.spread / 2).min()) > -1e-12
    measured = (f"10,000 draws: log-softmaxes differ by {under(float(same.gap.max()))} after a shift; "
                f"by at least {float(other.gap.min()):.4f} where one logit is .01 off")
    return Verdict(borne_out, measured, differs="a constant did not cancel")


@claim("Lemma 2", "cross-entropy is entropy plus a divergence, which is above 0 for every other answer")
def cross_entropy_is_least_at_the_teacher(_: Result | None) -> Verdict:
    generator = torch.Generator().manual_seed(1)
    teacher, student = 2 * torch.randn(2, 10_000, 5, generator=generator, dtype=torch.float64)
    divergence = theory.kl_divergence(teacher, student)
    identity = theory.cross_entropy(teacher, student) - theory.entropy(teacher) - divergence
    at_teacher = theory.cross_entropy(teacher, teacher) - theory.entropy(teacher)
    error = float(torch.maximum(identity.abs().max(), at_teacher.abs().max()))
    measured = f"10,000 draws: identity missed by {under(error)}, least divergence {float(divergence.min()):.4f}"
    return Verdict(error < 1e-12 and float(divergence.min()) > 0, measured, differs="the identity or the sign fails")


@claim("Lemma 3", "moments of queries and of differences of keys: each entry within 5 standard errors of its formula")
def moments(_: Result | None) -> Verdict:
    z, wrong = [], []
    for seed, (d, n, p, keys, spread, _empty) in enumerate(SETTINGS):
        F, G = (random_dictionaries(d, n, first + seed, spread, members=1)[0] for first in (0, 100))
        seen = theory.sample_contexts(F, G, p=p, keys=keys, contexts=20_000, seed=seed)
        pairs = [(theory.sample_query_moment(seen.queries), theory.query_moment(F, p))]
        pairs += [(theory.sample_key_moment(seen.keys, about), theory.key_moment(G, p, keys, about))
                  for about in ("mean", "first")]
        z += [((sample.mean - formula) / sample.standard_error).abs().max() for sample, formula in pairs]
        without_mean = pairs[0][0].mean - p * (1 - p) * F @ F.T  # a formula that forgets the mean token must fail
        wrong.append((without_mean / pairs[0][0].standard_error).abs().max())
    largest, least_wrong = float(max(z)), float(min(wrong))
    measured = (f"largest deviation {largest:.1f} standard errors in {len(z)} moments; {least_wrong:.0f} or more where "
                "the mean token is left out of the formula")
    return Verdict(largest < 5 < least_wrong, measured, differs="a moment is off its formula")


def _fits() -> list[Float[Tensor, " fits"]]:
    """Relative error, sigma_2 / sigma_1, |cos| of u and v anti-whitened, |cos| of u as it is, for all settings."""
    rows = []
    for seed, (d, n, p, keys, spread, empty) in enumerate(SETTINGS):
        F, G = (random_dictionaries(d, n, first + seed, spread, empty) for first in (0, 100))
        seen = theory.sample_contexts(F, G, p=p, keys=keys, contexts=3000, seed=range(SEEDS))
        best = theory.theorem1_minimizer(F, G, (0, 1), ALPHA)
        logits = theory.head_logits(best, seen.queries, seen.keys)
        Omega = theory.fit_head(seen.queries, seen.keys, logits).Omega
        U, S, Vh = torch.linalg.svd(Omega)
        u, v = U[..., 0], Vh[..., 0, :]
        back = torch.minimum(anti_whitened_cosine(F, u, 0), anti_whitened_cosine(G, v, 1))
        error = torch.linalg.matrix_norm(Omega - best) / torch.linalg.matrix_norm(best)
        rows.append(torch.stack([error, S[:, 1] / S[:, 0], back, cosine(u, F[..., 0])]))
    return list(torch.cat(rows, 1))


@claim("Theorem 1", "heads fitted to sampled contexts reach the closed form (relative error < 1e-6), of rank 1, "
                    "singular Gram matrices included; anti-whitened vectors are the features")
def the_fitted_head_is_the_closed_form(_: Result | None) -> Verdict:
    error, ratio, back, raw = _fits()
    borne_out = float(error.max()) < 1e-6 and float(ratio.max()) < 1e-6 and float(back.min()) > 1 - 1e-9
    off = max(float(1 - back.min()), 1e-16)
    measured = (f"{len(error)} fits: relative error and σ₂/σ₁ {under(float(max(error.max(), ratio.max())))}; "
                f"1 - |cos| anti-whitened {under(off)}, as it is |cos| from {float(raw.min()):.2f}")
    return Verdict(borne_out, measured, differs="the fit ends elsewhere")


@claim("Theorem 1", "the same (σ₂/σ₁ < .01, |cos| > .99) for a teacher that asks for presence itself, of which the "
                    "theorem's linear one is an analogue", expect="differs", interval=(0.3, 0.95))
def the_strict_teacher(_: Result | None) -> Verdict:
    F, G = random_dictionaries(6, 12, 1, members=12), random_dictionaries(6, 12, 101, members=12)
    seen = theory.sample_contexts(F, G, p=0.4, keys=4, contexts=3000, seed=range(12))
    Omega = theory.fit_head(seen.queries, seen.keys, theory.presence_logits(seen, (0, 0), 4.0)).Omega
    U, S, Vh = torch.linalg.svd(Omega)
    query, key = anti_whitened_cosine(F, U[..., 0], 0), anti_whitened_cosine(G, Vh[:, 0], 0)
    ratio = S[:, 1] / S[:, 0]
    borne_out = float(query.min()) > 0.99 and float(ratio.max()) < 0.01
    measured = (f"12 dictionaries: |cos| {float(query.min()):.2f} to {float(query.max()):.2f} on the query side, "
                f"{float(key.min()):.2f} to {float(key.max()):.2f} on the key side, "
                f"σ₂/σ₁ up to {float(ratio.max()):.2f}")
    why = ("the theorem's teacher is linear; for presence, the query vector leans towards the mean token "
           "(most of σ₂ is sampling error)")
    return Verdict(borne_out, measured, value=float(query.min()), differs=why)


@claim("Corollary 1", "in tight frames the singular vectors of fitted heads are the features, and σ = α/(c_F c_G)")
def tight_frames(_: Result | None) -> Verdict:
    angles = torch.pi * torch.arange(5, dtype=torch.float64) / 5
    star = torch.stack([angles.cos(), angles.sin()])
    cross = torch.cat([torch.eye(2), -torch.eye(2)], 1).double()
    generator = torch.Generator().manual_seed(0)
    mixed = torch.linalg.qr(torch.randn(4, 4, generator=generator, dtype=torch.float64)).Q
    wide = torch.cat([torch.eye(4, dtype=torch.float64), mixed], 1)
    worst, off = 1.0, 0.0
    for F, G in ((star, cross), (cross, star), (wide, wide)):
        seen = theory.sample_contexts(F, G, p=0.3, keys=3, contexts=3000, seed=0)
        best = theory.theorem1_minimizer(F, G, (1, 2), ALPHA)
        logits = theory.head_logits(best, seen.queries, seen.keys)
        U, S, Vh = torch.linalg.svd(theory.fit_head(seen.queries, seen.keys, logits).Omega)
        worst = min(worst, float(cosine(U[:, 0], F[:, 1])), float(cosine(Vh[0], G[:, 2])))
        off = max(off, abs(float(S[0]) / theory.corollary1_sigma(F, G, ALPHA) - 1))
    measured = f"3 pairs of tight frames: 1 - |cos| and the error of σ {under(max(1 - worst, off))}"
    return Verdict(worst > 1 - 1e-9 and off < 1e-6, measured, differs="alignment is not exact")
