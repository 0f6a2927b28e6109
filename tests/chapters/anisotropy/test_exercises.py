"""The exercises of the chapter: which answers are right, and what each mistake looks like."""

import torch

from svf_helpers.chapters.anisotropy.exercises import check, whitened_case
from svf_helpers.features import unit
from svf_helpers.qk import matrix_sqrt
from tests.marked import Marked


def recover(W_F, W_G, Omega, k, *, back=0.5, roots=(0, 1), order=None, scale=1.0, swap=False, whiten=True):
    """The whitened SVD, with a mistake by option; ``back`` is the power of C that brings vectors back."""
    sides = [(W_F, W_G)[i] for i in roots]
    U, _, Vh = torch.linalg.svd(power(sides[0], 0.5) @ Omega @ power(sides[1], 0.5) if whiten else Omega)
    found = [scale * unit(power(W, back) @ x[:, :k]) for W, x in zip(sides, (U, Vh.mT), strict=True)]
    if order:
        found = [x[:, order] for x in found]
    return tuple(found[::-1] if swap else found)


def power(W, p):
    values, vectors = torch.linalg.eigh(W @ W.mT)
    return vectors @ torch.diag(values**p) @ vectors.mT


def with_option(**options):
    return lambda W_F, W_G, Omega, k: recover(W_F, W_G, Omega, k, **options)


def with_key(back):
    return lambda *given: (recover(*given)[0], recover(*given, back=back)[1])


def raising(W_F, W_G, Omega, k):
    raise KeyError("no such thing")


class TestWhitened(Marked):
    name = "anisotropy-whitened"
    right = [recover, with_option(scale=7.0), lambda *given: list(recover(*given))]
    rows = [
        [with_option(back=0)],  # the whitened features
        [with_option(whiten=False, back=0)],  # plain singular vectors
        [with_option(whiten=False, back=1)],  # anti-whitened
        [with_option(back=-0.5)],
        [with_option(back=1)],
        [with_option(order=[2, 0, 1])],
        [with_option(swap=True)],
        [with_option(roots=(0, 0)), with_option(roots=(1, 1))],
        [with_key(0.7)],
        [with_key(1)],
        [raising],
        [lambda: None],
        [lambda *given: None],
        [lambda *given: torch.ones(6, 3)],
        [lambda *given: tuple(x.mT for x in recover(*given))],
        [lambda *given: (torch.zeros(6, 3),) * 2],
        [lambda *given: (torch.full((6, 3), torch.nan),) * 2],
        [5],
        [recover(*whitened_case(0, 3)[:3], 3)],
    ]

    def test_what_the_readers_own_code_raises_is_told(self):
        assert "KeyError: 'no such thing'" in check(self.name, raising).message
        assert "TypeError" in check(self.name, lambda: None).message

    def test_a_function_may_spoil_what_it_is_given(self):
        calls = []

        def spoil(W_F, W_G, Omega, k, back=0.5):
            found = recover(W_F, W_G, Omega, k, back=back)
            for matrix in (W_F, W_G, Omega):
                matrix.zero_()
            calls.append(k)
            return found

        assert check(self.name, spoil)
        assert calls == [3, 3, 3]
        spoilt = check(self.name, lambda *given: spoil(*given, back=0))
        assert spoilt == check(self.name, with_option(back=0))  # and the hint is that of the matrices as given


def test_whitened_features_are_orthonormal_in_every_case():
    for seed in range(3):
        W_F, W_G, Omega, f, g = whitened_case(seed, 3)
        assert torch.linalg.matrix_rank(Omega, rtol=1e-10) == 3
        assert max(float(torch.linalg.cond(W)) for W in (W_F, W_G)) < 30
        for side, W in ((f, W_F), (g, W_G)):
            white = torch.linalg.solve(matrix_sqrt(W @ W.mT), side)
            cosines = unit(white).mT @ unit(white)
            torch.testing.assert_close(cosines, torch.eye(3, dtype=torch.float64), atol=1e-9, rtol=0)
