"""The exercises of the chapter: which answers are right, and what each mistake looks like."""

from tests.marked import Marked


class TestChance(Marked):
    name = "notation-chance"
    right = [10**-0.5, 0.32, 0.316]
    rows = [[10, -2], [0], [0.1]]
    general = {"sign": [-0.316]}
    otherwise = [0.5]
    secrets = [10**-0.5, 0.316, 0.32]
