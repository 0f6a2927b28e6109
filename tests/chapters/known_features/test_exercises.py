"""The exercises of the chapter: which answers are right, and what each mistake looks like."""

from tests.marked import Marked


class TestHolm(Marked):
    name = "known-holm"
    right = [4, 4.0]
    rows = [[5], [2], [0], [12], [3.5]]
    general = {"sign": [-4]}
    otherwise = [7]
    secrets = [sum(p <= 0.05 / (12 - k) for k, p in enumerate((0.001, 0.003, 0.0046, 0.0049, 0.02)))]
