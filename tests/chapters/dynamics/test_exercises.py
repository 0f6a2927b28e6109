"""The exercises of the chapter: which answers are right, and what each mistake looks like."""

import math

import torch

from svf_helpers.chapters.dynamics.exercises import check, locking_shares
from tests.marked import Marked, numbers_in

ANGLE = math.atan(1.5) / 2


class TestAngle(Marked):
    name = "dynamics-angle"
    right = [math.cos(ANGLE), 0.88]
    rows = [[math.cos(2 * ANGLE)], [ANGLE], [math.degrees(ANGLE)], [math.sin(ANGLE)],
            [math.cos(math.atan(0.75) / 2)], [1.0], [3, -1.5]]
    general = {"sign": [-math.cos(ANGLE)], "square": [math.cos(ANGLE) ** 2]}
    otherwise = [0.6]
    secrets = [math.cos(ANGLE), 0.88, math.cos(ANGLE) ** 2]


class TestOrder(Marked):
    name = "dynamics-order"
    right = [[24, 18, 16.4, 15], [24, 17, 16, 15]]
    rows = [[(23, 20, 17, 15), (24, 20, 17, 14)], [(24, 16, 18, 15), (24, 18, 18, 15)],
            [(24, 21, 18, 15), (24, 20.5, 17.5, 15)]]
    secrets = [16.4]

    def test_the_vector_that_leads_is_named(self):
        assert numbers_in(check(self.name, (24, 21, 18, 15)).message) == [4]


def test_shares_are_those_of_the_leading_vector():
    shares = locking_shares(torch.tensor([24.0, 17, 16, 15]))
    assert shares.argmax() == 0
    assert ((shares >= 0) & (shares <= 1)).all()
    assert torch.equal(shares, locking_shares(torch.tensor([24.0, 17, 16, 15])))  # the same each time it is asked
