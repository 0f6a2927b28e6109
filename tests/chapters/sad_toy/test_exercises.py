"""The exercises of the chapter: which answers are right, and what each mistake looks like."""

from tests.marked import Marked

ALONE = ((0.52 / 3) * (0.52 / 3 - 0.0676) * 0.75 / ((0.52 / 3) ** 2 - 0.0676**2)) ** 0.5


class TestAlone(Marked):
    name = "sad-toy-alone"
    right = [ALONE, 0.73, 0.74]
    rows = [[2, -1.1], [ALONE**2], [ALONE / 0.75**0.5], [0.75**0.5], [0.7586]]
    general = {"sign": [-ALONE]}
    otherwise = [0, 0.5]
    secrets = [ALONE, 0.73, 0.5396]
