"""The exercises of the chapter: which answers are right, and what each mistake looks like."""

from tests.marked import Marked


class TestShare(Marked):
    name = "whitened-share"
    right = [0.64, 16 / 25]
    rows = [[2, -0.64], [0.36], [9 / 13], [64 / 73], [4 / 7], [0.1]]
    otherwise = [0.5]
    secrets = [0.64]
