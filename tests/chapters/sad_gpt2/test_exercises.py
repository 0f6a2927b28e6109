"""The exercises of the chapter: which answers are right, and what each mistake looks like."""

from tests.marked import Marked


class TestCount(Marked):
    name = "sad-gpt2-count"
    right = [3, 3.0]
    rows = [[0], [1], [4], [13], [16], [2], [6], [1.5]]
    general = {"sign": [-3]}
    otherwise = [7]
    secrets = [9.09]
