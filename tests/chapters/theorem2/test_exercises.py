"""The exercises of the chapter: which answers are right, and what each mistake looks like."""

import torch

from svf_helpers.chapters.theorem2.exercises import check
from svf_helpers.theory import worst_dictionary
from tests.marked import Marked, numbers_in

PAIR = [[1.0, 0.8], [0.0, 0.6]]
_W, _INDEX = worst_dictionary(9.0, 5, 7, torch.Generator().manual_seed(0))
WORST = _W.roll(-_INDEX, 1)  # the feature that attains the bound comes first
NEARLY = [[0.85**0.5, 0.85**0.5, 1], [0.15**0.5, -(0.15**0.5), 0]]  # cosine 0.610 where the bound is 0.6


class TestWorst(Marked):
    name = "theorem2-worst"
    right = [PAIR, [[0.9**0.5, 0.9**0.5], [0.1**0.5, -(0.1**0.5)]], WORST, WORST[:, [0, *range(6, 0, -1)]]]
    rows = [[((1.0, 0.0),)], [((1.0,), (0.0,))], [((1.0, 0.0), (0.8, 0.6))], [((1.0, 1.0), (0.0, 1.0))],
            [((1.0, 1.0), (0.0, 0.0))], [((1.0, 0.6), (0.0, 0.8))], [((1.0, 80 / 82), (0.0, 18 / 82))],
            [WORST.roll(3, 1)], [((1.0,) * 9 + (0.0,), (0.0,) * 9 + (1.0,)), NEARLY]]
    secrets = [0.8, 0.6, 0.9, 0.1, 0.9**0.5, 0.1**0.5]

    def test_a_condition_number_is_told_beside_the_one_that_is_asked(self):
        assert numbers_in(check(self.name, ((1.0, 0.6), (0.0, 0.8))).message) == [4, 9]
