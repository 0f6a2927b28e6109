"""Checkers of exercises: right answers pass, each mistake is named, and no message ever holds the answer."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from svf_helpers.chapters.anisotropy import exercises as of_anisotropy
from svf_helpers.chapters.kit import marking
from svf_helpers.chapters.kit.check import Mark, check, exercises
from svf_helpers.chapters.kit.marking import REGISTER, checker, number, parallel, tensor, tensor_hint
from svf_helpers.chapters.kit.rooms import modules
from svf_helpers.features import unit
from svf_helpers.qk import matrix_sqrt
from svf_helpers.theory import TwoPairHead, theorem3_limit, theorem3_minimizer, worst_dictionary

modules("exercises")  # importing them registers their checkers
F = torch.tensor([[1, 0.6, 0], [0, 0.8, 1]], dtype=torch.float64)
C = F @ F.mT
SIGMOID = lambda gap: 1 / (1 + math.exp(-gap))  # noqa: E731
SLOPES = 4 * (SIGMOID(-3) - SIGMOID(-5)), 4 * (SIGMOID(4) - SIGMOID(2))
LIMIT = sum(slope**2 for slope in SLOPES) / 4
ANGLE = math.atan(1.5) / 2
PEAK = 15 * math.cos(8 * 10**-0.8)
LEAST = math.log(0.3 * 20 / 0.7)  # the least relative attention of a key with attention .3 among 21
SHARED = math.atan(0.8 * math.tan(0.1)) / 2
PAIR = [[1.0, 0.8], [0.0, 0.6]]
ALONE = ((0.52 / 3) * (0.52 / 3 - 0.0676) * 0.75 / ((0.52 / 3) ** 2 - 0.0676**2)) ** 0.5
_W, _INDEX = worst_dictionary(9.0, 5, 7, torch.Generator().manual_seed(0))
WORST = _W.roll(-_INDEX, 1)  # the feature that attains the bound comes first


def recover(W_F, W_G, Omega, k, *, back=0.5, roots=(0, 1), order=None, scale=1.0, swap=False, whiten=True):
    """The whitened SVD, with a mistake by option; ``back`` is the power of C that brings vectors back."""
    power = lambda W, p: torch.linalg.matrix_power(matrix_sqrt(W @ W.mT), 1) if p == 0.5 else _power(W, p)  # noqa: E731
    sides = [(W_F, W_G)[i] for i in roots]
    M = power(sides[0], 0.5) @ Omega @ power(sides[1], 0.5) if whiten else Omega
    U, _, Vh = torch.linalg.svd(M)
    found = [scale * unit(power(W, back) @ x[:, :k]) for W, x in zip(sides, (U, Vh.mT), strict=True)]
    if order:
        found = [x[:, order] for x in found]
    return tuple(found[::-1] if swap else found)


def _power(W, p):
    values, vectors = torch.linalg.eigh(W @ W.mT)
    return vectors @ torch.diag(values**p) @ vectors.mT


def with_option(**options):
    return lambda W_F, W_G, Omega, k: recover(W_F, W_G, Omega, k, **options)


def one_side(W_F, W_G, Omega, k):
    query, _ = recover(W_F, W_G, Omega, k)
    _, key = recover(W_F, W_G, Omega, k, back=0.7)
    return query, key


def raising(W_F, W_G, Omega, k):
    raise KeyError("no such thing")


# For every exercise: answers that are right, wrong ones with the word that has to appear, and what no message may hold.
CASES = {
    "notation-chance": (
        [10**-0.5, 0.32, -0.0 + 0.316],
        {0.1: "mean of the squared", 10: "between -1 and 1", 0: "cannot be 0", -0.316: "sign", 0.5: "sum to"},
        [10**-0.5, 0.316, 0.32],
    ),
    "superposition-forget": (
        [4 / 7, Fraction(4, 7), 0.571, 0.57],
        {4: "sign of the term", 0: "other crossing", 1.75: "upside down", -3.0: "probability", 0.3: "divide by p",
         400 / 7: "percent", 2 / 7: "factor of two"},
        [4 / 7, 0.57, 1.75],
    ),
    "one-pair-same-key": (
        [2**-0.5, 0.71],
        {1: "along both", 0: "orthogonal to neither", 45: "degrees", 0.5: "square", -0.7071: "sign", 2: "cosine"},
        [2**-0.5, 0.71, 2**0.5],
    ),
    "one-pair-angle": (
        [[0.5, 4.0]],
        {(0.866, 4): "between the features", (0.5, 2): "both lengths", (0.3, 4): "second number is right",
         (0.5, 3): "first number is right", (-0.5, -4): "between 0 and 1", (0.1, 0.2): "not yet"},
        [0.5, 4.0],
    ),
    "many-pairs-bill": (
        [10.5, 10.5 * (1 + 1e-4)],
        {21: "mean of the two", 42: "signs", 3: "signs", 1.5: "signs", 20.78: "geometric", 5.25: "factor", 7: "write"},
        [10.5, 21],
    ),
    "many-pairs-capacity": (
        [[25, 50, 10], torch.tensor([25, 50, 10])],
        {(50, 50, 10): "first number", (25, 25, 10): "second", (25, 50, 50): "third", (2.5, 50, 10): "whole numbers"},
        [25, 50, 10],
    ),
    "dynamics-angle": (
        [math.cos(ANGLE), 0.88],
        {math.cos(2 * ANGLE): "twice", ANGLE: "that is the angle", math.sin(ANGLE): "sine", 3: "between",
         math.degrees(ANGLE): "degrees", math.cos(math.atan(0.75) / 2): "add up", 1.0: "share", 0.6: "gap"},
        [math.cos(ANGLE), 0.88, math.cos(ANGLE) ** 2],
    ),
    "dynamics-order": (
        [[24, 18, 16.4, 15], [24, 17, 16, 15]],
        {(24, 21, 18, 15): "vector 4", (24, 20.5, 17.5, 15): "vector 4", (23, 20, 17, 15): "must be 24",
         (24, 16, 18, 15): "fall"},
        [16.4],
    ),
    "rope-peak": (
        [PEAK, 4.47, 4.5],
        {15: "offset where the target peaks", -PEAK: "sign", 15 * abs(math.cos(8)): "band 0", 2.18: "band 0",
         15 * math.cos(8 * 10**-1.6): "band 2",
         15 * math.sin(8 * 10**-0.8): "sine", -1: "not negative",
         9.3: "which offset"},
        [PEAK, 4.47, 4.48],
    ),
    "rope-shared": (
        [[SHARED, SHARED], [0.04, 0.0401]],
        {(0.1, 0.1): "turn by less", (0.05, 0.05): "equal targets", (2 * SHARED, 2 * SHARED): "double angle",
         (2.3, 2.3): "degrees", (SHARED, -SHARED): "without a sign", (SHARED, 0): "swap roles",
         (0.3, 0.2): "two-by-two"},
        [SHARED, 0.04, 0.8],
    ),
    "theorem1-detector": (
        [[0.82, -0.24], (-8.2, 2.4), [[0.82], [-0.24]], torch.linalg.solve(C, F[:, 0])],
        {(1.0, 0): "feature itself", tuple((C @ F[:, 0]).tolist()): "multiplied by C",
         tuple(torch.linalg.solve(matrix_sqrt(C), F[:, 0]).tolist()): "half-way",
         tuple(torch.linalg.solve(C, F[:, 1]).tolist()): "another feature",
         tuple(torch.linalg.solve(C, F[:, 2]).tolist()): "another feature",
         (1, 2, 3): "C = F F^T is d x d", (1.0,): "expected two numbers", (0, 0): "all entries are 0",
         (0.82, -0.25): "more digits", (0.82, 0.24): "test it"},
        [0.82, 0.24, 1.64, 0.48, 0.9597, 0.2809, 0.293, 3.417],
    ),
    "theorem2-worst": (
        [PAIR, [[0.9**0.5, 0.9**0.5], [0.1**0.5, -(0.1**0.5)]], WORST, WORST[:, [0, *range(6, 0, -1)]]],
        {((1.0, 0.0),): "at least two dimensions", ((1.0,), (0.0,)): "fewer features",
         ((1.0, 0.0), (0.8, 0.6)): "transpose", ((1.0, 1.0), (0.0, 1.0)): "not all columns",
         ((1.0, 1.0), (0.0, 0.0)): "singular", ((1.0, 0.6), (0.0, 0.8)): "condition number 4, asked is 9",
         ((1.0, 80 / 82), (0.0, 18 / 82)): "condition number of F",
         tuple(map(tuple, WORST.roll(3, 1).tolist())): "change their order",
         ((1.0,) * 9 + (0.0,), (0.0,) * 9 + (1.0,)): "which mixture of e_1 and e_d"},
        [0.8, 0.6, 0.9, 0.1, 0.9**0.5, 0.1**0.5],
    ),
    "theorem3-limit": (
        [LIMIT, LIMIT * (1 + 5e-4), torch.tensor(LIMIT)],
        {4 * LIMIT: "squared slope", 2 * LIMIT: "gap in CE", SLOPES[0] ** 2 / 4: "missing",
         SLOPES[1] ** 2 / 4: "missing", sum(SLOPES) ** 2 / 4: "add squares", 32: "sigmoid", LIMIT**0.5: "lambda times",
         0: "goes to 0", -LIMIT: "negative", 0.7: "differentiate", LIMIT * 1.01: "more digits"},
        [LIMIT, *SLOPES, 4 * LIMIT, 2 * LIMIT],
    ),
    "robustness-context": (
        [0.0384 * (1 - (1 - 0.0384) ** 4), 0.00557, 0.0056],
        {0.0384: "queries that hold", 0.0384**2: "single key", 4 * 0.0384**2: "counts twice", -0.00557: "between 0 and",
         1 - 0.9616**4: "whatever the query", 0.0384 * 0.9616**4: "none of the keys", 0.0052445: "exactly one",
         0.557: "percent", 0.3: "at least one key"},
        [0.0384 * (1 - (1 - 0.0384) ** 4)],
    ),
    "whitened-share": (
        [0.64, 16 / 25],
        {0.36: "the other term", 9 / 13: "plain singular values", 64 / 73: "root of each", 4 / 7: "squares",
         0.1: "queries' second moment", 2: "between 0 and 1", -0.64: "between 0 and 1", 0.5: "diagonal"},
        [0.64, 0.64],
    ),
    "sad-gpt2-count": (
        [3, 3.0],
        {0: "sum is positive", 1: "how large is the sum", 2: "nine small ones", 4: "of some size", 13: "all positive",
         16: "counts all terms", 6: "90 %", 1.5: "whole number", -3: "sign", 7: "add up all sixteen"},
        [9.09],
    ),
    "known-holm": (
        [4, 4.0],
        {5: "no correction", 2: "Bonferroni", 0: "smallest", 12: "above .2", 3.5: "whole number", 7: "k-th smallest",
         -4: "sign"},
        [sum(p <= 0.05 / (12 - k) for k, p in enumerate((0.001, 0.003, 0.0046, 0.0049, 0.02)))],
    ),
    "your-model-least": (
        [LEAST, 2.15, 2.148],
        {math.log(3 / 7): "log odds", math.log(9): "how many", math.log(6.3): "uniform", math.log(6): "between them",
         60 / 7: "logarithms of that", math.log2(60 / 7): "natural", math.log10(60 / 7): "natural", 0: "how far",
         -LEAST: "negative", 0.0632: "changed places", 2 * LEAST: "factor", 3: "for which logits"},
        [LEAST],
    ),
    "sad-toy-alone": (
        [ALONE, 0.73, 0.74],
        {ALONE**2: "share of variance", ALONE / 0.75**0.5: "varies too", 0.75**0.5: "mean 0", 0.7586: "how many other",
         -ALONE: "sign", 2: "between -1 and 1", 0: "start from the covariance", 0.5: "covariance"},
        [ALONE, 0.73, 0.5396],
    ),
    "sad-pythia-flat": (
        [48, 48.0],
        {56: "so many terms are positive", 8: "negative", 16: "lost by cancelling", 64: "all terms", 1: "one size high",
         0.75: "whole number", 47.5: "whole number", -48: "sign", 24: "factor", 40: "how high"},
        [48],
    ),
    "beyond-capacity-cheapest": (
        [0.25 * (256 - 0.25 * 320) / (1 - 0.0625), 46.93, 46.933],
        {64: "dropping", 54.4: "highest with the lowest", 126.93: "dearest", 44: "denominator", 32: "not the targets",
         -46.93: "sum of squares", 0: "sum of squares", 93.87: "factor of two", 20: "which two pairs"},
        [46.93],
    ),
    "anisotropy-whitened": (
        [recover, with_option(scale=7.0), lambda *given: list(recover(*given))],
        {with_option(back=0): "whitened features", with_option(whiten=False, back=0): "plain singular vectors",
         with_option(whiten=False, back=1): "one pair only", with_option(back=-0.5): "wrong way round",
         with_option(back=1): "too many", with_option(order=[2, 0, 1]): "falling", with_option(swap=True): "exchanged",
         with_option(roots=(0, 0)): "its own C", with_option(roots=(1, 1)): "its own C",
         one_side: "key side is not right yet",
         lambda *given: (recover(*given)[0], recover(*given, back=1)[1]): "the other is; one C^(1/2) too many",
         raising: "KeyError", lambda: None: "TypeError", lambda *given: None: "pair",
         lambda *given: torch.ones(6, 3): "one Tensor",
         lambda *given: tuple(x.mT for x in recover(*given)): "transposed",
         lambda *given: (torch.zeros(6, 3),) * 2: "start from M",
         lambda *given: (torch.full((6, 3), torch.nan),) * 2: "F_hat", 5: "expected a function",
         recover(*of_anisotropy.whitened_case(0, 3)[:3], 3): "without brackets"},
        [],
    ),
}  # fmt: skip

ODD = [None, ..., "0.5", "", b"x", True, False, {}, {1.0}, object(), [], [[]], [1, [2, 3]], ["a"], 1j, [1j], print,
       np.array(["a"]), torch.tensor([True]), torch.tensor([1j]), float("nan"), float("inf"), [math.nan, 1.0], 10**400,
       np.zeros((0, 3)), torch.zeros(2, 3, 4), torch.full((2, 2), torch.inf), torch.empty(2, device="meta"),
       np.array(None),
       torch.eye(2).to_sparse(), 0, 1, -1, 2.0, 1e300, -1e-300, [1, 1], np.ones(3), [[1.0]], torch.eye(2), torch.eye(3),
       np.zeros((2, 2)), 1e-320 * torch.ones(4, dtype=torch.float64), torch.ones(3, 2), list(range(4))]  # fmt: skip


def numbers_in(text):
    """Every number in a text, fractions as their value too; shapes say nothing of values."""
    text = re.sub(r"shape \([^)]*\)", "", text)
    found = re.findall(r"-?\d*\.?\d+(?:[eE][+-]?\d+)?", text)
    shares = [float(a) / float(b) for a, b in re.findall(r"(\d+\.?\d*)\s*/\s*(\d+\.?\d*)", text) if float(b)]
    return [abs(float(number)) for number in found] + shares


def assert_silent(name, answer, message):
    """No message holds the answer, or a number from which it can be read off."""
    for shown in numbers_in(message):
        for secret in CASES[name][2]:
            assert abs(shown - abs(secret)) > 2e-3 * abs(secret), f"{name} says {shown} to {answer!r}: {message}"


def test_every_checker_is_tried_here():
    assert set(CASES) == set(REGISTER) == set(exercises())
    assert {"theorem1-detector", "theorem2-worst", "theorem3-limit", "anisotropy-whitened"} <= set(REGISTER)


@pytest.mark.parametrize("name", CASES)
def test_right_answers_are_right_in_every_wrapping(name, capsys):
    for answer in CASES[name][0]:
        mark = check(name, answer)
        assert mark, mark.message
        assert mark == Mark(name, True, REGISTER[name].praise)
        assert capsys.readouterr().out == f"Right: {mark.message}\n"
        assert_silent(name, answer, mark.message)
    answer = CASES[name][0][0]
    if not callable(answer):
        values = torch.as_tensor(float(answer) if isinstance(answer, Fraction) else answer, dtype=torch.float64)
        for wrapped in (values, values.numpy(), values.tolist(), values.float(), values.clone().requires_grad_()):
            assert check(name, wrapped)
        if values.ndim:
            assert check(name, [row.numpy() for row in values])
            assert check(name, values.flip(0).numpy()[::-1])
        else:
            assert check(name, [values])


@pytest.mark.parametrize("name", CASES)
def test_each_mistake_is_named_and_the_answer_is_not(name, capsys):
    for answer, word in CASES[name][1].items():
        mark = check(name, answer)
        assert not mark
        assert word in mark.message, f"{answer}: {mark.message}"
        assert capsys.readouterr().out == f"Not yet: {mark.message}\n"
        assert_silent(name, answer, mark.message)


@pytest.mark.parametrize("name", CASES)
def test_nothing_that_is_handed_in_breaks_a_checker(name):
    for answer in ODD:
        mark = check(name, answer)
        assert not mark, answer
        assert mark.message.strip().endswith((".", "?"))
        assert "\n" not in mark.message
        assert_silent(name, answer, mark.message)


def neighbours(name):
    """Wrong answers made from right ones: the family in which a careless message would give the answer away."""
    for answer in CASES[name][0]:
        if callable(answer):
            continue
        x = torch.as_tensor(float(answer) if isinstance(answer, Fraction) else answer, dtype=torch.float64)
        yield from (-x, 2 * x, x / 2, x / 3, 10 * x, x.square(), x.abs().sqrt(), 1 / x.where(x != 0, 1), x + 1)
        yield from (x - 0.05, x * 1.03, x * 1.002, x * 0.97, x[None], x.flatten()[:1])
        if x.ndim:
            yield from (x.flip(0), x.movedim(0, -1))
        yield from (x + 0.01 * torch.randn(x.shape, generator=torch.Generator().manual_seed(s)) for s in range(5))


@pytest.mark.parametrize("name", CASES)
def test_no_wrong_answer_gets_the_right_one_out_of_a_checker(name):
    for answer in neighbours(name):
        mark = check(name, answer)
        assert_silent(name, answer, mark.message)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    st.sampled_from(sorted(set(CASES) - {"dynamics-order"})),
    st.recursive(st.floats() | st.integers() | st.none() | st.text(), lambda part: st.lists(part, max_size=4)),
)
def test_arbitrary_answers_are_marked_in_silence(name, answer):
    mark = check(name, answer)
    assert_silent(name, answer, mark.message)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="Did you mean 'theorem1-detector'.*anisotropy-whitened.*theorem3-limit"):
        check("theorem1-detecter", 1.0)
    with pytest.raises(ValueError, match="no exercise is named"):
        check(["theorem1-detector"], 1.0)


def test_shapes_are_explained():
    turned = _message(tensor(2, None), torch.ones(3, 2))
    assert turned == "expected a tensor of shape (2, any), got shape (3, 2) (transposed?)."
    assert "expected a tensor of shape (6, 6), got shape (6,)." in _message(tensor(6, 6), np.ones(6))
    assert "expected one number, got shape (2,)." in _message(number(), [1, 2])
    assert "got a single number" in _message(tensor(3), 1.0)
    assert "no answer yet" in _message(number(), ...)
    assert "a str that cannot be read" in _message(number(), "one half")
    assert "all finite" in _message(tensor(2), [1.0, math.inf])
    assert "of one length" in _message(tensor(2, 2), [[1, 2], [3]])


def _message(form, answer):
    with pytest.raises(marking.Unreadable) as caught:
        form.read(answer)
    return str(caught.value)


def test_general_mistakes_in_tensors():
    right = torch.arange(9.0, dtype=torch.float64).reshape(3, 3)
    assert "transpose" in tensor_hint(right.mT, right)
    assert "sign" in tensor_hint(-right, right)
    assert "right direction, wrong length" in tensor_hint(2.5 * right, right)
    assert "all entries are 0" in tensor_hint(0 * right, right)
    assert "wrong order" in tensor_hint(right[0].flip(0), right[0])
    assert "number 2" in tensor_hint(right[1] + torch.tensor([0.0, 1.0, 0.0]), right[1])
    assert tensor_hint(right + torch.eye(3), right) is None
    tiny, huge = torch.tensor([[1e-200, 2e-200], [-1e200, -2e200]], dtype=torch.float64)
    assert parallel(tiny, huge)
    assert not parallel(tiny * 0, huge)


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="registered already"):
        checker("theorem1-detector", asks="", expects=number())


def test_a_mark_at_the_end_of_a_cell_shows_nothing_more(capsys):
    from IPython.core.formatters import DisplayFormatter

    mark = check("notation-chance", 10)
    assert capsys.readouterr().out.startswith("Not yet: ")
    assert DisplayFormatter().format(mark) == ({}, {})
    assert str(mark).startswith("Not yet: ")
    assert not mark.right


def test_answers_are_those_of_the_theory():
    head = TwoPairHead(4.0, 3.0, gap_1=2.0, gap_2=-5.0)
    assert float(theorem3_limit(head)) == pytest.approx(LIMIT)
    assert check("theorem3-limit", 1e8 * float(theorem3_minimizer(head, 1e4).interference))
    for seed in range(3):
        W_F, W_G, Omega, f, g = of_anisotropy.whitened_case(seed, 3)
        assert torch.linalg.matrix_rank(Omega, rtol=1e-10) == 3
        assert max(float(torch.linalg.cond(W)) for W in (W_F, W_G)) < 30
        for side, W in ((f, W_F), (g, W_G)):
            white = torch.linalg.solve(matrix_sqrt(W @ W.mT), side)
            cosines = unit(white).mT @ unit(white)
            torch.testing.assert_close(cosines, torch.eye(3, dtype=torch.float64), atol=1e-9, rtol=0)


def test_a_function_may_spoil_what_it_is_given():
    calls = []

    def spoil(W_F, W_G, Omega, k):
        found = recover(W_F, W_G, Omega, k)
        for matrix in (W_F, W_G, Omega):
            matrix.zero_()
        calls.append(k)
        return found

    assert check("anisotropy-whitened", spoil)
    assert calls == [3, 3, 3]

    def spoil_and_return_whitened(*given_matrices):
        found = recover(*given_matrices, back=0)
        given_matrices[0].zero_()
        return found

    assert "whitened features" in check("anisotropy-whitened", spoil_and_return_whitened).message


@pytest.mark.parametrize("name", [name for name in CASES if REGISTER[name].form.words == "one number"])
def test_a_near_miss_is_a_miss(name):
    right = float(CASES[name][0][0])
    for factor in (0.95, 1.05):
        assert not check(name, factor * right)
