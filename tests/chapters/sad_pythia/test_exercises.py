"""The exercises of the chapter: which answers are right, and what each mistake looks like."""

from tests.marked import Marked


class TestFlat(Marked):
    name = "sad-pythia-flat"
    right = [48, 48.0]
    rows = [[0.75, 47.5], [56], [8], [16], [64], [1]]
    general = {"sign": [-48], "factor": [24]}
    otherwise = [40]
    secrets = [48]
