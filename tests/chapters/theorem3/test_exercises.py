"""The exercises of the chapter: which answers are right, and what each mistake looks like."""

import math

import pytest
import torch

from svf_helpers.chapters.theorem3.exercises import check
from svf_helpers.theory import TwoPairHead, theorem3_limit, theorem3_minimizer
from tests.marked import Marked

SIGMOID = lambda gap: 1 / (1 + math.exp(-gap))  # noqa: E731
SLOPES = 4 * (SIGMOID(-3) - SIGMOID(-5)), 4 * (SIGMOID(4) - SIGMOID(2))
LIMIT = sum(slope**2 for slope in SLOPES) / 4


class TestLimit(Marked):
    name = "theorem3-limit"
    right = [LIMIT, LIMIT * (1 + 5e-4), torch.tensor(LIMIT)]
    rows = [[4 * LIMIT], [2 * LIMIT], [SLOPES[0] ** 2 / 4, SLOPES[1] ** 2 / 4],
            [sum(SLOPES) ** 2 / 4, (SLOPES[0] - SLOPES[1]) ** 2 / 4], [32], [LIMIT**0.5], [-LIMIT], [0]]
    general = {"close": [LIMIT * 1.01]}
    otherwise = [0.7]
    secrets = [LIMIT, *SLOPES, 4 * LIMIT, 2 * LIMIT]

    def test_the_answer_is_that_of_the_theory(self):
        head = TwoPairHead(4.0, 3.0, gap_1=2.0, gap_2=-5.0)
        assert float(theorem3_limit(head)) == pytest.approx(LIMIT)
        assert check(self.name, 1e8 * float(theorem3_minimizer(head, 1e4).interference))
