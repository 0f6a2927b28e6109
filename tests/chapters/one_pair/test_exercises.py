"""The exercises of the chapter: which answers are right, and what each mistake looks like."""

from tests.marked import Marked


class TestSameKey(Marked):
    name = "one-pair-same-key"
    right = [2**-0.5, 0.71]
    rows = [[45], [2, -1.2], [1], [0]]
    general = {"square": [0.5], "sign": [-0.7071]}
    otherwise = [0.3]
    secrets = [2**-0.5, 0.71, 2**0.5]


class TestAngle(Marked):
    name = "one-pair-angle"
    right = [[0.5, 4.0]]
    rows = [[(0.866, 4), (0.866, 1)], [(0.5, 2)], [(-0.5, -4), (2, 4)], [(0.3, 4)], [(0.5, 3)]]
    otherwise = [(0.1, 0.2)]
    secrets = [0.5, 4.0]
